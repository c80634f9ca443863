//! Requests to the services next door: instance metadata and container credentials. One request, one answer, no
//! redirects, no proxy; and the JSON in which both hand out credentials.

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_runtime::client::orchestrator::operation::Operation;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse, OrchestratorError};
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::error::metadata::{ErrorMetadata, ProvideErrorMetadata};
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::aws::client::AwsContext;
use crate::aws::error::{self, CallError, CallTarget, Class};
use crate::aws::progress::Phase;
use crate::os::secret::Secret;
use crate::text::timestamp;
use crate::text::user_error::{Kind, UserError};

/// One request.
#[derive(Debug)]
pub(super) struct Request<'a> {
    /// `GET`, `PUT` or `POST`.
    pub(super) method: &'static str,
    /// Scheme, host and port.
    pub(super) endpoint: &'a str,
    /// Path and query.
    pub(super) path: String,
    /// Headers; their values may be secrets.
    pub(super) headers: Vec<(&'static str, Secret)>,
    /// The body; none for `GET`. May be a secret.
    pub(super) body: Option<Secret>,
}

/// What came back.
#[derive(Debug)]
pub(super) struct Response {
    /// HTTP status.
    pub(super) status: u16,
    /// `Metadata-Flavor`, which Google's metadata server sends.
    pub(super) metadata_flavor: Option<String>,
    /// The body; may hold secrets.
    pub(super) body: Zeroizing<Vec<u8>>,
}

impl Response {
    /// The body as text; empty if it is not UTF-8.
    pub(super) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap_or_default().trim()
    }
}

/// The request could not be made of what it was given.
#[derive(Clone, Debug, Default, thiserror::Error)]
#[error("the request cannot be written as HTTP")]
pub(crate) struct Unfit(ErrorMetadata);

impl ProvideErrorMetadata for Unfit {
    fn meta(&self) -> &ErrorMetadata {
        &self.0
    }
}

/// Why there was no answer.
pub(super) type NoAnswer = SdkError<Unfit, HttpResponse>;

/// Asks once.
///
/// # Errors
/// No connection, or no whole answer.
pub(super) async fn ask(client: &SharedHttpClient, request: Request<'_>) -> Result<Response, NoAnswer> {
    let operation = Operation::builder()
        .service_name("nearby")
        .operation_name("ask")
        .http_client(client.clone())
        .sleep_impl(TokioSleep::new())
        .endpoint_url(request.endpoint)
        .no_auth()
        .no_retry()
        .serializer(http_request)
        .deserializer(|response: &HttpResponse| {
            let body = response.body().bytes().unwrap_or_default();
            Ok::<_, OrchestratorError<Unfit>>(Response {
                status: response.status().as_u16(),
                metadata_flavor: response.headers().get("metadata-flavor").map(str::to_owned),
                body: Zeroizing::new(body.to_vec()),
            })
        })
        .build();
    operation.invoke((request.method, request.path, request.headers, request.body)).await
}

type Parts = (&'static str, String, Vec<(&'static str, Secret)>, Option<Secret>);

fn http_request(
    (method, path, headers, body): Parts,
) -> Result<HttpRequest, aws_smithy_runtime_api::box_error::BoxError> {
    let body = body.map_or_else(SdkBody::empty, |body| SdkBody::from(body.expose()));
    let mut request = HttpRequest::new(body);
    request.set_method(method)?;
    request.set_uri(path)?;
    for (name, value) in headers {
        request.headers_mut().try_insert(name, value.expose().to_owned()).map_err(|_| Unfit::default())?;
    }
    Ok(request)
}

/// Why a body holds no credentials. Never quotes what it does not understand.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// The service gave a reason, with a code.
    #[error("{code}: {message}")]
    Said {
        /// `AssumeRoleUnauthorizedAccess`.
        code: String,
        /// For people.
        message: String,
    },
    /// Not JSON.
    #[error("the answer is not JSON")]
    NotJson,
    /// A key is missing.
    #[error("the answer has no \"{0}\"")]
    Missing(&'static str),
    /// The expiration is no time.
    #[error("the answer's \"Expiration\" is no time")]
    Expiration,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Body {
    code: Option<String>,
    message: Option<String>,
    /// The agents of ECS and EKS write these two in lower case, and some both.
    #[serde(rename = "code")]
    lower_code: Option<String>,
    #[serde(rename = "message")]
    lower_message: Option<String>,
    access_key_id: Option<Secret>,
    secret_access_key: Option<Secret>,
    #[serde(alias = "SessionToken")]
    token: Option<Secret>,
    expiration: Option<String>,
}

/// Reads credentials in the form of the instance metadata service
/// (<https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instance-metadata-security-credentials.html>), which the
/// container endpoints share.
///
/// # Errors
/// A body that holds none.
pub fn credentials(body: &[u8], provider: &'static str) -> Result<Credentials, BodyError> {
    if super::is_list(body) {
        return Err(BodyError::NotJson);
    }
    let body: Body = serde_json::from_slice(body).map_err(|_| BodyError::NotJson)?;
    if let Some(code) = body.code.or(body.lower_code).filter(|code| code != "Success") {
        let message = body.message.or(body.lower_message).unwrap_or_else(|| "no reason given".to_owned());
        return Err(BodyError::Said { code, message });
    }
    let filled = |value: Option<Secret>| value.filter(|value| !value.expose().is_empty());
    let id = filled(body.access_key_id).ok_or(BodyError::Missing("AccessKeyId"))?;
    let secret = filled(body.secret_access_key).ok_or(BodyError::Missing("SecretAccessKey"))?;
    let expires: Option<SystemTime> = match body.expiration.filter(|text| !text.is_empty()) {
        None => None,
        Some(text) => Some(timestamp::parse(&text).ok_or(BodyError::Expiration)?),
    };
    let mut credentials =
        Credentials::builder().access_key_id(id.expose()).secret_access_key(secret.expose()).provider_name(provider);
    credentials.set_session_token(filled(body.token).map(|token| token.expose().to_owned()));
    credentials.set_expiry(expires);
    Ok(credentials.build())
}

/// The failure of a request that had no answer within `limit`: the service's `own`, or what was left of the deadline.
/// Where it is the service's, or no connection came about, more time for the call would be none for the request, and
/// `remedy` is the hint.
pub(super) fn late(
    asked: &CallTarget<'_>,
    limit: Duration,
    own: Duration,
    aws: &AwsContext<'_>,
    remedy: &str,
) -> CallError {
    let said = if limit == own { own } else { aws.deadline.limit() };
    let mut call_error = error::deadline(asked, said, aws.deadline.set_by(), aws.progress());
    if limit == own || !matches!(aws.progress().now().0, Phase::Answer | Phase::Body) {
        call_error.failure = call_error.failure.hint(remedy);
    }
    call_error
}

/// The failure of a request that had no answer. A remedy for the way to AWS (a proxy, for instance) does not help with a
/// link-local service: then `remedy` is the hint instead.
pub(super) fn unanswered(call_error: CallError, remedy: &str) -> UserError {
    match call_error.class {
        // A certificate, a CA bundle and the deadline have their own.
        Class::Tls | Class::Deadline => call_error.failure,
        _ if call_error.failure.kind == Kind::Settings => call_error.failure,
        _ => call_error.failure.hint(remedy),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_metadata_services_answer_is_credentials() {
        let body = br#"{"Code":"Success","LastUpdated":"2026-04-01T06:00:00Z","Type":"AWS-HMAC","AccessKeyId":"id",
            "SecretAccessKey":"secret","Token":"token","Expiration":"2026-04-01T12:00:00Z"}"#;
        let credentials = credentials(body, "test").unwrap();
        assert_eq!(credentials.access_key_id(), "id");
        assert_eq!(credentials.secret_access_key(), "secret");
        assert_eq!(credentials.session_token(), Some("token"));
        assert_eq!(credentials.expiry(), timestamp::parse("2026-04-01T12:00:00Z"));
    }

    #[test]
    fn a_code_other_than_success_is_the_services_reason() {
        for body in [
            r#"{"Code":"Refused","Message":"not today"}"#,
            r#"{"code":"Refused","message":"not today","AccessKeyId":null}"#,
        ] {
            let error = credentials(body.as_bytes(), "test").unwrap_err();
            assert_eq!(error.to_string(), "Refused: not today");
        }
    }

    #[test]
    fn anything_else_is_an_error_that_does_not_quote_it() {
        for (body, error) in [
            ("<html>secret</html>", "the answer is not JSON"),
            ("null", "the answer is not JSON"),
            (r#"["Success", "m", null, null, "i", "s", "t", null]"#, "the answer is not JSON"),
            ("{}", "the answer has no \"AccessKeyId\""),
            (r#"{"AccessKeyId":"i","SecretAccessKey":""}"#, "the answer has no \"SecretAccessKey\""),
            (r#"{"AccessKeyId":"i","SecretAccessKey":"s","Expiration":"x"}"#, "the answer's \"Expiration\" is no time"),
        ] {
            assert_eq!(credentials(body.as_bytes(), "test").unwrap_err().to_string(), error, "{body}");
        }
    }
}
