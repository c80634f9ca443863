//! What a person logged in to before, a session of IAM Identity Center or one of `aws login`, and what became of it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::{Value, json};

use crate::scenario::Scenario;
use crate::support::{FakeAws, Helper, Service, login_file, session_file};

/// The name of the SSO session, and whose login it is.
const SESSION: &str = "corp";
const START_URL: &str = "https://d-1234567890.awsapps.com/start";

/// Whom the session of `aws login` is of.
const LOGIN_SESSION: &str = "arn:aws:iam::123456789012:user/ana";

/// What a renewal replaces, wherever in the file it is.
const RENEWED: [&str; 6] =
    ["accessToken", "accessKeyId", "secretAccessKey", "sessionToken", "refreshToken", "expiresAt"];

/// A login that has ended and can be renewed, once: each home has its own, since the fake takes no refresh token twice.
pub struct Login {
    kind: Kind,
    old: Value,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Sso,
    AwsLogin,
}

impl Login {
    /// The login of the scenario, if one is renewed in it; its file is written.
    pub fn new(aws: &FakeAws, helper: &Helper, scenario: Scenario) -> Option<Self> {
        let kind = match scenario {
            Scenario::SsoRefresh => Kind::Sso,
            Scenario::LoginRenewal => Kind::AwsLogin,
            _ => return None,
        };
        let old = kind.ended(aws, &format!("secret-of-the-old-login-{}", fastrand::u64(..)));
        kind.write(helper, &old);
        Some(Self { kind, old })
    }

    /// What the profile that the settings name has in the config file, and the section that it names.
    pub fn profile(&self) -> String {
        match self.kind {
            Kind::Sso => format!(
                "sso_session = {SESSION}\nsso_account_id = 123456789012\nsso_role_name = Pull\n\
                 [sso-session {SESSION}]\nsso_start_url = {START_URL}\nsso_region = eu-west-1\n\
                 sso_registration_scopes = sso:account:access\n"
            ),
            Kind::AwsLogin => format!("login_session = {LOGIN_SESSION}\n"),
        }
    }

    /// Where it is, below HOME.
    pub fn path(&self) -> String {
        self.kind.path()
    }

    /// What whoever has lost it is told to run.
    pub fn remedy(&self) -> &'static str {
        match self.kind {
            Kind::Sso => "or \"aws sso login --profile team\"",
            Kind::AwsLogin => "run \"aws login --profile team\"",
        }
    }

    /// What `aws sso login` and `aws login` do.
    pub fn log_in(&self, aws: &FakeAws, helper: &Helper) {
        let mut new = self.kind.ended(aws, "fake-of-the-new-login-");
        if self.kind == Kind::Sso {
            new["expiresAt"] = json!("2099-01-01T00:00:00Z");
        }
        self.kind.write(helper, &new);
    }

    /// How often a renewal was asked for with the refresh token of the login that is there, if that is the old one.
    pub fn renewals_in_vain(&self, aws: &FakeAws, helper: &Helper) -> usize {
        let is_of = |json: &[u8]| {
            serde_json::from_slice::<Value>(json).is_ok_and(|found| found["refreshToken"] == self.old["refreshToken"])
        };
        let service = if self.kind == Kind::Sso { Service::SsoOidc } else { Service::SignIn };
        match fs::read(helper.home().join(self.path())) {
            Ok(login) if is_of(&login) => aws.requests(service).iter().filter(|it| is_of(&it.body)).count(),
            _ => 0,
        }
    }

    /// A login, but for what differs between two runs of the same: of what a renewal replaces it is said whether it is the
    /// old or the new. Half a login stays what it is.
    pub fn old_or_new(&self, login: Vec<u8>) -> Vec<u8> {
        let Ok(mut login) = serde_json::from_slice::<Value>(&login) else { return login };
        self.compare(&mut login, &self.old);
        login.to_string().into_bytes()
    }

    fn compare(&self, login: &mut Value, old: &Value) {
        let Some(values) = login.as_object_mut() else { return };
        for (key, value) in values {
            match value {
                Value::Object(_) => self.compare(value, &old[key]),
                Value::String(_) if RENEWED.contains(&key.as_str()) => {
                    *value = json!(if *value == old[key] { "old" } else { "new" });
                }
                // Another for each home.
                Value::String(text) if key == "dpopKey" && text.ends_with("-----END EC PRIVATE KEY-----\n") => {
                    *value = json!("a key");
                }
                _ => {}
            }
        }
    }
}

impl Kind {
    /// A login that has ended.
    fn ended(self, aws: &FakeAws, tokens: &str) -> Value {
        match self {
            Self::Sso => json!({
                "startUrl": START_URL, "region": "eu-west-1", "accessToken": format!("{tokens}-access"),
                "expiresAt": "2020-01-01T00:00:00Z", "clientId": "client", "clientSecret": "secret-of-client",
                "registrationExpiresAt": "2099-01-01T00:00:00Z", "refreshToken": tokens,
                "kept for others": { "a": [1, null] },
            }),
            Self::AwsLogin => aws.login(-60),
        }
    }

    fn path(self) -> String {
        match self {
            Self::Sso => login_file(SESSION),
            Self::AwsLogin => session_file(LOGIN_SESSION),
        }
    }

    fn write(self, helper: &Helper, login: &Value) {
        let path = helper.write(&self.path(), login.to_string());
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    }
}
