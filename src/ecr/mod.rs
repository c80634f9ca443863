//! The only room that starts tokio, TLS and the SDK: one authorization token, by the identity's own
//! source of credentials, within the deadline.

pub mod credentials;

use crate::broker::Patience;
use crate::deadline::Deadline;
use crate::environment::Environment;
use crate::failure::Failure;
use crate::identity::Identity;
use crate::registry::Registry;
use crate::secret::Secret;

/// What ECR handed out.
#[derive(Clone, Debug)]
pub struct Token {
    /// The user name, `AWS`.
    pub username: String,
    /// The password.
    pub password: Secret,
    /// When it ends, in seconds since the Unix epoch.
    pub expires_at: Option<i64>,
}

/// Asks ECR for a token.
///
/// # Errors
/// Whatever failed on the way, with what a person must do.
pub fn fetch(
    _environment: &Environment,
    _identity: &Identity,
    _registry: &Registry,
    _deadline: Deadline,
    _patience: Patience,
) -> Result<Token, Failure> {
    Err(Failure::new(crate::failure::Kind::Other, "no ecr"))
}
