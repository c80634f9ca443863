//! The HTTP client beneath the SDK's client of the instance metadata service: each request is made once and has a second, and
//! the SDK sees no answer that it would panic over or refuse without need.
//!
//! - A session token becomes a header, which the SDK writes without a look at its characters.
//! - The SDK wants to be told a token's life in a header; the AWS CLI does not, and old proxies leave it out.
//! - Where the service knows no tokens (403, 404, 405), IMDSv1: the SDK gets a token that is never sent.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::{ConnectorError, SdkError};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use http_body_util::BodyExt as _;

use super::metadata_http::NoAnswer;
use crate::os::deadline::Deadline;

/// How long one request may take, all told.
pub(super) const READ_TIMEOUT: Duration = Duration::from_secs(1);

/// How long a session token lives: the SDK asks for another within its last two minutes.
pub(super) const TOKEN_LIFE: Duration = Duration::from_secs(300);

const TOKEN: &str = "x-aws-ec2-metadata-token";
const TOKEN_TTL: &str = "x-aws-ec2-metadata-token-ttl-seconds";

/// Stands for a token where there is none.
const NO_TOKEN: &str = "none";

/// Why the SDK gets no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unusable {
    /// There was none within so long.
    #[error("no answer within {} s", .limit.as_secs_f32())]
    Late {
        /// Whether it was to be the session token.
        is_token: bool,
        /// The limit.
        limit: Duration,
    },
    /// No connection, or no whole answer.
    #[error("no answer")]
    None {
        /// Whether it was to be the session token.
        is_token: bool,
        /// Why not.
        source: Box<NoAnswer>,
    },
    /// No session token, with this HTTP status.
    #[error("no session token: HTTP {0}")]
    Token(u16),
    /// Not what was asked for, with this HTTP status.
    #[error("HTTP {0}")]
    Status(u16),
    /// A session token that is none.
    #[error("something else than a session token")]
    NotAToken,
}

/// The client; clones share what was found out about the service.
#[derive(Clone)]
pub(super) struct ImdsHttpClient {
    http: SharedHttpClient,
    deadline: Deadline,
    /// Whether IMDSv1 may be asked.
    allows_v1: bool,
    is_v1: Arc<AtomicBool>,
}

impl ImdsHttpClient {
    pub(super) fn new(http: SharedHttpClient, deadline: Deadline, allows_v1: bool) -> Self {
        Self { http, deadline, allows_v1, is_v1: Arc::default() }
    }

    /// Whether the service is asked without session tokens.
    pub(super) fn is_v1(&self) -> bool {
        self.is_v1.load(Ordering::Relaxed)
    }

    async fn ask(self, connector: SharedHttpConnector, mut request: HttpRequest) -> Result<HttpResponse, Unusable> {
        let is_token = request.method() == "PUT";
        if self.is_v1() {
            request.headers_mut().remove(TOKEN);
        }
        let limit = self.deadline.left().min(READ_TIMEOUT);
        let (status, body) = match tokio::time::timeout(limit, whole(connector, request)).await {
            Ok(answer) => answer.map_err(|error| Unusable::None { is_token, source: Box::new(error) })?,
            Err(_) => return Err(Unusable::Late { is_token, limit }),
        };
        // What is no text is neither a token nor a role's name nor JSON with this sign in it, either.
        let text = String::from_utf8_lossy(&body);
        match (is_token, status) {
            (false, 200) => Ok(answer(&text)),
            (false, status) => Err(Unusable::Status(status)),
            (true, 200) => match text.trim() {
                token if !token.is_empty() && token.bytes().all(|b| b.is_ascii_graphic()) => Ok(answer(token)),
                _ => Err(Unusable::NotAToken),
            },
            (true, 403..=405) if self.allows_v1 => {
                self.is_v1.store(true, Ordering::Relaxed);
                Ok(answer(NO_TOKEN))
            }
            (true, status) => Err(Unusable::Token(status)),
        }
    }
}

/// Makes the request: status and body.
async fn whole(connector: SharedHttpConnector, request: HttpRequest) -> Result<(u16, Vec<u8>), NoAnswer> {
    let mut answer = connector.call(request).await.map_err(SdkError::dispatch_failure)?;
    match answer.take_body().collect().await {
        Ok(body) => Ok((answer.status().as_u16(), body.to_bytes().to_vec())),
        Err(error) => Err(SdkError::response_error(error, answer)),
    }
}

fn answer(body: &str) -> HttpResponse {
    let mut answer = HttpResponse::new(http::StatusCode::OK.into(), SdkBody::from(body));
    answer.headers_mut().insert(TOKEN_TTL, TOKEN_LIFE.as_secs().to_string());
    answer
}

impl HttpClient for ImdsHttpClient {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        let connector = self.http.http_connector(settings, components);
        SharedHttpConnector::new(Connector { client: self.clone(), connector })
    }
}

#[derive(Debug)]
struct Connector {
    client: ImdsHttpClient,
    connector: SharedHttpConnector,
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let asked = self.client.clone().ask(self.connector.clone(), request);
        HttpConnectorFuture::new(async { asked.await.map_err(|unusable| ConnectorError::other(unusable.into(), None)) })
    }
}

impl fmt::Debug for ImdsHttpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ImdsHttpClient")
    }
}
