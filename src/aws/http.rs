//! The HTTP client of everything that we ask, as the AWS SDK wants it.
//!
//! hyper-util's client (HTTP/1.1, connections reused across services) over a connector of our own, since
//! aws-smithy-http-client loads the system's certificates eagerly and file by file, panics on a bad CA bundle and
//! reads proxies from the process's environment. Redirects are not followed, and an answer is cut off where no
//! AWS service would go.

use std::fmt;
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use http_body_util::Limited;
use hyper_util::client::legacy;
use hyper_util::rt::{TokioExecutor, TokioTimer};

use super::connect_error::ConnectError;
use super::connector::{Connector, host_of};
use super::progress::{Phase, Progress};
use super::proxy::Proxies;
use super::tls;
use crate::credentials::EndpointConfig;
use crate::os::environment::Environment;
use crate::text::user_error::UserError;

/// How long TCP may take to connect.
const CONNECT: Duration = Duration::from_secs(3);

/// The same for instance metadata and container credentials, which are next door or not there at all.
const CONNECT_NEARBY: Duration = Duration::from_secs(1);

/// The largest answer that is read; ECR's has 4 KB, a large list of SSO some 100 KB.
const LARGEST_BODY: usize = 1 << 20;

/// The largest status line with headers.
pub(super) const LARGEST_HEAD: usize = 64 << 10;

/// The two clients of a call. They share certificates and differ in proxies and retry_policy.
#[derive(Clone, Debug)]
pub(super) struct Clients {
    /// For AWS's services.
    pub(super) aws: SharedHttpClient,
    /// For instance metadata and container credentials: never through a proxy.
    pub(super) nearby: SharedHttpClient,
    /// The same way as `aws`, for requests that are no call of a service.
    pub(super) plain: SharedHttpConnector,
    connector: Connector,
}

impl Clients {
    /// Clients that open nothing and read nothing before the first request.
    ///
    /// # Errors
    /// A proxy variable that cannot be understood.
    pub(super) fn new(
        environment: &Environment,
        network: &EndpointConfig,
        progress: &Progress,
    ) -> Result<Self, UserError> {
        let tls = tls::Lazy::shared(tls::Roots::choose(environment, network));
        let proxies = Proxies::read(environment)?;
        let connector = |proxies, limit| Connector::new(proxies, tls.clone(), limit, progress.clone());
        let to_aws = connector(Some(proxies), CONNECT);
        let aws = Client::new(to_aws.clone(), progress);
        let nearby = Client::new(connector(None, CONNECT_NEARBY), progress);
        Ok(Self {
            connector: to_aws,
            plain: SharedHttpConnector::new(aws.clone()),
            aws: SharedHttpClient::new(aws),
            nearby: SharedHttpClient::new(nearby),
        })
    }

    /// Begins a connection to the host of an https or http URL, by the way of `aws`; the first request to it will use it.
    pub(super) fn preconnect(&self, url: &str) {
        // What is no URL is said by the call that needs it.
        if let Ok(uri) = url.parse() {
            self.connector.preconnect(uri);
        }
    }
}

#[derive(Clone)]
struct Client {
    hyper: legacy::Client<Connector, SdkBody>,
    connector: Connector,
    progress: Progress,
    read_limit: Option<Duration>,
}

impl Client {
    fn new(connector: Connector, progress: &Progress) -> Self {
        let hyper = legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .http1_max_buf_size(LARGEST_HEAD)
            .build(connector.clone());
        Self { hyper, connector, progress: progress.clone(), read_limit: None }
    }

    async fn ask(self, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
        let user = |e: Box<dyn std::error::Error + Send + Sync>| ConnectorError::user(e);
        let mut request = request.try_into_http1x().map_err(|e| user(e.into()))?;
        if let Some(value) = self.connector.authorization(request.uri()) {
            request.headers_mut().insert(http::header::PROXY_AUTHORIZATION, value);
        }
        let host = host_of(request.uri());
        // A connection that is reused skips the connector, which says the steps before this one.
        self.progress.at(Phase::Answer, &host);
        let answer = self.hyper.request(request);
        let response = match self.read_limit {
            None => answer.await,
            Some(limit) => match tokio::time::timeout(limit, answer).await {
                Ok(response) => response,
                Err(elapsed) => return Err(ConnectorError::timeout(elapsed.into())),
            },
        };
        let response = response.map_err(classify)?;
        self.progress.at(Phase::Body, &host);
        let response = response.map(|body| SdkBody::from_body_1_x(Limited::new(body, LARGEST_BODY)));
        HttpResponse::try_from(response).map_err(|e| ConnectorError::other(e.into(), None))
    }
}

/// The SDK tries timeouts and broken connections again, and nothing else.
fn classify(error: legacy::Error) -> ConnectorError {
    let fault = std::error::Error::source(&error).and_then(|source| source.downcast_ref::<ConnectError>());
    let fault = match fault {
        Some(ConnectError::ToProxy(inner)) => Some(&**inner),
        fault => fault,
    };
    match fault {
        Some(ConnectError::ConnectTimeout { .. }) => ConnectorError::timeout(error.into()),
        Some(ConnectError::Name { .. } | ConnectError::Connect { .. } | ConnectError::ProxyBroken { .. }) => {
            ConnectorError::io(error.into())
        }
        Some(ConnectError::Trust(_) | ConnectError::ServerName(_) | ConnectError::Scheme(_)) => {
            ConnectorError::user(error.into())
        }
        Some(ConnectError::Tls { source, .. }) if source.get_ref().is_none_or(|e| !e.is::<rustls::Error>()) => {
            ConnectorError::io(error.into())
        }
        Some(_) => ConnectorError::other(error.into(), None),
        None => ConnectorError::io(error.into()),
    }
}

impl HttpConnector for Client {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        HttpConnectorFuture::new(self.clone().ask(request))
    }
}

impl HttpClient for Client {
    /// The connect timeout is the client's own; a read timeout of the caller's is kept.
    fn http_connector(&self, settings: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(Self { read_limit: settings.read_timeout(), ..self.clone() })
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Client")
    }
}
