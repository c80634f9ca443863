//! A client's JSON file as the clients themselves read it: what it names, and what keeps them from reading it.

use std::path::Path;

use serde_json::{Map, Value};

use crate::os::fs::user_file::UserFile;

/// What stands in a file, or in `DOCKER_AUTH_CONFIG`.
#[derive(Debug)]
pub(crate) enum Content {
    /// There is no file.
    Absent,
    /// It cannot be read; the reason names it.
    Unreadable(String),
    /// It begins with a byte order mark, after which every client refuses it.
    Marked,
    /// Nothing, which docker takes for an empty object, and podman for an error.
    Empty,
    /// No JSON object; where and why.
    Broken(String),
    /// JSON, or `null`.
    Config(Config),
}

/// What the file names.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Config {
    /// `credHelpers`.
    pub(crate) helpers: Vec<(String, Option<String>)>,
    /// `credsStore`.
    pub(crate) store: Option<String>,
    /// The keys of `auths` that hold a login. An empty entry, as `docker login` through a helper leaves it, is none.
    pub(crate) logins: Vec<String>,
    /// Text follows the JSON: docker ignores it, podman refuses the file.
    pub(crate) more_text: bool,
}

impl Content {
    /// Reads a file.
    pub(crate) fn of_file(path: &Path) -> Self {
        match UserFile::read(path) {
            Err(error) => Self::Unreadable(error.to_string()),
            Ok(UserFile { content: None, .. }) => Self::Absent,
            Ok(UserFile { content: Some(bytes), .. }) => Self::of(&bytes),
        }
    }

    /// Reads what stands in a file.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        if bytes.starts_with("\u{feff}".as_bytes()) {
            return Self::Marked;
        }
        if bytes.trim_ascii().is_empty() {
            return Self::Empty;
        }
        let mut values = serde_json::Deserializer::from_slice(bytes).into_iter::<Value>();
        match values.next() {
            Some(Ok(Value::Object(root))) => {
                let rest = bytes.get(values.byte_offset()..).unwrap_or_default();
                Self::Config(Config { more_text: !rest.trim_ascii().is_empty(), ..Config::of(&root) })
            }
            Some(Ok(Value::Null)) => Self::Config(Config::default()),
            Some(Err(error)) => {
                let text = error.to_string();
                let reason = text.rsplit_once(" at line ").map_or(text.as_str(), |(reason, _)| reason);
                Self::Broken(format!("line {}, column {}: {reason}", error.line(), error.column()))
            }
            _ => Self::Broken("line 1, column 1: the top is not an object".to_owned()),
        }
    }
}

impl Config {
    fn of(root: &Map<String, Value>) -> Self {
        let object = |key: &str| root.get(key).and_then(Value::as_object).into_iter().flatten();
        let text = |value: &Value| value.as_str().map(str::to_owned);
        Self {
            helpers: object("credHelpers").map(|(key, value)| (key.clone(), text(value))).collect(),
            store: root.get("credsStore").and_then(text).filter(|store| !store.is_empty()),
            logins: object("auths").filter(|(_, entry)| is_login(entry)).map(|(key, _)| key.clone()).collect(),
            more_text: false,
        }
    }

    /// The helper that `credHelpers` names for exactly this key: `Some(None)` for a value that is no text.
    pub(crate) fn helper(&self, host: &str) -> Option<Option<&str>> {
        self.helpers.iter().find(|(key, _)| key == host).map(|(_, helper)| helper.as_deref())
    }
}

/// Whether an entry of `auths` holds credentials.
pub(crate) fn is_login(entry: &Value) -> bool {
    ["auth", "username", "password", "identitytoken", "registrytoken"]
        .iter()
        .any(|key| entry.get(key).and_then(Value::as_str).is_some_and(|text| !text.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_state_of_a_file() {
        for (text, expected) in [
            ("\u{feff}{}", "Marked"),
            (" \n", "Empty"),
            ("{,}", "Broken(\"line 1, column 2: key must be a string\")"),
            ("[]", "Broken(\"line 1, column 1: the top is not an object\")"),
        ] {
            assert_eq!(format!("{:?}", Content::of(text.as_bytes())), expected, "{text}");
        }
        for (text, logins, more_text) in [
            ("null", 0, false),
            ("{}\nmore", 0, true),
            (r#"{"auths":{"a":{},"b":{"auth":""},"c":{"auth":"x"},"d":{"identitytoken":"x"},"e":null}}"#, 2, false),
        ] {
            let Content::Config(config) = Content::of(text.as_bytes()) else { panic!("{text}") };
            assert_eq!((config.logins.len(), config.more_text), (logins, more_text), "{text}");
        }
    }
}
