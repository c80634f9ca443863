//! Commands that the user names: they are run as they stand, and no shell looks at them.

use crate::support::strace;
use crate::support::{FakeAws, Helper, NOT_FOUND, REGISTRY, Running};

/// What a shell would act upon; each would make a file.
const META: [&str; 12] = [
    "a;touch made",
    "$(touch made)",
    "`touch made`",
    "|touch made",
    "&touch made",
    "&&touch made",
    "||touch made",
    ">made",
    "<made",
    "*",
    "~",
    "${IFS}touch${IFS}made",
];

/// The programs that a run has started, the helper first.
fn programs(helper: &Helper, arguments: &[&str], input: &str) -> (crate::support::Outcome, Vec<String>) {
    let trace = helper.home().join("trace");
    let options = ["-f", "-o", trace.to_str().unwrap(), "-s", "4096", "-e", "signal=none", "-e", "trace=execve"];
    let command = strace::command(helper, &options, arguments);
    let run = Running::start(command, input.as_bytes()).wait();
    let calls = std::fs::read_to_string(&trace).unwrap();
    std::fs::remove_file(trace).unwrap();
    let started = calls.lines().filter(|line| line.ends_with(" = 0"));
    let program = |line: &str| line.split_once("execve(\"")?.1.split_once('"').map(|(program, _)| program.to_owned());
    (run, started.filter_map(program).collect())
}

#[test]
fn a_credential_process_is_run_word_for_word_by_no_shell() {
    if !strace::has_strace() {
        return;
    }
    let aws = FakeAws::start();
    let keys = "{\"Version\":1,\"AccessKeyId\":\"AKIAPROCESS\",\"SecretAccessKey\":\"x\"}";
    for meta in META.into_iter().chain(["with blanks", "a\"b", "a\\b", "--", "ü"]) {
        let helper = Helper::new().aws(&aws);
        // The program's own path has all of it too, but for what strace would show in another way.
        let shown = meta.replace(['/', '"', '\\', 'ü'], "");
        let name = format!("bin {shown}/creds {shown}");
        let program = helper.script(&name, &format!("printf '%s\\n' \"$@\" >arguments\necho '{keys}'"));
        let quoted = |text: &str| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
        let command = format!("{} '{meta}' {} tail", quoted(program.to_str().unwrap()), quoted(meta));
        let helper = helper.aws_config(&format!("[default]\ncredential_process = {command}\n"));
        let (get, programs) = programs(&helper, &["get"], REGISTRY);
        assert_eq!(get.token().key, "AKIAPROCESS", "{command}");
        let arguments = std::fs::read_to_string(helper.home().join("arguments")).unwrap();
        assert_eq!(arguments, format!("{meta}\n{meta}\ntail\n"), "{command}");
        assert_eq!(programs[1..], [program.to_str().unwrap()], "{command}");
        assert!(!helper.home().join("made").exists(), "{command}");
    }
}

/// Without quotes a shell would see two commands; here there is one program, with these words.
#[test]
fn metacharacters_without_quotes_are_words_too() {
    if !strace::has_strace() {
        return;
    }
    let aws = FakeAws::start();
    for meta in META {
        let helper = Helper::new().aws(&aws);
        let keys = "{\"Version\":1,\"AccessKeyId\":\"AKIAPROCESS\",\"SecretAccessKey\":\"x\"}";
        let program = helper.script("creds", &format!("printf '%s ' \"$@\" >arguments\necho '{keys}'"));
        let helper = helper.aws_config(&format!("[default]\ncredential_process = {} {meta}\n", program.display()));
        let (get, programs) = programs(&helper, &["get"], REGISTRY);
        get.token();
        assert_eq!(std::fs::read_to_string(helper.home().join("arguments")).unwrap().trim_end(), meta);
        assert_eq!(programs[1..], [program.to_str().unwrap()], "{meta}");
        assert!(!helper.home().join("made").exists(), "{meta}");
    }
}

#[test]
fn a_delegate_is_a_name_and_nothing_else() {
    if !strace::has_strace() {
        return;
    }
    for meta in META.into_iter().chain(["", "a b", "../x", "/bin/sh", "a/b", "x\\ty", "\u{fc}", "a\\\"b"]) {
        let helper = Helper::new().keys("AKIAEXAMPLE").settings(&format!("delegate = \"{meta}\"\n"));
        for (action, input, code) in [("get", "ghcr.io", Some(1)), ("erase", "ghcr.io", Some(0)), ("list", "", Some(0))]
        {
            let (run, programs) = programs(&helper, &[action], input);
            assert_eq!((run.code, programs.len()), (code, 1), "{meta} {action}: {run:?} {programs:?}");
            assert!(run.line().contains("delegate"), "{meta} {action}: {run:?}");
        }
    }
}

/// What the client sends goes to the delegate's stdin, and no place where anybody would run it.
#[test]
fn what_a_delegate_is_sent_is_not_run_as_a_command() {
    if !strace::has_strace() {
        return;
    }
    let helper = Helper::new().settings("delegate = \"store\"\n");
    let folder = helper.home().join("with blanks; touch made");
    let program = helper.script(
        "with blanks; touch made/docker-credential-store",
        "echo \"$#\" \"$1\" >arguments\ncat >sent\necho credentials not found in native keychain\nexit 1",
    );
    let helper = helper.on_path(&folder);
    for meta in META {
        let (get, programs) = programs(&helper, &["get"], meta);
        assert_eq!((get.code, get.stdout.as_str()), (Some(1), NOT_FOUND), "{meta}");
        assert_eq!(programs[1], program.to_str().unwrap(), "{meta}");
        assert!(programs[2..].iter().all(|program| program.ends_with("/cat")), "{meta}: {programs:?}");
        assert_eq!(std::fs::read_to_string(helper.home().join("sent")).unwrap(), meta);
        assert_eq!(std::fs::read_to_string(helper.home().join("arguments")).unwrap(), "1 get\n");
        assert!(!helper.home().join("made").exists(), "{meta}");
    }
}
