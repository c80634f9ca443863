//! Standard streams that never end, never come, are full, closed, or that nobody reads.

use std::fs::File;
use std::io::Read as _;
use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::pipe::{PipeFlags, pipe_with};

use crate::assertions::keeps_to_the_protocol;
use crate::home::Home;
use crate::scenario::{FOREIGN, Scenario};
use crate::support::strace::has_strace;
use crate::support::{FakeAws, NOT_FOUND, Outcome, REGISTRY, Running, binary};

/// Every command that says something, with what makes it.
const SAYING: [&[&str]; 10] = [
    &["get"],
    &["list"],
    &["version"],
    &["kubelet"],
    &["status"],
    &["--help"],
    &["man"],
    &["completions", "bash"],
    &["password", REGISTRY],
    &["setup", "docker", "--registry", REGISTRY, "--dry-run"],
];

fn stdin_of(arguments: &[&str]) -> String {
    match arguments {
        ["kubelet"] => Scenario::Kubelet.stdin(),
        _ => REGISTRY.to_owned(),
    }
}

/// A pipe that takes nothing more, and the end that keeps it open.
fn full_pipe() -> (OwnedFd, OwnedFd) {
    let (read, write) = pipe_with(PipeFlags::NONBLOCK | PipeFlags::CLOEXEC).unwrap();
    while rustix::io::write(&write, &[0; 4096]).is_ok() {}
    rustix::fs::fcntl_setfl(&write, rustix::fs::OFlags::empty()).unwrap();
    (read, write)
}

fn run(mut command: Command, stdin: &str) -> Outcome {
    command.stdin(Stdio::piped());
    Running::start(command, stdin.as_bytes()).wait()
}

#[test]
fn a_stdin_that_never_ends_is_refused() {
    let aws = FakeAws::start();
    let home = Home::new(&aws);
    for (action, code, said) in [("get", 1, NOT_FOUND), ("erase", 0, ""), ("kubelet", 1, "")] {
        let mut command = home.helper.command([action]);
        command.stdin(File::open("/dev/zero").unwrap());
        let outcome = Running::start(command, b"").wait();
        assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(code), said), "{action}: {outcome:?}");
    }
    let mut command = home.helper.command(["store"]);
    command.stdin(File::open("/dev/zero").unwrap());
    let outcome = Running::start(command, b"").wait();
    assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(1), "the credentials on stdin are longer than 64 KiB\n"));
}

#[test]
fn a_stdin_that_never_comes_is_waited_for_until_the_deadline() {
    let aws = FakeAws::start();
    let home = Home::new(&aws);
    for action in ["get", "erase", "store", "kubelet"] {
        let (_held, write) = pipe_with(PipeFlags::CLOEXEC).map(|(read, write)| (write, read)).unwrap();
        let mut command = home.helper.command([action]);
        command.env("ECR_LOGIN_TIMEOUT", "0.5").stdin(write);
        let outcome = Running::start(command, b"").wait();
        assert_eq!(outcome.code, Some(1), "{action}: {outcome:?}");
        let said = format!("{}{}", outcome.stdout, outcome.stderr);
        assert!(said.contains("stdin did not end within 0.5 s"), "{action}: {outcome:?}");
    }
}

#[test]
fn streams_that_say_come_again_are_asked_again() {
    let aws = FakeAws::start();
    let home = Home::new(&aws);
    let (stdin, name) = pipe_with(PipeFlags::NONBLOCK | PipeFlags::CLOEXEC).unwrap();
    let (answer, stdout) = pipe_with(PipeFlags::NONBLOCK | PipeFlags::CLOEXEC).unwrap();
    while rustix::io::write(&stdout, &[0; 4096]).is_ok() {}
    let mut command = home.helper.command(["get"]);
    command.stdin(stdin).stdout(stdout);
    let running = Running::start(command, b"");
    std::thread::sleep(Duration::from_millis(50));
    rustix::io::write(&name, REGISTRY.as_bytes()).unwrap();
    drop(name);
    std::thread::sleep(Duration::from_millis(200));
    rustix::fs::fcntl_setfl(&answer, rustix::fs::OFlags::empty()).unwrap();
    let mut said = Vec::new();
    File::from(answer).read_to_end(&mut said).unwrap();
    assert_eq!(running.wait().code, Some(0));
    let said = String::from_utf8(said).unwrap();
    assert!(said.trim_start_matches('\0').contains(crate::scenario::RIGHT), "{said:?}");
}

#[test]
fn an_answer_that_a_full_stdout_does_not_take_is_no_success() {
    let aws = FakeAws::start();
    let home = Home::new(&aws);
    for arguments in SAYING {
        let mut command = home.helper.command(arguments);
        command.stdout(File::options().write(true).open("/dev/full").unwrap());
        let outcome = run(command, &stdin_of(arguments));
        assert_eq!(outcome.code, Some(1), "{arguments:?}: {outcome:?}");
        let is_protocols = matches!(arguments, ["get" | "list" | "version" | "kubelet" | "password", ..]);
        assert!(!is_protocols || outcome.stderr.contains("No space left"), "{arguments:?}: {outcome:?}");
    }
}

#[test]
fn an_answer_without_a_reader_is_not_waited_for_beyond_the_deadline() {
    let aws = FakeAws::start();
    let home = Home::new(&aws);
    home.do_it(Scenario::ColdGet);
    for arguments in
        [&["get"][..], &["list"], &["kubelet"], &["password", REGISTRY], &["warm", "--timeout", "1", REGISTRY]]
    {
        let (_held, full) = full_pipe();
        let mut command = home.helper.command(arguments);
        command.env("ECR_LOGIN_TIMEOUT", "0.5").stdout(full);
        let outcome = run(command, &stdin_of(arguments));
        assert_eq!(outcome.code, Some(1), "{arguments:?}: {outcome:?}");
    }
}

#[test]
fn a_stderr_without_a_reader_keeps_no_answer_back() {
    let aws = FakeAws::start();
    let home = Home::new(&aws);
    for (arguments, level) in [(&["get"][..], "trace"), (&["password", "nonsense"], ""), (&["nonsense"], "wrong")] {
        let (_held, full) = full_pipe();
        let mut command = home.helper.command(arguments);
        command.env("ECR_LOGIN_LOG", level).stderr(full);
        let outcome = run(command, REGISTRY);
        if arguments == ["get"] {
            assert_eq!(outcome.token_with_warning().key, crate::scenario::RIGHT);
        } else {
            assert_eq!(outcome.code, Some(1), "{arguments:?}: {outcome:?}");
        }
    }
    let (_held, full) = full_pipe();
    let mut command = home.helper.command(["get"]);
    command.env("ECR_LOGIN_LOG", "wrong").stderr(full);
    let outcome = run(command, FOREIGN);
    assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(1), NOT_FOUND));
}

#[test]
fn a_reader_that_went_away_is_an_error_and_no_signal() {
    let aws = FakeAws::start();
    let home = Home::new(&aws);
    for arguments in SAYING {
        let (read, write) = pipe_with(PipeFlags::CLOEXEC).unwrap();
        drop(read);
        let mut command = home.helper.command(arguments);
        command.stdout(write);
        let outcome = run(command, &stdin_of(arguments));
        assert_eq!(outcome.code, Some(1), "{arguments:?}: {outcome:?}");
    }
}

#[test]
fn closed_streams_lose_no_answer_silently_and_touch_no_file() {
    let aws = FakeAws::start();
    for closed in 0..8 {
        for scenario in [
            Scenario::ColdGet,
            Scenario::WarmGet,
            Scenario::ForeignGet,
            Scenario::Kubelet,
            Scenario::List,
            Scenario::SetupDocker,
            Scenario::Erase,
        ] {
            let home = Home::before(&aws, scenario);
            let before = home.files();
            let mut script = String::from("exec \"$0\" \"$@\"");
            for (number, stream) in [" <&-", " >&-", " 2>&-"].iter().enumerate() {
                script.push_str(if closed & (1 << number) == 0 { "" } else { stream });
            }
            let ours = home.helper.command(Vec::<String>::new());
            let mut command = Command::new("/bin/sh");
            command.args(["-c", &script]).arg(binary()).args(home.arguments(scenario)).env_clear();
            command.envs(ours.get_envs().filter_map(|(key, value)| Some((key, value?))));
            command.current_dir(home.helper.home()).stdout(Stdio::piped()).stderr(Stdio::piped());
            let outcome = run(command, &scenario.stdin());
            let what = format!("{scenario:?}, {script}");
            let (no_stdin, no_stdout) = (closed & 1 != 0, closed & 2 != 0);
            let fails = scenario == Scenario::ForeignGet
                || (no_stdin && !matches!(scenario, Scenario::List | Scenario::SetupDocker))
                || (no_stdout && scenario != Scenario::Erase);
            assert_eq!(outcome.code, Some(i32::from(fails)), "{what}: {outcome:?}");
            if fails {
                assert_eq!(home.files(), before, "{what}");
            } else if matches!(scenario, Scenario::ColdGet | Scenario::WarmGet) {
                assert_eq!(outcome.token().key, crate::scenario::RIGHT, "{what}");
            }
            home.do_it(scenario);
        }
    }
}

#[test]
fn calls_that_are_interrupted_are_made_again() {
    if !has_strace() {
        return;
    }
    let aws = FakeAws::start();
    for scenario in
        [Scenario::ColdGet, Scenario::WarmGet, Scenario::Kubelet, Scenario::ForeignGet, Scenario::SetupDocker]
    {
        for call in ["read", "write", "poll", "open", "openat", "flock", "epoll_wait", "close"] {
            let (calls, before) = Home::before(&aws, scenario).traced(scenario);
            let named = calls.iter().enumerate().filter(|(_, other)| other.trim_start_matches('!') == call);
            for (when, (place, name)) in (1..).zip(named) {
                // A counter of the kernel's own is never interrupted.
                if place < before || (name.starts_with('!') && call != "epoll_wait") {
                    continue;
                }
                let home = Home::before(&aws, scenario);
                let outcome = home.injected(scenario, &format!("{call}:error=EINTR:when={when}"));
                let what = format!("{scenario:?} with {call}:error=EINTR:when={when}");
                keeps_to_the_protocol(&home, scenario, &outcome, call, false, &what);
                assert_eq!(outcome.code, Some(i32::from(scenario == Scenario::ForeignGet)), "{what}: {outcome:?}");
            }
        }
    }
}
