//! Random environments and shared files: two different answers never share a cache key; and where the AWS SDK's chain has
//! the order of the AWS CLI, which is ours, the answer is the SDK's, down to every role, session, token and endpoint.
//!
//! Each setup is looked at in a child process with a cleared environment, where the SDK's HTTP client is a fake that
//! writes down, in the keys that it hands out, what it was asked and by whom. All answers are then compared with all
//! others. `PROPTEST_CASES` says how many setups, 150 without it; `ECR_LOGIN_SEED` which.

mod environments;
mod sdk;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use ecr_login::credentials::{CredentialSelector, CredentialSource, EndpointConfig, Identity, IdentityError};
use ecr_login::os::environment::Environment;
use ecr_login::registry::Registry;
use ecr_login::settings::CredentialSettings;
use environments::{ENDPOINTS, Maker, REGISTRIES, REGISTRY, SourceSetup, prepare, principal};
use sdk::by_the_sdk;

/// What a setup's child says.
#[derive(Clone, Debug, Default)]
struct Seen {
    /// The SDK's answer, or why there is none.
    sdk: String,
    /// The host that its client of ECR asks.
    sdk_host: String,
    ours: String,
    our_host: String,
    cache_key: String,
}

fn seed() -> u64 {
    std::env::var("ECR_LOGIN_SEED").map_or(1, |text| text.parse().unwrap())
}

fn cases() -> u64 {
    std::env::var("PROPTEST_CASES").map_or(150, |text| text.parse().unwrap())
}

/// Looks at a setup in a child process.
fn look(setup: &SourceSetup, home: &Path) -> Seen {
    let aws = home.join(".aws");
    std::fs::write(aws.join("config"), &setup.config).unwrap();
    std::fs::write(aws.join("credentials"), &setup.credentials).unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "random::child", "--ignored", "--nocapture"]).env_clear().env("HOME", home);
    let output = child.envs(setup.variables.iter().map(|(name, value)| (name, value))).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let line = |prefix: &str| {
        let line = text.lines().find_map(|line| line.split_once(prefix));
        line.unwrap_or_else(|| panic!("no {prefix} in {text} of {setup:?}")).1.to_owned()
    };
    Seen {
        sdk: line("SDK> "),
        sdk_host: line("SDK-HOST> "),
        ours: line("WE> "),
        our_host: line("OUR-HOST> "),
        cache_key: line("FINGERPRINT> "),
    }
}

#[test]
fn no_two_answers_share_a_cache_key_and_in_one_order_ours_is_the_sdks() {
    let home = tempfile::tempdir().unwrap();
    // One for all setups: where an SSO login lies is part of its cache key.
    let home = home.path();
    prepare(home);
    let mut maker = Maker(fastrand::Rng::with_seed(seed()));
    let look = |_| {
        let setup = maker.setup(home.to_str().unwrap());
        let seen = look(&setup, home);
        (setup, seen)
    };
    judge(&(0..cases()).map(look).collect::<Vec<_>>());
}

#[test]
fn endpoints_that_are_to_be_ignored_are_ignored_for_credentials_too() {
    let home = tempfile::tempdir().unwrap();
    prepare(home.path());
    let keys = "aws_access_key_id = A\naws_secret_access_key = x\n";
    let role = "[default]\nrole_arn = arn:aws:iam::1:role/r\nsource_profile = default\nendpoint_url = http://e1\n";
    let config = format!("{role}{keys}ignore_configured_endpoint_urls = true\n");
    let setup = SourceSetup { variables: vec![(REGISTRY, REGISTRIES[0].to_owned())], config, ..SourceSetup::default() };
    let seen = look(&setup, home.path());
    let role = "arn:aws:iam::1:role/r,-,-)by keys(A,-)";
    assert_eq!((seen.sdk, seen.ours), (format!("role(http://e1,{role}"), format!("role(-,{role}")));
    assert_eq!(seen.our_host, "https://api.ecr.eu-west-1.amazonaws.com");
}

fn judge(all: &[(SourceSetup, Seen)]) {
    let mut of_fingerprint: BTreeMap<&str, (String, &SourceSetup)> = BTreeMap::new();
    let (mut answers, mut kinds) = (BTreeSet::new(), BTreeSet::new());
    let (mut compared, mut hits) = (0, Vec::new());
    for (setup, seen) in all {
        if seen.ours.starts_with('!') {
            continue;
        }
        compared += 1;
        // FIPS or dual-stack together with an endpoint of one's own is an error for the SDK: nobody is served by it.
        let refused = seen.sdk.starts_with("!") && has_endpoint_and_flag(setup);
        let sdk = if ignores_endpoints(setup) { without_endpoints(&seen.sdk) } else { seen.sdk.clone() };
        let ours = if ignores_endpoints(setup) { without_endpoints(&seen.ours) } else { seen.ours.clone() };
        if !refused && sdk != ours && !is_ordered_otherwise(setup) {
            hits.push(format!("SDK {sdk}\nwe  {ours}\n{setup:#?}"));
        }
        if !refused && seen.sdk_host != "-" && seen.sdk_host != seen.our_host {
            hits.push(format!("SDK asks {}\nwe ask   {}\n{setup:#?}", seen.sdk_host, seen.our_host));
        }
        // The program alone knows its network namespace, so that here an instance and a container have no cache key.
        kinds.insert(seen.ours.split('(').next().unwrap());
        if seen.cache_key == "-" || refused {
            continue;
        }
        // What stays of an answer without its endpoints is still another's than that with them.
        let answer = if ignores_endpoints(setup) || is_ordered_otherwise(setup) { &seen.ours } else { &seen.sdk };
        let answer = format!("{answer} at {}", seen.our_host);
        answers.insert(answer.clone());
        let (known, other) = of_fingerprint.entry(&seen.cache_key).or_insert((answer.clone(), setup));
        if *known != answer {
            hits.push(format!("one cache key:\n{known}\n{answer}\n{other:#?}\n{setup:#?}"));
        }
    }
    println!(
        "{} setups, {compared} with credentials, {} cache keys, {} different answers, of {kinds:?}",
        all.len(),
        of_fingerprint.len(),
        answers.len(),
    );
    assert!(hits.is_empty(), "{} hits, the first:\n{}", hits.len(), hits[0]);
    // The comparison is worth nothing if one source was used for all.
    for kind in ["keys", "role", "web", "sso", "container", "instance", "process"] {
        assert!(kinds.contains(kind), "{kind} was never used");
    }
    assert!(of_fingerprint.len() < compared, "no two setups had one identity");
}

/// Whether the setup has sources that the SDK has in another order: web identity of the environment, which it asks after
/// the profile, and keys of the credentials file, which it asks after all else of a profile.
fn is_ordered_otherwise(setup: &SourceSetup) -> bool {
    setup.variables.iter().any(|(name, _)| *name == "AWS_WEB_IDENTITY_TOKEN_FILE") || !setup.credentials.is_empty()
}

/// The SDK's providers of credentials ask configured endpoints of STS and SSO also where these are to be ignored.
fn ignores_endpoints(setup: &SourceSetup) -> bool {
    setup.config.contains("ignore_configured_endpoint_urls = true")
        || setup.variables.contains(&("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true".to_owned()))
}

fn without_endpoints(answer: &str) -> String {
    let mut answer = answer.to_owned();
    for endpoint in ENDPOINTS.iter().chain(&["eu-west-1", "us-east-1"]) {
        answer = answer.replace(&format!("({endpoint},"), "(-,");
    }
    answer
}

fn has_endpoint_and_flag(setup: &SourceSetup) -> bool {
    let says = |text: &str| setup.config.contains(text) || setup.variables.iter().any(|(name, _)| name.contains(text));
    (says("endpoint_url = ") || says("AWS_ENDPOINT_URL"))
        && ["use_fips_endpoint", "use_dualstack_endpoint", "AWS_USE_FIPS", "AWS_USE_DUALSTACK"]
            .iter()
            .any(|flag| says(flag))
}

/// Not a test: the child process of the other.
#[test]
#[ignore = "run by the other test, in an environment of its making"]
fn child() {
    let registry = Registry::parse(&std::env::var(REGISTRY).unwrap()).unwrap();
    let (sdk, sdk_host) = by_the_sdk(&registry);
    // As the binary does it; all setups are in one network namespace.
    ecr_login::os::network_namespace::ask_by(|| Some(1));
    let (ours, our_host, cache_key) = by_us(&registry);
    println!("\nSDK> {sdk}\nSDK-HOST> {sdk_host}\nWE> {ours}\nOUR-HOST> {our_host}\nFINGERPRINT> {cache_key}");
}

fn by_us(registry: &Registry) -> (String, String, String) {
    let find = || {
        Identity::resolve(
            &Environment::of_process(std::ffi::OsString::new()),
            CredentialSelector::Settings(&CredentialSettings::default()),
            registry,
        )
    };
    match find() {
        Ok(identity) => {
            let print = |identity: &Identity| identity.cache_key(1).map(|print| format!("{:02x?}", print.0));
            let cache_key = print(&identity);
            assert_eq!(cache_key, print(&find().unwrap()), "the same files and variables are the same identity");
            let network = &identity.network;
            let host = format!("https://{}", registry.api_host(network.use_fips, network.use_dual_stack));
            let host = network.ecr_endpoint.clone().unwrap_or(host);
            let answer = match &identity.source {
                CredentialSource::StaticKeys { id, secret, session_token } => {
                    let token = session_token.as_ref().map_or("-", |token| token.expose());
                    format!("keys({},{},{token})", id.expose(), secret.expose())
                }
                source => describe(source, network),
            };
            (answer, host, cache_key.unwrap_or_else(|| "-".to_owned()))
        }
        Err(IdentityError::NoSource { .. }) => ("!nobody".to_owned(), "-".to_owned(), "-".to_owned()),
        Err(error) => (format!("!{error}").replace('\n', " "), "-".to_owned(), "-".to_owned()),
    }
}

/// A source as the fake AWS of the SDK sees it.
fn describe(source: &CredentialSource, network: &EndpointConfig) -> String {
    let sts = network.sts_endpoint.as_deref().unwrap_or("-");
    let or_none = |text: &Option<String>| text.as_deref().unwrap_or("-").to_owned();
    match source {
        CredentialSource::StaticKeys { id, session_token, .. } => {
            format!("keys({},{})", id.expose(), session_token.as_ref().map_or("-", |token| token.expose()))
        }
        CredentialSource::CredentialProcess { command, .. } => {
            format!("process({})", command.expose().rsplit(' ').next().unwrap())
        }
        CredentialSource::Sso { account, role, region, start_url, session, .. } => {
            let host = network.sso_endpoint.clone().unwrap_or_else(|| region.clone());
            format!("sso({host},{account},{role},login-{})", session.as_ref().unwrap_or(start_url))
        }
        CredentialSource::WebIdentity { role_arn, session_name, token, .. } => {
            format!("web({sts},{},{},{})", role_arn, or_none(session_name), principal(token.expose()))
        }
        CredentialSource::Container { uri, authorization } => {
            format!("container({uri},{})", authorization.as_ref().map_or("-", |text| principal(text.expose())))
        }
        CredentialSource::Imds { endpoint } => format!("instance({endpoint})"),
        CredentialSource::AssumeRole { base, role_arn, session_name, external_id, .. } => {
            let (session, external) = (or_none(session_name), or_none(external_id));
            format!("role({sts},{role_arn},{session},{external})by {}", describe(base, network))
        }
        CredentialSource::LoginSession { .. } => "login".to_owned(),
        CredentialSource::RequestedWebIdentity { .. } => "of the settings".to_owned(),
    }
}
