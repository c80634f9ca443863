//! What name servers answer, and the two files that name the servers. An input that begins with a letter is a
//! `resolv.conf` and, behind an empty line, a hosts file; in any other the first byte chooses the question, and the
//! rest is a message.

use std::net::IpAddr;
use std::time::Duration;

use ecr_login::aws::dns::config::Config;
use ecr_login::aws::dns::exchange::{Answer, Record, query, read};

use super::memory;

const NAME: &str = "api.ecr.eu-west-1.amazonaws.com";

pub fn check(input: &[u8]) {
    match input.split_first() {
        Some((first, _)) if first.is_ascii_alphabetic() => check_files(&String::from_utf8_lossy(input)),
        Some((first, message)) => check_message(if first % 2 == 0 { Record::A } else { Record::Aaaa }, message),
        None => {}
    }
}

fn check_message(record: Record, message: &[u8]) {
    const ID: u16 = 0x0102;
    let question = query(NAME, record, ID).unwrap();
    let answer = memory::bounded(message.len(), (4096, 128), || read(message, &question));
    if answer == Answer::Foreign {
        return;
    }
    assert_eq!(message[..2], ID.to_be_bytes(), "an answer to another question");
    assert_eq!(message[2] & 0x80, 0x80, "a question");
    match answer {
        Answer::Addresses(found) => {
            assert!(found.iter().all(|address| address.is_ipv4() == (record == Record::A)));
            assert!(found.len() <= message.len() / 10, "{} addresses in {} bytes", found.len(), message.len());
            assert_eq!((message[2] & 0x02, message[3] & 0x0f), (0, 0));
        }
        Answer::CutShort => assert_eq!(message[2] & 0x02, 0x02),
        Answer::NoSuchName => assert_eq!(message[3] & 0x0f, 3),
        Answer::Failed(code) => assert!(!code.is_empty() && code.bytes().all(|byte| byte.is_ascii_graphic()), "{code}"),
        Answer::Foreign => {}
    }
}

fn check_files(text: &str) {
    let (resolv_conf, hosts) = text.split_once("\n\n").unwrap_or((text, ""));
    let config = memory::bounded(text.len(), (8192, 16), || Config::read(hosts.to_owned(), resolv_conf));
    assert!((1..=3).contains(&config.servers.len()) && config.search.len() <= 6, "{config:?}");
    let longest: Duration = config.rounds.iter().sum();
    assert!((1..=5).contains(&config.rounds.len()) && longest <= Duration::from_secs(150), "{config:?}");
    assert!(config.servers.iter().all(|server| server.port() == 53));
    for name in [NAME, "proxy", "a.b."] {
        let candidates = config.candidates(name);
        assert!(!candidates.is_empty() && candidates.len() <= 7);
        assert!(candidates.iter().any(|candidate| candidate == name.trim_end_matches('.')), "{candidates:?}");
        let found = config.hosts(name);
        let stands = |address: &IpAddr| {
            hosts.lines().any(|line| {
                let mut words = line.split('#').next().unwrap_or_default().split_whitespace();
                words.next().and_then(|word| word.parse().ok()) == Some(*address)
                    && words.any(|word| word.trim_end_matches('.').eq_ignore_ascii_case(name.trim_end_matches('.')))
            })
        };
        assert!(found.iter().all(stands), "{found:?}");
        for candidate in candidates {
            // What cannot be asked is no name; what can has its bytes.
            if let Some(question) = query(&candidate, Record::A, 1) {
                assert!(question.bytes.len() <= 512);
            }
        }
    }
}
