//! From a [`Source`] to AWS credentials: one file for each kind of source.

pub mod expiry;
pub mod process;
pub mod said;
pub mod sso_file;
pub mod words;

use aws_credential_types::Credentials;

use super::aws::Aws;
use crate::failure::{Failure, Kind};
use crate::identity::Source;

/// The source's credentials.
///
/// # Errors
/// Why the source gave none, and what to do.
pub async fn of(source: &Source, _aws: &Aws<'_>) -> Result<Credentials, Failure> {
    match source {
        Source::Keys { id, secret, session_token } => Ok(Credentials::new(
            id.expose(),
            secret.expose(),
            session_token.as_ref().map(|token| token.expose().to_owned()),
            None,
            "keys",
        )),
        _ => Err(Failure::new(Kind::Credentials, "this source of credentials is not supported")),
    }
}
