//! What AssumeRole and AssumeRoleWithWebIdentity share: the session's name, the answer, the refusals.

use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;

use crate::aws::client::AwsContext;
use crate::aws::error::CallTarget;
use crate::text::user_error::{Kind, UserError};

/// The session's name where none is configured: what CloudTrail shows.
pub(super) const SESSION_NAME: &str = "ecr-login";

/// A client of STS in the registry's region, and STS's host for messages. Calls that are not signed need no credentials.
pub(super) fn client(aws: &AwsContext<'_>, credentials: Option<Credentials>) -> (aws_sdk_sts::Client, String) {
    let region = aws.registry.region();
    let endpoint = aws.network.sts_endpoint.as_deref();
    let credentials = credentials.map(SharedCredentialsProvider::new);
    let mut config = aws.sdk(region, endpoint);
    config.set_credentials_provider(credentials);
    (aws_sdk_sts::Client::new(&config.build()), super::host(aws, "sts", region, endpoint))
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
    let filled = answer.filter(|keys| {
        !keys.access_key_id().is_empty() && !keys.secret_access_key().is_empty() && !keys.session_token().is_empty()
    });
    let keys = filled.ok_or_else(|| {
        UserError::new(Kind::Network, format!("{} answered without credentials", asked.service))
            .endpoint(asked.host)
            .hint("check the endpoint (AWS_ENDPOINT_URL_STS)")
    })?;
    Ok(Credentials::new(
        keys.access_key_id,
        keys.secret_access_key,
        Some(keys.session_token),
        SystemTime::try_from(keys.expiration).ok(),
        provider,
    ))
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
