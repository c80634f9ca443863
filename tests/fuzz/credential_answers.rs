//! What others hand credentials out in: the login of `aws sso login`, the answer of a `credential_process`, of the
//! containers' and the instance's endpoint, and JSON web tokens. The first line says which, the rest is its bytes.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use ecr_login::aws::providers::sso_token_file::Login;
use ecr_login::aws::providers::{metadata_http, process};
use ecr_login::credentials::{CredentialSelector, Identity, ServiceAccount};
use ecr_login::os::environment::Environment;
use ecr_login::os::secret::Secret;
use ecr_login::registry::Registry;
use ecr_login::text::timestamp;
use serde_json::Value;
use serde_json::value::RawValue;

use super::{memory, secrets};

const BOUND: (usize, usize) = (96 * 1024, 256);

pub fn check(input: &[u8]) {
    let end = input.iter().position(|byte| *byte == b'\n').unwrap_or(0);
    let bytes = input.get(end + 1..).unwrap_or_default();
    match &input[..end] {
        b"login" => check_login(bytes),
        b"process" => check_process(bytes),
        b"endpoint" => check_endpoint(bytes),
        b"token" => check_token(bytes),
        b"time" => check_time(bytes),
        _ => {}
    }
}

fn check_login(bytes: &[u8]) {
    let Ok(login) = memory::bounded(bytes.len(), BOUND, || Login::parse(bytes)) else { return };
    assert!(!login.access_token().is_empty());
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
    let end = now + Duration::from_secs(3600);
    let refreshed = login.refreshed("the new token", end, Some("the new refresh token"));
    let written = refreshed.bytes().unwrap();
    let read = Login::parse(&written).unwrap();
    assert_eq!((read.access_token(), read.expires_at), ("the new token", end));
    if let Some(refresh) = login.refresh(now) {
        let again = read.refresh(now).unwrap();
        assert_eq!((again.client_id, again.client_secret), (refresh.client_id, refresh.client_secret));
        assert_eq!(again.token, "the new refresh token");
    }
    // Every other key stays, and what is no text by the letter.
    let others = |bytes: &[u8]| -> BTreeMap<String, (Option<String>, String)> {
        let values: BTreeMap<String, Box<RawValue>> = serde_json::from_slice(bytes).unwrap();
        let ours = |key: &str| ["accesstoken", "expiresat", "refreshtoken"].contains(&key);
        let kept = values.into_iter().filter(|(key, _)| !ours(&key.to_ascii_lowercase()));
        kept.map(|(key, value)| match serde_json::from_str(value.get()) {
            Ok(text) => (key, (Some(text), String::new())),
            Err(_) => (key, (None, value.get().to_owned())),
        })
        .collect()
    };
    assert_eq!(others(&written), others(bytes));
}

fn check_process(bytes: &[u8]) {
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
    match memory::bounded(bytes.len(), BOUND, || process::parse(bytes, now)) {
        Ok(credentials) => {
            are_those_of(bytes, &credentials, &["SessionToken"]);
            assert!(credentials.expiry().is_none_or(|end| end > now));
        }
        Err(_) => quotes_nothing(bytes, |bytes| match process::parse(bytes, now) {
            Ok(_) => String::new(),
            Err(error) => error.to_string(),
        }),
    }
}

fn check_endpoint(bytes: &[u8]) {
    match memory::bounded(bytes.len(), BOUND, || metadata_http::credentials(bytes, "test")) {
        Ok(credentials) => are_those_of(bytes, &credentials, &["Token", "SessionToken"]),
        Err(metadata_http::BodyError::Said { .. }) => {}
        Err(_) => quotes_nothing(bytes, |bytes| match metadata_http::credentials(bytes, "test") {
            Ok(_) => String::new(),
            Err(error) => error.to_string(),
        }),
    }
}

/// The keys are the ones in the JSON.
fn are_those_of(bytes: &[u8], credentials: &Credentials, tokens: &[&str]) {
    // In fields that nobody reads, serde lets pass what is not UTF-8, or no number that there is.
    let Ok(answer) = serde_json::from_slice::<Value>(bytes) else { return };
    assert!(answer.is_object(), "{credentials:?} came from {answer}");
    assert_eq!(answer["AccessKeyId"], credentials.access_key_id());
    assert_eq!(answer["SecretAccessKey"], credentials.secret_access_key());
    assert!(!credentials.access_key_id().is_empty() && !credentials.secret_access_key().is_empty());
    if let Some(token) = credentials.session_token() {
        assert!(tokens.iter().any(|key| answer[key] == token));
    }
}

/// An error has no piece of the answer in it that could be a secret.
fn quotes_nothing(bytes: &[u8], said: impl Fn(&[u8]) -> String) {
    let answer: Value = serde_json::from_slice(bytes).unwrap_or_default();
    for key in ["AccessKeyId", "SecretAccessKey", "SessionToken", "Token"] {
        secrets::stays_out(answer[key].as_str().unwrap_or_default(), bytes, &said);
    }
}

/// A token with claims has a cache key that its header and signature do not change, and its subject does.
fn check_token(bytes: &[u8]) {
    let Ok(token) = std::str::from_utf8(bytes) else { return };
    let account = |token: &str| ServiceAccount {
        token: Secret::new(token.to_owned()),
        role_arn: "arn:aws:iam::123456789012:role/pull".to_owned(),
    };
    let cache_key = |token: &str| {
        let registry = Registry::parse("123456789012.dkr.ecr.eu-west-1.amazonaws.com").unwrap();
        let environment = Environment::of([("AWS_EC2_METADATA_DISABLED", "true")]);
        let account = account(token);
        let identity =
            Identity::resolve(&environment, CredentialSelector::ServiceAccount(&account), &registry).unwrap();
        identity.cache_key(i64::MIN).copied()
    };
    let has_claims = memory::bounded(bytes.len(), BOUND, || account(token).has_claims());
    if !has_claims {
        return;
    }
    let parts: Vec<&str> = token.trim().split('.').collect();
    assert_eq!(parts.len(), 3);
    let resigned = format!("x.{}.y", parts[1]);
    assert_eq!(cache_key(token), cache_key(&resigned));
    assert!(!account(&format!("{resigned}.z")).has_claims());
}

fn check_time(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Some(at) = memory::bounded(bytes.len(), (4096, 16), || timestamp::parse(text)) else { return };
    // A date's year has four digits.
    let last = SystemTime::UNIX_EPOCH + Duration::from_secs(253_402_300_799);
    if (SystemTime::UNIX_EPOCH..=last).contains(&at) {
        let again = timestamp::text(at);
        assert_eq!(timestamp::parse(&again), Some(at), "{text} became {again}");
    }
}
