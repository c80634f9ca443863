//! Connections that do not come about, break or carry rubbish.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use ecr_login::text::user_error::Kind;

use crate::support::ecr_call::Call;
use crate::support::raw_server::{raw, read_request};

#[test]
fn a_closed_port_is_reported_with_its_host() {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let host = address.to_string();
    let failure = Call::to(&format!("http://{host}")).failure(&["cannot connect to", &host, "refused", "HTTPS_PROXY"]);
    assert_eq!((failure.kind, failure.endpoint.as_deref()), (Kind::Network, Some(host.as_str())));
}

#[test]
fn a_connection_that_ends_or_is_reset_without_an_answer_is_tried_three_times() {
    let server = raw("127.0.0.1:0", |mut stream, _| {
        read_request(&mut stream);
    });
    Call::to(&server.url()).fails(&["ECR gave no answer: the connection was closed before an answer came"]);
    assert_eq!(server.seen.connections(), 3);

    // Closing with unread bytes resets.
    let server = raw("127.0.0.1:0", |mut stream, _| {
        stream.read_exact(&mut [0]).unwrap();
    });
    Call::to(&server.url()).fails(&["ECR gave no answer: the connection was"]);
    assert_eq!(server.seen.connections(), 3);
}

#[test]
fn an_answer_that_is_not_http_is_reported_as_such() {
    let server = raw("127.0.0.1:0", |mut stream, _| {
        let _ = stream.write_all(b"SSH-2.0-OpenSSH_9.2\r\n");
        read_request(&mut stream);
    });
    Call::to(&server.url()).fails(&["the answer is not HTTP", "check the endpoint"]);
    assert_eq!(server.seen.connections(), 1);
}

#[test]
fn an_answer_that_breaks_off_is_reported() {
    let server = raw("127.0.0.1:0", |mut stream, _| {
        read_request(&mut stream);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"autho");
    });
    Call::to(&server.url()).fails(&["ECR answered HTTP 200, but the connection broke within the answer"]);
}

/// Sends `head`, then `piece` for ever, and counts the bytes that the other side took.
fn endless(head: &'static [u8], piece: &'static [u8]) -> (crate::support::raw_server::Server, Arc<AtomicUsize>) {
    let sent = Arc::new(AtomicUsize::new(0));
    let counted = sent.clone();
    let server = raw("127.0.0.1:0", move |mut stream, _| {
        read_request(&mut stream);
        let _ = stream.write_all(head);
        while stream.write_all(piece).is_ok() {
            counted.fetch_add(piece.len(), Ordering::SeqCst);
        }
    });
    (server, sent)
}

const PIECE: &[u8] = &[b'x'; 16384];

#[test]
fn a_header_without_end_and_a_body_of_a_gigabyte_are_cut_off() {
    for (head, words) in [
        (b"HTTP/1.1 200 OK\r\nx-long: ".as_slice(), "the answer's headers are too large"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 1073741824\r\n\r\n", "the answer is too large"),
        (b"HTTP/1.1 200 OK\r\n\r\n", "the answer is too large"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "the answer is too large"),
    ] {
        let (server, sent) = endless(head, PIECE);
        let start = Instant::now();
        Call::to(&server.url()).fails(&[words]);
        assert!(start.elapsed() < Duration::from_secs(8), "not by the deadline");
        assert_eq!(server.seen.connections(), 1, "{words}");
        // What the kernel's buffers took besides is theirs.
        assert!(sent.load(Ordering::SeqCst) < 64 << 20);
    }
}
