//! The file system fails under the cache: the token is delivered, and nothing stays behind. strace makes the faults;
//! `syscall_errors` and `kill_points` have them at every call, one by one, and kills.

use crate::support::cache::{entries, names};
use crate::support::strace::has_strace;
use crate::support::{FakeAws, Helper, Outcome, REGISTRY, Service};

/// A run with a fault.
fn injected(helper: &Helper, action: &str, fault: &str) -> Outcome {
    crate::support::strace::injected(helper, [action], REGISTRY, fault)
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
fn a_token_that_cannot_be_read_is_not_reported_as_absent() {
    if !has_strace() {
        return;
    }
    let aws = FakeAws::start();
    let helper = helper(&aws);
    helper.get(REGISTRY).token();
    let entry = helper.cache().join(names(&helper.cache()).into_iter().find(|name| name.ends_with(".com")).unwrap());
    let said = format!("the cached {} cannot be read: Input/output error", entry.display());
    // `list` names it whatever its file holds, and does not look into it.
    for (action, said) in [("list", REGISTRY), ("status", said.as_str())] {
        let (calls, before) = crate::support::strace::traced(&helper, [action], "");
        let of_loader = calls[..before].iter().filter(|call| *call == "read").count();
        let outcome = injected(&helper, action, &format!("read:error=EIO:when={}+", of_loader + 1));
        assert_eq!(outcome.code, Some(0), "{action}: {outcome:?}");
        assert!(format!("{}{}", outcome.stdout, outcome.stderr).contains(said), "{action}: {outcome:?}");
    }
}

#[test]
fn a_refresh_that_cannot_be_kept_takes_the_old_token_with_it() {
    if !has_strace() {
        return;
    }
    for (fault, is_told) in [
        // The new one cannot take its place, but the old one can go.
        ("?rename,?renameat,renameat2:error=EIO", false),
        ("flock:error=ENOLCK", false),
        // Neither; the disk has become read-only.
        ("?rename,?renameat,renameat2,unlinkat:error=EROFS", true),
    ] {
        let aws = FakeAws::start();
        let helper = helper(&aws);
        let old = helper.get(REGISTRY).token();
        let helper = helper.env("ECR_LOGIN_REFRESH", "1");
        let outcome = injected(&helper, "get", fault);
        assert_ne!(outcome.token_with_warning().serial, old.serial, "{fault}");
        let told = outcome.stderr.contains("the next call may be served the old token");
        assert_eq!(told, is_told, "{fault}: {outcome:?}");
        if !is_told {
            let next = helper.without("ECR_LOGIN_REFRESH").get(REGISTRY).token();
            assert_ne!(next.serial, old.serial, "{fault}: the old one is gone");
        }
    }
}
