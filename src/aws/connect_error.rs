//! What goes wrong between us and a server, below HTTP's own status codes.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use super::dns;

/// A connection that did not come about. The display texts are for people; none holds the user and password of
/// a proxy's URL.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConnectError {
    /// The name did not resolve.
    #[error("the name {host} does not resolve: {source}")]
    Name {
        /// The name.
        host: String,
        /// Why not.
        source: dns::Error,
    },
    /// TCP did not connect.
    #[error("cannot connect to {host}: {source}")]
    Connect {
        /// Host and port.
        host: String,
        /// The system's reason.
        source: io::Error,
    },
    /// TCP did not connect in time.
    #[error("cannot connect to {host}: no answer within {} s", .limit.as_secs())]
    ConnectTimeout {
        /// Host and port.
        host: String,
        /// The limit.
        limit: Duration,
    },
    /// The TLS handshake failed.
    #[error("TLS with {host} failed: {source}")]
    Tls {
        /// Host and port.
        host: String,
        /// rustls' error is inside.
        source: io::Error,
    },
    /// The host of a URL is no name that a certificate could hold.
    #[error("{0} is not a host name that TLS can check")]
    ServerName(String),
    /// The proxy answered `CONNECT` with another status than 200.
    #[error("the proxy {proxy} answered CONNECT with HTTP {status}")]
    ProxyStatus {
        /// Host and port of the proxy.
        proxy: String,
        /// HTTP status.
        status: u16,
    },
    /// Name, TCP or TLS of the proxy itself.
    #[error("cannot reach the proxy: {0}")]
    ToProxy(Box<ConnectError>),
    /// The proxy did not answer in HTTP, or closed the connection.
    #[error("the proxy {proxy} did not establish a tunnel: {source}")]
    ProxyBroken {
        /// Host and port of the proxy.
        proxy: String,
        /// hyper's reason.
        source: hyper::Error,
    },
    /// The SOCKS proxy did not establish a tunnel.
    #[error("the proxy {proxy} did not establish a tunnel: {reason}")]
    Socks {
        /// Host and port of the proxy.
        proxy: String,
        /// hyper-util's words; its type is not public.
        reason: String,
    },
    /// The certificates that servers are checked against cannot be loaded.
    #[error(transparent)]
    Trust(#[from] Trust),
    /// The URL has a scheme that is not supported.
    #[error("{0} is neither an http nor an https URL")]
    Scheme(String),
}

/// Why the certificates that servers are checked against cannot be loaded.
#[derive(Clone, Debug, thiserror::Error)]
pub(super) enum Trust {
    /// The file cannot be read.
    #[error("cannot read the CA bundle {} ({by}): {reason}", .path.display())]
    Unreadable {
        /// The setting that names the file.
        by: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's reason.
        reason: String,
    },
    /// There is no certificate in it.
    #[error("the CA bundle {} ({by}) holds no certificate that can be used", .path.display())]
    Empty {
        /// The setting that names the file.
        by: &'static str,
        /// The file.
        path: PathBuf,
    },
    /// rustls refused the configuration.
    #[error("TLS cannot be set up: {0}")]
    Rustls(String),
}
