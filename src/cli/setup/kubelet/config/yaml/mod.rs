//! YAML files edited in place: every byte that a change does not touch stays, comments and line ends too.
//!
//! The parser says where each value stands; a change is a few insertions there. What comes out is read again, and is an
//! error unless it says exactly what the old file said plus the change.

mod edit;
mod layout;
mod scalar;
mod tree;

use serde_json::Value;

pub(super) use layout::document;

use super::change::Change;

/// Why a YAML file cannot be read, or not be edited. Lines and columns are counted from 1.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum YamlError {
    /// Not YAML.
    #[error("line {line}, column {column}: not YAML ({reason})")]
    NotYaml {
        /// The line.
        line: usize,
        /// The column.
        column: usize,
        /// What the parser says.
        reason: String,
    },
    /// YAML, but not to libyaml, of which the kubelet's parser is a copy.
    #[error("line {0}: a tab before the first character, or after a dash, which the kubelet refuses: put blanks there")]
    Tab(usize),
    /// Deeper than any configuration.
    #[error("line {0}: nested too deeply")]
    TooDeep(usize),
    /// Aliases of aliases.
    #[error("line {0}: its aliases make too much of it")]
    TooLarge(usize),
    /// An alias within what it names.
    #[error("line {0}: an alias of what it stands in")]
    Loop(usize),
    /// A list or a map as a key.
    #[error("line {0}: a key that is no text")]
    OddKey(usize),
    /// The kubelet's decoder is strict.
    #[error("line {line}: {key:?} is there twice (a key that \"<<\" brings counts), which the kubelet refuses")]
    Twice {
        /// The line.
        line: usize,
        /// The key.
        key: String,
    },
    /// `---` twice at the beginning, or a document of `null`.
    #[error("the first document is empty, and the kubelet reads no other: remove the \"---\" before it")]
    EmptyFirst,
    /// An edit would change another provider as well.
    #[error("line {0}: what is written here is used elsewhere too, by its anchor: write it out for the provider")]
    Shared(usize),
    /// A form that is not written by hand.
    #[error("line {0}: this form cannot be edited in place: write the provider with a key on each line")]
    OddForm(usize),
}

/// What the file says to the kubelet: `null` where it says nothing.
pub(super) fn value(text: &str) -> Result<Value, YamlError> {
    let document = tree::parse(text)?;
    let value = document.value()?;
    if document.top.is_some() && value.is_null() {
        return Err(YamlError::EmptyFirst);
    }
    Ok(value)
}

/// The text with the changes made.
pub(super) fn edit(text: &str, changes: &[Change]) -> Result<String, YamlError> {
    let mut text = text.to_owned();
    for change in changes {
        text = edit::make(&text, change)?;
    }
    Ok(text)
}
