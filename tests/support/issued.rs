//! What the fake AWS hands out, and how a test reads it back.

use std::time::{SystemTime, UNIX_EPOCH};

use aws_smithy_types::base64;

/// About as long as ECR's own passwords.
const PASSWORD_LENGTH: usize = 1900;
/// A tab in a password, which may hold none.
const TAB: &str = "%09";
/// As long as AWS's.
const SECRET_KEY_LENGTH: usize = 40;
/// About as long as STS's.
const SESSION_TOKEN_LENGTH: usize = 700;

/// A password of ours, read back: whose it is and which call made it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// `ecr` or `ecr-public`.
    pub service: String,
    /// The region that the request was signed for.
    pub region: String,
    /// The access key id that signed the request.
    pub key: String,
    /// Who that key belongs to: the key itself, or in words who got it from the fake: `role-NAME-by-IDENTITY`,
    /// `web-ROLE-SUBJECT`, `sso-ACCOUNT-ROLE`, `instance-ROLE`, `container`.
    pub identity: String,
    /// Which of the fake's issued things it is, counted from 1.
    pub serial: usize,
    /// When it ends, in seconds since the Unix epoch.
    pub ends_at: u64,
}

impl Token {
    pub(super) fn password(&self) -> String {
        let Self { service, region, key, identity, serial, ends_at } = self;
        let (key, identity) = (key.replace('\t', TAB), identity.replace('.', "_").replace('\t', TAB));
        filled(format!("fake.{service}.{region}.{key}.{identity}.{serial}.{ends_at}."), "Zm9vYmFy", PASSWORD_LENGTH)
    }

    /// Reads a password of ours.
    ///
    /// # Panics
    /// It is none.
    pub fn of_password(password: &str) -> Self {
        let parts: Vec<&str> = password.split('.').collect();
        let [fake, service, region, key, identity, serial, ends_at, _] = parts[..] else {
            panic!("not a password of the fake AWS: {password:?}")
        };
        assert_eq!(fake, "fake", "{password:?}");
        let owned = str::to_owned;
        Self {
            service: owned(service),
            region: owned(region),
            key: key.replace(TAB, "\t"),
            identity: identity.replace(TAB, "\t"),
            serial: serial.parse().unwrap(),
            ends_at: ends_at.parse().unwrap(),
        }
    }
}

/// Temporary keys that the fake handed out.
#[derive(Clone, Debug)]
pub(super) struct Keys {
    pub id: String,
    pub secret: String,
    pub session_token: String,
    pub identity: String,
    pub ends_at: u64,
}

impl Keys {
    pub fn new(serial: usize, identity: String, ends_at: u64) -> Self {
        Self {
            id: format!("{}{serial:08}", Self::PREFIX),
            secret: filled(format!("fake-secret-key-{serial}."), "S2V5S2V5", SECRET_KEY_LENGTH),
            session_token: filled(format!("fake-session-token-{serial}."), "U2Vzc2lv", SESSION_TOKEN_LENGTH),
            identity,
            ends_at,
        }
    }

    pub const PREFIX: &str = "ASIAFAKE";
}

/// `text` made longer by `more`, as often as it takes.
fn filled(mut text: String, more: &str, length: usize) -> String {
    while text.len() < length {
        text.push_str(more);
    }
    text
}

/// `base64("AWS:" + password)`.
pub(super) fn authorization_token(password: &str) -> String {
    base64::encode(format!("AWS:{password}"))
}

/// Seconds since the Unix epoch.
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// As in `2026-01-31T12:00:00Z`.
pub(super) fn rfc3339(seconds: u64) -> String {
    use time::format_description::well_known::Rfc3339;
    time::OffsetDateTime::from_unix_timestamp(i64::try_from(seconds).unwrap()).unwrap().format(&Rfc3339).unwrap()
}

/// As in `Sat, 31 Jan 2026 12:00:00 GMT`.
pub(super) fn http_date(seconds: u64) -> String {
    use aws_smithy_types::{DateTime, date_time::Format};
    DateTime::from_secs(i64::try_from(seconds).unwrap()).fmt(Format::HttpDate).unwrap()
}

/// The `sub` claim of a JWT; `opaque` for anything else.
pub(super) fn subject(token: &str) -> String {
    let claims = token.split('.').nth(1).map(|part| part.replace('-', "+").replace('_', "/"));
    let claims = claims.map(|part| format!("{part}{}", "=".repeat((4 - part.len() % 4) % 4)));
    let claims: Option<serde_json::Value> =
        claims.and_then(|part| base64::decode(part).ok()).and_then(|json| serde_json::from_slice(&json).ok());
    claims.and_then(|claims| claims["sub"].as_str().map(str::to_owned)).unwrap_or_else(|| "opaque".to_owned())
}
