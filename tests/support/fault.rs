//! The ways in which a service of the fake AWS can fail.

use std::time::Duration;

use super::aws::Service;
use super::server::{Event, Respond, Response, Step};

/// A scripted fault.
#[derive(Clone, Debug)]
pub enum Fault {
    /// None: what is scripted after this one's turns are over.
    Right,
    /// An error of the service's own form.
    Error {
        status: u16,
        code: &'static str,
        message: String,
    },
    /// This body with this status, of no form.
    Body {
        status: u16,
        content_type: &'static str,
        body: Vec<u8>,
    },
    /// 200 with a well-formed answer that has no token in it (ECR: `{"authorizationData":[]}`).
    NoData,
    /// A token that is no base64.
    NotBase64,
    /// A token that is base64 of something without a colon.
    NoColon,
    /// The right answer after so long.
    Late(Duration),
    /// The right answer, once something has happened.
    Once(Event),
    /// This refusal, once something has happened.
    ErrorOnce(Event, &'static str),
    /// The right answer, one byte a second.
    ByteASecond,
    /// The right answer, cut in half.
    Cut,
    Reset,
    /// The connection is closed without an answer.
    Close,
    /// Never an answer.
    Hang,
    EndlessHeader,
    HugeBody,
    /// These words and the end, instead of an answer.
    Words(&'static str),
    /// The right answer as far as the end of this part, then nothing more.
    Stalled(Part),
    /// The right answer, its body one byte a second.
    BodyByteASecond,
    /// Chunks without end.
    EndlessChunks,
    /// The right answer, its `content-length` half or twice what it should be.
    LengthTooSmall,
    LengthTooLarge,
    /// A redirect to this URL.
    Redirect(String),
}

/// How far an answer comes.
#[derive(Clone, Copy, Debug)]
pub enum Part {
    HalfOfHead,
    HalfOfBody,
}

const GIGABYTE: usize = 1 << 30;

impl Fault {
    fn error(status: u16, code: &'static str, message: &str) -> Self {
        Self::Error { status, code, message: message.to_owned() }
    }

    pub fn server_error() -> Self {
        Self::error(500, "ServerException", "these errors are usually caused by a server-side issue")
    }

    pub fn unavailable() -> Self {
        Self::error(503, "ServiceUnavailable", "Service is unable to handle request")
    }

    pub fn throttled() -> Self {
        Self::error(400, "ThrottlingException", "Rate exceeded")
    }

    pub fn limit_exceeded() -> Self {
        Self::error(400, "RequestLimitExceeded", "Request limit exceeded")
    }

    /// As ECR says it.
    pub fn access_denied() -> Self {
        let message = "User: arn:aws:iam::123456789012:user/dev is not authorized to perform: \
                       ecr:GetAuthorizationToken on resource: * because no identity-based policy allows the \
                       ecr:GetAuthorizationToken action";
        Self::error(400, "AccessDeniedException", message)
    }

    /// As STS says it of AssumeRole.
    pub fn assume_role_denied() -> Self {
        let message = "User: arn:aws:iam::123456789012:user/dev is not authorized to perform: sts:AssumeRole on \
                       resource: arn:aws:iam::123456789012:role/ecr-pull";
        Self::error(403, "AccessDenied", message)
    }

    pub fn expired_keys() -> Self {
        Self::error(400, "ExpiredTokenException", "The security token included in the request is expired")
    }

    pub fn unknown_keys() -> Self {
        Self::error(400, "UnrecognizedClientException", "The security token included in the request is invalid.")
    }

    pub fn wrong_signature() -> Self {
        let message = "The request signature we calculated does not match the signature you provided. Check your AWS \
                       Secret Access Key and signing method.";
        Self::error(403, "InvalidSignatureException", message)
    }

    /// Bytes that are nothing at all, with status 200.
    pub fn garbage() -> Self {
        let body = vec![0xff, 0x00, 0x1b, b'[', b'3', b'1', b'm', 0xc3, 0x28, b'{', b'"'];
        Self::Body { status: 200, content_type: "application/x-amz-json-1.1", body }
    }

    /// A body of no bytes, with status 200.
    pub fn empty() -> Self {
        Self::Body { status: 200, content_type: "application/x-amz-json-1.1", body: Vec::new() }
    }

    /// What a captive portal says.
    pub fn web_page() -> Self {
        let body = b"<html><body>Please log in to the network</body></html>".to_vec();
        Self::Body { status: 200, content_type: "text/html", body }
    }

    /// A bare status with no body.
    pub fn status(status: u16) -> Self {
        Self::Body { status, content_type: "text/plain", body: Vec::new() }
    }

    /// What goes on the wire instead of `right`.
    pub(super) fn apply(&self, service: Service, right: impl FnOnce() -> Response) -> Respond {
        let send = |text: &str| Step::Send(text.as_bytes().to_vec());
        let gigabyte = |byte: u8| Step::Repeat(vec![byte; 64 << 10], GIGABYTE / (64 << 10));
        match self {
            Self::Right => Respond::With(right()),
            Self::Error { status, code, message } => Respond::With(service.error(*status, code, message)),
            Self::Body { status, content_type, body } => {
                Respond::With(Response::new(*status, content_type, body.clone()))
            }
            Self::NoData => Respond::With(service.without_data()),
            Self::NotBase64 => Respond::With(service.with_token("%%% not base64 %%%")),
            Self::NoColon => Respond::With(service.with_token("bm8gY29sb24gaW4gaGVyZQ==")),
            Self::Late(delay) => Respond::Late(*delay, right()),
            Self::Once(event) => Respond::Once(event.clone(), right()),
            Self::ErrorOnce(event, code) => Respond::Once(event.clone(), service.error(403, code, "refused")),
            Self::ByteASecond => Respond::ByteASecond(right()),
            Self::Cut => Respond::Cut(right()),
            Self::Reset => Respond::Reset,
            Self::Close => Respond::Steps(Vec::new()),
            Self::Hang => Respond::Steps(vec![Step::Hang]),
            Self::EndlessHeader => Respond::Steps(vec![send("HTTP/1.1 200 OK\r\nx-endless: "), gigabyte(b'a')]),
            Self::HugeBody => Respond::Steps(vec![
                send(&format!("HTTP/1.1 200 OK\r\ncontent-length: {GIGABYTE}\r\n\r\n")),
                gigabyte(b' '),
            ]),
            Self::Words(words) => Respond::Steps(vec![send(words)]),
            Self::Stalled(part) => {
                let right = right();
                let half = match part {
                    Part::HalfOfHead => right.head()[..right.head().len() / 2].to_vec(),
                    Part::HalfOfBody => [right.head(), right.body[..right.body.len() / 2].to_vec()].concat(),
                };
                Respond::Steps(vec![Step::Send(half), Step::Hang])
            }
            Self::BodyByteASecond => {
                let right = right();
                Respond::Steps(vec![Step::Send(right.head()), Step::Drip(right.body)])
            }
            Self::EndlessChunks => {
                let head = send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
                let chunk = [b"4000\r\n".as_slice(), &[b' '; 0x4000], b"\r\n"].concat();
                Respond::Steps(vec![head, Step::Repeat(chunk, GIGABYTE / 0x4000)])
            }
            Self::LengthTooSmall | Self::LengthTooLarge => {
                let right = right();
                let length = right.body.len();
                let length = if matches!(self, Self::LengthTooSmall) { length / 4 } else { length * 2 };
                let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n");
                Respond::Steps(vec![send(&head), Step::Send(right.body)])
            }
            Self::Redirect(to) => {
                Respond::With(Response::new(307, "text/plain", "go elsewhere").header("location", to))
            }
        }
    }
}

/// Faults that come at random.
pub(super) struct NowAndThen {
    random: fastrand::Rng,
    pub share: f64,
    faults: Vec<Fault>,
    /// How often each has come.
    pub came: Vec<usize>,
}

impl NowAndThen {
    /// This share of the calls, each in one of these ways.
    pub(super) fn new(share: f64, faults: &[Fault]) -> Self {
        let (random, came) = (fastrand::Rng::with_seed(1), vec![0; faults.len()]);
        Self { random, share, faults: faults.to_vec(), came }
    }

    /// The fault of the next call, if it is to fail.
    pub(super) fn fault(&mut self) -> Option<Fault> {
        let fails = self.random.f64() < self.share;
        fails.then(|| {
            let which = self.random.usize(..self.faults.len());
            self.came[which] += 1;
            self.faults[which].clone()
        })
    }
}

impl Fault {
    /// `Late`, in milliseconds.
    pub fn late(milliseconds: u64) -> Self {
        Self::Late(Duration::from_millis(milliseconds))
    }
}
