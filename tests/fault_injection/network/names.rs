//! Names that do not resolve and packets that vanish, for every service, in a network of the test's own.

use std::io::Read;
use std::net::{TcpListener, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::namespace::{CABLE, alone};
use super::services::Asked;
use super::{LIMIT, What, check, run};
use crate::support::{Certificate, FakeAws};

/// What the name server does to every question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum NameFault {
    NoSuchName,
    ServerFailure,
    Silence,
    WrongId,
    Garbage,
    /// Cut short; over TCP nobody listens.
    CutShort,
    /// Cut short; over TCP no answer comes.
    CutShortForEver,
}

const FAULTS: [(NameFault, &str, bool); 7] = [
    (NameFault::NoSuchName, "the name trouble.example does not resolve: there is no such name", false),
    (
        NameFault::ServerFailure,
        "trouble.example does not resolve: the DNS server 127.0.0.1 answered ServerFailure",
        false,
    ),
    (NameFault::Silence, "the DNS servers did not answer", true),
    (NameFault::WrongId, "the DNS servers did not answer", true),
    (NameFault::Garbage, "the DNS servers did not answer", true),
    (NameFault::CutShort, "the DNS server 127.0.0.1 answered nothing: Connection refused", false),
    (NameFault::CutShortForEver, "the DNS servers did not answer", true),
];

/// Whose names differ: the later requests of instance metadata go to a host that is connected already.
const ASKED: [Asked; 9] = [
    Asked::Ecr,
    Asked::EcrPublic,
    Asked::AssumeRole,
    Asked::WebIdentity,
    Asked::SsoPortal,
    Asked::SsoOidc,
    Asked::ImdsToken,
    Asked::Container,
    Asked::Proxy,
];

/// A name server on port 53 whose fault is the one of this number.
fn name_server(fault: &Arc<AtomicUsize>) {
    let socket = UdpSocket::bind("127.0.0.1:53").unwrap();
    let fault = Arc::clone(fault);
    std::thread::spawn(move || {
        let mut buffer = [0; 512];
        while let Ok((length, from)) = socket.recv_from(&mut buffer) {
            let mut answer = buffer[..length].to_vec();
            // The flags of an answer, and in their last four bits what kind.
            answer[2] |= 0x80;
            match FAULTS[fault.load(Ordering::SeqCst)].0 {
                NameFault::NoSuchName => answer[3] |= 3,
                NameFault::ServerFailure => answer[3] |= 2,
                NameFault::Silence => continue,
                NameFault::WrongId => answer[0] ^= 0x55,
                NameFault::Garbage => answer = b"\xff\xffnothing".to_vec(),
                NameFault::CutShort | NameFault::CutShortForEver => answer[2] |= 0x02,
            }
            socket.send_to(&answer, from).unwrap();
        }
    });
}

fn ask(asked: Asked, url: &str, what: &What<'_>, host: &str) -> String {
    let aws = FakeAws::over_tls(Certificate::Good);
    let helper = asked.helper(&aws, url).env("ECR_LOGIN_TIMEOUT", what.limit.as_secs().to_string());
    let outcome = helper.get(asked.registry());
    let line = check(asked, what, &[host], &outcome);
    let (of_instance, of_proxy) = ("so this is no EC2 instance (", "the proxy");
    assert!(!asked.is_imds() || outcome.stderr.contains(of_instance), "{outcome:?}");
    assert!(asked != Asked::Proxy || outcome.stderr.contains(of_proxy), "{outcome:?}");
    line
}

#[test]
fn a_name_that_does_not_resolve_is_reported_for_every_service_in_time() {
    if !alone("network::names::a_name_that_does_not_resolve_is_reported_for_every_service_in_time", "") {
        return;
    }
    let current = Arc::new(AtomicUsize::new(0));
    name_server(&current);
    for (number, (fault, words, late)) in FAULTS.into_iter().enumerate() {
        current.store(number, Ordering::SeqCst);
        let silent = (fault == NameFault::CutShortForEver).then(|| TcpListener::bind("127.0.0.1:53").unwrap());
        if let Some(silent) = silent {
            // Accepts, reads and says nothing; the last of the faults, so that it may go on.
            std::thread::spawn(move || {
                let mut open = Vec::new();
                while let Ok((mut stream, _)) = silent.accept() {
                    let _ = stream.read(&mut [0; 64]);
                    open.push(stream);
                }
            });
        }
        // A server that says no is asked three times in three rounds.
        let limit = if late { LIMIT } else { 5 * LIMIT };
        let what = What { fault: &format!("name: {fault:?}"), limit, late, words };
        run(&ASKED, |asked| ask(*asked, "https://trouble.example", &what, "trouble.example"));
    }
}

#[test]
fn lost_packets_are_reported_for_every_service_in_time() {
    if !alone("network::names::lost_packets_are_reported_for_every_service_in_time", CABLE) {
        return;
    }
    // Those next door have a second to connect, which is this call's deadline too: who is first says it.
    let words = |asked: Asked| match asked {
        Asked::Container | Asked::ImdsToken => "10.9.0.9",
        _ => "no connection came about",
    };
    run(&ASKED, |asked| {
        let what = What { fault: "packets vanish", limit: LIMIT, late: true, words: words(*asked) };
        ask(*asked, "https://10.9.0.9", &what, "10.9.0.9")
    });
}
