//! `doctor` finds each fault of a pull's way, says what to do, and says nothing secret.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread;

use crate::support::{Certificate, FakeAws, Fault, Helper, Outcome, REGISTRY, Service, binary};
use serde_json::Value;

/// A proxy on loopback that leads every CONNECT to one server, as a proxy of a company does to the outside.
fn proxy_to(server: &FakeAws) -> String {
    proxy(vec![server.host()])
}

/// The same, and the n-th tunnel leads to the n-th server; the last one goes on for ever.
fn proxy(mut targets: Vec<String>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for client in listener.incoming() {
            let Ok(client) = client else { return };
            let target = if targets.len() > 1 { targets.remove(0) } else { targets[0].clone() };
            thread::spawn(move || tunnel(client, &target));
        }
    });
    format!("http://someone:MARKED-PROXY-PASSWORD@{address}")
}

fn tunnel(mut client: TcpStream, target: &str) {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        if client.read(&mut byte).unwrap_or(0) == 0 {
            return;
        }
        head.push(byte[0]);
    }
    let Ok(mut server) = TcpStream::connect(target) else { return };
    client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").unwrap();
    let (mut from_client, mut to_server) = (client.try_clone().unwrap(), server.try_clone().unwrap());
    thread::spawn(move || std::io::copy(&mut from_client, &mut to_server));
    let _ = std::io::copy(&mut server, &mut client);
}

/// A helper for which everything is right.
fn healthy(aws: &FakeAws) -> Helper {
    let helper = Helper::new().aws(aws).keys("AKIADOCTOR").env("HTTPS_PROXY", proxy_to(aws));
    helper.write(".docker/config.json", format!("{{\"credHelpers\":{{\"{REGISTRY}\":\"ecr-login\"}}}}"));
    installed(helper)
}

/// With a way to the registry's own name, which is the fake's.
pub fn with_proxy(helper: Helper, aws: &FakeAws) -> Helper {
    helper.env("HTTPS_PROXY", proxy_to(aws))
}

/// With the binary under test on PATH, alone.
fn installed(helper: Helper) -> Helper {
    let bin = helper.home().join("bin");
    std::fs::create_dir_all(&bin).unwrap();
    let link = bin.join(format!("docker-credential-ecr-login{}", std::env::consts::EXE_SUFFIX));
    #[cfg(unix)]
    std::os::unix::fs::symlink(binary(), &link).unwrap();
    #[cfg(not(unix))]
    std::fs::copy(binary(), &link).unwrap();
    helper.env("PATH", bin)
}

struct Report(Value, Outcome);

fn doctor(helper: &Helper, registry: &str) -> Report {
    let outcome = helper.run(["doctor", registry, "--json"], "");
    assert_eq!(outcome.stderr, "", "{outcome:?}");
    let report: Value = serde_json::from_str(&outcome.stdout).unwrap_or_else(|error| panic!("{error}: {outcome:?}"));
    assert_eq!(report["ok"] == true, outcome.code == Some(0), "{outcome:?}");
    for secret in ["MARKED", "secret-of-", "AWS:"] {
        assert!(!outcome.stdout.contains(secret), "{secret}: {}", outcome.stdout);
    }
    Report(report, outcome)
}

impl Report {
    fn step(&self, name: &str) -> &Value {
        let steps = self.0["steps"].as_array().unwrap();
        steps.iter().find(|step| step["name"] == name).unwrap_or_else(|| panic!("no step {name}: {:?}", self.1))
    }

    fn steps(&self, name: &str) -> Vec<&Value> {
        self.0["steps"].as_array().unwrap().iter().filter(|step| step["name"] == name).collect()
    }

    #[track_caller]
    fn is(&self, name: &str, state: &str, said: &str) {
        let step = self.step(name);
        assert_eq!(step["state"], state, "{name}: {:#}", self.0);
        let text = format!("{} -> {}", step["found"].as_str().unwrap(), step["remedy"].as_str().unwrap_or_default());
        assert!(text.contains(said), "{name}: {text:?} has no {said:?}");
    }
}

#[test]
fn a_way_on_which_all_is_right() {
    let aws = FakeAws::over_tls(Certificate::Good);
    let helper = healthy(&aws);
    let report = doctor(&helper, REGISTRY);
    assert_eq!(report.0["ok"], true, "{:#}", report.0);
    let itself = if cfg!(windows) { "is a copy of this program" } else { "is this program" };
    report.is("helper", "ok", itself);
    report.is("docker", "ok", "credHelpers names ecr-login");
    report.is("settings", "ok", "no settings file");
    report.is("source", "ok", "environment");
    report.is("network", "ok", "answers");
    report.is("keys", "ok", "long-term keys");
    report.is("caller", "ok", "arn:aws:");
    report.is("token", "ok", "ECR gave a token, good for ");
    report.is("registry", "ok", "takes the token");
    assert_eq!((aws.calls(Service::Ecr), aws.calls(Service::Sts), aws.calls(Service::Registry)), (1, 1, 1));
}

#[test]
fn the_text_for_people_has_no_colours_outside_of_a_terminal() {
    let aws = FakeAws::over_tls(Certificate::Good);
    let outcome = healthy(&aws).run(["doctor", REGISTRY], "");
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    assert!(outcome.stdout.starts_with(REGISTRY) && outcome.stdout.ends_with("A pull would work.\n"), "{outcome:?}");
    assert!(!outcome.stdout.contains('\u{1b}') && outcome.stderr.is_empty(), "{outcome:?}");
}

#[test]
fn without_a_name_the_first_registry_of_dockers_file_is_examined() {
    let aws = FakeAws::over_tls(Certificate::Good);
    let outcome = healthy(&aws).run(["doctor"], "");
    assert!(outcome.stdout.starts_with(REGISTRY), "{outcome:?}");
    let outcome = Helper::new().run(["doctor"], "");
    assert_eq!(outcome.code, Some(1));
    assert!(outcome.stdout.contains("setup docker"), "{outcome:?}");
}

#[cfg(unix)]
#[test]
fn another_program_of_our_name_on_path_or_none() {
    let helper = Helper::new();
    helper.script("bin/docker-credential-ecr-login", "echo 'amazon-ecr-credential-helper 0.12.0'");
    let helper = helper.env("PATH", "bin").env("PATH", "/nowhere");
    doctor(&helper, REGISTRY).is("helper", "wrong", "is not on PATH");
    let path = helper.home().join("bin");
    let helper = helper.env("PATH", path);
    doctor(&helper, REGISTRY).is("helper", "wrong", "0.12.0");
    // As the Go helper answers: its one option is another.
    let versions = "[ \"$1\" = -v ] || exit 2; echo amazon-ecr-credential-helper; echo 'Version:    0.12.0'";
    helper.script("bin/docker-credential-ecr-login", versions);
    doctor(&helper, REGISTRY).is("helper", "wrong", "(says \"amazon-ecr-credential-helper Version: 0.12.0\")");
}

#[test]
fn each_fault_of_dockers_file() {
    let aws = FakeAws::over_tls(Certificate::Good);
    let helper = healthy(&aws);
    let setup = format!("setup docker --registry {REGISTRY}");
    for (text, found) in [
        (r#"{"credHelpers":{"https://@":"ecr-login"}}"#, "compares it with exactly"),
        (r#"{"credHelpers":{"*.dkr.ecr.*.amazonaws.com":"ecr-login"}}"#, "compares it with exactly"),
        (r#"{"credHelpers":{"@":"pass"}}"#, "credHelpers names pass"),
        (r#"{"credsStore":"desktop"}"#, "credsStore names desktop"),
        (r#"{"auths":{"@":{"auth":"TUFSS0VEOk1BUktFRA=="}}}"#, "an old login in auths is used"),
        ("{}", "no helper is named for it"),
        ("{,}", "is not JSON: line 1, column 2"),
    ] {
        helper.write(".docker/config.json", text.replace('@', REGISTRY));
        let report = doctor(&helper, REGISTRY);
        report.is("docker", "wrong", found);
        if !text.contains(',') {
            report.is("docker", "wrong", &setup);
        }
        assert_eq!(report.1.code, Some(1));
    }
    let both = r#"{"credHelpers":{"@":"ecr-login"},"auths":{"@":{"auth":"TUFSS0VEOk1BUktFRA=="}}}"#;
    helper.write(".docker/config.json", both.replace('@', REGISTRY));
    let report = doctor(&helper, REGISTRY);
    report.is("docker", "ok", "credHelpers names ecr-login");
    report.is("auths", "note", "--clean");
    assert_eq!(report.0["ok"], true);
}

#[cfg(unix)]
#[test]
fn podmans_files_in_their_order() {
    let aws = FakeAws::over_tls(Certificate::Good);
    let helper = healthy(&aws);
    helper.write("bin/podman", "");
    #[cfg(unix)]
    helper.script("bin/podman", "exit 1");
    std::fs::remove_file(helper.home().join(".docker/config.json")).unwrap();
    let helper = helper.env("XDG_RUNTIME_DIR", "run");
    doctor(&helper, REGISTRY).is("podman", "wrong", "setup podman");
    helper.write(".config/containers/auth.json", format!("{{\"credHelpers\":{{\"{REGISTRY}\":\"ecr-login\"}}}}"));
    doctor(&helper, REGISTRY).is("podman", "ok", ".config/containers/auth.json: credHelpers");
    helper.write("run/containers/auth.json", format!("{{\"auths\":{{\"{REGISTRY}\":{{\"auth\":\"TUFSS0VE\"}}}}}}"));
    doctor(&helper, REGISTRY).is("podman", "wrong", "podman logout");
    helper.write(".config/containers/registries.conf", "credential-helpers = [\"ecr-login\"]\n");
    doctor(&helper, REGISTRY).is("podman", "ok", "registries.conf: credential-helpers");
}

#[test]
fn a_broken_settings_file_and_what_a_good_one_says() {
    let aws = FakeAws::over_tls(Certificate::Good);
    let helper = healthy(&aws).settings("timeout = 'x'\n");
    doctor(&helper, REGISTRY).is("settings", "wrong", "config.toml:1");
    let text = format!("[[registry]]\nmatch = \"{REGISTRY}\"\nprofile = \"nobody\"\n");
    let helper = helper.settings(&text);
    let report = doctor(&helper, REGISTRY);
    report.is("settings", "ok", "profile nobody");
    report.is("source", "wrong", "nobody");
    let helper = helper.settings("[[registry]]\nmatch = \"public.ecr.aws\"\nanonymous = true\n");
    doctor(&helper, "public.ecr.aws").is("source", "skipped", "anonymous");
}

#[test]
fn no_credentials_at_all_lists_what_was_looked_for() {
    let aws = FakeAws::over_tls(Certificate::Good);
    let helper = healthy(&aws).without("AWS_ACCESS_KEY_ID").without("AWS_SECRET_ACCESS_KEY");
    doctor(&helper, REGISTRY).is("source", "wrong", "AWS_ACCESS_KEY_ID is not set");
}

#[test]
fn the_sources_that_come_earlier_and_are_not_used_are_named() {
    let aws = FakeAws::over_tls(Certificate::Good);
    let helper = healthy(&aws).without("AWS_ACCESS_KEY_ID").without("AWS_SECRET_ACCESS_KEY");
    let helper = helper.aws_config("[default]\naws_access_key_id = AKIAFILE\naws_secret_access_key = MARKED\n");
    let report = doctor(&helper, REGISTRY);
    report.is("source", "ok", "profile default");
    report.is("source", "ok", "AWS_ACCESS_KEY_ID is not set");
    assert_eq!(report.0["ok"], true, "{:#}", report.0);
}

#[test]
fn what_the_go_helper_would_have_used_is_said_after_the_source() {
    let aws = FakeAws::over_tls(Certificate::Good);
    let helper = healthy(&aws).without("AWS_ACCESS_KEY_ID").without("AWS_SECRET_ACCESS_KEY");
    let helper = helper.aws_config("[default]\naws_access_key_id = AKIAFILE\naws_secret_access_key = MARKED\n");
    assert!(doctor(&helper, REGISTRY).steps("go-helper").is_empty(), "it would use the same");
    let helper = helper.env("AWS_ACCESS_KEY", "AKIAOLD").env("AWS_SECRET_KEY", "MARKED-too");
    let report = doctor(&helper, REGISTRY);
    report.is("source", "ok", "profile default");
    let [go_helper] = report.steps("go-helper")[..] else { panic!("{:#}", report.0) };
    assert_eq!(go_helper["state"], "note", "{go_helper}");
    assert_eq!(go_helper["found"], "the Go helper would use AWS_ACCESS_KEY and AWS_SECRET_KEY");
    assert!(go_helper["remedy"].as_str().unwrap().contains("docs/from-the-go-helper.md"), "{go_helper}");
    assert_eq!(report.0["ok"], true, "{:#}", report.0);
    let text = helper.run(["doctor", REGISTRY], "").stdout;
    assert!(text.contains("the Go helper would use AWS_ACCESS_KEY and AWS_SECRET_KEY"), "{text}");
}

#[test]
fn tls_that_is_not_trusted_and_a_host_that_is_not_there() {
    let aws = FakeAws::over_tls(Certificate::Untrusted);
    let report = doctor(&healthy(&aws), REGISTRY);
    report.is("network", "wrong", "certificate");
    report.is("registry", "skipped", "not tried");
    let aws = FakeAws::over_tls(Certificate::Good);
    let helper = healthy(&aws).env("AWS_ENDPOINT_URL", "https://127.0.0.1:1");
    let report = doctor(&helper, REGISTRY);
    report.is("network", "wrong", "127.0.0.1:1");
    assert_eq!(report.1.code, Some(1));
}

#[test]
fn ecr_says_no() {
    let aws = FakeAws::over_tls(Certificate::Good);
    aws.fail(
        Service::Ecr,
        Fault::Error {
            status: 400,
            code: "AccessDeniedException",
            message: "User: arn:aws:iam::1:user/x is not authorized to perform: ecr:GetAuthorizationToken".to_owned(),
        },
    );
    let report = doctor(&healthy(&aws), REGISTRY);
    report.is("caller", "ok", "arn:aws:");
    report.is("token", "wrong", "ecr:GetAuthorizationToken");
    report.is("registry", "skipped", "not tried");
}

#[test]
fn the_registry_refuses_the_token() {
    let aws = FakeAws::over_tls(Certificate::Good);
    let helper = healthy(&aws);
    aws.fail(Service::Registry, Fault::Body { status: 401, content_type: "application/json", body: b"{}".to_vec() });
    doctor(&helper, REGISTRY).is("registry", "wrong", "refuses the token (HTTP 401)");
    aws.fail(Service::Registry, Fault::Body { status: 502, content_type: "text/html", body: b"<html>".to_vec() });
    doctor(&helper, REGISTRY).is("registry", "wrong", "HTTP 502");
}

#[test]
fn sts_out_of_reach_is_no_reason_for_a_pull_to_fail() {
    let aws = FakeAws::over_tls(Certificate::Good);
    aws.fail(Service::Sts, Fault::Close);
    let report = doctor(&healthy(&aws), REGISTRY);
    report.is("caller", "note", "STS");
    assert_eq!(report.0["ok"], true);
}

#[test]
fn a_service_that_never_answers_holds_nothing_up() {
    let aws = FakeAws::over_tls(Certificate::Good);
    aws.fail(Service::Ecr, Fault::Hang);
    let report = doctor(&healthy(&aws).env("ECR_LOGIN_TIMEOUT", "1"), REGISTRY);
    report.is("token", "wrong", "did not answer within 1 s");
    assert!(report.1.duration.as_secs() < 30, "{:?}", report.1.duration);
}

#[test]
fn a_foreign_name_is_reported_as_one() {
    doctor(&Helper::new(), "ghcr.io").is("registry", "wrong", "not the name of an Amazon ECR registry");
}

#[test]
fn a_registry_that_answers_without_a_token_is_not_reported_to_accept_one() {
    let aws = FakeAws::over_tls(Certificate::Good);
    aws.fail(Service::EcrPublic, Fault::access_denied());
    for status in [200, 401] {
        aws.fail(Service::Registry, Fault::status(status));
        doctor(&healthy(&aws), "public.ecr.aws").is("registry", "ok", "public.ecr.aws answers, pulls are anonymous");
    }
}

#[test]
fn the_cached_token_is_shown_to_the_registry_too() {
    let aws = FakeAws::over_tls(Certificate::Good);
    let helper = healthy(&aws);
    doctor(&helper, REGISTRY).is("cache", "ok", "no token yet");
    assert_eq!(helper.run(["warm", REGISTRY], "").code, Some(0));
    doctor(&helper, REGISTRY).is("cache", "ok", "and the registry takes it");
    // A registry that takes the new token and not the one that is kept.
    let stranger = FakeAws::over_tls(Certificate::Good);
    let bundle = helper.write("both.pem", format!("{}{}", aws.authority().pem(), stranger.authority().pem()));
    let helper = helper.env("AWS_CA_BUNDLE", bundle);
    let helper = helper.env("HTTPS_PROXY", proxy(vec![aws.host(), stranger.host()]));
    let report = doctor(&helper, REGISTRY);
    report.is("registry", "ok", "takes the token");
    report.is("cache", "wrong", &format!("clear {REGISTRY}"));
    let helper = helper.env("AWS_ECR_DISABLE_CACHE", "1");
    doctor(&helper, REGISTRY).is("cache", "note", "each pull asks ECR");
}
