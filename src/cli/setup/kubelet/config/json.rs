//! JSON files edited in place: whatever a change does not touch stays as it is, in its order and indentation.

use jsonc_parser::cst::{CstArray, CstInputValue, CstNode, CstObject, CstRootNode};
use serde_json::Value;

use super::change::{Change, Edit, NewValue, Step};
use crate::cli::setup::json::strict;

/// Why a JSON file cannot be read, or not be edited.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// Not JSON.
    #[error("line {line}, column {column}: not JSON")]
    NotJson {
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
    },
    /// The kubelet's decoder is strict.
    #[error("the key {0:?} is in one object twice, which the kubelet refuses")]
    Twice(String),
    /// A change names a place that the file does not have.
    #[error("the edit failed")]
    NoSuchPlace,
}

/// What the file says.
pub(super) fn value(text: &str) -> Result<Value, JsonError> {
    let value = serde_json::from_str(text)
        .map_err(|error| JsonError::NotJson { line: error.line(), column: error.column() })?;
    if let Some(key) = parse(text)?.value().and_then(|top| key_twice(&top)) {
        return Err(JsonError::Twice(key));
    }
    Ok(value)
}

/// The text with the changes made.
pub(super) fn edit(text: &str, changes: &[Change]) -> Result<String, JsonError> {
    let root = parse(text)?;
    for change in changes {
        make(&root, change).ok_or(JsonError::NoSuchPlace)?;
    }
    Ok(root.to_string())
}

/// A whole file.
pub(super) fn document(entries: &[(&'static str, NewValue)]) -> Result<String, JsonError> {
    let changes = entries.iter().map(|(key, value)| Change {
        path: vec![Step::Key(key)],
        edit: match value {
            NewValue::List(items) => Edit::Append(items.clone()),
            value => Edit::Set(value.clone()),
        },
    });
    edit("{\n}\n", &changes.collect::<Vec<_>>())
}

fn parse(text: &str) -> Result<CstRootNode, JsonError> {
    CstRootNode::parse(text, &strict())
        .map_err(|error| JsonError::NotJson { line: error.line_display(), column: error.column_display() })
}

fn make(root: &CstRootNode, change: &Change) -> Option<()> {
    let (Step::Key(key), parents) = change.path.split_last()? else { return None };
    let mut object = root.object_value()?;
    let mut list: Option<CstArray> = None;
    for step in parents {
        match step {
            Step::Key(key) => match list {
                None if matches!(object.get(key)?.value()?, CstNode::Container(_)) => match object.array_value(key) {
                    Some(found) => list = Some(found),
                    None => object = object.object_value(key)?,
                },
                _ => return None,
            },
            Step::Item(index) => object = list.take()?.elements().get(*index)?.as_object()?,
        }
    }
    match &change.edit {
        Edit::Set(value) => match object.get(key) {
            Some(property) => property.set_value(input(value)),
            None => drop(object.append(key, input(value))),
        },
        Edit::Append(items) => {
            let list = object.array_value_or_set(key);
            for item in items {
                let added = list.append(input(item));
                if let Some(images) = added.as_object().and_then(|provider| provider.array_value("matchImages")) {
                    images.ensure_multiline();
                }
            }
        }
    }
    Some(())
}

fn input(value: &NewValue) -> CstInputValue {
    match value {
        NewValue::Text(text) => text.as_str().into(),
        NewValue::Flag(flag) => (*flag).into(),
        NewValue::List(items) => CstInputValue::Array(items.iter().map(input).collect()),
        NewValue::Map(entries) => {
            CstInputValue::Object(entries.iter().map(|(key, value)| ((*key).to_owned(), input(value))).collect())
        }
    }
}

/// A key that an object has twice, anywhere in the value.
fn key_twice(node: &CstNode) -> Option<String> {
    if let Some(list) = node.as_array() {
        return list.elements().iter().find_map(key_twice);
    }
    let object: CstObject = node.as_object()?;
    let mut seen = Vec::new();
    for property in object.properties() {
        let name = property.name().and_then(|name| name.decoded_value().ok())?;
        if seen.contains(&name) {
            return Some(name);
        }
        seen.push(name);
        if let Some(key) = property.value().and_then(|value| key_twice(&value)) {
            return Some(key);
        }
    }
    None
}
