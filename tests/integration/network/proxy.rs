//! Proxies, and what must not go through them.

use std::io::Write;
use std::net::TcpStream;
use std::sync::Arc;

use ecr_login::text::user_error::Kind;
use rustls::ServerConfig;

use super::tls::{Authority, NOW, tls};
use crate::support::ecr_call::Call;
use crate::support::raw_server::{Seen, Server, Wire, answer, raw, read_request, token};

const CREDENTIALS: &str = "proxy-authorization: Basic dXNlcjpodW50ZXIy"; // user:hunter2

/// A proxy that wants user and password, opens tunnels to `target` whatever host is asked for, and answers plain
/// requests itself, as ECR would.
fn proxy(target: Option<Arc<ServerConfig>>) -> Server {
    raw("127.0.0.1:0", move |stream, seen| talk(stream, seen, target.as_ref()))
}

fn talk(mut stream: TcpStream, seen: &Seen, target: Option<&Arc<ServerConfig>>) {
    while let Some(request) = read_request(&mut stream) {
        seen.requests.lock().unwrap().push(request.clone());
        if !request.to_lowercase().contains(&CREDENTIALS.to_lowercase()) {
            let _ = stream.write_all(b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n");
        } else if request.starts_with("CONNECT ") {
            let _ = stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n");
            let Some(target) = target else { return };
            return inside(tls(target, stream), seen);
        } else {
            let _ = stream.write_all(&token());
        }
    }
}

fn inside(mut stream: impl Wire, seen: &Seen) {
    if let Some(request) = read_request(&mut stream) {
        seen.requests.lock().unwrap().push(request);
        let _ = stream.write_all(&token()).and_then(|()| stream.flush());
        let _ = stream.read(&mut [0]);
    }
}

struct Setup {
    proxy: Server,
    ca: tempfile::NamedTempFile,
}

impl Setup {
    fn new(name: &str) -> Self {
        let authority = Authority::new();
        let ca = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(ca.path(), &authority.pem).unwrap();
        Self { proxy: proxy(Some(authority.server(name, NOW))), ca }
    }

    fn call(&self, endpoint: &str) -> Call {
        Call::to(endpoint).with("AWS_CA_BUNDLE", self.ca.path().to_str().unwrap())
    }
}

#[test]
fn https_goes_through_a_tunnel_with_user_and_password_in_every_spelling() {
    for variable in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
        let setup = Setup::new("ecr.test");
        let url = format!("http://user:hunter2@{}", setup.proxy.address);
        assert_eq!(setup.call("https://ecr.test").with(variable, &url).password(), "the-password", "{variable}");
        let requests = setup.proxy.seen.requests();
        assert!(requests[0].starts_with("CONNECT ecr.test:443 HTTP/1.1\r\n"), "{}", requests[0]);
        assert!(requests[1].starts_with("POST / HTTP/1.1\r\n"), "{}", requests[1]);
        assert!(!requests[1].to_lowercase().contains("proxy-authorization"), "{}", requests[1]);
        assert_eq!((requests.len(), setup.proxy.seen.connections()), (2, 1));
    }
}

#[test]
fn http_is_asked_of_the_proxy_itself() {
    for variable in ["HTTP_PROXY", "http_proxy", "ALL_PROXY"] {
        let proxy = proxy(None);
        // No scheme: http is meant.
        let url = format!("user:hunter2@{}", proxy.address);
        assert_eq!(Call::to("http://ecr.test:8080").with(variable, &url).password(), "the-password");
        let request = &proxy.seen.requests()[0];
        assert!(request.starts_with("POST http://ecr.test:8080/ HTTP/1.1\r\n"), "{request}");
    }
}

/// Resolves to loopback without the DNS, and is no name that is never asked through a proxy.
fn by_name(server: &Server) -> String {
    format!("http://ecr.localhost:{}", server.address.port())
}

#[test]
fn a_cgi_scripts_http_proxy_is_not_believed() {
    let (server, proxy) = (crate::support::raw_server::http(|_, _| token()), proxy(None));
    let call = Call::to(&by_name(&server)).with("REQUEST_METHOD", "GET");
    assert_eq!(call.with("HTTP_PROXY", &format!("{}", proxy.address)).password(), "the-password");
    assert_eq!(proxy.seen.connections(), 0);
}

#[test]
fn loopback_is_never_asked_through_a_proxy() {
    let (server, proxy) = (crate::support::raw_server::http(|_, _| token()), proxy(None));
    for endpoint in [server.url(), format!("http://LocalHost:{}", server.address.port())] {
        assert_eq!(Call::to(&endpoint).with("ALL_PROXY", &proxy.url()).password(), "the-password");
    }
    assert_eq!(proxy.seen.connections(), 0);
}

#[test]
fn instance_metadata_is_never_asked_through_a_proxy() {
    let credentials = r#"{"Code":"Success","AccessKeyId":"ASIAEXAMPLE","SecretAccessKey":"s","Token":"t",
                          "Type":"AWS-HMAC","LastUpdated":"2020-01-01T00:00:00Z","Expiration":"2090-01-01T00:00:00Z"}"#;
    let imds = crate::support::raw_server::http(move |_, request| match request.split_whitespace().nth(1) {
        Some("/latest/api/token") => answer("200 OK", "x-aws-ec2-metadata-token-ttl-seconds: 21600\r\n", "t"),
        Some(path) if path.trim_end_matches('/').ends_with("security-credentials") => answer("200 OK", "", "role"),
        Some(path) if path.ends_with("/role") => answer("200 OK", "", credentials),
        _ => answer("404 Not Found", "", ""),
    });
    let (ecr, proxy) = (crate::support::raw_server::http(|_, _| token()), proxy(None));
    let call = Call::to(&ecr.url()).without_keys().with("ALL_PROXY", &proxy.url());
    assert_eq!(call.with("AWS_EC2_METADATA_SERVICE_ENDPOINT", &by_name(&imds)).password(), "the-password");
    assert_eq!(proxy.seen.connections(), 0);
    assert_eq!(imds.seen.connections(), 1, "the connection is used again");
}

#[test]
fn hosts_of_no_proxy_are_asked_directly() {
    let (server, proxy) = (crate::support::raw_server::http(|_, _| token()), proxy(None));
    let port = server.address.port();
    let with_port = format!("x, ECR.localhost:{port}");
    for list in ["ecr.localhost", ".localhost", "*.localhost", &with_port, "*", "a b ecr.localhost"] {
        for variable in ["NO_PROXY", "no_proxy"] {
            let call = Call::to(&by_name(&server)).with("ALL_PROXY", &proxy.url()).with(variable, list);
            assert_eq!(call.password(), "the-password", "{list}");
        }
    }
    assert_eq!(proxy.seen.connections(), 0);
    for list in ["localhost.example", "ecr.localhost:443", "cr.localhost"] {
        let call = Call::to(&by_name(&server)).with("ALL_PROXY", &proxy.url()).with("NO_PROXY", list);
        call.fails(&["ECR answered HTTP 407"]);
    }
}

#[test]
fn a_proxy_that_wants_a_password_or_refuses_is_named_without_its_user() {
    let setup = Setup::new("ecr.test");
    let address = setup.proxy.address.to_string();
    let words = ["the proxy", &address, "HTTP 407", "wants a user and a password", "USER:PASSWORD@"];
    setup.call("https://ecr.test").with("HTTPS_PROXY", &format!("http://{address}")).fails(&words);
    assert_eq!(setup.proxy.seen.connections(), 1, "not tried again");
    setup.call("https://ecr.test").with("HTTPS_PROXY", &format!("http://user:wrong@{address}")).fails(&words);

    let refusing = raw("127.0.0.1:0", |mut stream, _| {
        read_request(&mut stream);
        let _ = stream.write_all(&answer("403 Forbidden", "", "no"));
    });
    let url = format!("http://user:hunter2@{}", refusing.address);
    Call::to("https://ecr.test").with("HTTPS_PROXY", &url).fails(&["answered CONNECT with HTTP 403", "NO_PROXY"]);
}

#[test]
fn a_proxy_that_is_missing_hangs_up_or_is_no_proxy_is_reported() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let url = format!("http://user:hunter2@{closed}");
    Call::to("https://ecr.test").with("HTTPS_PROXY", &url).fails(&[
        "cannot reach the proxy: cannot connect to",
        &closed,
        "refused",
    ]);
    let mute = raw("127.0.0.1:0", |mut stream, _| {
        read_request(&mut stream);
    });
    let url = format!("http://user:hunter2@{}", mute.address);
    Call::to("https://ecr.test")
        .with("HTTPS_PROXY", &url)
        .fails(&["the proxy", "did not establish a tunnel: the connection was closed"]);
}

#[test]
fn a_value_that_is_no_proxy_is_an_error_that_names_the_variable_alone() {
    for value in ["http://user:hunter2@", "://hunter2", "ftp://user:hunter2@h:1", "http://user:hunter2@h:port"] {
        let failure =
            Call::to("https://ecr.test").with("HTTPS_PROXY", value).failure(&["HTTPS_PROXY is not the URL of a proxy"]);
        assert_eq!(failure.kind, Kind::Settings);
    }
    Call::to("https://ecr.test").with("ALL_PROXY", "socks4://user:hunter2@h:1").fails(&["ALL_PROXY is not the URL"]);
}

#[test]
fn a_proxy_may_be_reached_over_tls_itself() {
    let authority = Authority::new();
    let ca = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(ca.path(), &authority.pem).unwrap();
    let (outer, inner) = (authority.server("proxy.localhost", NOW), authority.server("ecr.test", NOW));
    let proxy = raw("127.0.0.1:0", move |stream, seen| {
        let mut stream = tls(&outer, stream);
        let request = read_request(&mut stream).unwrap();
        assert!(request.starts_with("CONNECT ecr.test:443 "));
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
        stream.flush().unwrap();
        let connection = rustls::ServerConnection::new(inner.clone()).unwrap();
        inside(rustls::StreamOwned::new(connection, stream), seen);
    });
    let url = format!("https://proxy.localhost:{}", proxy.address.port());
    let call = Call::to("https://ecr.test").with("AWS_CA_BUNDLE", ca.path().to_str().unwrap());
    assert_eq!(call.with("HTTPS_PROXY", &url).password(), "the-password");
}

/// A SOCKS 5 proxy (RFC 1928, RFC 1929) that wants user and password, and answers the connection with `reply`.
fn socks(reply: u8, target: Arc<ServerConfig>) -> Server {
    raw("127.0.0.1:0", move |mut stream, seen| {
        use std::io::Read;
        let mut bytes = [0; 3];
        stream.read_exact(&mut bytes).unwrap();
        assert_eq!(bytes, [5, 1, 2]);
        stream.write_all(&[5, 2]).unwrap();
        let mut login = [0; 14];
        stream.read_exact(&mut login).unwrap();
        let welcome = &login == b"\x01\x04user\x07hunter2";
        stream.write_all(&[1, u8::from(!welcome)]).unwrap();
        let mut request = [0; 15];
        if stream.read_exact(&mut request).is_err() {
            return;
        }
        assert_eq!(&request, b"\x05\x01\x00\x03\x08ecr.test\x01\xbb");
        stream.write_all(&[5, reply, 0, 1, 0, 0, 0, 0, 0, 0]).unwrap();
        if reply == 0 {
            inside(tls(&target, stream), seen);
        }
    })
}

#[test]
fn a_socks_proxy_resolves_the_name_and_opens_the_way_or_says_why_not() {
    let authority = Authority::new();
    let ca = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(ca.path(), &authority.pem).unwrap();
    let call = |proxy: &Server, login: &str| {
        let call = Call::to("https://ecr.test").with("AWS_CA_BUNDLE", ca.path().to_str().unwrap());
        call.with("ALL_PROXY", &format!("socks5://{login}@{}", proxy.address))
    };
    let open = socks(0, authority.server("ecr.test", NOW));
    assert_eq!(call(&open, "user:hunter2").password(), "the-password");
    call(&open, "user:hunter3").fails(&["the proxy", "did not establish a tunnel", "credentials not accepted"]);
    let closed = socks(2, authority.server("ecr.test", NOW));
    call(&closed, "user:hunter2").fails(&["did not establish a tunnel", &closed.address.to_string()]);
}
