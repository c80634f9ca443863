//! The role of an EC2 instance, by IMDSv2
//! (<https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configuring-instance-metadata-service.html>): a session
//! token, the role's name, its credentials; three requests, each once and within a second. Where the service knows no
//! tokens (kube2iam, aws-vault's server, old proxies), IMDSv1: the other two without one, as the AWS CLI and SDKs do it.

use std::time::Duration;

use aws_credential_types::Credentials;

use super::metadata_http::{self, BodyError, NoAnswer, Request, Response};
use super::redact;
use crate::aws::client::AwsContext;
use crate::aws::error::{self, CallTarget};
use crate::aws::progress::Phase;
use crate::os::secret::Secret;
use crate::text::user_error::{Kind, UserError};

/// Where the role's name and, below it, its credentials are.
const ROLE: &str = "/latest/meta-data/iam/security-credentials/";

/// How long one request may take in all.
const READ_TIMEOUT: Duration = Duration::from_secs(1);

/// What to do where something else answers, or nothing comes of the answer.
const ELSE: &str = "check AWS_EC2_METADATA_SERVICE_ENDPOINT, and kube2iam or another proxy before the service";

/// How the service is called.
const SERVICE: &str = "the instance metadata service";

/// How long the session token lives, in seconds: this call is all that it serves.
const TOKEN_LIFE: &str = "60";

/// Asks the metadata service at `endpoint`.
///
/// # Errors
/// No service (not on EC2), one that refuses, an instance without a role.
pub(super) async fn credentials(endpoint: &str, aws: &AwsContext<'_>) -> Result<Credentials, UserError> {
    let endpoint = endpoint.trim_end_matches('/');
    let token = token(endpoint, aws).await?;
    let get = |path: String| Request {
        method: "GET",
        endpoint,
        path,
        headers: token.iter().map(|token| ("x-aws-ec2-metadata-token", token.clone())).collect(),
        body: None,
    };
    let answer = ask(aws, get(ROLE.to_owned())).await?;
    let role = match answer.status {
        200 => answer.text().lines().next().unwrap_or_default().trim(),
        404 => "",
        403 if token.is_none() => {
            return Err(UserError::new(
                Kind::Credentials,
                format!("{SERVICE} is switched off, or a proxy refuses (HTTP 403)"),
            )
            .endpoint(endpoint)
            .hint(format!(
                "aws ec2 modify-instance-metadata-options --instance-id ID --http-endpoint enabled; or {ELSE}"
            )));
        }
        status => return Err(unexpected(endpoint, status, "the role's name")),
    };
    if role.is_empty() && (answer.status == 404 || answer.body.trim_ascii().is_empty()) {
        return Err(UserError::new(Kind::NoCredentials, "the instance has no IAM role")
            .hint("attach an instance profile with a role that may pull from ECR"));
    }
    // A role's name, as IAM restricts it; it becomes part of a path.
    if role.is_empty() || !role.bytes().all(|b| b.is_ascii_alphanumeric() || b"+=,.@_-".contains(&b)) {
        return Err(something_else(endpoint, "the role's name"));
    }
    // There is a role: its credentials will come.
    aws.preconnect();
    let answer = ask(aws, get(format!("{ROLE}{role}"))).await?;
    if answer.status != 200 {
        return Err(unexpected(endpoint, answer.status, "the role's credentials"));
    }
    metadata_http::credentials(&answer.body, "IMDSv2").map_err(|error| {
        let remedy = match error {
            BodyError::Said { .. } => "check the role's trust policy: it must name ec2.amazonaws.com",
            _ => ELSE,
        };
        let error = redact::printable(&error.to_string(), aws.environment);
        UserError::new(Kind::Credentials, format!("{SERVICE} gives no credentials of role {role}: {error}"))
            .endpoint(endpoint)
            .hint(remedy)
    })
}

/// A session token; `None` where the service is asked without one.
async fn token(endpoint: &str, aws: &AwsContext<'_>) -> Result<Option<Secret>, UserError> {
    let request = Request {
        method: "PUT",
        endpoint,
        path: "/latest/api/token".to_owned(),
        headers: vec![("x-aws-ec2-metadata-token-ttl-seconds", Secret::new(TOKEN_LIFE.to_owned()))],
        body: None,
    };
    let answer = match timed(aws, request).await {
        Ok(answer) => answer,
        Err(silence) => return Err(no_token(endpoint, aws, silence)),
    };
    match answer.status {
        // It becomes a header.
        200 if !answer.text().is_empty() && answer.text().bytes().all(|b| b.is_ascii_graphic()) => {
            Ok(Some(Secret::new(answer.text().to_owned())))
        }
        200 => Err(something_else(endpoint, "a session token (IMDSv2)")),
        403..=405 if !aws.network.imds_v1_disabled => Ok(None),
        status @ 403..=405 => {
            let what = format!(
                "{SERVICE} gives no session token (HTTP {status}), and without one (IMDSv1) it is not to be asked"
            );
            Err(UserError::new(Kind::Credentials, what)
                .endpoint(endpoint)
                .hint("unset AWS_EC2_METADATA_V1_DISABLED or ec2_metadata_v1_disabled, or see what answers there"))
        }
        status => Err(unexpected(endpoint, status, "a session token (IMDSv2)")),
    }
}

/// No answer: too late, or an error.
enum Silence {
    /// After so long.
    Late(Duration),
    Error(Box<NoAnswer>),
}

async fn timed(aws: &AwsContext<'_>, request: Request<'_>) -> Result<Response, Silence> {
    let limit = aws.deadline.left().min(READ_TIMEOUT);
    match tokio::time::timeout(limit, metadata_http::ask(&aws.http_nearby(), request)).await {
        Ok(answer) => answer.map_err(|error| Silence::Error(Box::new(error))),
        Err(_) => Err(Silence::Late(limit)),
    }
}

async fn ask(aws: &AwsContext<'_>, request: Request<'_>) -> Result<Response, UserError> {
    let endpoint = request.endpoint;
    timed(aws, request).await.map_err(|silence| unanswered(endpoint, aws, silence))
}

fn unanswered(endpoint: &str, aws: &AwsContext<'_>, silence: Silence) -> UserError {
    let asked = CallTarget { service: SERVICE, host: endpoint };
    match silence {
        Silence::Late(limit) => metadata_http::late(&asked, limit, READ_TIMEOUT, aws, ELSE).failure,
        Silence::Error(error) => metadata_http::unanswered(error::sdk_error(&asked, &error), ELSE),
    }
}

/// The first request had no answer. No connection: there is no such service, as on a laptop. A connection without an answer
/// is what a container sees whose packets have one hop too many.
fn no_token(endpoint: &str, aws: &AwsContext<'_>, silence: Silence) -> UserError {
    match (&silence, aws.progress().now().0) {
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
