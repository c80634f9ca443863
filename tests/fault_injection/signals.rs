//! Signals at any time: the process goes, with what it started, and the next call finds everything in order.

use std::fs;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::home::Home;
use crate::long;
use crate::scenario::Scenario;
use crate::support::cache::{entries, eventually};
use crate::support::{FakeAws, Fault, Helper, REGISTRY, Running, Service, binary};

const ENDING: [Signal; 4] = [Signal::TERM, Signal::INT, Signal::HUP, Signal::KILL];

/// Whether a process lives, zombies not counted.
fn lives(process: i32) -> bool {
    fs::read_to_string(format!("/proc/{process}/stat"))
        .is_ok_and(|stat| stat.rsplit(')').next().is_some_and(|rest| !rest.trim_start().starts_with('Z')))
}

fn processes_in(file: &std::path::Path) -> Vec<i32> {
    fs::read_to_string(file).unwrap_or_default().lines().filter_map(|line| line.parse().ok()).collect()
}

/// `get`, with no signal ignored: whoever runs the tests in the background has a shell that ignores some, and children
/// inherit that.
fn start_with_signals(helper: Helper, name: &str) -> (Helper, Running) {
    let helper = helper.program("/usr/bin/env");
    let running = helper.start(["--default-signal", binary().to_str().unwrap(), "get"], name);
    (helper, running)
}

#[test]
fn a_credential_process_goes_with_the_helper_and_so_does_what_it_started() {
    for signal in ENDING {
        let helper = Helper::new();
        let list = helper.home().join("processes");
        // SIGKILL leaves the helper no moment: what the command started in its turn is not ours to find then.
        let starts = if signal == Signal::KILL { "exec sleep 60" } else { "sleep 60 & echo $! >> \"$0.list\"; wait" };
        let script = helper.script("process", &format!("echo $$ >> \"$0.list\"\n{starts}"));
        fs::rename(&script, helper.home().join("processes")).unwrap();
        let helper = helper.aws_config(&format!("[default]\ncredential_process = {}\n", list.display()));
        let list = helper.home().join("processes.list");
        let count = if signal == Signal::KILL { 1 } else { 2 };
        let (_home, running) = start_with_signals(helper, REGISTRY);
        eventually("the command runs", || processes_in(&list).len() == count);
        kill_process(Pid::from_raw(running.id().cast_signed()).unwrap(), signal).unwrap();
        assert_eq!(running.wait().code, None, "{signal:?}");
        for process in processes_in(&list) {
            eventually("the command goes too", || !lives(process));
        }
    }
}

#[test]
fn a_delegate_goes_with_the_helper() {
    for signal in ENDING {
        let helper = Helper::new().settings("delegate = \"slow\"\n");
        helper.script("bin/docker-credential-slow", "echo $$ > \"$0.list\"\nexec sleep 60");
        let bin = helper.home().join("bin");
        let list = bin.join("docker-credential-slow.list");
        let (_home, running) = start_with_signals(helper, "registry.example.com");
        eventually("the delegate runs", || processes_in(&list).len() == 1);
        kill_process(Pid::from_raw(running.id().cast_signed()).unwrap(), signal).unwrap();
        assert_eq!(running.wait().code, None, "{signal:?}");
        eventually("the delegate goes too", || !lives(processes_in(&list)[0]));
    }
}

#[test]
fn a_signal_that_was_to_be_ignored_is_ignored_with_a_child_too() {
    let helper = Helper::new();
    let script = helper.script("process", "echo $$ > \"$0.list\"\nsleep 1\necho '{}'");
    let helper = helper.aws_config(&format!("[default]\ncredential_process = {}\n", script.display()));
    let list = helper.home().join("process.list");
    let binary = crate::support::binary().to_str().unwrap().to_owned();
    let nohup = helper.program("/usr/bin/nohup");
    let running = nohup.start([binary.as_str(), "get"], REGISTRY);
    eventually("the command runs", || processes_in(&list).len() == 1);
    kill_process(Pid::from_raw(running.id().cast_signed()).unwrap(), Signal::HUP).unwrap();
    assert_eq!(running.wait().code, Some(1), "it answers all the same");
}

/// What a child's first program says of its signals: those held back, and those ignored.
const STATE: &str = "grep -E 'SigBlk|SigIgn' /proc/self/status > \"$0.signals\"\nexit 1";

/// No signal is held back from it, and a pipe that nobody reads ends it, though that does not end us.
fn has_its_signals(script: &std::path::Path) {
    let path = script.with_file_name(format!("{}.signals", script.file_name().unwrap().to_str().unwrap()));
    let state = fs::read_to_string(path).unwrap();
    let set = |name: &str| {
        let line = state.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_else(|| panic!("{name}: {state}"));
        u64::from_str_radix(line.trim(), 16).unwrap()
    };
    let pipe = 1_u64 << (Signal::PIPE.as_raw() - 1);
    assert_eq!((set("SigBlk:"), set("SigIgn:") & pipe), (0, 0), "{state}");
}

#[test]
fn a_credential_process_starts_with_no_signal_held_back_and_no_broken_pipe_ignored() {
    let helper = Helper::new();
    let script = helper.script("process", STATE);
    let helper = helper.aws_config(&format!("[default]\ncredential_process = {}\n", script.display()));
    helper.get(REGISTRY).failure();
    has_its_signals(&script);
}

#[test]
fn a_delegate_starts_with_no_signal_held_back_and_no_broken_pipe_ignored() {
    let helper = Helper::new().settings("delegate = \"other\"\n");
    let script = helper.script("bin/docker-credential-other", STATE);
    assert_eq!(helper.get("registry.example.com").code, Some(1));
    has_its_signals(&script);
}

#[test]
fn a_signal_at_any_moment_leaves_no_lock_and_the_next_get_has_its_token() {
    let rounds = if long() { 2_000 } else { 60 };
    let aws = FakeAws::start();
    aws.fail(Service::Ecr, Fault::late(15));
    let mut died = 0;
    for round in 0..rounds {
        let signal = ENDING[round % ENDING.len()];
        let home = Home::new(&aws);
        let running = home.helper.start(home.arguments(Scenario::ColdGet), REGISTRY);
        // From before its first call to after its last.
        std::thread::sleep(Duration::from_micros(fastrand::u64(0..60_000)));
        // It may have ended meanwhile; it was not waited for, so the number is still its own.
        let _ = kill_process(Pid::from_raw(running.id().cast_signed()).unwrap(), signal);
        let outcome = running.wait();
        match outcome.code {
            None => died += 1,
            _ => assert_eq!(outcome.token().key, crate::scenario::RIGHT),
        }
        home.do_it(Scenario::ColdGet);
        assert_eq!(entries(&home.helper).len(), 1, "round {round}");
    }
    assert!(died > rounds / 10, "{died} of {rounds} died");
    println!("{died} of {rounds} died");
}
