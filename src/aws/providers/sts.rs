//! What AssumeRole and AssumeRoleWithWebIdentity share: the session's name, the answer, the refusals.

use std::time::SystemTime;

use aws_credential_types::Credentials;

use crate::aws::client::AwsContext;
use crate::aws::error::CallTarget;
use crate::text::user_error::{Kind, UserError};

/// The session's name where none is configured: what CloudTrail shows.
pub(super) const SESSION_NAME: &str = "ecr-login";

/// A client of STS in the registry's region, and STS's host for messages. Calls that are not signed need no credentials.
pub(super) async fn client(aws: &AwsContext<'_>, credentials: Option<Credentials>) -> (aws_sdk_sts::Client, String) {
    let region = aws.registry.region();
    let endpoint = aws.network.sts_endpoint.as_deref();
    let config = aws.sdk(region, endpoint, credentials).await;
    (aws_sdk_sts::Client::new(&config), super::host(aws, "sts", region, endpoint))
}

/// The credentials in STS's answer.
///
/// # Errors
/// An answer that holds none.
pub(super) fn credentials(
    answer: Option<aws_sdk_sts::types::Credentials>,
    provider: &'static str,
    asked: &CallTarget<'_>,
) -> Result<Credentials, UserError> {
    let keys = answer.ok_or_else(|| without_credentials(asked))?;
    let credentials = Credentials::new(
        keys.access_key_id,
        keys.secret_access_key,
        Some(keys.session_token),
        SystemTime::try_from(keys.expiration).ok(),
        provider,
    );
    filled(credentials, asked)
}

/// The same credentials, if no part of them is empty.
///
/// # Errors
/// One is.
pub(super) fn filled(credentials: Credentials, asked: &CallTarget<'_>) -> Result<Credentials, UserError> {
    let parts =
        [credentials.access_key_id(), credentials.secret_access_key(), credentials.session_token().unwrap_or_default()];
    if parts.iter().any(|part| part.is_empty()) {
        return Err(without_credentials(asked));
    }
    Ok(credentials)
}

/// What is said of an answer of STS's that holds no credentials.
pub(super) fn without_credentials(asked: &CallTarget<'_>) -> UserError {
    UserError::new(Kind::Network, format!("{} answered without credentials", asked.service))
        .endpoint(asked.host)
        .hint("check the endpoint (AWS_ENDPOINT_URL_STS)")
}

/// Reason and remedy of refusals that have nothing to do with the role
/// (<https://docs.aws.amazon.com/STS/latest/APIReference/CommonErrors.html>).
pub(super) fn refused(code: &str, region: &str) -> Option<(String, String)> {
    let (reason, remedy) = match code {
        "ExpiredToken" | "ExpiredTokenException" => {
            ("the session has expired", "renew the credentials that it rests on")
        }
        "InvalidClientTokenId" | "UnrecognizedClientException" => (
            "STS does not know the access key",
            "check that the key exists and is active, and belongs to the registry's partition",
        ),
        "SignatureDoesNotMatch" | "InvalidSignatureException" => {
            ("the secret access key does not belong to the access key id", "correct the secret access key")
        }
        "RegionDisabledException" => {
            return Some((
                format!("STS is not active in {region}"),
                format!("enable {region} for the account (account settings, or STS in the IAM console)"),
            ));
        }
        _ => return None,
    };
    Some((reason.to_owned(), remedy.to_owned()))
}
