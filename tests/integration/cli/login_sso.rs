//! `login` for IAM Identity Center: the browser's way and the device code's, the files as the AWS CLI has them, and what
//! is left after a sign-in that came to nothing.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{FakeAws, Helper, REGISTRY, Running, Service, SignIn, click_through, http_get, login_file};

const START_URL: &str = "https://d-1234567890.awsapps.com/start";
/// `sha1(json.dumps({"tool": "botocore", "startUrl": ..., "region": "us-west-2", "scopes": ["sso:account:access"],
/// "session_name": "corp"}, sort_keys=True))`: the file in which the AWS CLI keeps its client's registration.
const REGISTRATION: &str = ".aws/sso/cache/b5361b7470f01e5c853300c10a6bd7c85c5cc3d8.json";

const CONFIG: &str = "\
[sso-session corp]
sso_start_url = https://d-1234567890.awsapps.com/start
sso_region = us-west-2
sso_registration_scopes = sso:account:access
[profile dev]
sso_session = corp
sso_account_id = 123456789012
sso_role_name = Pull
region = eu-west-1
[profile old]
sso_start_url = https://d-1234567890.awsapps.com/start
sso_region = us-west-2
sso_account_id = 123456789012
sso_role_name = Old
region = eu-west-1
";

/// A laptop whose browser writes the page's URL into `~/page`, where the test opens it.
fn laptop(aws: &FakeAws, sign_in: &SignIn) -> Helper {
    let helper = Helper::new().aws(aws).env("AWS_ENDPOINT_URL_SSO_OIDC", sign_in.url()).aws_config(CONFIG);
    let browser =
        helper.script("bin/browser", "printf '%s' \"$1\" > \"$HOME/page.new\"; mv \"$HOME/page.new\" \"$HOME/page\"");
    helper.env("BROWSER", browser).env("AWS_PROFILE", "dev")
}

/// The page that the browser was opened for.
fn page(helper: &Helper) -> String {
    let begun = Instant::now();
    loop {
        match std::fs::read_to_string(helper.home().join("page")) {
            Ok(page) if !page.is_empty() => return page,
            _ => assert!(begun.elapsed() < Duration::from_secs(60), "no browser was opened"),
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn json(helper: &Helper, path: &str) -> Value {
    serde_json::from_slice(&std::fs::read(helper.home().join(path)).unwrap()).unwrap()
}

/// The files of `~/.aws/sso/cache`, in order.
fn sso_files(helper: &Helper) -> Vec<PathBuf> {
    let Ok(listing) = std::fs::read_dir(helper.home().join(".aws/sso/cache")) else { return Vec::new() };
    let mut files: Vec<PathBuf> = listing.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// Signs in with the browser; what the run said.
fn sign_in_with_browser(helper: &Helper, arguments: &[&str]) -> crate::support::Outcome {
    let _ = std::fs::remove_file(helper.home().join("page"));
    let running = helper.start(arguments, "");
    let last = click_through(&page(helper));
    assert!(last.contains("Signed in. You can close this window."), "{last}");
    running.wait()
}

#[test]
fn a_browser_signs_in_and_pulls_work_at_once() {
    let (aws, sign_in) = (FakeAws::start(), SignIn::start());
    let helper = laptop(&aws, &sign_in);
    helper.get(REGISTRY).failure();
    let login = sign_in_with_browser(&helper, &["login", REGISTRY]);
    assert_eq!(login.code, Some(0), "{login:?}");
    assert!(login.stdout.starts_with("signed in to the SSO session corp: good for "), "{login:?}");
    assert!(login.stdout.contains(&format!("; profile dev: {REGISTRY}: good for ")), "{login:?}");
    assert_eq!(login.stdout.lines().count(), 1, "{login:?}");
    assert!(login.stderr.contains("opens in your browser") && login.stderr.contains("/authorize?"), "{login:?}");
    let calls = aws.all_calls().len();
    assert_eq!(helper.get(REGISTRY).token().identity, "sso-123456789012-Pull");
    assert_eq!(aws.all_calls().len(), calls, "login has fetched the token already");
}

#[test]
fn the_files_have_the_names_the_keys_and_the_order_of_the_aws_clis() {
    let (aws, sign_in) = (FakeAws::start(), SignIn::start());
    let helper = laptop(&aws, &sign_in);
    sign_in_with_browser(&helper, &["login", REGISTRY]);
    let login = std::fs::read_to_string(helper.home().join(login_file("corp"))).unwrap();
    let value = |key: &str| json(&helper, &login_file("corp"))[key].as_str().unwrap().to_owned();
    let expected = format!(
        "{{\"startUrl\": \"{START_URL}\", \"region\": \"us-west-2\", \"accessToken\": \"{}\", \"expiresAt\": \"{}\", \
         \"clientId\": \"{}\", \"clientSecret\": \"{}\", \"registrationExpiresAt\": \"{}\", \"refreshToken\": \"{}\"}}",
        value("accessToken"),
        value("expiresAt"),
        value("clientId"),
        value("clientSecret"),
        value("registrationExpiresAt"),
        value("refreshToken"),
    );
    assert_eq!(login, expected);
    for time in ["expiresAt", "registrationExpiresAt"] {
        let text = value(time);
        assert!(text.len() == 20 && text.ends_with('Z') && text.as_bytes()[10] == b'T', "{time}: {text}");
    }
    let registration = std::fs::read_to_string(helper.home().join(REGISTRATION)).unwrap();
    let expected = format!(
        "{{\"clientId\": \"{}\", \"clientSecret\": \"{}\", \"expiresAt\": \"{}\", \"scopes\": [\"sso:account:access\"], \
         \"grantTypes\": [\"authorization_code\", \"refresh_token\"]}}",
        value("clientId"),
        value("clientSecret"),
        value("registrationExpiresAt"),
    );
    assert_eq!(registration, expected);
    let files = sso_files(&helper);
    assert_eq!(files.len(), 2, "{files:?}");
    for file in files {
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{file:?}");
    }
    let asked = &sign_in.bodies("/client/register")[0];
    assert_eq!(asked["issuerUrl"], START_URL);
    assert_eq!(asked["redirectUris"], serde_json::json!(["http://127.0.0.1/oauth/callback"]));
}

#[test]
fn the_registration_is_used_again_and_a_refresh_works_with_it() {
    let (aws, sign_in) = (FakeAws::start(), SignIn::start());
    let helper = laptop(&aws, &sign_in);
    sign_in_with_browser(&helper, &["login", REGISTRY]);
    sign_in_with_browser(&helper, &["login", REGISTRY]);
    assert_eq!(sign_in.bodies("/client/register").len(), 1);
    // The login ends: a pull refreshes it.
    let mut before = json(&helper, &login_file("corp"));
    before["expiresAt"] = "2026-01-01T00:00:00Z".into();
    helper.write(&login_file("corp"), before.to_string());
    helper.run(["clear"], "");
    assert_eq!(helper.get(REGISTRY).token().identity, "sso-123456789012-Pull");
    let after = json(&helper, &login_file("corp"));
    assert_ne!(before["accessToken"], after["accessToken"]);
    assert_eq!(before["clientId"], after["clientId"]);
    let grants: Vec<_> = sign_in.bodies("/token").iter().map(|body| body["grantType"].clone()).collect();
    assert_eq!(grants, ["authorization_code", "authorization_code", "refresh_token"]);
}

#[test]
fn a_registration_of_the_aws_cli_is_used() {
    let (aws, sign_in) = (FakeAws::start(), SignIn::start());
    let helper = laptop(&aws, &sign_in);
    sign_in_with_browser(&helper, &["login", REGISTRY]);
    let registration = std::fs::read(helper.home().join(REGISTRATION)).unwrap();
    // Another machine, on which the AWS CLI wrote the same file.
    let other = laptop(&aws, &sign_in);
    other.write(REGISTRATION, registration);
    sign_in_with_browser(&other, &["login", REGISTRY]);
    assert_eq!(sign_in.bodies("/client/register").len(), 1);
}

#[test]
fn a_registration_that_has_ended_or_was_for_the_other_grant_is_made_anew() {
    let (aws, sign_in) = (FakeAws::start(), SignIn::start());
    let helper = laptop(&aws, &sign_in);
    sign_in.registration_life(600);
    for _ in 0..2 {
        sign_in_with_browser(&helper, &["login", REGISTRY]);
    }
    assert_eq!(sign_in.bodies("/client/register").len(), 2, "ten minutes are too few");
    sign_in.registration_life(86_400);
    sign_in_by_device(&helper, &sign_in, &["login", "--device-code", REGISTRY], 1);
    sign_in_by_device(&helper, &sign_in, &["login", "--device-code", REGISTRY], 2);
    let registrations = sign_in.bodies("/client/register");
    assert_eq!(registrations.len(), 3);
    assert_eq!((&registrations[2]["grantTypes"], &registrations[2]["redirectUris"]), (&Value::Null, &Value::Null));
    assert!(json(&helper, REGISTRATION).get("grantTypes").is_none());
}

/// Signs in by the code of the `count`th device.
fn sign_in_by_device(helper: &Helper, sign_in: &SignIn, arguments: &[&str], count: usize) -> crate::support::Outcome {
    sign_in.poll_interval(1);
    let running = helper.start(arguments, "");
    approve(sign_in, count);
    running.wait()
}

/// Waits for the `count`th device, and allows it once it has asked in vain.
fn approve(sign_in: &SignIn, count: usize) {
    let begun = Instant::now();
    while sign_in.user_codes().len() < count {
        assert!(begun.elapsed() < Duration::from_secs(60), "no device code was asked for");
        std::thread::sleep(Duration::from_millis(5));
    }
    let asked = |sign_in: &SignIn| sign_in.requests("/token").len();
    let before = asked(sign_in);
    while asked(sign_in) == before {
        assert!(begun.elapsed() < Duration::from_secs(60), "the token was never asked for");
        std::thread::sleep(Duration::from_millis(5));
    }
    sign_in.approve_device(&sign_in.user_codes()[count - 1]);
}

#[test]
fn a_device_code_signs_in_over_ssh_without_a_browser_and_when_it_is_asked_for() {
    for (how, arguments) in [
        ("ssh", vec!["login", REGISTRY]),
        ("none", vec!["login", REGISTRY]),
        ("option", vec!["login", "--device-code", REGISTRY]),
    ] {
        let (aws, sign_in) = (FakeAws::start(), SignIn::start());
        let helper = match how {
            "ssh" => laptop(&aws, &sign_in).env("SSH_CONNECTION", "192.0.2.1 1 192.0.2.2 22"),
            "none" => laptop(&aws, &sign_in).without("BROWSER"),
            _ => laptop(&aws, &sign_in),
        };
        let login = sign_in_by_device(&helper, &sign_in, &arguments, 1);
        assert_eq!(login.code, Some(0), "{how}: {login:?}");
        assert!(login.stderr.contains(&sign_in.user_codes()[0]), "{how}: {login:?}");
        assert!(login.stderr.contains("/device?user_code="), "{how}: {login:?}");
        assert_eq!(helper.get(REGISTRY).token().identity, "sso-123456789012-Pull", "{how}");
        let start = &sign_in.bodies("/device_authorization")[0];
        assert_eq!(start["startUrl"], START_URL);
        assert!(sign_in.requests("/authorize").is_empty());
    }
}

#[test]
fn a_device_that_must_slow_down_waits_longer_and_a_broken_connection_is_retried() {
    let (aws, sign_in) = (FakeAws::start(), SignIn::start());
    let helper = laptop(&aws, &sign_in);
    sign_in.refuse_tokens(&[
        "AuthorizationPendingException",
        "InternalServerException",
        "AuthorizationPendingException",
    ]);
    let login = sign_in_by_device(&helper, &sign_in, &["login", "--device-code", REGISTRY], 1);
    assert_eq!(login.code, Some(0), "{login:?}");
}

#[test]
fn a_code_that_ends_and_an_access_that_is_not_allowed_are_reported() {
    for (exception, said) in [
        ("ExpiredTokenException", "the code was not entered before it ended"),
        ("AccessDeniedException", "the access was not allowed"),
    ] {
        let (aws, sign_in) = (FakeAws::start(), SignIn::start());
        let helper = laptop(&aws, &sign_in);
        sign_in.poll_interval(1);
        sign_in.refuse_tokens(&[exception]);
        let login = helper.run(["login", "--device-code", REGISTRY], "");
        assert_eq!((login.code, login.stdout.as_str()), (Some(1), ""), "{login:?}");
        assert!(login.stderr.lines().last().unwrap().contains(said), "{login:?}");
        assert!(!helper.home().join(login_file("corp")).exists());
    }
}

#[test]
fn a_page_that_refuses_is_reported_with_its_reason() {
    let (aws, sign_in) = (FakeAws::start(), SignIn::start());
    let helper = laptop(&aws, &sign_in);
    let running = helper.start(["login", REGISTRY], "");
    let (callback, state) = callback(&page(&helper));
    let answer = http_get(&format!("{callback}?error=access_denied&error_description=by+the+user&state={state}"));
    assert!(answer.contains("Not signed in"), "{answer}");
    let login = running.wait();
    assert_eq!(login.code, Some(1), "{login:?}");
    assert!(login.stderr.contains("the sign-in page refused: access_denied: by the user"), "{login:?}");
    assert!(!helper.home().join(login_file("corp")).exists());
}

/// The redirect URI in the page's URL, and the state.
fn callback(page: &str) -> (String, String) {
    let value = |name: &str| {
        let value = page.split(['?', '&']).find_map(|pair| pair.strip_prefix(&format!("{name}="))).unwrap();
        value.replace("%3A", ":").replace("%2F", "/")
    };
    (value("redirect_uri"), value("state"))
}

#[test]
fn other_connections_to_the_port_neither_sign_in_nor_end_the_wait() {
    let (aws, sign_in) = (FakeAws::start(), SignIn::start());
    let helper = laptop(&aws, &sign_in);
    let running = helper.start(["login", REGISTRY], "");
    let page = page(&helper);
    let (callback, state) = callback(&page);
    let origin = callback.strip_suffix("/oauth/callback").unwrap().to_owned();
    // A connection that a browser opens and never uses.
    let idle = std::net::TcpStream::connect(origin.strip_prefix("http://").unwrap()).unwrap();
    for (path, status) in [
        ("/favicon.ico", "404"),
        ("/oauth/callback", "400"),
        ("/oauth/callback?code=stolen&state=wrong", "400"),
        ("/oauth/callback?error=x", "400"),
        (&format!("/other?code=stolen&state={state}"), "404"),
    ] {
        let answer = http_get(&format!("{origin}{path}"));
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{path}: {answer}");
    }
    click_through(&page);
    let login = running.wait();
    drop(idle);
    assert_eq!(login.code, Some(0), "{login:?}");
    assert!(sign_in.bodies("/token").iter().all(|body| body["code"] != "stolen"));
}

#[test]
fn with_no_browser_the_page_is_named_and_not_opened() {
    let (aws, sign_in) = (FakeAws::start(), SignIn::start());
    let helper = laptop(&aws, &sign_in);
    let mut command = helper.command(["login", "--no-browser", "--timeout", "2", REGISTRY]);
    command.stdin(std::process::Stdio::null());
    let login = Running::start(command, b"").wait();
    assert_eq!(login.code, Some(1), "{login:?}");
    assert!(login.stderr.contains("Open the sign-in page in a browser on this machine:"), "{login:?}");
    assert!(login.stderr.contains("nobody signed in within"), "{login:?}");
    assert!(!helper.home().join("page").exists());
    assert!(!helper.home().join(login_file("corp")).exists());
}

#[test]
fn the_legacy_form_signs_in_and_its_login_is_named_by_the_start_url() {
    let (aws, sign_in) = (FakeAws::start(), SignIn::start());
    let helper = laptop(&aws, &sign_in).env("AWS_PROFILE", "old");
    let login = sign_in_with_browser(&helper, &["login", REGISTRY]);
    assert_eq!(login.code, Some(0), "{login:?}");
    assert!(login.stdout.starts_with("signed in to the SSO of profile old: good for "), "{login:?}");
    assert_eq!(json(&helper, &login_file(START_URL))["startUrl"], START_URL);
    assert_eq!(helper.get(REGISTRY).token().identity, "sso-123456789012-Old");
}

#[test]
fn a_profile_is_signed_in_to_and_the_clients_registries_of_its_session_are_fetched() {
    let (aws, sign_in) = (FakeAws::start(), SignIn::start());
    let other = "999999999999.dkr.ecr.us-east-1.amazonaws.com";
    let helper = laptop(&aws, &sign_in).settings(&format!("[[registry]]\nmatch = \"{other}\"\nanonymous = true\n"));
    helper.write(
        ".docker/config.json",
        format!(r#"{{"credHelpers":{{"{REGISTRY}":"ecr-login","{other}":"ecr-login","ghcr.io":"pass"}}}}"#),
    );
    let login = sign_in_with_browser(&helper, &["login", "--profile", "dev"]);
    assert_eq!(login.code, Some(0), "{login:?}");
    assert!(login.stdout.contains(&format!("profile dev: {REGISTRY}: good for ")), "{login:?}");
    assert!(!login.stdout.contains("999999999999"), "{login:?}");
    // Without a word, the clients' files say which.
    let login = sign_in_with_browser(&helper, &["login"]);
    assert!(login.stdout.contains(&format!("profile dev: {REGISTRY}: good for ")), "{login:?}");
}

#[test]
fn a_profile_without_a_client_s_registry_fetches_that_of_its_own_account() {
    let (aws, sign_in) = (FakeAws::start(), SignIn::start());
    let helper = laptop(&aws, &sign_in);
    let login = sign_in_with_browser(&helper, &["login", "--profile", "dev"]);
    assert!(login.stdout.contains(&format!("profile dev: {REGISTRY}: good for ")), "{login:?}");
}

#[test]
fn who_signs_in_anew_gets_a_new_token() {
    let (aws, sign_in) = (FakeAws::start(), SignIn::start());
    let helper = laptop(&aws, &sign_in);
    sign_in_with_browser(&helper, &["login", REGISTRY]);
    let first = helper.get(REGISTRY).token();
    // Another person may sign in now.
    sign_in_with_browser(&helper, &["login", REGISTRY]);
    let second = helper.get(REGISTRY).token();
    assert_ne!(first.serial, second.serial);
    assert_eq!(aws.calls(Service::Ecr), 2);
}

#[test]
fn two_at_once_both_sign_in() {
    let (aws, sign_in) = (FakeAws::start(), SignIn::start());
    let (one, two) = (laptop(&aws, &sign_in), laptop(&aws, &sign_in));
    // One home, and a browser of its own for each.
    let other_browser = two.script(
        "bin/browser",
        &format!("printf '%s' \"$1\" > {0}.new; mv {0}.new {0}", two.home().join("page").display()),
    );
    let first = one.start(["login", REGISTRY], "");
    let mut command = one.command(["login", REGISTRY]);
    command.env("BROWSER", other_browser);
    let second = Running::start(command, b"");
    let (page_of_one, page_of_two) = (page(&one), page(&two));
    click_through(&page_of_two);
    click_through(&page_of_one);
    for login in [first.wait(), second.wait()] {
        assert_eq!(login.code, Some(0), "{login:?}");
    }
    let login = json(&one, &login_file("corp"));
    // Client and tokens of one sign-in, not of both.
    let client = sign_in.bodies("/token").iter().filter(|body| body["clientId"] == login["clientId"]).count();
    assert!(client >= 1, "{login}");
    assert_eq!(sso_files(&one).len(), 2, "no temporary file is left");
    assert_eq!(one.get(REGISTRY).token().identity, "sso-123456789012-Pull");
}

#[test]
fn what_there_is_nothing_to_sign_in_to_is_reported_and_its_tokens_are_fetched() {
    let aws = FakeAws::start();
    let helper = Helper::new().aws(&aws).keys("AKIAEXAMPLE");
    let login = helper.run(["login", REGISTRY], "");
    assert_eq!(login.code, Some(0), "{login:?}");
    assert!(login.line().contains("there is nothing to sign in to; used: keys in the environment"), "{login:?}");
    assert!(login.stdout.starts_with(&format!("keys in the environment: {REGISTRY}: good for ")), "{login:?}");
}

#[test]
fn a_mistyped_profile_is_the_arguments_fault_and_no_registrys() {
    let config = "[profile prod]\nregion = eu-west-1\n";
    let login = Helper::new().aws_config(config).run(["login", "--profile", "prdo"], "");
    assert_eq!(login.code, Some(1));
    let line = login.line();
    assert!(line.starts_with("docker-credential-ecr-login: --profile prdo: there is no such profile in "), "{line}");
    assert!(line.contains("name one of the profiles that exist: prod") && !line.contains("dkr.ecr"), "{line}");
}

#[test]
fn a_session_of_aws_login_that_is_not_there_names_the_command_of_the_aws_cli() {
    let aws = FakeAws::start();
    let config = "[profile web]\nlogin_session = arn:aws:iam::123456789012:user/ann\nregion = eu-west-1\n";
    let login = Helper::new().aws(&aws).aws_config(config).env("AWS_PROFILE", "web").run(["login", REGISTRY], "");
    assert_eq!((login.code, login.stdout.as_str()), (Some(1), ""), "{login:?}");
    assert!(login.stderr.contains("profile web is signed in to with \"aws login --profile web\""), "{login:?}");
}

#[test]
fn without_a_registry_and_without_clients_files_the_remedy_is_named() {
    let aws = FakeAws::start();
    let login = Helper::new().aws(&aws).keys("AKIAEXAMPLE").run(["login"], "");
    assert_eq!(login.code, Some(1), "{login:?}");
    assert!(login.line().contains("login REGISTRY"), "{login:?}");
}

#[test]
fn a_service_that_refuses_or_is_away_is_reported_before_a_browser_opens() {
    let (aws, sign_in) = (FakeAws::start(), SignIn::start());
    let helper = laptop(&aws, &sign_in);
    sign_in.refuse_registration("InvalidRequestException");
    let login = helper.run(["login", REGISTRY], "");
    assert_eq!(login.code, Some(1), "{login:?}");
    assert!(login.line().contains("registering with SSO OIDC failed"), "{login:?}");
    assert!(!helper.home().join("page").exists());
    assert!(sso_files(&helper).is_empty());
}

#[test]
fn no_secret_of_the_sign_in_is_shown_or_logged() {
    let (aws, sign_in) = (FakeAws::start(), SignIn::start());
    let helper = laptop(&aws, &sign_in).env("ECR_LOGIN_LOG", "trace");
    let log = helper.home().join("log");
    let helper = helper.env("ECR_LOGIN_LOG_FILE", &log);
    let login = sign_in_with_browser(&helper, &["login", REGISTRY]);
    let said = format!("{}{}{}", login.stdout, login.stderr, std::fs::read_to_string(log).unwrap());
    for secret in sign_in.secrets().into_iter().chain(aws.handed_out()) {
        assert!(!said.contains(&secret), "{secret} in {said}");
    }
}

/// Killed at many moments: the login is the old one whole, or the new one whole, and what is left goes with the next.
#[test]
fn a_login_killed_at_any_moment_leaves_the_old_or_the_new_files() {
    let (aws, sign_in) = (FakeAws::start(), SignIn::start());
    let helper = laptop(&aws, &sign_in).env("BROWSER", "/bin/false");
    sign_in.poll_interval(1);
    let mut moment = Duration::ZERO;
    for round in 0..24 {
        let running = helper.start(["login", "--device-code", REGISTRY], "");
        if round % 2 == 0 {
            for code in sign_in.user_codes() {
                sign_in.approve_device(&code);
            }
        }
        let _ = running.killed_after(moment);
        moment += Duration::from_millis(50);
        for file in sso_files(&helper) {
            if file.extension().is_some_and(|extension| extension == "json") {
                let text = std::fs::read(&file).unwrap();
                let value: Value = serde_json::from_slice(&text).unwrap_or_else(|error| panic!("{file:?}: {error}"));
                assert!(value["clientId"].is_string(), "{file:?}");
            }
        }
    }
    let count = sign_in.user_codes().len() + 1;
    let login = sign_in_by_device(&helper, &sign_in, &["login", "--device-code", REGISTRY], count);
    assert_eq!(login.code, Some(0), "{login:?}");
    assert_eq!(sso_files(&helper).len(), 2, "{:?}", sso_files(&helper));
}
