//! A machine with every source on it, and what AWS learns of who calls.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Value, json};

use crate::support::{Call, FakeAws, Helper, Outcome, REGISTRY, Request, Running, jwt, login_file};

/// A machine on which one source has credentials, and the calls that its processes made.
pub struct Fixture {
    helper: Helper,
    pub aws: Arc<FakeAws>,
    /// Another AWS, for an endpoint that is changed.
    pub other: Arc<FakeAws>,
    pub variables: BTreeMap<String, OsString>,
    pub directory: PathBuf,
    pub registry: String,
    pub request: Option<Value>,
}

impl Fixture {
    pub fn new(aws: &Arc<FakeAws>, other: &Arc<FakeAws>) -> Self {
        let (aws, other) = (Arc::clone(aws), Arc::clone(other));
        let helper = Helper::new();
        let mut fixture = Self {
            directory: helper.home().join("one"),
            helper,
            aws,
            other,
            variables: BTreeMap::new(),
            registry: REGISTRY.to_owned(),
            request: None,
        };
        fixture.files(fixture.home(), "one");
        fixture.files(&fixture.home().join("elsewhere"), "two");
        fixture.set("HOME", fixture.home().as_os_str().to_owned());
        fixture.set("PATH", format!("{0}/one/bin:/usr/bin:/bin", fixture.home().display()));
        fixture.set("AWS_ENDPOINT_URL", fixture.aws.url());
        fixture.set("AWS_EC2_METADATA_DISABLED", "true");
        fixture.set("AWS_ECR_CACHE_DIR", fixture.home().join("cache"));
        fixture.set("ECR_LOGIN_BACKGROUND", "0");
        fixture
    }

    pub fn home(&self) -> &Path {
        self.helper.home()
    }

    pub fn set(&mut self, name: &str, value: impl Into<OsString>) {
        self.variables.insert(name.to_owned(), value.into());
    }

    pub fn unset(&mut self, name: &str) {
        self.variables.remove(name);
    }

    /// Everything that sources read, below a home, with `who` in it.
    fn files(&self, home: &Path, who: &str) {
        let write = |path: &str, text: String| {
            let path = home.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        let top = self.home().display();
        let config = CONFIG.replace("WHO", who).replace("HOME", &top.to_string());
        write(".aws/config", config.clone());
        write("one/aws-config", config.clone());
        write("two/aws-config", config.replace("folder = one", "folder = two"));
        write(".aws/credentials", CREDENTIALS.replace("WHO", &who.to_uppercase()));
        write(".config/ecr-login/config.toml", SETTINGS.to_owned());
        for (session, person) in [("corp", who.to_owned()), ("https://legacy.example/start", format!("legacy-{who}"))] {
            let login = json!({ "startUrl": "https://x.example", "region": "eu-west-1", "accessToken": person,
                "expiresAt": "2099-01-01T00:00:00Z" });
            write(&login_file(session), login.to_string());
        }
        write("token", jwt(&claims("octocat")));
        write("token-two", jwt(&claims("hubot")));
        write("opaque", format!("opaque-{who}"));
        for folder in ["one", "two"] {
            let key = format!("AKID{}{}", who.to_uppercase(), folder.to_uppercase());
            // By the shell's own means alone, since PATH is one of the things that change.
            let script = format!(
                "#!/bin/sh\nwhile IFS=' =' read -r name value; do case $name in who_pulls) key=$value;; esac\n\
                 done <\"${{AWS_CONFIG_FILE:-$HOME/.aws/config}}\"\n\
                 echo '{{\"Version\":1,\"AccessKeyId\":\"'{key}$key${{AWS_PROFILE}}${{AWS_REGION}}$1'\",\"SecretAccessKey\":\"s\"}}'\n"
            );
            for name in ["creds", "bin/creds"] {
                write(&format!("{folder}/{name}"), script.clone());
                use std::os::unix::fs::PermissionsExt;
                let path = home.join(folder).join(name);
                fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
            }
            write(&format!("{folder}/sub/file"), String::new());
        }
    }

    /// Replaces a text in a file of the home, which must be there.
    pub fn edit(&self, path: &str, old: &str, new: &str) {
        let path = self.home().join(path);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(old), "{}: {old}", path.display());
        fs::write(path, text.replace(old, new)).unwrap();
    }

    fn run(&self, variables: &[(&str, &str)]) -> Outcome {
        let mut command = self.helper.command([if self.request.is_some() { "kubelet" } else { "get" }]);
        command.env_clear().envs(&self.variables).envs(variables.iter().copied()).current_dir(&self.directory);
        let input = self.request.as_ref().map_or(self.registry.clone(), Value::to_string);
        Running::start(command, input.as_bytes()).wait()
    }

    /// Runs it, and says who AWS was told it was: nobody, where the answer came from the cache.
    pub fn told(&self, variables: &[(&str, &str)]) -> (Option<String>, Vec<String>) {
        let before = (self.aws.all_calls().len(), self.other.all_calls().len());
        let outcome = self.run(variables);
        let mut told: Vec<String> = self.aws.all_calls()[before.0..].iter().map(|call| asked("one", call)).collect();
        told.extend(self.other.all_calls()[before.1..].iter().map(|call| asked("two", call)));
        let password = password(&outcome);
        if password.is_none() {
            told.push("and fails".to_owned());
        }
        (password, told)
    }
}

/// The password in an answer of either protocol.
fn password(outcome: &Outcome) -> Option<String> {
    if outcome.code != Some(0) {
        return None;
    }
    let answer: Value = serde_json::from_str(&outcome.stdout).unwrap();
    let of_kubelet = answer["auth"].as_object().and_then(|auth| auth.values().next()).map(|auth| &auth["password"]);
    Some(of_kubelet.unwrap_or(&answer["Secret"]).as_str().unwrap().to_owned())
}

/// What a service learns of the caller: all of a call but times, signatures, and what the fake itself issued before.
fn asked(server: &str, call: &Call) -> String {
    let request = &call.request;
    let issued = |text: &str| {
        if text.contains("ASIAFAKE") || text.starts_with("fake-") { "issued".into() } else { text.to_owned() }
    };
    let mut parts =
        vec![format!("{server} {:?} {} {} {:?}", call.service, request.method, request.path, request.query)];
    if let Some(key) = request.access_key() {
        parts.push(format!("key {} for {:?}", issued(key), request.region()));
    } else if let Some(authorization) = request.header("authorization") {
        parts.push(format!("authorization {}", without_times(authorization, true)));
    }
    for name in ["x-amz-security-token", "x-amz-sso_bearer_token"] {
        if let Some(value) = request.header(name) {
            parts.push(format!("{name} {}", issued(value)));
        }
    }
    for name in ["RoleArn", "RoleSessionName", "ExternalId"] {
        parts.extend(request.form(name).map(|value| format!("{name} {value}")));
    }
    parts.extend(token_of(request).map(|token| format!("token {}", without_times(&token, false))));
    parts.join("; ")
}

fn token_of(request: &Request) -> Option<String> {
    request.form("WebIdentityToken")
}

/// A token's claims but for those that change with each one; of a service account's for STS, without its pod's.
fn without_times(token: &str, pods_count: bool) -> String {
    use base64::Engine as _;
    let payload =
        token.split('.').nth(1).and_then(|part| base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(part).ok());
    let Some(mut claims) = payload.and_then(|json| serde_json::from_slice::<BTreeMap<String, Value>>(&json).ok())
    else {
        return token.to_owned();
    };
    claims.retain(|name, _| !["exp", "nbf", "iat", "jti"].contains(&name.as_str()));
    if let Some(kubernetes) = claims.get_mut("kubernetes.io").and_then(Value::as_object_mut) {
        kubernetes.retain(|name, _| name != "warnafter" && (pods_count || !["pod", "node"].contains(&name.as_str())));
    }
    format!("{claims:?}")
}

pub const CONFIG: &str = "\
[profile dev]
who_pulls = WHO
folder = one
[profile keys]
region = eu-west-1
[profile role]
role_arn = arn:aws:iam::123456789012:role/WHO
role_session_name = session-WHO
external_id = external-WHO
source_profile = keys
[profile chain]
role_arn = arn:aws:iam::123456789012:role/last
source_profile = role
[profile by-environment]
role_arn = arn:aws:iam::123456789012:role/WHO
credential_source = Environment
[profile by-instance]
role_arn = arn:aws:iam::123456789012:role/WHO
credential_source = Ec2InstanceMetadata
[profile by-container]
role_arn = arn:aws:iam::123456789012:role/WHO
credential_source = EcsContainer
[profile web]
role_arn = arn:aws:iam::123456789012:role/WHO
role_session_name = session-WHO
web_identity_token_file = HOME/token
[sso-session corp]
sso_region = eu-west-1
sso_start_url = https://WHO.example/start
[profile sso]
sso_session = corp
sso_account_id = 123456789012
sso_role_name = role-WHO
[profile legacy]
sso_start_url = https://legacy.example/start
sso_region = eu-west-1
sso_account_id = 123456789012
sso_role_name = role-WHO
[profile process]
credential_process = HOME/one/creds argWHO
[profile path]
credential_process = creds argWHO
[profile relative]
credential_process = ./creds argWHO
[profile script]
credential_process = /bin/sh -c './creds $ARGUMENT'
[profile interpreter]
credential_process = /bin/sh HOME/one/creds argWHO
[profile role-by-process]
role_arn = arn:aws:iam::123456789012:role/WHO
source_profile = process
";

pub const CREDENTIALS: &str = "\
[keys]
aws_access_key_id = AKIDFILEWHO
aws_secret_access_key = secret
aws_session_token = tokenWHO
[spare]
aws_access_key_id = AKIDSPAREWHO
aws_secret_access_key = secret
";

const SETTINGS: &str = "\
[[registry]]
match = \"999999999999.dkr.ecr.*.amazonaws.com\"
profile = \"spare\"
";

pub fn claims(actor: &str) -> Value {
    json!({
        "iss": "https://token.actions.githubusercontent.com", "aud": "sts.amazonaws.com", "sub": "repo:o/r:ref:main",
        "actor": actor, "job_workflow_ref": "o/r/.github/workflows/a.yml@main", "environment": "prod",
        "repository_id": "74", "run_attempt": 1, "exp": 4_102_444_800_u64, "nbf": 1, "iat": 1, "jti": "one",
    })
}
