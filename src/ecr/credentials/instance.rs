//! The role of an EC2 instance, by IMDSv2
//! (<https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configuring-instance-metadata-service.html>): a session
//! token, the role's name, its credentials; three requests, each once and within a second.

use aws_credential_types::Credentials;

use super::nearby::{self, LIMIT, NoAnswer, Request, Response};
use super::said;
use crate::ecr::aws::Aws;
use crate::ecr::explain::{self, Asked};
use crate::ecr::progress::Phase;
use crate::failure::{Failure, Kind};
use crate::secret::Secret;

/// Where the role's name and, below it, its credentials are.
const ROLE: &str = "/latest/meta-data/iam/security-credentials/";

/// How long the session token lives, in seconds: this call is all that it serves.
const TOKEN_LIFE: &str = "60";

/// Asks the metadata service at `endpoint`.
///
/// # Errors
/// No service (not on EC2), one that refuses, an instance without a role.
pub async fn credentials(endpoint: &str, aws: &Aws<'_>) -> Result<Credentials, Failure> {
    let endpoint = endpoint.trim_end_matches('/');
    let token = token(endpoint, aws).await?;
    let get = |path: String| Request {
        method: "GET",
        endpoint,
        path,
        headers: vec![("x-aws-ec2-metadata-token", token.clone())],
    };
    let answer = ask(aws, get(ROLE.to_owned())).await?;
    let role = match answer.status {
        200 => answer.text().lines().next().unwrap_or_default().trim(),
        404 => "",
        status => return Err(unexpected(endpoint, status, "the role's name")),
    };
    // A role's name, as IAM restricts it; it becomes part of a path.
    if role.is_empty() || !role.bytes().all(|b| b.is_ascii_alphanumeric() || b"+=,.@_-".contains(&b)) {
        return Err(Failure::new(Kind::NoCredentials, "the instance has no IAM role")
            .remedy("attach an instance profile with a role that may pull from ECR"));
    }
    let answer = ask(aws, get(format!("{ROLE}{role}"))).await?;
    if answer.status != 200 {
        return Err(unexpected(endpoint, answer.status, "the role's credentials"));
    }
    nearby::credentials(&answer.body, "IMDSv2").map_err(|error| {
        let error = said::printable(&error.to_string(), aws.environment);
        Failure::new(
            Kind::Credentials,
            format!("the instance metadata service gives no credentials of role {role}: {error}"),
        )
        .remedy("check the role's trust policy: it must name ec2.amazonaws.com")
    })
}

async fn token(endpoint: &str, aws: &Aws<'_>) -> Result<Secret, Failure> {
    let request = Request {
        method: "PUT",
        endpoint,
        path: "/latest/api/token".to_owned(),
        headers: vec![("x-aws-ec2-metadata-token-ttl-seconds", Secret::new(TOKEN_LIFE.to_owned()))],
    };
    let answer = match timed(aws, request).await {
        Ok(answer) => answer,
        Err(silence) => return Err(no_token(endpoint, aws, silence)),
    };
    match answer.status {
        200 if !answer.text().is_empty() => Ok(Secret::new(answer.text().to_owned())),
        403 => Err(Failure::new(Kind::Credentials, "the instance metadata service is switched off (HTTP 403)")
            .at(endpoint)
            .remedy("aws ec2 modify-instance-metadata-options --instance-id ID --http-endpoint enabled")),
        status => Err(unexpected(endpoint, status, "a session token (IMDSv2)")),
    }
}

/// No answer: too late, or an error.
enum Silence {
    Late,
    Error(Box<NoAnswer>),
}

async fn timed(aws: &Aws<'_>, request: Request<'_>) -> Result<Response, Silence> {
    let limit = aws.deadline.at_most(LIMIT).left();
    match tokio::time::timeout(limit, nearby::ask(&aws.http_nearby(), request)).await {
        Ok(answer) => answer.map_err(|error| Silence::Error(Box::new(error))),
        Err(_) => Err(Silence::Late),
    }
}

async fn ask(aws: &Aws<'_>, request: Request<'_>) -> Result<Response, Failure> {
    let endpoint = request.endpoint;
    let asked = Asked { service: "the instance metadata service", host: endpoint };
    timed(aws, request).await.map_err(|silence| match silence {
        Silence::Late => explain::deadline(&asked, LIMIT, aws.progress()).failure,
        Silence::Error(error) => explain::sdk_error(&asked, &error).failure,
    })
}

/// The first request had no answer. No connection: nobody is there, as on a laptop. A connection without an answer
/// is what a container sees whose packets are one hop too far away.
fn no_token(endpoint: &str, aws: &Aws<'_>, silence: Silence) -> Failure {
    let connected = matches!(aws.progress().now().0, Phase::Answer | Phase::Body);
    match silence {
        Silence::Late if connected => {
            let what = "the instance metadata service accepts the connection and does not answer: in a container, the \
                        hop limit of its answers is too low";
            Failure::new(Kind::Credentials, what)
                .at(endpoint)
                .remedy("aws ec2 modify-instance-metadata-options --instance-id ID --http-put-response-hop-limit 2")
        }
        Silence::Error(error) if connected => {
            let asked = Asked { service: "the instance metadata service", host: endpoint };
            explain::sdk_error(&asked, &error).failure
        }
        Silence::Late | Silence::Error(_) => {
            Failure::new(Kind::NoCredentials, "no instance metadata service answers, so this is no EC2 instance")
                .at(endpoint)
        }
    }
}

fn unexpected(endpoint: &str, status: u16, wanted: &str) -> Failure {
    Failure::new(
        Kind::Credentials,
        format!("the instance metadata service answers HTTP {status} when asked for {wanted}"),
    )
    .at(endpoint)
    .remedy("check AWS_EC2_METADATA_SERVICE_ENDPOINT, and kube2iam or another proxy before the service")
}
