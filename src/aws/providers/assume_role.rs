//! A role assumed with the credentials of another source (`role_arn` with `source_profile` or `credential_source`,
//! `role_arn` of our settings): one AssumeRole for each link of the chain.

use std::error::Error;
use std::time::Duration;

use aws_config::sts::AssumeRoleProvider;
use aws_credential_types::Credentials;
use aws_credential_types::provider::ProvideCredentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_sts::operation::assume_role::AssumeRoleError;
use aws_sdk_sts::operation::assume_role::builders::AssumeRoleFluentBuilder;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;

use super::sts::{self, SESSION_NAME};
use crate::aws::client::AwsContext;
use crate::aws::error::{CallError, CallTarget, Class, TakeApart};
use crate::credentials::CredentialSource;
use crate::text::user_error::{Kind, UserError};

/// What a profile or our settings say of the role.
#[derive(Clone, Copy, Debug)]
pub(super) struct AssumeRoleParameters<'a> {
    /// `role_arn`.
    pub(super) role_arn: &'a str,
    /// `role_session_name`.
    pub(super) session_name: Option<&'a str>,
    /// `external_id`.
    pub(super) external_id: Option<&'a str>,
    /// `duration_seconds`.
    pub(super) duration_seconds: Option<i32>,
}

impl AssumeRoleParameters<'_> {
    /// The request without a code of an MFA device.
    pub(super) fn request(&self, client: &aws_sdk_sts::Client) -> AssumeRoleFluentBuilder {
        client
            .assume_role()
            .role_arn(self.role_arn)
            .role_session_name(self.session_name.unwrap_or(SESSION_NAME))
            .set_external_id(self.external_id.map(str::to_owned))
            .set_duration_seconds(self.duration_seconds)
    }
}

/// Assumes the role with `credentials`, which are those of the source `base`.
///
/// # Errors
/// STS refused, or did not answer.
pub(super) async fn assume(
    base: &CredentialSource,
    credentials: Credentials,
    wanted: AssumeRoleParameters<'_>,
    aws: &AwsContext<'_>,
) -> Result<Credentials, UserError> {
    let region = aws.registry.region();
    let endpoint = aws.network.sts_endpoint.as_deref();
    let config = aws.sdk(region, endpoint, Some(credentials)).await;
    let mut builder = AssumeRoleProvider::builder(wanted.role_arn)
        .configure(&config)
        .session_name(wanted.session_name.unwrap_or(SESSION_NAME));
    if let Some(external_id) = wanted.external_id {
        builder = builder.external_id(external_id);
    }
    if let Some(seconds) = wanted.duration_seconds.and_then(|seconds| u64::try_from(seconds).ok()) {
        builder = builder.session_length(Duration::from_secs(seconds));
    }
    let provider = builder.build().await;
    let host = super::host(aws, "sts", region, endpoint);
    let asked = CallTarget { service: "STS", host: &host };
    aws.preconnect();
    let credentials = aws
        .call(&asked, || async { provider.provide_credentials().await.map_err(ProviderError) })
        .await
        .map_err(|call_error| refused(base, wanted, region, call_error))?;
    sts::filled(credentials, &asked)
}

/// Why the SDK's provider gave no credentials; STS's own error is inside.
struct ProviderError(CredentialsError);

impl TakeApart for ProviderError {
    fn take_apart(&self, asked: &CallTarget<'_>) -> CallError {
        match self.0.source().and_then(|source| source.downcast_ref::<SdkError<AssumeRoleError, HttpResponse>>()) {
            Some(error) => error.take_apart(asked),
            // An answer in which something is missing or cannot be read.
            None => CallError::new(Class::Garbage, sts::without_credentials(asked)),
        }
    }
}

pub(super) fn refused(
    base: &CredentialSource,
    wanted: AssumeRoleParameters<'_>,
    region: &str,
    call_error: CallError,
) -> UserError {
    let CallError { class: Class::Refused, code, message, failure, .. } = call_error else {
        return call_error.failure;
    };
    let code = code.unwrap_or_default();
    let message = message.unwrap_or_default();
    let role = wanted.role_arn;
    let who = caller(&message).map_or_else(|| super::in_words(base), str::to_owned);
    match code.as_str() {
        "AccessDenied" | "AccessDeniedException" => {
            let external = match wanted.external_id {
                Some(_) => " with this external_id",
                None => "",
            };
            UserError::new(Kind::Credentials, format!("{who} may not assume {role}: {code}"))
                .hint(format!("allow it sts:AssumeRole on the role, and let the role's trust policy name it{external}"))
        }
        _ => match sts::refused(&code, region) {
            Some((reason, remedy)) => {
                UserError::new(Kind::Credentials, format!("{who} cannot assume {role}: {reason} ({code})")).hint(remedy)
            }
            None => UserError { message: format!("assuming {role} failed: {}", failure.message), ..failure },
        },
    }
}

/// The caller's identity in STS's message: `User: arn:aws:sts::...:assumed-role/base/x is not authorized to perform: ...`.
fn caller(message: &str) -> Option<&str> {
    let (arn, _) = message.strip_prefix("User: ")?.split_once(" is not authorized")?;
    Some(arn).filter(|arn| arn.starts_with("arn:") && !arn.contains(' '))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_caller_is_read_from_what_sts_says() {
        let message = "User: arn:aws:iam::111122223333:user/ana is not authorized to perform: sts:AssumeRole on \
                       resource: arn:aws:iam::444455556666:role/pull";
        assert_eq!(caller(message), Some("arn:aws:iam::111122223333:user/ana"));
        assert_eq!(caller("User: somebody else is not authorized"), None);
        assert_eq!(caller("no"), None);
    }
}
