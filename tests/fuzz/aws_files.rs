//! AWS's config and credentials files and its variables: who would speak, by us and by the SDK's own chain, for every
//! input that both take. What comes before the first line `---` are variables, then follows the config file and,
//! behind another `---`, the credentials file. `HOME` stands for the home directory.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};

use aws_credential_types::Credentials;
use aws_credential_types::provider::ProvideCredentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;
use aws_types::os_shim_internal::{Env, Fs};
use ecr_login::credentials::{CredentialSelector, CredentialSource, Identity, IdentityError};
use ecr_login::os::environment::Environment;
use ecr_login::registry::Registry;
use ecr_login::settings::CredentialSettings;

use super::memory;

/// PATH of a process in which the SDK may be shown a `credential_process`: it would run it.
pub const NO_PROGRAMS: &str = "/nonexistent";

/// The content of the token file `HOME/token`.
const TOKEN: &str = "web-token";

/// Variables that may be set to anything.
const FREE: [&str; 8] = [
    "AWS_PROFILE",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_ROLE_ARN",
    "AWS_ROLE_SESSION_NAME",
    "AWS_EC2_METADATA_DISABLED",
];

/// Variables that may be set to these values alone: no name is looked up, and no file read but ours.
const FIXED: [(&str, &[&str]); 6] = [
    ("AWS_CONFIG_FILE", &["HOME/config", "~/config", "HOME/gone"]),
    ("AWS_SHARED_CREDENTIALS_FILE", &["HOME/credentials", "~/credentials", "HOME/gone"]),
    ("AWS_WEB_IDENTITY_TOKEN_FILE", &["HOME/token", "HOME/gone"]),
    ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", &["/v2/credentials/x"]),
    (
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        &["http://169.254.170.23/v1/credentials", "https://127.0.0.1/x", "http://192.0.2.1/x"],
    ),
    ("AWS_CONTAINER_AUTHORIZATION_TOKEN", &["Basic x"]),
];

/// What AWS was asked, in order.
#[derive(Clone, Debug, PartialEq)]
enum Call {
    AssumeRole { role: String, external_id: Option<String>, session: Option<String>, by: String },
    WebIdentity { role: String, session: Option<String>, token: String },
    Sso { account: String, role: String, token: String },
    Container { uri: String, authorization: Option<String> },
    Instance { uri: String },
}

pub fn check(input: &[u8]) {
    who_speaks(input);
}

/// The kind of source that both we and the SDK choose, or that neither finds one; `None` where they were not both asked.
pub fn who_speaks(input: &[u8]) -> Option<&'static str> {
    let text = std::str::from_utf8(input).ok()?;
    let home = &home();
    let text = text.replace("HOME/", &format!("{home}/"));
    let (variables, files) = text.split_once("---\n").unwrap_or(("", &text));
    let (config, credentials) = files.split_once("---\n").unwrap_or((files, ""));
    let mut variables = allowed(variables, home);
    variables.insert("HOME", home);
    let place = |variable: &str, default: &str| {
        let path = variables.get(variable).map_or(format!("{home}/.aws/{default}"), |path| path.replace('~', home));
        (!path.ends_with("/gone")).then_some(path)
    };
    let mut on_disk = HashMap::from([(format!("{home}/token"), TOKEN.to_owned())]);
    let places = [
        (place("AWS_CONFIG_FILE", "config"), config),
        (place("AWS_SHARED_CREDENTIALS_FILE", "credentials"), credentials),
    ];
    for (path, text) in places {
        if let Some(path) = path {
            fs::write(&path, text).unwrap();
            on_disk.insert(path, text.to_owned());
        }
    }

    let registry = Registry::parse("123456789012.dkr.ecr.eu-west-1.amazonaws.com").unwrap();
    let environment = Environment::of(variables.iter().map(|(name, value)| (*name, *value)));
    let ours = memory::bounded(input.len(), (64 * 1024, 96), || {
        Identity::resolve(&environment, CredentialSelector::Settings(&CredentialSettings::default()), &registry)
            .map(|identity| identity.source)
    });
    let runs_programs =
        [config, credentials].iter().any(|text| text.to_ascii_lowercase().contains("credential_process"));
    let guarded = std::env::var_os("PATH").is_some_and(|path| path == NO_PROGRAMS);
    if runs_programs && !guarded || spells_twice(config) || spells_twice(credentials) {
        return None;
    }
    if [config, credentials].iter().any(|text| has_broken_endpoint(text)) {
        return None;
    }
    if let Ok(source) = &ours {
        match base(source) {
            CredentialSource::WebIdentity { token_file: Some(file), .. }
                if file != Path::new(&format!("{home}/token")) =>
            {
                return None;
            }
            // The SDK's signer panics over these; our own fetch refuses them.
            CredentialSource::StaticKeys { id, session_token, .. }
                if !is_plain(id.expose()) || !session_token.as_ref().is_none_or(|token| is_plain(token.expose())) =>
            {
                return None;
            }
            CredentialSource::Sso { token_file: Some(file), .. } => {
                let login = r#"{"accessToken": "sso-token", "expiresAt": "2099-01-01T00:00:00Z"}"#;
                on_disk.insert(file.to_str().unwrap().to_owned(), login.to_owned());
            }
            _ => {}
        }
    }
    // Which keys the SDK would sign with is not known where we refuse, and over unfit ones its signer panics.
    let refused = ours.as_ref().is_err_and(|error| !matches!(error, IdentityError::NoSource { .. }));
    if refused && ![config, credentials].iter().all(|text| text.split(['\n', '\r', '\t']).all(is_plain)) {
        return None;
    }
    let (theirs, calls) = by_the_sdk(&variables, on_disk);
    compare(&ours, &theirs, &calls);
    Some(match &ours {
        Ok(source) => kind(source),
        Err(IdentityError::NoSource { .. }) => "nobody",
        Err(_) => "an error",
    })
}

fn kind(source: &CredentialSource) -> &'static str {
    match source {
        CredentialSource::StaticKeys { .. } => "keys",
        CredentialSource::CredentialProcess { .. } => "a process",
        CredentialSource::Sso { .. } => "SSO",
        CredentialSource::LoginSession { .. } => "a login",
        CredentialSource::WebIdentity { .. } => "web identity",
        CredentialSource::Container { .. } => "a container",
        CredentialSource::Imds { .. } => "an instance",
        CredentialSource::AssumeRole { .. } => "a role",
    }
}

/// A home directory with a token file in it, for each thread.
fn home() -> String {
    fn made() -> tempfile::TempDir {
        let home = tempfile::tempdir().unwrap();
        fs::create_dir_all(home.path().join(".aws")).unwrap();
        fs::write(home.path().join("token"), TOKEN).unwrap();
        home
    }
    thread_local!(static HOME: tempfile::TempDir = made());
    HOME.with(|home| home.path().to_str().unwrap().to_owned())
}

/// The variables that may be set. An empty one is a variable that is not set, for most of AWS's SDKs and for us; the
/// SDK for Rust takes some for values.
fn allowed<'t>(text: &'t str, home: &str) -> HashMap<&'static str, &'t str> {
    let set = text.lines().filter_map(|line| line.split_once('=')).filter_map(|(name, value)| {
        if let Some(name) = FREE.iter().find(|free| **free == name) {
            let plain = !value.is_empty() && !value.contains('\0');
            return plain.then_some((*name, value));
        }
        let (name, values) = FIXED.iter().find(|(fixed, _)| *fixed == name)?;
        values.iter().any(|fixed| fixed.replace("HOME", home) == value).then_some((*name, value))
    });
    set.collect()
}

/// Whether two headers differ in their blanks alone: there the SDK takes either's values, by chance.
fn spells_twice(text: &str) -> bool {
    let mut seen: HashMap<String, &str> = HashMap::new();
    text.lines().filter(|line| line.starts_with('[')).any(|line| {
        let end = line.find(['#', ';', ']']).unwrap_or(line.len());
        let raw = &line[1..end.max(1)];
        let plain = raw.split_whitespace().collect::<Vec<_>>().join(" ");
        seen.insert(plain, raw).is_some_and(|earlier| earlier != raw)
    })
}

/// Whether there may be an `endpoint_url` that is empty or no URL: the SDK asserts that it is one, and we take an empty
/// one for none and refuse the other.
fn has_broken_endpoint(text: &str) -> bool {
    text.to_ascii_lowercase().split("endpoint_url").skip(1).any(|rest| {
        let value = rest.trim_start_matches([' ', '\t']).strip_prefix('=').unwrap_or_default();
        !value.trim_start_matches([' ', '\t']).starts_with("http")
    })
}

fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b' '..=b'~'))
}

fn base(source: &CredentialSource) -> &CredentialSource {
    match source {
        CredentialSource::AssumeRole { base: inner, .. } => base(inner),
        other => other,
    }
}

fn compare(
    ours: &Result<CredentialSource, IdentityError>,
    theirs: &Result<Credentials, CredentialsError>,
    calls: &[Call],
) {
    match (ours, theirs) {
        (Ok(source), Ok(keys)) => {
            let mut expected = Vec::new();
            expect(source, &mut expected);
            assert_eq!(expected.len(), calls.len(), "{source:?}, by the SDK {calls:?}");
            for (ours, theirs) in expected.iter().zip(calls) {
                assert!(is_same(ours, theirs), "{ours:?}, by the SDK {theirs:?}");
            }
            if let CredentialSource::StaticKeys { id, secret, session_token } = source {
                let of_us = (id.expose(), secret.expose(), session_token.as_ref().map(|token| token.expose()));
                assert_eq!(of_us, (keys.access_key_id(), keys.secret_access_key(), keys.session_token()));
            } else {
                assert_eq!(keys.access_key_id(), key(calls.len()));
            }
        }
        (Err(IdentityError::NoSource { skipped_sources }), theirs) => {
            assert!(
                matches!(theirs, Err(CredentialsError::CredentialsNotLoaded(_))),
                "{theirs:?}, {skipped_sources:?}"
            );
        }
        (Ok(source), Err(error)) => {
            // What needs a feature that this build of the SDK has not, and an address that only a call shows to be none.
            let left_out = match base(source) {
                CredentialSource::CredentialProcess { .. } | CredentialSource::LoginSession { .. } => true,
                CredentialSource::Imds { endpoint } => endpoint != "http://169.254.169.254",
                _ => false,
            };
            let refused =
                matches!(error, CredentialsError::CredentialsNotLoaded(_) | CredentialsError::InvalidConfiguration(_));
            assert!(left_out || !refused, "{source:?}, by the SDK {error:?}");
        }
        // We may refuse what the SDK takes or passes over, but only for a reason that is known.
        (Err(error), Ok(_)) => assert!(is_stricter(error), "{error}, by the SDK {calls:?}"),
        (Err(_), Err(_)) => {}
    }
}

/// Where we promise an error: the SDK goes on as somebody else than the user meant, or to another endpoint.
fn is_stricter(error: &IdentityError) -> bool {
    match error {
        IdentityError::NoSuchProfile(_) => true,
        IdentityError::InvalidVariable { name, .. } => name.contains("endpoint"),
        IdentityError::InvalidProfile { reason, .. } => reason.contains("profiles name one another"),
        _ => false,
    }
}

/// The key id that the fake hands out in its answer to the call of this number.
fn key(number: usize) -> String {
    format!("KEY{number}")
}

/// The calls that `source` is about to make; returns the key id that it yields.
fn expect(source: &CredentialSource, calls: &mut Vec<Call>) -> String {
    let owned = |text: &Option<ecr_login::os::secret::Secret>| text.as_ref().map(|text| text.expose().to_owned());
    let call = match source {
        CredentialSource::StaticKeys { id, .. } => return id.expose().to_owned(),
        CredentialSource::CredentialProcess { .. } | CredentialSource::LoginSession { .. } => return String::new(),
        CredentialSource::AssumeRole { base, role_arn, session_name, external_id, .. } => {
            let by = expect(base, calls);
            let (role, external_id, session) = (role_arn.clone(), external_id.clone(), session_name.clone());
            Call::AssumeRole { role, external_id, session, by }
        }
        CredentialSource::WebIdentity { role_arn, session_name, token, .. } => Call::WebIdentity {
            role: role_arn.clone(),
            session: session_name.clone(),
            token: token.expose().to_owned(),
        },
        CredentialSource::Sso { account, role, .. } => {
            Call::Sso { account: account.clone(), role: role.clone(), token: "sso-token".to_owned() }
        }
        CredentialSource::Container { uri, authorization } => {
            Call::Container { uri: uri.clone(), authorization: owned(authorization) }
        }
        CredentialSource::Imds { endpoint } => Call::Instance { uri: endpoint.clone() },
    };
    calls.push(call);
    key(calls.len())
}

/// Session names count where somebody chose one, and of the instance's address the host.
fn is_same(ours: &Call, theirs: &Call) -> bool {
    let mut theirs = theirs.clone();
    match (ours, &mut theirs) {
        (Call::AssumeRole { session: None, .. }, Call::AssumeRole { session, .. })
        | (Call::WebIdentity { session: None, .. }, Call::WebIdentity { session, .. }) => *session = None,
        (Call::Instance { uri: endpoint }, Call::Instance { uri }) => {
            return host(uri) == host(endpoint);
        }
        _ => {}
    }
    *ours == theirs
}

/// The host of a URL.
fn host(url: &str) -> String {
    let authority =
        url.split_once("://").map_or(url, |(_, rest)| rest).split(['/', '?', '#']).next().unwrap_or_default();
    let end = authority.rfind(']').map_or_else(|| authority.find(':').unwrap_or(authority.len()), |end| end + 1);
    authority[..end].to_ascii_lowercase()
}

fn by_the_sdk(
    variables: &HashMap<&str, &str>,
    files: HashMap<String, String>,
) -> (Result<Credentials, CredentialsError>, Vec<Call>) {
    let variables: HashMap<String, String> =
        variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let calls = Arc::new(Mutex::new(Vec::new()));
    let aws = FakeAws(calls.clone());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let outcome = runtime.block_on(async {
        let config = aws_config::defaults(aws_config::BehaviorVersion::latest())
            .env(Env::from(variables))
            .fs(Fs::from_map(files))
            .region(aws_config::Region::new("eu-west-1"))
            // Else a `max_attempts` that is no number makes it panic.
            .retry_config(aws_config::retry::RetryConfig::standard())
            .http_client(http_client_fn(move |_, _| SharedHttpConnector::new(aws.clone())))
            .load()
            .await;
        config.credentials_provider().unwrap().provide_credentials().await
    });
    let calls = calls.lock().unwrap().clone();
    (outcome, calls)
}

/// AWS as far as credentials need it: it remembers what it is asked and hands out keys that are numbered.
#[derive(Clone, Debug)]
struct FakeAws(Arc<Mutex<Vec<Call>>>);

impl FakeAws {
    fn asked(&self, call: Call) -> String {
        let mut calls = self.0.lock().unwrap();
        calls.push(call);
        key(calls.len())
    }

    fn answer(&self, request: &HttpRequest) -> (String, bool) {
        let body = String::from_utf8_lossy(request.body().bytes().unwrap_or_default()).into_owned();
        let field = |name: &str| {
            let mut fields = body.split('&').filter_map(|field| field.split_once('='));
            fields.find(|(key, _)| *key == name).map(|(_, value)| decoded(value))
        };
        let uri = request.uri().to_owned();
        let query = |name: &str| {
            let (_, query) = uri.split_once('?')?;
            query.split('&').find_map(|field| field.strip_prefix(name)?.strip_prefix('=')).map(decoded)
        };
        let header = |name: &str| request.headers().get(name).map(str::to_owned);
        match field("Action").as_deref() {
            Some("AssumeRoleWithWebIdentity") => {
                let id = self.asked(Call::WebIdentity {
                    role: field("RoleArn").unwrap_or_default(),
                    session: field("RoleSessionName"),
                    token: field("WebIdentityToken").unwrap_or_default(),
                });
                return (assumed("AssumeRoleWithWebIdentity", &id), false);
            }
            Some("AssumeRole") => {
                let signed = header("authorization").unwrap_or_default();
                let scope = signed.split_once("Credential=").unwrap().1.split_once(", SignedHeaders").unwrap().0;
                let id = self.asked(Call::AssumeRole {
                    role: field("RoleArn").unwrap_or_default(),
                    external_id: field("ExternalId"),
                    session: field("RoleSessionName"),
                    by: scope.rsplitn(5, '/').nth(4).unwrap_or_default().to_owned(),
                });
                return (assumed("AssumeRole", &id), false);
            }
            _ => {}
        }
        if uri.contains("/federation/credentials") {
            let id = self.asked(Call::Sso {
                account: query("account_id").unwrap_or_default(),
                role: query("role_name").unwrap_or_default(),
                token: header("x-amz-sso_bearer_token").unwrap_or_default(),
            });
            let answer = format!(
                r#"{{"roleCredentials": {{"accessKeyId": "{id}", "secretAccessKey": "s", "sessionToken": "t",
                    "expiration": 4070908800000}}}}"#
            );
            return (answer, false);
        }
        if uri.ends_with("/latest/api/token") {
            return ("imds-token".to_owned(), true);
        }
        if uri.ends_with("/security-credentials/") {
            return ("role".to_owned(), false);
        }
        let id = if uri.ends_with("/security-credentials/role") {
            self.asked(Call::Instance { uri })
        } else {
            self.asked(Call::Container { uri, authorization: header("authorization") })
        };
        (document(&id), false)
    }
}

impl HttpConnector for FakeAws {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let (answer, has_ttl) = self.answer(&request);
        let mut response = HttpResponse::new(200.try_into().unwrap(), SdkBody::from(answer));
        if has_ttl {
            response.headers_mut().insert("x-aws-ec2-metadata-token-ttl-seconds", "21600");
        }
        HttpConnectorFuture::ready(Ok(response))
    }
}

/// A value of a form or a query.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digits = [rest.next().unwrap_or_default(), rest.next().unwrap_or_default()];
                u8::from_str_radix(std::str::from_utf8(&digits).unwrap_or_default(), 16).unwrap_or_default()
            }
            other => other,
        });
    }
    String::from_utf8(bytes).unwrap_or_default()
}

/// Keys as IMDS and the containers' endpoint have them.
fn document(id: &str) -> String {
    format!(
        r#"{{"Code": "Success", "Type": "AWS-HMAC", "AccessKeyId": "{id}", "SecretAccessKey": "s", "Token": "t",
            "LastUpdated": "2020-01-01T00:00:00Z", "Expiration": "2099-01-01T00:00:00Z"}}"#
    )
}

/// Keys as STS has them.
fn assumed(action: &str, id: &str) -> String {
    format!(
        "<{action}Response xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><{action}Result><Credentials>\
         <AccessKeyId>{id}</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken>\
         <Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></{action}Result></{action}Response>"
    )
}
