//! Runs of the helper under strace, which makes system calls fail and kills at them.

use std::ffi::OsStr;
use std::process::{Command, Stdio};

use crate::support::{Helper, Outcome, Running, binary};

/// Whether there is a strace; it says so where there is none.
///
/// # Panics
/// There is none in CI.
pub fn has_strace() -> bool {
    let has = Command::new("strace").arg("-V").stdout(Stdio::null()).status().is_ok_and(|status| status.success());
    if !has {
        println!("skipped: there is no strace");
        assert!(std::env::var_os("CI").is_none_or(|ci| ci.is_empty()), "CI has it");
    }
    has
}

/// The command under strace with these options, in the helper's environment and home.
pub fn command<S: AsRef<OsStr>>(helper: &Helper, options: &[&str], arguments: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new(crate::support::on_our_path("strace"));
    command.arg("-qq").args(options).arg(binary()).args(arguments).env_clear();
    let ours = helper.command(Vec::<String>::new());
    command.envs(ours.get_envs().filter_map(|(key, value)| Some((key, value?)))).current_dir(helper.home());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// A run with a fault: `CALLS:error=EIO`, `CALLS:signal=KILL:when=3`.
pub fn injected<S: AsRef<OsStr>>(
    helper: &Helper,
    arguments: impl IntoIterator<Item = S>,
    stdin: &str,
    fault: &str,
) -> Outcome {
    let fault = format!("inject={fault}");
    let options = ["-f", "-o", "/dev/null", "-e", "signal=none", "-e", &fault];
    Running::start(command(helper, &options, arguments), stdin.as_bytes()).wait()
}

/// An undisturbed run, of which every child has ended as well.
pub fn followed<S: AsRef<OsStr>>(helper: &Helper, arguments: impl IntoIterator<Item = S>, stdin: &str) -> Outcome {
    let options = ["-f", "-o", "/dev/null", "-e", "trace=none", "-e", "signal=none"];
    Running::start(command(helper, &options, arguments), stdin.as_bytes()).wait()
}

/// The system calls of an undisturbed run, by name, and how many of them were the loader's and the start's: those
/// before the first that is ours. A call on what is no file, socket or stream but the kernel's own (an event counter)
/// has `!` before its name.
pub fn traced<S: AsRef<OsStr>>(
    helper: &Helper,
    arguments: impl IntoIterator<Item = S>,
    stdin: &str,
) -> (Vec<String>, usize) {
    /// By it the process forbids its core dump, before it does anything else.
    const FIRST_OF_OURS: &str = "prctl(PR_SET_DUMPABLE";
    let log = tempfile::NamedTempFile::new().unwrap();
    let options = ["-f", "-o", log.path().to_str().unwrap(), "-y", "-e", "signal=none"];
    Running::start(command(helper, &options, arguments), stdin.as_bytes()).wait();
    let text = std::fs::read_to_string(log.path()).unwrap();
    let mut lines = text.lines().filter_map(|line| line.split_once(char::is_whitespace));
    let mut calls = Vec::new();
    let mut before = None;
    let process = lines.clone().next().map(|(process, _)| process.to_owned());
    // The children and threads count theirs on their own.
    while let Some((_, line)) = lines.find(|(of, _)| Some(*of) == process.as_deref()) {
        let line = line.trim_start();
        if line.starts_with(FIRST_OF_OURS) {
            before.get_or_insert(calls.len());
        }
        let name = line.split('(').next().unwrap_or_default();
        if !name.is_empty()
            && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
        {
            let own = line.split(',').next().unwrap_or_default().contains("<anon_inode:");
            calls.push(format!("{}{name}", if own { "!" } else { "" }));
        }
    }
    (calls, before.expect("the process hardens itself first"))
}
