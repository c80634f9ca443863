//! Networks that are broken in ways that loopback is not: in a network and mount namespace of the test's own.
//!
//! Each test runs itself again inside `unshare -n -m`; where that is not allowed (not root), it says so and is
//! skipped, but in CI.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::support::ecr_call::Call;
use crate::support::name_server::NameServer;
use crate::support::raw_server::{Server, raw, serve, token};

const INSIDE: &str = "NETWORK_TEST_INSIDE";

fn inside(name: &str, script: &str) -> bool {
    alone(&format!("network::namespace::{name}"), script)
}

/// Runs the test `name` again in a namespace that `script` has prepared; true inside, where the test is to go on.
pub fn alone(name: &str, script: &str) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        return true;
    }
    let possible = Command::new("unshare").args(["-n", "-m", "ip", "link", "set", "lo", "up"]).output();
    if !possible.is_ok_and(|output| output.status.success()) {
        println!("skipped {name}: unshare -n -m and ip are not there or not allowed (they want root)");
        assert!(std::env::var_os("CI").is_none_or(|ci| ci.is_empty()), "CI has them");
        return false;
    }
    let directory = tempfile::tempdir().unwrap();
    let prepare = "set -e; ip link set lo up; mount -t tmpfs tmpfs \"$2\"; cd \"$2\"; \
                   echo 'nameserver 127.0.0.1' > resolv.conf; echo '127.0.0.1 localhost' > hosts; \
                   mount --bind resolv.conf /etc/resolv.conf; mount --bind hosts /etc/hosts;";
    let output = Command::new("unshare")
        .args(["-n", "-m", "sh", "-c", &format!("{prepare} {script} exec \"$0\" --exact \"$1\" --nocapture")])
        .arg(std::env::current_exe().unwrap())
        .arg(name)
        .arg(directory.path())
        .env(INSIDE, "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
    // What the test has to show.
    said.lines().filter(|line| line.contains(" | ")).for_each(|line| println!("{line}"));
    false
}

/// A name server on port 53: these addresses for every name.
fn name_server(v4: &[Ipv4Addr], v6: &[Ipv6Addr]) {
    let all: Vec<IpAddr> = v4.iter().copied().map(IpAddr::V4).chain(v6.iter().copied().map(IpAddr::V6)).collect();
    NameServer::start((Ipv4Addr::LOCALHOST, 53).into(), move |_| Some(all.clone())).unwrap();
}

fn ecr(on: &str) -> Server {
    raw(on, |stream, seen| serve(stream, seen, &|_, _| token()))
}

#[test]
fn a_name_is_asked_of_the_name_server() {
    if inside("a_name_is_asked_of_the_name_server", "") {
        name_server(&[Ipv4Addr::new(127, 0, 0, 5)], &[]);
        let server = ecr("127.0.0.5:0");
        let endpoint = format!("http://ecr.test:{}", server.address.port());
        assert_eq!(Call::to(&endpoint).password(), "the-password");
    }
}

#[test]
fn a_host_with_ipv6_alone_works() {
    if inside("a_host_with_ipv6_alone_works", "ip addr del 127.0.0.1/8 dev lo;") {
        std::fs::write("/etc/hosts", "::1 ecr.test\n").unwrap();
        let server = ecr("[::1]:0");
        assert_eq!(Call::to(&format!("http://ecr.test:{}", server.address.port())).password(), "the-password");
        assert_eq!(Call::to(&format!("http://[::1]:{}", server.address.port())).password(), "the-password");
    }
}

/// A cable whose other end drops what it gets, since nobody there has that hardware address.
pub const CABLE: &str = "ip link add d0 type veth peer name d1; ip link set d0 up; ip link set d1 up; \
                     ip addr add 10.9.0.1/24 dev d0; ip -6 addr add 2001:db8::1/64 dev d0 nodad; \
                     ip neigh add 10.9.0.9 lladdr 02:00:00:00:00:09 dev d0; \
                     ip -6 neigh add 2001:db8::9 lladdr 02:00:00:00:00:09 dev d0;";

#[test]
fn a_broken_ipv6_falls_back_to_ipv4() {
    if inside("a_broken_ipv6_falls_back_to_ipv4", CABLE) {
        name_server(&[Ipv4Addr::new(127, 0, 0, 5)], &[Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 9)]);
        let server = ecr("127.0.0.5:0");
        let start = Instant::now();
        assert_eq!(Call::to(&format!("http://ecr.test:{}", server.address.port())).password(), "the-password");
        assert!(start.elapsed() < Duration::from_secs(3), "before IPv6 gave up");
    }
}

#[test]
fn a_host_without_ipv6_does_not_wait_for_it() {
    if inside("a_host_without_ipv6_does_not_wait_for_it", "") {
        name_server(&[Ipv4Addr::new(127, 0, 0, 5)], &[Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 9)]);
        let server = ecr("127.0.0.5:0");
        assert_eq!(Call::to(&format!("http://ecr.test:{}", server.address.port())).password(), "the-password");
    }
}

#[test]
fn packets_that_vanish_end_at_the_connect_timeout_or_the_deadline() {
    if inside("packets_that_vanish_end_at_the_connect_timeout_or_the_deadline", CABLE) {
        let call = Call::to("http://10.9.0.9");
        let words = ["cannot connect to 10.9.0.9: no answer within 3 s", "a firewall"];
        let took = call.within(Duration::from_secs(14)).fails_after(&words);
        assert!(took < Duration::from_secs(14), "{took:?}");
        let took =
            Call::to("http://10.9.0.9").within(Duration::from_secs(2)).fails_after(&["no connection came about"]);
        assert!(took < Duration::from_secs(4), "{took:?}");
    }
}

#[test]
fn no_route_is_reported_at_once() {
    if inside("no_route_is_reported_at_once", "") {
        let took = Call::to("http://10.9.0.9").fails_after(&["cannot connect to 10.9.0.9", "unreachable"]);
        assert!(took < Duration::from_secs(3), "{took:?}");
    }
}

#[test]
fn a_silent_name_server_does_not_outlive_the_deadline() {
    if inside("a_silent_name_server_does_not_outlive_the_deadline", "") {
        let _silent = UdpSocket::bind("127.0.0.1:53").unwrap();
        let call = Call::to("https://ecr.test").within(Duration::from_secs(2));
        let took = call.fails_after(&[
            "ECR did not answer within 2 s: the DNS servers did not answer",
            "asking ecr.test",
            "resolv.conf",
        ]);
        assert!(took < Duration::from_secs(4), "{took:?}");
    }
}

#[test]
fn a_missing_name_server_and_an_invalid_name_are_reported() {
    if inside("a_missing_name_server_and_an_invalid_name_are_reported", "") {
        Call::to("https://ecr.test").fails(&["the name ecr.test does not resolve", "127.0.0.1", "refused"]);
        name_server(&[], &[]);
        Call::to("https://ecr.test").fails(&["the name ecr.test does not resolve: it has no address"]);
    }
}
