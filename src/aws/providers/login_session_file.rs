//! The file of an `aws login` session, in `~/.aws/login/cache`: shared with the AWS CLI and the SDKs. What is not known here
//! stays in it as it is written.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::time::SystemTime;

use aws_credential_types::Credentials;
use serde_json::value::{RawValue, to_raw_value};
use zeroize::Zeroizing;

use super::sso_token_file::{self, LoginError};
use crate::text::timestamp;

type Values = BTreeMap<String, Box<RawValue>>;

/// The key whose value holds the session's keys.
const KEYS: &str = "accessToken";

/// What `aws login` left.
#[derive(Clone)]
pub(super) struct Session {
    values: Values,
    keys: Values,
    /// When its keys end.
    pub(super) expires_at: SystemTime,
}

impl Session {
    /// Reads the session at `path`.
    ///
    /// # Errors
    /// No file, an unreadable one, or one that is no session.
    pub(super) fn read(path: &Path) -> Result<Self, LoginError> {
        let bytes = sso_token_file::read(path)?;
        Self::parse(&bytes).map_err(|why| LoginError::Malformed { path: path.to_owned(), why })
    }

    fn parse(bytes: &[u8]) -> Result<Self, &'static str> {
        let values: Values = serde_json::from_slice(bytes).map_err(|_| "is not a JSON object")?;
        let keys = values.get(KEYS).ok_or("has no accessToken")?;
        let keys: Values = serde_json::from_str(keys.get()).map_err(|_| "has an accessToken that is no JSON object")?;
        let expires_at = text(&keys, "expiresAt").ok_or("has no expiresAt")?;
        let expires_at = timestamp::parse(&expires_at).ok_or("has an expiresAt that is no time")?;
        let session = Self { values, keys, expires_at };
        for (key, missing) in [
            ("accessKeyId", "has no accessKeyId"),
            ("secretAccessKey", "has no secretAccessKey"),
            ("sessionToken", "has no sessionToken"),
        ] {
            text(&session.keys, key).ok_or(missing)?;
        }
        for (key, missing) in
            [("refreshToken", "has no refreshToken"), ("dpopKey", "has no dpopKey"), ("clientId", "has no clientId")]
        {
            session.text(key).ok_or(missing)?;
        }
        Ok(session)
    }

    /// A value of the session, if it is a string that is not empty; may be a secret.
    pub(super) fn text(&self, key: &str) -> Option<Zeroizing<String>> {
        text(&self.values, key)
    }

    /// The session's keys.
    pub(super) fn credentials(&self) -> Credentials {
        let of = |key| text(&self.keys, key).map(|value| value.to_string()).unwrap_or_default();
        let token = Some(of("sessionToken"));
        Credentials::new(of("accessKeyId"), of("secretAccessKey"), token, Some(self.expires_at), "Login")
    }

    /// This session with new keys and a new refresh token in it, and all else as it was.
    ///
    /// # Errors
    /// None that can come of texts; the type has one.
    pub(super) fn renewed(&self, keys: [(&str, &str); 3], expires_at: SystemTime, refresh: &str) -> io::Result<Self> {
        let mut new = Self { expires_at, ..self.clone() };
        for (key, value) in keys {
            new.keys.insert(key.to_owned(), to_raw_value(value)?);
        }
        new.keys.insert("expiresAt".to_owned(), to_raw_value(&timestamp::text(expires_at))?);
        new.values.insert(KEYS.to_owned(), to_raw_value(&new.keys)?);
        new.values.insert("refreshToken".to_owned(), to_raw_value(refresh)?);
        Ok(new)
    }

    /// The bytes of the session's file.
    ///
    /// # Errors
    /// None that can come of what was JSON; the type has one.
    pub(super) fn bytes(&self) -> io::Result<Zeroizing<Vec<u8>>> {
        Ok(Zeroizing::new(serde_json::to_vec(&self.values)?))
    }
}

fn text(values: &Values, key: &str) -> Option<Zeroizing<String>> {
    let value = serde_json::from_str::<String>(values.get(key)?.get()).ok()?;
    Some(Zeroizing::new(value)).filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SESSION: &str = r#"{"accessToken": {"accessKeyId": "i", "secretAccessKey": "s", "sessionToken": "t", "accountId": "1",
        "expiresAt": "2026-04-01T12:00:00Z", "more": 1.10}, "refreshToken": "r", "dpopKey": "k", "clientId": "c",
        "idToken": "d", "kept": [1e400, null]}"#;

    #[test]
    fn a_renewed_session_keeps_what_is_not_known() {
        let session = Session::parse(SESSION.as_bytes()).unwrap();
        let at = timestamp::parse("2026-04-01T12:15:00Z").unwrap();
        let keys = [("accessKeyId", "j"), ("secretAccessKey", "u"), ("sessionToken", "v")];
        let bytes = session.renewed(keys, at, "q").unwrap().bytes().unwrap();
        let text = std::str::from_utf8(&bytes).unwrap();
        assert!(text.contains(r#""kept":[1e400, null]"#) && text.contains(r#""more":1.10"#), "{text}");
        let new = Session::parse(&bytes).unwrap();
        assert_eq!((new.expires_at, new.text("refreshToken").unwrap().as_str()), (at, "q"));
        assert_eq!(new.credentials().access_key_id(), "j");
        assert_eq!(new.text("idToken").unwrap().as_str(), "d");
    }

    #[test]
    fn what_is_missing_is_named() {
        for key in [
            "accessToken",
            "accessKeyId",
            "secretAccessKey",
            "sessionToken",
            "expiresAt",
            "refreshToken",
            "dpopKey",
            "clientId",
        ] {
            let text = SESSION.replace(&format!("\"{key}\""), "\"other\"");
            assert_eq!(Session::parse(text.as_bytes()).err(), Some(&*format!("has no {key}")));
        }
        assert_eq!(Session::parse(b"[]").err(), Some("is not a JSON object"));
        assert_eq!(
            Session::parse(SESSION.replace("2026-04-01T12:00:00Z", "soon").as_bytes()).err(),
            Some("has an expiresAt that is no time")
        );
    }
}
