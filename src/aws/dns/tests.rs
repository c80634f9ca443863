use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use simple_dns::rdata::{A, AAAA, RData};
use simple_dns::{CLASS, Packet, PacketFlag, QTYPE, RCODE, ResourceRecord, TYPE};

use super::*;

/// What the loopback name server does with a question.
#[derive(Clone, Copy, PartialEq)]
enum Manner {
    Both,
    OnlyV4,
    DropsAaaa,
    NoSuchName,
    ServFail,
    Silent,
    CutShort,
}

/// A name server on loopback, for UDP and TCP; counts questions. It ends with the test's process.
fn server(manner: Manner) -> (SocketAddr, Arc<AtomicUsize>) {
    let tcp = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = tcp.local_addr().unwrap();
    let udp = UdpSocket::bind(address).unwrap();
    let count = Arc::new(AtomicUsize::new(0));
    let counted = count.clone();
    std::thread::spawn(move || {
        let mut buffer = [0; 512];
        while let Ok((length, from)) = udp.recv_from(&mut buffer) {
            counted.fetch_add(1, Ordering::SeqCst);
            if let Some(answer) = answer(&buffer[..length], manner, manner == Manner::CutShort) {
                udp.send_to(&answer, from).unwrap();
            }
        }
    });
    std::thread::spawn(move || {
        use std::io::{Read, Write};
        for stream in tcp.incoming() {
            let mut stream = stream.unwrap();
            let mut length = [0; 2];
            stream.read_exact(&mut length).unwrap();
            let mut question = vec![0; usize::from(u16::from_be_bytes(length))];
            stream.read_exact(&mut question).unwrap();
            let answer = answer(&question, manner, false).unwrap();
            stream.write_all(&u16::try_from(answer.len()).unwrap().to_be_bytes()).unwrap();
            stream.write_all(&answer).unwrap();
        }
    });
    (address, count)
}

fn answer(question: &[u8], manner: Manner, cut_short: bool) -> Option<Vec<u8>> {
    let packet = Packet::parse(question).unwrap();
    let asked = packet.questions[0].clone();
    let is_v6 = asked.qtype == QTYPE::TYPE(TYPE::AAAA);
    if manner == Manner::Silent || (manner == Manner::DropsAaaa && is_v6) {
        return None;
    }
    let mut reply = Packet::new_reply(packet.id());
    reply.questions.push(asked.clone());
    let records = if cut_short { 0 } else { 1 };
    match manner {
        Manner::NoSuchName => *reply.rcode_mut() = RCODE::NameError,
        Manner::ServFail => *reply.rcode_mut() = RCODE::ServerFailure,
        _ => {
            for _ in 0..records {
                let data = match is_v6 {
                    true if manner == Manner::OnlyV4 => continue,
                    true => RData::AAAA(AAAA { address: Ipv6Addr::LOCALHOST.into() }),
                    false => RData::A(A { address: Ipv4Addr::new(127, 0, 0, 9).into() }),
                };
                reply.answers.push(ResourceRecord::new(asked.qname.clone(), CLASS::IN, 60, data));
            }
        }
    }
    if cut_short {
        reply.set_flags(PacketFlag::TRUNCATION);
    }
    Some(reply.build_bytes_vec().unwrap())
}

fn config(servers: &[SocketAddr]) -> Config {
    let mut config = Config::read(String::new(), "");
    config.servers = servers.to_vec();
    config.rounds = vec![Duration::from_millis(400); 2];
    config
}

fn resolved(config: &Config, name: &str) -> Result<Vec<IpAddr>, Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(lookup(config, name, || true))
}

const V4: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 9));

#[test]
fn both_families_are_asked() {
    let (address, count) = server(Manner::Both);
    let mut found = resolved(&config(&[address]), "api.example").unwrap();
    found.sort();
    assert_eq!(found, [V4, Ipv6Addr::LOCALHOST.into()]);
    assert_eq!(count.load(Ordering::SeqCst), 2);
}

#[test]
fn a_name_with_one_family_resolves_and_so_does_one_whose_server_drops_aaaa() {
    for manner in [Manner::OnlyV4, Manner::DropsAaaa] {
        let (address, _) = server(manner);
        assert_eq!(resolved(&config(&[address]), "api.example"), Ok(vec![V4]));
    }
}

#[test]
fn a_host_without_ipv6_does_not_wait_for_aaaa() {
    assert_eq!((aaaa_delay(false), aaaa_delay(true)), (Duration::ZERO, Duration::from_millis(50)));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (address, _) = server(Manner::DropsAaaa);
    assert_eq!(runtime.block_on(lookup(&config(&[address]), "api.example", || false)), Ok(vec![V4]));
}

#[test]
fn an_answer_cut_short_is_asked_for_again_over_tcp() {
    let (address, _) = server(Manner::CutShort);
    assert!(resolved(&config(&[address]), "api.example").unwrap().contains(&V4));
}

#[test]
fn a_dead_or_failing_server_is_passed_over() {
    let (good, _) = server(Manner::OnlyV4);
    let closed = {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.local_addr().unwrap()
    };
    for bad in [server(Manner::Silent).0, server(Manner::ServFail).0, closed] {
        assert_eq!(resolved(&config(&[bad, good]), "api.example"), Ok(vec![V4]));
    }
}

#[test]
fn failures_say_which_server_and_why() {
    let (silent, count) = server(Manner::Silent);
    assert_eq!(resolved(&config(&[silent]), "api.example"), Err(Error::NoAnswer("127.0.0.1".into())));
    assert_eq!(count.load(Ordering::SeqCst), 4, "two families, two rounds");
    let (failing, _) = server(Manner::ServFail);
    assert_eq!(
        resolved(&config(&[failing]), "api.example"),
        Err(Error::Failed("127.0.0.1".into(), "ServerFailure".into()))
    );
    let (address, _) = server(Manner::NoSuchName);
    assert_eq!(resolved(&config(&[address]), "api.example"), Err(Error::NoSuchName));
}

#[test]
fn the_hosts_file_comes_first_and_localhost_never_leaves_the_host() {
    let (address, count) = server(Manner::Both);
    let mut config = config(&[address]);
    config.hosts = "# comment\n127.0.0.7 Api.Example other # x\nfe80::bad:::1 api.example\n".into();
    assert_eq!(resolved(&config, "api.example"), Ok(vec![IpAddr::from([127, 0, 0, 7])]));
    let local: Vec<IpAddr> = vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
    assert_eq!(resolved(&config, "localhost"), Ok(local.clone()));
    assert_eq!(resolved(&config, "x.LocalHost."), Ok(local));
    assert_eq!(count.load(Ordering::SeqCst), 0);
}

#[test]
fn resolv_conf_is_read_leniently() {
    let text = "; c\nnameserver 10.0.0.1\nnameserver nonsense\nnameserver ::1\nnameserver fe80::1%3\nnameserver 10.0.0.9\n\
                domain a\nsearch corp.example. b.example\noptions timeout:3 attempts:1 edns0 use-vc\nweird line\n";
    let config = Config::read(String::new(), text);
    let servers: Vec<_> = config.servers.iter().map(ToString::to_string).collect();
    assert_eq!(servers, ["10.0.0.1:53", "[::1]:53", "[fe80::1%3]:53"]);
    assert_eq!(config.search, ["corp.example", "b.example"]);
    assert_eq!(config.rounds, [Duration::from_secs(3)]);
    assert!(config.tcp_only);
    let empty = Config::read(String::new(), "");
    assert_eq!(empty.servers, [(Ipv4Addr::LOCALHOST, 53).into()]);
}

#[test]
fn complete_names_are_asked_before_the_search_list_is_tried() {
    let config = Config::read(String::new(), "search corp.example\noptions ndots:5\n");
    assert_eq!(config.candidates("api.aws"), ["api.aws", "api.aws.corp.example"]);
    assert_eq!(config.candidates("proxy"), ["proxy.corp.example", "proxy"]);
    assert_eq!(config.candidates("api.aws."), ["api.aws"]);
}
