//! Pods pull with the role of their own service account, and never with another's or the node's.

use crate::support::cache::{HOUR, age};
use crate::support::kubelet::{self, Plugin, ROLE, V1, from_now, pod_request, service_account_token};
use crate::support::{FakeAws, Fault, REGISTRY, Service};

fn image() -> String {
    format!("{REGISTRY}/app")
}

/// What the fake says of a token that was fetched for a service account.
fn identity(name: &str) -> String {
    format!("web-pod-pull-system:serviceaccount:default:{name}")
}

fn token(name: &str) -> String {
    service_account_token(name, &format!("{name}-pod"), from_now(3600))
}

#[test]
fn the_annotated_role_is_assumed_with_the_pods_token_unsigned() {
    let aws = FakeAws::start();
    let plugin = Plugin::new(&aws);
    let token = token("alice");
    let outcome = plugin.send(&pod_request(&image(), &token, Some(ROLE)));
    assert_eq!((outcome.identity(), outcome.stderr.as_str()), (identity("alice"), ""));
    let [call] = &aws.requests(Service::Sts)[..] else { panic!("one call to STS") };
    assert_eq!(call.form("Action").as_deref(), Some("AssumeRoleWithWebIdentity"));
    assert_eq!(call.form("RoleArn").as_deref(), Some(ROLE));
    assert_eq!(call.form("WebIdentityToken").as_deref(), Some(token.as_str()));
    assert_eq!(call.header("authorization"), None, "unsigned");
}

#[test]
fn the_session_of_a_pods_role_has_the_name_that_trust_policies_know() {
    let aws = FakeAws::start();
    let plugin = Plugin::new(&aws).with(|helper| helper.env("AWS_ROLE_SESSION_NAME", "of-the-node"));
    plugin.send(&pod_request(&image(), &token("alice"), Some(ROLE)));
    let [call] = &aws.requests(Service::Sts)[..] else { panic!("one call to STS") };
    assert_eq!(call.form("RoleSessionName").as_deref(), Some("ecr-credential-provider"));
}

#[test]
fn the_variable_names_the_role_where_there_is_no_annotation() {
    let aws = FakeAws::start();
    let other = "arn:aws:iam::123456789012:role/of-the-pool";
    let plugin = Plugin::new(&aws).with(|helper| helper.env("AWS_ECR_ROLE_ARN", other));
    let outcome = plugin.send(&pod_request(&image(), &token("alice"), None));
    assert_eq!(outcome.identity(), "web-of-the-pool-system:serviceaccount:default:alice");
    let outcome = plugin.send(&pod_request(&image(), &token("alice"), Some(ROLE)));
    assert_eq!(outcome.identity(), identity("alice"), "the annotation wins, and the other role's token is not served");
}

#[test]
fn without_a_role_the_node_pulls() {
    let aws = FakeAws::start();
    let outcome = Plugin::new(&aws).send(&pod_request(&image(), &token("alice"), None));
    assert_eq!(outcome.identity(), "AKIANODE");
    assert_eq!(aws.calls(Service::Sts), 0);
}

#[test]
fn another_pod_of_the_service_account_is_served_from_the_cache() {
    let aws = FakeAws::start();
    let plugin = Plugin::new(&aws);
    for pod in ["first", "second"] {
        let token = service_account_token("alice", pod, from_now(3600));
        assert_eq!(plugin.send(&pod_request(&image(), &token, Some(ROLE))).identity(), identity("alice"));
    }
    assert_eq!((aws.calls(Service::Sts), aws.calls(Service::Ecr)), (1, 1));
}

#[test]
fn two_service_accounts_and_the_node_in_parallel_are_never_mixed() {
    let aws = FakeAws::start();
    aws.fail_times(Service::Ecr, 4, Fault::Late(std::time::Duration::from_millis(300)));
    let plugin = Plugin::new(&aws);
    for round in 0..3 {
        let running: Vec<_> = (0..24)
            .map(|number| {
                let pod = format!("pod-{round}-{number}");
                match number % 3 {
                    0 => ("AKIANODE".to_owned(), plugin.start(&kubelet::request(V1, &image()))),
                    kind => {
                        let name = if kind == 1 { "alice" } else { "bob" };
                        let token = service_account_token(name, &pod, from_now(3600));
                        (identity(name), plugin.start(&pod_request(&image(), &token, Some(ROLE))))
                    }
                }
            })
            .collect();
        for (expected, running) in running {
            let outcome = kubelet::Outcome::from(running.wait());
            assert_eq!((outcome.identity(), outcome.stderr.as_str()), (expected, ""));
        }
    }
    assert_eq!(aws.calls(Service::Ecr), 3, "one call for each of the three");
    assert_eq!(aws.calls(Service::Sts), 2);
}

#[test]
fn a_token_past_its_end_never_hits() {
    let aws = FakeAws::start();
    let plugin = Plugin::new(&aws);
    plugin.send(&pod_request(&image(), &token("alice"), Some(ROLE))).response();
    let message = "Token expired: current date/time must be before the expiration date/time";
    aws.fail(Service::Sts, Fault::Error { status: 400, code: "ExpiredTokenException", message: message.to_owned() });
    let expired = service_account_token("alice", "old-pod", from_now(-5));
    let outcome = plugin.send(&pod_request(&image(), &expired, Some(ROLE)));
    assert!(outcome.failure().contains(REGISTRY), "{outcome:?}");
    assert!(outcome.stderr.contains("xpired"), "{outcome:?}");
    assert_eq!(plugin.send(&pod_request(&image(), &token("alice"), Some(ROLE))).identity(), identity("alice"));
}

#[test]
fn a_malformed_token_or_role_is_an_error_and_the_node_does_not_stand_in() {
    let aws = FakeAws::start();
    let plugin = Plugin::new(&aws);
    plugin.ask(V1, &image()).response();
    let calls = aws.all_calls().len();
    let good = token("alice");
    for (token, role, said) in [
        ("not-a-token", ROLE, "token"),
        ("a.b.c", ROLE, "token"),
        (&good[1..], "ecr-pull", "ecr-role-arn"),
        (&good, "arn:aws:iam::123456789012:user/alice", "ecr-role-arn"),
        (&good, "arn:aws:iam::12:role/x", "ecr-role-arn"),
    ] {
        let outcome = plugin.send(&pod_request(&image(), token, Some(role)));
        assert!(outcome.failure().contains(said), "{outcome:?}");
        assert!(!outcome.stderr.contains(&good) && !outcome.stderr.contains("not-a-token"), "{outcome:?}");
    }
    assert_eq!(aws.all_calls().len(), calls);
}

#[test]
fn a_role_that_refuses_the_token_says_so() {
    let aws = FakeAws::start();
    aws.fail(
        Service::Sts,
        Fault::Error {
            status: 403,
            code: "AccessDenied",
            message: "Not authorized to perform sts:AssumeRoleWithWebIdentity".to_owned(),
        },
    );
    let token = token("alice");
    let outcome = Plugin::new(&aws).send(&pod_request(&image(), &token, Some(ROLE)));
    let line = outcome.failure();
    assert!(line.contains("pod-pull") && line.contains("AssumeRoleWithWebIdentity"), "{line}");
    assert!(!line.contains(&token));
}

#[test]
fn profile_and_role_of_the_settings_do_not_apply_to_pods() {
    let aws = FakeAws::start();
    let settings = format!(
        "[[registry]]\nmatch = \"{REGISTRY}\"\nrole_arn = \"arn:aws:iam::123456789012:role/of-the-settings\"\n"
    );
    let plugin = Plugin::new(&aws).with(|helper| helper.settings(&settings));
    assert_eq!(plugin.ask(V1, &image()).identity(), "role-of-the-settings-by-AKIANODE");
    let outcome = plugin.send(&pod_request(&image(), &token("alice"), Some(ROLE)));
    assert_eq!(outcome.identity(), identity("alice"));
}

#[test]
fn a_pods_token_is_refreshed_in_the_foreground() {
    let aws = FakeAws::start();
    let plugin = Plugin::new(&aws);
    plugin.send(&pod_request(&image(), &token("alice"), Some(ROLE))).response();
    age(plugin.helper(), 8 * HOUR);
    // The second half of its life has come: whoever holds the service account's token waits for a fresh one.
    let outcome = plugin.send(&pod_request(&image(), &token("alice"), Some(ROLE)));
    let response = outcome.response();
    assert!(kubelet::seconds(&response.cache_duration) > 4 * 3600, "a fresh one: {outcome:?}");
    assert_eq!(aws.calls(Service::Ecr), 2);
}

#[test]
fn a_service_account_token_is_never_written_down() {
    let aws = FakeAws::start();
    let plugin = Plugin::new(&aws).with(|helper| {
        let log = helper.home().join("log");
        helper.env("ECR_LOGIN_LOG", "trace").env("ECR_LOGIN_LOG_FILE", log)
    });
    let token = token("alice");
    let outcome = plugin.send(&pod_request(&image(), &token, Some(ROLE)));
    outcome.response();
    let parts: Vec<&str> = token.split('.').skip(1).chain([token.as_str()]).collect();
    let mut files = 0;
    let mut directories = vec![plugin.helper().home().to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(directory).unwrap().map(Result::unwrap) {
            if entry.file_type().unwrap().is_dir() {
                directories.push(entry.path());
                continue;
            }
            files += 1;
            let text = String::from_utf8_lossy(&std::fs::read(entry.path()).unwrap()).into_owned();
            for part in &parts {
                assert!(!text.contains(part), "{}", entry.path().display());
            }
        }
    }
    assert!(files > 1, "there is a cache to search");
    assert!(parts.iter().all(|part| !outcome.stderr.contains(part)));
}
