//! How much is really read of an answer without end: strace counts the bytes that the helper takes from its sockets.

use std::time::Duration;

use super::run;
use super::services::Asked;
use crate::support::strace;
use crate::support::{Certificate, FakeAws, Fault, Running};

/// The bounds that docs/network.md and docs/reliability.md state.
const LARGEST_HEAD: usize = 64 << 10;
const LARGEST_BODY: usize = 1 << 20;

/// What passes the bound is found in a buffer of this size, read at once.
const ONE_READ: usize = 64 << 10;

/// What else comes on sockets: the handshake with its certificates, and requests that are answered well.
const ASIDE: usize = 32 << 10;

/// The bytes that calls of a trace took from sockets.
fn taken(trace: &str) -> usize {
    let of_sockets = trace.lines().filter(|line| line.contains("<TCP") || line.contains("<socket:"));
    of_sockets
        .map(|line| {
            assert!(!line.contains("unfinished"), "a second thread reads: {line}");
            let taken = line.rsplit_once(" = ").unwrap().1;
            taken.split(' ').next().unwrap().parse::<usize>().unwrap_or(0)
        })
        .sum()
}

/// Asks who answers without end, and gives back how many bytes were taken of it.
fn read_of(asked: Asked, fault: &Fault) -> usize {
    let aws = FakeAws::over_tls(Certificate::Good);
    let server = aws.host_of_its_own(asked.is_secure().then_some(Certificate::Good));
    asked.answer(&aws, fault.clone());
    let helper = asked.helper(&aws, &server.url()).env("ECR_LOGIN_TIMEOUT", "60");
    let trace = tempfile::NamedTempFile::new().unwrap();
    let calls = "trace=read,readv,recvfrom,recvmsg,pread64";
    let options = ["-f", "-y", "-s", "0", "-o", trace.path().to_str().unwrap(), "-e", "signal=none", "-e", calls];
    let outcome = Running::start(strace::command(&helper, &options, ["get"]), asked.registry().as_bytes()).wait();
    assert!(
        outcome.failure().contains("too large") || matches!(asked, Asked::Proxy | Asked::ProxyByRole),
        "{asked:?}, {fault:?}: {outcome:?}"
    );
    assert!(outcome.duration < Duration::from_secs(60), "{asked:?}, {fault:?}: {outcome:?}");
    taken(&std::fs::read_to_string(trace.path()).unwrap())
}

#[test]
fn an_endless_answer_is_read_up_to_the_bound_alone() {
    if !strace::has_strace() {
        return;
    }
    let faults = [
        (Fault::EndlessHeader, "endless header", LARGEST_HEAD + ONE_READ),
        (Fault::HugeBody, "a gigabyte", LARGEST_BODY + ONE_READ),
        (Fault::EndlessChunks, "endless chunks", LARGEST_BODY + ONE_READ),
    ];
    let jobs: Vec<_> = faults.iter().flat_map(|fault| Asked::ALL.map(|asked| (asked, fault))).collect();
    run(&jobs, |(asked, (fault, name, most))| {
        let read = read_of(*asked, fault);
        assert!(read <= most + ASIDE, "{asked:?}, {name}: {read} bytes were read");
        format!("{:<12}| {name:<26}| {read:>9} bytes read", format!("{asked:?}"))
    });
}
