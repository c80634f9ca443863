//! A login of IAM Identity Center that was refreshed and cannot be kept, and one of another user.

use crate::support::sso::{cached, helper, login, session_file};
use crate::support::strace::{has_strace, injected};
use crate::support::{FakeAws, Fault, Helper, REGISTRY, Service};

/// Neither the login nor a token can be kept: what was written takes no place.
const NO_RENAME: &str = "?rename,?renameat,renameat2:error=EIO";

fn says_that_the_login_is_lost(line: &str, helper: &Helper) {
    assert!(line.contains("the SSO session corp of profile dev0 was refreshed for this call alone"), "{line}");
    let beside = format!("the refreshed login cannot be written beside {}", session_file(helper).display());
    assert!(line.contains(&beside) && line.contains("Input/output error"), "{line}");
    assert!(line.contains("or \"aws sso login --profile dev0\", since the old login may be used up"), "{line}");
}

#[test]
fn a_refreshed_login_that_cannot_be_kept_serves_the_call_and_is_reported_with_file_reason_and_command() {
    if !has_strace() {
        return;
    }
    for fault in [NO_RENAME, "fsync:error=EIO"] {
        let aws = FakeAws::start();
        let old = login(-60);
        let helper = helper(&aws, Some(&old), 1);
        let outcome = injected(&helper, ["get"], REGISTRY, fault);
        assert_eq!(outcome.token_with_warning().identity, "sso-123456789012-Pull0");
        says_that_the_login_is_lost(outcome.line(), &helper);
        assert_eq!((cached(&helper), aws.calls(Service::SsoOidc)), (old, 1));
        let folder = session_file(&helper);
        assert_eq!(std::fs::read_dir(folder.parent().unwrap()).unwrap().count(), 1, "nothing is left behind");
    }
}

#[test]
fn a_refreshed_login_that_cannot_be_kept_is_reported_where_the_call_fails_for_another_reason_too() {
    if !has_strace() {
        return;
    }
    let aws = FakeAws::start();
    aws.fail(Service::Sso, Fault::Error { status: 403, code: "ForbiddenException", message: "No access".to_owned() });
    let helper = helper(&aws, Some(&login(-60)), 1);
    let outcome = injected(&helper, ["get"], REGISTRY, NO_RENAME);
    let line = outcome.failure();
    assert!(line.contains("has no access to role Pull0 in account 123456789012: ForbiddenException"), "{line}");
    says_that_the_login_is_lost(line, &helper);
}

#[test]
fn warm_says_of_a_token_and_of_a_login_that_neither_is_kept() {
    if !has_strace() {
        return;
    }
    let aws = FakeAws::start();
    let helper = helper(&aws, Some(&login(-60)), 1);
    let outcome = injected(&helper, ["warm", REGISTRY], "", NO_RENAME);
    assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(1), ""), "{outcome:?}");
    let [login, token] = outcome.stderr.lines().collect::<Vec<_>>()[..] else { panic!("{outcome:?}") };
    says_that_the_login_is_lost(login, &helper);
    assert!(token.contains("which is not kept: the cache in") && token.contains("could not be written"), "{token}");
}

#[test]
fn a_login_of_another_user_stays_that_users() {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
    if !rustix::process::geteuid().is_root() {
        println!("skipped: only root has other users' homes");
        return;
    }
    let aws = FakeAws::start();
    let helper = helper(&aws, Some(&login(-60)), 1);
    chown(session_file(&helper), Some(65534), Some(65533)).unwrap();
    helper.get(REGISTRY).token();
    assert_ne!(cached(&helper)["accessToken"], login(-60)["accessToken"], "it was refreshed");
    let found = session_file(&helper).metadata().unwrap();
    assert_eq!((found.uid(), found.gid(), found.permissions().mode() & 0o777), (65534, 65533, 0o600));
}
