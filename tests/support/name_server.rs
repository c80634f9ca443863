//! A DNS server on loopback, for UDP alone.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The type of an AAAA question (RFC 3596).
const AAAA: u8 = 28;

/// The bytes of a message's header (RFC 1035, section 4.1.1).
const HEADER: usize = 12;

/// Answers until the process ends.
pub struct NameServer {
    asked: Arc<Mutex<Vec<String>>>,
}

impl NameServer {
    /// Answers with what `addresses` has for a name; where that is `None`, there is no such name.
    pub fn start(
        address: SocketAddr,
        addresses: impl Fn(&str) -> Option<Vec<IpAddr>> + Send + 'static,
    ) -> std::io::Result<Self> {
        // Or in the block that is set aside for benchmarks (RFC 2544), in network namespaces.
        let is_benchmark = matches!(address.ip(), IpAddr::V4(ip) if matches!(ip.octets(), [198, 18 | 19, ..]));
        assert!(address.ip().is_loopback() || is_benchmark, "tests stay on this machine");
        let socket = UdpSocket::bind(address)?;
        let asked = Arc::new(Mutex::new(Vec::new()));
        let recorded = Arc::clone(&asked);
        std::thread::spawn(move || {
            let mut buffer = [0; 512];
            while let Ok((length, from)) = socket.recv_from(&mut buffer) {
                let Some((name, is_v6)) = question(&buffer[..length]) else { continue };
                let found = addresses(&name).map(|all| all.into_iter().filter(|ip| ip.is_ipv6() == is_v6).collect());
                let mut names: MutexGuard<'_, Vec<String>> = recorded.lock().unwrap_or_else(PoisonError::into_inner);
                if names.last() != Some(&name) {
                    names.push(name);
                }
                drop(names);
                // Who asked may be gone.
                socket.send_to(&answer(&buffer[..length], found), from).ok();
            }
        });
        Ok(Self { asked })
    }

    /// The names that were asked for, in order; once where a name was asked for several times in a row.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The name of a message's only question, and whether IPv6 addresses are wanted.
fn question(message: &[u8]) -> Option<(String, bool)> {
    let (mut labels, mut at) = (Vec::new(), HEADER);
    loop {
        let length = usize::from(*message.get(at)?);
        if length == 0 {
            break;
        }
        labels.push(std::str::from_utf8(message.get(at + 1..=at + length)?).ok()?);
        at += 1 + length;
    }
    Some((labels.join("."), *message.get(at + 2)? == AAAA))
}

fn answer(question: &[u8], found: Option<Vec<IpAddr>>) -> Vec<u8> {
    const IS_ANSWER: u8 = 0x80;
    /// Without it, Go's resolver takes an answer without addresses for a referral, and asks once more.
    const RECURSION_AVAILABLE: u8 = 0x80;
    const NO_SUCH_NAME: u8 = 3;
    // What follows the question (EDNS) is left out, and said to be.
    let end = HEADER + question[HEADER..].iter().position(|byte| *byte == 0).unwrap_or(0) + 5;
    let mut answer = question[..end].to_vec();
    answer[8..HEADER].fill(0);
    answer[2] |= IS_ANSWER;
    answer[3] |= RECURSION_AVAILABLE;
    if found.is_none() {
        answer[3] |= NO_SUCH_NAME;
    }
    let found = found.unwrap_or_default();
    answer[7] = u8::try_from(found.len()).unwrap();
    for ip in found {
        let octets = match ip {
            IpAddr::V4(ip) => ip.octets().to_vec(),
            IpAddr::V6(ip) => ip.octets().to_vec(),
        };
        // The name again, by its place in the question; its type; IN; a minute.
        let kind = if ip.is_ipv6() { AAAA } else { 1 };
        answer.extend([0xc0, HEADER as u8, 0, kind, 0, 1, 0, 0, 0, 60, 0]);
        answer.push(u8::try_from(octets.len()).unwrap());
        answer.extend(octets);
    }
    answer
}
