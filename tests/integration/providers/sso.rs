//! IAM Identity Center: the login that `aws sso login` cached, in both forms, fresh, ending, ended and refused.

#[cfg(unix)]
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use crate::support::sso::{START_URL, cached, helper, in_seconds, login, session_file};
use crate::support::{FakeAws, Fault, Helper, REGISTRY, Service, login_file};
use serde_json::json;

/// How many files are in a login's directory. On Windows the lock is a file of its own.
fn files_beside(login: &std::path::Path) -> usize {
    let lock = login.with_extension("lock");
    std::fs::read_dir(login.parent().unwrap()).unwrap().filter(|found| found.as_ref().unwrap().path() != lock).count()
}

#[test]
fn a_session_s_login_serves_and_the_portal_is_asked_once_for_three_pulls() {
    let aws = FakeAws::start();
    let helper = helper(&aws, Some(&login(3600)), 1);
    for _ in 0..3 {
        assert_eq!(helper.get(REGISTRY).token().identity, "sso-123456789012-Pull0");
    }
    assert_eq!((aws.calls(Service::Sso), aws.calls(Service::SsoOidc), aws.calls(Service::Ecr)), (1, 0, 1));
    assert_eq!(aws.requests(Service::Sso)[0].header("x-amz-sso_bearer_token"), Some("access-0"));
}

#[test]
fn a_legacy_login_serves_three_pulls_with_one_call() {
    let aws = FakeAws::start();
    let helper = Helper::new().aws(&aws).env("AWS_PROFILE", "old").aws_config(&format!(
        "[profile old]\nsso_start_url = {START_URL}\nsso_region = us-west-2\nsso_account_id = 123456789012\nsso_role_name = Old\n"
    ));
    let login = json!({
        "startUrl": START_URL, "region": "us-west-2", "accessToken": "access-0",
        "expiresAt": in_seconds(3600).replace('Z', "UTC"),
    });
    helper.write(&login_file(START_URL), login.to_string());
    for _ in 0..3 {
        assert_eq!(helper.get(REGISTRY).token().identity, "sso-123456789012-Old");
    }
    assert_eq!(aws.calls(Service::Sso), 1);
}

#[test]
fn an_ended_login_is_refreshed_and_kept_with_all_that_others_wrote() {
    let aws = FakeAws::start();
    let helper = helper(&aws, Some(&login(-60)), 1);
    assert_eq!(helper.get(REGISTRY).token().identity, "sso-123456789012-Pull0");
    assert_eq!((aws.calls(Service::Sso), aws.calls(Service::SsoOidc)), (1, 1));
    let new = cached(&helper);
    let access = new["accessToken"].as_str().unwrap();
    assert_eq!(aws.requests(Service::Sso)[0].header("x-amz-sso_bearer_token"), Some(access));
    assert_ne!(access, "access-0");
    assert_ne!(new["refreshToken"], "refresh-0");
    assert!(new["expiresAt"].as_str().unwrap() > in_seconds(1800).as_str(), "{new}");
    assert!(new["expiresAt"].as_str().unwrap().ends_with('Z'), "{new}");
    let mut rest = login(0);
    for key in ["accessToken", "refreshToken", "expiresAt", "registrationExpiresAt"] {
        rest[key] = new[key].clone();
    }
    assert_eq!(new, rest);
    let path = session_file(&helper);
    #[cfg(unix)]
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(files_beside(&path), 1);
}

#[test]
fn ten_profiles_of_one_session_at_once_refresh_it_once() {
    let aws = FakeAws::start();
    aws.fail(Service::SsoOidc, Fault::Late(Duration::from_millis(300)));
    let helper = helper(&aws, Some(&login(60)), 10).env("ECR_LOGIN_TIMEOUT", "60");
    let running: Vec<_> = (0..10)
        .map(|n| {
            let mut command = helper.command(["get"]);
            command.env("AWS_PROFILE", format!("dev{n}"));
            crate::support::Running::start(command, REGISTRY.as_bytes())
        })
        .collect();
    for (n, running) in running.into_iter().enumerate() {
        assert_eq!(running.wait().token().identity, format!("sso-123456789012-Pull{n}"));
    }
    assert_eq!((aws.calls(Service::SsoOidc), aws.calls(Service::Sso)), (1, 10));
    let path = session_file(&helper);
    assert_ne!(cached(&helper)["accessToken"], "access-0");
    assert_eq!(files_beside(&path), 1);
}

#[test]
fn a_login_about_to_end_that_cannot_be_refreshed_now_serves_to_its_end() {
    let aws = FakeAws::start();
    aws.fail(Service::SsoOidc, Fault::Error { status: 400, code: "InvalidGrantException", message: "no".to_owned() });
    let login = login(120);
    let helper = helper(&aws, Some(&login), 1);
    assert_eq!(helper.get(REGISTRY).token().identity, "sso-123456789012-Pull0");
    assert_eq!(cached(&helper), login);
}

#[test]
fn a_login_about_to_end_serves_while_its_refresh_hangs() {
    let aws = FakeAws::start();
    aws.fail(Service::SsoOidc, Fault::Hang);
    let login = login(120);
    let helper = helper(&aws, Some(&login), 1).env("ECR_LOGIN_TIMEOUT", "4");
    assert_eq!(helper.get(REGISTRY).token().identity, "sso-123456789012-Pull0");
    assert_eq!((cached(&helper), aws.calls(Service::SsoOidc)), (login, 1));
    let path = session_file(&helper);
    assert_eq!(files_beside(&path), 1, "nothing is left behind");
}

#[test]
fn an_ended_login_whose_refresh_is_refused_names_the_command_and_stays_as_it_was() {
    let aws = FakeAws::start();
    aws.revoke("refresh-0");
    let login = login(-60);
    let helper = helper(&aws, Some(&login), 1);
    let outcome = helper.get(REGISTRY);
    let line = outcome.failure();
    assert!(line.contains("the SSO session corp of profile dev0 has expired and its refresh was refused"), "{line}");
    assert!(line.contains("or \"aws sso login --profile dev0\""), "{line}");
    assert_eq!(cached(&helper), login);
    let path = session_file(&helper);
    assert_eq!(files_beside(&path), 1);
    assert_eq!(aws.calls(Service::Sso), 0);
}

#[test]
fn an_ended_login_that_cannot_be_refreshed_names_the_command() {
    let aws = FakeAws::start();
    let mut login = login(-60);
    login.as_object_mut().unwrap().remove("refreshToken");
    let outcome = helper(&aws, Some(&login), 1).get(REGISTRY);
    let line = outcome.failure();
    assert!(line.contains("the SSO session corp of profile dev0 has expired"), "{line}");
    assert!(line.contains("or \"aws sso login --profile dev0\""), "{line}");
    assert_eq!(aws.all_calls().len(), 0);
}

#[test]
fn a_missing_login_names_the_file_and_the_command() {
    let aws = FakeAws::start();
    let helper = helper(&aws, None, 1);
    let outcome = helper.get(REGISTRY);
    let line = outcome.failure();
    assert!(line.contains("there is no cached login"), "{line}");
    assert!(line.contains(session_file(&helper).to_str().unwrap()), "{line}");
    assert!(line.contains("or \"aws sso login --profile dev0\""), "{line}");
}

#[test]
fn a_broken_login_names_what_is_wrong_and_the_command() {
    for (text, why) in [("", "is not a JSON object"), ("null", "is not a JSON object"), ("{}", "has no accessToken")] {
        let aws = FakeAws::start();
        let helper = helper(&aws, Some(&login(3600)), 1);
        std::fs::write(session_file(&helper), text).unwrap();
        let outcome = helper.get(REGISTRY);
        let line = outcome.failure();
        assert!(line.contains(why) && line.contains("or \"aws sso login --profile dev0\""), "{line}");
    }
}

#[test]
fn a_login_that_the_portal_no_longer_knows_names_the_command() {
    let aws = FakeAws::start();
    aws.revoke("access-0");
    let outcome = helper(&aws, Some(&login(3600)), 1).get(REGISTRY);
    let line = outcome.failure();
    assert!(line.contains("the SSO session corp of profile dev0 is no longer valid"), "{line}");
    assert!(line.contains("or \"aws sso login --profile dev0\""), "{line}");
}

#[test]
fn a_role_that_is_not_assigned_is_named_with_its_account() {
    let aws = FakeAws::start();
    aws.fail(Service::Sso, Fault::Error { status: 403, code: "ForbiddenException", message: "No access".to_owned() });
    let outcome = helper(&aws, Some(&login(3600)), 1).get(REGISTRY);
    let line = outcome.failure();
    assert!(line.contains("has no access to role Pull0 in account 123456789012: ForbiddenException"), "{line}");
    assert!(line.contains("check sso_account_id and sso_role_name of profile dev0"), "{line}");
}

#[test]
fn a_login_is_not_refreshed_where_the_new_one_could_not_be_kept() {
    let aws = FakeAws::start();
    let helper = helper(&aws, Some(&login(-60)), 1);
    let path = session_file(&helper);
    #[cfg(unix)]
    if !crate::support::cache::is_root() {
        let folder = path.parent().unwrap();
        std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o500)).unwrap();
        refuses_to_refresh(&aws, &helper);
        std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o700)).unwrap();
        return;
    }
    // Root writes everywhere: a directory in the way of the new file stands for a directory of mode 500.
    std::fs::create_dir(path.with_extension("json.ecr-login.tmp")).unwrap();
    refuses_to_refresh(&aws, &helper);
}

fn refuses_to_refresh(aws: &FakeAws, helper: &Helper) {
    let outcome = helper.get(REGISTRY);
    let line = outcome.failure();
    assert!(line.contains("the refreshed login cannot be written beside"), "{line}");
    assert!(line.contains("make the directory writable"), "{line}");
    assert_eq!(aws.calls(Service::SsoOidc), 0);
}

// Windows kills by an exit code like any other.
#[cfg(unix)]
#[test]
fn killed_at_any_moment_of_a_refresh_the_login_is_the_old_one_or_the_new_one() {
    let mut killed = 0;
    for step in 0..12 {
        let aws = FakeAws::start();
        // Long enough to be killed at each step on a machine of any speed.
        aws.fail(Service::SsoOidc, Fault::Late(Duration::from_millis(100)));
        let old = login(-60);
        let helper = helper(&aws, Some(&old), 1);
        let outcome = helper.start(["get"], REGISTRY).killed_after(Duration::from_millis(10 * step));
        killed += usize::from(outcome.code.is_none());
        let now = cached(&helper);
        let is_new = now["accessToken"].as_str().unwrap().starts_with("fake-access-");
        assert!(now == old || is_new, "{now}");
        // At most what it was writing is left beside it, readable for nobody else.
        for entry in std::fs::read_dir(session_file(&helper).parent().unwrap()).unwrap() {
            let entry = entry.unwrap();
            if entry.path() != session_file(&helper) {
                assert_eq!(entry.path(), session_file(&helper).with_extension("json.ecr-login.tmp"));
                assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600);
            }
        }
        let next = helper.get(REGISTRY);
        if next.code == Some(0) {
            assert_eq!(next.token().identity, "sso-123456789012-Pull0");
        } else {
            // The fake, like AWS, takes a refresh token once: where it had been asked, and the answer is gone.
            assert!(next.failure().contains("or \"aws sso login --profile dev0\""), "{next:?}");
            assert_eq!((is_new, aws.calls(Service::SsoOidc)), (false, 2));
        }
        let path = session_file(&helper);
        assert_eq!(files_beside(&path), 1, "what was left is swept");
    }
    assert!(killed >= 6, "{killed} of 12 were killed");
}
