//! The role of an EC2 instance, by the SDK's client of the instance metadata service
//! (<https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configuring-instance-metadata-service.html>): a session
//! token, the role's name, its credentials; three requests, each within a second (`imds_http`).

use std::error::Error;
use std::time::Duration;

use aws_config::imds;
use aws_config::imds::credentials::ImdsCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_credential_types::Credentials;
use aws_credential_types::provider::ProvideCredentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_async::rt::sleep::TokioSleep;

use super::imds_http::{ImdsHttpClient, READ_TIMEOUT, TOKEN_LIFE, Unusable};
use super::metadata_http::{self, NoAnswer};
use super::redact;
use crate::aws::client::AwsContext;
use crate::aws::error::{self, CallTarget};
use crate::aws::progress::Phase;
use crate::aws::retry::{self, Outcome, RetryPolicy};
use crate::text::user_error::{Kind, UserError};

/// Where the role's name and, below it, its credentials are.
const ROLE: &str = "/latest/meta-data/iam/security-credentials/";

/// What to do where something else answers, or nothing comes of the answer.
const ELSE: &str = "check AWS_EC2_METADATA_SERVICE_ENDPOINT, and kube2iam or another proxy before the service";

/// How the service is called.
const SERVICE: &str = "the instance metadata service";

/// How the SDK begins what it says of an answer in which the service refuses the credentials; code and message follow. What
/// it says of other answers may quote them.
const REFUSALS: [&str; 2] = ["Incorrect IMDS/IAM configuration: ", "Error retrieving credentials from IMDS: "];

/// How it begins to say that a key is missing; its name follows, and another such sign.
const MISSING: &str = "Expected field `";

/// Asks the metadata service at `endpoint`; where nodes boot, again if it is overloaded or not ready.
///
/// # Errors
/// No service (not on EC2), one that refuses, an instance without a role.
pub(super) async fn credentials(endpoint: &str, aws: &AwsContext<'_>) -> Result<Credentials, UserError> {
    let endpoint = endpoint.trim_end_matches('/');
    let mut tries = 0;
    loop {
        let Failed { failure, outcome } = match ask(endpoint, aws).await {
            Ok(credentials) => return Ok(credentials),
            Err(failed) => failed,
        };
        tries += 1;
        let pause = match aws.retry_policy {
            RetryPolicy::Interactive => None,
            policy => retry::pause(policy, tries, outcome, aws.deadline.left(), retry::chance()),
        };
        match pause {
            Some(pause) => tokio::time::sleep(pause).await,
            None => return Err(failure),
        }
    }
}

/// Why there are no credentials, and whether another try may do.
struct Failed {
    failure: UserError,
    outcome: Outcome,
}

impl From<UserError> for Failed {
    fn from(failure: UserError) -> Self {
        Self { failure, outcome: Outcome::Final }
    }
}

/// Asks once.
async fn ask(endpoint: &str, aws: &AwsContext<'_>) -> Result<Credentials, Failed> {
    let http = ImdsHttpClient::new(aws.http_nearby(), aws.deadline, !aws.network.imds_v1_disabled);
    let config = ProviderConfig::empty()
        .with_http_client(http.clone())
        .with_sleep_impl(TokioSleep::new())
        .with_time_source(aws.clock());
    let client = imds::Client::builder()
        .configure(&config)
        .endpoint(endpoint)
        .map_err(|_| something_else(endpoint, "its address: the endpoint is no URL"))?
        .max_attempts(1)
        .token_ttl(TOKEN_LIFE)
        // The limit is the HTTP client's, for each request.
        .read_timeout(READ_TIMEOUT * 2)
        .build();
    let role = match client.get(ROLE).await {
        Ok(name) => String::from(name),
        Err(error) => match unusable(&error) {
            Some(Unusable::Status(404)) => String::new(),
            Some(Unusable::Status(403)) if http.is_v1() => return Err(switched_off(endpoint).into()),
            found => return Err(refused(endpoint, aws, found, "the role's name")),
        },
    };
    if role.trim().is_empty() {
        return Err(UserError::new(Kind::NoCredentials, "the instance has no IAM role")
            .hint("attach an instance profile with a role that may pull from ECR")
            .into());
    }
    let role = role.trim().lines().next().unwrap_or_default().trim();
    // A role's name, as IAM restricts it; it becomes part of a path, and the SDK panics over one that cannot.
    if role.is_empty() || !role.bytes().all(|b| b.is_ascii_alphanumeric() || b"+=,.@_-".contains(&b)) {
        return Err(something_else(endpoint, "the role's name").into());
    }
    // There is a role: its credentials will come.
    aws.preconnect();
    let provider = ImdsCredentialsProvider::builder().configure(&config).imds_client(client).profile(role).build();
    let credentials = provider.provide_credentials().await.map_err(|error| match unusable(&error) {
        None => without_credentials(endpoint, aws, role, &error).into(),
        found => refused(endpoint, aws, found, "the role's credentials"),
    })?;
    if credentials.access_key_id().is_empty() || credentials.secret_access_key().is_empty() {
        return Err(no_credentials(endpoint, role, "a key in the answer is empty").hint(ELSE).into());
    }
    Ok(credentials)
}

/// Why the HTTP client kept an answer from the SDK; it is the last in the chain of the SDK's errors.
fn unusable<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e Unusable> {
    error.downcast_ref().or_else(|| unusable(error.source()?))
}

fn refused(endpoint: &str, aws: &AwsContext<'_>, found: Option<&Unusable>, wanted: &str) -> Failed {
    let outcome = match found {
        Some(Unusable::Status(429 | 500..) | Unusable::Token(429 | 500..)) => Outcome::Transient,
        _ => Outcome::Final,
    };
    Failed { failure: refusal(endpoint, aws, found, wanted), outcome }
}

fn refusal(endpoint: &str, aws: &AwsContext<'_>, found: Option<&Unusable>, wanted: &str) -> UserError {
    const TOKEN: &str = "a session token (IMDSv2)";
    match found {
        None => something_else(endpoint, wanted),
        Some(Unusable::NotAToken) => something_else(endpoint, TOKEN),
        Some(Unusable::Status(status)) => unexpected(endpoint, *status, wanted),
        Some(Unusable::Token(status @ 403..=405)) => {
            let what = format!(
                "{SERVICE} gives no session token (HTTP {status}), and without one (IMDSv1) it is not to be asked"
            );
            UserError::new(Kind::Credentials, what)
                .endpoint(endpoint)
                .hint("unset AWS_EC2_METADATA_V1_DISABLED or ec2_metadata_v1_disabled, or see what answers there")
        }
        Some(Unusable::Token(status)) => unexpected(endpoint, *status, TOKEN),
        Some(Unusable::Late { is_token: true, limit }) => no_token(endpoint, aws, Silence::Late(*limit)),
        Some(Unusable::None { is_token: true, source }) => no_token(endpoint, aws, Silence::Error(source)),
        Some(Unusable::Late { limit, .. }) => unanswered(endpoint, aws, Silence::Late(*limit)),
        Some(Unusable::None { source, .. }) => unanswered(endpoint, aws, Silence::Error(source)),
    }
}

fn switched_off(endpoint: &str) -> UserError {
    UserError::new(Kind::Credentials, format!("{SERVICE} is switched off, or a proxy refuses (HTTP 403)"))
        .endpoint(endpoint)
        .hint(format!("aws ec2 modify-instance-metadata-options --instance-id ID --http-endpoint enabled; or {ELSE}"))
}

/// The service answered, and there are no credentials in it.
fn without_credentials(endpoint: &str, aws: &AwsContext<'_>, role: &str, error: &CredentialsError) -> UserError {
    let said = error.source().map(ToString::to_string).unwrap_or_default();
    let refusal = REFUSALS.iter().find_map(|beginning| said.strip_prefix(beginning));
    let missing = said.strip_prefix(MISSING).and_then(|rest| rest.split('`').next());
    let (why, remedy) = match (refusal, missing) {
        (Some(refusal), _) => {
            // The SDK's own hint is ours, too.
            let refusal = refusal.split(" Hint: ").next().unwrap_or_default();
            let remedy = "check the role's trust policy: it must name ec2.amazonaws.com";
            (redact::printable(refusal, aws.environment), remedy)
        }
        (None, Some(key)) => (format!("the answer has no \"{key}\""), ELSE),
        (None, None) => ("the answer is not JSON, or not that of the service".to_owned(), ELSE),
    };
    no_credentials(endpoint, role, &why).hint(remedy)
}

fn no_credentials(endpoint: &str, role: &str, why: &str) -> UserError {
    UserError::new(Kind::Credentials, format!("{SERVICE} gives no credentials of role {role}: {why}"))
        .endpoint(endpoint)
}

/// No answer: too late, or an error.
#[derive(Clone, Copy)]
enum Silence<'e> {
    /// After so long.
    Late(Duration),
    Error(&'e NoAnswer),
}

fn unanswered(endpoint: &str, aws: &AwsContext<'_>, silence: Silence<'_>) -> UserError {
    let asked = CallTarget { service: SERVICE, host: endpoint };
    match silence {
        Silence::Late(limit) => metadata_http::late(&asked, limit, READ_TIMEOUT, aws, ELSE).failure,
        Silence::Error(error) => metadata_http::unanswered(error::sdk_error(&asked, error), ELSE),
    }
}

/// The first request had no answer. No connection: there is no such service, as on a laptop. A connection without an answer
/// is what a container sees whose packets have one hop too many.
fn no_token(endpoint: &str, aws: &AwsContext<'_>, silence: Silence<'_>) -> UserError {
    match (silence, aws.progress().now().0) {
        (Silence::Late(_), Phase::Answer) => {
            let what = format!(
                "{SERVICE} accepts the connection and does not answer: in a container, the hop limit of its answers \
                 is too low"
            );
            UserError::new(Kind::Credentials, what)
                .endpoint(endpoint)
                .hint("aws ec2 modify-instance-metadata-options --instance-id ID --http-put-response-hop-limit 2")
        }
        (_, Phase::Tls | Phase::Answer | Phase::Body) => unanswered(endpoint, aws, silence),
        _ => {
            let reason = unanswered(endpoint, aws, silence).message;
            let what = format!("no instance metadata service answers, so this is no EC2 instance ({reason})");
            UserError::new(Kind::NoCredentials, what).endpoint(endpoint)
        }
    }
}

fn something_else(endpoint: &str, wanted: &str) -> UserError {
    let what = format!("{SERVICE} gives something else when asked for {wanted}");
    UserError::new(Kind::Credentials, what).endpoint(endpoint).hint(ELSE)
}

fn unexpected(endpoint: &str, status: u16, wanted: &str) -> UserError {
    let what = format!("{SERVICE} answers HTTP {status} when asked for {wanted}");
    UserError::new(Kind::Credentials, what).endpoint(endpoint).hint(ELSE)
}
