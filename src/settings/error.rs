//! Why the settings cannot be used.

use std::io;
use std::path::PathBuf;

use crate::text::user_error::{Kind, UserError};

/// Each names the file and, where there is one, the line and the key. The file is never half used.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// `ECR_LOGIN_CONFIG` names a file that is not there.
    #[error("ECR_LOGIN_CONFIG names {}, which does not exist", .0.display())]
    Missing(PathBuf),
    /// The file is there and cannot be read.
    #[error("the settings file {} cannot be read: {cause}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's message.
        #[source]
        cause: io::Error,
    },
    /// Another user could have written it.
    #[error("the settings file {} is not trusted: {reason}", path.display())]
    Untrusted {
        /// The file.
        path: PathBuf,
        /// Whose it is, or who may write it or put another in its place.
        reason: String,
        /// The remedy.
        remedy: String,
    },
    /// A part of it is wrong.
    #[error("{}:{line}: {key}{message}", path.display(), key = .key.as_ref().map(|k| format!("{k}: ")).unwrap_or_default())]
    Wrong {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The key, where the fault is at one.
        key: Option<String>,
        /// What is wrong with it.
        message: String,
    },
}

impl From<SettingsError> for UserError {
    fn from(error: SettingsError) -> Self {
        let remedy = match &error {
            SettingsError::Missing(_) => "create it or unset ECR_LOGIN_CONFIG".to_owned(),
            SettingsError::Unreadable { .. } => "make it a readable file or remove it".to_owned(),
            SettingsError::Untrusted { remedy, .. } => remedy.clone(),
            SettingsError::Wrong { .. } => "correct that line; nothing of the file is used until then".to_owned(),
        };
        Self::new(Kind::Settings, error.to_string()).hint(remedy)
    }
}
