//! A warm `get` starts nothing: no socket, no thread, no child, and it lists no directory. A cold one loads the
//! certificates once.

use std::collections::BTreeMap;

use crate::support::hosts::{Hosts, NEEDED};
use crate::support::strace;
use crate::support::{FakeAws, Helper, REGISTRY, Running, Service};

/// Runs a `get` under strace; `None` where there is no strace. Each line is one system call.
fn traced(helper: &Helper) -> Option<Vec<String>> {
    if !strace::has_strace() {
        return None;
    }
    let log = helper.home().join("strace.log");
    let command = strace::command(helper, &["-f", "-o", log.to_str().unwrap()], ["get"]);
    Running::start(command, REGISTRY.as_bytes()).wait().token();
    let text = std::fs::read_to_string(log).unwrap();
    // `PID call(...) = result`
    Some(text.lines().filter_map(|line| Some(line.split_once(char::is_whitespace)?.1.trim().to_owned())).collect())
}

#[test]
fn a_warm_get_has_no_socket_no_thread_no_child_and_a_handful_of_calls_in_the_cache() {
    let aws = FakeAws::start();
    let helper = Helper::new().aws(&aws).keys("AKIAEXAMPLE");
    helper.get(REGISTRY).token();
    let Some(calls) = traced(&helper) else { return };
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for call in &calls {
        *counts.entry(call.split('(').next().unwrap_or_default()).or_default() += 1;
    }
    println!("{} system calls: {counts:?}", calls.len());
    let never = ["socket", "connect", "clone", "clone3", "fork", "vfork", "getdents64", "flock", "rename", "renameat"];
    for never in never.into_iter().chain(["unlink", "unlinkat", "mkdir", "mkdirat", "fsync", "epoll_create1"]) {
        assert_eq!(counts.get(never), None, "{never}: {calls:#?}");
    }
    let in_cache = calls.iter().filter(|call| call.contains("ecr-login\"") || call.contains(REGISTRY)).count();
    assert!(in_cache <= 3, "open the directory, open the entry, write the answer: {calls:#?}");
    assert_eq!(aws.calls(Service::Ecr), 1);
}

#[test]
fn a_warm_get_makes_the_same_calls_with_a_thousand_entries() {
    let aws = FakeAws::start();
    let helper = Helper::new().aws(&aws).keys("AKIAEXAMPLE");
    helper.get(REGISTRY).token();
    let Some(with_one) = traced(&helper) else { return };
    let name = crate::support::cache::names(&helper.cache()).into_iter().find(|name| name.ends_with(REGISTRY)).unwrap();
    for number in 0..1_000_u64 {
        let host = format!("{}.dkr.ecr.eu-west-1.amazonaws.com", 100_000_000_000 + number);
        let from = helper.cache().join(&name);
        std::fs::copy(from, helper.cache().join(name.replace(REGISTRY, &host))).unwrap();
    }
    let with_all = traced(&helper).unwrap();
    assert_eq!(with_one.len(), with_all.len());
}

#[test]
fn certificates_are_read_once_whoever_is_asked_and_no_name_is_resolved_that_needs_none() {
    if !strace::has_strace() {
        return;
    }
    for (source, needed) in NEEDED {
        let hosts = Hosts::new();
        let helper = hosts.helper(source);
        let log = helper.home().join("strace");
        let options = ["-f", "-s", "200", "-e", "trace=openat,connect", "-o", log.to_str().unwrap()];
        Running::start(strace::command(&helper, &options, ["get"]), REGISTRY.as_bytes()).wait().token();
        let trace = std::fs::read_to_string(log).unwrap();
        let count = |word: &str| trace.lines().filter(|line| line.contains(word)).count();
        assert_eq!(count("fake-aws-ca.pem"), 1, "{source:?}: {trace}");
        let mut distinct: Vec<_> = needed.iter().map(|service| hosts.of(*service).port()).collect();
        distinct.dedup();
        assert_eq!(count("connect("), distinct.len() + 1, "{source:?}: {trace}");
        assert_eq!(count("resolv.conf") + count("/etc/hosts"), 0, "{source:?}: {trace}");
    }
}

/// How often the AWS files are opened in a first `get` of this profile, and how many calls STS gets.
fn opened(profile: &str) -> (Vec<usize>, usize) {
    let aws = FakeAws::start();
    let helper = Helper::new().aws(&aws).env("AWS_PROFILE", profile).aws_config(
        "[profile first]\nrole_arn = arn:aws:iam::123456789012:role/one\nsource_profile = base\n\
         [profile second]\nrole_arn = arn:aws:iam::123456789012:role/two\nsource_profile = first\n",
    );
    helper.write(".aws/credentials", "[base]\naws_access_key_id = AKIABASE\naws_secret_access_key = s\n");
    let calls = traced(&helper).unwrap();
    let of = |file: &str| {
        let path = format!("\"{}\"", helper.home().join(".aws").join(file).display());
        calls.iter().filter(|call| call.starts_with("open") && call.contains(&path)).count()
    };
    (vec![of("config"), of("credentials")], aws.calls(Service::Sts))
}

#[test]
fn the_aws_files_are_opened_as_often_for_a_chain_of_roles_as_for_keys() {
    if !strace::has_strace() {
        return;
    }
    // Once to look into the cache, and once when it is our turn to fetch.
    assert_eq!(opened("base"), (vec![2, 2], 0));
    assert_eq!(opened("second"), (vec![2, 2], 2), "the SDK's clients read none");
}
