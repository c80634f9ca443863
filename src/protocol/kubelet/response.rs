//! `CredentialProviderResponse`: the credentials, and for how long the kubelet may cache them.

use std::collections::BTreeMap;
use std::io::Write as _;

use serde::Serialize;

use super::request::Version;
use crate::cache::TOKEN_LIFE_SECONDS;
use crate::os::secret::Wiped;
use crate::token::RegistryCredentials;

/// The object as the kubelet's strict decoder wants it
/// (k8s.io/kubelet/pkg/apis/credentialprovider/v1/types.go): no field that it does not know.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Response<'a> {
    kind: &'static str,
    api_version: &'static str,
    cache_key_type: &'static str,
    cache_duration: String,
    auth: BTreeMap<&'a str, Credentials<'a>>,
}

#[derive(Serialize)]
struct Credentials<'a> {
    username: &'a str,
    password: &'a str,
}

/// The answer in bytes, with its newline: credentials for `registry`, to be remembered for `seconds`.
///
/// # Errors
/// None that memory does not make; the serializer's are passed on.
pub(super) fn with_credentials(
    version: Version,
    registry: &str,
    answer: &RegistryCredentials,
    seconds: u64,
) -> std::io::Result<Wiped> {
    let credentials = Credentials { username: &answer.username, password: answer.password.expose() };
    write(version, BTreeMap::from([(registry, credentials)]), seconds)
}

/// The answer that there is nothing for this image, not to be remembered.
///
/// # Errors
/// As [`with_credentials`].
pub(super) fn without_credentials(version: Version) -> std::io::Result<Wiped> {
    write(version, BTreeMap::new(), 0)
}

fn write(version: Version, auth: BTreeMap<&str, Credentials<'_>>, seconds: u64) -> std::io::Result<Wiped> {
    let response = Response {
        kind: "CredentialProviderResponse",
        api_version: version.api_version(),
        cache_key_type: "Registry",
        cache_duration: go_duration(seconds),
        auth,
    };
    // Large enough that the buffer is not moved while it is filled, which would leave a copy behind.
    let secrets: usize = response.auth.values().map(|credentials| credentials.password.len()).sum();
    let mut bytes = Wiped::with_capacity(1024 + 6 * secrets);
    serde_json::to_writer(&mut *bytes, &response)?;
    bytes.write_all(b"\n")?;
    Ok(bytes)
}

/// How many seconds the kubelet may remember a token that ends at `expires_at`: half of what is left, less up
/// to 2.5 % of that by `spread`, which is 0 for nothing less and `u32::MAX` for the whole of it. Nodes that
/// booted in the same second have different `spread`s and so do not come back in the same second.
///
/// 0, which means "do not remember", only for a token that is about to end, or whose end is not known.
pub fn cache_duration(now: i64, expires_at: Option<i64>, spread: u32) -> u64 {
    let left = expires_at.map_or(0, |end| end.saturating_sub(now)).clamp(0, TOKEN_LIFE_SECONDS);
    let half = left.unsigned_abs() / 2;
    half - half * 25 * u64::from(spread) / (1000 * u64::from(u32::MAX))
}

/// Whole seconds as Go's `time.Duration` writes them: `45s`, `1m30s`, `6h0m0s`.
fn go_duration(seconds: u64) -> String {
    let (hours, minutes, rest) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match (hours, minutes) {
        (0, 0) => format!("{rest}s"),
        (0, _) => format!("{minutes}m{rest}s"),
        _ => format!("{hours}h{minutes}m{rest}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::os::secret::Secret;
    use proptest::prelude::*;

    fn answer() -> RegistryCredentials {
        RegistryCredentials {
            username: "AWS".to_owned(),
            password: Secret::new("pa\"ss".to_owned()),
            expires_at: None,
            warnings: Vec::new(),
        }
    }

    #[test]
    fn the_bytes_are_what_the_kubelet_decodes() {
        let bytes = with_credentials(Version::V1, "host:443", &answer(), 21_060).unwrap();
        let expected = concat!(
            r#"{"kind":"CredentialProviderResponse","apiVersion":"credentialprovider.kubelet.k8s.io/v1","#,
            r#""cacheKeyType":"Registry","cacheDuration":"5h51m0s","#,
            r#""auth":{"host:443":{"username":"AWS","password":"pa\"ss"}}}"#,
            "\n"
        );
        assert_eq!(std::str::from_utf8(&bytes).unwrap(), expected);
    }

    #[test]
    fn nothing_is_an_empty_auth_not_remembered() {
        let bytes = without_credentials(Version::V1Alpha1).unwrap();
        let expected = concat!(
            r#"{"kind":"CredentialProviderResponse","apiVersion":"credentialprovider.kubelet.k8s.io/v1alpha1","#,
            r#""cacheKeyType":"Registry","cacheDuration":"0s","auth":{}}"#,
            "\n"
        );
        assert_eq!(std::str::from_utf8(&bytes).unwrap(), expected);
    }

    #[test]
    fn durations_are_go_s() {
        for (seconds, text) in [
            (0, "0s"),
            (1, "1s"),
            (59, "59s"),
            (60, "1m0s"),
            (90, "1m30s"),
            (3600, "1h0m0s"),
            (21_600, "6h0m0s"),
            (43_199, "11h59m59s"),
        ] {
            assert_eq!(go_duration(seconds), text);
        }
    }

    #[test]
    fn half_of_the_life_less_at_most_a_fortieth() {
        let now = 1_700_000_000;
        for (left, spread, seconds) in [
            (43_200, 0, 21_600),
            (43_200, u32::MAX, 21_060),
            (43_200, u32::MAX / 2, 21_331),
            // By a clock that is eight hours behind.
            (72_000, 0, 21_600),
            (100, u32::MAX, 49),
            (3, u32::MAX, 1),
            (2, u32::MAX, 1),
            (1, 0, 0),
            (0, 0, 0),
            (-5, 0, 0),
        ] {
            assert_eq!(cache_duration(now, Some(now + left), spread), seconds, "{left} {spread}");
        }
        assert_eq!(cache_duration(now, None, 0), 0);
        assert_eq!(cache_duration(now, Some(i64::MAX), 0), 21_600);
        assert_eq!(cache_duration(i64::MIN, Some(i64::MAX), 0), 21_600);
        assert_eq!(cache_duration(i64::MAX, Some(i64::MIN), 0), 0);
    }

    proptest! {
        #[test]
        fn the_kubelet_never_remembers_a_token_past_its_end(now: i64, end: i64, spread: u32) {
            let seconds = i64::try_from(cache_duration(now, Some(end), spread)).unwrap();
            prop_assert!(seconds == 0 || seconds <= end.saturating_sub(now) / 2);
            prop_assert!(seconds > 0 || end.saturating_sub(now) < 2);
        }
    }
}
