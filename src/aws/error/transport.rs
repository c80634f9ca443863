//! Failures below the service: connections, TLS, proxies, answers that are not the service's.

use std::error::Error;
use std::io;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::{ConnectorError, SdkError};
use rustls::CertificateError;

use super::redact::{one_line, without_secrets};
use super::{CallError, CallTarget, Class};
use crate::aws::connect_error::ConnectError;
use crate::text::user_error::{Kind, UserError};

/// No answer at all.
pub(crate) fn connector(asked: &CallTarget<'_>, error: &ConnectorError) -> CallError {
    let chain: &(dyn Error + 'static) = error;
    if let Some(fault) = find::<ConnectError>(chain) {
        return of_fault(asked, fault);
    }
    if error.is_timeout() {
        let what = format!("{} did not answer in time", asked.service);
        return CallError::new(Class::Network, UserError::new(Kind::Network, what).endpoint(asked.host));
    }
    if error.is_user() {
        return CallError::new(
            Class::Setup,
            UserError::new(Kind::Settings, format!("{} cannot be asked: {}", asked.service, root(chain)))
                .endpoint(asked.host),
        );
    }
    let (class, reason) = breach(chain);
    let what = format!("{} gave no answer: {reason}", asked.service);
    CallError::new(class, UserError::new(Kind::Network, what).endpoint(asked.host).hint(remedy_between(class)))
}

/// How an exchange over HTTP went wrong before an answer was there.
fn breach(chain: &(dyn Error + 'static)) -> (Class, String) {
    match find::<hyper::Error>(chain) {
        // hyper has no test for these two, and wraps the second in "operation was canceled".
        Some(_) if root(chain).contains("too large") => {
            (Class::Garbage, "the answer's headers are too large".to_owned())
        }
        Some(e) if e.is_parse() || root(chain).contains("unexpected message") => {
            (Class::Garbage, "the answer is not HTTP".to_owned())
        }
        Some(e) if e.is_incomplete_message() => {
            (Class::Network, "the connection was closed before an answer came".to_owned())
        }
        _ => match find::<io::Error>(chain) {
            Some(e) if e.kind() == io::ErrorKind::ConnectionReset => {
                (Class::Network, "the connection was reset".to_owned())
            }
            // TLS without a goodbye.
            Some(e) if e.kind() == io::ErrorKind::UnexpectedEof => {
                (Class::Network, "the connection was closed before an answer came".to_owned())
            }
            _ => (Class::Network, root(chain)),
        },
    }
}

fn remedy_between(class: Class) -> &'static str {
    match class {
        Class::Garbage => "check the endpoint (AWS_ENDPOINT_URL) and the proxy: something else answers there",
        _ => "try again; if it goes on, check the proxy or firewall on the way",
    }
}

fn of_fault(asked: &CallTarget<'_>, fault: &ConnectError) -> CallError {
    let failure = |what: String| UserError::new(Kind::Network, what).endpoint(asked.host);
    match fault {
        ConnectError::Name { host, source } => {
            let class = if source.is_transient() { Class::Network } else { Class::Setup };
            CallError::new(class, failure(fault.to_string()).hint(name_remedy(host, class)))
        }
        ConnectError::Connect { .. } | ConnectError::ConnectTimeout { .. } => {
            let remedy = "check the network, a firewall or a missing proxy setting (HTTPS_PROXY)";
            CallError::new(Class::Network, failure(fault.to_string()).hint(remedy))
        }
        ConnectError::Tls { host, source } => of_tls(asked, host, source),
        ConnectError::ServerName(_) | ConnectError::Scheme(_) => {
            let what = format!("{} cannot be asked: {fault}", asked.service);
            let remedy = "correct the endpoint (AWS_ENDPOINT_URL, endpoint_url)";
            CallError::new(Class::Setup, UserError::new(Kind::Settings, what).hint(remedy))
        }
        ConnectError::ProxyStatus { status: 407, .. } => {
            let remedy = "put user and password into the proxy's URL: HTTPS_PROXY=http://USER:PASSWORD@HOST:PORT";
            CallError::new(Class::Setup, failure(format!("{fault}: it wants a user and a password")).hint(remedy))
        }
        ConnectError::ProxyStatus { status, .. } => {
            let class = if *status >= 500 { Class::Network } else { Class::Setup };
            let remedy = "have the proxy let the host through, or add the host to NO_PROXY";
            CallError::new(class, failure(fault.to_string()).hint(remedy))
        }
        ConnectError::ProxyBroken { proxy, source } => {
            let remedy = "check that HTTPS_PROXY names a proxy, with http:// before it";
            let (class, reason) = breach(source);
            CallError::new(
                class,
                failure(format!("the proxy {proxy} did not establish a tunnel: {reason}")).hint(remedy),
            )
        }
        ConnectError::ToProxy(inner) => {
            let mut call_error = of_fault(asked, inner);
            call_error.failure.message = format!("cannot reach the proxy: {}", call_error.failure.message);
            call_error.failure = match **inner {
                ConnectError::Tls { ref source, .. } if is_no_tls(source) => {
                    call_error.failure.hint("check the proxy's URL in HTTPS_PROXY: http:// was meant, or another port")
                }
                ConnectError::Tls { .. } | ConnectError::Trust(_) => call_error.failure,
                _ => call_error.failure.hint(super::PROXY),
            };
            call_error
        }
        ConnectError::Socks { .. } => {
            let remedy = "check the proxy's URL, its user and password, and whether it may reach the host";
            CallError::new(Class::Setup, failure(fault.to_string()).hint(remedy))
        }
        ConnectError::Trust(trust) => {
            let remedy = "correct the path, or unset it to use the system's certificates";
            CallError::new(Class::Setup, UserError::new(Kind::Settings, trust.to_string()).hint(remedy))
        }
    }
}

/// What to do about a name that does not resolve. Most regions have no FIPS endpoints, and no network is to blame for it.
fn name_remedy(host: &str, class: Class) -> String {
    if class == Class::Setup && host.contains("-fips.") {
        return "where the region has no such FIPS endpoint, unset AWS_USE_FIPS_ENDPOINT and use_fips_endpoint, or take -fips \
                out of the registry's name"
            .to_owned();
    }
    let servers = if cfg!(any(windows, target_os = "macos")) { "the name servers" } else { "/etc/resolv.conf" };
    format!("check the name {host}, the network and {servers}; behind a proxy set HTTPS_PROXY")
}

fn of_tls(asked: &CallTarget<'_>, host: &str, source: &io::Error) -> CallError {
    const OWN_CA: &str = "if a proxy or endpoint of yours signs with its own CA, name its certificate in AWS_CA_BUNDLE";
    let (class, reason, remedy) = match source.get_ref().and_then(|e| e.downcast_ref::<rustls::Error>()) {
        Some(rustls::Error::InvalidCertificate(reason)) => {
            let (reason, remedy) = of_certificate(reason, OWN_CA);
            (Class::Tls, reason, remedy)
        }
        Some(rustls::Error::AlertReceived(alert)) => (
            Class::Tls,
            format!("the server broke off with alert {alert:?}"),
            "check the endpoint and the proxy on the way",
        ),
        Some(rustls::Error::InvalidMessage(_)) => (
            Class::Tls,
            "the server does not speak TLS".to_owned(),
            "check the endpoint: an http:// URL was meant, or another port",
        ),
        Some(error) => (Class::Tls, one_line(&error.to_string(), 200), OWN_CA),
        None if source.kind() == io::ErrorKind::UnexpectedEof => {
            let reason = "the server hung up during the handshake".to_owned();
            (Class::Network, reason, "check the proxy or firewall on the way")
        }
        None => (Class::Network, one_line(&source.to_string(), 200), "check the proxy or firewall on the way"),
    };
    let what = format!("TLS with {host} failed: {reason}");
    CallError::new(class, UserError::new(Kind::Network, what).endpoint(asked.host).hint(remedy))
}

/// Whether the other side answered in another protocol.
fn is_no_tls(source: &io::Error) -> bool {
    let error = source.get_ref().and_then(|e| e.downcast_ref::<rustls::Error>());
    matches!(error, Some(rustls::Error::InvalidMessage(_)))
}

fn of_certificate(reason: &CertificateError, own_ca: &'static str) -> (String, &'static str) {
    const CLOCK: &str = "check this machine's clock; if it is right, the server's certificate must be renewed";
    const NAME: &str = "check the endpoint and the proxy on the way: another server answers under this name";
    match reason {
        // An authority that we know by its name signs with another key: made anew, or somebody else's.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            ("its certificate is not signed by a trusted CA".to_owned(), own_ca)
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            ("its certificate has expired".to_owned(), CLOCK)
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            ("its certificate is not valid yet".to_owned(), CLOCK)
        }
        CertificateError::NotValidForName => ("its certificate is for another name".to_owned(), NAME),
        CertificateError::NotValidForNameContext { presented, .. } => {
            let names: Vec<&str> = presented.iter().map(|name| bare(name)).collect();
            let names = one_line(&names.join(", "), 120);
            (format!("its certificate is for another name ({names})"), NAME)
        }
        other => (one_line(&format!("its certificate is not acceptable: {other}"), 200), own_ca),
    }
}

/// rustls names a name with its kind: `DnsName("a.example")`.
fn bare(name: &str) -> &str {
    name.split('"').nth(1).unwrap_or(name)
}

/// Whether all of the answer came, whatever it says.
pub(super) fn is_whole<E>(error: &SdkError<E, HttpResponse>) -> bool
where
    E: Error + 'static,
{
    let chain: &(dyn Error + 'static) = error;
    find::<hyper::Error>(chain).is_none()
        && find::<io::Error>(chain).is_none()
        && find::<http_body_util::LengthLimitError>(chain).is_none()
}

/// An answer came and the SDK cannot read it, or it ended early.
pub(super) fn unreadable<E>(asked: &CallTarget<'_>, status: u16, error: &SdkError<E, HttpResponse>) -> CallError
where
    E: Error + 'static,
{
    let chain: &(dyn Error + 'static) = error;
    let (class, reason) = if find::<http_body_util::LengthLimitError>(chain).is_some() {
        (Class::Garbage, "the answer is too large")
    } else if !is_whole(error) {
        (Class::Network, "the connection broke within the answer")
    } else {
        (Class::Garbage, "the answer is not what the service answers")
    };
    let what = format!("{} answered HTTP {status}, but {reason}", asked.service);
    CallError::new(class, UserError::new(Kind::Network, what).endpoint(asked.host).hint(remedy_between(class)))
}

/// An error status without an AWS error in it: something else answers in the service's place.
pub(super) fn stranger(asked: &CallTarget<'_>, status: u16, raw: &HttpResponse) -> UserError {
    let place =
        raw.headers().get("location").map(|to| one_line(&without_secrets(to.split('?').next().unwrap_or(to)), 120));
    let what = match place {
        Some(to) if (300..400).contains(&status) => {
            format!("{} answered HTTP {status}, a redirect to {to}, which is not followed", asked.service)
        }
        _ if status < 300 => {
            format!("{} answered HTTP {status}, but the answer is not what the service answers", asked.service)
        }
        _ => format!("{} answered HTTP {status} without an AWS error", asked.service),
    };
    UserError::new(Kind::Network, what).endpoint(asked.host).hint(remedy_between(Class::Garbage))
}

/// The SDK refused to build the request.
pub(super) fn setup<E>(asked: &CallTarget<'_>, error: &SdkError<E, HttpResponse>) -> CallError
where
    E: Error + 'static,
{
    let what = format!("{} cannot be asked: {}", asked.service, root(error));
    let remedy = "check the endpoint and the region";
    CallError::new(Class::Setup, UserError::new(Kind::Settings, what).endpoint(asked.host).hint(remedy))
}

/// The first error of this type on the chain. `io::Error` hides what it wraps from `source`, so it is opened.
fn find<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    let mut link = Some(error);
    while let Some(cause) = link {
        if let Some(found) = cause.downcast_ref::<T>() {
            return Some(found);
        }
        let inner = cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        link = match inner {
            Some(inner) => Some(inner),
            None => cause.source(),
        };
    }
    None
}

/// The last cause, as one line.
fn root(error: &(dyn Error + 'static)) -> String {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    one_line(&without_secrets(&cause.to_string()), 200)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::dns;

    #[test]
    fn a_fips_endpoint_that_a_region_lacks_is_no_fault_of_the_network() {
        let said = |host: &str, source| {
            let asked = CallTarget { service: "ECR", host };
            of_fault(&asked, &ConnectError::Name { host: host.to_owned(), source }).failure.to_string()
        };
        let lacking = said("ecr-fips.eu-west-1.amazonaws.com", dns::Error::NoSuchName);
        assert!(lacking.contains("unset AWS_USE_FIPS_ENDPOINT") && !lacking.contains("resolv.conf"), "{lacking}");
        for (host, source) in [
            ("ecr-fips.us-east-1.amazonaws.com", dns::Error::NoAnswer("127.0.0.1".to_owned())),
            ("api.ecr.eu-west-1.amazonaws.com", dns::Error::NoSuchName),
        ] {
            let other = said(host, source);
            assert!(other.contains("HTTPS_PROXY") && !other.contains("FIPS"), "{other}");
        }
    }
}
