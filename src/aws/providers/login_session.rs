//! A session of `aws login`: keys for a quarter of an hour, renewed by AWS Sign-In for whoever has the session's key
//! (<https://docs.aws.amazon.com/sdkref/latest/guide/feature-login-credentials.html>).

use std::path::Path;
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use serde::Deserialize;
use serde_json::json;

use super::dpop;
use super::login_session_file::Session;
use super::metadata_http::{self, Request, Response};
use super::sso_token_file::{Lock, LoginError, Replacement};
use crate::aws::client::AwsContext;
use crate::aws::error::{self, CallTarget};
use crate::os::secret::Secret;
use crate::text::user_error::{Kind, UserError};

/// Keys that end sooner are renewed, as by the AWS CLI.
const MARGIN: Duration = Duration::from_secs(5 * 60);

/// How the service is called.
const SERVICE: &str = "AWS Sign-In";

const PATH: &str = "/v1/token";

/// The longest life of keys that is believed, in seconds: a day, where AWS Sign-In gives a quarter of an hour.
const LONGEST_KEYS_LIFE: u64 = 24 * 60 * 60;

/// Partitions by how their regions begin: what follows the region in the service's name.
const HOSTS: [(&str, &str); 7] = [
    ("cn-", "signin.amazonaws.cn"),
    ("us-gov-", "signin.amazonaws-us-gov.com"),
    ("us-isob-", "signin.sc2shome.sgov.gov"),
    ("us-isof-", "signin.csphome.hci.ic.gov"),
    ("us-iso-", "signin.c2shome.ic.gov"),
    ("eu-isoe-", "signin.csphome.adc-e.uk"),
    ("eusc-", "signin.amazonaws-eusc.eu"),
];
const HOST: &str = "signin.aws.amazon.com";

/// Whose session.
#[derive(Clone, Copy, Debug)]
pub(super) struct LoginParameters<'a> {
    /// The profile that names it.
    pub(super) profile: &'a str,
    /// The region of AWS Sign-In; the registry's without one.
    pub(super) region: Option<&'a str>,
    /// The session's file; `None` without a home directory.
    pub(super) session_file: Option<&'a Path>,
}

impl LoginParameters<'_> {
    fn remedy(&self) -> String {
        format!("run \"aws login --profile {}\"", self.profile)
    }

    fn failure(&self, what: &str) -> UserError {
        UserError::new(Kind::Credentials, format!("the aws login session of profile {} {what}", self.profile))
            .hint(self.remedy())
    }

    fn file(&self, error: &LoginError) -> UserError {
        let failure = self.failure(&format!("cannot be used: {error}"));
        match error {
            LoginError::Absent(_) | LoginError::Malformed { .. } => failure,
            LoginError::Read { .. } => failure.hint("make the file readable for this user"),
            LoginError::Write { .. } => failure.hint(format!("make the directory writable, or {}", self.remedy())),
        }
    }
}

/// The session's keys, renewed where they end soon.
///
/// # Errors
/// No session, an ended one, or a refusal.
pub(super) async fn credentials(wanted: LoginParameters<'_>, aws: &AwsContext<'_>) -> Result<Credentials, UserError> {
    let file = wanted.session_file.ok_or_else(|| wanted.failure("cannot be found: HOME is not set"))?;
    let read = || Session::read(file).map_err(|error| wanted.file(&error));
    if !ends_soon(&read()?) {
        return read().map(|session| session.credentials());
    }
    let lock = Lock::wait(file, aws.deadline.at_most(aws.deadline.left() / 2)).await;
    // While we waited, another process may have renewed it.
    let session = read()?;
    if !ends_soon(&session) {
        return Ok(session.credentials());
    }
    // While the old keys are good, what hangs here leaves time for what they are needed for.
    let limit = if has_ended(&session) { Duration::MAX } else { aws.deadline.left() / 2 };
    let renewed = tokio::time::timeout(limit, renewed(wanted, &session, file, &lock, aws)).await;
    match renewed.unwrap_or_else(|_| Err(wanted.failure("could not be renewed in time"))) {
        Ok(new) => Ok(new.credentials()),
        Err(failure) => match Session::read(file) {
            // The AWS CLI knows nothing of our lock and may have been quicker.
            Ok(others) if !ends_soon(&others) => Ok(others.credentials()),
            _ if !has_ended(&session) => Ok(session.credentials()),
            _ => Err(failure),
        },
    }
}

fn has_ended(session: &Session) -> bool {
    session.expires_at <= SystemTime::now()
}

fn ends_soon(session: &Session) -> bool {
    session.expires_at <= SystemTime::now() + MARGIN
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    access_token: NewKeys,
    expires_in: u64,
    refresh_token: Secret,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct NewKeys {
    access_key_id: Secret,
    secret_access_key: Secret,
    session_token: Secret,
}

impl Answer {
    /// Whether nothing in it is empty, and its life is one that a time can be made of.
    fn is_whole(&self) -> bool {
        let NewKeys { access_key_id, secret_access_key, session_token } = &self.access_token;
        let texts = [access_key_id, secret_access_key, session_token, &self.refresh_token];
        (1..=LONGEST_KEYS_LIFE).contains(&self.expires_in) && texts.iter().all(|text| !text.expose().is_empty())
    }
}

/// Asks for new keys and puts them into the file.
async fn renewed(
    wanted: LoginParameters<'_>,
    session: &Session,
    file: &Path,
    lock: &Lock,
    aws: &AwsContext<'_>,
) -> Result<Session, UserError> {
    let replacement = Replacement::prepare(file, lock).map_err(|error| wanted.file(&error))?;
    let endpoint = endpoint(wanted.region.unwrap_or_else(|| aws.registry.region()), aws);
    let text = |key| session.text(key).unwrap_or_default();
    let body = json!({
        "clientId": &**text("clientId"), "grantType": "refresh_token", "refreshToken": &**text("refreshToken"),
    });
    let asked_at = SystemTime::now();
    let proof = dpop::proof(&text("dpopKey"), &format!("{endpoint}{PATH}"), asked_at)
        .map_err(|error| wanted.failure(&error.to_string()))?;
    let request = Request {
        method: "POST",
        endpoint: &endpoint,
        path: PATH.to_owned(),
        headers: vec![("content-type", Secret::new("application/json".to_owned())), ("dpop", Secret::new(proof))],
        body: Some(Secret::new(body.to_string())),
    };
    let asked = CallTarget { service: SERVICE, host: &endpoint };
    aws.preconnect();
    let answer = match tokio::time::timeout(aws.deadline.left(), metadata_http::ask(&aws.http(), request)).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(error)) => return Err(error::sdk_error(&asked, &error).failure),
        Err(_) => {
            return Err(error::deadline(&asked, aws.deadline.limit(), aws.deadline.set_by(), aws.progress()).failure);
        }
    };
    aws.progress().clear();
    if answer.status != 200 {
        return Err(refused(wanted, &asked, &answer));
    }
    let new: Option<Answer> = serde_json::from_slice(&answer.body).ok().filter(Answer::is_whole);
    let new = new.ok_or_else(|| {
        UserError::new(Kind::Network, format!("{SERVICE} answered without keys"))
            .endpoint(&endpoint)
            .hint("check the endpoint (AWS_ENDPOINT_URL_SIGNIN)")
    })?;
    let keys = [
        ("accessKeyId", new.access_token.access_key_id.expose()),
        ("secretAccessKey", new.access_token.secret_access_key.expose()),
        ("sessionToken", new.access_token.session_token.expose()),
    ];
    let expires_at = asked_at + Duration::from_secs(new.expires_in);
    let unwritten = |source| LoginError::Write { path: file.to_owned(), source };
    let renewed = session
        .renewed(keys, expires_at, new.refresh_token.expose())
        .map_err(|error| wanted.file(&unwritten(error)))?;
    let kept = renewed.bytes().map_err(unwritten).and_then(|bytes| replacement.commit_bytes(&bytes));
    if let Err(error) = kept {
        // The new keys serve this call; the old session stays, and its refresh token is used up.
        tracing::warn!(reason = %error, "the renewed aws login session could not be kept");
        aws.warn(wanted.failure(&format!("was renewed for this call alone: {error}")).to_string());
    }
    Ok(renewed)
}

fn refused(wanted: LoginParameters<'_>, asked: &CallTarget<'_>, answer: &Response) -> UserError {
    let body: serde_json::Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let code = body["error"].as_str().filter(|code| code.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'));
    match (code, answer.status) {
        (Some("TOKEN_EXPIRED"), _) => wanted.failure("has ended"),
        (Some("USER_CREDENTIALS_CHANGED"), _) => wanted.failure("has ended, since the password was changed"),
        (Some("INSUFFICIENT_PERMISSIONS"), _) => wanted
            .failure("may not be renewed (INSUFFICIENT_PERMISSIONS)")
            .hint("allow it signin:CreateOAuth2Token (the policy SignInLocalDevelopmentAccess)"),
        (code, 401 | 403) => {
            wanted.failure(&format!("is refused by {SERVICE} ({})", code.unwrap_or("no reason given")))
        }
        (code, status) => {
            let code = code.map(|code| format!(", {code}")).unwrap_or_default();
            UserError::new(Kind::Network, format!("{SERVICE} answers HTTP {status}{code}"))
                .endpoint(asked.host)
                .hint(format!("try again, or {}", wanted.remedy()))
        }
    }
}

/// Scheme and host of AWS Sign-In, without a slash at the end.
fn endpoint(region: &str, aws: &AwsContext<'_>) -> String {
    match &aws.network.sign_in_endpoint {
        Some(url) => url.trim_end_matches('/').to_owned(),
        None => format!("https://{}", host(region, aws.network.use_fips)),
    }
}

fn host(region: &str, use_fips: bool) -> String {
    let host = HOSTS.iter().find(|(beginning, _)| region.starts_with(beginning)).map_or(HOST, |(_, host)| host);
    match (use_fips, region.starts_with("us-gov-")) {
        (false, _) => format!("{region}.{host}"),
        (true, true) => format!("{region}.{}", host.replacen("signin.", "signin-fips.", 1)),
        (true, false) => format!("signin-fips.{region}.amazonaws.com"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_partition_has_its_host() {
        for (region, expected) in [
            ("eu-west-1", "eu-west-1.signin.aws.amazon.com"),
            ("cn-north-1", "cn-north-1.signin.amazonaws.cn"),
            ("us-gov-west-1", "us-gov-west-1.signin.amazonaws-us-gov.com"),
            ("us-iso-east-1", "us-iso-east-1.signin.c2shome.ic.gov"),
            ("us-isob-east-1", "us-isob-east-1.signin.sc2shome.sgov.gov"),
            ("eusc-de-east-1", "eusc-de-east-1.signin.amazonaws-eusc.eu"),
        ] {
            assert_eq!(host(region, false), expected);
        }
        assert_eq!(host("us-gov-west-1", true), "us-gov-west-1.signin-fips.amazonaws-us-gov.com");
        assert_eq!(host("us-east-1", true), "signin-fips.us-east-1.amazonaws.com");
    }
}
