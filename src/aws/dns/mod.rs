//! Names to addresses, without the C library: a static binary's getaddrinfo would load the host's NSS modules,
//! and with them the host's C library.
//!
//! `/etc/hosts` first, then the DNS servers of `/etc/resolv.conf` (with `search`, `timeout` and `attempts`); A and
//! AAAA at the same time, over TCP where an answer was cut short. Names with a dot are asked as they are before
//! the search list is tried, whatever `ndots` says: all of AWS's are complete. Other sources of nsswitch.conf
//! (mDNS, LDAP) are not asked; a build with the feature `system-resolver` asks the C library, as builds for other
//! systems than Linux and the BSDs do, where the system's resolver knows more than these two files.

pub mod config;
pub mod exchange;

use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::future::{Either, select};
use hyper_util::client::legacy::connect::dns::Name;

use super::progress::{Phase, Progress};
use config::Config;
use exchange::Record;

/// How long IPv4 addresses wait for IPv6 addresses, which a name server may not answer for (RFC 8305, section 3).
const RESOLUTION_DELAY: Duration = Duration::from_millis(50);

/// How long IPv6 addresses wait for those of IPv4: they are connected to first, but without the others there is nothing to
/// fall back on where IPv6 is broken.
const FALLBACK_DELAY: Duration = Duration::from_millis(300);

/// An address of Amazon's, to ask the kernel for a route to.
#[cfg(all(unix, not(target_os = "macos"), not(feature = "system-resolver")))]
const AMAZON_V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0x2600, 0x1f00, 0, 0, 0, 0, 0, 1));

/// Why a name did not resolve.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Error {
    /// The name servers say that there is no such name.
    #[error("there is no such name")]
    NoSuchName,
    /// The name has no addresses.
    #[error("it has no address")]
    NoAddress,
    /// No name server answered.
    #[error("no answer from the DNS server {0}")]
    NoAnswer(String),
    /// The last name server's answer was an error.
    #[error("the DNS server {0} answered {1}")]
    Failed(String, String),
    /// What was asked cannot be a name in the DNS.
    #[error("it is not a valid name")]
    BadName,
    /// The system's resolver said so.
    #[error("{0}")]
    System(String),
}

impl Error {
    /// Whether another try may end otherwise.
    pub(super) fn is_transient(&self) -> bool {
        matches!(self, Self::NoAnswer(_) | Self::Failed(..) | Self::System(_))
    }
}

/// The resolver, as hyper's connector calls it.
#[derive(Clone, Debug)]
pub(super) struct Resolver {
    progress: Progress,
}

impl Resolver {
    /// A resolver that says when it is waiting. The system's files are read at each lookup.
    pub(super) fn new(progress: Progress) -> Self {
        Self { progress }
    }
}

impl tower_service::Service<Name> for Resolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let progress = self.progress.clone();
        Box::pin(async move {
            progress.at(Phase::Name, name.as_str());
            let found = resolve(name.as_str()).await?;
            progress.at(Phase::Connect, name.as_str());
            Ok(found.into_iter().map(|ip| SocketAddr::new(ip, 0)).collect::<Vec<_>>().into_iter())
        })
    }
}

#[cfg(all(unix, not(target_os = "macos"), not(feature = "system-resolver")))]
async fn resolve(name: &str) -> Result<Vec<IpAddr>, Error> {
    lookup(&Config::of_system(), name, || has_route(AMAZON_V6)).await
}

#[cfg(any(not(unix), target_os = "macos", feature = "system-resolver"))]
async fn resolve(name: &str) -> Result<Vec<IpAddr>, Error> {
    let found = tokio::net::lookup_host((name, 0)).await.map_err(|e| Error::System(e.to_string()))?;
    Ok(found.map(|address| address.ip()).collect())
}

/// What `/etc/hosts`, else the name servers have.
#[cfg_attr(
    any(not(unix), target_os = "macos", feature = "system-resolver"),
    allow(dead_code, reason = "the system's resolver is asked in this build")
)]
async fn lookup(config: &Config, name: &str, has_ipv6: fn() -> bool) -> Result<Vec<IpAddr>, Error> {
    let found = config.hosts(name);
    if !found.is_empty() {
        return Ok(in_order(found));
    }
    // RFC 6761, section 6.3: these never leave the host.
    let bare = name.trim_end_matches('.').to_ascii_lowercase();
    if bare == "localhost" || bare.ends_with(".localhost") {
        return Ok(vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]);
    }
    let mut missing = Error::NoSuchName;
    for candidate in config.candidates(name) {
        match both_families(config, &candidate, has_ipv6).await {
            Ok(found) => return Ok(in_order(found)),
            Err(Error::NoSuchName) => {}
            Err(Error::NoAddress) => missing = Error::NoAddress,
            Err(error) => return Err(error),
        }
    }
    Err(missing)
}

async fn both_families(config: &Config, name: &str, has_ipv6: fn() -> bool) -> Result<Vec<IpAddr>, Error> {
    let (v6, v4) = {
        let v6 = Box::pin(exchange::ask(config, name, Record::Aaaa));
        let v4 = Box::pin(exchange::ask(config, name, Record::A));
        match select(v6, v4).await {
            Either::Left((v6, rest)) => {
                let v4 = other(&v6, rest, FALLBACK_DELAY).await;
                (v6, v4)
            }
            Either::Right((v4, rest)) => {
                let v6 = other(&v4, rest, aaaa_delay(has_ipv6())).await;
                (v6, v4)
            }
        }
    };
    match (v6, v4) {
        (Ok(mut v6), Ok(v4)) => {
            v6.extend(v4);
            if v6.is_empty() { Err(Error::NoAddress) } else { Ok(v6) }
        }
        (Ok(found), Err(error)) | (Err(error), Ok(found)) => {
            if found.is_empty() {
                Err(error)
            } else {
                Ok(found)
            }
        }
        (Err(Error::NoSuchName), Err(error)) | (Err(error), Err(_)) => Err(error),
    }
}

async fn other(
    first: &Result<Vec<IpAddr>, Error>,
    rest: impl Future<Output = Result<Vec<IpAddr>, Error>>,
    delay: Duration,
) -> Result<Vec<IpAddr>, Error> {
    match first {
        Ok(found) if !found.is_empty() => tokio::time::timeout(delay, rest).await.unwrap_or_else(|_| Ok(Vec::new())),
        // There is no such name in any family.
        Err(Error::NoSuchName) => Err(Error::NoSuchName),
        _ => rest.await,
    }
}

/// How long IPv4 addresses wait for those of IPv6, which are connected to first where the host can reach them.
fn aaaa_delay(has_ipv6: bool) -> Duration {
    if has_ipv6 { RESOLUTION_DELAY } else { Duration::ZERO }
}

/// IPv6 first where the host has a way to it, IPv4 first otherwise: the connector takes the first address's
/// family first and waits before it tries the other.
fn in_order(found: Vec<IpAddr>) -> Vec<IpAddr> {
    let (mut v6, mut v4): (Vec<_>, Vec<_>) = found.into_iter().partition(IpAddr::is_ipv6);
    match (v6.first(), v4.is_empty()) {
        (Some(first), false) if !has_route(*first) => {
            v4.extend(v6);
            v4
        }
        _ => {
            v6.extend(v4);
            v6
        }
    }
}

/// Whether the kernel knows a way; nothing is sent.
fn has_route(address: IpAddr) -> bool {
    let any: SocketAddr = (Ipv6Addr::UNSPECIFIED, 0).into();
    std::net::UdpSocket::bind(any).and_then(|socket| socket.connect((address, 443))).is_ok()
}

#[cfg(test)]
mod tests;
