//! Container credentials of ECS and EKS Pod Identity: the agent, its token, its refusals, and who is never asked.

use crate::support::{FakeAws, Fault, Helper, REGISTRY, Service};

fn helper(aws: &FakeAws) -> Helper {
    Helper::new().aws(aws).env("AWS_CONTAINER_CREDENTIALS_FULL_URI", format!("{}/v1/credentials?x=1", aws.url()))
}

// On Windows such tokens are not cached (docs/platforms.md).
#[cfg(unix)]
#[test]
fn the_agent_is_asked_once_for_three_pulls() {
    let aws = FakeAws::start();
    let helper = helper(&aws);
    for _ in 0..3 {
        assert_eq!(helper.get(REGISTRY).token().identity, "container");
    }
    assert_eq!((aws.calls(Service::Container), aws.calls(Service::Ecr)), (1, 1));
    assert_eq!(aws.requests(Service::Container)[0].query("x"), Some("1"));
}

#[test]
fn the_token_of_the_environment_and_that_of_a_file_are_sent() {
    let aws = FakeAws::start();
    aws.container_authorization("pod-token");
    let with_variable = helper(&aws).env("AWS_CONTAINER_AUTHORIZATION_TOKEN", "pod-token");
    assert_eq!(with_variable.get(REGISTRY).token().identity, "container");
    let with_file = helper(&aws);
    let file = with_file.write("token", "pod-token");
    let with_file = with_file.env("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", file);
    assert_eq!(with_file.get(REGISTRY).token().identity, "container");
}

#[test]
fn an_unreadable_token_file_is_named() {
    let aws = FakeAws::start();
    let outcome = helper(&aws).env("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "/does/not/exist").get(REGISTRY);
    let line = outcome.failure();
    assert!(line.contains("/does/not/exist") && line.contains("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"), "{line}");
    assert_eq!(aws.all_calls().len(), 0);
}

#[test]
fn a_refusal_is_reported_with_the_agent_s_reason() {
    let aws = FakeAws::start();
    aws.fail(
        Service::Container,
        Fault::Error { status: 403, code: "AccessDeniedException", message: "no association".to_owned() },
    );
    let outcome = helper(&aws).get(REGISTRY);
    let line = outcome.failure();
    let expected = "the container credentials endpoint answers HTTP 403: AccessDeniedException: no association";
    assert!(line.contains(expected) && line.contains(&aws.url()), "{line}");
    assert!(line.contains("pod identity association"), "{line}");
    assert_eq!((aws.calls(Service::Container), aws.calls(Service::Ecr)), (1, 0));
}

#[test]
fn an_answer_without_credentials_is_reported_without_quoting_it() {
    for fault in [Fault::web_page(), Fault::garbage(), Fault::empty(), Fault::NoData] {
        let aws = FakeAws::start();
        aws.fail(Service::Container, fault);
        let outcome = helper(&aws).get(REGISTRY);
        let line = outcome.failure();
        assert!(line.contains("the container credentials endpoint gives no credentials: the answer"), "{line}");
    }
}

#[test]
fn a_failing_agent_is_retried() {
    let aws = FakeAws::start();
    aws.fail_times(Service::Container, 2, Fault::unavailable());
    assert_eq!(helper(&aws).get(REGISTRY).token().identity, "container");
    assert_eq!(aws.calls(Service::Container), 3);
}

#[test]
fn an_agent_that_is_not_there_is_named() {
    let aws = FakeAws::start();
    let outcome = Helper::new()
        .aws(&aws)
        .env("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1:9/credentials")
        .get(REGISTRY);
    let line = outcome.failure();
    assert!(line.contains("cannot connect to 127.0.0.1:9"), "{line}");
    assert_eq!(aws.all_calls().len(), 0);
}

#[test]
fn plain_http_to_another_host_is_refused_before_any_request() {
    let aws = FakeAws::start();
    for uri in ["http://203.0.113.7/credentials", "http://169.254.169.254/credentials", "http://evil.example/c"] {
        let outcome = Helper::new()
            .aws(&aws)
            .env("AWS_CONTAINER_CREDENTIALS_FULL_URI", uri)
            .env("AWS_CONTAINER_AUTHORIZATION_TOKEN", "hunter2hunter2")
            .get(REGISTRY);
        let line = outcome.failure();
        assert!(line.contains("is neither https nor http to this host, ECS or EKS"), "{line}");
        assert!(!line.contains("hunter2"), "{line}");
    }
    assert_eq!(aws.all_calls().len(), 0);
}
