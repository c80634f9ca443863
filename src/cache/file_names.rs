//! The names of the files. An entry's name follows from its cache key and registry, so that a hit opens one
//! file and lists nothing.

use super::codec::hex;
use crate::credentials::CacheKey;

/// A file that grows with every erasure.
pub(super) const ERASED: &str = "erased";

/// The file with the last reason that a `get` gave.
pub(super) const LAST_FAILURE: &str = "last-failure";

/// The file with the names of the registries that were ever served.
pub(super) const SERVED: &str = "served";

/// The suffix of a file that is being written.
pub(super) const TEMPORARY: &str = ".tmp";

/// The suffix of a failure's file.
pub(super) const NOTE: &str = ".failed";

/// The suffix of the mark that a background refresh is running.
pub(super) const REFRESHING: &str = ".refreshing";

/// The name of an entry; `None` for a host that is not one, which must never become a path.
pub(super) fn entry(cache_key: &CacheKey, host: &str) -> Option<String> {
    is_host(host).then(|| format!("{}-{host}", hex(cache_key)))
}

/// The cache key, in hex, and the host of an entry's name; `None` for every other name.
pub(super) fn parse(name: &str) -> Option<(&str, &str)> {
    let (cache_key, host) = name.split_once('-')?;
    let digits = cache_key.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    (cache_key.len() == 64 && digits && is_host(host)).then_some((cache_key, host))
}

/// The name of a cache key's failure file.
pub(super) fn note(cache_key: &CacheKey) -> String {
    hex(cache_key) + NOTE
}

/// The name of a cache key's refresh mark.
pub(super) fn refreshing(cache_key: &CacheKey) -> String {
    hex(cache_key) + REFRESHING
}

/// Lower-case letters, digits, hyphens and dots: no path, and none of our own suffixes.
fn is_host(host: &str) -> bool {
    let plain = |byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.');
    !host.is_empty() && host.bytes().all(plain) && !host.starts_with('.') && !host.ends_with(TEMPORARY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entrys_name_says_registry_and_fingerprint_and_no_other_name_does() {
        let cache_key = CacheKey([0x0f; 32]);
        let name = entry(&cache_key, "public.ecr.aws").unwrap();
        assert_eq!(name, format!("{}-public.ecr.aws", "0f".repeat(32)));
        assert_eq!(parse(&name), Some(("0f".repeat(32).as_str(), "public.ecr.aws")));
        for other in [
            format!("{name}.tmp"),
            note(&cache_key),
            refreshing(&cache_key),
            ERASED.into(),
            "lock-3f".into(),
            name.to_uppercase(),
            name[1..].into(),
        ] {
            assert_eq!(parse(&other), None, "{other}");
        }
    }

    #[test]
    fn what_is_no_host_becomes_no_path() {
        for host in ["", "..", "../x", "a/b", "a\0b", "A.B", "a.tmp", "a b", "ä"] {
            assert_eq!(entry(&CacheKey([0; 32]), host), None, "{host:?}");
        }
    }
}
