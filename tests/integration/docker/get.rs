//! `get`: a token from ECR, over plain HTTP and over TLS, and what the client reads.

use crate::support::{Certificate, FakeAws, Fault, Helper, NOT_FOUND, REGISTRY, Service, Token};

#[test]
fn one_json_object_and_a_newline_with_what_was_asked() {
    let aws = FakeAws::start();
    let helper = Helper::new().aws(&aws).keys("AKIATEST");
    for asked in [
        REGISTRY.to_owned(),
        format!("https://{REGISTRY}"),
        format!("{REGISTRY}\n"),
        format!("  https://{REGISTRY}/v1/ \r\n"),
        format!("{REGISTRY}:443"),
        format!("{REGISTRY}/team/app"),
        format!("http://{}", REGISTRY.to_uppercase()),
    ] {
        let outcome = helper.get(&asked);
        let answer = outcome.answer();
        assert_eq!(answer.server_url, asked.trim());
        assert!(outcome.stdout.starts_with("{\"ServerURL\":"), "{outcome:?}");
        assert_eq!(outcome.token().key, "AKIATEST");
    }
    assert_eq!((aws.calls(Service::Ecr), aws.all_calls().len()), (1, 1), "one call, then the cache");
}

#[test]
fn over_tls_with_one_connection_and_one_request() {
    let aws = FakeAws::over_tls(Certificate::Good);
    let helper = Helper::new().aws(&aws).keys("AKIATEST");
    let token = helper.get(REGISTRY).token();
    assert_eq!((token.key.as_str(), token.region.as_str(), token.service.as_str()), ("AKIATEST", "eu-west-1", "ecr"));
    assert_eq!((aws.connections(), aws.all_calls().len()), (1, 1));
}

#[test]
fn the_request_names_the_program_and_no_registry() {
    let aws = FakeAws::start();
    Helper::new().aws(&aws).keys("AKIATEST").env("AWS_SESSION_TOKEN", "session").get(REGISTRY).token();
    let request = aws.requests(Service::Ecr).remove(0);
    let version = env!("CARGO_PKG_VERSION");
    let agent = [request.user_agent(), request.header("x-amz-user-agent").unwrap_or("")].join(" ");
    assert!(agent.contains("ecr-login") && agent.contains(version), "{agent}");
    assert_eq!(request.body, b"{}", "no registryIds");
    assert_eq!((request.region(), request.signed_for()), (Some("eu-west-1"), Some("ecr")));
    assert_eq!(request.header("x-amz-security-token"), Some("session"));
}

#[test]
fn ecr_public_is_asked_in_us_east_1() {
    let aws = FakeAws::start();
    for host in ["public.ecr.aws", "ecr-public.aws.com"] {
        let token = Helper::new().aws(&aws).keys("AKIATEST").get(host).token();
        assert_eq!((token.service.as_str(), token.region.as_str()), ("ecr-public", "us-east-1"));
    }
    assert_eq!(aws.requests(Service::EcrPublic)[0].signed_for(), Some("ecr-public"));
}

#[test]
fn the_endpoint_of_the_service_wins_over_the_general_one() {
    let (aws, other) = (FakeAws::start(), FakeAws::start());
    let helper = Helper::new().aws(&other).keys("AKIATEST").env("AWS_ENDPOINT_URL_ECR", aws.url());
    helper.get(REGISTRY).token();
    assert_eq!((aws.calls(Service::Ecr), other.connections()), (1, 0));
}

#[test]
fn a_token_that_our_clock_calls_dead_is_handed_over_and_not_kept() {
    let aws = FakeAws::start();
    aws.token_life(-10 * 365 * 86_400);
    let helper = Helper::new().aws(&aws).keys("AKIATEST");
    let (first, second) = (helper.get(REGISTRY).token(), helper.get(REGISTRY).token());
    assert_ne!(first.serial, second.serial);
    assert_eq!(aws.calls(Service::Ecr), 2);
}

#[test]
fn a_refresh_is_asked_for_once_and_replaces_what_was_kept() {
    let aws = FakeAws::start();
    let mut helper = Helper::new().aws(&aws).keys("AKIATEST");
    let first = helper.get(REGISTRY).token();
    helper = helper.env("ECR_LOGIN_REFRESH", "1");
    let second = helper.get(REGISTRY).token();
    assert_ne!(first, second);
    helper = helper.env("ECR_LOGIN_REFRESH", "0");
    assert_eq!(helper.get(REGISTRY).token(), second);
    assert_eq!(aws.calls(Service::Ecr), 2);
}

#[test]
fn a_refresh_replaces_the_copies_for_other_registries_too() {
    const OTHER: &str = "210987654321.dkr.ecr.eu-west-1.amazonaws.com";
    let aws = FakeAws::start();
    let helper = Helper::new().aws(&aws).keys("AKIATEST");
    assert_eq!(helper.get(REGISTRY).token(), helper.get(OTHER).token());
    let helper = helper.env("ECR_LOGIN_REFRESH", "1");
    let second = helper.get(REGISTRY).token();
    let helper = helper.without("ECR_LOGIN_REFRESH");
    assert_eq!((helper.get(OTHER).token(), helper.get(REGISTRY).token()), (second.clone(), second));
    assert_eq!(aws.calls(Service::Ecr), 2);
}

#[test]
fn what_turns_on_and_off_is_read_alike_wherever_it_is_asked_for() {
    let aws = FakeAws::start();
    let base = || Helper::new().aws(&aws).keys("AKIATEST");
    for (value, is_on) in [("1", true), ("true", true), ("YES", true), ("0", false), ("False", false), ("off", false)] {
        let helper = base();
        let kept = helper.get(REGISTRY).token();
        let helper = helper.env("ECR_LOGIN_REFRESH", value);
        let password = helper.run(["password", REGISTRY], "");
        let password = Token::of_password(password.stdout.trim_end());
        assert_eq!(password != kept, is_on, "password, {value}");
        assert_eq!(helper.get(REGISTRY).token() != password, is_on, "get, {value}");
    }
}

#[test]
fn without_a_cache_every_get_asks() {
    let aws = FakeAws::start();
    let helper = Helper::new().aws(&aws).keys("AKIATEST").env("AWS_ECR_DISABLE_CACHE", "1");
    assert_ne!(helper.get(REGISTRY).token(), helper.get(REGISTRY).token());
    assert!(!helper.made_a_cache());
}

#[test]
fn a_limit_that_is_no_positive_number_is_named() {
    let aws = FakeAws::start();
    for text in ["0", "-1", "ten", "10s"] {
        let helper = Helper::new().aws(&aws).keys("AKIATEST").env("ECR_LOGIN_TIMEOUT", text);
        let outcome = helper.get(REGISTRY);
        let expected = format!(
            "docker-credential-ecr-login: {REGISTRY}: ECR_LOGIN_TIMEOUT is no positive number of seconds: {text:?}; set \
             it to a number such as 10, or unset ECR_LOGIN_TIMEOUT"
        );
        assert_eq!(outcome.failure(), expected);
        helper.get("docker.io").assert_not_found();
    }
    assert_eq!(aws.connections(), 0);
}

#[test]
fn a_limit_longer_than_any_clock_can_tell_is_a_limit() {
    let aws = FakeAws::start();
    for text in ["1e10", "9.3e18", "1e19"] {
        let helper = Helper::new().aws(&aws).keys("AKIATEST").env("ECR_LOGIN_TIMEOUT", text);
        helper.get(REGISTRY).token();
        helper.get("docker.io").assert_not_found();
    }
}

#[test]
fn strict_puts_the_reason_where_clients_stop() {
    let aws = FakeAws::start();
    aws.fail(Service::Ecr, Fault::access_denied());
    let base = || Helper::new().aws(&aws).keys("AKIATEST");
    for helper in [base().env("ECR_LOGIN_STRICT", "1"), base().settings("strict = true\n")] {
        let outcome = helper.get(REGISTRY);
        assert_eq!(
            (outcome.code, &outcome.stderr),
            (Some(1), &outcome.stdout),
            "docker pull hides stdout: {outcome:?}"
        );
        let line = outcome.stdout.strip_suffix('\n').unwrap();
        assert!(line.contains("AccessDenied") && line.contains(REGISTRY) && !line.contains('\n'), "{line}");
        helper.get("docker.io").assert_not_found();
    }
    let outcome = base().settings("strict = true\n").env("ECR_LOGIN_STRICT", "0").get(REGISTRY);
    assert_eq!(outcome.stdout, NOT_FOUND, "the variable wins");
    aws.fail(Service::EcrPublic, Fault::access_denied());
    let outcome = base().env("ECR_LOGIN_STRICT", "1").get("public.ecr.aws");
    assert!(outcome.failure().contains("AccessDenied"), "never for ECR Public: {outcome:?}");
}

#[test]
fn a_registry_that_the_settings_call_anonymous_is_never_authenticated() {
    let aws = FakeAws::start();
    let helper = Helper::new().aws(&aws).keys("AKIATEST");
    let helper = helper.settings("[[registry]]\nmatch = \"public.ecr.aws\"\nanonymous = true\n");
    helper.get("public.ecr.aws").assert_not_found();
    assert_eq!(aws.connections(), 0);
}

#[test]
fn an_alias_is_answered_with_its_targets_token_under_its_own_name() {
    let aws = FakeAws::start();
    let helper = Helper::new()
        .aws(&aws)
        .keys("AKIATEST")
        .settings(&format!("[[registry]]\nmatch = \"images.example.com\"\nalias_of = \"{REGISTRY}\"\n"));
    let outcome = helper.get("https://images.example.com/v2/");
    assert_eq!(outcome.answer().server_url, "https://images.example.com/v2/");
    assert_eq!(outcome.token().region, "eu-west-1");
    helper.get("other.example.com").assert_not_found();
}

#[test]
fn without_any_credentials_the_line_says_what_to_do() {
    let outcome = Helper::new().get(REGISTRY);
    let line = outcome.failure();
    assert!(line.starts_with(&format!("docker-credential-ecr-login: {REGISTRY}: ")), "{line}");
    assert!(line.contains("credentials") && line.contains("; "), "{line}");
}
