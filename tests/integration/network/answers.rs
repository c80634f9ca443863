//! What is asked and what is read from the answer.

use crate::support::ecr_call::{Call, PUBLIC};
use crate::support::raw_server::{answer, http, token};

#[test]
fn a_cold_get_is_one_connection_and_one_request_that_names_us() {
    let server = http(|_, _| token());
    assert_eq!(Call::to(&server.url()).password(), "the-password");
    assert_eq!(server.seen.connections(), 1);
    let requests = server.seen.requests();
    assert_eq!(requests.len(), 1);
    let request = &requests[0];
    assert!(request.contains("AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken"), "{request}");
    assert!(request.contains("/eu-central-1/ecr/aws4_request"), "{request}");
    let us = format!("lib/docker-credential-ecr-login/{}", env!("CARGO_PKG_VERSION"));
    assert!(request.contains(&us), "{request}");
    assert!(request.ends_with("\r\n\r\n{}"), "no registryIds: {request}");
}

#[test]
fn ecr_public_is_asked_in_us_east_1() {
    let data = r#"{"authorizationData":{"authorizationToken":"QVdTOnB1YmxpYw==","expiresAt":4102444800}}"#;
    let server = http(move |_, _| answer("200 OK", "", data));
    assert_eq!(Call::to(&server.url()).registry(PUBLIC).password(), "public");
    let request = &server.seen.requests()[0];
    assert!(request.contains("/us-east-1/ecr-public/aws4_request"), "{request}");
}

#[test]
fn without_credentials_no_request_is_sent_and_ecr_public_prints_nothing() {
    let server = http(|_, _| token());
    let call = || Call::to(&server.url()).without_keys().with("AWS_EC2_METADATA_DISABLED", "true");
    call().registry(PUBLIC).finds_nothing();
    call().fails(&["no AWS credentials found"]);
    assert_eq!(server.seen.connections(), 0);
}

#[test]
fn fips_with_an_endpoint_of_ones_own_asks_that_endpoint() {
    let server = http(|_, _| token());
    assert_eq!(Call::to(&server.url()).with("AWS_USE_FIPS_ENDPOINT", "true").password(), "the-password");
}

#[test]
fn an_expiry_in_the_past_or_missing_is_no_reason_to_refuse_a_token() {
    for expiry in [r#","expiresAt":1420070400"#, ""] {
        let data = format!(r#"{{"authorizationData":[{{"authorizationToken":"QVdTOng="{expiry}}}]}}"#);
        let server = http(move |_, _| answer("200 OK", "", &data));
        assert_eq!(Call::to(&server.url()).password(), "x");
    }
}

#[test]
fn a_malformed_answer_is_an_error_with_its_reason() {
    for (data, reason) in [
        ("{}", "holds no authorization data"),
        (r#"{"authorizationData":[]}"#, "holds no authorization data"),
        (r#"{"authorizationData":[{}]}"#, "holds no token"),
        (r#"{"authorizationData":[{"authorizationToken":""}]}"#, "holds no token"),
        (r#"{"authorizationData":[{"authorizationToken":"%%%%"}]}"#, "not base64"),
        (r#"{"authorizationData":[{"authorizationToken":"//8="}]}"#, "not text"),
        (r#"{"authorizationData":[{"authorizationToken":"QVdT"}]}"#, "no user and password"),
        ("<html>hunter2</html>", "not what the service answers"),
        ("", "holds no authorization data"),
        (r#"{"authorizationData":"#, "not what the service answers"),
        (r#"{"authorizationData":[{"authorizationToken":7}]}"#, "not what the service answers"),
    ] {
        let server = http(move |_, _| answer("200 OK", "", data));
        Call::to(&server.url()).fails(&["ECR", reason, "127.0.0.1", "check the endpoint"]);
        assert_eq!(server.seen.requests().len(), 1, "{data}");
    }
}
