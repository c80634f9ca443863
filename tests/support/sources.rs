//! Each source of credentials that asks somebody, set up in a helper's home: profile, token file, variables.

use serde_json::json;

use super::helper::Helper;
use super::issued::{now, rfc3339};

/// A source of credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Keys of a profile.
    Keys,
    /// A role by a profile's keys.
    Role,
    /// A role by a role by a profile's keys.
    Chain,
    /// A token file of a profile.
    WebIdentity,
    /// An SSO session with a login that is good.
    Sso,
    /// An SSO session with a login that has ended and can be refreshed.
    EndedSso,
    /// IMDSv2.
    Instance,
    /// The agent of ECS or EKS.
    Container,
}

const PROFILES: &str = "\
[profile keys]
aws_access_key_id = AKIDBASE
aws_secret_access_key = hunter2hunter2
[profile one]
role_arn = arn:aws:iam::123456789012:role/one
source_profile = keys
[profile two]
role_arn = arn:aws:iam::123456789012:role/two
source_profile = one
[profile web]
role_arn = arn:aws:iam::123456789012:role/web
web_identity_token_file = TOKEN
[sso-session corp]
sso_start_url = https://d-1234567890.awsapps.com/start
sso_region = eu-west-1
sso_registration_scopes = sso:account:access
[profile sso]
sso_session = corp
sso_account_id = 123456789012
sso_role_name = Pull
";

impl Source {
    /// A home in which this source is the one that is used; `near` is the URL of instance metadata and container credentials.
    pub fn set_up(self, helper: Helper, near: &str) -> Helper {
        let token = helper.write("token", web_token());
        let helper = helper.aws_config(&PROFILES.replace("TOKEN", token.to_str().unwrap()));
        match self {
            Self::Keys => helper.env("AWS_PROFILE", "keys"),
            Self::Role => helper.env("AWS_PROFILE", "one"),
            Self::Chain => helper.env("AWS_PROFILE", "two"),
            Self::WebIdentity => helper.env("AWS_PROFILE", "web"),
            Self::Sso => with_login(helper, 3600),
            Self::EndedSso => with_login(helper, -60),
            Self::Instance => {
                helper.without("AWS_EC2_METADATA_DISABLED").env("AWS_EC2_METADATA_SERVICE_ENDPOINT", near)
            }
            Self::Container => helper.env("AWS_CONTAINER_CREDENTIALS_FULL_URI", format!("{near}/v1/credentials")),
        }
    }

    /// What a message calls it.
    pub fn label(self) -> &'static str {
        match self {
            Self::Keys => "profile keys",
            Self::Role => "profile one",
            Self::Chain => "profile two",
            Self::WebIdentity => "profile web",
            Self::Sso | Self::EndedSso => "profile sso",
            Self::Instance => "this instance's role",
            Self::Container => "this container's role",
        }
    }
}

fn with_login(helper: Helper, seconds: i64) -> Helper {
    helper.write(&login_file("corp"), login(seconds).to_string());
    helper.env("AWS_PROFILE", "sso")
}

/// A login that lives `seconds` more and can be refreshed.
fn login(seconds: i64) -> serde_json::Value {
    json!({
        "startUrl": "https://d-1234567890.awsapps.com/start",
        "region": "eu-west-1",
        "accessToken": "access-hunter2",
        "expiresAt": rfc3339(now().saturating_add_signed(seconds)),
        "clientId": "client",
        "clientSecret": "client-hunter2",
        "registrationExpiresAt": rfc3339(now() + 86_400),
        "refreshToken": "refresh-hunter2",
    })
}

/// Where the AWS CLI keeps the login of this session (or of this start URL), under the home.
pub fn login_file(session: &str) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY, session.as_bytes());
    let hex: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    format!(".aws/sso/cache/{hex}.json")
}

/// A web identity token of a service account that is good until 2100.
pub fn web_token() -> String {
    jwt(&json!({
        "iss": "https://oidc.example", "aud": ["sts.amazonaws.com"], "sub": "system:serviceaccount:ns:ci",
        "exp": 4_102_444_800_u64,
    }))
}

/// A JSON Web Token of these claims, which nobody has signed.
pub fn jwt(claims: &serde_json::Value) -> String {
    let part = |text: &str| {
        let text = aws_smithy_types::base64::encode(text);
        text.trim_end_matches('=').replace('+', "-").replace('/', "_")
    };
    format!("{}.{}.c2lnbmF0dXJl", part(r#"{"alg":"RS256"}"#), part(&claims.to_string()))
}
