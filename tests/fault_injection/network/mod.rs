//! Every fault of every service that a `get` may have to ask: what is said, how soon, after how many tries and bytes.
//!
//! The quick form leaves a margin for a machine that is busy. `NETWORK_TABLE=exact` runs one call at a time, holds each
//! to its deadline and 200 ms, and prints the table.

mod commands;
mod cut_off;
mod faults;
mod names;
mod namespace;
mod services;

use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::support::{Certificate, FakeAws, Fault, Outcome, Service};
use rustix::net::{AddressFamily, SocketType};

use faults::{How, Row};
use services::Asked;

/// Every call's deadline, where nothing else is said.
const LIMIT: Duration = Duration::from_secs(1);

/// What a call may take beyond its deadline.
const OVER: Duration = Duration::from_millis(200);

/// What is allowed besides where other tests run at the same time.
const BUSY: Duration = Duration::from_secs(5);

/// Most of what a server could send lies in the sockets' buffers.
const MOST_SENT: usize = 64 << 20;

fn exact() -> bool {
    std::env::var("NETWORK_TABLE").is_ok_and(|form| form == "exact")
}

/// Runs all jobs, some at a time, and prints what they come to.
fn run<T: Sync>(jobs: &[T], one: impl Fn(&T) -> String + Sync) {
    // One table at a time: on a machine that does too much at once nothing ends before its deadline.
    static ALONE: Mutex<()> = Mutex::new(());
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let (next, lines) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let workers = if exact() { 1 } else { 8 };
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while let Some((number, job)) =
                    Some(next.fetch_add(1, Ordering::SeqCst)).and_then(|n| Some((n, jobs.get(n)?)))
                {
                    let line = one(job);
                    lines.lock().unwrap().push((number, line));
                }
            });
        }
    });
    let mut lines = lines.into_inner().unwrap();
    lines.sort();
    for (_, line) in lines {
        println!("{line}");
    }
}

/// What a call met, and what must come of it.
#[derive(Clone, Copy)]
struct What<'a> {
    fault: &'a str,
    /// The deadline.
    limit: Duration,
    /// Whether nothing ends it but the deadline.
    late: bool,
    words: &'a str,
}

/// Holds a call against what is promised of every failure; its line for the table.
fn check(asked: Asked, what: &What<'_>, hosts: &[&str], outcome: &Outcome) -> String {
    let What { fault, limit, late, words } = *what;
    let line = outcome.failure();
    let shown = format!("{asked:?}, {fault}: {line}");
    assert!(line.starts_with(&format!("docker-credential-ecr-login: {}: ", asked.registry())), "{shown}");
    assert!(line.contains(words), "{words:?} is not in {shown}");
    assert!(hosts.iter().any(|host| line.contains(host)), "no host in {shown}");
    let (who, what_to_do) = (format!(", as {}", asked.source().label()), line.rsplit_once("; "));
    assert!(line.contains(&who) || line.contains("no AWS credentials found"), "nobody in {shown}");
    assert!(what_to_do.is_some_and(|(_, remedy)| remedy.len() > 15), "no remedy in {shown}");
    assert!(line.len() < 900 && !line.contains(char::is_control), "{shown}");
    for secret in ["hunter2", "eyJ", "fake-imds", "secret-of"] {
        assert!(!line.contains(secret), "{shown}");
    }
    // A proxy is never between us and those next door.
    if asked.is_imds() || asked == Asked::Container {
        assert!(!line.contains("HTTPS_PROXY") && !line.contains("AWS_ENDPOINT_URL"), "{shown}");
    }
    let most = limit + OVER + if exact() { Duration::ZERO } else { BUSY };
    assert!(outcome.duration <= most, "{:?}: {shown}", outcome.duration);
    assert!(!late || outcome.duration >= limit - Duration::from_millis(20), "{:?}: {shown}", outcome.duration);
    let what = line.split_once(asked.registry()).map_or(line, |(_, what)| what.trim_start_matches([':', ' ']));
    let what = what.rsplit_once("_FULL_URI is set; ").map_or(what, |(_, last)| last);
    let what = what.split(", asking ").next().unwrap_or(what);
    format!("{:<12}| {fault:<26}| {:>5} ms | {what}", format!("{asked:?}"), outcome.duration.as_millis())
}

/// A port that refuses connections for as long as the socket is there: bound, so that nobody else gets it, and without a
/// listener.
fn closed_port() -> (OwnedFd, SocketAddr) {
    let socket = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    rustix::net::bind(&socket, &SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
    let address = rustix::net::getsockname(&socket).unwrap().try_into().unwrap();
    (socket, address)
}

/// One call with one fault.
fn trouble(asked: Asked, row: &Row, words: &str) -> String {
    let aws = FakeAws::over_tls(Certificate::Good);
    let elsewhere = aws.host_of_its_own(None);
    let certificate = match &row.how {
        How::Certificate(certificate) => Some(*certificate),
        How::Answer(_) | How::Redirect if !asked.is_secure() => None,
        _ => Some(Certificate::Good),
    };
    let server = aws.host_of_its_own(certificate);
    let (mut url, mut host) = (server.url(), server.host());
    let closed = closed_port();
    match &row.how {
        How::Refused => {
            host = closed.1.to_string();
            url = format!("https://{host}");
        }
        How::Opening(opening) => server.open(*opening),
        How::Certificate(_) => {}
        How::Answer(fault) => asked.answer(&aws, fault.clone()),
        How::Redirect => asked.answer(&aws, Fault::Redirect(elsewhere.url() + "/x?session=hunter2")),
    }
    let helper = asked.helper(&aws, &url).env("ECR_LOGIN_TIMEOUT", LIMIT.as_secs().to_string());
    let outcome = helper.get(asked.registry());
    let words = words.replace("SERVICE", asked.name()).replace("HOST", &host);
    let what = What { fault: row.fault, limit: LIMIT, late: row.late, words: &words };
    let line = check(asked, &what, &[&host], &outcome);
    assert_eq!(server.connections(), row.connections(asked), "{line}");
    assert!(server.written() < MOST_SENT, "{} bytes: {line}", server.written());
    assert_eq!(elsewhere.connections(), 0, "{line}");
    if asked.service() != Service::Ecr {
        assert_eq!(aws.calls(Service::Ecr), 0, "{line}");
    }
    line
}

fn table(rows: &[Row]) {
    let jobs: Vec<_> = rows
        .iter()
        .flat_map(|row| Asked::ALL.into_iter().filter_map(move |asked| Some((asked, row, row.words(asked)?))))
        .collect();
    run(&jobs, |(asked, row, words)| trouble(*asked, row, words));
}

#[test]
fn a_refused_connection_or_certificate_is_reported_for_every_service_in_time() {
    table(&faults::on_the_way());
}

#[test]
fn an_answer_that_does_not_begin_is_reported_for_every_service_in_time() {
    table(&faults::in_the_head());
}

#[test]
fn a_malformed_answer_is_reported_for_every_service_in_time_and_within_bounds() {
    table(&faults::in_the_body());
}

#[test]
fn who_has_a_limit_of_its_own_is_left_at_that() {
    let limits = [(Asked::EcrPublic, 3), (Asked::ImdsToken, 1), (Asked::ImdsKeys, 1), (Asked::Container, 5)];
    run(&limits, |(asked, limit)| {
        let aws = FakeAws::start();
        asked.answer(&aws, Fault::Hang);
        let outcome = asked.helper(&aws, &aws.url()).env("ECR_LOGIN_TIMEOUT", "60").get(asked.registry());
        let line = outcome.failure();
        // More time for the whole call would not help, and is not what is said to.
        assert!(!line.contains("ECR_LOGIN_TIMEOUT"), "{line}");
        let most = Duration::from_secs(*limit) + OVER + if exact() { Duration::ZERO } else { BUSY };
        assert!(outcome.duration < most, "{outcome:?}");
        format!("{asked:?} | hang, with a deadline of 60 s | {} ms", outcome.duration.as_millis())
    });
}
