//! Clients that read stdout and stderr as one text (Spring Boot's `build-image` from 3.5 on, cue): a line beside the answer
//! would spoil it, so nothing is written there, and the reason is kept for `status` and `doctor`.

#![cfg(unix)]

use std::fs::File;
use std::process::Stdio;

use crate::support::cache::{HOUR, age};
use crate::support::{FakeAws, Fault, Helper, NOT_FOUND, REGISTRY, Service, Token};

/// What the helper writes to a pipe that is both stdout and stderr, and to a file that is both.
fn texts(helper: &Helper, action: &str, stdin: &str) -> [String; 2] {
    [true, false].map(|by_pipe| {
        let out = helper.home().join("both");
        let pipe = if by_pipe { " 2>&1 | cat >\"$2\"" } else { " >\"$2\" 2>&1" };
        let script = format!("\"$0\" \"$1\"{pipe}");
        let mut command = helper.command([action]);
        let program = command.get_program().to_owned();
        let environment: Vec<_> =
            command.get_envs().filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned()))).collect();
        let given = helper.home().join("given");
        std::fs::write(&given, stdin).unwrap();
        command = std::process::Command::new("/bin/sh");
        command.args(["-c", &script]).arg(program).arg(action).arg(&out).env_clear().envs(environment);
        command.stdin(File::open(&given).unwrap()).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().unwrap();
        std::fs::read_to_string(&out).unwrap()
    })
}

#[test]
fn an_answer_beside_a_warning_is_json_alone() {
    let aws = FakeAws::start();
    let helper = Helper::new().aws(&aws).keys("AKIATEST");
    helper.get(REGISTRY).token();
    age(&helper, 11 * HOUR);
    aws.fail(Service::Ecr, Fault::access_denied());
    assert!(helper.get(REGISTRY).token_with_warning().serial > 0, "there is something to warn of");
    let no_log = helper.env("ECR_LOGIN_LOG", "info").env("ECR_LOGIN_LOG_FILE", "/nowhere/at/all/log");
    for text in texts(&no_log, "get", REGISTRY) {
        let answer: serde_json::Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text:?}"));
        Token::of_password(answer["Secret"].as_str().unwrap());
    }
    let logs_to_stderr = no_log.without("ECR_LOGIN_LOG_FILE");
    for text in texts(&logs_to_stderr, "get", REGISTRY) {
        serde_json::from_str::<serde_json::Value>(&text).unwrap_or_else(|error| panic!("{error}: {text:?}"));
    }
    let status = logs_to_stderr.without("ECR_LOGIN_LOG").run(["status"], "");
    assert!(status.stdout.contains("cannot be refreshed"), "{status:?}");
}

#[test]
fn a_not_found_with_a_reason_is_still_a_not_found_and_status_and_doctor_have_the_reason() {
    let aws = FakeAws::start();
    aws.fail(Service::Ecr, Fault::access_denied());
    let helper = Helper::new().aws(&aws).keys("AKIATEST");
    let log = helper.home().join("log");
    let helper = helper.env("ECR_LOGIN_LOG", "warn").env("ECR_LOGIN_LOG_FILE", &log);
    for text in texts(&helper, "get", REGISTRY) {
        assert_eq!(text, NOT_FOUND);
    }
    assert!(std::fs::read_to_string(&log).unwrap().contains("AccessDenied"));
    for arguments in [&["status"][..], &["doctor", REGISTRY]] {
        let said = helper.run(arguments, "").stdout;
        assert!(said.contains("last") && said.contains(REGISTRY) && said.contains("AccessDenied"), "{said}");
    }
    let json: serde_json::Value = serde_json::from_str(&helper.run(["status", "--json"], "").stdout).unwrap();
    assert!(json["last_failure"]["line"].as_str().unwrap().contains("AccessDenied"), "{json}");
    assert_eq!(helper.run(["clear"], "").code, Some(0));
    assert!(!helper.run(["status"], "").stdout.contains("AccessDenied"));
}

#[test]
fn a_strict_reason_is_there_once() {
    let aws = FakeAws::start();
    aws.fail(Service::Ecr, Fault::access_denied());
    let helper = Helper::new().aws(&aws).keys("AKIATEST").env("ECR_LOGIN_STRICT", "1");
    for text in texts(&helper, "get", REGISTRY) {
        assert_eq!((text.lines().count(), text.matches("AccessDenied").count()), (1, 1), "{text}");
    }
}

#[test]
fn a_login_has_no_answer_that_a_line_could_spoil() {
    let helper = Helper::new();
    let login = format!(r#"{{"ServerURL":"{REGISTRY}","Username":"AWS","Secret":"x"}}"#);
    for text in texts(&helper, "store", &login) {
        assert!(text.contains(REGISTRY), "{text:?}");
    }
}
