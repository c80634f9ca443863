//! Sessions of `aws login`, against an AWS Sign-In that verifies the proof of each renewal and takes each refresh token once.

#[cfg(unix)]
use std::os::unix::fs::PermissionsExt as _;

use serde_json::Value;

use crate::support::{FakeAws, Fault, Helper, REGISTRY, Service, session_file};

const SESSION: &str = "arn:aws:iam::123456789012:user/ana";

/// A home with the profiles `dev`, which has a session whose keys end in `seconds`, and `role`, which assumes a role with it.
fn helper(aws: &FakeAws, seconds: i64) -> Helper {
    let role = "[profile role]\nrole_arn = arn:aws:iam::123456789012:role/pull\nsource_profile = dev\n";
    let helper = Helper::new()
        .aws(aws)
        .aws_config(&format!("[profile dev]\nlogin_session = {SESSION}\nregion = eu-west-1\n{role}"))
        .env("AWS_PROFILE", "dev");
    let path = helper.write(&session_file(SESSION), aws.login(seconds).to_string());
    #[cfg(not(unix))]
    let _ = path;
    #[cfg(unix)]
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
    helper
}

fn session(helper: &Helper) -> Value {
    serde_json::from_slice(&std::fs::read(helper.home().join(session_file(SESSION))).unwrap()).unwrap()
}

#[test]
fn a_session_s_keys_serve_without_a_call_while_they_are_good() {
    let aws = FakeAws::start();
    let helper = helper(&aws, 800);
    for _ in 0..2 {
        assert!(helper.get(REGISTRY).token().key.starts_with("ASIALOGIN"));
    }
    assert_eq!((aws.calls(Service::SignIn), aws.calls(Service::Ecr)), (0, 1));
}

#[test]
fn keys_that_end_are_renewed_with_a_proof_and_kept_with_all_that_others_wrote() {
    for seconds in [-60, 100] {
        let aws = FakeAws::start();
        let helper = helper(&aws, seconds).env("AWS_ECR_DISABLE_CACHE", "1");
        let before = session(&helper);
        for _ in 0..2 {
            assert_eq!(helper.get(REGISTRY).token().identity, "login");
        }
        let after = session(&helper);
        for kept in ["tokenType", "clientId", "idToken", "dpopKey", "kept for others"] {
            assert_eq!(before[kept], after[kept], "{kept}");
        }
        assert_eq!(after["accessToken"]["accountId"], "123456789012");
        assert_ne!(before["refreshToken"], after["refreshToken"]);
        assert_eq!(aws.calls(Service::SignIn), 1, "the new keys serve the second call");
        #[cfg(unix)]
        {
            let mode = std::fs::metadata(helper.home().join(session_file(SESSION))).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }
}

#[test]
fn ten_processes_at_once_renew_a_session_once() {
    let aws = FakeAws::start();
    let helper = helper(&aws, -60).env("AWS_ECR_DISABLE_CACHE", "1");
    let running: Vec<_> = (0..10).map(|_| helper.start(["get"], REGISTRY)).collect();
    for run in running {
        assert_eq!(run.wait().token().identity, "login");
    }
    assert_eq!(aws.calls(Service::SignIn), 1);
}

#[test]
fn a_session_is_the_source_of_a_role() {
    let aws = FakeAws::start();
    let outcome = helper(&aws, -60).env("AWS_PROFILE", "role").get(REGISTRY);
    assert_eq!(outcome.token().identity, "role-pull-by-login");
    assert_eq!((aws.calls(Service::SignIn), aws.calls(Service::Sts)), (1, 1));
}

#[test]
fn an_ended_session_names_the_command_and_stays_as_it_was() {
    for (code, says) in [
        ("TOKEN_EXPIRED", "the aws login session of profile dev has ended"),
        ("USER_CREDENTIALS_CHANGED", "has ended, since the password was changed"),
        ("INSUFFICIENT_PERMISSIONS", "may not be renewed (INSUFFICIENT_PERMISSIONS)"),
    ] {
        let aws = FakeAws::start();
        aws.refuse_logins(code);
        let helper = helper(&aws, -60);
        let before = session(&helper);
        let outcome = helper.get(REGISTRY);
        let line = outcome.failure();
        assert!(line.contains(says), "{line}");
        assert!(line.contains("aws login --profile dev") || code == "INSUFFICIENT_PERMISSIONS", "{line}");
        assert!(!line.contains("secret-"), "{line}");
        assert_eq!(before, session(&helper));
    }
}

#[test]
fn a_missing_login_and_a_broken_session_name_file_and_command() {
    let aws = FakeAws::start();
    // Without a cache no failure is remembered.
    let helper = helper(&aws, 800).env("AWS_ECR_DISABLE_CACHE", "1");
    let path: std::path::PathBuf = helper.home().join(session_file(SESSION)).components().collect();
    std::fs::write(&path, "{}").unwrap();
    let outcome = helper.get(REGISTRY);
    let line = outcome.failure();
    assert!(line.contains("has no accessToken") && line.contains("aws login --profile dev"), "{line}");
    std::fs::remove_file(&path).unwrap();
    let outcome = helper.get(REGISTRY);
    let line = outcome.failure();
    assert!(line.contains(&format!("{} does not exist", path.display())), "{line}");
    assert!(line.contains("aws login --profile dev"), "{line}");
    assert_eq!(aws.all_calls().len(), 0);
}

#[test]
fn keys_about_to_end_serve_while_they_cannot_be_renewed() {
    for fault in [Fault::status(500), Fault::Close] {
        let aws = FakeAws::start();
        aws.fail(Service::SignIn, fault);
        assert!(helper(&aws, 100).get(REGISTRY).token().key.starts_with("ASIALOGIN"));
    }
}

#[test]
fn an_answer_without_keys_is_a_reason_and_keeps_the_old_session() {
    let aws = FakeAws::start();
    aws.fail(Service::SignIn, Fault::NoData);
    let helper = helper(&aws, -60);
    let before = session(&helper);
    let outcome = helper.get(REGISTRY);
    let line = outcome.failure();
    assert!(line.contains("AWS Sign-In answered without keys"), "{line}");
    assert_eq!(before, session(&helper));
}

/// Of such a life no time can be made, and none that could be written into the session's file.
#[test]
fn an_answer_whose_keys_live_for_ages_is_a_reason_and_keeps_the_old_session() {
    for life in [u64::MAX, 999_999_999_999, 86_401] {
        let aws = FakeAws::start();
        let keys = r#"{"accessKeyId":"ASIANEW","secretAccessKey":"s","sessionToken":"t"}"#;
        let body = format!(r#"{{"accessToken":{keys},"expiresIn":{life},"refreshToken":"r","tokenType":"aws_sigv4"}}"#);
        let content_type = "application/json";
        aws.fail(Service::SignIn, Fault::Body { status: 200, content_type, body: body.into_bytes() });
        let helper = helper(&aws, -60);
        let before = session(&helper);
        let outcome = helper.get(REGISTRY);
        assert!(outcome.failure().contains("AWS Sign-In answered without keys"), "{life}: {outcome:?}");
        assert_eq!(before, session(&helper), "{life}");
    }
}
