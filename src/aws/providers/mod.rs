//! From a source of credentials to credentials: one file for each kind of source.
//!
//! | source | file | asks |
//! |---|---|---|
//! | keys | here | none |
//! | `credential_process` | `process`, `command_line` | a child process |
//! | SSO session, legacy SSO | `sso`, `sso_token_file` | SSO portal; OIDC where the login ends |
//! | `aws login` | `login_session`, `login_session_file`, `dpop` | none; AWS Sign-In where the session's keys end |
//! | web identity | `web_identity` | STS |
//! | role | `assume_role` | STS, after the source that it rests on |
//! | container | `ecs` | the agent of ECS or EKS |
//! | instance | `imds`, `imds_http` | the instance metadata service |

mod assume_role;
mod dpop;
mod ecs;
mod id_token;
mod imds;
mod imds_http;
mod login_session;
mod login_session_file;
pub mod metadata_http;
pub(crate) mod mfa;
pub mod process;
mod redact;
pub(super) mod shared;
mod sso;
pub mod sso_token_file;
mod sts;
mod web_identity;

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use aws_credential_types::Credentials;

use super::client::AwsContext;
pub(crate) use sso::sign_in_is_due;

use crate::credentials::{CredentialSource, Identity, half_configured, remedy_here, with_list};
use crate::os::environment::Environment;
use crate::text::user_error::{Kind, UserError};

/// The source's credentials.
///
/// # Errors
/// Why the source gave none, and what to do.
pub(super) fn of<'a>(
    source: &'a CredentialSource,
    aws: &'a AwsContext<'_>,
) -> Pin<Box<dyn Future<Output = Result<Credentials, UserError>> + 'a>> {
    // Boxed, since a role rests on a source that may be a role.
    Box::pin(async move { ask(source, aws).await.and_then(fit) })
}

async fn ask(source: &CredentialSource, aws: &AwsContext<'_>) -> Result<Credentials, UserError> {
    match source {
        CredentialSource::StaticKeys { id, secret, session_token } => Ok(Credentials::new(
            id.expose(),
            secret.expose(),
            session_token.as_ref().map(|token| token.expose().to_owned()),
            None,
            "keys",
        )),
        CredentialSource::CredentialProcess { profile, command } => {
            let attended = process::attended();
            let limit = if attended { process::ATTENDED } else { aws.deadline.left() };
            process::run(profile, command, aws.environment, aws.deadline.at_most(limit), attended)
        }
        CredentialSource::Sso { profile, session, region, account, role, token_file, .. } => {
            let (session, token_file) = (session.as_deref(), token_file.as_deref());
            sso::credentials(sso::SsoParameters { profile, session, region, account, role, token_file }, aws).await
        }
        CredentialSource::WebIdentity { role_arn, session_name, token_file, token } => {
            let (session_name, token_file) = (session_name.as_deref(), token_file.as_deref());
            let described = None;
            web_identity::assume(
                web_identity::WebIdentityParameters { role_arn, session_name, token_file, described, token },
                aws,
            )
            .await
        }
        CredentialSource::RequestedWebIdentity { role_arn, session_name, audience, request } => {
            let token = &id_token::get(request, audience, aws).await?;
            let (session_name, described) = (session_name.as_deref(), Some(request.in_words()));
            let (token_file, described) = (None, described.as_deref());
            let wanted = web_identity::WebIdentityParameters { role_arn, session_name, token_file, described, token };
            web_identity::assume(wanted, aws).await
        }
        CredentialSource::Container { uri, authorization } => ecs::credentials(uri, authorization.as_ref(), aws).await,
        CredentialSource::Imds { endpoint } => imds::credentials(endpoint, aws).await,
        CredentialSource::LoginSession { profile, region, session_file, .. } => {
            let (region, session_file) = (region.as_deref(), session_file.as_deref());
            login_session::credentials(login_session::LoginParameters { profile, region, session_file }, aws).await
        }
        CredentialSource::AssumeRole { base, role_arn, session_name, external_id, duration_seconds, mfa_serial } => {
            if let (Some(serial), None) = (mfa_serial, aws.mfa) {
                return Err(mfa::needed(role_arn, serial, aws.registry.host()));
            }
            let credentials = of(base, aws).await.map_err(named)?;
            let (session_name, external_id) = (session_name.as_deref(), external_id.as_deref());
            let duration_seconds = *duration_seconds;
            let wanted = assume_role::AssumeRoleParameters { role_arn, session_name, external_id, duration_seconds };
            match (mfa_serial, aws.mfa) {
                (Some(serial), Some(prompt)) => mfa::assume(base, credentials, wanted, serial, prompt, aws).await,
                _ => assume_role::assume(base, credentials, wanted, aws).await,
            }
        }
    }
}

/// The same credentials, if a request can carry them: the SDK's signer panics over a header that is not plain ASCII.
fn fit(credentials: Credentials) -> Result<Credentials, UserError> {
    let is_plain = |text: &str| text.bytes().all(|byte| matches!(byte, b' '..=b'~' | b'\t'));
    let part = if !is_plain(credentials.access_key_id()) {
        "access key id"
    } else if !credentials.session_token().is_none_or(is_plain) {
        "session token"
    } else {
        return Ok(credentials);
    };
    let what = format!("the {part} holds a line end or another character that no request to AWS can carry");
    Err(UserError::new(Kind::Credentials, what).hint("copy it anew to where it is set"))
}

/// How much longer than its deadline a call may take, since a person in front of the terminal has to act.
pub(crate) fn grace(source: &CredentialSource) -> Duration {
    match source {
        CredentialSource::CredentialProcess { .. } if process::attended() => process::ATTENDED,
        CredentialSource::AssumeRole { base, .. } => grace(base),
        _ => Duration::ZERO,
    }
}

/// Whether JSON is a list, which serde would take for an object whose fields come in order.
fn is_list(json: &[u8]) -> bool {
    json.trim_ascii_start().first() == Some(&b'[')
}

/// A source that a role names is configured: that it does not answer is a failure, not an absence.
fn named(failure: UserError) -> UserError {
    let kind = if failure.kind == Kind::NoCredentials { Kind::Credentials } else { failure.kind };
    UserError { kind, ..failure }
}

/// Of the last source in the chain, that it is not there: the source that was begun before it comes first, if there is one.
pub(super) fn nowhere(identity: &Identity, environment: &Environment, failure: UserError) -> UserError {
    if failure.kind != Kind::NoCredentials {
        return failure;
    }
    if let Some(half) = half_configured(environment, &identity.skipped_sources) {
        let what = format!("{}, and there are no other AWS credentials", half.what);
        return UserError::new(Kind::NoCredentials, what).hint(half.remedy);
    }
    let remedy = failure.hint.unwrap_or_else(|| remedy_here(environment));
    let message = format!("no AWS credentials found: {}", failure.message);
    UserError { message, hint: Some(remedy), ..failure }
}

/// The same for whoever has no list of the sources before their eyes.
pub(super) fn nowhere_with_list(identity: &Identity, environment: &Environment, failure: UserError) -> UserError {
    let is_missing = failure.kind == Kind::NoCredentials;
    let failure = nowhere(identity, environment, failure);
    let hint = failure.hint.as_deref().filter(|_| is_missing).map(with_list);
    UserError { hint: hint.or(failure.hint), ..failure }
}

/// A source, for messages: the identity that could not assume a role.
fn in_words(source: &CredentialSource) -> String {
    match source {
        CredentialSource::StaticKeys { .. } => "the owner of the access key".to_owned(),
        CredentialSource::CredentialProcess { profile, .. } => {
            format!("the credential_process of profile {profile}")
        }
        CredentialSource::Sso { role, account, .. } => format!("SSO role {role} of account {account}"),
        CredentialSource::LoginSession { profile, .. } => format!("the aws login session of profile {profile}"),
        CredentialSource::Container { .. } => "the container's role".to_owned(),
        CredentialSource::Imds { .. } => "the instance's role".to_owned(),
        CredentialSource::WebIdentity { role_arn, .. }
        | CredentialSource::RequestedWebIdentity { role_arn, .. }
        | CredentialSource::AssumeRole { role_arn, .. } => role_arn.clone(),
    }
}

/// Whose credentials these are, by STS's GetCallerIdentity, which nobody can be denied.
///
/// # Errors
/// STS did not answer, or the credentials are none.
pub(super) async fn caller(credentials: Credentials, aws: &AwsContext<'_>) -> Result<String, UserError> {
    let (client, host) = sts::client(aws, Some(credentials)).await;
    let asked = super::error::CallTarget { service: "STS", host: &host };
    let answer = aws.call(&asked, || client.get_caller_identity().send()).await?;
    Ok(answer.arn.unwrap_or_else(|| "an identity that STS does not name".to_owned()))
}

/// The host of an AWS service, for messages. Names follow the general reference's tables of service endpoints.
pub(crate) fn host(aws: &AwsContext<'_>, service: &str, region: &str, endpoint: Option<&str>) -> String {
    if let Some(endpoint) = endpoint {
        return endpoint.to_owned();
    }
    let api = aws.registry.api_host(false, false);
    let suffix = api.split_once(&format!("{}.", aws.registry.region())).map_or("amazonaws.com", |(_, suffix)| suffix);
    let fips = if aws.network.use_fips { "-fips" } else { "" };
    format!("{service}{fips}.{region}.{suffix}")
}
