//! Container credentials: of an ECS task, of EKS Pod Identity, or of any agent that serves the same form
//! (<https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html>).

use std::net::IpAddr;
use std::time::Duration;

use aws_credential_types::Credentials;
use http::Uri;

use super::metadata_http::{self, BodyError, Request, Response};
use super::redact;
use crate::aws::client::AwsContext;
use crate::aws::error::{self, CallError, CallTarget};
use crate::aws::retry::{self, Outcome};
use crate::os::secret::Secret;
use crate::text::user_error::{Kind, UserError};

/// How long one answer may take; the SDK's read timeout.
const READ_TIMEOUT: Duration = Duration::from_secs(5);

/// Where plain HTTP may go besides loopback: the ECS agent, and the EKS Pod Identity agent by IPv4 and IPv6.
const AGENTS: [&str; 3] = ["169.254.170.2", "169.254.170.23", "fd00:ec2::23"];

/// What to do where nothing or another service answers.
const ELSE: &str = "check that the agent runs, and the variable that names it (AWS_CONTAINER_CREDENTIALS_FULL_URI or \
                    AWS_CONTAINER_CREDENTIALS_RELATIVE_URI)";

/// What to do where the agent itself is in call_error.
const LOG: &str = "try again, and look into the agent's log";

/// Why a URI is not asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
enum UriError {
    #[error("is not an http or https URL")]
    NotHttp,
    #[error("is plain http to a host that is neither loopback nor an ECS or EKS agent")]
    Host,
}

/// Asks the agent at `uri`.
///
/// # Errors
/// A URI that must not be called, an agent that does not answer or refuses.
pub(super) async fn credentials(
    uri: &str,
    authorization: Option<&Secret>,
    aws: &AwsContext<'_>,
) -> Result<Credentials, UserError> {
    let (endpoint, path) = parts(uri).map_err(|error| {
        UserError::new(Kind::Settings, format!("AWS_CONTAINER_CREDENTIALS_FULL_URI {error}"))
            .hint("use https, localhost, a loopback address, 169.254.170.2, 169.254.170.23 or [fd00:ec2::23]")
    })?;
    let asked = CallTarget { service: "the container credentials endpoint", host: &endpoint };
    let mut tries = 0;
    let answer = loop {
        let request = Request {
            method: "GET",
            endpoint: &endpoint,
            path: path.clone(),
            headers: authorization.map(|value| ("authorization", value.clone())).into_iter().collect(),
            body: None,
        };
        tries += 1;
        let (outcome, failure) = match timed(aws, &asked, request).await {
            Ok(answer) if answer.status == 200 => break answer,
            Ok(answer) => (outcome(answer.status), refused(&asked, &answer, aws)),
            Err(call_error) => (call_error.outcome(), metadata_http::unanswered(call_error, ELSE)),
        };
        match retry::pause(aws.retry_policy, tries, outcome, aws.deadline.left(), retry::chance()) {
            Some(pause) => tokio::time::sleep(pause).await,
            None => return Err(failure),
        }
    };
    aws.progress().clear();
    metadata_http::credentials(&answer.body, "EcsContainer").map_err(|error| {
        let remedy = match error {
            BodyError::Said { .. } => "check the task's role, or the pod identity association",
            _ => ELSE,
        };
        let error = redact::printable(&error.to_string(), aws.environment);
        UserError::new(Kind::Credentials, format!("the container credentials endpoint gives no credentials: {error}"))
            .endpoint(&endpoint)
            .hint(remedy)
    })
}

async fn timed(aws: &AwsContext<'_>, asked: &CallTarget<'_>, request: Request<'_>) -> Result<Response, CallError> {
    let limit = aws.deadline.left().min(READ_TIMEOUT);
    match tokio::time::timeout(limit, metadata_http::ask(&aws.http_nearby(), request)).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(error::sdk_error(asked, &error)),
        Err(_) => Err(metadata_http::late(asked, limit, READ_TIMEOUT, aws, ELSE)),
    }
}

fn outcome(status: u16) -> Outcome {
    match status {
        429 => Outcome::Throttled,
        500.. => Outcome::Transient,
        _ => Outcome::Final,
    }
}

fn refused(asked: &CallTarget<'_>, answer: &Response, aws: &AwsContext<'_>) -> UserError {
    let status = answer.status;
    let said = match metadata_http::credentials(&answer.body, "") {
        Err(error @ BodyError::Said { .. }) => format!(": {}", redact::printable(&error.to_string(), aws.environment)),
        _ => String::new(),
    };
    let remedy = match status {
        401 | 403 => {
            "check the authorization token (AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE) and the pod identity association"
        }
        404 => {
            "check AWS_CONTAINER_CREDENTIALS_RELATIVE_URI or AWS_CONTAINER_CREDENTIALS_FULL_URI, and the task's role"
        }
        300..=399 => ELSE,
        _ => LOG,
    };
    let kind = if outcome(status) == Outcome::Throttled { Kind::Throttled } else { Kind::Credentials };
    UserError::new(kind, format!("{} answers HTTP {status}{said}", asked.service)).endpoint(asked.host).hint(remedy)
}

/// Scheme with host and port, and path with query; only of a URI that may be asked: the authorization token and
/// the keys travel in the clear. `identity` has checked the same on the text; here it is what the request will really
/// go by, so that no difference between two readings of a URI lets a stranger in. Names other than `localhost` are not
/// looked up, as in botocore: what they mean is in other hands.
fn parts(uri: &str) -> Result<(String, String), UriError> {
    let uri: Uri = uri.parse().map_err(|_| UriError::NotHttp)?;
    let (Some(scheme), Some(host), Some(authority)) = (uri.scheme_str(), uri.host(), uri.authority()) else {
        return Err(UriError::NotHttp);
    };
    match scheme {
        "https" => {}
        "http" if is_near(host) => {}
        "http" => return Err(UriError::Host),
        _ => return Err(UriError::NotHttp),
    }
    // No user or password: whoever wrote `http://127.0.0.1@elsewhere/` meant to deceive.
    if authority.as_str().contains('@') {
        return Err(UriError::NotHttp);
    }
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    Ok((format!("{scheme}://{authority}"), path.to_owned()))
}

fn is_near(host: &str) -> bool {
    let literal = host.trim_start_matches('[').trim_end_matches(']');
    match literal.parse::<IpAddr>() {
        Ok(address) => {
            address.is_loopback() || AGENTS.iter().any(|agent| agent.parse::<IpAddr>().is_ok_and(|a| a == address))
        }
        Err(_) => host.eq_ignore_ascii_case("localhost"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_agents_and_https_are_asked() {
        for (uri, endpoint, path) in [
            ("http://169.254.170.2/v2/credentials/x?y=1", "http://169.254.170.2", "/v2/credentials/x?y=1"),
            ("http://169.254.170.23/v1/credentials", "http://169.254.170.23", "/v1/credentials"),
            ("http://[fd00:ec2::23]/v1/credentials", "http://[fd00:ec2::23]", "/v1/credentials"),
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080", "/"),
            ("http://127.9.9.9/c", "http://127.9.9.9", "/c"),
            ("http://[::1]:80/c", "http://[::1]:80", "/c"),
            ("http://LocalHost:1338/c", "http://LocalHost:1338", "/c"),
            ("https://anywhere.example/c", "https://anywhere.example", "/c"),
        ] {
            assert_eq!(parts(uri), Ok((endpoint.to_owned(), path.to_owned())), "{uri}");
        }
    }

    #[test]
    fn hosts_that_are_not_allowed_are_not_called() {
        for (uri, error) in [
            ("http://evil.example/c", UriError::Host),
            ("http://169.254.169.254/c", UriError::Host),
            ("http://127.0.0.1@evil.example/c", UriError::Host),
            ("https://user:password@evil.example/c", UriError::NotHttp),
            ("http://localhost.evil.example/c", UriError::Host),
            ("ftp://127.0.0.1/c", UriError::NotHttp),
            ("/v2/credentials", UriError::NotHttp),
            ("", UriError::NotHttp),
        ] {
            assert_eq!(parts(uri), Err(error), "{uri}");
        }
    }
}
