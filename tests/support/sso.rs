//! A home with profiles of one IAM Identity Center session, and the login that `aws sso login` would have cached for it.

use std::path::PathBuf;
use std::time::SystemTime;

use serde_json::{Value, json};

use super::{FakeAws, Helper, login_file};

/// Names the legacy login's file, as `corp` names the session's: by its SHA-1.
pub const START_URL: &str = "https://d-1234567890.awsapps.com/start";

pub fn session_file(helper: &Helper) -> PathBuf {
    helper.home().join(login_file("corp")).components().collect()
}

pub fn in_seconds(seconds: i64) -> String {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    let at = time::OffsetDateTime::from_unix_timestamp(now.cast_signed() + seconds).unwrap();
    at.format(&time::format_description::well_known::Rfc3339).unwrap()
}

/// A login that lives `seconds` more and can be refreshed.
pub fn login(seconds: i64) -> Value {
    json!({
        "startUrl": START_URL,
        "region": "us-west-2",
        "accessToken": "access-0",
        "expiresAt": in_seconds(seconds),
        "clientId": "client",
        "clientSecret": "client-secret",
        "registrationExpiresAt": in_seconds(86_400),
        "refreshToken": "refresh-0",
        "kept for others": { "a": [1, null] },
    })
}

/// A helper with `profiles` profiles `dev0`, `dev1`... of one SSO session.
pub fn helper(aws: &FakeAws, login: Option<&Value>, profiles: usize) -> Helper {
    let mut config = format!(
        "[sso-session corp]\nsso_start_url = {START_URL}\nsso_region = us-west-2\nsso_registration_scopes = sso:account:access\n"
    );
    for n in 0..profiles {
        config.push_str(&format!(
            "[profile dev{n}]\nsso_session = corp\nsso_account_id = 123456789012\nsso_role_name = Pull{n}\n"
        ));
    }
    let helper = Helper::new().aws(aws).env("AWS_PROFILE", "dev0").aws_config(&config);
    if let Some(login) = login {
        let path = session_file(&helper);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, login.to_string()).unwrap();
    }
    helper
}

pub fn cached(helper: &Helper) -> Value {
    serde_json::from_slice(&std::fs::read(session_file(helper)).unwrap()).unwrap()
}
