//! A server of one connection handler, on loopback, in threads of the test's process.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A stream that a handler talks on.
pub trait Wire: Read + Write + Send {}
impl<T: Read + Write + Send> Wire for T {}

/// What the server has seen.
#[derive(Default)]
pub struct Seen {
    pub connections: AtomicUsize,
    pub requests: Mutex<Vec<String>>,
}

impl Seen {
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

pub struct Server {
    pub address: SocketAddr,
    pub seen: Arc<Seen>,
}

impl Server {
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

/// Serves raw connections.
pub fn raw(on: &str, handle: impl Fn(TcpStream, &Seen) + Send + Sync + 'static) -> Server {
    let listener = TcpListener::bind(on).unwrap();
    let address = listener.local_addr().unwrap();
    let seen = Arc::new(Seen::default());
    let (counted, handle) = (seen.clone(), Arc::new(handle));
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let stream = stream.unwrap();
            stream.set_nodelay(true).unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
            counted.connections.fetch_add(1, Ordering::SeqCst);
            let (counted, handle) = (counted.clone(), handle.clone());
            std::thread::spawn(move || handle(stream, &counted));
        }
    });
    Server { address, seen }
}

/// Serves HTTP: each request is answered with the bytes that `answer` makes of its number, counted from 0.
pub fn http(answer: impl Fn(usize, &str) -> Vec<u8> + Send + Sync + 'static) -> Server {
    raw("127.0.0.1:0", move |stream, seen| serve(stream, seen, &answer))
}

/// Requests on one connection, until it ends.
pub fn serve(mut stream: impl Wire, seen: &Seen, answer: &(dyn Fn(usize, &str) -> Vec<u8> + Send + Sync)) {
    while let Some(request) = read_request(&mut stream) {
        let number = {
            let mut requests = seen.requests.lock().unwrap();
            requests.push(request.clone());
            requests.len() - 1
        };
        if stream.write_all(&answer(number, &request)).and_then(|()| stream.flush()).is_err() {
            return;
        }
    }
}

/// Head and body of the next request.
pub fn read_request(stream: &mut impl Wire) -> Option<String> {
    let mut request = Vec::new();
    let mut byte = [0];
    while !request.ends_with(b"\r\n\r\n") {
        if stream.read(&mut byte).ok()? == 0 {
            return None;
        }
        request.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&request).to_ascii_lowercase();
    let length =
        head.lines().find_map(|line| line.strip_prefix("content-length:")).map_or(0, |n| n.trim().parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    request.extend(body);
    Some(String::from_utf8_lossy(&request).into_owned())
}

/// An HTTP answer.
pub fn answer(status: &str, headers: &str, body: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/x-amz-json-1.1\r\ncontent-length: {}\r\n{headers}\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// ECR's answer with a token.
pub fn token() -> Vec<u8> {
    let token = "QVdTOnRoZS1wYXNzd29yZA=="; // AWS:the-password
    let data = format!(
        r#"{{"authorizationData":[{{"authorizationToken":"{token}","expiresAt":4102444800,"proxyEndpoint":"https://x"}}]}}"#
    );
    answer("200 OK", "", &data)
}

/// An error of AWS's JSON protocol.
pub fn error(status: &str, code: &str, message: &str) -> Vec<u8> {
    answer(status, "", &format!(r#"{{"__type":"{code}","message":"{message}"}}"#))
}
