//! The HTTP server of one request: the sign-in page redirects the browser to it, and the code is in the query.
//!
//! It listens on loopback alone, on a port of the system's choice. Browsers open connections that they never use and ask
//! for icons: several connections are served at once, each within bounds, and only a request that brings the state that we
//! gave ends the wait.

use std::future::poll_fn;
use std::io;
use std::net::Ipv4Addr;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::text::printable::one_line;
use crate::text::user_error::{Kind, UserError};

/// The redirect URI as it is registered: the port is chosen anew for each sign-in (RFC 8252, section 7.3). The AWS CLI's.
pub(super) const REDIRECT_URI_WITHOUT_PORT: &str = "http://127.0.0.1/oauth/callback";

const PATH: &str = "/oauth/callback";

/// The most that a request's head may hold, in bytes.
const HEAD_LIMIT: usize = 32 * 1024;

/// How long a connection may take to send it.
const HEAD_TIMEOUT: Duration = Duration::from_secs(60);

/// How often connections that could not be taken are looked for again.
const ACCEPT_RETRY: Duration = Duration::from_millis(500);

/// How many connections are served at once; a browser has six.
const MOST_CONNECTIONS: usize = 32;

/// How many characters of a reason are shown.
const REASON_LIMIT: usize = 200;

/// What the browser brought.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Redirect {
    /// The authorization code, a secret.
    Code(String),
    /// Why there is none.
    Refused(String),
}

/// A port that waits for the browser.
pub(super) struct RedirectListener {
    listener: TcpListener,
    port: u16,
    state: String,
}

impl RedirectListener {
    /// Listens; `state` is what the redirect must bring back.
    pub(super) async fn bind(state: &str) -> Result<Self, UserError> {
        let bound = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let bound = bound.and_then(|listener| Ok((listener.local_addr()?.port(), listener)));
        match bound {
            Ok((port, listener)) => Ok(Self { listener, port, state: state.to_owned() }),
            Err(error) => Err(UserError::new(Kind::Other, format!("cannot listen on 127.0.0.1: {error}"))
                .hint("use --device-code, which needs no port")),
        }
    }

    /// The redirect URI for this sign-in.
    pub(super) fn redirect_uri(&self) -> String {
        format!("http://127.0.0.1:{}{PATH}", self.port)
    }

    /// Waits for the browser, for as long as it takes.
    pub(super) async fn redirect(&self) -> Redirect {
        let mut connections: Vec<Pin<Box<dyn Future<Output = Option<Redirect>> + '_>>> = Vec::new();
        loop {
            let found = poll_fn(|context| {
                while connections.len() < MOST_CONNECTIONS
                    && let Poll::Ready(Ok((stream, _))) = self.listener.poll_accept(context)
                {
                    connections.push(Box::pin(async {
                        tokio::time::timeout(HEAD_TIMEOUT, self.serve(stream)).await.ok()?.ok()?
                    }));
                }
                let mut found = None;
                connections.retain_mut(|connection| match connection.as_mut().poll(context) {
                    Poll::Ready(ended) => {
                        found = found.take().or(ended);
                        false
                    }
                    Poll::Pending => true,
                });
                found.map_or(Poll::Pending, Poll::Ready)
            });
            // Where no descriptor is free, or no more connections are taken, nobody says when that changes.
            if let Ok(redirect) = tokio::time::timeout(ACCEPT_RETRY, found).await {
                return redirect;
            }
        }
    }

    /// One request, one answer, the end of the connection.
    async fn serve(&self, mut stream: TcpStream) -> io::Result<Option<Redirect>> {
        let mut head = Vec::new();
        while !head.windows(4).any(|end| end == b"\r\n\r\n") {
            if stream.read_buf(&mut head).await? == 0 || head.len() > HEAD_LIMIT {
                return Ok(None);
            }
        }
        let found = request_target(&head).map_or(Found::Nothing, |target| found(target, &self.state));
        let (status, text) = match &found {
            Found::Redirect(Redirect::Code(_)) => ("200 OK", "Signed in. You can close this window."),
            Found::Redirect(Redirect::Refused(_)) => ("200 OK", "Not signed in. The terminal says why."),
            Found::Stranger => ("400 Bad Request", "This is not the sign-in that the terminal waits for."),
            Found::Nothing => ("404 Not Found", "Nothing here."),
        };
        let page = format!("<!doctype html><meta charset=\"utf-8\"><title>ecr-login</title><p>{text}</p>\n");
        let answer = format!(
            "HTTP/1.1 {status}\r\ncontent-type: text/html; charset=utf-8\r\ncontent-length: {}\r\n\
             cache-control: no-store\r\nreferrer-policy: no-referrer\r\nconnection: close\r\n\r\n{page}",
            page.len()
        );
        // The code has come: a browser that does not want its page is no reason to lose it.
        let written = async {
            stream.write_all(answer.as_bytes()).await?;
            stream.shutdown().await
        };
        let _delivered: io::Result<()> = written.await;
        Ok(match found {
            Found::Redirect(redirect) => Some(redirect),
            Found::Stranger | Found::Nothing => None,
        })
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Found {
    Redirect(Redirect),
    /// The right path with another state: not from the page that we opened.
    Stranger,
    Nothing,
}

/// Path and query of a `GET`.
fn request_target(head: &[u8]) -> Option<&str> {
    let line = std::str::from_utf8(head.split(|byte| *byte == b'\r').next()?).ok()?;
    let mut words = line.split(' ');
    (words.next() == Some("GET")).then(|| words.next())?
}

/// What a request brings (RFC 6749, section 4.1.2).
fn found(target: &str, state: &str) -> Found {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    if path != PATH {
        return Found::Nothing;
    }
    let value = |name: &str| {
        let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.into_iter().find(|(key, _)| *key == name).map(|(_, value)| percent_decoded(value))
    };
    // A stranger who may guess is asked for the whole state each time, and each guess costs a connection.
    if value("state").as_deref() != Some(state) {
        return Found::Stranger;
    }
    if let Some(error) = value("error") {
        let said = value("error_description").filter(|said| !said.is_empty());
        let reason = said.map_or_else(|| error.clone(), |said| format!("{error}: {said}"));
        return Found::Redirect(Redirect::Refused(one_line(&reason).chars().take(REASON_LIMIT).collect()));
    }
    match value("code").filter(|code| !code.is_empty()) {
        Some(code) => Found::Redirect(Redirect::Code(code)),
        None => Found::Stranger,
    }
}

/// `application/x-www-form-urlencoded`.
fn percent_decoded(text: &str) -> String {
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut rest = bytes.clone();
                let digits = [rest.next(), rest.next()].map(|digit| digit.and_then(|d| char::from(d).to_digit(16)));
                match digits {
                    [Some(high), Some(low)] => {
                        bytes = rest;
                        u8::try_from(high * 16 + low).unwrap_or(b'?')
                    }
                    _ => b'%',
                }
            }
            other => other,
        });
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_request_with_the_state_that_was_given_ends_the_wait() {
        let code = |code: &str| Found::Redirect(Redirect::Code(code.to_owned()));
        let refused = |reason: &str| Found::Redirect(Redirect::Refused(reason.to_owned()));
        for (target, expected) in [
            ("/oauth/callback?code=abc%2Fd&state=s", code("abc/d")),
            ("/oauth/callback?state=s&code=a", code("a")),
            ("/oauth/callback?code=a&state=other", Found::Stranger),
            ("/oauth/callback?code=a", Found::Stranger),
            ("/oauth/callback?state=s", Found::Stranger),
            ("/oauth/callback?state=s&code=", Found::Stranger),
            ("/oauth/callback", Found::Stranger),
            ("/oauth/callback?error=access_denied&state=s", refused("access_denied")),
            ("/oauth/callback?error=x&error_description=a+b%0Ac&state=s", refused("x: a b c")),
            ("/oauth/callback?error=x&state=y", Found::Stranger),
            ("/favicon.ico", Found::Nothing),
            ("/", Found::Nothing),
            ("/oauth/callback/x?code=a&state=s", Found::Nothing),
        ] {
            assert_eq!(found(target, "s"), expected, "{target}");
        }
    }

    #[test]
    fn percent_escapes_that_are_none_stay() {
        for (text, decoded) in [("%41%zz%4", "A%zz%4"), ("%", "%"), ("a%2", "a%2"), ("%ff", "\u{fffd}")] {
            assert_eq!(percent_decoded(text), decoded, "{text}");
        }
    }

    #[test]
    fn only_a_get_has_a_target() {
        assert_eq!(request_target(b"GET /a?b HTTP/1.1\r\nhost: x\r\n\r\n"), Some("/a?b"));
        for head in [&b"POST / HTTP/1.1\r\n\r\n"[..], b"GET\r\n\r\n", b"\r\n\r\n", b"\xff\xfe\r\n\r\n"] {
            assert_eq!(request_target(head), None);
        }
    }
}
