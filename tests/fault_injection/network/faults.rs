//! The faults on the way and in the answer, and what is said of each.

use super::services::Asked;
use crate::support::{Certificate, Fault, Opening, Part};

/// How a service is in trouble.
#[derive(Clone, Debug)]
pub enum How {
    /// Nobody listens.
    Refused,
    /// Connections begin otherwise than with TLS.
    Opening(Opening),
    /// TLS, with this certificate.
    Certificate(Certificate),
    /// The answer.
    Answer(Fault),
    /// The answer leads elsewhere.
    Redirect,
}

/// One fault; the words are what a message must hold, with `SERVICE` and `HOST` in them.
pub struct Row {
    pub fault: &'static str,
    pub how: How,
    words: &'static str,
    of: Vec<(Vec<Asked>, Option<&'static str>)>,
    /// Whether nothing ends it but the deadline.
    pub late: bool,
    /// Whether another try may help.
    again: bool,
    /// Whether the connection is good for nothing after it, though the answer is read.
    spoils: bool,
}

fn row(fault: &'static str, how: How, words: &'static str) -> Row {
    Row { fault, how, words, of: Vec::new(), late: false, again: false, spoils: false }
}

fn answer(name: &'static str, fault: Fault, words: &'static str) -> Row {
    row(name, How::Answer(fault), words)
}

impl Row {
    /// These say it otherwise.
    fn but(mut self, asked: &[Asked], words: &'static str) -> Self {
        self.of.push((asked.to_vec(), Some(words)));
        self
    }

    /// To these it cannot happen.
    fn not(mut self, asked: &[Asked]) -> Self {
        self.of.push((asked.to_vec(), None));
        self
    }

    fn late(mut self) -> Self {
        self.late = true;
        self
    }

    fn again(mut self) -> Self {
        self.again = true;
        self
    }

    fn spoils(mut self) -> Self {
        self.spoils = true;
        self
    }

    /// What is said of it; `None` where it cannot happen.
    pub fn words(&self, asked: Asked) -> Option<&'static str> {
        let asked = match asked {
            Asked::EcrByRole => Asked::Ecr,
            Asked::ProxyByRole => Asked::Proxy,
            asked => asked,
        };
        self.of.iter().find(|(these, _)| these.contains(&asked)).map_or(Some(self.words), |(_, words)| *words)
    }

    /// How many connections there are in all.
    pub fn connections(&self, asked: Asked) -> usize {
        match self.how {
            How::Refused => 0,
            _ if self.again => asked.tries(),
            _ if self.spoils && matches!(asked, ImdsToken | ImdsRole) => 2,
            _ => 1,
        }
    }
}

use Asked::{AssumeRole, Container, ImdsKeys, ImdsRole, ImdsToken, Proxy, SsoOidc, WebIdentity};

const IMDS: &[Asked] = &[ImdsToken, ImdsRole, ImdsKeys];
/// What comes after a proxy's 200 is the other side's: TLS.
const NO_TLS_BEHIND: &str = "TLS with ecr.example (through the proxy HOST) failed: the server does not speak TLS";
const NOT_THE_SERVICES: &str = "SERVICE answered HTTP 200, but the answer is not what the service answers";

/// Faults of the connection and of TLS.
pub fn on_the_way() -> Vec<Row> {
    let certificate = |fault, certificate, words| row(fault, How::Certificate(certificate), words);
    vec![
        row("refused", How::Refused, "cannot connect to HOST: Connection refused")
            .but(&[Proxy], "cannot reach the proxy: cannot connect to HOST: Connection refused")
            .but(IMDS, "so this is no EC2 instance (cannot connect to HOST: Connection refused"),
        row("reset", How::Opening(Opening::Reset), "HOST").again(),
        row("hung up", How::Opening(Opening::HangUp), "TLS with HOST failed: the server hung up").again(),
        row("no TLS", How::Opening(Opening::Garbage), "TLS with HOST failed: the server does not speak TLS")
            .but(&[Proxy], "cannot reach the proxy: TLS with HOST failed: the server does not speak TLS"),
        row(
            "hang in TLS",
            How::Opening(Opening::Silence),
            "did not answer within 1 s: connected, but the TLS handshake",
        )
        .but(&[Proxy], "the TLS handshake did not finish, on the way to the proxy")
        .late(),
        certificate(
            "untrusted",
            Certificate::Untrusted,
            "TLS with HOST failed: its certificate is not signed by a trusted CA",
        ),
        certificate("expired", Certificate::Expired, "TLS with HOST failed: its certificate has expired"),
        certificate(
            "not yet valid",
            Certificate::NotYetValid,
            "TLS with HOST failed: its certificate is not valid yet",
        ),
        certificate(
            "wrong name",
            Certificate::WrongName,
            "TLS with HOST failed: its certificate is for another name (another.example.com)",
        ),
    ]
}

/// Faults of the answer's head.
pub fn in_the_head() -> Vec<Row> {
    const LATE: &str = "SERVICE did not answer within 1 s: connected, but no answer came";
    const LATE_PROXY: &str = "ECR did not answer within 1 s: the proxy did not establish a tunnel";
    const HOPS: &str = "SERVICE accepts the connection and does not answer: in a container, the hop limit";
    let late = |fault, how| answer(fault, how, LATE).but(&[Proxy], LATE_PROXY).but(&[ImdsToken], HOPS).late();
    let blocked = b"<html>hunter2</html>".to_vec();
    let page = |status| Fault::Body { status, content_type: "text/html", body: blocked.clone() };
    vec![
        late("hang", Fault::Hang),
        late("half a head", Fault::Stalled(Part::HalfOfHead)),
        late("a byte a second", Fault::ByteASecond),
        answer("closed", Fault::Close, "SERVICE gave no answer: the connection was closed before an answer came")
            .but(&[Proxy], "the proxy HOST did not establish a tunnel: the connection was closed before an answer came")
            .again(),
        answer("reset", Fault::Reset, "SERVICE gave no answer: the connection was reset")
            .but(&[Proxy], "the proxy HOST did not establish a tunnel: the connection was reset")
            .again(),
        answer("garbage", Fault::Words("\u{1}\u{2}hunter2\r\n\r\n"), "SERVICE gave no answer: the answer is not HTTP")
            .but(&[Proxy], "the proxy HOST did not establish a tunnel: the answer is not HTTP"),
        answer("endless header", Fault::EndlessHeader, "SERVICE gave no answer: the answer's headers are too large")
            .but(&[Proxy], "the proxy HOST did not establish a tunnel: the answer's headers are too large"),
        row("redirect", How::Redirect, "SERVICE answered HTTP 307, a redirect to http://127.0.0.1")
            .but(&[Container], "SERVICE answers HTTP 307")
            .but(&[Proxy], "the proxy HOST answered CONNECT with HTTP 307")
            .but(IMDS, "SERVICE answers HTTP 307 when asked for"),
        answer("a page with 403", page(403), "SERVICE answered HTTP 403 without an AWS error")
            .but(&[Container], "SERVICE answers HTTP 403")
            .but(&[Proxy], "the proxy HOST answered CONNECT with HTTP 403")
            // Asked without a token then, which the fake refuses.
            .but(&[ImdsToken], "SERVICE answers HTTP 401 when asked for the role's name")
            .but(IMDS, "SERVICE answers HTTP 403 when asked for"),
    ]
}

/// Faults of the answer's body.
pub fn in_the_body() -> Vec<Row> {
    let late = |fault, how| {
        answer(fault, how, "SERVICE did not answer within 1 s: the answer began, but did not finish")
            .late()
            .not(&[Proxy])
    };
    let large = |fault, how| {
        answer(fault, how, "SERVICE answered HTTP 200, but the answer is too large").but(&[Proxy], NO_TLS_BEHIND)
    };
    let none = |fault, how| {
        answer(fault, how, NOT_THE_SERVICES)
            .but(&[Container], "SERVICE gives no credentials: the answer is not JSON")
            .but(&[ImdsToken, ImdsRole], "SERVICE gives something else when asked for")
            .but(&[ImdsKeys], "SERVICE gives no credentials of role node-role: the answer is not JSON")
            .but(&[Proxy], NO_TLS_BEHIND)
    };
    vec![
        late("half a body", Fault::Stalled(Part::HalfOfBody)),
        late("a byte a second", Fault::BodyByteASecond),
        answer("cut off", Fault::Cut, "SERVICE answered HTTP 200, but the connection broke within the answer")
            .again()
            // A refresh token that was used is worth nothing: the second try is refused, and that answer cut too.
            .but(&[SsoOidc], "SERVICE answered HTTP 400, but the connection broke within the answer")
            .not(&[Proxy]),
        large("a gigabyte", Fault::HugeBody),
        large("endless chunks", Fault::EndlessChunks),
        answer("content-length too small", Fault::LengthTooSmall, NOT_THE_SERVICES)
            .but(&[Container], "SERVICE gives no credentials: the answer is not JSON")
            .but(&[AssumeRole, WebIdentity], "STS answered without credentials")
            .spoils()
            .but(&[ImdsToken], "SERVICE answers HTTP 401 when asked for the role's name")
            .but(&[ImdsRole], "SERVICE answers HTTP 404 when asked for the role's credentials")
            .but(&[ImdsKeys], "SERVICE gives no credentials of role node-role: the answer is not JSON")
            .but(&[Proxy], NO_TLS_BEHIND),
        answer("content-length too large", Fault::LengthTooLarge, "but the connection broke within the answer")
            .again()
            .not(&[Proxy]),
        answer(
            "content-length no number",
            Fault::Words("HTTP/1.1 200 OK\r\ncontent-length: many\r\n\r\n{}"),
            "SERVICE gave no answer: the answer is not HTTP",
        )
        .not(&[Proxy]),
        none("bytes that are nothing", Fault::garbage()),
        none("a web page", Fault::web_page()),
        answer("nothing in it", Fault::NoData, "SERVICE")
            .but(&[Container], "SERVICE gives no credentials: the answer has no \"AccessKeyId\"")
            .but(&[ImdsKeys], "SERVICE gives no credentials of role node-role: the answer has no \"AccessKeyId\"")
            .but(&[ImdsRole], "SERVICE gives something else when asked for the role's name")
            .but(&[ImdsToken], "SERVICE answers HTTP 401 when asked for the role's name")
            .but(&[Proxy], NO_TLS_BEHIND),
    ]
}
