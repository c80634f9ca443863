//! One file of the kubelet's configuration, in JSON or YAML: what it says, and the same with our provider in it.

use serde_json::Value;

mod change;
mod json;
mod provider;
mod rules;
mod yaml;

use json::JsonError;
pub use provider::{Plan, ShapeError};
pub(super) use rules::Refusal;
use yaml::YamlError;

use change::apply;
pub(super) use provider::AUDIENCE;
pub(super) use rules::check_names;

use super::version::KubeletVersion;

/// How a file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// JSON.
    Json,
    /// YAML, as the kubelet reads it.
    Yaml,
}

/// Why a file cannot be read, or our provider not be put into it.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// Neither JSON nor YAML.
    #[error("line {line}, column {column}: not UTF-8")]
    NotUtf8 {
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
    },
    /// It cannot be read or edited as JSON.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// It cannot be read or edited as YAML.
    #[error(transparent)]
    Yaml(#[from] YamlError),
    /// It is something else, or its provider cannot be completed.
    #[error(transparent)]
    Shape(#[from] ShapeError),
    /// What was edited says something else than was meant.
    #[error("it cannot be edited in place without changing more than was asked for")]
    NotWhatWasMeant,
}

/// A file's text and what it says to the kubelet: `null` where it says nothing yet.
#[derive(Clone, Debug, PartialEq)]
pub struct ConfigText {
    /// The whole file.
    pub text: String,
    /// How it is written.
    pub format: Format,
    /// What it says.
    pub value: Value,
}

impl ConfigText {
    /// Reads a file. `extension` decides for one that says nothing yet; otherwise, as for the kubelet, what is not behind a
    /// brace is YAML, whatever the file's name.
    ///
    /// # Errors
    /// It is neither.
    pub fn read(bytes: &[u8], extension: &str) -> Result<Self, ConfigError> {
        let text = std::str::from_utf8(bytes).map_err(|error| {
            let before = bytes.get(..error.valid_up_to()).unwrap_or_default();
            let column = before.rsplit(|byte| *byte == b'\n').next().unwrap_or_default().len() + 1;
            let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
            ConfigError::NotUtf8 { line, column }
        })?;
        let format = match text.trim_start().chars().next() {
            Some('{') => Format::Json,
            None if !["yaml", "yml"].iter().any(|yaml| extension.eq_ignore_ascii_case(yaml)) => Format::Json,
            _ => Format::Yaml,
        };
        Self::parse(text.to_owned(), format)
    }

    fn parse(text: String, format: Format) -> Result<Self, ConfigError> {
        let value = match format {
            _ if text.trim().is_empty() => Value::Null,
            Format::Json => json::value(&text)?,
            Format::Yaml => yaml::value(&text)?,
        };
        Ok(Self { text, format, value })
    }

    /// The file with our provider in it. It says what it said before and what was missing, and nothing else.
    ///
    /// # Errors
    /// It is no configuration, or cannot be edited.
    pub fn completed(&self, plan: &Plan) -> Result<Self, ConfigError> {
        if self.value.is_null() {
            let whole = plan.new_file();
            let text = match self.format {
                Format::Json => json::document(&whole)?,
                // Comments that were there before stay.
                Format::Yaml => format!("{}{}", with_newline(&self.text), yaml::document(&whole)),
            };
            return Self::parse(text, self.format);
        }
        let changes = plan.changes(&self.value)?;
        let text = match self.format {
            _ if changes.is_empty() => return Ok(self.clone()),
            Format::Json => json::edit(&self.text, &changes)?,
            Format::Yaml => yaml::edit(&self.text, &changes)?,
        };
        let mut meant = self.value.clone();
        let applied = changes.iter().all(|change| apply(&mut meant, change));
        let edited = Self::parse(text, self.format).map_err(|_| ConfigError::NotWhatWasMeant)?;
        if !applied || edited.value != meant {
            return Err(ConfigError::NotWhatWasMeant);
        }
        Ok(edited)
    }

    /// Checks the file by the kubelet's rules; the names of its providers.
    ///
    /// # Errors
    /// A kubelet of that version would not start with it.
    pub(in crate::cli) fn check(&self, version: Option<KubeletVersion>) -> Result<Vec<String>, Refusal> {
        rules::check(&self.value, version)
    }

    /// The audience of the service account tokens that our provider asks for.
    pub fn audience(&self) -> Option<String> {
        provider::audience(&self.value)
    }

    /// The images of our provider.
    pub(super) fn images_of_ours(&self) -> Vec<String> {
        provider::images(&self.value)
    }

    /// The name of our provider, which is that of its executable.
    pub(in crate::cli) fn name_of_ours(&self) -> Option<&'static str> {
        provider::name_of_ours(&self.value)
    }
}

fn with_newline(text: &str) -> String {
    let newline = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
    format!("{text}{newline}")
}

#[cfg(test)]
mod tests;
