//! The fake AWS answers as AWS does, so that what is tested against it holds there.

use std::io::{Read, Write};
use std::net::TcpStream;

use crate::support::{FakeAws, Fault, Service, Token};

const SIGNED: &str = "authorization: AWS4-HMAC-SHA256 Credential=AKIATEST/20260101/eu-west-1/ecr/aws4_request, \
                      SignedHeaders=host, Signature=00";

fn exchange(aws: &FakeAws, head: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(aws.host()).unwrap();
    let length = body.len();
    write!(stream, "{head}\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}").unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let mut answer = String::new();
    // A reset is an answer too.
    let _ = stream.read_to_string(&mut answer);
    answer
}

fn ecr(aws: &FakeAws) -> String {
    const TARGET: &str = "x-amz-target: AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken";
    exchange(aws, &format!("POST / HTTP/1.1\r\n{TARGET}\r\n{SIGNED}"), "{}")
}

#[test]
fn a_token_says_whose_it_is_and_which_call_made_it() {
    let aws = FakeAws::start();
    for serial in 1..=2 {
        let answer = ecr(&aws);
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        let body: serde_json::Value = serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap();
        let token = body["authorizationData"][0]["authorizationToken"].as_str().unwrap();
        let text = String::from_utf8(aws_smithy_types::base64::decode(token).unwrap()).unwrap();
        let token = Token::of_password(text.strip_prefix("AWS:").unwrap());
        assert_eq!((token.key.as_str(), token.region.as_str(), token.serial), ("AKIATEST", "eu-west-1", serial));
    }
    assert_eq!((aws.calls(Service::Ecr), aws.connections()), (2, 2));
}

#[test]
fn a_scripted_fault_ends_after_its_times() {
    let aws = FakeAws::start();
    aws.fail_times(Service::Ecr, 1, Fault::throttled());
    aws.fail_times(Service::Ecr, 1, Fault::Reset);
    assert_eq!(ecr(&aws), "");
    assert!(ecr(&aws).contains("ThrottlingException"));
    assert!(ecr(&aws).contains("authorizationToken"));
}

#[test]
fn imds_wants_its_token() {
    let aws = FakeAws::start();
    const ROLES: &str = "GET /latest/meta-data/iam/security-credentials/ HTTP/1.1";
    assert!(exchange(&aws, ROLES, "").starts_with("HTTP/1.1 401"));
    let put = "PUT /latest/api/token HTTP/1.1\r\nx-aws-ec2-metadata-token-ttl-seconds: 60";
    let answer = exchange(&aws, put, "");
    let token = answer.split_once("\r\n\r\n").unwrap().1;
    assert!(exchange(&aws, &format!("{ROLES}\r\nx-aws-ec2-metadata-token: {token}"), "").ends_with("node-role"));
}

#[test]
fn keys_that_it_issued_are_known_again_only_with_their_session_token() {
    let aws = FakeAws::start();
    let form = "Action=AssumeRole&RoleArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Fecr-pull&RoleSessionName=s";
    let answer = exchange(&aws, &format!("POST / HTTP/1.1\r\n{SIGNED}"), form);
    let inner = |tag: &str| {
        let (_, rest) = answer.split_once(&format!("<{tag}>")).unwrap_or_else(|| panic!("{tag}: {answer}"));
        rest.split_once("</").unwrap().0.to_owned()
    };
    let (id, session) = (inner("AccessKeyId"), inner("SessionToken"));
    let signed = SIGNED.replace("AKIATEST", &id).replace("/ecr/", "/sts/");
    let caller = |header: &str| {
        exchange(&aws, &format!("POST / HTTP/1.1\r\n{signed}{header}"), "Action=GetCallerIdentity&Version=2011-06-15")
    };
    assert!(caller("").contains("UnrecognizedClientException"));
    assert!(caller(&format!("\r\nx-amz-security-token: {session}")).contains("role-ecr-pull-by-AKIATEST"));
}
