//! `/etc/hosts` and `/etc/resolv.conf`, read leniently: a line that cannot be understood is passed over.

use std::io::Read;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV6};
use std::time::Duration;

/// Neither file is read further.
const LONGEST_FILE: u64 = 1 << 20;

/// As many as the C library takes (resolv.conf(5)).
const MOST_SERVERS: usize = 3;

/// The same for `search`.
const MOST_DOMAINS: usize = 6;

/// What a lookup needs.
#[derive(Clone, Debug)]
pub struct Config {
    /// The text of the hosts file.
    pub(super) hosts: String,
    /// The name servers in order.
    pub servers: Vec<SocketAddr>,
    /// Suffixes for names that do not resolve as they are.
    pub search: Vec<String>,
    /// How long one server is waited for, round by round.
    pub rounds: Vec<Duration>,
    /// `options use-vc`: TCP only.
    pub(super) tcp_only: bool,
}

impl Config {
    /// The system's.
    #[cfg_attr(
        any(not(unix), target_os = "macos", feature = "system-resolver"),
        allow(dead_code, reason = "the system's resolver is asked in this build")
    )]
    pub(super) fn of_system() -> Self {
        Self::read(read("/etc/hosts"), &read("/etc/resolv.conf"))
    }

    /// From the files' texts.
    pub fn read(hosts: String, resolv_conf: &str) -> Self {
        let mut config = Self { hosts, servers: Vec::new(), search: Vec::new(), rounds: Vec::new(), tcp_only: false };
        let (mut timeout, mut attempts) = (None, None);
        for line in resolv_conf.lines() {
            let mut words = line.split_whitespace();
            match words.next() {
                Some("nameserver") => config.servers.extend(words.next().and_then(server)),
                // The last of these lines wins.
                Some("search" | "domain") => {
                    config.search =
                        words.map(|word| word.trim_matches('.').to_owned()).filter(|w| !w.is_empty()).collect();
                }
                Some("options") => {
                    for word in words {
                        match word.split_once(':') {
                            Some(("timeout", value)) => timeout = value.parse::<u64>().ok(),
                            Some(("attempts", value)) => attempts = value.parse::<usize>().ok(),
                            None if word == "use-vc" => config.tcp_only = true,
                            _ => {}
                        }
                    }
                }
                _ => {}
            }
        }
        config.servers.truncate(MOST_SERVERS);
        config.search.truncate(MOST_DOMAINS);
        if config.servers.is_empty() {
            config.servers.push((Ipv4Addr::LOCALHOST, 53).into());
        }
        // The C library waits 5 s for each server, half of a whole call's deadline: without a word in the file
        // we begin with one second, since a name server answers in milliseconds or the question got lost.
        config.rounds = match (timeout, attempts) {
            (None, None) => [1, 2, 4].map(Duration::from_secs).to_vec(),
            (timeout, attempts) => {
                vec![Duration::from_secs(timeout.unwrap_or(2).clamp(1, 30)); attempts.unwrap_or(2).clamp(1, 5)]
            }
        };
        config
    }

    /// The addresses that the hosts file has for the name.
    pub fn hosts(&self, name: &str) -> Vec<IpAddr> {
        let name = name.trim_end_matches('.');
        let mut found = Vec::new();
        for line in self.hosts.lines() {
            let mut words = line.split('#').next().unwrap_or("").split_whitespace();
            let Some(Ok(address)) = words.next().map(str::parse::<IpAddr>) else { continue };
            if words.any(|word| word.trim_end_matches('.').eq_ignore_ascii_case(name)) && !found.contains(&address) {
                found.push(address);
            }
        }
        found
    }

    /// The complete names to ask for, in order.
    pub fn candidates(&self, name: &str) -> Vec<String> {
        if let Some(complete) = name.strip_suffix('.') {
            return vec![complete.to_owned()];
        }
        let as_it_is = std::iter::once(name.to_owned());
        let searched = self.search.iter().map(|domain| format!("{name}.{domain}"));
        if name.contains('.') { as_it_is.chain(searched).collect() } else { searched.chain(as_it_is).collect() }
    }
}

/// An address, of IPv6 with a numeric zone if need be.
fn server(word: &str) -> Option<SocketAddr> {
    if let Ok(address) = word.parse::<IpAddr>() {
        return Some((address, 53).into());
    }
    let (address, zone) = word.split_once('%')?;
    let index = zone.parse().ok().or_else(|| interface(zone))?;
    Some(SocketAddrV6::new(address.parse().ok()?, 53, 0, index).into())
}

/// The index of a network interface.
fn interface(name: &str) -> Option<u32> {
    let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    if !plain {
        return None;
    }
    std::fs::read_to_string(format!("/sys/class/net/{name}/ifindex")).ok()?.trim().parse().ok()
}

fn read(path: &str) -> String {
    let mut text = Vec::new();
    if let Ok(file) = std::fs::File::open(path) {
        // What was read before an error counts.
        let _ = file.take(LONGEST_FILE).read_to_end(&mut text);
    }
    String::from_utf8_lossy(&text).into_owned()
}
