//! HTTP/1.1 on loopback, plain or over TLS, that can also misbehave on the wire. One thread a connection.

use std::fmt;
use std::io::{self, BufReader, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::request::{Request, read_request};

/// No connection of a test lives longer, whatever it waits for.
const LONGEST: Duration = Duration::from_secs(180);

/// A well-formed answer.
#[derive(Clone, Debug)]
pub struct Response {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Response {
    pub fn new(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        Self { status, headers: vec![("content-type".to_owned(), content_type.to_owned())], body: body.into() }
    }

    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(super) fn head(&self) -> Vec<u8> {
        let mut head = format!("HTTP/1.1 {} fake\r\n", self.status);
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str(&format!("content-length: {}\r\n\r\n", self.body.len()));
        head.into_bytes()
    }

    fn bytes(&self) -> Vec<u8> {
        [self.head(), self.body.clone()].concat()
    }
}

/// What the server puts on the wire.
#[derive(Clone, Debug)]
pub enum Respond {
    With(Response),
    /// After so long.
    Late(Duration, Response),
    /// Once something has happened, and without it after [`LONGEST`].
    Once(Event, Response),
    /// One byte a second.
    ByteASecond(Response),
    /// The head promises all of it, half of the body comes, then the end.
    Cut(Response),
    /// A connection reset.
    Reset,
    /// These one after the other, and the end.
    Steps(Vec<Step>),
}

/// Something that a test's servers can wait for.
#[derive(Clone)]
pub struct Event(Arc<dyn Fn() -> bool + Send + Sync>);

impl Event {
    pub fn new(has_happened: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(has_happened))
    }

    /// Waits for it while `go_on` says so.
    fn wait(&self, go_on: &impl Fn() -> bool) {
        while go_on() && !(self.0)() {
            thread::sleep(Duration::from_millis(1));
        }
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Event")
    }
}

/// A part of an answer that is none.
#[derive(Clone, Debug)]
pub enum Step {
    Send(Vec<u8>),
    /// One byte a second.
    Drip(Vec<u8>),
    /// So many times.
    Repeat(Vec<u8>, usize),
    /// Nothing, until the client goes away.
    Hang,
}

/// How connections begin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Opening {
    /// As they should, with TLS where it is used.
    #[default]
    Talk,
    /// Nothing is ever said, not even a TLS handshake.
    Silence,
    /// Words of another protocol.
    Garbage,
    HangUp,
    Reset,
    /// As they should, and right after TLS, where it is used, the end.
    HangUpAfterTls,
    /// The same with a reset.
    ResetAfterTls,
}

impl Respond {
    /// With one header more, where it has headers.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        match &mut self {
            Self::With(response)
            | Self::Late(_, response)
            | Self::Once(_, response)
            | Self::ByteASecond(response)
            | Self::Cut(response) => {
                response.headers.push((name.to_owned(), value.to_owned()));
            }
            _ => {}
        }
        self
    }
}

type Handler = dyn Fn(&Request) -> Respond + Send + Sync;

/// A listening server; it stops when dropped.
pub struct Server {
    address: SocketAddr,
    tls: bool,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    opening: Mutex<Opening>,
    next_opening: Mutex<Option<Opening>>,
    connections: AtomicUsize,
    opened: AtomicUsize,
    ended: AtomicUsize,
    handshakes_failed: AtomicUsize,
    written: AtomicUsize,
}

impl Server {
    /// Plain HTTP on 127.0.0.1.
    pub fn plain(handler: impl Fn(&Request) -> Respond + Send + Sync + 'static) -> Self {
        Self::start((Ipv4Addr::LOCALHOST, 0).into(), None, handler)
    }

    /// On a port of `ip` that the system chooses.
    pub fn start(
        address: SocketAddr,
        tls: Option<Arc<ServerConfig>>,
        handler: impl Fn(&Request) -> Respond + Send + Sync + 'static,
    ) -> Self {
        assert!(stays_here(address.ip()), "tests stay on this machine");
        let listener = TcpListener::bind(address).unwrap();
        let server =
            Self { address: listener.local_addr().unwrap(), tls: tls.is_some(), shared: Arc::new(Shared::default()) };
        let shared = Arc::clone(&server.shared);
        let handler: Arc<Handler> = Arc::new(handler);
        thread::spawn(move || {
            for stream in listener.incoming() {
                if shared.stop.load(Ordering::SeqCst) {
                    return;
                }
                let Ok(stream) = stream else { continue };
                let (tls, handler, shared) = (tls.clone(), Arc::clone(&handler), Arc::clone(&shared));
                let number = shared.connections.fetch_add(1, Ordering::SeqCst);
                // An I/O error is the client's end of the connection; what the client says of it is what is tested.
                thread::spawn(move || {
                    let _ = connection(stream, number, tls, &*handler, &shared);
                    shared.ended.fetch_add(1, Ordering::SeqCst);
                });
            }
        });
        server
    }

    /// `127.0.0.1:PORT` or `[::1]:PORT`.
    pub fn host(&self) -> String {
        self.address.to_string()
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    pub fn url(&self) -> String {
        format!("{}://{}", if self.tls { "https" } else { "http" }, self.address)
    }

    /// Connections accepted so far.
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// TLS handshakes that did not succeed.
    pub fn handshakes_failed(&self) -> usize {
        self.shared.handshakes_failed.load(Ordering::SeqCst)
    }

    /// Bytes of faulty answers written so far.
    pub fn written(&self) -> usize {
        self.shared.written.load(Ordering::SeqCst)
    }

    /// That a client is connected, through TLS where it is used.
    pub fn is_connected(&self) -> Event {
        let shared = Arc::clone(&self.shared);
        Event::new(move || shared.opened.load(Ordering::SeqCst) > 0)
    }

    /// That so many connections were accepted.
    pub fn has_connections(&self, number: usize) -> Event {
        let shared = Arc::clone(&self.shared);
        Event::new(move || shared.connections.load(Ordering::SeqCst) >= number)
    }

    /// That a connection has ended.
    pub fn has_hung_up(&self) -> Event {
        let shared = Arc::clone(&self.shared);
        Event::new(move || shared.ended.load(Ordering::SeqCst) > 0)
    }

    /// How the next connection begins, and no other.
    pub fn open_next(&self, opening: Opening) {
        *self.shared.next_opening.lock().unwrap() = Some(opening);
    }

    /// How connections begin from now on.
    pub fn open(&self, opening: Opening) {
        *self.shared.opening.lock().unwrap() = opening;
    }
}

/// Loopback, link-local addresses (RFC 3927), or the block that is set aside for benchmarks (RFC 2544), which nothing routes:
/// tests and the bench of cold paths have the last two in network namespaces of their own.
fn stays_here(ip: IpAddr) -> bool {
    ip.is_loopback() || matches!(ip, IpAddr::V4(ip) if ip.is_link_local() || matches!(ip.octets(), [198, 18 | 19, ..]))
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        // Wakes the accepting thread, which then ends; if this fails it ended already.
        let _ = TcpStream::connect(self.address);
    }
}

trait Wire: Read + Write {}
impl<T: Read + Write> Wire for T {}

fn connection(
    stream: TcpStream,
    number: usize,
    tls: Option<Arc<ServerConfig>>,
    handler: &Handler,
    shared: &Shared,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(LONGEST))?;
    stream.set_write_timeout(Some(LONGEST))?;
    let socket = stream.try_clone()?;
    let next = shared.next_opening.lock().unwrap().take();
    let opening = next.unwrap_or(*shared.opening.lock().unwrap());
    let mut stream = stream;
    match opening {
        Opening::Talk | Opening::HangUpAfterTls | Opening::ResetAfterTls => {}
        Opening::Silence => {
            hang(&socket, shared);
            return Ok(());
        }
        Opening::Garbage => {
            stream.write_all(b"220 mail.example.com ESMTP\r\n")?;
            // Without the client's words it would end in a reset, and those may come late.
            let _ = stream.read(&mut [0; 4096])?;
            return stream.shutdown(Shutdown::Both);
        }
        Opening::HangUp => return stream.shutdown(Shutdown::Both),
        Opening::Reset => return reset(&stream),
    }
    let wire: Box<dyn Wire> = match tls {
        None => Box::new(stream),
        Some(config) => {
            let mut session = ServerConnection::new(config).map_err(io::Error::other)?;
            while session.is_handshaking() {
                if let Err(error) = session.complete_io(&mut stream) {
                    shared.handshakes_failed.fetch_add(1, Ordering::SeqCst);
                    return Err(error);
                }
            }
            Box::new(StreamOwned::new(session, stream))
        }
    };
    shared.opened.fetch_add(1, Ordering::SeqCst);
    match opening {
        Opening::HangUpAfterTls => return socket.shutdown(Shutdown::Both),
        Opening::ResetAfterTls => return reset(&socket),
        _ => {}
    }
    let mut wire = BufReader::new(wire);
    while let Some(request) = read_request(&mut wire, number)? {
        let answer = handler(&request);
        let keep = respond(answer, wire.get_mut(), &socket, shared)?;
        if !keep || shared.stop.load(Ordering::SeqCst) {
            break;
        }
    }
    socket.shutdown(Shutdown::Both)
}

/// Whether the connection can go on.
fn respond(answer: Respond, wire: &mut Box<dyn Wire>, socket: &TcpStream, shared: &Shared) -> io::Result<bool> {
    let until = Instant::now() + LONGEST;
    let go_on = || !shared.stop.load(Ordering::SeqCst) && Instant::now() < until;
    let mut send = |bytes: &[u8]| -> io::Result<()> {
        wire.write_all(bytes)?;
        wire.flush()?;
        shared.written.fetch_add(bytes.len(), Ordering::SeqCst);
        Ok(())
    };
    match answer {
        Respond::With(response) => send(&response.bytes()).map(|()| true),
        Respond::Late(delay, response) => {
            let end = Instant::now() + delay;
            while go_on() && Instant::now() < end {
                thread::sleep((end - Instant::now()).min(Duration::from_millis(50)));
            }
            send(&response.bytes()).map(|()| true)
        }
        Respond::Once(event, response) => {
            event.wait(&go_on);
            send(&response.bytes()).map(|()| true)
        }
        Respond::ByteASecond(response) => drip(&response.bytes(), &mut send, &go_on),
        Respond::Cut(response) => {
            send(&response.head())?;
            send(&response.body[..response.body.len() / 2])?;
            Ok(false)
        }
        Respond::Reset => reset(socket).map(|()| false),
        Respond::Steps(steps) => {
            for step in steps {
                match step {
                    Step::Send(bytes) => send(&bytes)?,
                    Step::Drip(bytes) => {
                        drip(&bytes, &mut send, &go_on)?;
                    }
                    Step::Repeat(bytes, times) => {
                        for _ in (0..times).take_while(|_| go_on()) {
                            send(&bytes)?;
                        }
                    }
                    Step::Hang => hang(socket, shared),
                }
            }
            Ok(false)
        }
    }
}

/// Whether it came to the end of the bytes.
fn drip(bytes: &[u8], send: &mut impl FnMut(&[u8]) -> io::Result<()>, go_on: &impl Fn() -> bool) -> io::Result<bool> {
    for byte in bytes {
        send(&[*byte])?;
        for _ in 0..20 {
            thread::sleep(Duration::from_millis(50));
            if !go_on() {
                return Ok(false);
            }
        }
    }
    Ok(true)
}

/// No shutdown, which would say goodbye: the last descriptor's close sends the RST.
fn reset(socket: &TcpStream) -> io::Result<()> {
    socket2::SockRef::from(socket).set_linger(Some(Duration::ZERO))?;
    Err(io::ErrorKind::ConnectionReset.into())
}

/// Says nothing until the client goes away.
fn hang(socket: &TcpStream, shared: &Shared) {
    let until = Instant::now() + LONGEST;
    let mut byte = [0];
    // If the socket cannot be told to return early, the loop below is bounded all the same.
    let _ = socket.set_read_timeout(Some(Duration::from_millis(50)));
    while !shared.stop.load(Ordering::SeqCst) && Instant::now() < until {
        match socket.peek(&mut byte) {
            Ok(0) => return,
            Ok(_) => thread::sleep(Duration::from_millis(50)),
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {}
            Err(_) => return,
        }
    }
}
