//! Whatever goes wrong, the kubelet sees exit code 1, one line on stderr and nothing on stdout.

use std::io::Write as _;
use std::process::Stdio;
use std::time::Duration;

use crate::support::kubelet::{self, Plugin, V1, request};
use crate::support::{FakeAws, Fault, REGISTRY, Service};

fn image() -> String {
    format!("{REGISTRY}/app")
}

#[test]
fn what_is_no_request_is_refused_with_its_reason() {
    let aws = FakeAws::start();
    let plugin = Plugin::new(&aws);
    let good = request(V1, &image());
    for (bad, reason) in [
        (String::new(), "not JSON"),
        ("hello".to_owned(), "not JSON"),
        (good.trim_end().trim_end_matches('}').to_owned(), "not JSON"),
        (format!("{good}{good}"), "not JSON"),
        ("[]".to_owned(), "wrong type"),
        (good.replace("ProviderRequest", "ProviderResponse"), "kind"),
        (good.replace("\"kind\"", "\"Kind\""), "kind"),
        (good.replace("k8s.io/v1", "k8s.io/v2"), "apiVersion"),
        (good.replace("credentialprovider.kubelet.k8s.io/", ""), "apiVersion"),
        (good.replace(&image(), ""), "no image"),
        (good.replace("\"image\"", "\"images\""), "no image"),
        (" ".repeat(1024 * 1024) + &good, "1048576 bytes"),
    ] {
        let outcome = plugin.send(&bad);
        assert!(outcome.failure().contains(reason), "{bad:.100}: {outcome:?}");
    }
    assert!(aws.all_calls().is_empty());
}

#[test]
fn a_request_of_one_mebibyte_is_read() {
    let aws = FakeAws::start();
    let good = request(V1, &image());
    let padded = " ".repeat(1024 * 1024 - good.len()) + &good;
    assert_eq!(Plugin::new(&aws).send(&padded).response().auth.len(), 1);
}

#[test]
fn a_request_that_does_not_end_is_given_up_at_the_deadline() {
    let aws = FakeAws::start();
    let plugin = Plugin::new(&aws).with(|helper| helper.env("ECR_LOGIN_TIMEOUT", "1"));
    let mut child = plugin.helper().command(["get-credentials"]).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(b"{\"kind\":").unwrap();
    let output = child.wait_with_output().unwrap();
    drop(stdin);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0));
    assert!(String::from_utf8(output.stderr).unwrap().contains("stdin did not end within 1 s"));
}

#[test]
fn throttling_at_boot_is_ridden_out() {
    let aws = FakeAws::start();
    aws.fail_times(Service::Ecr, 5, Fault::throttled());
    let outcome = Plugin::new(&aws).ask(V1, &image());
    assert_eq!((outcome.response().auth.len(), outcome.stderr.as_str()), (1, ""));
    assert_eq!(aws.calls(Service::Ecr), 6, "more often than the SDK's three tries");
    let calls = aws.requests(Service::Ecr);
    for pair in calls.windows(2) {
        let pause = pair[1].at - pair[0].at;
        assert!(pause > Duration::from_millis(900) && pause < Duration::from_secs(10), "1 to 3 s: {pause:?}");
    }
}

#[test]
fn throttling_without_end_is_given_up_at_the_deadline() {
    let aws = FakeAws::start();
    aws.fail(Service::Ecr, Fault::throttled());
    let plugin = Plugin::new(&aws).with(|helper| helper.env("ECR_LOGIN_TIMEOUT", "4"));
    let outcome = plugin.ask(V1, &image());
    assert!(outcome.failure().contains(REGISTRY) && outcome.stderr.contains("hrottl"), "{outcome:?}");
    assert!(outcome.duration < Duration::from_secs(20), "{outcome:?}");
}

#[test]
fn a_refusal_is_a_failure_that_names_registry_reason_and_remedy() {
    let aws = FakeAws::start();
    aws.fail(Service::Ecr, Fault::access_denied());
    let outcome = Plugin::new(&aws).ask(V1, &image());
    let line = outcome.failure();
    assert!(line.starts_with(&format!("ecr-credential-provider: {REGISTRY}: ")), "{line}");
    assert!(line.contains("AccessDenied") && line.contains("ecr:GetAuthorizationToken"), "{line}");
}

#[test]
fn a_node_without_credentials_says_so() {
    let aws = FakeAws::start();
    let plugin = Plugin::new(&aws).with(|helper| helper.without("AWS_ACCESS_KEY_ID").without("AWS_SECRET_ACCESS_KEY"));
    assert!(plugin.ask(V1, &image()).failure().contains("credentials"));
}

#[test]
fn a_timeout_that_is_no_number_is_named() {
    let aws = FakeAws::start();
    let plugin = Plugin::new(&aws).with(|helper| helper.env("ECR_LOGIN_TIMEOUT", "soon"));
    let outcome = plugin.ask(V1, &image());
    assert!(outcome.failure().contains("ECR_LOGIN_TIMEOUT") && outcome.stderr.contains("soon"));
    let outcome = plugin.ask(V1, "gcr.io/app");
    assert!(outcome.response().auth.is_empty());
    assert_eq!(outcome.stderr, "", "another operator's registry is left alone");
}

#[test]
fn a_settings_file_in_error_fails_ecr_images_and_no_others() {
    let aws = FakeAws::start();
    let plugin = Plugin::new(&aws).with(|helper| helper.settings("timeuot = 3\n"));
    assert!(plugin.ask(V1, &image()).failure().contains("timeuot"));
    let outcome = plugin.ask(V1, "gcr.io/app");
    assert!(outcome.response().auth.is_empty());
    assert!(outcome.line().contains("timeuot"));
}

#[cfg(target_os = "linux")]
#[test]
fn an_answer_that_cannot_be_delivered_is_a_failure() {
    let aws = FakeAws::start();
    let plugin = Plugin::new(&aws);
    let mut command = plugin.helper().command(["get-credentials"]);
    command.stdout(Stdio::from(std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap()));
    let outcome =
        kubelet::Outcome::from(crate::support::Running::start(command, request(V1, &image()).as_bytes()).wait());
    assert!(outcome.failure().contains("delivered"), "{outcome:?}");
}

/// A fleet in small: `tests/load` has 300 nodes and what the documents promise of 10,000.
#[test]
fn nodes_that_boot_together_share_what_the_account_allows_and_no_pull_fails() {
    let aws = FakeAws::start();
    let nodes: Vec<Plugin> = (0..12).map(|_| Plugin::new(&aws)).collect();
    // Under Wine programs start so slowly that they would not ask together.
    let (a_second, at_once) = if cfg!(windows) { (0.5, 1.0) } else { (4.0, 6.0) };
    aws.limit(a_second, at_once);
    let request = request(V1, &image());
    let running: Vec<_> = nodes.iter().map(|node| node.start(&request)).collect();
    for node in running {
        let outcome = crate::support::kubelet::Outcome::from(node.wait());
        assert_eq!((outcome.response().auth.len(), outcome.stderr.as_str()), (1, ""));
    }
    assert!(aws.calls(Service::Ecr) > 12, "some were throttled");
}

#[test]
fn instance_metadata_that_is_overloaded_while_a_node_boots_is_asked_again() {
    for status in [429, 503] {
        let aws = FakeAws::start();
        let node = || Plugin::new(&aws).with(|helper| helper.without("AWS_ACCESS_KEY_ID").imds(&aws));
        // The session token, then the role's name.
        aws.fail_times(Service::Imds, 1, Fault::status(status));
        assert_eq!(node().ask(V1, &image()).response().auth.len(), 1);
        assert_eq!(aws.calls(Service::Imds), 4, "{status}");
        aws.fail(Service::Imds, Fault::status(status));
        let outcome = node().ask(V1, &image());
        assert!(outcome.failure().contains(&format!("HTTP {status}")), "{outcome:?}");
        assert_eq!(aws.calls(Service::Imds), 4 + 3, "not for ever");
    }
}
