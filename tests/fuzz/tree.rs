//! JSON as a file has it: keys that stand twice stand twice, in their order.

#![allow(dead_code, reason = "each target uses a part of it")]

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::Number;

#[derive(Clone, Debug, PartialEq)]
pub enum Tree {
    Null,
    Flag(bool),
    Number(Number),
    Text(String),
    List(Vec<Tree>),
    Object(Vec<(String, Tree)>),
}

impl Tree {
    pub fn parse(text: &[u8]) -> Option<Self> {
        serde_json::from_slice(text).ok()
    }

    pub fn object(&self) -> Option<&Vec<(String, Self)>> {
        match self {
            Self::Object(entries) => Some(entries),
            _ => None,
        }
    }

    pub fn object_mut(&mut self) -> Option<&mut Vec<(String, Self)>> {
        match self {
            Self::Object(entries) => Some(entries),
            _ => None,
        }
    }

    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The value of the last `key`.
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.object()?.iter().rev().find(|(name, _)| name == key).map(|(_, value)| value)
    }

    /// The same without any `key`.
    pub fn without(&self, keys: &[&str]) -> Self {
        match self {
            Self::Object(entries) => {
                Self::Object(entries.iter().filter(|(key, _)| !keys.contains(&key.as_str())).cloned().collect())
            }
            other => other.clone(),
        }
    }

    /// Whether some object in it has a key twice.
    pub fn repeats_a_key(&self) -> bool {
        match self {
            Self::List(list) => list.iter().any(Self::repeats_a_key),
            Self::Object(entries) => entries.iter().enumerate().any(|(at, (key, value))| {
                value.repeats_a_key() || entries[..at].iter().any(|(earlier, _)| earlier == key)
            }),
            _ => false,
        }
    }
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Tree;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("JSON")
            }
            fn visit_unit<E>(self) -> Result<Tree, E> {
                Ok(Tree::Null)
            }
            fn visit_bool<E>(self, flag: bool) -> Result<Tree, E> {
                Ok(Tree::Flag(flag))
            }
            fn visit_i64<E>(self, number: i64) -> Result<Tree, E> {
                Ok(Tree::Number(number.into()))
            }
            fn visit_u64<E>(self, number: u64) -> Result<Tree, E> {
                Ok(Tree::Number(number.into()))
            }
            fn visit_f64<E: Error>(self, number: f64) -> Result<Tree, E> {
                Number::from_f64(number).map(Tree::Number).ok_or_else(|| E::custom("no finite number"))
            }
            fn visit_str<E>(self, text: &str) -> Result<Tree, E> {
                Ok(Tree::Text(text.to_owned()))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Tree, A::Error> {
                let mut elements = Vec::new();
                while let Some(element) = list.next_element()? {
                    elements.push(element);
                }
                Ok(Tree::List(elements))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Tree, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Tree::Object(entries))
            }
        }
        deserializer.deserialize_any(Any)
    }
}
