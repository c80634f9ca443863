//! The OAuth client that signs people in: registered with the OIDC service for months, kept in the file in which the AWS
//! CLI keeps its own, and used again by both.
//!
//! The AWS CLI (2.22 and later) has one file for a start URL, a region, scopes and a session's name, whatever the grant: a
//! registration without `grantTypes` is the device code's.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use serde_json::Value;

use super::redirect_listener::REDIRECT_URI_WITHOUT_PORT;
use super::{Grant, Oidc, SsoSession, failed, python_json, replace};
use crate::os::fs::bounded_read;
use crate::text::timestamp;
use crate::text::user_error::UserError;

/// A registration that ends sooner is not used any more; the AWS CLI's margin.
const MARGIN: Duration = Duration::from_secs(15 * 60);

/// What a login needs to be able to name accounts and roles, where `sso_registration_scopes` says nothing.
const DEFAULT_SCOPE: &str = "sso:account:access";

/// The grants of a client that a browser is redirected for. Refresh tokens come with the second.
const GRANT_TYPES: [&str; 2] = ["authorization_code", "refresh_token"];

/// A registered client.
pub(super) struct Registration {
    /// `clientId`.
    pub(super) id: String,
    /// `clientSecret`, a secret.
    pub(super) secret: String,
    /// Until when it is good, as the file has it.
    pub(super) expires_at: String,
}

/// The scopes of `sso_registration_scopes`, as the AWS CLI splits them; `None` without the key.
fn configured_scopes(session: SsoSession<'_>) -> Option<Vec<&str>> {
    let scopes = session.scopes?.split(',').map(str::trim).filter(|scope| !scope.is_empty());
    Some(scopes.collect())
}

/// The scopes that are asked for with the authorization code.
pub(super) fn scopes(session: SsoSession<'_>) -> Vec<&str> {
    configured_scopes(session).filter(|scopes| !scopes.is_empty()).unwrap_or_else(|| vec![DEFAULT_SCOPE])
}

/// The file beside the login's: the SHA-1 of what the AWS CLI holds a registration to depend on.
fn file(session: SsoSession<'_>) -> PathBuf {
    let scopes = configured_scopes(session).map_or_else(|| "null".to_owned(), |scopes| python_json::list(&scopes));
    let key = python_json::object(&[
        ("region", python_json::string(session.region)),
        ("scopes", scopes),
        ("session_name", session.name.map_or_else(|| "null".to_owned(), python_json::string)),
        ("startUrl", python_json::string(session.start_url)),
        ("tool", python_json::string("botocore")),
    ]);
    let digest = digest(&SHA1_FOR_LEGACY_USE_ONLY, key.as_bytes());
    let name: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    session.token_file.with_file_name(format!("{name}.json"))
}

/// The registration that is kept, if it is good for this grant.
fn kept(session: SsoSession<'_>, grant: Grant, now: SystemTime) -> Option<Registration> {
    let bytes = bounded_read::whole(&file(session)).ok()??;
    let kept: Value = serde_json::from_slice(&bytes).ok()?;
    let text = |key: &str| kept.get(key)?.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
    let expires_at = text("expiresAt")?;
    if timestamp::parse(&expires_at)? < now + MARGIN {
        return None;
    }
    let grants = kept.get("grantTypes").and_then(Value::as_array);
    let is_for_code = grants.is_some_and(|grants| grants.iter().any(|grant| grant == GRANT_TYPES[0]));
    let registration = Registration { id: text("clientId")?, secret: text("clientSecret")?, expires_at };
    (is_for_code == (grant == Grant::AuthorizationCode)).then_some(registration)
}

/// The registration that is kept, else a new one, which is kept.
pub(super) async fn get(oidc: &mut Oidc<'_, '_>, grant: Grant) -> Result<Registration, UserError> {
    match kept(oidc.session, grant, SystemTime::now()) {
        Some(registration) => Ok(registration),
        None => register(oidc, grant).await,
    }
}

/// A new registration, which takes the place of the kept one.
pub(super) async fn register(oidc: &mut Oidc<'_, '_>, grant: Grant) -> Result<Registration, UserError> {
    let session = oidc.session;
    let owned = |texts: &[&str]| -> Vec<String> { texts.iter().map(|text| (*text).to_owned()).collect() };
    let by_code = grant == Grant::AuthorizationCode;
    let scopes = if by_code { Some(scopes(session)) } else { configured_scopes(session).filter(|s| !s.is_empty()) };
    let client = oidc.client.clone();
    let answer = oidc
        .call(|| {
            let request = client
                .register_client()
                .client_name(crate::PROGRAM)
                .client_type("public")
                .set_scopes(scopes.as_deref().map(owned));
            let request = if by_code {
                request
                    .set_grant_types(Some(owned(&GRANT_TYPES)))
                    .redirect_uris(REDIRECT_URI_WITHOUT_PORT)
                    .issuer_url(session.start_url)
            } else {
                request
            };
            request.send()
        })
        .await
        .map_err(|error| failed("registering with SSO OIDC", error))?;
    let filled = |text: Option<&str>| text.filter(|text| !text.is_empty()).map(str::to_owned);
    let (Some(id), Some(secret)) = (filled(answer.client_id()), filled(answer.client_secret())) else {
        return Err(oidc.without("a client"));
    };
    let seconds = u64::try_from(answer.client_secret_expires_at()).unwrap_or(0);
    let expires_at = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds));
    let expires_at = timestamp::text(expires_at.unwrap_or(SystemTime::UNIX_EPOCH));
    let mut members = vec![
        ("clientId", python_json::string(&id)),
        ("clientSecret", python_json::string(&secret)),
        ("expiresAt", python_json::string(&expires_at)),
    ];
    if let Some(scopes) = &scopes {
        members.push(("scopes", python_json::list(scopes)));
    }
    if by_code {
        members.push(("grantTypes", python_json::list(&GRANT_TYPES)));
    }
    replace(&file(session), python_json::object(&members).as_bytes())?;
    Ok(Registration { id, secret, expires_at })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn session(token_file: &Path) -> SsoSession<'_> {
        let start_url = "https://d-1234567890.awsapps.com/start";
        SsoSession { name: Some("corp"), start_url, region: "eu-west-1", scopes: None, token_file }
    }

    /// The names are those that Python gives for the AWS CLI's key: `sha1(json.dumps({"tool": "botocore", ...},
    /// sort_keys=True))`.
    #[test]
    fn the_file_is_where_the_aws_cli_looks_for_it() {
        let corp = session(Path::new("/home/u/.aws/sso/cache/x.json"));
        for (session, name) in [
            (corp, "d4261ff0c50f8c4953fa4fe01693415ac8bca2df"),
            (SsoSession { scopes: Some(" sso:account:access,"), ..corp }, "c6a06e42182fb324db02aec3d36dc183754bc04e"),
            (SsoSession { name: None, ..corp }, "8ba5c4795fa8538a47da089266d94d19d06fe7f6"),
            (
                SsoSession {
                    name: Some("bücher"),
                    start_url: "https://x/#/",
                    region: "us-east-1",
                    scopes: Some(""),
                    ..corp
                },
                "25687079eecd88dc453a08722073b719b2c072e3",
            ),
        ] {
            assert_eq!(file(session), Path::new(&format!("/home/u/.aws/sso/cache/{name}.json")));
        }
    }

    #[test]
    fn a_kept_registration_is_used_for_its_own_grant_and_until_shortly_before_its_end() {
        let directory = tempfile::tempdir().unwrap();
        let login = directory.path().join("login.json");
        let session = session(&login);
        let now = SystemTime::now();
        let write = |expires_at: SystemTime, grants: &str| {
            let end = timestamp::text(expires_at);
            let text = format!(r#"{{"clientId":"i","clientSecret":"s","expiresAt":"{end}"{grants}}}"#);
            std::fs::write(file(session), text).unwrap();
        };
        let is_kept = |grant| kept(session, grant, now).is_some();
        assert!(!is_kept(Grant::AuthorizationCode) && !is_kept(Grant::DeviceCode), "there is none");
        write(now + Duration::from_secs(3600), "");
        assert!(!is_kept(Grant::AuthorizationCode) && is_kept(Grant::DeviceCode), "the device code's");
        write(now + Duration::from_secs(3600), r#","grantTypes":["authorization_code","refresh_token"]"#);
        assert!(is_kept(Grant::AuthorizationCode) && !is_kept(Grant::DeviceCode), "the authorization code's");
        write(now + Duration::from_secs(60), "");
        assert!(!is_kept(Grant::DeviceCode), "it ends too soon");
        std::fs::write(file(session), "[]").unwrap();
        assert!(!is_kept(Grant::DeviceCode), "not a registration");
    }
}
