//! Proxies: `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY`, in both spellings.
//!
//! As in Go (so that a user of the Go helper finds the same), the spelling in capitals wins and `localhost` and
//! loopback addresses are never asked through a proxy.

use std::net::IpAddr;

use http::Uri;
use hyper_util::client::proxy::matcher::{Intercept, Matcher};

use crate::os::environment::Environment;
use crate::text::user_error::{Kind, UserError};

/// The proxies that the environment names.
#[derive(Clone, Debug, Default)]
pub(super) struct Proxies {
    http: String,
    https: String,
    bypass: String,
}

impl Proxies {
    /// Reads the variables.
    ///
    /// # Errors
    /// A value that is no proxy's URL: named by its variable, without its text, which may hold a password.
    pub(super) fn read(environment: &Environment) -> Result<Self, UserError> {
        let all = proxy(environment, &["ALL_PROXY", "all_proxy"])?;
        // A CGI script's HTTP_PROXY is the client's "Proxy:" header (CVE-2016-5385); on Windows the other spelling names
        // the same variable.
        let cgi = environment.var_os("REQUEST_METHOD").is_some();
        let http_names: &[&'static str] = match cgi {
            true if cfg!(windows) => &[],
            true => &["http_proxy"],
            false => &["HTTP_PROXY", "http_proxy"],
        };
        Ok(Self {
            http: proxy(environment, http_names)?.or_else(|| all.clone()).unwrap_or_default(),
            https: proxy(environment, &["HTTPS_PROXY", "https_proxy"])?.or(all).unwrap_or_default(),
            bypass: first(environment, &["NO_PROXY", "no_proxy"]).map_or("", |(_, list)| list).to_owned(),
        })
    }

    /// The proxy that `uri` is asked through; `None` for a direct connection.
    pub(super) fn route(&self, uri: &Uri) -> Option<Intercept> {
        let host = uri.host()?;
        if is_loopback(host) || (self.http.is_empty() && self.https.is_empty()) {
            return None;
        }
        let port = uri.port_u16().unwrap_or(if uri.scheme_str() == Some("http") { 80 } else { 443 });
        Matcher::builder()
            .http(self.http.as_str())
            .https(self.https.as_str())
            .no(bypass_for(&self.bypass, port))
            .build()
            .intercept(uri)
    }
}

fn first<'a>(environment: &'a Environment, names: &[&'static str]) -> Option<(&'static str, &'a str)> {
    names.iter().find_map(|name| environment.var(name).map(|value| (*name, value)))
}

fn proxy(environment: &Environment, names: &[&'static str]) -> Result<Option<String>, UserError> {
    let Some((name, value)) = first(environment, names) else { return Ok(None) };
    let value = value.trim();
    let with_scheme = if value.contains("://") { value.to_owned() } else { format!("http://{value}") };
    match with_scheme.parse::<Uri>() {
        Ok(uri) if matches!(uri.scheme_str(), Some("http" | "https")) && has_host_and_port(&uri) => {
            Ok(Some(with_scheme))
        }
        Ok(uri) if is_socks5(&uri) && has_host_and_port(&uri) => {
            // The port that IANA has for SOCKS; hyper's connector would take 80.
            let port = if uri.port_u16().is_some() { "" } else { ":1080" };
            Ok(uri.authority().map(|authority| format!("socks5h://{authority}{port}")))
        }
        _ => Err(UserError::new(Kind::Settings, format!("{name} is not the URL of a proxy")).hint(format!(
            "set {name} to http://HOST:PORT (or https, socks5), with user:password@ before HOST where it wants them"
        ))),
    }
}

/// SOCKS 5 (RFC 1928). With either scheme the proxy resolves the name, as in Go.
pub(super) fn is_socks5(uri: &Uri) -> bool {
    matches!(uri.scheme_str(), Some("socks5" | "socks5h"))
}

/// `http::Uri` takes a port that is no number for none.
fn has_host_and_port(uri: &Uri) -> bool {
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    let place = authority.rsplit_once('@').map_or(authority, |(_, place)| place);
    let after_host = place.rsplit_once(']').map_or(place, |(_, rest)| rest);
    uri.host().is_some_and(|host| !host.is_empty()) && (uri.port_u16().is_some() || !after_host.contains(':'))
}

fn is_loopback(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// hyper-util's rules know hosts, `.suffixes`, addresses, networks and `*`. Go's and curl's lists also have
/// `*.suffix`, `host:port` and blanks as separators: these are put into its terms here.
fn bypass_for(list: &str, port: u16) -> String {
    let mut entries = Vec::new();
    for entry in list.split([',', ' ', '\t']).map(str::trim).filter(|e| !e.is_empty()) {
        let entry = entry.strip_prefix('*').filter(|rest| rest.starts_with('.')).unwrap_or(entry);
        match entry.rsplit_once(':') {
            Some((host, digits)) if !host.contains(':') || host.ends_with(']') => {
                if digits.parse() == Ok(port) {
                    entries.push(host.trim_start_matches('[').trim_end_matches(']'));
                }
            }
            _ => entries.push(entry.trim_start_matches('[').trim_end_matches(']')),
        }
    }
    entries.join(",")
}
