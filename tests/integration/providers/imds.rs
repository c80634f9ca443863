//! The role of an instance, by IMDSv2; and no credentials at all.

use std::time::Duration;

use crate::support::{FakeAws, Fault, Helper, REGISTRY, Service};

// On Windows such tokens are not cached (docs/platforms.md).
#[cfg(unix)]
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

/// What the service answers to the three requests, in turn; the AWS CLI is not told the life of a session token either.
fn answers(aws: &FakeAws, bodies: &[&[u8]]) {
    // What is said last comes first.
    for body in bodies.iter().rev() {
        let fault = Fault::Body { status: 200, content_type: "text/plain", body: body.to_vec() };
        aws.fail_times(Service::Imds, 1, fault);
    }
}

#[test]
fn a_session_token_whose_life_is_not_said_is_one() {
    let aws = FakeAws::start();
    let keys = br#"{"Code":"Success","AccessKeyId":"ASIAPROXY","SecretAccessKey":"s","Token":"t",
        "Expiration":"2099-01-01T00:00:00Z"}"#;
    answers(&aws, &[b"token\n", b"node-role\n", keys]);
    assert_eq!(Helper::new().aws(&aws).imds(&aws).get(REGISTRY).token().key, "ASIAPROXY");
    assert_eq!(aws.requests(Service::Imds)[1].header("x-aws-ec2-metadata-token"), Some("token"));
}

#[test]
fn a_session_token_that_no_header_can_carry_is_something_else_and_no_crash() {
    for token in [&b"\xff\xfe"[..], b"two words", "t\u{f6}ken".as_bytes(), b"one\ntwo", b""] {
        let aws = FakeAws::start();
        answers(&aws, &[token]);
        let outcome = Helper::new().aws(&aws).imds(&aws).get(REGISTRY);
        let line = outcome.failure();
        assert!(line.contains("gives something else when asked for a session token (IMDSv2)"), "{line}");
        assert_eq!(aws.calls(Service::Imds), 1);
    }
}

#[test]
fn a_role_s_name_that_no_path_can_carry_is_something_else_and_no_crash() {
    for name in [&b"<!DOCTYPE html>\n<p>Log in"[..], b"a/../b", b"a b", b"\xff\xfe", b"a%0d%0ab", b"\n<html>"] {
        let aws = FakeAws::start();
        answers(&aws, &[b"token", name]);
        let outcome = Helper::new().aws(&aws).imds(&aws).get(REGISTRY);
        let line = outcome.failure();
        assert!(line.contains("gives something else when asked for the role's name"), "{line}");
        assert_eq!(aws.calls(Service::Imds), 2);
    }
}

#[test]
fn the_service_s_own_reason_is_said_and_what_cannot_be_read_is_not_quoted() {
    for (keys, says) in [
        (
            r#"{"Code":"AssumeRoleUnauthorizedAccess","Message":"EC2 cannot assume the role node-role."}"#,
            "gives no credentials of role node-role: [AssumeRoleUnauthorizedAccess] EC2 cannot assume the role",
        ),
        (r#"{"Code":"Failed","Message":"not today"}"#, "gives no credentials of role node-role: Failed not today"),
        (r#"{"AccessKeyId":"MARKED","SecretAccessKey":"MARKED"}"#, "the answer has no \"Token\""),
        (
            r#"{"AccessKeyId":"","SecretAccessKey":"MARKED","Token":"t","Expiration":"2099-01-01T00:00:00Z"}"#,
            "a key in the answer is empty",
        ),
        (r#"{"AccessKeyId":"MARKED" "SecretAccessKey":"MARKED"}"#, "the answer is not JSON"),
        (r#"["MARKED"]"#, "the answer is not JSON"),
        (
            r#"{"AccessKeyId":"MARKED","SecretAccessKey":"MARKED","Token":"MARKED","Expiration":"MARKED"}"#,
            "the answer is not JSON, or not that of the service",
        ),
    ] {
        let aws = FakeAws::start();
        answers(&aws, &[b"token", b"node-role", keys.as_bytes()]);
        let outcome = Helper::new().aws(&aws).imds(&aws).get(REGISTRY);
        let line = outcome.failure();
        assert!(line.contains(says) && !line.contains("MARKED"), "{line}");
        assert!(!says.contains("role node-role: [") || line.contains("it must name ec2.amazonaws.com"), "{line}");
    }
}
