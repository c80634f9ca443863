//! The endpoint that we find for ECR, ECR Public and STS against the one that the SDK's own clients ask, with what
//! variables, profiles and `services` sections say, one at a time and in pairs.
//!
//! Each case runs in a child process of this test binary with a cleared environment; the SDK's HTTP client is a fake
//! that notes the host and refuses, so no case touches a network.

use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use aws_config::retry::RetryConfig;
use aws_credential_types::Credentials;
use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;
use ecr_login::credentials::{CredentialSelector, Identity};
use ecr_login::os::environment::Environment;
use ecr_login::registry::Registry;
use ecr_login::settings::CredentialSettings;

/// Lines of the profile in force, and variables.
const SETTINGS: &[(&str, &[(&str, &str)])] = &[
    ("", &[("AWS_ENDPOINT_URL", "http://common.variable")]),
    ("", &[("AWS_ENDPOINT_URL_ECR", "http://ecr.variable:1")]),
    ("", &[("AWS_ENDPOINT_URL_ECR_PUBLIC", "https://public.variable")]),
    ("", &[("AWS_ENDPOINT_URL_STS", "http://sts.variable")]),
    ("", &[("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "TRUE")]),
    ("", &[("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "maybe")]),
    ("", &[("AWS_USE_DUALSTACK_ENDPOINT", "true")]),
    ("", &[("AWS_USE_DUALSTACK_ENDPOINT", "1")]),
    ("endpoint_url = http://common.profile\n", &[]),
    ("services = mine\n", &[]),
    ("services = none\n", &[]),
    ("ignore_configured_endpoint_urls = true\n", &[]),
    ("use_dualstack_endpoint = true\n", &[]),
    ("use_dualstack_endpoint = false\n", &[]),
];

const SERVICES: &str = "[services mine]\necr =\n  endpoint_url = http://ecr.services\n  other = x\nsts =\n  \
                        endpoint_url=http://sts.services\n[services other]\necr =\n  endpoint_url = http://other\n";

/// FIPS apart: with an endpoint of one's own the SDK fails, which nobody is served by.
const FIPS: &[(&str, &[(&str, &str)])] = &[
    ("", &[("AWS_USE_FIPS_ENDPOINT", "True")]),
    ("use_fips_endpoint = true\n", &[]),
    ("use_fips_endpoint = true\n", &[("AWS_USE_FIPS_ENDPOINT", "false")]),
    ("use_fips_endpoint = true\nuse_dualstack_endpoint = true\n", &[]),
];

/// The profile's lines, the variables, and whether `AWS_PROFILE` names the profile.
type Case = (String, Vec<(&'static str, &'static str)>, bool);

/// What stands for the SDK's host where it fails before it asks.
const NOBODY: &str = "nobody";

/// The endpoints in a child process: the SDK's and ours.
fn ask(config: &str, variables: &[(&str, &str)], named: bool) -> (String, String) {
    let home = tempfile::tempdir().unwrap();
    std::fs::create_dir(home.path().join(".aws")).unwrap();
    let profile = if named { "profile chosen" } else { "default" };
    let other = if named { "[default]\nendpoint_url = http://not.in.force\n" } else { "" };
    std::fs::write(home.path().join(".aws/config"), format!("{other}[{profile}]\n{config}{SERVICES}")).unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "endpoint::child", "--ignored", "--nocapture"]).env_clear().env("HOME", home.path());
    child.env("AWS_ACCESS_KEY_ID", "AKIA").env("AWS_SECRET_ACCESS_KEY", "s").envs(variables.iter().copied());
    if named {
        child.env("AWS_PROFILE", "chosen");
    }
    let text = String::from_utf8(child.output().unwrap().stdout).unwrap();
    let line = |prefix: &str| {
        let line = text.lines().find_map(|line| line.split_once(prefix));
        line.unwrap_or_else(|| panic!("{config} {variables:?}: no {prefix} in {text}")).1.to_owned()
    };
    (line("SDK "), line("WE "))
}

#[test]
fn each_setting_and_each_pair_of_settings_leads_where_the_sdk_would_go() {
    let mut cases: Vec<Case> = vec![(String::new(), Vec::new(), false)];
    for (at, (config, variables)) in SETTINGS.iter().enumerate() {
        cases.push(((*config).to_owned(), variables.to_vec(), false));
        for (other_config, other_variables) in &SETTINGS[at + 1..] {
            // The same variable twice is not a pair.
            if variables.first().map(|v| v.0) != other_variables.first().map(|v| v.0) || variables.is_empty() {
                let variables = [*variables, *other_variables].concat();
                cases.push((format!("{config}{other_config}"), variables, cases.len().is_multiple_of(2)));
            }
        }
    }
    cases.extend(FIPS.iter().map(|(config, variables)| ((*config).to_owned(), variables.to_vec(), true)));
    let next = AtomicUsize::new(0);
    let different = Mutex::new(Vec::new());
    let seen = Mutex::new(String::new());
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(2, usize::from) {
            scope.spawn(|| {
                while let Some((config, variables, named)) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let (sdk, we) = ask(config, variables, *named);
                    // Where the SDK asks nobody (dual-stack together with an endpoint of one's own is an error for
                    // it), we ask the endpoint that was said.
                    let same =
                        sdk.split(' ').zip(we.split(' ')).all(|(sdk, we)| sdk == we || sdk == NOBODY && we != "-");
                    if !same {
                        different.lock().unwrap().push(format!("{config:?} {variables:?}: SDK {sdk}, we {we}"));
                    }
                    *seen.lock().unwrap() += &we;
                }
            });
        }
    });
    let different = different.into_inner().unwrap();
    assert!(different.is_empty(), "{}", different.join("\n"));
    let seen = seen.into_inner().unwrap();
    for host in [
        "http://common.variable",
        "http://ecr.variable:1",
        "https://public.variable",
        "http://sts.variable",
        "http://common.profile",
        "http://ecr.services",
        "http://sts.services",
        "https://api.ecr.us-east-1.amazonaws.com",
        "https://ecr.us-east-1.api.aws",
        "https://ecr-fips.us-east-1.amazonaws.com",
    ] {
        assert!(seen.contains(host), "{host} never came up");
    }
    assert!(!seen.contains("not.in.force"));
}

/// Not a test: the child process.
#[test]
#[ignore = "run by the other test, in an environment of its making"]
fn child() {
    println!("SDK {}", by_the_sdk());
    println!("WE {}", by_us());
}

fn by_us() -> String {
    let of = |name: &str| {
        let registry = Registry::parse(name).unwrap();
        let environment = Environment::of_process(std::ffi::OsString::new());
        let identity =
            Identity::resolve(&environment, CredentialSelector::Settings(&CredentialSettings::default()), &registry)
                .unwrap();
        let network = identity.network;
        let host = registry.api_host(network.use_fips, network.use_dual_stack);
        (network.ecr_endpoint.unwrap_or(format!("https://{host}")), network.sts_endpoint)
    };
    let (ecr, sts) = of("123456789012.dkr.ecr.us-east-1.amazonaws.com");
    let (public, _) = of("public.ecr.aws");
    let sts = sts.filter(|url| !url.contains("amazonaws.com") && !url.contains(".api.aws"));
    // FIPS and dual-stack make ECR Public's SDK resolve hosts that do not exist; only overrides are compared.
    let public = Some(public).filter(|url| !url.contains("aws"));
    format!("{ecr} {} {}", public.as_deref().unwrap_or("-"), sts.as_deref().unwrap_or("-"))
}

#[derive(Clone, Debug, Default)]
struct Noted(Arc<Mutex<String>>);

impl HttpConnector for Noted {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let uri = request.uri();
        let (scheme, rest) = uri.split_once("://").unwrap();
        *self.0.lock().unwrap() = format!("{scheme}://{}", rest.split('/').next().unwrap());
        HttpConnectorFuture::ready(Ok(HttpResponse::new(400.try_into().unwrap(), SdkBody::from("{}"))))
    }
}

fn by_the_sdk() -> String {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let noted = Noted::default();
    let connector = noted.clone();
    runtime.block_on(async {
        let config = aws_config::defaults(aws_config::BehaviorVersion::latest())
            .region(aws_config::Region::new("us-east-1"))
            .credentials_provider(Credentials::new("AKIA", "s", None, None, "test"))
            .retry_config(RetryConfig::disabled())
            .http_client(http_client_fn(move |_, _| SharedHttpConnector::new(connector.clone())))
            .load()
            .await;
        let host = || Some(std::mem::take(&mut *noted.0.lock().unwrap())).filter(|host| !host.is_empty());
        let host = || host().unwrap_or_else(|| NOBODY.to_owned());
        let overridden = |host: String| if host.contains("aws") { "-".to_owned() } else { host };
        let _ = aws_sdk_ecr::Client::new(&config).get_authorization_token().send().await;
        // The general reference documents another host than the SDK's rule set has: tests/integration/registry/endpoints.rs.
        let ecr = host().replace("//api.ecr-fips.", "//ecr-fips.");
        let _ = aws_sdk_ecrpublic::Client::new(&config).get_authorization_token().send().await;
        let public = overridden(host());
        let _ = aws_sdk_sts::Client::new(&config).get_caller_identity().send().await;
        let sts = overridden(host());
        format!("{ecr} {public} {sts}")
    })
}
