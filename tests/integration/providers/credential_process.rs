//! `credential_process`: what a user of one sees, when it works and in each way that it fails.

use std::time::Duration;

use crate::support::terminal::terminal;
use crate::support::{FakeAws, Helper, REGISTRY, Service};

const ANSWER: &str = r#"{"Version": 1, "AccessKeyId": "AKIDPROCESS", "SecretAccessKey": "s", "SessionToken": "t"}"#;

/// A helper whose profile `dev` runs `script`.
fn helper(aws: &FakeAws, script: &str) -> Helper {
    let helper = Helper::new().aws(aws).env("AWS_PROFILE", "dev");
    let path = helper.script("creds", &format!("echo run >> $HOME/runs\n{script}"));
    helper.aws_config(&format!("[profile dev]\ncredential_process = {} --user ana\n", path.display()))
}

fn runs(helper: &Helper) -> usize {
    std::fs::read_to_string(helper.home().join("runs")).unwrap_or_default().lines().count()
}

/// Whether a process lives, zombies not counted.
fn lives(pid: &str) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| stat.rsplit(')').next().is_some_and(|rest| !rest.trim_start().starts_with('Z')))
}

fn dies(pid: &str) -> bool {
    (0..300).any(|_| {
        std::thread::sleep(Duration::from_millis(10));
        !lives(pid)
    })
}

#[test]
fn its_keys_are_used_for_its_profile_and_it_runs_once_for_three_pulls() {
    let aws = FakeAws::start();
    let helper = helper(&aws, &format!("echo '{ANSWER}'"));
    for _ in 0..3 {
        assert_eq!(helper.get(REGISTRY).token().key, "AKIDPROCESS");
    }
    assert_eq!((runs(&helper), aws.calls(Service::Ecr)), (1, 1));
}

#[test]
fn its_words_are_split_as_the_aws_cli_does_and_no_shell_sees_them() {
    let aws = FakeAws::start();
    let helper = Helper::new().aws(&aws).env("AWS_PROFILE", "dev");
    let script = format!("for word; do echo \"<$word>\" >> $HOME/words; done; echo '{ANSWER}'");
    let path = helper.script("my tools/creds", &script);
    let helper = helper.aws_config(&format!(
        "[profile dev]\ncredential_process = \"{}\" 'a  b' \"c\\\"d\" e\\ f --url https://x/?a=1&b=2 $HOME `id` $(id) x;y | > *\n",
        path.display()
    ));
    assert_eq!(helper.get(REGISTRY).token().key, "AKIDPROCESS");
    let words = std::fs::read_to_string(helper.home().join("words")).unwrap();
    let expected =
        ["a  b", "c\"d", "e f", "--url", "https://x/?a=1&b=2", "$HOME", "`id`", "$(id)", "x;y", "|", ">", "*"];
    assert_eq!(words.lines().collect::<Vec<_>>(), expected.map(|word| format!("<{word}>")));
}

#[test]
fn its_environment_is_ours_and_its_stdin_is_empty() {
    let aws = FakeAws::start();
    let helper = helper(&aws, &format!("[ \"$AWS_PROFILE\" = dev ] && [ -z \"$(cat)\" ] && echo '{ANSWER}'"));
    assert_eq!(helper.get(REGISTRY).token().key, "AKIDPROCESS");
}

#[test]
fn one_that_sleeps_is_killed_with_its_children_at_the_deadline() {
    let aws = FakeAws::start();
    let helper = helper(&aws, "sleep 300 & echo $! >> $HOME/pids; echo $$ >> $HOME/pids; trap '' TERM; sleep 300")
        .env("ECR_LOGIN_TIMEOUT", "2");
    let outcome = helper.get(REGISTRY);
    let line = outcome.failure();
    assert!(line.contains("credential_process of profile dev"), "{line}");
    assert!(line.contains("still running after"), "{line}");
    assert!(outcome.duration < Duration::from_secs(30), "{:?}", outcome.duration);
    let pids = std::fs::read_to_string(helper.home().join("pids")).unwrap();
    assert_eq!(pids.lines().count(), 2);
    assert!(pids.lines().all(dies), "{pids}");
    assert_eq!(aws.calls(Service::Ecr), 0);
}

#[test]
fn a_descendant_that_keeps_the_pipe_open_does_not_keep_us_waiting() {
    let aws = FakeAws::start();
    let helper =
        helper(&aws, &format!("sleep 60 & echo $! > $HOME/pid; echo '{ANSWER}'")).env("ECR_LOGIN_TIMEOUT", "40");
    let outcome = helper.get(REGISTRY);
    assert_eq!(outcome.token().key, "AKIDPROCESS");
    assert!(outcome.duration < Duration::from_secs(30), "{:?}", outcome.duration);
    let pid = std::fs::read_to_string(helper.home().join("pid")).unwrap();
    let pid = rustix::process::Pid::from_raw(pid.trim().parse().unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
}

#[test]
fn one_that_prints_a_gigabyte_is_cut_off() {
    let aws = FakeAws::start();
    let helper = helper(&aws, "exec head -c 1073741824 /dev/zero");
    let outcome = helper.get(REGISTRY);
    let line = outcome.failure();
    assert!(line.contains("wrote more than 65536 bytes, killed"), "{line}");
}

#[test]
fn its_exit_code_and_its_last_word_are_passed_on_and_secrets_are_not() {
    let aws = FakeAws::start();
    let helper = helper(
        &aws,
        "echo usage: creds >&2; printf '\\033[31mvault is sealed\\033[0m, token AKIAIOSFODNN7EXAMPLE %s\\n' \"$VAULT_TOKEN\" >&2; exit 3",
    )
    .env("VAULT_TOKEN", "correct horse");
    let outcome = helper.get(REGISTRY);
    let line = outcome.failure();
    let program = helper.home().join("creds");
    let expected = format!(
        "the credential_process of profile dev failed: {}: exit code 3: vault is sealed, token [removed] [removed]",
        program.display()
    );
    assert!(line.contains(&expected), "{line}");
    assert!(line.contains("run the command by hand to see more"), "{line}");
    assert_eq!(aws.calls(Service::Ecr), 0);
}

#[test]
fn what_is_no_answer_is_reported_without_quoting_it() {
    for (script, reason) in [
        ("echo hunter2", "printed what is not the JSON that AWS asks for (line 1, column 1)"),
        ("true", "printed nothing"),
        ("echo '{\"Version\": 2}'", "printed credentials of another version than 1"),
        ("echo '{\"Version\": 1, \"AccessKeyId\": \"a\"}'", "printed JSON without \"SecretAccessKey\""),
        (
            "echo '{\"Version\": 1, \"AccessKeyId\": \"a\", \"SecretAccessKey\": \"s\", \"Expiration\": \"2020-01-01T00:00:00Z\"}'",
            "printed credentials that expired at 2020-01-01T00:00:00Z",
        ),
        ("kill -9 $$", "killed by signal 9"),
    ] {
        let aws = FakeAws::start();
        let helper = helper(&aws, script);
        let outcome = helper.get(REGISTRY);
        let line = outcome.failure();
        assert!(line.contains(reason), "{script}: {line}");
        assert!(!line.contains("hunter2"), "{line}");
    }
}

#[test]
fn a_command_that_does_not_exist_is_named_with_the_rule_for_its_path() {
    let aws = FakeAws::start();
    for (command, remedy) in [
        ("/does/not/exist --x", "correct credential_process of profile dev in the AWS config file"),
        ("$HOME/creds", "as with the AWS CLI no shell expands the line"),
        ("creds 'x", "correct credential_process of profile dev in the AWS config file"),
    ] {
        let helper = Helper::new()
            .aws(&aws)
            .env("AWS_PROFILE", "dev")
            .aws_config(&format!("[profile dev]\ncredential_process = {command}\n"));
        let outcome = helper.get(REGISTRY);
        let line = outcome.failure();
        assert!(line.contains(remedy), "{command}: {line}");
    }
}

#[test]
fn it_goes_with_the_helper() {
    use rustix::process::{Pid, Signal, kill_process};
    let aws = FakeAws::start();
    let helper = helper(&aws, "echo $$ > $HOME/process.new; mv $HOME/process.new $HOME/process; exec sleep 60");
    let running = helper.start(["get"], REGISTRY);
    let process = helper.home().join("process");
    crate::support::cache::eventually("the command runs", || process.exists());
    let id: i32 = std::fs::read_to_string(process).unwrap().trim().parse().unwrap();
    kill_process(Pid::from_raw(running.id().cast_signed()).unwrap(), Signal::TERM).unwrap();
    assert_eq!(running.wait().code, None);
    // It may stay as a zombie, where nobody reaps what lost its parent.
    let stat = || std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    let has_ended = || stat().rsplit(')').next().is_none_or(|rest| rest.is_empty() || rest.trim().starts_with('Z'));
    crate::support::cache::eventually("the command goes too", has_ended);
}

#[test]
fn on_a_terminal_a_key_that_wants_a_touch_has_a_minute_and_says_so_live() {
    let aws = FakeAws::start();
    let helper = helper(&aws, &format!("echo touch your key >&2; sleep 3; echo '{ANSWER}'"));
    let helper = helper.env("ECR_LOGIN_TIMEOUT", "1");
    let (mut screen, stderr) = terminal();
    let mut command = helper.command(["get"]);
    command.stderr(stderr);
    let running = crate::support::Running::start(command, REGISTRY.as_bytes());
    // Read while the key still waits: the child has said it, and we have not answered.
    let mut shown = [0; 64];
    let count = std::io::Read::read(&mut screen, &mut shown).unwrap();
    assert_eq!(String::from_utf8_lossy(&shown[..count]).trim_end(), "touch your key");
    assert_eq!(running.wait().token().key, "AKIDPROCESS");
    // Without a terminal the deadline holds.
    helper.get("123456789012.dkr.ecr.eu-west-2.amazonaws.com").failure();
}

/// The minute is for whoever has no token: one that lives is not kept back for it.
#[test]
fn on_a_terminal_a_valid_token_does_not_wait_for_a_touch() {
    let aws = FakeAws::start();
    let helper = helper(&aws, &format!("[ -e $HOME/touched ] && sleep 100; touch $HOME/touched; echo '{ANSWER}'"));
    let helper = helper.env("ECR_LOGIN_TIMEOUT", "3").env("ECR_LOGIN_BACKGROUND", "0");
    let first = helper.get(REGISTRY).token();
    crate::support::cache::age(&helper, 8 * crate::support::cache::HOUR);
    let (_screen, stderr) = terminal();
    let mut command = helper.command(["get"]);
    command.stderr(stderr);
    let get = crate::support::Running::start(command, REGISTRY.as_bytes()).wait();
    assert_eq!((runs(&helper), get.token_with_warning()), (2, first));
    assert!(get.duration < Duration::from_secs(30), "{get:?}");
}
