//! Registry names: text in; service, account, region and API host out.
//!
//! A name is ECR's only if its whole host is: anything else is another operator's registry, and the caller must
//! leave it alone.

mod hosts;
mod near_miss;
#[cfg(test)]
mod tests;

pub(crate) use near_miss::odd_region;
pub use near_miss::{NearMiss, near_miss};

use hosts::{PUBLIC, PUBLIC_REGION, Partition, SUFFIXES};

/// The longest text that is looked at; a host has at most 253 characters (RFC 1035), a repository's path 256.
const MAX_NAME_BYTES: usize = 4096;

/// Which of the two ECR services a registry belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Service {
    /// Amazon ECR, `ACCOUNT.dkr.ecr.REGION.SUFFIX`.
    Private,
    /// Amazon ECR Public, `public.ecr.aws`.
    Public,
}

/// A registry that is Amazon ECR's.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Registry {
    host: String,
    service: Service,
    account: Option<String>,
    region: String,
    partition: &'static Partition,
    fips: bool,
    dual_stack: bool,
}

/// The host in what a client sent: in lower case, without scheme, port, path and the blanks around. `None` for
/// what cannot be a host, among it anything with control characters, user info or a trailing dot.
pub fn host_of(text: &str) -> Option<String> {
    let text = text.trim();
    if text.is_empty() || text.len() > MAX_NAME_BYTES || has_control(text) {
        return None;
    }
    let rest = ["https://", "http://"]
        .iter()
        .find_map(|scheme| {
            text.get(..scheme.len()).filter(|s| s.eq_ignore_ascii_case(scheme)).map(|s| &text[s.len()..])
        })
        .unwrap_or(text);
    let authority = rest.split_once('/').map_or(rest, |(authority, _)| authority);
    let host = match authority.split_once(':') {
        Some((host, port)) if (1..=5).contains(&port.len()) && port.bytes().all(|b| b.is_ascii_digit()) => host,
        Some(_) => return None,
        None => authority,
    };
    is_host(host).then(|| host.to_ascii_lowercase())
}

fn has_control(text: &str) -> bool {
    text.bytes().any(|b| b.is_ascii_control()) || !text.is_ascii() && text.chars().any(char::is_control)
}

/// At most 253 characters; labels of 1 to 63 letters, digits and hyphens between dots.
fn is_host(host: &str) -> bool {
    let mut label = 0;
    for byte in host.bytes() {
        match byte {
            b'.' if label == 0 => return false,
            b'.' => label = 0,
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' if label < 63 => label += 1,
            _ => return false,
        }
    }
    label > 0 && host.len() <= 253
}

impl Registry {
    /// Reads what a client sent: a host, with or without scheme, port and path, in any case, with blanks
    /// around. `None` for a name that is not ECR's.
    pub fn parse(text: &str) -> Option<Self> {
        Self::of_host(host_of(text)?)
    }

    /// The registry of a host as [`host_of`] gives it.
    pub(crate) fn of_host(host: String) -> Option<Self> {
        Self::public(&host).or_else(|| Self::private(host))
    }

    /// The private registry of an account in a region; `None` where either is none.
    pub(crate) fn of(account: &str, region: &str) -> Option<Self> {
        let suffixes = SUFFIXES.iter().filter(|suffix| !suffix.dual_stack);
        suffixes.map(|suffix| format!("{account}.dkr.ecr.{region}.{}", suffix.text)).find_map(Self::private)
    }

    /// Every form of a registry's name as a host pattern, where `*` stands for one label: for tools that are told
    /// beforehand which names are ours.
    pub(crate) fn patterns() -> impl Iterator<Item = String> {
        let private = SUFFIXES.iter().flat_map(|suffix| {
            let service = if suffix.dual_stack { "dkr-ecr" } else { "dkr.ecr" };
            ["", "-fips"].map(|fips| format!("*.{service}{fips}.*.{}", suffix.text))
        });
        private.chain(PUBLIC.iter().map(|(host, _)| (*host).to_owned()))
    }

    fn public(host: &str) -> Option<Self> {
        let (_, dual_stack) = PUBLIC.into_iter().find(|(name, _)| *name == host)?;
        Some(Self {
            host: host.to_owned(),
            service: Service::Public,
            account: None,
            region: PUBLIC_REGION.to_owned(),
            partition: hosts::partition_of(PUBLIC_REGION)?,
            fips: false,
            dual_stack,
        })
    }

    fn private(host: String) -> Option<Self> {
        let (account, rest) = host.split_once('.')?;
        if account.len() != 12 || !account.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let (rest, dual_stack) = match rest.strip_prefix("dkr.ecr") {
            Some(rest) => (rest, false),
            None => (rest.strip_prefix("dkr-ecr")?, true),
        };
        let (rest, fips) = match rest.strip_prefix("-fips") {
            Some(rest) => (rest, true),
            None => (rest, false),
        };
        let (region, suffix) = rest.strip_prefix('.')?.split_once('.')?;
        let row = SUFFIXES.iter().find(|row| row.text == suffix && row.dual_stack == dual_stack)?;
        let partition = hosts::partition_of(region).filter(|p| row.partitions.contains(p))?;
        let (account, region) = (Some(account.to_owned()), region.to_owned());
        Some(Self { service: Service::Private, account, region, partition, fips, dual_stack, host })
    }

    /// Whether the same API of the same region hands out the tokens of both, whatever the endpoint settings say.
    pub(crate) fn shares_api_with(&self, other: &Self) -> bool {
        let api = |of: &Self| (of.service, of.partition.id, of.fips, of.dual_stack);
        api(self) == api(other) && self.region == other.region
    }

    /// The host in lower case, without scheme, port and path: the name under which the cache knows it.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Which service's API hands out its tokens.
    pub fn service(&self) -> Service {
        self.service
    }

    /// The twelve digits of the account; `None` for ECR Public.
    pub fn account(&self) -> Option<&str> {
        self.account.as_deref()
    }

    /// The region whose API is asked, and with which the request is signed.
    pub fn region(&self) -> &str {
        &self.region
    }

    /// The AWS partition's identifier: `aws`, `aws-cn`, `aws-us-gov`, `aws-eusc`, `aws-iso`, ...
    pub fn partition(&self) -> &'static str {
        self.partition.id
    }

    /// The host of the service's API endpoint, by AWS's documented tables. The name's own `-fips` and
    /// `on.aws` count, and so do the caller's edit (`AWS_USE_FIPS_ENDPOINT`, `AWS_USE_DUALSTACK_ENDPOINT`);
    /// ECR Public has no FIPS endpoint, so none is asked for there.
    pub fn api_host(&self, use_fips: bool, use_dual_stack: bool) -> String {
        let dual_stack = self.dual_stack || use_dual_stack;
        match self.service {
            Service::Public => hosts::public_api_host(dual_stack),
            Service::Private => hosts::api_host(self.partition, &self.region, self.fips || use_fips, dual_stack),
        }
    }
}
