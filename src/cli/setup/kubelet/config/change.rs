//! Changes of a kubelet's configuration, said once for files in JSON and in YAML.

use serde_json::Value;

/// A value that `setup` writes, with its keys in the order in which people write them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum NewValue {
    Text(String),
    Flag(bool),
    List(Vec<NewValue>),
    Map(Vec<(&'static str, NewValue)>),
}

impl NewValue {
    pub(super) fn text(text: &str) -> Self {
        Self::Text(text.to_owned())
    }

    pub(super) fn texts(texts: &[String]) -> Self {
        Self::List(texts.iter().map(|text| Self::text(text)).collect())
    }
}

impl From<&NewValue> for Value {
    fn from(value: &NewValue) -> Self {
        match value {
            NewValue::Text(text) => Self::from(text.as_str()),
            NewValue::Flag(flag) => Self::from(*flag),
            NewValue::List(items) => items.iter().map(Self::from).collect(),
            NewValue::Map(entries) => {
                Self::Object(entries.iter().map(|(key, value)| ((*key).to_owned(), value.into())).collect())
            }
        }
    }
}

/// One step from a value to a part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Key(&'static str),
    Item(usize),
}

/// What is to become of the value at `path`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) path: Vec<Step>,
    pub(super) edit: Edit,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Edit {
    /// The last step is a key, which gets this value, whether it is there already or not.
    Set(NewValue),
    /// The list gets these items at its end; where there is none, or `null`, one is made.
    Append(Vec<NewValue>),
}

/// What `value` is after the change; `false` where the path leads nowhere.
pub(super) fn apply(value: &mut Value, change: &Change) -> bool {
    match &change.edit {
        Edit::Set(new) => {
            let Some((Step::Key(key), parents)) = change.path.split_last() else { return false };
            let Some(object) = find(value, parents).and_then(Value::as_object_mut) else { return false };
            object.insert((*key).to_owned(), new.into());
        }
        Edit::Append(items) => {
            let mut target = Some(value);
            for step in &change.path {
                target = match (target, step) {
                    (Some(Value::Object(object)), Step::Key(key)) => {
                        Some(object.entry((*key).to_owned()).or_insert(Value::Null))
                    }
                    (Some(Value::Array(list)), Step::Item(index)) => list.get_mut(*index),
                    _ => None,
                };
            }
            let Some(target) = target else { return false };
            if target.is_null() {
                *target = Value::Array(Vec::new());
            }
            let Some(list) = target.as_array_mut() else { return false };
            list.extend(items.iter().map(Value::from));
        }
    }
    true
}

fn find<'v>(mut value: &'v mut Value, path: &[Step]) -> Option<&'v mut Value> {
    for step in path {
        value = match step {
            Step::Key(key) => value.get_mut(*key)?,
            Step::Item(index) => value.get_mut(*index)?,
        };
    }
    Some(value)
}
