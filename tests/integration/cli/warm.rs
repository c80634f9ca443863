//! `warm` fetches before a pull needs it; `password` prints what tools without helpers want.

use crate::support::cache::{HOUR, age, forget_failures};
use crate::support::{FakeAws, Fault, Helper, REGISTRY, Service, Source, Token};

const OTHER: &str = "210987654321.dkr.ecr.eu-west-1.amazonaws.com";
const FAR: &str = "123456789012.dkr.ecr.us-east-1.amazonaws.com";

fn helper(aws: &FakeAws) -> Helper {
    Helper::new().aws(aws).keys("AKIANODE")
}

#[test]
fn what_warm_fetched_serves_docker_and_the_kubelet_without_a_call() {
    let aws = FakeAws::start();
    let helper = helper(&aws);
    let outcome = helper.run(["warm", REGISTRY, OTHER, FAR], "");
    assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""), "{outcome:?}");
    let mut lines: Vec<&str> = outcome.stdout.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines.len(), 4);
    for (line, registry) in lines.iter().zip([REGISTRY, FAR, OTHER]) {
        let good = line.strip_prefix(&format!("{registry}: good for ")).unwrap_or_else(|| panic!("{line}"));
        assert!(good.contains(" (until ") && good.contains(" UTC), renewed from "), "{line}");
    }
    assert_eq!(outcome.stdout.lines().last(), Some("3 registries: 3 ready"));
    assert_eq!(aws.calls(Service::Ecr), 2, "one for each region");
    for registry in [REGISTRY, OTHER, FAR] {
        helper.get(registry).token();
        let request = format!(
            "{{\"kind\":\"CredentialProviderRequest\",\"apiVersion\":\"credentialprovider.kubelet.k8s.io/v1\",\
             \"image\":\"{registry}/app\"}}"
        );
        assert_eq!(helper.run(["kubelet"], request).code, Some(0));
    }
    assert_eq!(helper.run(["warm", REGISTRY], "").code, Some(0));
    assert_eq!(aws.calls(Service::Ecr), 2, "what is fresh is not fetched again");
}

#[test]
fn warm_fails_if_any_failed_and_says_one_line_for_each() {
    let aws = FakeAws::start();
    let outcome = helper(&aws).run(["warm", "gcr.io", REGISTRY], "");
    assert_eq!(outcome.code, Some(1));
    assert!(outcome.line().starts_with("docker-credential-ecr-login: gcr.io: "), "{outcome:?}");
    assert!(outcome.stdout.starts_with(REGISTRY), "{outcome:?}");
    assert!(outcome.stdout.ends_with("2 registries: 1 ready, 1 failed\n"), "{outcome:?}");
}

#[test]
fn warm_rides_out_throttling() {
    let aws = FakeAws::start();
    aws.fail_times(Service::Ecr, 4, Fault::throttled());
    let outcome = helper(&aws).run(["warm", REGISTRY], "");
    assert_eq!((outcome.code, aws.calls(Service::Ecr)), (Some(0), 5), "{outcome:?}");
}

#[test]
fn warm_gives_up_at_its_timeout() {
    let aws = FakeAws::start();
    aws.fail(Service::Ecr, Fault::Hang);
    let outcome = helper(&aws).run(["warm", "--timeout", "2", REGISTRY, FAR], "");
    assert_eq!(
        (outcome.code, outcome.stdout.as_str(), outcome.stderr.lines().count()),
        (Some(1), "2 registries: 0 ready, 2 failed\n", 2),
        "{outcome:?}"
    );
    assert!(outcome.duration.as_secs() < 30);
}

#[test]
fn warm_with_too_little_time_names_its_timeout_option() {
    let aws = FakeAws::start();
    aws.fail(Service::Ecr, Fault::Hang);
    let outcome = helper(&aws).run(["warm", "--timeout", "1", REGISTRY], "");
    assert!(outcome.line().ends_with("; try again, or raise --timeout"), "{outcome:?}");
}

#[test]
fn warm_fetches_in_the_foreground_what_is_in_its_second_half() {
    let aws = FakeAws::start();
    let helper = helper(&aws);
    assert_eq!(helper.run(["warm", REGISTRY], "").code, Some(0));
    age(&helper, 8 * HOUR);
    // Longer than a `get` would wait that has a valid token.
    aws.fail(Service::Ecr, Fault::late(4_000));
    let outcome = helper.run(["warm", REGISTRY], "");
    assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""), "{outcome:?}");
    assert_eq!(aws.calls(Service::Ecr), 2, "when it ends, the fetch is over");
    assert_eq!(helper.get(REGISTRY).token().serial, 2);
}

#[test]
fn warm_fails_where_a_token_in_its_second_half_cannot_be_replaced_and_the_old_one_serves_on() {
    let aws = FakeAws::start();
    let helper = helper(&aws);
    assert_eq!(helper.run(["warm", REGISTRY], "").code, Some(0));
    age(&helper, 8 * HOUR);
    aws.fail(Service::Ecr, Fault::access_denied());
    for _ in 0..2 {
        let outcome = helper.run(["warm", REGISTRY], "");
        assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(1), ""), "{outcome:?}");
        assert!(outcome.line().contains(REGISTRY) && outcome.line().contains("GetAuthorizationToken"), "{outcome:?}");
    }
    assert_eq!(helper.get(REGISTRY).token().serial, 1);
    aws.heal(Service::Ecr);
    // As after the second within which one failure answers for all who ask.
    forget_failures(&helper);
    assert_eq!(helper.run(["warm", REGISTRY], "").code, Some(0));
    assert_eq!(helper.get(REGISTRY).token().serial, 2);
}

#[test]
fn warm_takes_no_token_of_another_registry_that_is_in_its_second_half() {
    let aws = FakeAws::start();
    let helper = helper(&aws);
    assert_eq!(helper.run(["warm", REGISTRY], "").code, Some(0));
    age(&helper, 8 * HOUR);
    assert_eq!(helper.run(["warm", OTHER], "").code, Some(0));
    assert_eq!(helper.get(OTHER).token().serial, 2);
}

#[cfg(unix)]
#[test]
fn warm_fails_where_nothing_can_be_kept() {
    let aws = FakeAws::start();
    let off = helper(&aws).env("AWS_ECR_DISABLE_CACHE", "1");
    let nowhere = helper(&aws).env("AWS_ECR_CACHE_DIR", "/dev/null");
    let expected = [("AWS_ECR_DISABLE_CACHE", off), ("/dev/null/ecr-login", nowhere)];
    for (reason, helper) in &expected {
        let outcome = helper.run(["warm", REGISTRY], "");
        assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(1), ""), "{outcome:?}");
        assert!(outcome.line().contains("not kept") && outcome.line().contains(reason), "{outcome:?}");
    }
}

#[cfg(unix)]
#[test]
fn warm_says_that_the_credentials_may_have_changed_where_the_cache_has_no_token_for_those_there_are_now() {
    let aws = FakeAws::start();
    let helper = Helper::new().aws(&aws);
    let config = helper.home().join(".aws/config");
    let keys = r#"{"Version":1,"AccessKeyId":"AKIAOLD","SecretAccessKey":"secret-of-AKIAOLD"}"#;
    let change = format!("echo '[default]\ncredential_process = new' >'{}'; echo '{keys}'", config.display());
    let script = helper.script("change", &change);
    let helper = helper.aws_config(&format!("[default]\ncredential_process = {}\n", script.display()));
    let outcome = helper.run(["warm", REGISTRY], "");
    assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(1), ""), "{outcome:?}");
    assert!(outcome.line().contains("or the credentials changed meanwhile: run this again"), "{outcome:?}");
}

#[test]
fn warm_says_of_a_token_that_our_clock_calls_dead_that_it_is_not_kept() {
    let aws = FakeAws::start();
    aws.token_life(-10_000);
    let outcome = helper(&aws).run(["warm", REGISTRY], "");
    assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""), "{outcome:?}");
    assert!(outcome.stdout.contains("not kept") && !outcome.stdout.contains("renewed"), "{outcome:?}");
}

#[test]
fn warm_without_arguments_fetches_for_all_that_clients_and_settings_name() {
    let aws = FakeAws::start();
    let helper = helper(&aws).settings(&format!("[[registry]]\nmatch = \"{FAR}\"\n"));
    helper.write(
        ".docker/config.json",
        format!("{{\"credHelpers\":{{\"{REGISTRY}\":\"ecr-login\",\"gcr.io\":\"gcloud\"}}}}"),
    );
    helper.write(".config/containers/auth.json", format!("{{\"credHelpers\":{{\"{OTHER}\":\"ecr-login\"}}}}"));
    let outcome = helper.run(["warm"], "");
    assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""), "{outcome:?}");
    for registry in [REGISTRY, OTHER, FAR] {
        assert!(outcome.stdout.contains(&format!("{registry}: good for ")), "{outcome:?}");
    }
    assert!(outcome.stdout.ends_with("3 registries: 3 ready\n"), "{outcome:?}");
    let outcome = Helper::new().run(["warm"], "");
    assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(1), ""), "{outcome:?}");
    assert!(outcome.line().contains("setup docker"), "{outcome:?}");
}

#[test]
fn warm_without_arguments_fetches_what_was_served_before_where_the_helper_is_dockers_store() {
    let aws = FakeAws::start();
    let helper = helper(&aws);
    helper.write(".docker/config.json", "{\"credsStore\":\"ecr-login\"}");
    helper.get(REGISTRY).token();
    let outcome = helper.run(["warm"], "");
    assert!(outcome.code == Some(0) && outcome.stdout.starts_with(&format!("{REGISTRY}: good for ")), "{outcome:?}");
}

#[test]
fn ecr_public_without_credentials_is_no_failure_of_warm() {
    let outcome = Helper::new().run(["warm", "public.ecr.aws"], "");
    assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""), "{outcome:?}");
    assert_eq!(outcome.stdout, "public.ecr.aws: no credentials, so pulls are anonymous\n");
}

#[test]
fn a_timeout_of_no_time_is_refused() {
    for command in ["warm", "login"] {
        let outcome = Helper::new().run([command, "--timeout", "0", REGISTRY], "");
        assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(2), ""), "{outcome:?}");
        assert!(outcome.stderr.contains("--timeout"), "{outcome:?}");
    }
}

#[cfg(unix)]
#[test]
fn warm_shows_on_a_terminal_how_many_are_done_and_leaves_whole_lines() {
    let aws = FakeAws::start();
    for (term, shown) in [("xterm", true), ("dumb", false)] {
        let helper = helper(&aws).env("TERM", term);
        let (text, code) = crate::support::terminal::shown(helper.command(["warm", REGISTRY, OTHER, FAR]));
        assert_eq!(code, Some(0), "{text}");
        assert_eq!(text.contains("2 of 3 done"), shown, "{term}: {text:?}");
        assert_eq!(text.contains('\u{1b}'), shown, "{term}: {text:?}");
        assert!(text.ends_with("3 registries: 3 ready\r\n"), "{text:?}");
    }
}

#[test]
fn password_prints_the_bare_password() {
    let aws = FakeAws::start();
    let helper = helper(&aws);
    let mut printed = Vec::new();
    for action in ["password", "get-login-password"] {
        let outcome = helper.run([action, REGISTRY], "");
        assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""), "{outcome:?}");
        let password = outcome.stdout.strip_suffix('\n').unwrap().to_owned();
        assert_eq!(Token::of_password(&password).key, "AKIANODE");
        printed.push(password);
    }
    assert_eq!((printed[0] == printed[1], aws.calls(Service::Ecr)), (true, 1), "from the cache");
    let outcome = helper.get(REGISTRY);
    assert_eq!(outcome.answer().secret, printed[0]);
}

#[test]
fn password_says_why_there_is_none() {
    let aws = FakeAws::start();
    aws.fail(Service::Ecr, Fault::access_denied());
    for (registry, reason) in [(REGISTRY, "AccessDenied"), ("gcr.io", "not a registry of Amazon ECR")] {
        let outcome = helper(&aws).run(["password", registry], "");
        assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(1), ""), "{outcome:?}");
        assert!(outcome.line().contains(reason) && outcome.line().contains(registry), "{outcome:?}");
    }
}

const REGIONS: [&str; 4] = [
    REGISTRY,
    FAR,
    "123456789012.dkr.ecr.ap-southeast-2.amazonaws.com",
    "123456789012.dkr.ecr.us-gov-west-1.amazonaws.com",
];

#[test]
fn regions_of_one_role_are_one_call_of_sts_for_each_partition_and_are_connected_to_side_by_side() {
    for source in [Source::Role, Source::WebIdentity] {
        let aws = FakeAws::start();
        let sts = aws.host_of_its_own(None);
        // Without a connection for each region of the partition there would be no answer before the timeout.
        aws.fail(Service::Sts, Fault::Once(aws.server().has_connections(3)));
        let helper = source.set_up(Helper::new().aws(&aws).env("AWS_ENDPOINT_URL_STS", sts.url()), &aws.url());
        let outcome = helper.run(["warm", "--timeout", "20", REGIONS[0], REGIONS[1], REGIONS[2], REGIONS[3]], "");
        assert_eq!((outcome.code, outcome.stdout.lines().count()), (Some(0), 5), "{outcome:?}");
        assert_eq!((aws.calls(Service::Sts), aws.calls(Service::Ecr)), (2, 4), "{source:?}");
        assert_eq!((aws.connections(), sts.connections()), (4, 2), "{source:?}");
    }
}

#[test]
fn a_region_whose_sts_refuses_does_not_fail_the_others() {
    let aws = FakeAws::start();
    let helper = Source::Role.set_up(Helper::new().aws(&aws), &aws.url());
    aws.fail_times(
        Service::Sts,
        1,
        Fault::Error { status: 403, code: "RegionDisabledException", message: "STS is not activated".to_owned() },
    );
    let outcome = helper.run(["warm", REGIONS[0], REGIONS[1], REGIONS[2]], "");
    assert_eq!((outcome.code, outcome.stdout.lines().count(), outcome.stderr.lines().count()), (Some(1), 3, 1));
    assert!(outcome.stderr.contains("RegionDisabledException"), "{outcome:?}");
}
