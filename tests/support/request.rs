//! A request of HTTP/1.1 as the fake AWS reads it.

use std::io::{self, BufRead};
use std::time::Instant;

/// What a client sent.
#[derive(Clone, Debug)]
pub struct Request {
    pub method: String,
    pub path: String,
    /// Decoded.
    pub query: Vec<(String, String)>,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// Which connection it came on, counted from 0.
    pub connection: usize,
    pub at: Instant,
}

impl Request {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// A field of a form in the body, decoded.
    pub fn form(&self, name: &str) -> Option<String> {
        let body = std::str::from_utf8(&self.body).ok()?;
        pairs(body).into_iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    /// A part of its signature, but for `Credential`.
    pub(super) fn part(&self, name: &str) -> Option<&str> {
        let (_, rest) = self.header("authorization")?.split_once(&format!("{name}="))?;
        rest.split([',', ' ']).next()
    }

    /// Access key id, date, region, service and end of its signature's scope. The key id may hold anything.
    pub(super) fn scope(&self) -> Option<[&str; 5]> {
        let (_, rest) = self.header("authorization")?.split_once("Credential=")?;
        let mut parts = rest.split_once(", SignedHeaders=")?.0.rsplitn(5, '/');
        let mut next = || parts.next();
        let (end, service, region, date, key) = (next()?, next()?, next()?, next()?, next()?);
        Some([key, date, region, service, end])
    }

    /// The access key id that signed it.
    pub fn access_key(&self) -> Option<&str> {
        self.scope().map(|[key, ..]| key)
    }

    /// The region in its signature.
    pub fn region(&self) -> Option<&str> {
        self.scope().map(|[_, _, region, ..]| region)
    }

    /// The service in its signature.
    pub fn signed_for(&self) -> Option<&str> {
        self.scope().map(|[_, _, _, service, _]| service)
    }

    /// When it was signed (`x-amz-date`), in seconds since the Unix epoch.
    pub fn signed_at(&self) -> Option<u64> {
        let format = time::macros::format_description!("[year][month][day]T[hour][minute][second]Z");
        let at = time::PrimitiveDateTime::parse(self.header("x-amz-date")?, format).ok()?;
        u64::try_from(at.assume_utc().unix_timestamp()).ok()
    }

    pub fn user_agent(&self) -> &str {
        self.header("user-agent").unwrap_or("")
    }
}

/// `None` at the end of the connection.
pub(super) fn read_request(wire: &mut impl BufRead, connection: usize) -> io::Result<Option<Request>> {
    let mut line = String::new();
    if wire.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut words = line.split_whitespace();
    let (Some(method), Some(target)) = (words.next(), words.next()) else {
        return Err(io::ErrorKind::InvalidData.into());
    };
    let (method, target) = (method.to_owned(), target.to_owned());
    // A proxy is sent the whole URL.
    let target = match target.split_once("://") {
        Some((_, rest)) => rest.find('/').map_or("/", |at| &rest[at..]),
        None => &target,
    };
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let (path, query) = (path.to_owned(), pairs(query));
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        if wire.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(':').ok_or(io::ErrorKind::InvalidData)?;
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let mut request = Request { method, path, query, headers, body: Vec::new(), connection, at: Instant::now() };
    let length = request.header("content-length").and_then(|value| value.parse().ok()).unwrap_or(0);
    request.body = vec![0; length];
    wire.read_exact(&mut request.body)?;
    Ok(Some(request))
}

fn pairs(text: &str) -> Vec<(String, String)> {
    let pair = |pair: &str| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decode(key), decode(value))
    };
    text.split('&').filter(|part| !part.is_empty()).map(pair).collect()
}

fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let hex = (bytes[at] == b'%').then(|| text.get(at + 1..at + 3)).flatten();
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                decoded.push(byte);
                at += 3;
            }
            None => {
                decoded.push(if bytes[at] == b'+' { b' ' } else { bytes[at] });
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}
