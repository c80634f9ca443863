//! Network namespaces that come one after the other, each with a metadata service and an agent of its own: the kernel gives
//! the number of one that is gone to the next.
//!
//! The test runs itself again inside `unshare -n`; where that is not allowed (not root), it says so and is skipped, but in CI.

use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Command;

use crate::support::cache::entries;
use crate::support::{FakeAws, Helper, REGISTRY, Service, strace};

/// Names the cache that all namespaces share.
const INSIDE: &str = "NAMESPACES_TEST_CACHE";
/// The same address in each namespace, as 169.254.169.254 is.
const PORT: u16 = 4_711;

/// Runs the test `name` in a network namespace of its own; what it prints.
fn in_a_new_namespace(name: &str, cache: &Path) -> Option<String> {
    let output = Command::new("unshare")
        .args(["-n", "sh", "-c", "ip link set lo up && exec \"$0\" --exact \"$1\" --nocapture"])
        .arg(std::env::current_exe().unwrap())
        .arg(format!("namespaces::{name}"))
        .env(INSIDE, cache)
        .output()
        .ok()?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    if said.contains("Operation not permitted") || said.contains("ip: not found") {
        println!("skipped {name}: unshare -n and ip are not there or not allowed (they want root)");
        assert!(std::env::var_os("CI").is_none_or(|ci| ci.is_empty()), "CI has them");
        return None;
    }
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
    Some(said)
}

/// Inside: the service is asked by the first call and not by the second.
fn asks_its_own(service: Service, helper: impl Fn(&FakeAws) -> Helper) {
    let aws = FakeAws::at((Ipv4Addr::LOCALHOST, PORT).into(), None);
    let helper = helper(&aws).env("AWS_ECR_CACHE_DIR", std::env::var_os(INSIDE).unwrap());
    helper.get(REGISTRY).token();
    let asked = aws.calls(service);
    assert!(asked > 0, "another namespace's token was served");
    helper.get(REGISTRY).token();
    assert_eq!((aws.calls(service), aws.calls(Service::Ecr)), (asked, 1), "its own token is not cached");
    println!("namespace {}", std::fs::read_link("/proc/self/ns/net").unwrap().display());
}

fn one_after_the_other(name: &str) {
    let cache = tempfile::tempdir().unwrap();
    let said: Vec<String> = (0..8).map_while(|_| in_a_new_namespace(name, cache.path())).collect();
    for line in said.iter().flat_map(|said| said.lines()).filter(|line| line.starts_with("namespace ")) {
        println!("{line}");
    }
}

#[test]
fn an_instance_s_token_is_never_another_namespaces() {
    if std::env::var_os(INSIDE).is_some() {
        return asks_its_own(Service::Imds, |aws| Helper::new().aws(aws).imds(aws));
    }
    one_after_the_other("an_instance_s_token_is_never_another_namespaces");
}

#[test]
fn a_container_s_token_is_never_another_namespaces() {
    if std::env::var_os(INSIDE).is_some() {
        let uri = "AWS_CONTAINER_CREDENTIALS_FULL_URI";
        return asks_its_own(Service::Container, |aws| {
            Helper::new().aws(aws).env(uri, format!("{}/v1/credentials", aws.url()))
        });
    }
    one_after_the_other("a_container_s_token_is_never_another_namespaces");
}

/// Linux before 5.14 has no cookie: `getsockopt` then fails so.
#[test]
fn without_the_kernel_s_cookie_nothing_of_an_instance_is_cached() {
    if !strace::has_strace() {
        return;
    }
    let aws = FakeAws::start();
    let helper = Helper::new().aws(&aws).imds(&aws);
    for calls in [1, 2] {
        // The first call of it is ours; the others are about connections.
        let outcome = strace::injected(&helper, ["get"], REGISTRY, "getsockopt:error=ENOPROTOOPT:when=1");
        outcome.token();
        assert_eq!(aws.calls(Service::Ecr), calls);
        assert!(entries(&helper).is_empty());
    }
}
