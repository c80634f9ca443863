//! One question to the name servers: UDP, over TCP where the answer was cut short (RFC 1035, RFC 7766).

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use ring::rand::{SecureRandom, SystemRandom};
use simple_dns::rdata::RData;
use simple_dns::{CLASS, Name, Packet, PacketFlag, QCLASS, QTYPE, Question, RCODE, TYPE};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

use super::Error;
use super::config::Config;

/// Which addresses are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Record {
    /// IPv4.
    A,
    /// IPv6.
    Aaaa,
}

impl Record {
    fn kind(self) -> TYPE {
        match self {
            Self::A => TYPE::A,
            Self::Aaaa => TYPE::AAAA,
        }
    }
}

/// What one server's answer came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Addresses; none where the name has none of this family.
    Addresses(Vec<IpAddr>),
    /// The name is in no family.
    NoSuchName,
    /// Ask over TCP.
    CutShort,
    /// Ask another server.
    Failed(String),
    /// Not an answer to our question.
    Foreign,
}

/// Asks the servers in turn, round by round.
pub(super) async fn ask(config: &Config, name: &str, record: Record) -> Result<Vec<IpAddr>, Error> {
    let mut id = [0; 2];
    SystemRandom::new().fill(&mut id).map_err(|_| Error::System("no random numbers".into()))?;
    let query = query(name, record, u16::from_be_bytes(id)).ok_or(Error::BadName)?;
    let mut last = Error::BadName;
    for limit in &config.rounds {
        for server in &config.servers {
            match one(*server, &query, *limit, config.tcp_only).await {
                Ok(Answer::Addresses(found)) => return Ok(found),
                Ok(Answer::NoSuchName) => return Err(Error::NoSuchName),
                Ok(Answer::Failed(code)) => last = Error::Failed(server.ip().to_string(), code),
                Ok(Answer::CutShort | Answer::Foreign) => {
                    last = Error::Failed(server.ip().to_string(), "something unreadable".into());
                }
                Err(e) if e.kind() == io::ErrorKind::TimedOut => last = Error::NoAnswer(server.ip().to_string()),
                Err(e) => last = Error::Failed(server.ip().to_string(), format!("nothing: {e}")),
            }
        }
        // A server that failed at once gets a moment before it is asked again.
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Err(last)
}

/// One question.
#[derive(Debug)]
pub struct Query {
    name: String,
    record: Record,
    id: u16,
    /// The message that asks it.
    pub bytes: Vec<u8>,
}

/// The question for the addresses of `name`; `None` where the DNS can hold no such name.
pub fn query(name: &str, record: Record, id: u16) -> Option<Query> {
    let labels_fit = name.len() <= 253 && name.split('.').all(|label| (1..=63).contains(&label.len()));
    if !labels_fit || !name.is_ascii() {
        return None;
    }
    let mut packet = Packet::new_query(id);
    packet.set_flags(PacketFlag::RECURSION_DESIRED);
    let question = Question::new(Name::new(name).ok()?, QTYPE::TYPE(record.kind()), QCLASS::CLASS(CLASS::IN), false);
    packet.questions.push(question);
    let bytes = packet.build_bytes_vec().ok()?;
    Some(Query { name: name.to_owned(), record, id, bytes })
}

async fn one(server: SocketAddr, query: &Query, limit: Duration, tcp_only: bool) -> io::Result<Answer> {
    if !tcp_only {
        match timed(limit, over_udp(server, query)).await? {
            Answer::CutShort => {}
            answer => return Ok(answer),
        }
    }
    timed(limit, over_tcp(server, query)).await
}

async fn timed(limit: Duration, answer: impl Future<Output = io::Result<Answer>>) -> io::Result<Answer> {
    timeout(limit, answer).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

/// The socket is connected, so that the kernel drops what comes from elsewhere and reports a closed port.
async fn over_udp(server: SocketAddr, query: &Query) -> io::Result<Answer> {
    let any: IpAddr = if server.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0)).await?;
    socket.connect(server).await?;
    socket.send(&query.bytes).await?;
    let mut buffer = [0; 4096];
    loop {
        let length = socket.recv(&mut buffer).await?;
        match read(buffer.get(..length).unwrap_or_default(), query) {
            Answer::Foreign => {}
            answer => return Ok(answer),
        }
    }
}

async fn over_tcp(server: SocketAddr, query: &Query) -> io::Result<Answer> {
    let mut stream = TcpStream::connect(server).await?;
    let length = u16::try_from(query.bytes.len()).map_err(io::Error::other)?;
    let mut message = length.to_be_bytes().to_vec();
    message.extend_from_slice(&query.bytes);
    stream.write_all(&message).await?;
    let mut answer = vec![0; usize::from(stream.read_u16().await?)];
    stream.read_exact(&mut answer).await?;
    Ok(read(&answer, query))
}

/// Reads a server's message; whatever it is, this does not fail.
pub fn read(message: &[u8], query: &Query) -> Answer {
    let Some(packet) = Some(message).filter(|message| holds_what_it_says(message)).and_then(|m| Packet::parse(m).ok())
    else {
        // A message that was cut short need not parse; its header says so.
        return match (message.get(..2), message.get(2)) {
            (Some(id), Some(flags)) if id == query.id.to_be_bytes() && flags & 0x82 == 0x82 => Answer::CutShort,
            _ => Answer::Foreign,
        };
    };
    let ours = packet.id() == query.id
        && packet.has_flags(PacketFlag::RESPONSE)
        && packet.questions.first().is_none_or(|question| {
            question.qname.to_string().trim_end_matches('.').eq_ignore_ascii_case(&query.name)
                && question.qtype == QTYPE::TYPE(query.record.kind())
        });
    if !ours {
        return Answer::Foreign;
    }
    if packet.has_flags(PacketFlag::TRUNCATION) {
        return Answer::CutShort;
    }
    match packet.rcode() {
        RCODE::NoError => Answer::Addresses(
            packet
                .answers
                .iter()
                .filter_map(|answer| match (&answer.rdata, query.record) {
                    (RData::A(a), Record::A) => Some(Ipv4Addr::from(a.address).into()),
                    (RData::AAAA(aaaa), Record::Aaaa) => Some(Ipv6Addr::from(aaaa.address).into()),
                    _ => None,
                })
                .collect(),
        ),
        RCODE::NameError => Answer::NoSuchName,
        code => Answer::Failed(format!("{code:?}")),
    }
}

/// Whether the message has room for as many questions and records as its header announces: the parser makes room for
/// them before it looks, nine megabytes for a header alone. A question takes five bytes at least, a record eleven
/// (RFC 1035, section 4.1).
fn holds_what_it_says(message: &[u8]) -> bool {
    let count = |at: usize| match message.get(at..at + 2) {
        Some(&[high, low]) => usize::from(u16::from_be_bytes([high, low])),
        _ => 0,
    };
    5 * count(4) + 11 * (count(6) + count(8) + count(10)) <= message.len().saturating_sub(12)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_message_of_a_server_breaks_the_reader(message in proptest::collection::vec(any::<u8>(), 0..600)) {
            let query = query("a.example", Record::A, 7).unwrap();
            let _ = read(&message, &query);
        }

        #[test]
        fn no_changed_answer_breaks_the_reader(at in 0_usize..60, byte in any::<u8>(), length in 0_usize..80) {
            let query = query("a.example", Record::A, 7).unwrap();
            let mut message = query.bytes.clone();
            message[2] |= 0x80;
            message[7] = 1;
            message.extend_from_slice(&[0xc0, 0x0c, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 127, 0, 0, 1]);
            let end = message.len();
            message[at % end] = byte;
            message.truncate(length);
            let _ = read(&message, &query);
        }
    }

    #[test]
    fn a_message_that_announces_more_than_it_holds_is_foreign_and_one_that_says_so_is_cut_short() {
        let query = query("a.example", Record::A, 7).unwrap();
        let mut message = query.bytes.clone();
        message[2] |= 0x80;
        assert_eq!(read(&message, &query), Answer::Addresses(Vec::new()));
        for at in [4, 6, 8, 10] {
            let mut more = message.clone();
            more[at] = 0xff;
            assert_eq!(read(&more, &query), Answer::Foreign);
            more[2] |= 0x02;
            assert_eq!(read(&more, &query), Answer::CutShort);
        }
    }

    #[test]
    fn a_name_that_the_dns_cannot_hold_is_not_asked() {
        for name in ["", ".", "a..b", "\u{e9}.example", &"a".repeat(64), &"a.".repeat(130)] {
            assert!(query(name, Record::A, 1).is_none(), "{name}");
        }
    }
}
