//! The file system fails under the cache, or the process dies in it: the token is delivered, or the next `get`
//! delivers it, and nothing stays behind. strace makes the faults.

#![cfg(target_os = "linux")]

mod on_disk;
mod support;

use std::process::{Command, Stdio};

use on_disk::{cache, entries, names};
use support::{FakeAws, Helper, Outcome, REGISTRY, Running, Service, binary};

/// The calls by which the cache changes the disk or looks at it, under their names on all machines (`?` where one
/// may not exist).
const CALLS: [&str; 9] = [
    "?mkdir,mkdirat",
    "openat",
    "flock",
    "write",
    "utimensat",
    "?rename,?renameat,renameat2",
    "unlinkat",
    "getdents64",
    "?newfstatat,statx",
];

fn has_strace() -> bool {
    let has = Command::new("strace").arg("-V").stdout(Stdio::null()).status().is_ok_and(|status| status.success());
    if !has {
        println!("skipped: there is no strace");
        assert!(std::env::var_os("CI").is_none_or(|ci| ci.is_empty()), "CI has it");
    }
    has
}

/// Runs an action with a fault injected by strace.
fn injected(helper: &Helper, action: &str, fault: &str) -> Outcome {
    let mut command = Command::new("strace");
    command.args(["-f", "-qq", "-o", "/dev/null", "-e", "signal=none", "-e"]).arg(format!("inject={fault}"));
    command.arg(binary()).arg(action).env_clear();
    let ours = helper.command(Vec::<String>::new());
    command.envs(ours.get_envs().filter_map(|(key, value)| Some((key, value?)))).current_dir(helper.home());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    Running::start(command, REGISTRY.as_bytes()).wait()
}

fn helper(aws: &FakeAws) -> Helper {
    Helper::new().aws(aws).keys("AKIAEXAMPLE")
}

#[test]
fn a_file_system_without_locks_costs_nothing_but_the_sharing() {
    if !has_strace() {
        return;
    }
    for error in ["ENOLCK", "EOPNOTSUPP", "EINVAL"] {
        let aws = FakeAws::start();
        let helper = helper(&aws);
        let fault = format!("flock:error={error}");
        let left_over = helper.cache().join(format!("{}-{REGISTRY}.tmp", "0".repeat(64)));
        injected(&helper, "get", &fault).token();
        std::fs::write(left_over, "young, so perhaps somebody's").unwrap();
        assert_eq!(helper.run(["erase"], REGISTRY).code, Some(0));
        injected(&helper, "get", &fault).token();
        injected(&helper, "get", &fault).token();
        assert_eq!((aws.calls(Service::Ecr), entries(&helper).len()), (2, 1), "{error}");
    }
}

#[test]
fn a_file_system_that_fails_in_the_cache_fails_no_get() {
    if !has_strace() {
        return;
    }
    for call in ["flock", "utimensat", "?rename,?renameat,renameat2", "unlinkat", "getdents64", "?mkdir,mkdirat"] {
        for error in ["ENOSPC", "EIO", "EACCES", "EROFS", "EMFILE", "ENOENT"] {
            let aws = FakeAws::start();
            let helper = helper(&aws);
            injected(&helper, "get", &format!("{call}:error={error}")).token();
            assert_eq!(aws.calls(Service::Ecr), 1, "{call} {error}");
            helper.get(REGISTRY).token();
            assert!(aws.calls(Service::Ecr) <= 2, "{call} {error}");
            let left = names(&helper.cache());
            assert!(left.iter().filter(|name| name.ends_with(".tmp")).count() <= 1, "{call} {error}: {left:?}");
        }
    }
}

#[test]
fn killed_at_any_call_it_leaves_the_old_or_the_new_and_the_next_get_succeeds() {
    if !has_strace() {
        return;
    }
    let aws = FakeAws::start();
    let mut killed = 0;
    for action in ["get", "erase"] {
        for call in CALLS {
            // As many times as the call is made; after the last one nobody is killed.
            for when in 1..60 {
                let helper = helper(&aws);
                if action == "erase" {
                    helper.get(REGISTRY).token();
                }
                let dead = injected(&helper, action, &format!("{call}:signal=KILL:when={when}"));
                let left = names(&helper.cache());
                assert!(left.iter().filter(|name| name.ends_with(".tmp")).count() <= 1, "{action} {call} {when}");
                assert!(entries(&helper).len() <= 1);
                helper.get(REGISTRY).token();
                assert_eq!(entries(&helper).len(), 1, "{action} {call} {when}");
                let entry = entries(&helper).remove(0);
                cache(&helper).write(&entry, cache(&helper).erasures());
                let left = names(&helper.cache());
                assert!(!left.iter().any(|name| name.ends_with(".tmp")), "{action} {call} {when}: {left:?}");
                if dead.code == Some(0) {
                    break;
                }
                killed += 1;
            }
        }
    }
    assert!(killed > 30, "killed {killed} times only");
    println!("killed {killed} times");
}
