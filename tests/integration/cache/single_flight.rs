//! Which processes share one token, and how many calls that takes.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use crate::support::cache::{entries, eventually, names};
use crate::support::{FakeAws, Fault, Helper, REGISTRY, Running, Service};
#[cfg(unix)]
use rustix::process::{Pid, Signal, kill_process};

fn registry(number: u64) -> String {
    format!("{}.dkr.ecr.eu-west-1.amazonaws.com", 100_000_000_000 + number)
}

fn helper(aws: &FakeAws) -> Helper {
    Helper::new().aws(aws).keys("AKIAEXAMPLE").env("ECR_LOGIN_TIMEOUT", "60")
}

#[cfg(unix)]
fn signal(process: &Running, signal: Signal) {
    let id = Pid::from_raw(i32::try_from(process.id()).unwrap()).unwrap();
    kill_process(id, signal).unwrap();
}

fn fresh(helper: &Helper, registry: &str) -> usize {
    let mut command = helper.command(["get"]);
    command.env("ECR_LOGIN_REFRESH", "1");
    Running::start(command, registry.as_bytes()).wait().token().serial
}

#[test]
fn fifty_cold_gets_for_one_registry_make_one_call() {
    let aws = FakeAws::start();
    aws.fail(Service::Ecr, Fault::late(300));
    let helper = helper(&aws);
    let gets: Vec<_> = (0..50).map(|_| helper.start(["get"], REGISTRY)).collect();
    let serials: BTreeSet<usize> = gets.into_iter().map(|get| get.wait().token().serial).collect();
    assert_eq!((serials.len(), aws.calls(Service::Ecr)), (1, 1));
}

#[test]
fn fifty_cold_gets_for_fifty_registries_make_one_call_and_fifty_entries() {
    let aws = FakeAws::start();
    aws.fail(Service::Ecr, Fault::late(300));
    let helper = helper(&aws);
    let gets: Vec<_> = (0..50).map(|number| (registry(number), helper.start(["get"], registry(number)))).collect();
    for (registry, get) in gets {
        let get = get.wait();
        get.token();
        assert_eq!(get.answer().server_url, registry);
    }
    assert_eq!(aws.calls(Service::Ecr), 1);
    let entries = entries(&helper);
    let hosts: BTreeSet<&str> = entries.iter().map(|entry| entry.registry.as_str()).collect();
    let ends: BTreeSet<i64> = entries.iter().map(|entry| entry.times.expires_at).collect();
    assert_eq!((entries.len(), hosts.len(), ends.len()), (50, 50, 1));
}

#[test]
fn other_regions_endpoints_and_identities_have_tokens_of_their_own() {
    let aws = FakeAws::start();
    let mut helper = helper(&aws);
    let there = "123456789012.dkr.ecr.us-east-1.amazonaws.com";
    assert_eq!(helper.get(REGISTRY).token().region, "eu-west-1");
    assert_eq!(helper.get(there).token().region, "us-east-1");
    for id in ["AKIAOTHER", "AKIATHIRD"] {
        helper = helper.keys(id);
        assert_eq!(helper.get(REGISTRY).token().key, id);
    }
    assert_eq!(aws.calls(Service::Ecr), 4);
    helper = helper.keys("AKIAEXAMPLE");
    assert_eq!(helper.get(REGISTRY).token().key, "AKIAEXAMPLE");
    helper = helper.env("AWS_SECRET_ACCESS_KEY", "rotated");
    helper.get(REGISTRY).token();
    assert_eq!(aws.calls(Service::Ecr), 5, "the id alone is not an identity");
    helper = helper.env("AWS_ENDPOINT_URL_ECR", format!("{}/other", aws.url()));
    helper.get(REGISTRY).token();
    assert_eq!(aws.calls(Service::Ecr), 6);
}

#[test]
fn a_failure_is_the_answer_to_every_caller_for_a_second() {
    let aws = FakeAws::start();
    aws.fail(Service::Ecr, Fault::access_denied());
    let helper = helper(&aws);
    let begun = Instant::now();
    let gets: Vec<_> = (0..20).map(|number| helper.start(["get"], registry(number % 4))).collect();
    for get in gets {
        assert!(get.wait().failure().contains("AccessDenied"));
    }
    // On a machine too slow for that the second is over in between.
    let seconds = usize::try_from(begun.elapsed().as_secs()).unwrap();
    assert!(aws.calls(Service::Ecr) <= 1 + seconds, "{} calls in {seconds} s", aws.calls(Service::Ecr));
    std::thread::sleep(Duration::from_millis(1_100));
    let before = aws.calls(Service::Ecr);
    helper.get(REGISTRY).failure();
    assert_eq!(aws.calls(Service::Ecr), before + 1);
}

#[test]
fn a_failure_for_want_of_time_is_no_answer_to_a_caller_who_has_more() {
    let aws = FakeAws::start();
    aws.fail(Service::Ecr, Fault::late(2_000));
    let hurried = helper(&aws).env("ECR_LOGIN_TIMEOUT", "1");
    let first = hurried.start(["get"], REGISTRY);
    eventually("the first has asked", || aws.calls(Service::Ecr) == 1);
    let mut command = hurried.command(["get"]);
    command.env("ECR_LOGIN_TIMEOUT", "45");
    let second = Running::start(command, REGISTRY.as_bytes());
    assert!(first.wait().failure().contains("within 1 s"));
    second.wait().token();
}

#[test]
fn erase_ends_the_second_of_a_failure() {
    let aws = FakeAws::start();
    aws.fail(Service::Ecr, Fault::access_denied());
    let helper = helper(&aws);
    helper.get(REGISTRY).failure();
    aws.heal(Service::Ecr);
    assert_eq!(helper.run(["erase"], REGISTRY).code, Some(0));
    helper.get(REGISTRY).token();
    assert!(!names(&helper.cache()).iter().any(|name| name.ends_with(".failed")));
}

#[test]
fn a_caller_whose_identity_changed_while_waiting_does_not_get_the_token() {
    let aws = FakeAws::start();
    // Under Wine one program starts after the other.
    let slower = if cfg!(windows) { 5 } else { 1 };
    aws.fail_times(Service::Ecr, 1, Fault::late(slower * 2_000));
    let keys = |id| format!("[default]\naws_access_key_id = {id}\naws_secret_access_key = secret-of-{id}\n");
    let helper = Helper::new().aws(&aws).env("ECR_LOGIN_TIMEOUT", "60");
    let [ours, theirs] = ["ours", "theirs"].map(|name| helper.write(name, keys("AKIAONE")));
    let get = |file| {
        let mut command = helper.command(["get"]);
        command.env("AWS_SHARED_CREDENTIALS_FILE", file);
        Running::start(command, registry(1).as_bytes())
    };
    let asks = get(&theirs);
    eventually("it asks", || aws.calls(Service::Ecr) == 1);
    let waits = get(&ours);
    std::thread::sleep(Duration::from_millis(slower * 700));
    helper.write("ours", keys("AKIATWO"));
    assert_eq!(asks.wait().token().key, "AKIAONE");
    assert_eq!(waits.wait().token().key, "AKIATWO");
    assert_eq!((aws.calls(Service::Ecr), entries(&helper).len()), (2, 2));
}

#[test]
fn when_the_one_that_asks_is_killed_the_next_takes_over_at_once() {
    let aws = FakeAws::start();
    aws.fail_times(Service::Ecr, 1, Fault::Hang);
    let helper = helper(&aws);
    let mut first = helper.start(["get"], REGISTRY);
    eventually("the first asks", || aws.calls(Service::Ecr) == 1);
    let others: Vec<_> = (0..5).map(|number| helper.start(["get"], registry(number))).collect();
    std::thread::sleep(Duration::from_millis(200));
    assert_eq!(aws.calls(Service::Ecr), 1);
    first.kill();
    for other in others {
        let other = other.wait();
        other.token();
        assert!(other.duration < Duration::from_secs(25), "well before half of the deadline: {other:?}");
    }
    assert_eq!(aws.calls(Service::Ecr), 2);
    assert_ne!(first.wait().code, Some(0));
}

#[cfg(unix)]
#[test]
fn when_the_one_that_asks_is_stopped_a_waiter_asks_for_itself_after_half_of_its_deadline() {
    let aws = FakeAws::start();
    aws.fail_times(Service::Ecr, 1, Fault::Hang);
    let helper = helper(&aws);
    let mut first = helper.start(["get"], REGISTRY);
    eventually("the first asks", || aws.calls(Service::Ecr) == 1);
    signal(&first, Signal::STOP);
    let helper = helper.env("ECR_LOGIN_TIMEOUT", "8");
    let other = helper.get(REGISTRY);
    other.token();
    assert!(other.duration >= Duration::from_secs(4), "{other:?}");
    assert_eq!(aws.calls(Service::Ecr), 2);
    // What it brought is there for everybody, stopped or not.
    helper.get(REGISTRY).token();
    assert_eq!(aws.calls(Service::Ecr), 2);
    first.kill();
    first.wait();
}

#[test]
fn erase_forgets_the_token_under_every_name_and_identity() {
    let aws = FakeAws::start();
    let mut helper = helper(&aws);
    let mut serials = Vec::new();
    for id in ["AKIAONE", "AKIATWO"] {
        helper = helper.keys(id);
        for number in 0..3 {
            serials.push(helper.get(&registry(number)).token().serial);
        }
    }
    assert_eq!(aws.calls(Service::Ecr), 2);
    assert_eq!(helper.run(["erase"], registry(1)).code, Some(0));
    assert!(entries(&helper).is_empty());
    for id in ["AKIAONE", "AKIATWO"] {
        helper = helper.keys(id);
        for number in 0..3 {
            assert!(!serials.contains(&helper.get(&registry(number)).token().serial));
        }
    }
    assert_eq!(aws.calls(Service::Ecr), 4);
    // Of a registry that has no entry there is nothing to forget.
    assert_eq!(helper.run(["erase"], registry(9)).code, Some(0));
    assert_eq!(entries(&helper).len(), 6);
}

#[test]
fn a_token_on_its_way_when_erase_ran_is_not_kept() {
    let aws = FakeAws::start();
    let helper = helper(&aws);
    helper.get(&registry(0)).token();
    assert_eq!(helper.run(["erase"], registry(0)).code, Some(0));
    aws.fail(Service::Ecr, Fault::late(1_500));
    let slow = helper.start(["get"], registry(1));
    eventually("it asks", || aws.calls(Service::Ecr) == 2);
    assert_eq!(helper.run(["erase"], registry(1)).code, Some(0));
    slow.wait().token();
    helper.get(&registry(1)).token();
    assert_eq!(aws.calls(Service::Ecr), 3, "asked before erase ran");
}

#[test]
fn a_one_shot_refresh_ignores_the_cache_and_replaces_the_entry() {
    let aws = FakeAws::start();
    let helper = helper(&aws);
    let old = helper.get(REGISTRY).token().serial;
    let new = fresh(&helper, REGISTRY);
    assert!(new > old);
    assert_eq!(helper.get(REGISTRY).token().serial, new);
    assert_eq!(aws.calls(Service::Ecr), 2);
}

#[test]
fn a_registry_that_the_settings_keep_out_of_the_cache_is_asked_each_time() {
    let aws = FakeAws::start();
    let helper = helper(&aws).settings(&format!("[[registry]]\nmatch = \"{REGISTRY}\"\ncache = false\n"));
    helper.get(REGISTRY).token();
    helper.get(REGISTRY).token();
    assert_eq!(aws.calls(Service::Ecr), 2);
    assert!(!helper.made_a_cache());
}

#[test]
fn the_cache_can_be_turned_off() {
    let aws = FakeAws::start();
    let helper = helper(&aws).env("AWS_ECR_DISABLE_CACHE", "1");
    helper.get(REGISTRY).token();
    helper.get(REGISTRY).token();
    assert_eq!(aws.calls(Service::Ecr), 2);
    assert!(!helper.made_a_cache());
}
