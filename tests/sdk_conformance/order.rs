//! Our order of credential sources against the AWS SDK's real default chain: for every source alone and every
//! pair of sources present at once, both must choose the same one, down to the roles of a chain.
//!
//! Each case runs in a child process of this test binary with a cleared environment. Both are asked there; the
//! SDK's HTTP client is a fake in the process that answers with keys named after what was asked of it, so no
//! case touches a network.

use std::collections::BTreeSet;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::sdk_answers::{assumed, document, login_name, portal, signer};
use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_credential_types::provider::ProvideCredentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;
use ecr_login::credentials::{CredentialSelector, CredentialSource, Identity, IdentityError};
use ecr_login::os::environment::Environment;
use ecr_login::registry::Registry;
use ecr_login::settings::CredentialSettings;

/// One source of credentials, as a person sets it up.
#[derive(Clone, Copy, Default)]
struct Setup {
    name: &'static str,
    /// Lines of the profile in force, in the config file.
    config: &'static str,
    /// Lines of the profile in force, in the credentials file.
    credentials: &'static str,
    /// Other sections of the config file.
    sections: &'static str,
    variables: &'static [(&'static str, &'static str)],
}

const SETUPS: &[Setup] = &[
    Setup {
        name: "keys in the environment",
        variables: &[("AWS_ACCESS_KEY_ID", "ENVIRONMENT"), ("AWS_SECRET_ACCESS_KEY", "s")],
        ..NOTHING
    },
    Setup { name: "half a pair of keys", variables: &[("AWS_ACCESS_KEY_ID", "HALF")], ..NOTHING },
    Setup {
        name: "keys in the credentials file",
        credentials: "aws_access_key_id = FILE\naws_secret_access_key = s\n",
        ..NOTHING
    },
    Setup {
        name: "keys in the config file",
        config: "aws_access_key_id = CONFIG\naws_secret_access_key = s\n",
        ..NOTHING
    },
    Setup { name: "half a pair of keys in a file", config: "aws_secret_access_key = s\n", ..NOTHING },
    Setup { name: "a profile without credentials", config: "region = eu-west-1\n", ..NOTHING },
    Setup {
        name: "a chain of three roles",
        config: "role_arn = arn:aws:iam::1:role/one\nsource_profile = two\n",
        sections: "[profile two]\nrole_arn = arn:aws:iam::1:role/two\nsource_profile = three\n\
                   [profile three]\nrole_arn = arn:aws:iam::1:role/three\nsource_profile = base\n\
                   [profile base]\naws_access_key_id = BASE\naws_secret_access_key = s\n",
        ..NOTHING
    },
    Setup {
        name: "a role over the profile's own keys",
        config: "role_arn = arn:aws:iam::1:role/self\nsource_profile = chosen\n",
        ..NOTHING
    },
    Setup {
        name: "a role by the environment",
        config: "role_arn = arn:aws:iam::1:role/env\ncredential_source = Environment\n",
        ..NOTHING
    },
    Setup {
        name: "a role by the container",
        config: "role_arn = arn:aws:iam::1:role/ecs\ncredential_source = ecscontainer\n",
        ..NOTHING
    },
    Setup {
        name: "a role by the instance",
        config: "role_arn = arn:aws:iam::1:role/ec2\ncredential_source = Ec2InstanceMetadata\n",
        ..NOTHING
    },
    Setup { name: "a credential_source alone", config: "credential_source = Ec2InstanceMetadata\n", ..NOTHING },
    Setup { name: "an unknown credential_source", config: "credential_source = Mars\n", ..NOTHING },
    Setup {
        name: "an SSO session",
        config: "sso_session = dev\nsso_account_id = 1\nsso_role_name = Session\n",
        sections: "[sso-session dev]\nsso_region = eu-west-1\nsso_start_url = https://start/session\n",
        ..NOTHING
    },
    Setup {
        name: "legacy SSO",
        config: "sso_start_url = https://start/legacy\nsso_region = eu-west-1\nsso_account_id = 1\nsso_role_name = Legacy\n",
        ..NOTHING
    },
    Setup { name: "SSO without its account", config: "sso_role_name = Legacy\n", ..NOTHING },
    Setup {
        name: "SSO without its region",
        config: "sso_start_url = https://start/legacy\nsso_account_id = 1\nsso_role_name = Legacy\n",
        ..NOTHING
    },
    Setup {
        name: "SSO for a token alone",
        config: "sso_start_url = https://start/legacy\nsso_region = eu-west-1\n",
        ..NOTHING
    },
    Setup { name: "a process", config: "credential_process = /bin/sh HOME/process\n", ..NOTHING },
    Setup {
        name: "web identity of the profile",
        config: "role_arn = arn:aws:iam::1:role/web\nweb_identity_token_file = HOME/token\n",
        ..NOTHING
    },
    Setup { name: "a token file without a role", config: "web_identity_token_file = HOME/token\n", ..NOTHING },
    Setup {
        name: "a role over web identity",
        config: "role_arn = arn:aws:iam::1:role/over\nsource_profile = web\n",
        sections: "[profile web]\nrole_arn = arn:aws:iam::1:role/web\nweb_identity_token_file = HOME/token\n",
        ..NOTHING
    },
    Setup {
        name: "a role over a profile without credentials",
        config: "role_arn = arn:aws:iam::1:role/over\nsource_profile = bare\n",
        sections: "[profile bare]\nregion = eu-west-1\n",
        ..NOTHING
    },
    Setup {
        name: "web identity of the environment",
        variables: &[("AWS_WEB_IDENTITY_TOKEN_FILE", "HOME/token"), ("AWS_ROLE_ARN", "arn:aws:iam::1:role/irsa")],
        ..NOTHING
    },
    Setup {
        name: "a token file of the environment without a role",
        variables: &[("AWS_WEB_IDENTITY_TOKEN_FILE", "HOME/token")],
        ..NOTHING
    },
    Setup { name: "ECS", variables: &[("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2/credentials/ecs")], ..NOTHING },
    Setup {
        name: "EKS Pod Identity",
        variables: &[
            ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://169.254.170.23/v1/credentials"),
            ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "HOME/token"),
        ],
        ..NOTHING
    },
    Setup {
        name: "a container's URI that is not allowed",
        variables: &[("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://192.0.2.1/v1/credentials")],
        ..NOTHING
    },
    Setup { name: "no instance metadata", variables: &[("AWS_EC2_METADATA_DISABLED", "True")], ..NOTHING },
];

/// Tells a child which profile the settings choose.
const CHOSEN: &str = "PROFILE_OF_THE_SETTINGS";

const NOTHING: Setup = Setup { name: "", config: "", credentials: "", sections: "", variables: &[] };

/// What the SDK does with a file it cannot parse, keys it finds twice and the like is the parser's test; these are
/// files whole.
struct Case {
    name: String,
    variables: Vec<(String, String)>,
}

/// A home directory for `setups`, whose profile in force is `chosen`, named by `AWS_PROFILE` or not.
fn case(setups: &[Setup], named: bool, home: &tempfile::TempDir) -> Case {
    let path = home.path().to_str().unwrap();
    let join = |part: fn(&Setup) -> &str| setups.iter().map(part).collect::<String>().replace("HOME", path);
    let profile = if named { "chosen" } else { "default" };
    let config = join(|setup| setup.config);
    let config = if config.is_empty() {
        String::new()
    } else {
        format!("[profile {profile}]\n{}", config.replace("= chosen", &format!("= {profile}")))
    };
    let credentials = join(|setup| setup.credentials);
    let credentials = if credentials.is_empty() { String::new() } else { format!("[{profile}]\n{credentials}") };
    let exists = !config.is_empty() || !credentials.is_empty();
    let aws = home.path().join(".aws");
    let cache = aws.join("sso/cache");
    std::fs::create_dir_all(&cache).unwrap();
    std::fs::write(aws.join("config"), config + &join(|setup| setup.sections)).unwrap();
    std::fs::write(aws.join("credentials"), credentials).unwrap();
    std::fs::write(home.path().join("token"), "token").unwrap();
    std::fs::write(
        home.path().join("process"),
        r#"echo '{"Version": 1, "AccessKeyId": "process", "SecretAccessKey": "s"}'"#,
    )
    .unwrap();
    for identifier in ["dev", "https://start/legacy"] {
        let login = r#"{"accessToken": "t", "expiresAt": "2099-01-01T00:00:00Z"}"#;
        std::fs::write(cache.join(login_name(identifier)), login).unwrap();
    }
    let mut variables = vec![("HOME".to_owned(), path.to_owned())];
    if named && exists {
        variables.push(("AWS_PROFILE".to_owned(), profile.to_owned()));
    }
    for setup in setups {
        variables.extend(setup.variables.iter().map(|(name, value)| ((*name).to_owned(), value.replace("HOME", path))));
    }
    Case { name: setups.iter().map(|setup| setup.name).collect::<Vec<_>>().join(" + "), variables }
}

/// Runs the case in a child process: whom the SDK takes, and whom we take.
fn ask(case: &Case) -> (String, String) {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "order::child", "--ignored", "--nocapture"])
        .env_clear()
        .envs(case.variables.iter().map(|(name, value)| (name, value)))
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let line = |prefix: &str| {
        let line = text.lines().find_map(|line| line.split_once(prefix));
        line.unwrap_or_else(|| panic!("{}: no {prefix} in {text}", case.name)).1.to_owned()
    };
    (line("SDK "), line("WE "))
}

/// Asks all cases, as many at once as there are processors; the outcomes in which SDK and we differ, and all
/// sources that spoke.
fn compare(cases: Vec<(Vec<Setup>, bool)>) -> (Vec<String>, BTreeSet<String>) {
    let next = AtomicUsize::new(0);
    let different = Mutex::new(Vec::new());
    let spoke = Mutex::new(BTreeSet::new());
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(2, usize::from) {
            scope.spawn(|| {
                while let Some((setups, named)) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let home = tempfile::tempdir().unwrap();
                    let case = case(setups, *named, &home);
                    let (sdk, we) = ask(&case);
                    if sdk != we {
                        different.lock().unwrap().push(format!("{} (named: {named}): SDK {sdk}, we {we}", case.name));
                    }
                    spoke.lock().unwrap().insert(we);
                }
            });
        }
    });
    (different.into_inner().unwrap(), spoke.into_inner().unwrap())
}

#[test]
fn each_source_alone_and_each_pair_of_sources_speaks_as_in_the_sdk() {
    let mut cases: Vec<(Vec<Setup>, bool)> = vec![(Vec::new(), false)];
    for (at, first) in SETUPS.iter().enumerate() {
        cases.push((vec![*first], false));
        cases.push((vec![*first], true));
        for second in &SETUPS[at + 1..] {
            cases.push((vec![*first, *second], (at + cases.len()).is_multiple_of(2)));
        }
    }
    let (different, spoke) = compare(cases);
    assert!(different.is_empty(), "{}", different.join("\n"));
    // The comparison is worth nothing if everything failed, or one source spoke for all.
    for source in [
        "keys ENVIRONMENT",
        "keys FILE",
        "keys CONFIG",
        "one(two(three(keys BASE)))",
        "self(keys FILE)",
        "ecs(container /v2/credentials/ecs)",
        "ec2(instance)",
        "sso Session",
        "sso Legacy",
        "process",
        "web web token",
        "over(web web token)",
        "web irsa token",
        "container /v2/credentials/ecs",
        "container /v1/credentials",
        "instance",
        "nobody",
        "error",
    ] {
        assert!(spoke.contains(source), "{source} never spoke: {spoke:?}");
    }
}

#[test]
fn a_profile_that_the_settings_choose_speaks_as_in_the_sdk_whatever_the_environment_has() {
    let keys = SETUPS[0];
    let mut spoke = BTreeSet::new();
    for setup in SETUPS.iter().filter(|setup| !setup.config.is_empty() || !setup.credentials.is_empty()) {
        let home = tempfile::tempdir().unwrap();
        let mut case = case(&[keys, *setup], true, &home);
        case.variables.push((CHOSEN.to_owned(), "chosen".to_owned()));
        let (sdk, we) = ask(&case);
        // Alone, a profile that has nothing to say is an error.
        let sdk = if sdk == "nobody" { "error".to_owned() } else { sdk };
        assert_eq!(sdk, we, "{}", case.name);
        spoke.insert(we);
    }
    for source in
        ["keys FILE", "one(two(three(keys BASE)))", "env(keys ENVIRONMENT)", "sso Session", "process", "error"]
    {
        assert!(spoke.contains(source), "{source} never spoke: {spoke:?}");
    }
    assert!(!spoke.contains("keys ENVIRONMENT"));
}

#[test]
fn a_named_profile_that_does_not_exist_is_our_one_departure() {
    let irsa = [("AWS_WEB_IDENTITY_TOKEN_FILE", "HOME/token"), ("AWS_ROLE_ARN", "arn:aws:iam::1:role/irsa")];
    let home = tempfile::tempdir().unwrap();
    let mut case = case(&[], false, &home);
    let token = home.path().join("token");
    case.variables
        .extend(irsa.map(|(name, value)| (name.to_owned(), value.replace("HOME/token", token.to_str().unwrap()))));
    case.variables.push(("AWS_PROFILE".to_owned(), "gone".to_owned()));
    assert_eq!(ask(&case), ("web irsa token".to_owned(), "error".to_owned()));
}

/// Not a test: the child process of the others.
#[test]
#[ignore = "run by the other tests, in an environment of their making"]
fn child() {
    println!("SDK {}", by_the_sdk());
    println!("WE {}", by_us());
}

fn by_us() -> String {
    let registry = Registry::parse("123456789012.dkr.ecr.eu-west-1.amazonaws.com").unwrap();
    let speaker = CredentialSettings { profile: std::env::var(CHOSEN).ok(), ..CredentialSettings::default() };
    match Identity::resolve(&Environment::of_process(), CredentialSelector::Settings(&speaker), &registry) {
        Ok(identity) => describe(&identity.source),
        Err(IdentityError::NoSource { .. }) => "nobody".to_owned(),
        Err(_) => "error".to_owned(),
    }
}

fn describe(source: &CredentialSource) -> String {
    let name = |arn: &str| arn.rsplit('/').next().unwrap().to_owned();
    match source {
        CredentialSource::StaticKeys { id, .. } => format!("keys {}", id.expose()),
        CredentialSource::CredentialProcess { .. } => "process".to_owned(),
        CredentialSource::Sso { role, .. } => format!("sso {role}"),
        CredentialSource::WebIdentity { role_arn, token, .. } => format!("web {} {}", name(role_arn), token.expose()),
        CredentialSource::Container { uri, .. } => format!("container {}", path(uri)),
        CredentialSource::Imds { .. } => "instance".to_owned(),
        CredentialSource::AssumeRole { base, role_arn, .. } => format!("{}({})", name(role_arn), describe(base)),
        CredentialSource::LoginSession { .. } => "login".to_owned(),
    }
}

fn by_the_sdk() -> String {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let fake = http_client_fn(|_, _| SharedHttpConnector::new(FakeAws));
    let region = aws_config::Region::new("eu-west-1");
    let outcome = runtime.block_on(async {
        if let Ok(profile) = std::env::var(CHOSEN) {
            let config = ProviderConfig::without_region().with_http_client(fake).with_region(Some(region));
            let provider = ProfileFileCredentialsProvider::builder().configure(&config).profile_name(profile).build();
            return provider.provide_credentials().await;
        }
        let config =
            aws_config::defaults(aws_config::BehaviorVersion::latest()).region(region).http_client(fake).load().await;
        config.credentials_provider().unwrap().provide_credentials().await
    });
    match outcome {
        // The fake's keys say whose they are; the others are as they stand in files and variables.
        Ok(keys) if keys.access_key_id().chars().all(|c| c.is_ascii_uppercase()) => {
            format!("keys {}", keys.access_key_id())
        }
        Ok(keys) => keys.access_key_id().to_owned(),
        Err(CredentialsError::CredentialsNotLoaded(_)) => "nobody".to_owned(),
        Err(_) => "error".to_owned(),
    }
}

fn path(uri: &str) -> String {
    let rest = uri.split_once("://").map_or(uri, |(_, rest)| rest);
    rest[rest.find('/').unwrap()..].to_owned()
}

/// AWS as far as credentials need it: the access key id of what it hands out says what was asked, and by whom.
#[derive(Debug)]
struct FakeAws;

impl HttpConnector for FakeAws {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let body = String::from_utf8_lossy(request.body().bytes().unwrap_or_default()).into_owned();
        let field = |name: &str| {
            let value = body.split('&').find_map(|field| field.strip_prefix(name)).unwrap_or_default();
            value.rsplit("%2F").next().unwrap_or_default().to_owned()
        };
        let uri = request.uri().to_owned();
        let (mut status, mut answer, mut ttl) = (200, String::new(), false);
        if uri.contains("//sts.") && body.contains("Action=AssumeRoleWithWebIdentity") {
            let token = body.split('&').find_map(|field| field.strip_prefix("WebIdentityToken=")).unwrap_or_default();
            answer = assumed("AssumeRoleWithWebIdentity", &format!("web {} {token}", field("RoleArn=")));
        } else if uri.contains("//sts.") {
            let key = signer(request.headers().get("authorization").unwrap_or_default());
            let by = if key.chars().all(|c| c.is_ascii_uppercase()) { format!("keys {key}") } else { key.to_owned() };
            answer = assumed("AssumeRole", &format!("{}({by})", field("RoleArn=")));
        } else if uri.contains("//portal.sso.") {
            let role = uri.split_once("role_name=").unwrap().1.split('&').next().unwrap();
            answer = portal(&format!("sso {role}"));
        } else if uri.starts_with("http://169.254.169.254") {
            ttl = uri.ends_with("/api/token");
            answer = if ttl || uri.ends_with("/security-credentials/") { "x".to_owned() } else { document("instance") };
        } else if uri.contains("//169.254.170.") {
            answer = document(&format!("container {}", path(&uri)));
        } else {
            status = 500;
        }
        let mut response = HttpResponse::new(status.try_into().unwrap(), SdkBody::from(answer));
        if ttl {
            response.headers_mut().insert("x-aws-ec2-metadata-token-ttl-seconds", "21600");
        }
        HttpConnectorFuture::ready(Ok(response))
    }
}
