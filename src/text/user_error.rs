//! The error that a user sees: what failed, for which identity and endpoint, why, and what to do.

use std::fmt;

use super::printable::without_errno;

/// The parts of the one line on stderr. Modules have their own `thiserror` enums with the cause kept; each
/// converts itself into this at its edge. Never holds a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserError {
    /// What failed and why: `ECR refused the call: AccessDeniedException: ...`. One line.
    pub(crate) message: String,
    /// The identity that asked, in words (`profile dev`), where it is known.
    pub(crate) identity: Option<String>,
    /// The API endpoint that was asked, where the network failed.
    pub endpoint: Option<String>,
    /// What a person must do: `run "aws sso login --profile dev"`.
    pub(crate) hint: Option<String>,
    /// What kind of failure this is, for callers that act on it.
    pub kind: Kind,
}

/// What callers need to know of a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// No source of credentials is configured at all.
    NoCredentials,
    /// A source exists and failed, or AWS refused it.
    Credentials,
    /// AWS throttled the call.
    Throttled,
    /// The network, the server or the deadline.
    Network,
    /// A settings file, an environment variable or an argument is wrong.
    Settings,
    /// Anything else.
    Other,
}

impl UserError {
    /// An error with nothing but a message.
    pub(crate) fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { message: message.into(), identity: None, endpoint: None, hint: None, kind }
    }

    /// Adds the identity that asked.
    #[must_use]
    pub(crate) fn identity(mut self, identity: impl Into<String>) -> Self {
        self.identity = Some(identity.into());
        self
    }

    /// Adds the endpoint that was asked.
    #[must_use]
    pub(crate) fn endpoint(mut self, endpoint: impl Into<String>) -> Self {
        self.endpoint = Some(endpoint.into());
        self
    }

    /// Adds what to do.
    #[must_use]
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds at the end what else went wrong, as a sentence.
    #[must_use]
    pub(crate) fn also(mut self, line: &str) -> Self {
        self.hint = Some(match self.hint {
            Some(hint) => format!("{hint}; besides, {line}"),
            None => format!("besides, {line}"),
        });
        self
    }
}

impl fmt::Display for UserError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let message = without_errno(&self.message);
        f.write_str(&message)?;
        // Each is printed once.
        if let Some(endpoint) = self.endpoint.as_ref().filter(|endpoint| !message.contains(host_of_url(endpoint))) {
            write!(f, ", asking {endpoint}")?;
        }
        if let Some(identity) = self.identity.as_ref().filter(|identity| !message.contains(identity.as_str())) {
            write!(f, ", as {identity}")?;
        }
        if let Some(hint) = &self.hint {
            write!(f, "; {hint}")?;
        }
        Ok(())
    }
}

/// An endpoint without its scheme and path, as a message names it.
fn host_of_url(endpoint: &str) -> &str {
    let host = endpoint.split_once("://").map_or(endpoint, |(_, rest)| rest);
    host.split('/').next().unwrap_or(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_and_identity_are_reported_once_and_no_error_number() {
        let failure = UserError::new(Kind::Network, "cannot connect to 10.0.0.1: Connection refused (os error 111)");
        let failure = failure.endpoint("http://10.0.0.1/x").identity("profile dev").hint("try again");
        assert_eq!(failure.to_string(), "cannot connect to 10.0.0.1: Connection refused, as profile dev; try again");
        let failure = UserError::new(Kind::Credentials, "the session of profile dev has ended").identity("profile dev");
        assert_eq!(failure.to_string(), "the session of profile dev has ended");
        let failure = UserError::new(Kind::Network, "ECR did not answer").endpoint("api.example");
        assert_eq!(failure.to_string(), "ECR did not answer, asking api.example");
    }
}
