//! A failure on its way to the user: what failed, for whom, why, and what to do.

use std::fmt;

/// Everything that the one line on stderr says. Rooms have their own `thiserror` enums with the cause kept;
/// each converts itself into this at the edge of the room. Never holds a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserError {
    /// What failed and why: `ECR refused the call: AccessDeniedException: ...`. One line.
    pub what: String,
    /// As whom we asked, in words (`profile dev`), where that is known.
    pub identity: Option<String>,
    /// Which API host was asked, where the network failed.
    pub host: Option<String>,
    /// What a person must do: `run "aws sso login --profile dev"`.
    pub remedy: Option<String>,
    /// What kind of failure this is, for those who act on it.
    pub kind: Kind,
}

/// What the callers of the broker need to know of a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// No source of credentials is configured at all.
    NoCredentials,
    /// A source exists and failed, or AWS refused it.
    Credentials,
    /// AWS said "too fast".
    Throttled,
    /// The network, the server or the deadline.
    Network,
    /// A settings file, an environment variable or an argument is wrong.
    Settings,
    /// Anything else.
    Other,
}

impl UserError {
    /// A failure that nothing more is known of.
    pub fn new(kind: Kind, what: impl Into<String>) -> Self {
        Self { what: what.into(), identity: None, host: None, remedy: None, kind }
    }

    /// Says as whom we asked.
    #[must_use]
    pub fn by(mut self, identity: impl Into<String>) -> Self {
        self.identity = Some(identity.into());
        self
    }

    /// Says which host was asked.
    #[must_use]
    pub fn at(mut self, host: impl Into<String>) -> Self {
        self.host = Some(host.into());
        self
    }

    /// Says what to do.
    #[must_use]
    pub fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }

    /// Says at its end what else went wrong: a whole sentence.
    #[must_use]
    pub fn besides(mut self, line: &str) -> Self {
        self.remedy = Some(match self.remedy {
            Some(remedy) => format!("{remedy}; besides, {line}"),
            None => format!("besides, {line}"),
        });
        self
    }
}

impl fmt::Display for UserError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        if let Some(host) = &self.host {
            write!(f, ", asking {host}")?;
        }
        if let Some(identity) = &self.identity {
            write!(f, ", as {identity}")?;
        }
        if let Some(remedy) = &self.remedy {
            write!(f, "; {remedy}")?;
        }
        Ok(())
    }
}
