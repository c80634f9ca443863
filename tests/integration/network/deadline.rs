//! No call outlives its deadline, whatever the server does.

use std::io::{Read, Write};
use std::time::Duration;

use ecr_login::text::user_error::Kind;

use crate::support::ecr_call::{Call, PUBLIC};
use crate::support::raw_server::{http, raw, read_request, token};

const LIMIT: Duration = Duration::from_millis(1500);

/// The call is given up for its limit, which the line names. (Without one it would go on until the test kills it.)
fn within_the_limit(call: Call, words: &[&str]) {
    let line = call.within(LIMIT).fails(words);
    assert!(line.contains("within 1.5 s"), "{line}");
}

#[test]
fn a_server_that_never_answers() {
    let server = raw("127.0.0.1:0", |mut stream, _| {
        let _ = stream.read_to_end(&mut Vec::new());
    });
    within_the_limit(
        Call::to(&server.url()),
        &["ECR did not answer within 1.5 s: connected, but no answer came", "ECR_LOGIN_TIMEOUT"],
    );
    assert_eq!(server.seen.connections(), 1);
}

fn drip(bytes: Vec<u8>) -> crate::support::raw_server::Server {
    raw("127.0.0.1:0", move |mut stream, _| {
        read_request(&mut stream);
        for byte in &bytes {
            if stream.write_all(&[*byte]).is_err() {
                return;
            }
            std::thread::sleep(Duration::from_millis(200));
        }
    })
}

#[test]
fn a_server_that_answers_byte_by_byte() {
    let server = drip(token());
    within_the_limit(Call::to(&server.url()), &["connected, but no answer came"]);
}

#[test]
fn a_body_that_comes_byte_by_byte() {
    let server = raw("127.0.0.1:0", |mut stream, _| {
        read_request(&mut stream);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n");
        while stream.write_all(b" ").is_ok() {
            std::thread::sleep(Duration::from_millis(200));
        }
    });
    within_the_limit(Call::to(&server.url()), &["the answer began, but did not finish"]);
}

#[test]
fn a_tls_handshake_that_never_ends() {
    let server = raw("127.0.0.1:0", |mut stream, _| {
        let _ = stream.read_to_end(&mut Vec::new());
    });
    let words = ["the TLS handshake did not finish", "asking 127.0.0.1"];
    within_the_limit(Call::to(&format!("https://{}", server.address)), &words);
}

#[test]
fn a_proxy_that_never_answers() {
    let proxy = raw("127.0.0.1:0", |mut stream, _| {
        let _ = stream.read_to_end(&mut Vec::new());
    });
    let call = Call::to("https://ecr.test").with("HTTPS_PROXY", &format!("http://u:hunter2@{}", proxy.address));
    within_the_limit(call, &["the proxy did not establish a tunnel", &proxy.address.to_string(), "NO_PROXY"]);
}

#[test]
fn ecr_public_has_three_seconds_in_all() {
    let server = raw("127.0.0.1:0", |mut stream, _| {
        let _ = stream.read_to_end(&mut Vec::new());
    });
    // The line names the limit that ended the call.
    let call = Call::to(&server.url()).registry(PUBLIC).within(Duration::from_secs(30));
    call.fails(&["ECR Public did not answer within 3 s"]);
    assert_eq!(server.seen.connections(), 1);
}

#[test]
fn nothing_is_asked_after_the_deadline() {
    let server = http(|_, _| token());
    let failure = Call::to(&server.url()).within(Duration::ZERO).failure(&["ECR did not answer within 0 s"]);
    assert_eq!((failure.kind, server.seen.requests().len()), (Kind::Network, 0));
}
