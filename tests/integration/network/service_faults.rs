//! ECR failing in every way, over plain HTTP and over TLS: to the client there is nothing for the registry, and one
//! line on stderr says what failed, which service was called, as which identity, and what to do.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use crate::support::{
    Certificate, FakeAws, Fault, Helper, Opening, Outcome, REGISTRY, Service, Token, cache, side_by_side,
};

const KEYS: &str = "as keys in the environment; ";
const NOT_AWS: &str = "check the endpoint (AWS_ENDPOINT_URL) and the proxy: something else answers there";
const ON_THE_WAY: &str = "try again; if it goes on, check the proxy or firewall on the way";
const HEALTH: &str = "try again; if it goes on, see https://health.aws.amazon.com";

fn fakes() -> [FakeAws; 2] {
    [None, Some(Certificate::Good)].map(|certificate| FakeAws::on(IpAddr::V4(Ipv4Addr::LOCALHOST), certificate))
}

/// How a `get` fails, over both, with this line after the registry's name (`HOST` for the service that was called); the fakes.
fn fails(fault: &Fault, limit: &str, line: &str) -> [FakeAws; 2] {
    side_by_side(fakes(), |aws| {
        aws.fail(Service::Ecr, fault.clone());
        let helper = Helper::new().aws(&aws).keys("AKIATEST").env("ECR_LOGIN_TIMEOUT", limit);
        let outcome = helper.get(REGISTRY);
        let expected = format!("docker-credential-ecr-login: {REGISTRY}: {}", line.replace("HOST", &aws.host()));
        assert_eq!(outcome.failure(), expected, "over {}", aws.url());
        assert_nothing_kept(&helper, &aws);
        aws
    })
}

/// A `get` after the fault gets a token of its own.
fn assert_nothing_kept(helper: &Helper, aws: &FakeAws) {
    // A failure answers for a second, or for as long as its note is there.
    cache::forget_failures(helper);
    aws.heal(Service::Ecr);
    helper.get(REGISTRY).token();
}

#[test]
fn errors_of_the_server_are_tried_three_times() {
    for (fault, words) in [
        (Fault::server_error(), "HTTP 500: ServerException: these errors are usually caused by a server-side issue"),
        (Fault::unavailable(), "HTTP 503: ServiceUnavailable: Service is unable to handle request"),
        (Fault::status(502), "HTTP 502"),
    ] {
        let fakes = fails(&fault, "10", &format!("ECR failed with {words}, asking HOST, {KEYS}{HEALTH}"));
        assert_eq!(fakes.map(|aws| (aws.calls(Service::Ecr), aws.connections())), [(4, 2); 2]);
    }
}

#[test]
fn throttling_is_tried_three_times() {
    for (fault, code) in
        [(Fault::throttled(), "ThrottlingException"), (Fault::limit_exceeded(), "RequestLimitExceeded")]
    {
        let line = format!(
            "ECR is asked too often by this account and region ({code}), asking HOST, {KEYS}try again in a minute"
        );
        assert_eq!(fails(&fault, "20", &line).map(|aws| aws.calls(Service::Ecr)), [4; 2]);
    }
}

#[test]
fn a_fault_that_passes_is_ridden_out() {
    for fault in [Fault::server_error(), Fault::throttled(), Fault::Reset, Fault::Close, Fault::Cut] {
        for aws in fakes() {
            aws.fail_times(Service::Ecr, 2, fault.clone());
            Helper::new().aws(&aws).keys("AKIATEST").env("ECR_LOGIN_TIMEOUT", "20").get(REGISTRY).token();
            assert_eq!(aws.calls(Service::Ecr), 3, "{fault:?}");
        }
    }
}

#[test]
fn a_refusal_is_asked_once_and_names_the_remedy() {
    for (fault, words, remedy) in [
        (
            Fault::access_denied(),
            "AccessDeniedException: User: arn:aws:iam::123456789012:user/dev is not authorized to perform: \
             ecr:GetAuthorizationToken on resource: * because no identity-based policy allows the \
             ecr:GetAuthorizationToken action",
            "allow this identity the IAM action ecr:GetAuthorizationToken on resource \"*\"",
        ),
        (
            Fault::expired_keys(),
            "ExpiredTokenException: The security token included in the request is expired",
            "the credentials have expired: log in again, or renew the session keys where they come from",
        ),
        (
            Fault::unknown_keys(),
            "UnrecognizedClientException: The security token included in the request is invalid.",
            "these keys are unknown in partition aws: deleted, inactive or of another partition; use keys of an \
             account there",
        ),
        (
            Fault::wrong_signature(),
            "InvalidSignatureException: The request signature we calculated does not match the signature you \
             provided. Check your AWS Secret Access Key and signing method.",
            "the secret access key does not fit the access key id: correct the keys",
        ),
    ] {
        let fakes = fails(&fault, "10", &format!("ECR refused the call: {words}, {KEYS}{remedy}"));
        assert_eq!(fakes.map(|aws| aws.calls(Service::Ecr)), [2; 2]);
    }
}

#[test]
fn a_malformed_answer_is_reported_and_never_kept() {
    let none = "ECR gave an unusable answer: ";
    for (fault, words) in [
        (Fault::garbage(), "ECR answered HTTP 200, but the answer is not what the service answers".to_owned()),
        (Fault::web_page(), "ECR answered HTTP 200, but the answer is not what the service answers".to_owned()),
        (Fault::empty(), format!("{none}it holds no authorization data")),
        (Fault::NoData, format!("{none}it holds no authorization data")),
        (Fault::NotBase64, format!("{none}its token is not base64")),
        (Fault::NoColon, format!("{none}its token has no user and password")),
        (
            Fault::Redirect("http://127.0.0.1:1/login".to_owned()),
            "ECR answered HTTP 307, a redirect to http://127.0.0.1:1/login, which is not followed".to_owned(),
        ),
    ] {
        let fakes = fails(&fault, "10", &format!("{words}, asking HOST, {KEYS}{NOT_AWS}"));
        assert_eq!(fakes.map(|aws| aws.calls(Service::Ecr)), [2; 2], "{fault:?}");
    }
}

#[test]
fn a_connection_that_breaks_is_tried_three_times() {
    for (fault, words) in [
        (Fault::Reset, "ECR gave no answer: the connection was reset"),
        (Fault::Close, "ECR gave no answer: the connection was closed before an answer came"),
        (Fault::Cut, "ECR answered HTTP 200, but the connection broke within the answer"),
    ] {
        let fakes = fails(&fault, "10", &format!("{words}, asking HOST, {KEYS}{ON_THE_WAY}"));
        assert_eq!(fakes.map(|aws| aws.connections()), [4; 2], "{fault:?}");
    }
}

#[test]
fn a_server_that_does_not_answer_or_is_slow_is_left_at_the_deadline() {
    for fault in [Fault::Hang, Fault::ByteASecond, Fault::late(60_000)] {
        let line = format!(
            "ECR did not answer within 1.5 s: connected, but no answer came, asking HOST, {KEYS}try again, or raise \
             ECR_LOGIN_TIMEOUT"
        );
        let fakes = fails(&fault, "1.5", &line);
        assert_eq!(fakes.map(|aws| aws.calls(Service::Ecr)), [2; 2], "{fault:?}");
    }
}

#[test]
fn an_answer_without_end_is_cut_off() {
    const MEBIBYTE: usize = 1 << 20;
    for (fault, words) in [
        (Fault::EndlessHeader, "ECR gave no answer: the answer's headers are too large"),
        (Fault::HugeBody, "ECR answered HTTP 200, but the answer is too large"),
    ] {
        for aws in fails(&fault, "20", &format!("{words}, asking HOST, {KEYS}{NOT_AWS}")) {
            // Most of it lies in the sockets' buffers.
            assert!(aws.server().written() < 64 * MEBIBYTE, "{fault:?}: {}", aws.server().written());
        }
    }
}

#[test]
fn a_late_answer_within_the_deadline_is_an_answer() {
    for aws in fakes() {
        aws.fail(Service::Ecr, Fault::late(700));
        Helper::new().aws(&aws).keys("AKIATEST").get(REGISTRY).token();
    }
}

#[test]
fn a_clock_that_is_off_is_made_good_or_named() {
    for aws in fakes() {
        aws.clock(-3 * 3600);
        Helper::new().aws(&aws).keys("AKIATEST").get(REGISTRY).token();
        aws.fail(Service::Ecr, Fault::wrong_signature());
        let outcome = Helper::new().aws(&aws).keys("AKIATEST").get(REGISTRY);
        assert!(outcome.failure().contains("this machine's clock is"), "{outcome:?}");
        assert!(outcome.failure().contains("ahead of AWS's"), "{outcome:?}");
    }
}

#[test]
fn a_certificate_that_proves_nothing_is_refused_with_that_reason() {
    for (certificate, reason, remedy) in [
        (Certificate::Expired, "its certificate has expired", "clock"),
        (Certificate::WrongName, "its certificate is for another name (another.example.com)", "check the endpoint"),
        (Certificate::Untrusted, "its certificate is not signed by a trusted CA", "AWS_CA_BUNDLE"),
    ] {
        let aws = FakeAws::over_tls(certificate);
        let outcome = Helper::new().aws(&aws).keys("AKIATEST").get(REGISTRY);
        let line = outcome.failure();
        assert!(line.contains(&format!("TLS with {} failed: {reason}", aws.host())), "{line}");
        assert!(line.contains(remedy), "{line}");
        assert!(aws.all_calls().is_empty(), "nothing was asked");
    }
}

#[test]
fn a_server_that_shakes_no_hand_is_left_at_the_deadline() {
    let aws = FakeAws::over_tls(Certificate::Good);
    aws.server().open(Opening::Silence);
    let outcome = Helper::new().aws(&aws).keys("AKIATEST").env("ECR_LOGIN_TIMEOUT", "1").get(REGISTRY);
    assert!(outcome.failure().contains("did not answer within 1 s: connected, but the TLS handshake"), "{outcome:?}");
}

#[test]
fn a_missing_service_is_reported() {
    let aws = FakeAws::start();
    let helper = Helper::new().aws(&aws).keys("AKIATEST");
    let host = aws.host();
    drop(aws);
    // The port may be taken until the fake's thread has ended.
    let outcome = (0..50)
        .map(|_| {
            std::thread::sleep(Duration::from_millis(50));
            helper.get(REGISTRY)
        })
        .find(|outcome| outcome.stderr.contains("refused"));
    let outcome: Outcome = outcome.expect("a closed port refuses");
    assert!(outcome.failure().contains(&format!("cannot connect to {host}")), "{outcome:?}");
}

mod ecr_public {
    use super::*;

    fn get(aws: &FakeAws) -> Outcome {
        Helper::new().aws(aws).keys("AKIATEST").env("ECR_LOGIN_TIMEOUT", "60").get("public.ecr.aws")
    }

    #[test]
    fn whatever_fails_the_pull_goes_on_within_three_seconds() {
        for (fault, words) in [
            (Fault::access_denied(), "AccessDenied"),
            (Fault::unknown_keys(), "UnrecognizedClientException"),
            (Fault::expired_keys(), "ExpiredToken"),
            (Fault::Hang, "did not answer within 3 s"),
            (Fault::ByteASecond, "did not answer within 3 s"),
            (Fault::server_error(), "HTTP 500"),
        ] {
            let aws = FakeAws::start();
            aws.fail(Service::EcrPublic, fault);
            let outcome = get(&aws);
            assert!(outcome.failure().contains(words), "{words}: {outcome:?}");
        }
    }

    #[test]
    fn without_credentials_it_prints_nothing() {
        let aws = FakeAws::start();
        Helper::new().aws(&aws).get("public.ecr.aws").assert_not_found();
        assert_eq!(aws.connections(), 0);
    }

    #[test]
    fn a_slow_credential_source_delays_no_call_beyond_its_deadline() {
        let aws = FakeAws::start();
        aws.fail(Service::Container, Fault::Hang);
        let helper = Helper::new().aws(&aws).env("ECR_LOGIN_TIMEOUT", "60");
        let helper = helper.env("AWS_CONTAINER_CREDENTIALS_FULL_URI", format!("{}/credentials", aws.url()));
        let outcome = helper.get("public.ecr.aws");
        let line = outcome.failure();
        assert!(line.contains("did not answer within 3 s"), "{line}");
    }
}

#[test]
fn the_servers_words_drive_no_terminal_and_forge_no_line() {
    let aws = FakeAws::start();
    let message = "first\nsecond\r\u{1b}[31mred\u{7}\u{202e}".to_owned();
    aws.fail(Service::Ecr, Fault::Error { status: 400, code: "InvalidParameterException", message });
    let outcome = Helper::new().aws(&aws).keys("AKIATEST").get(REGISTRY);
    assert!(outcome.failure().contains("first") && outcome.failure().contains("second"), "{outcome:?}");
    assert!(!outcome.failure().chars().any(|c| c.is_control() || c == '\u{202e}'), "{outcome:?}");
}

#[test]
fn a_token_with_another_user_is_no_reason_to_panic() {
    let aws = FakeAws::start();
    let token = aws_smithy_types::base64::encode("somebody:pass:word");
    let body = format!(r#"{{"authorizationData":[{{"authorizationToken":"{token}","expiresAt":4102444800}}]}}"#);
    aws.fail(
        Service::Ecr,
        Fault::Body { status: 200, content_type: "application/x-amz-json-1.1", body: body.into_bytes() },
    );
    let outcome = Helper::new().aws(&aws).keys("AKIATEST").get(REGISTRY);
    let answer: serde_json::Value = serde_json::from_str(&outcome.stdout).unwrap();
    assert_eq!((answer["Username"].as_str(), answer["Secret"].as_str()), (Some("somebody"), Some("pass:word")));
}

#[test]
fn a_password_of_ours_reads_back() {
    let aws = FakeAws::start();
    let outcome = Helper::new().aws(&aws).keys("AKIATEST").get(REGISTRY);
    let token = Token::of_password(&outcome.answer().secret);
    assert_eq!((token.identity.as_str(), token.serial), ("AKIATEST", 1));
}
