//! `delegate` in the settings: names that are not ECR's go to another helper, byte for byte both ways.

use crate::support::{FakeAws, Helper, NOT_FOUND, Outcome, REGISTRY, binary};

const SETTINGS: &str = "delegate = \"other\"\n";

/// A helper whose PATH has `docker-credential-other` with this script.
fn with(script: &str) -> Helper {
    let helper = Helper::new().settings(SETTINGS);
    helper.script("bin/docker-credential-other", script);
    helper
}

fn read(helper: &Helper, file: &str) -> String {
    std::fs::read_to_string(helper.home().join(file)).unwrap()
}

fn assert_absent(outcome: &Outcome, reason: &str) {
    assert!(outcome.failure().contains(reason), "{outcome:?}");
}

#[test]
fn get_store_and_erase_are_passed_on_byte_for_byte() {
    let helper = with(r#"printf '%s|' "$@" > args; cat > given; printf 'answer \n\n x'; exit 7"#);
    for (action, stdin) in [
        ("get", " https://docker.io/v1/ \n"),
        ("store", "{ \"ServerURL\" : \"docker.io\",\n \"Username\":\"bob\", \"Secret\":\"s\" }"),
        ("erase", "docker.io\r\n"),
    ] {
        let outcome = helper.run([action], stdin);
        assert_eq!((outcome.code, outcome.stdout.as_str(), outcome.stderr.as_str()), (Some(7), "answer \n\n x", ""));
        assert_eq!((read(&helper, "args"), read(&helper, "given")), (format!("{action}|"), stdin.to_owned()));
    }
}

#[test]
fn what_the_delegate_says_on_stderr_is_the_users() {
    let outcome = with("cat >/dev/null; echo locked >&2; exit 1").get("docker.io");
    assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(1), "locked\n"));
}

#[test]
fn ecr_names_are_never_passed_on() {
    let aws = FakeAws::start();
    let helper = with("touch run; exit 1").aws(&aws).keys("AKIATEST");
    helper.get(REGISTRY).token();
    assert_eq!(helper.run(["erase"], REGISTRY).code, Some(0));
    let login = format!(r#"{{"ServerURL":"{REGISTRY}","Username":"AWS","Secret":"s"}}"#);
    assert_eq!(helper.run(["store"], login).code, Some(0));
    assert!(!helper.home().join("run").exists());
}

#[test]
fn list_merges_both() {
    let aws = FakeAws::start();
    let helper = with(r#"cat > given; echo '{"https://docker.io":"bob"}'"#).aws(&aws).keys("AKIATEST");
    aws.fail(crate::support::Service::EcrPublic, crate::support::Fault::access_denied());
    helper.get(REGISTRY).token();
    let outcome = helper.run(["list"], "unused");
    assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""), "{outcome:?}");
    let listed: serde_json::Value = serde_json::from_str(&outcome.stdout).unwrap();
    assert_eq!(listed, serde_json::json!({"https://docker.io": "bob", REGISTRY: "AWS"}));
    assert_eq!(read(&helper, "given"), "unused");
}

#[test]
fn a_list_of_the_delegates_that_fails_costs_only_its_own_names() {
    for script in ["exit 1", "echo nonsense", "echo '[]'", "kill -9 $$", "cat /dev/zero"] {
        let outcome = with(script).run(["list"], "unused");
        assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(0), "{}\n"), "{script}: {outcome:?}");
        assert!(outcome.line().contains("docker-credential-other"), "{script}: {outcome:?}");
    }
    let outcome = with("echo null").run(["list"], "unused");
    assert_eq!((outcome.stdout.as_str(), outcome.stderr.as_str()), ("{}\n", ""), "an empty map of Go's");
}

#[test]
fn a_delegate_that_is_absent_is_reported() {
    let helper = Helper::new().settings(SETTINGS);
    for action in ["get", "erase"] {
        let outcome = helper.run([action], "https://docker.io/v2/");
        assert_absent(&outcome, "docker.io: the delegate docker-credential-other is not on PATH");
    }
    let outcome = helper.run(["list"], "unused");
    assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(0), "{}\n"));
    assert!(outcome.line().contains("is not on PATH"), "{outcome:?}");
    let helper = Helper::new().settings(SETTINGS).env("PATH", "bin:.:");
    helper.script("docker-credential-other", "exit 0");
    helper.script("bin/docker-credential-other", "exit 0");
    assert_absent(&helper.get("docker.io"), "is not on PATH");
    let helper = with("exit 0");
    helper.write("bin/docker-credential-other", "");
    use std::os::unix::fs::PermissionsExt;
    let file = helper.home().join("bin/docker-credential-other");
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o644)).unwrap();
    assert_absent(&helper.get("docker.io"), "is not on PATH");
}

#[test]
fn a_delegate_that_is_slow_is_killed_at_the_deadline() {
    let helper = with("sleep 300 & echo $! > pid; wait").env("ECR_LOGIN_TIMEOUT", "1");
    assert_absent(&helper.get("docker.io"), "docker-credential-other still running after");
    let pid = read(&helper, "pid");
    let gone = (0..500).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(10));
        std::fs::read_to_string(format!("/proc/{}/stat", pid.trim())).map_or(true, |stat| stat.contains(") Z "))
    });
    assert!(gone, "what it started is killed too");
}

#[test]
fn a_delegate_that_a_signal_ends_has_not_answered() {
    let helper = with("printf half; kill -9 $$");
    assert_absent(&helper.get("docker.io"), "ended without an answer: signal: 9");
}

#[test]
fn we_are_not_our_own_delegate() {
    let outcome = Helper::new().settings("delegate = \"ecr-login\"\n").get("docker.io");
    assert_absent(&outcome, "is this helper itself");
    let helper = with("exit 0");
    let link = helper.home().join("bin/docker-credential-other");
    std::fs::remove_file(&link).unwrap();
    std::os::unix::fs::symlink(binary(), &link).unwrap();
    assert_absent(&helper.get("docker.io"), "is this helper itself");
}

#[test]
fn nor_round_a_corner() {
    let helper = with(&format!("echo x >> runs; exec {} \"$@\"", binary().display()));
    let outcome = helper.get("docker.io");
    assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(1), NOT_FOUND));
    assert!(outcome.line().contains("has asked this helper again"), "{outcome:?}");
    assert_eq!(read(&helper, "runs"), "x\n");
}

#[test]
fn a_name_with_metacharacters_meets_no_shell() {
    for name in ["a;touch x", "a b", "$(touch x)", "../x", "a/b", ""] {
        let helper = Helper::new().settings(&format!("delegate = \"{name}\"\n"));
        let outcome = helper.get("docker.io");
        assert!(outcome.failure().contains("delegate"), "{outcome:?}");
        assert!(!helper.home().join("x").exists());
    }
}

#[test]
fn a_name_too_long_for_any_registry_is_not_passed_on() {
    let helper = with("touch run");
    helper.get(&"a".repeat(65 * 1024)).assert_not_found();
    assert!(!helper.home().join("run").exists());
}
