//! One connection: name, TCP, proxy, TLS.
//!
//! hyper-util's connector below does RFC 8305's "happy eyeballs": the family of the first address is tried, and
//! after 300 ms the other beside it, so that a host with a broken IPv6 still connects.

use std::fmt;
use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{HeaderValue, Method, Request, Uri, header};
use http_body_util::Empty;
use hyper::body::Bytes;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::proxy::SocksV5;
use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector};
use hyper_util::client::proxy::matcher::Intercept;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tower_service::Service;

use super::connect_error::ConnectError;
use super::dns::{self, Resolver};
use super::preconnect::Preconnect;
use super::progress::{Phase, Progress};
use super::proxy::{Proxies, is_socks5};
use super::tls;

/// Makes connections for hyper-util's client.
#[derive(Clone)]
pub(super) struct Connector(Arc<Inner>);

struct Inner {
    tcp: HttpConnector<Resolver>,
    proxies: Option<Proxies>,
    tls: Arc<tls::Lazy>,
    limit: Duration,
    progress: Progress,
    preconnect: Preconnect,
}

impl Connector {
    /// A connector that goes through `proxies`, if any, and gives TCP `limit`.
    pub(super) fn new(proxies: Option<Proxies>, tls: Arc<tls::Lazy>, limit: Duration, progress: Progress) -> Self {
        let mut tcp = HttpConnector::new_with_resolver(Resolver::new(progress.clone()));
        tcp.set_nodelay(true);
        tcp.enforce_http(false);
        tcp.set_connect_timeout(Some(limit));
        Self(Arc::new(Inner { tcp, proxies, tls, limit, progress, preconnect: Preconnect::default() }))
    }

    /// Begins the connection to the host of `uri`, once; the first request to it will use it.
    pub(super) fn preconnect(&self, uri: Uri) {
        let Inner { proxies, tls, limit, preconnect, .. } = &*self.0;
        // Its steps are not what the call waits for now.
        let progress = Progress::default();
        let apart = Self::new(proxies.clone(), tls.clone(), *limit, progress.clone());
        let to = uri.clone();
        preconnect.begin(uri, progress, async move { apart.0.way_to(&to).await });
    }

    /// The `Proxy-Authorization` that a plain HTTP request through a proxy must carry itself.
    pub(super) fn authorization(&self, uri: &Uri) -> Option<HeaderValue> {
        if uri.scheme_str() != Some("http") {
            return None;
        }
        self.0.proxies.as_ref()?.route(uri)?.basic_auth().cloned()
    }
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Connector")
    }
}

impl Inner {
    async fn connect(&self, uri: Uri) -> Result<Conn, ConnectError> {
        let connection = match self.preconnect.take(&uri, &self.progress).await {
            Some(connection) => connection?,
            None => self.way_to(&uri).await?,
        };
        self.progress.at(Phase::Answer, &host_of(&uri));
        Ok(connection)
    }

    async fn way_to(&self, uri: &Uri) -> Result<Conn, ConnectError> {
        let secure = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(ConnectError::Scheme(host_of(uri))),
        };
        let route = self.proxies.as_ref().and_then(|proxies| proxies.route(uri));
        self.progress.to_proxy(route.is_some());
        let Some(route) = route else {
            let io = self.tcp(uri, secure).await?;
            let io = if secure { self.tls(io, uri, host_of(uri)).await? } else { io };
            return Ok(Conn { io: TokioIo::new(io), proxied: false });
        };
        let to_proxy = |fault| ConnectError::ToProxy(Box::new(fault));
        let through = || format!("{} (through the proxy {})", host_of(uri), host_of(route.uri()));
        let tls_to_proxy = route.uri().scheme_str() == Some("https");
        let mut io = self.tcp(route.uri(), secure || tls_to_proxy).await.map_err(to_proxy)?;
        if is_socks5(route.uri()) {
            self.progress.to_proxy(false);
            io = self.socks(io, uri, &route).await?;
            let io = if secure { self.tls(io, uri, through()).await? } else { io };
            return Ok(Conn { io: TokioIo::new(io), proxied: false });
        }
        if tls_to_proxy {
            io = self.tls(io, route.uri(), host_of(route.uri())).await.map_err(to_proxy)?;
        }
        self.progress.to_proxy(false);
        if secure {
            io = self.tunnel(io, uri, route.uri(), route.basic_auth()).await?;
            io = self.tls(io, uri, through()).await?;
        }
        Ok(Conn { io: TokioIo::new(io), proxied: !secure })
    }

    /// TCP to `uri`; where TLS follows, its certificates are read while the packets travel. What is wrong with them is
    /// said once there is a connection.
    async fn tcp(&self, uri: &Uri, tls_follows: bool) -> Result<Stream, ConnectError> {
        let host = host_of(uri);
        self.progress.at(Phase::Connect, &host);
        let certificates = async {
            if tls_follows {
                let _read = self.tls.get();
            }
        };
        let (connected, ()) = futures_util::future::join(self.tcp.clone().call(uri.clone()), certificates).await;
        match connected {
            Ok(io) => Ok(Box::new(io.into_inner())),
            Err(error) => Err(tcp_fault(&error, host, self.limit)),
        }
    }

    /// TLS with the host of `uri`, which a fault calls `host`.
    async fn tls(&self, io: Stream, uri: &Uri, host: String) -> Result<Stream, ConnectError> {
        self.progress.at(Phase::Tls, &host_of(uri));
        let name = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']').to_owned();
        let name = ServerName::try_from(name).map_err(|_| ConnectError::ServerName(host.clone()))?;
        let connector = tokio_rustls::TlsConnector::from(self.tls.get()?);
        match connector.connect(name, io).await {
            Ok(io) => Ok(Box::new(io)),
            Err(source) => Err(ConnectError::Tls { host, source }),
        }
    }

    async fn socks(&self, io: Stream, uri: &Uri, route: &Intercept) -> Result<Stream, ConnectError> {
        let proxy = host_of(route.uri());
        self.progress.at(Phase::Proxy, &proxy);
        let mut handshake = SocksV5::new(route.uri().clone(), Established(Some(TokioIo::new(io))));
        if let Some((user, password)) = route.raw_auth() {
            handshake = handshake.with_auth(user.to_owned(), password.to_owned());
        }
        match handshake.call(uri.clone()).await {
            Ok(io) => Ok(io.into_inner()),
            Err(error) => Err(ConnectError::Socks { proxy, reason: error.to_string() }),
        }
    }

    async fn tunnel(
        &self,
        io: Stream,
        uri: &Uri,
        proxy: &Uri,
        authorization: Option<&HeaderValue>,
    ) -> Result<Stream, ConnectError> {
        let proxy = host_of(proxy);
        self.progress.at(Phase::Proxy, &proxy);
        let broken = |source| ConnectError::ProxyBroken { proxy: proxy.clone(), source };
        let (mut sender, connection) = hyper::client::conn::http1::Builder::new()
            .max_buf_size(super::http::LARGEST_HEAD)
            .handshake::<_, Empty<Bytes>>(TokioIo::new(io))
            .await
            .map_err(broken)?;
        tokio::spawn(connection.with_upgrades());
        let target = format!("{}:{}", uri.host().unwrap_or_default(), uri.port_u16().unwrap_or(443));
        let mut request = Request::new(Empty::new());
        *request.method_mut() = Method::CONNECT;
        *request.uri_mut() = target.parse().map_err(|_| ConnectError::ServerName(target.clone()))?;
        if let Ok(value) = HeaderValue::from_str(&target) {
            request.headers_mut().insert(header::HOST, value);
        }
        if let Some(value) = authorization {
            request.headers_mut().insert(header::PROXY_AUTHORIZATION, value.clone());
        }
        let response = sender.send_request(request).await.map_err(broken)?;
        if !response.status().is_success() {
            return Err(ConnectError::ProxyStatus { proxy, status: response.status().as_u16() });
        }
        let upgraded = hyper::upgrade::on(response).await.map_err(broken)?;
        Ok(Box::new(TokioIo::new(upgraded)))
    }
}

/// Host and, where the URL has one, port.
pub(super) fn host_of(uri: &Uri) -> String {
    let host = uri.host().unwrap_or_default();
    match uri.port_u16() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

/// hyper-util hides its connector's error type; the cause is in its chain.
fn tcp_fault(error: &(dyn std::error::Error + 'static), host: String, limit: Duration) -> ConnectError {
    let mut link = Some(error);
    while let Some(cause) = link {
        if let Some(source) = cause.downcast_ref::<dns::Error>() {
            return ConnectError::Name { host, source: source.clone() };
        }
        if let Some(cause) = cause.downcast_ref::<io::Error>() {
            if cause.kind() == io::ErrorKind::TimedOut {
                return ConnectError::ConnectTimeout { host, limit };
            }
            let source = match cause.raw_os_error() {
                Some(code) => io::Error::from_raw_os_error(code),
                None => io::Error::new(cause.kind(), cause.to_string()),
            };
            return ConnectError::Connect { host, source };
        }
        link = cause.source();
    }
    ConnectError::Connect { host, source: io::Error::other(error.to_string()) }
}

impl Service<Uri> for Connector {
    type Response = Conn;
    type Error = ConnectError;
    type Future = Pin<Box<dyn Future<Output = Result<Conn, ConnectError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ConnectError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let inner = self.0.clone();
        Box::pin(async move { inner.connect(uri).await })
    }
}

/// A connection that is there already, where hyper-util's SOCKS handshake wants to make one.
struct Established(Option<TokioIo<Stream>>);

impl Service<Uri> for Established {
    type Response = TokioIo<Stream>;
    type Error = io::Error;
    type Future = std::future::Ready<io::Result<TokioIo<Stream>>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        std::future::ready(self.0.take().ok_or_else(|| io::ErrorKind::NotConnected.into()))
    }
}

/// What a connection runs over: TCP, a proxy's tunnel, TLS over either.
type Stream = Box<dyn Wire>;

trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Wire for T {}

/// A connection, ready for HTTP.
pub(super) struct Conn {
    io: TokioIo<Stream>,
    proxied: bool,
}

impl Conn {
    /// Whether the server has not closed it. Nothing else can have come from there before it was asked something: what has,
    /// would be taken for an answer, and such a connection is none to use.
    pub(super) fn poll_open(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        let mut byte = [0];
        let mut buffer = tokio::io::ReadBuf::new(&mut byte);
        Poll::Ready(Pin::new(self.io.inner_mut()).poll_read(cx, &mut buffer).is_pending())
    }
}

impl Connection for Conn {
    fn connected(&self) -> Connected {
        Connected::new().proxy(self.proxied)
    }
}

impl Read for Conn {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl Write for Conn {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, bufs)
    }
}
