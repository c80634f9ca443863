//! The role of an instance, by IMDSv2; and no credentials at all.

use std::time::Duration;

use crate::support::{FakeAws, Fault, Helper, REGISTRY, Service};

#[test]
fn the_instance_s_role_is_three_requests_for_three_pulls() {
    let aws = FakeAws::start();
    let helper = Helper::new().aws(&aws).imds(&aws);
    for _ in 0..3 {
        assert_eq!(helper.get(REGISTRY).token().identity, "instance-node-role");
    }
    assert_eq!((aws.calls(Service::Imds), aws.calls(Service::Ecr)), (3, 1));
    let paths: Vec<_> = aws.requests(Service::Imds).into_iter().map(|request| request.path).collect();
    let role = "/latest/meta-data/iam/security-credentials/";
    assert_eq!(paths, ["/latest/api/token", role, "/latest/meta-data/iam/security-credentials/node-role"]);
}

#[test]
fn a_proxy_is_never_asked_for_the_instance_s_role() {
    let aws = FakeAws::start();
    let proxy = FakeAws::start();
    // No loopback address, which would go past a proxy anyway; the name resolves nowhere.
    let helper = Helper::new()
        .aws(&aws)
        .without("AWS_EC2_METADATA_DISABLED")
        .env("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://metadata.invalid")
        .env("HTTP_PROXY", proxy.url())
        .env("HTTPS_PROXY", proxy.url())
        .env("ALL_PROXY", proxy.url());
    helper.get(REGISTRY).failure();
    assert_eq!((proxy.connections(), aws.connections()), (0, 0));
}

#[test]
fn an_answer_that_never_comes_is_the_hop_limit_of_a_container() {
    let aws = FakeAws::start();
    aws.fail(Service::Imds, Fault::Hang);
    let outcome = Helper::new().aws(&aws).imds(&aws).get(REGISTRY);
    let line = outcome.failure();
    assert!(line.contains("the hop limit of its answers is too low"), "{line}");
    assert!(line.contains("--http-put-response-hop-limit 2"), "{line}");
    assert_eq!(aws.calls(Service::Imds), 1);
}

#[test]
fn a_service_that_is_switched_off_names_the_command_and_the_proxy_that_may_be_there() {
    let aws = FakeAws::start();
    aws.fail(Service::Imds, Fault::status(403));
    let outcome = Helper::new().aws(&aws).imds(&aws).get(REGISTRY);
    let line = outcome.failure();
    assert!(line.contains("is switched off, or a proxy refuses (HTTP 403)"), "{line}");
    assert!(line.contains("--http-endpoint enabled") && line.contains("kube2iam"), "{line}");
}

#[test]
fn a_service_that_knows_no_tokens_is_asked_without_one_unless_that_is_disabled() {
    for status in [403, 404, 405] {
        let aws = FakeAws::start();
        aws.old_imds(status);
        let helper = Helper::new().aws(&aws).imds(&aws);
        assert_eq!(helper.get(REGISTRY).token().identity, "instance-node-role", "{status}");
        assert_eq!(aws.calls(Service::Imds), 3);
        let profile = "[default]\nec2_metadata_v1_disabled = true\n";
        for helper in [
            Helper::new().aws(&aws).imds(&aws).env("AWS_EC2_METADATA_V1_DISABLED", "true"),
            Helper::new().aws(&aws).imds(&aws).aws_config(profile),
        ] {
            let outcome = helper.get(REGISTRY);
            let line = outcome.failure();
            assert!(line.contains(&format!("gives no session token (HTTP {status})")), "{line}");
        }
        assert_eq!((aws.calls(Service::Imds), aws.calls(Service::Ecr)), (5, 1));
    }
}

#[test]
fn a_failure_is_reported_with_its_status_and_not_retried() {
    for (fault, reason) in [
        (Fault::status(500), "answers HTTP 500 when asked for a session token (IMDSv2)"),
        (Fault::Close, "the connection was closed before an answer came"),
    ] {
        let aws = FakeAws::start();
        aws.fail(Service::Imds, fault);
        let outcome = Helper::new().aws(&aws).imds(&aws).get(REGISTRY);
        let line = outcome.failure();
        assert!(line.contains(reason), "{line}");
        assert_eq!((aws.calls(Service::Imds), aws.calls(Service::Ecr)), (1, 0));
    }
}

#[test]
fn where_no_service_answers_the_line_says_so_and_doctor_lists_what_was_tried_in_order() {
    let aws = FakeAws::start();
    let helper = Helper::new()
        .aws(&aws)
        .without("AWS_EC2_METADATA_DISABLED")
        .env("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://127.0.0.1:9");
    let outcome = helper.get(REGISTRY);
    assert!(
        outcome.failure().contains("no AWS credentials found: no instance metadata service answers"),
        "{outcome:?}"
    );
    assert!(outcome.duration < Duration::from_secs(20), "{:?}", outcome.duration);
    assert_eq!(aws.all_calls().len(), 0);
    let listed = helper.run(["doctor", REGISTRY], "").stdout;
    let listed = listed.lines().find(|line| line.contains(" source ")).unwrap_or_else(|| panic!("{listed}"));
    let tried = ["AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE", "profile default", "AWS_CONTAINER_CREDENTIALS"];
    let places: Vec<_> =
        tried.iter().map(|what| listed.find(what).unwrap_or_else(|| panic!("{what}: {listed}"))).collect();
    assert!(places.is_sorted(), "{listed}");
}

#[test]
fn a_role_of_a_profile_that_rests_on_the_instance_is_not_called_an_absence() {
    let aws = FakeAws::start();
    let outcome = Helper::new()
        .aws(&aws)
        .without("AWS_EC2_METADATA_DISABLED")
        .env("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://127.0.0.1:9")
        .env("AWS_PROFILE", "pull")
        .aws_config(
            "[profile pull]\nrole_arn = arn:aws:iam::123456789012:role/x\ncredential_source = Ec2InstanceMetadata\n",
        )
        .get(REGISTRY);
    let line = outcome.failure();
    assert!(line.contains("no instance metadata service answers") && line.contains("as profile pull"), "{line}");
}

#[test]
fn the_service_is_not_asked_where_it_is_disabled() {
    let aws = FakeAws::start();
    let helper = Helper::new().aws(&aws).imds(&aws).env("AWS_EC2_METADATA_DISABLED", "true");
    assert!(helper.get(REGISTRY).failure().contains("no AWS credentials found; "));
    assert!(helper.run(["doctor", REGISTRY], "").stdout.contains("AWS_EC2_METADATA_DISABLED is true"));
    assert_eq!(aws.all_calls().len(), 0);
}
