//! AWS says no: the line says why and what to do.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use ecr_login::text::user_error::Kind;

use crate::support::ecr_call::{Call, PUBLIC};
use crate::support::raw_server::{answer, error, http, token};

fn refused(code: &'static str, message: &'static str, words: &[&str]) -> String {
    let server = http(move |_, _| error("400 Bad Request", code, message));
    let line = Call::to(&server.url()).fails(words);
    assert_eq!(server.seen.requests().len(), 1, "{code} is not tried again");
    line
}

#[test]
fn a_missing_permission_names_the_iam_action() {
    let message = "User: arn:aws:iam::123456789012:user/u is not authorized to perform: ecr:GetAuthorizationToken on \
                   resource: * because no identity-based policy allows the ecr:GetAuthorizationToken action";
    let words = ["AccessDeniedException", "user/u", "allow this identity the IAM action ecr:GetAuthorizationToken"];
    refused("AccessDeniedException", message, &words);
    refused(
        "AccessDeniedException",
        "with an explicit deny in a service control policy",
        &["have ecr:GetAuthorizationToken taken out"],
    );
    refused(
        "AccessDeniedException",
        "because no VPC endpoint policy allows it",
        &["in the policy of the VPC endpoint"],
    );
}

#[test]
fn a_missing_permission_on_ecr_public_names_both_actions() {
    let server = http(|_, _| error("400 Bad Request", "AccessDeniedException", "no sts:GetServiceBearerToken"));
    let words = ["ECR Public", "ecr-public:GetAuthorizationToken and sts:GetServiceBearerToken"];
    assert_eq!(Call::to(&server.url()).registry(PUBLIC).failure(&words).kind, Kind::Credentials);
}

#[test]
fn unknown_keys_are_reported_as_of_another_partition_or_region() {
    let message = "The security token included in the request is invalid.";
    refused(
        "UnrecognizedClientException",
        message,
        &["unknown in partition aws", "deleted, inactive or of another partition"],
    );
    let server = http(move |_, _| error("400 Bad Request", "UnrecognizedClientException", message));
    let milan = "123456789012.dkr.ecr.eu-south-1.amazonaws.com";
    Call::to(&server.url()).registry(milan).fails(&["has not enabled the region eu-south-1"]);
    let china = "123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn";
    Call::to(&server.url()).registry(china).fails(&["partition aws-cn"]);
}

#[test]
fn expired_and_mismatched_keys_say_what_to_do() {
    refused(
        "ExpiredTokenException",
        "The security token included in the request is expired",
        &["have expired: log in again"],
    );
    refused(
        "InvalidSignatureException",
        "The request signature we calculated does not match",
        &["does not fit the access key id"],
    );
    refused("OptInRequired", "x", &["enable the region eu-central-1"]);
}

#[test]
fn words_of_the_server_are_one_line_within_bounds_and_without_secrets() {
    let message = "bad\\r\\n\\u001b[31m key AKIAIOSFODNN7EXAMPLE wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY1 and so on and on \
                   and on and on and on and on and on and on and on and on and on and on and on and on and on and on and on \
                   and on and on and on and on and on and on and on and on and on and on and on and on and on and on the end";
    let line = refused(
        "OddException",
        message,
        &["ECR refused the call: OddException: bad [31m key [removed] [removed] and so on"],
    );
    assert!(!line.contains("the end"));
}

#[test]
fn throttling_is_tried_again_and_then_reported() {
    let limit = "ThrottlingException";
    let server =
        http(move |number, _| if number == 0 { error("400 Bad Request", limit, "Rate exceeded") } else { token() });
    assert_eq!(Call::to(&server.url()).password(), "the-password");
    assert_eq!((server.seen.requests().len(), server.seen.connections()), (2, 1));

    let server = http(move |_, _| error("400 Bad Request", limit, "Rate exceeded"));
    let failure = Call::to(&server.url()).failure(&["asked too often", "ThrottlingException", "try again in a minute"]);
    assert_eq!(failure.kind, Kind::Throttled);
    assert_eq!(server.seen.requests().len(), 3);
}

#[test]
fn a_throttled_node_goes_on_until_its_deadline() {
    let server = http(|number, _| match number {
        0..4 => error("429 Too Many Requests", "TooManyRequestsException", "x"),
        _ => token(),
    });
    assert_eq!(
        Call::to(&server.url()).of_a_node().within(Duration::from_secs(45)).fetch().unwrap().password.expose(),
        "the-password"
    );
    assert_eq!(server.seen.requests().len(), 5);

    let server = http(|_, _| error("400 Bad Request", "ThrottlingException", "x"));
    let start = Instant::now();
    let failure = Call::to(&server.url()).of_a_node().within(Duration::from_secs(4)).failure(&["asked too often"]);
    assert_eq!(failure.kind, Kind::Throttled);
    assert!(start.elapsed() < Duration::from_secs(6));
}

#[test]
fn a_server_that_fails_is_tried_again_and_then_named() {
    for status in ["500 Internal Server Error", "503 Service Unavailable"] {
        let server = http(move |number, _| if number < 2 { error(status, "ServerException", "oops") } else { token() });
        assert_eq!(Call::to(&server.url()).password(), "the-password");
        let server = http(move |_, _| error(status, "ServerException", "oops"));
        let failure =
            Call::to(&server.url()).failure(&["ECR failed with HTTP 50", "ServerException: oops", "127.0.0.1"]);
        assert_eq!((failure.kind, server.seen.requests().len()), (Kind::Network, 3));
    }
}

#[test]
fn something_else_that_answers_is_recognised() {
    for status in ["403 Forbidden", "404 Not Found", "418 x"] {
        let server = http(move |_, _| answer(status, "", "<html>Blocked by the firewall</html>"));
        let words = ["ECR answered HTTP 4", "without an AWS error", "something else answers there"];
        assert_eq!(Call::to(&server.url()).failure(&words).kind, Kind::Network);
        assert_eq!(server.seen.requests().len(), 1);
    }
}

#[test]
fn a_redirect_is_not_followed() {
    let target = http(|_, _| token());
    let location = format!("location: {}/login?session=hunter2\r\n", target.url());
    let server = http(move |_, _| answer("302 Found", &location, ""));
    Call::to(&server.url()).fails(&["HTTP 302, a redirect to http://127.0.0.1", "/login, which is not followed"]);
    assert_eq!(target.seen.connections(), 0);
}

fn date_in(seconds: i64) -> String {
    let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap();
    let at = aws_smithy_types::DateTime::from_secs(now + seconds);
    format!("date: {}\r\n", at.fmt(aws_smithy_types::date_time::Format::HttpDate).unwrap())
}

#[test]
fn a_wrong_clock_is_made_good_with_the_servers_time_or_reported_with_its_error() {
    let body = r#"{"__type":"InvalidSignatureException","message":"Signature expired"}"#;
    let server = http(move |number, _| match number {
        0 => answer("400 Bad Request", &date_in(-2 * 3600), body),
        _ => token(),
    });
    assert_eq!(Call::to(&server.url()).password(), "the-password");
    assert_eq!(server.seen.requests().len(), 2);

    for (ahead, words) in [(-7300, "2 hours ahead of AWS's"), (601, "10 minutes behind AWS's")] {
        let server = http(move |_, _| answer("400 Bad Request", &date_in(ahead), body));
        Call::to(&server.url()).fails(&["this machine's clock is", words, "set the clock"]);
        assert_eq!(server.seen.requests().len(), 2);
    }
}

/// The clock was set between the signature and the answer: by now nothing is wrong with it.
#[test]
fn a_clock_that_is_right_again_is_no_wrong_key() {
    let refusals = [
        ("InvalidSignatureException", "Signature expired: A is now earlier than B (C - 5 min.)"),
        ("SignatureDoesNotMatch", "Signature not yet current: A is still later than B (C + 5 min.)"),
        ("RequestTimeTooSkewed", "The difference between the request time and the current time is too large."),
    ];
    for (code, message) in refusals {
        for date in [date_in(0), String::new()] {
            let body = format!(r#"{{"__type":"{code}","message":"{message}"}}"#);
            let refusal = answer("400 Bad Request", &date, &body);
            let always = refusal.clone();
            let server = http(move |number, _| if number == 0 { refusal.clone() } else { token() });
            assert_eq!(Call::to(&server.url()).password(), "the-password", "{code}");
            assert_eq!(server.seen.requests().len(), 2);

            let server = http(move |_, _| always.clone());
            let line = Call::to(&server.url()).fails(&["clock was not AWS's when it was made", "set the clock"]);
            assert!(!line.contains("correct the keys"), "{line}");
            assert_eq!(server.seen.requests().len(), 2);
        }
    }
}

#[test]
fn a_table_of_partitions_for_the_sdks_tests_is_refused_before_the_sdk_panics_on_it() {
    let server = http(|_, _| token());
    let call = Call::to(&server.url()).with("SMITHY_CLIENT_SDK_CUSTOM_PARTITION", "/nonexistent");
    assert_eq!(call.failure(&["SMITHY_CLIENT_SDK_CUSTOM_PARTITION", "unset it"]).kind, Kind::Settings);
    assert_eq!(server.seen.connections(), 0);
}
