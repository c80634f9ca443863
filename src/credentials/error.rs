//! Why no source of credentials could be named, with what a person must do.

use std::path::PathBuf;

use super::missing::{HalfConfigured, Remedy, with_list};
use crate::text::user_error::{Kind, UserError};

/// Why no source could be named. Never holds a secret: values are named by variable or key.
#[derive(Clone, Debug, thiserror::Error)]
pub enum IdentityError {
    /// A shared file is there and cannot be read.
    #[error("cannot read {}: {reason}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// In words.
        reason: String,
    },
    /// A line of a shared file is not as it must be.
    #[error("{}, line {line}: {reason}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The line; the first is 1.
        line: usize,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A named profile does not exist. No later source is tried.
    #[error(transparent)]
    NoSuchProfile(Box<NoSuchProfile>),
    /// Profiles that name one another.
    #[error("the source_profile of profile {} leads back to profile {}", .0.last().map_or("", |s| s), .0.first().map_or("", |s| s))]
    Loop(
        /// The profiles, in the order in which they name one another; the last names the first again.
        Vec<String>,
    ),
    /// A profile has keys that exclude each other, lacks one, or has an unknown value.
    #[error("profile {profile} in {}: {reason}", path.display())]
    InvalidProfile {
        /// The profile.
        profile: String,
        /// The file where it is most likely to be mended.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A profile that was chosen for this registry holds no credentials.
    #[error("{reason}, and the settings chose it")]
    NoCredentialsInProfile {
        /// The profile.
        profile: String,
        /// What was looked for.
        reason: String,
    },
    /// An environment variable is not as it must be.
    #[error("{name} {reason}")]
    InvalidVariable {
        /// The variable, or the key of a profile.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A token file cannot be used.
    #[error("cannot use the token file {} (named by {named_by}): {reason}", path.display())]
    TokenFile {
        /// The file.
        path: PathBuf,
        /// The variable or profile that names it.
        named_by: String,
        /// In words, with mode and owner where they are known.
        reason: String,
    },
    /// A CI job or instance has no OIDC token.
    #[error("{provider}: {reason}")]
    NoIdToken {
        /// The token service, or the variable.
        provider: String,
        /// Why there is no token.
        reason: String,
        /// What to do.
        remedy: String,
    },
    /// An OIDC token is meant for another service.
    #[error("the web identity token in {from} has the audience {found}, not {wanted}")]
    Audience {
        /// The variable or file.
        from: String,
        /// The token's audiences.
        found: String,
        /// `audience` of the settings.
        wanted: String,
    },
    /// No source of credentials is configured.
    #[error("{}", missing(half.as_ref()))]
    NoSource {
        /// What was tried, in order, and why it is not used; for `doctor`.
        skipped_sources: Vec<String>,
        /// A source that is half configured.
        half: Option<HalfConfigured>,
        /// What to do where the process runs.
        remedy: Remedy,
    },
}

/// A named profile does not exist.
#[derive(Clone, Debug, thiserror::Error)]
#[error("profile {profile}, named by {named_by}, is neither in {} nor in {}", config.display(), credentials.display())]
pub struct NoSuchProfile {
    /// The profile.
    pub profile: String,
    /// `AWS_PROFILE`, the settings, or another profile.
    pub(super) named_by: String,
    /// The config file.
    pub(crate) config: PathBuf,
    /// The credentials file.
    pub(crate) credentials: PathBuf,
    /// A file that has it in a section spelled as the other file's are, and the right spelling.
    pub(super) misspelled: Option<(PathBuf, String)>,
    /// The profiles that exist.
    pub(super) known: Vec<String>,
}

impl NoSuchProfile {
    fn remedy(&self) -> String {
        const MAX_NAMES: usize = 10;
        let Self { profile, misspelled, known, .. } = self;
        if let Some((path, spelling)) = misspelled {
            format!("in {} the section must be written {spelling}", path.display())
        } else if known.is_empty() {
            format!("run: aws configure --profile {profile}, there is no profile at all")
        } else {
            let more = if known.len() > MAX_NAMES { ", ..." } else { "" };
            format!("name one of the profiles that exist: {}{more}", known[..known.len().min(MAX_NAMES)].join(", "))
        }
    }
}

impl IdentityError {
    /// What a person must do.
    pub(crate) fn remedy(&self) -> Option<String> {
        Some(match self {
            Self::Unreadable { path, .. } => {
                format!("make {} a file that you can read, or move it away", path.display())
            }
            Self::Malformed { path, line, .. } => format!("correct line {line} of {}", path.display()),
            Self::NoSuchProfile(missing) => missing.remedy(),
            Self::Loop(profiles) => format!("change source_profile of one of these profiles: {}", profiles.join(", ")),
            Self::InvalidProfile { path, profile, .. } => format!("correct profile {profile} in {}", path.display()),
            Self::NoCredentialsInProfile { profile, .. } => {
                format!("run: aws configure --profile {profile}, or name another profile in the settings")
            }
            Self::InvalidVariable { name, .. } => format!("correct or unset {name}"),
            Self::TokenFile { named_by, .. } => format!("check the file's path and mode, or correct {named_by}"),
            Self::NoIdToken { remedy, .. } => remedy.clone(),
            Self::Audience { wanted, .. } => {
                format!("let the CI system issue the token for {wanted}, or correct audience in the settings")
            }
            Self::NoSource { half: Some(half), .. } => half.remedy.clone(),
            Self::NoSource { remedy, .. } => remedy.in_words(),
        })
    }

    fn kind(&self) -> Kind {
        match self {
            Self::NoSource { .. } => Kind::NoCredentials,
            Self::NoIdToken { .. }
            | Self::Audience { .. }
            | Self::TokenFile { .. }
            | Self::NoCredentialsInProfile { .. } => Kind::Credentials,
            _ => Kind::Settings,
        }
    }
}

impl From<IdentityError> for UserError {
    fn from(error: IdentityError) -> Self {
        let failure = Self::new(error.kind(), error.to_string());
        match error.remedy() {
            Some(remedy) if matches!(error, IdentityError::NoSource { .. }) => failure.hint(with_list(&remedy)),
            Some(remedy) => failure.hint(remedy),
            None => failure,
        }
    }
}

/// That there are none, led by the source that was begun.
fn missing(half: Option<&HalfConfigured>) -> String {
    match half {
        Some(half) => format!("{}, and there are no other AWS credentials", half.what),
        None => "no AWS credentials found".to_owned(),
    }
}
