//! Child processes within bounds: `credential_process` and the delegate.
//!
//! What is promised: the call returns when the child has exited, at the deadline, or as soon as the child has
//! written too much, whichever is first. No descendant that keeps a pipe open, and none that ignores signals, makes
//! it wait longer. At the deadline and after too much output the child and what it started are killed; a
//! descendant of a child that exited by itself (an agent, say) is left alone. When we are killed ourselves, the child
//! goes with us, where the edge has given us a [`ChildGuard`] for it.

use std::io::{self, Read, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use zeroize::Zeroizing;

use crate::os::deadline::Deadline;

/// How much of the end of stderr is kept, in bytes.
const STDERR_KEPT: usize = 4 * 1024;
/// How often a child whose pipes stay open is asked whether it has exited.
const EXIT_CHECK: Duration = Duration::from_millis(20);
/// How long a pipe must be quiet, after the child's exit, before what it wrote is taken to be complete; counts only
/// where a descendant holds the pipe open.
const QUIET: Duration = Duration::from_millis(250);
/// How long a killed child may take to go away before it is left to itself.
const REAP: Duration = Duration::from_millis(200);

/// By what a child is tied to our own life. Safe code cannot say it, so the edge does.
#[derive(Clone, Copy, Debug)]
pub struct ChildGuard {
    /// Prepares a command, and holds back what would end us until `begun`.
    pub tie: fn(&mut Command),
    /// A child has begun: its number, or that of the group it leads with a minus sign; 0 where none could.
    pub begun: fn(i32),
    /// The child was reaped just now, or left to itself; the same number.
    pub ended: fn(i32),
    /// Kills the child of that number and all that it started, where that takes more than safe code has.
    #[cfg(windows)]
    pub kill: fn(i32),
}

static GUARD: OnceLock<ChildGuard> = OnceLock::new();

/// Says once, before any child is started, how children are tied to our own life. Without it they are not.
pub fn guard_children(guard_children: ChildGuard) {
    let _ = GUARD.set(guard_children);
}

/// A child that is guarded, until this is dropped.
struct Tied(Option<(ChildGuard, i32)>);

impl Tied {
    fn to(child: Option<&Child>, own_group: bool) -> Self {
        let number = child.and_then(|child| i32::try_from(child.id()).ok()).unwrap_or(0);
        let tied = GUARD.get().map(|guard_children| (*guard_children, if own_group { -number } else { number }));
        if let Some((guard_children, number)) = tied {
            (guard_children.begun)(number);
        }
        Self(tied)
    }
}

impl Drop for Tied {
    fn drop(&mut self) {
        if let Some((guard_children, number)) = self.0 {
            (guard_children.ended)(number);
        }
    }
}

/// Where the child's stderr goes, and by that whether the child is ours or the user's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stderr {
    /// Its end is kept for our own message. The child leads a process group of its own, which is killed whole.
    Kept,
    /// To our own stderr, at once. The child leads a process group of its own, which is killed whole.
    Shown,
    /// To our own stderr, a terminal with somebody in front of it. The child stays in the terminal's foreground
    /// group, so that it may ask there and Ctrl-C reaches it; it is killed with its descendants one by one.
    Terminal,
}

/// What a child may use.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// When it is killed.
    pub(crate) deadline: Deadline,
    /// The most that it may write to stdout, in bytes.
    pub(crate) stdout: usize,
    /// Where its stderr goes.
    pub(crate) stderr: Stderr,
}

/// A child that exited by itself.
#[derive(Debug)]
pub(crate) struct Finished {
    /// How it exited.
    pub(crate) status: ExitStatus,
    /// All that it wrote to stdout; may hold secrets.
    pub(crate) stdout: Zeroizing<Vec<u8>>,
    /// The end of what it wrote to stderr, for [`Stderr::Kept`]; may hold secrets.
    pub(crate) stderr: Zeroizing<Vec<u8>>,
}

/// A child that did not exit by itself, or never started.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ChildError {
    /// No process could be started.
    #[error("cannot be started: {0}")]
    Start(#[source] io::Error),
    /// The deadline passed; the child was killed after so long.
    #[error("still running after {:.1} s, killed", .0.as_secs_f64())]
    Deadline(Duration),
    /// It wrote more than this many bytes; it was killed.
    #[error("wrote more than {0} bytes, killed")]
    TooMuch(usize),
    /// It could not be waited for.
    #[error("cannot be waited for: {0}")]
    Wait(#[source] io::Error),
}

/// Runs `command` to its end, with `input` on its stdin (the null device if empty).
///
/// # Errors
/// A command that cannot be started, or is killed at one of its bounds.
pub(crate) fn run(mut command: Command, input: &[u8], bounds: Bounds) -> Result<Finished, ChildError> {
    let started = Instant::now();
    command.stdin(if input.is_empty() { Stdio::null() } else { Stdio::piped() });
    command.stdout(Stdio::piped());
    command.stderr(if bounds.stderr == Stderr::Kept { Stdio::piped() } else { Stdio::inherit() });
    let own_group = bounds.stderr != Stderr::Terminal;
    if own_group {
        lead_group(&mut command);
    }
    if let Some(guard_children) = GUARD.get() {
        (guard_children.tie)(&mut command);
    }
    let child = command.spawn();
    let _tied = Tied::to(child.as_ref().ok(), own_group);
    let mut child = child.map_err(ChildError::Start)?;
    let (receiver, open) = match attend(&mut child, input) {
        Ok(attended) => attended,
        Err(error) => {
            kill(&mut child, own_group);
            return Err(ChildError::Start(error));
        }
    };
    match watch(&mut child, &receiver, open, bounds) {
        Err(Stop::Deadline) => {
            kill(&mut child, own_group);
            Err(ChildError::Deadline(started.elapsed()))
        }
        Err(Stop::TooMuch) => {
            kill(&mut child, own_group);
            Err(ChildError::TooMuch(bounds.stdout))
        }
        Err(Stop::Wait(error)) => {
            kill(&mut child, own_group);
            Err(ChildError::Wait(error))
        }
        Ok(finished) => Ok(finished),
    }
}

#[derive(Clone, Copy)]
enum Stream {
    Stdout,
    Stderr,
}

/// `None` is the stream's end.
type Piece = (Stream, Option<Zeroizing<Vec<u8>>>);

enum Stop {
    Deadline,
    TooMuch,
    Wait(io::Error),
}

/// Starts a thread for each of the child's streams; says how many there are to read.
///
/// # Errors
/// The system has no thread to give.
fn attend(child: &mut Child, input: &[u8]) -> io::Result<(Receiver<Piece>, usize)> {
    let (sender, receiver) = sync_channel(4);
    if let Some(mut stdin) = child.stdin.take() {
        let input = Zeroizing::new(input.to_vec());
        // A child that does not read its input is no error: EPIPE ends the thread, and the answer decides.
        thread::Builder::new().spawn(move || stdin.write_all(&input))?;
    }
    let mut open = 0;
    if let Some(stdout) = child.stdout.take() {
        read(Stream::Stdout, stdout, sender.clone())?;
        open += 1;
    }
    if let Some(stderr) = child.stderr.take() {
        read(Stream::Stderr, stderr, sender)?;
        open += 1;
    }
    Ok((receiver, open))
}

/// Reads one stream to its end, or until nobody wants more. A thread of its own, since only that ends a blocking
/// read's hold on us when a descendant keeps the pipe open.
fn read(stream: Stream, mut from: impl Read + Send + 'static, to: SyncSender<Piece>) -> io::Result<()> {
    let work = move || {
        let mut buffer = Zeroizing::new([0_u8; 8192]);
        loop {
            let piece = match from.read(&mut buffer[..]) {
                Ok(0) => None,
                Ok(count) => Some(Zeroizing::new(buffer[..count].to_vec())),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(_) => None,
            };
            let end = piece.is_none();
            if to.send((stream, piece)).is_err() || end {
                return;
            }
        }
    };
    thread::Builder::new().spawn(work).map(drop)
}

/// Collects what the child writes until it has exited.
fn watch(child: &mut Child, pieces: &Receiver<Piece>, mut open: usize, bounds: Bounds) -> Result<Finished, Stop> {
    // One allocation: a vector that grows leaves copies of secrets behind.
    let mut stdout = Zeroizing::new(Vec::with_capacity(bounds.stdout));
    let mut stderr = Zeroizing::new(Vec::with_capacity(2 * STDERR_KEPT));
    let mut exited = false;
    let mut pause = Duration::from_millis(1);
    loop {
        exited = exited || has_exited(child).map_err(Stop::Wait)?;
        let wait = match exited {
            true if open == 0 => break,
            true => QUIET,
            false if open > 0 => EXIT_CHECK,
            false => {
                pause = (pause * 2).min(EXIT_CHECK);
                pause
            }
        };
        let left = bounds.deadline.left();
        if left.is_zero() {
            if exited {
                break;
            }
            return Err(Stop::Deadline);
        }
        if open == 0 {
            thread::sleep(wait.min(left));
            continue;
        }
        match pieces.recv_timeout(wait.min(left)) {
            Ok((Stream::Stdout, Some(piece))) => {
                if stdout.len() + piece.len() > bounds.stdout {
                    return Err(Stop::TooMuch);
                }
                stdout.extend_from_slice(&piece);
            }
            Ok((Stream::Stderr, Some(piece))) => keep_end(&mut stderr, &piece),
            Ok((_, None)) => open -= 1,
            Err(RecvTimeoutError::Timeout) if exited => break,
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => open = 0,
        }
    }
    Ok(Finished { status: child.wait().map_err(Stop::Wait)?, stdout, stderr })
}

/// Whether it has exited. It is not reaped by that: until we are done with it, its number is nobody else's.
#[cfg(unix)]
fn has_exited(child: &mut Child) -> io::Result<bool> {
    use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};
    let look = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
    Ok(waitid(WaitId::Pid(Pid::from_child(child)), look)?.is_some())
}

#[cfg(not(unix))]
fn has_exited(child: &mut Child) -> io::Result<bool> {
    Ok(child.try_wait()?.is_some())
}

/// Appends, and drops what is older than [`STDERR_KEPT`], within the vector's capacity.
fn keep_end(kept: &mut Vec<u8>, piece: &[u8]) {
    let piece = &piece[piece.len().saturating_sub(STDERR_KEPT)..];
    let surplus = (kept.len() + piece.len()).saturating_sub(STDERR_KEPT);
    kept.drain(..surplus.min(kept.len()));
    kept.extend_from_slice(piece);
}

#[cfg(unix)]
fn lead_group(command: &mut Command) {
    use std::os::unix::process::CommandExt;
    command.process_group(0);
}

/// Without a window, should the child make a console of its own because we have none (`CreateProcessW`).
#[cfg(windows)]
fn lead_group(command: &mut Command) {
    const CREATE_NO_WINDOW: u32 = 0x0800_0000;
    std::os::windows::process::CommandExt::creation_flags(command, CREATE_NO_WINDOW);
}

/// Kills the child and what it started, and reaps it if it goes at once.
fn kill(child: &mut Child, own_group: bool) {
    #[cfg(unix)]
    {
        use rustix::process::{Pid, Signal, kill_process, kill_process_group};
        let pid = Pid::from_child(child);
        // The child is not reaped yet, so neither its process id nor its group's can be another's. A kill that
        // fails finds nothing left to kill.
        if own_group {
            let _gone = kill_process_group(pid, Signal::KILL);
        } else {
            for descendant in descendants(pid) {
                let _gone = kill_process(descendant, Signal::KILL);
            }
        }
    }
    #[cfg(not(unix))]
    {
        let _ = own_group;
        if let (Some(guard), Ok(number)) = (GUARD.get(), i32::try_from(child.id())) {
            (guard.kill)(number);
        }
    }
    let _gone = child.kill();
    let reap_until = Instant::now() + REAP;
    while matches!(child.try_wait(), Ok(None)) && Instant::now() < reap_until {
        thread::sleep(Duration::from_millis(1));
    }
}

/// The living descendants of a process, as far as the system tells (Linux: `/proc`, see proc(5)).
#[cfg(unix)]
fn descendants(pid: rustix::process::Pid) -> Vec<rustix::process::Pid> {
    let mut found = vec![pid];
    let mut next = 0;
    // Bounded: a process that forks faster than we read does not keep us here.
    while next < found.len() && found.len() < 1000 {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", found[next].as_raw_nonzero()));
        for task in tasks.into_iter().flatten().flatten() {
            let children = std::fs::read_to_string(task.path().join("children")).unwrap_or_default();
            found.extend(
                children
                    .split_ascii_whitespace()
                    .filter_map(|child| child.parse().ok().and_then(rustix::process::Pid::from_raw)),
            );
        }
        next += 1;
    }
    found
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    fn sh(script: &str) -> Command {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]);
        command
    }

    fn bounds(seconds: u64) -> Bounds {
        Bounds { deadline: Deadline::within(Duration::from_secs(seconds)), stdout: 64 * 1024, stderr: Stderr::Kept }
    }

    /// Whether a process lives, zombies not counted.
    fn lives(pid: &str) -> bool {
        std::fs::read_to_string(format!("/proc/{}/stat", pid.trim()))
            .is_ok_and(|stat| stat.rsplit(')').next().is_some_and(|rest| !rest.trim_start().starts_with('Z')))
    }

    fn dies(pid: &str) -> bool {
        (0..200).any(|_| {
            thread::sleep(Duration::from_millis(10));
            !lives(pid)
        })
    }

    #[test]
    fn output_and_exit_code_are_reported() {
        let finished = run(sh("cat; echo said >&2; exit 3"), b"given", bounds(20)).unwrap();
        assert_eq!(finished.stdout.as_slice(), b"given");
        assert_eq!(finished.stderr.as_slice(), b"said\n");
        assert_eq!(finished.status.code(), Some(3));
    }

    #[test]
    fn a_child_that_does_not_read_its_input_is_no_error() {
        let finished = run(sh("echo done"), &vec![b'x'; 1 << 20], bounds(20)).unwrap();
        assert_eq!(finished.stdout.as_slice(), b"done\n");
    }

    #[test]
    fn a_command_that_does_not_exist_cannot_be_started() {
        assert!(matches!(run(Command::new("/does/not/exist"), b"", bounds(20)), Err(ChildError::Start(_))));
    }

    #[test]
    fn the_whole_group_is_killed_at_the_deadline() {
        let folder = tempfile::tempdir().unwrap();
        let pids = folder.path().join("pids");
        let script = format!("sleep 300 & echo $! > {0}; trap '' TERM; echo $$ >> {0}; sleep 300", pids.display());
        let error = run(sh(&script), b"", bounds(1)).unwrap_err();
        assert!(matches!(error, ChildError::Deadline(_)), "{error}");
        let pids = std::fs::read_to_string(pids).unwrap();
        assert_eq!(pids.lines().count(), 2);
        assert!(pids.lines().all(dies), "{pids}");
    }

    #[test]
    fn on_a_terminal_the_descendants_are_killed_at_the_deadline() {
        let folder = tempfile::tempdir().unwrap();
        let pids = folder.path().join("pids");
        let script = format!("sleep 300 & echo $! > {0}; echo $$ >> {0}; sleep 300", pids.display());
        let error = run(sh(&script), b"", Bounds { stderr: Stderr::Terminal, ..bounds(1) }).unwrap_err();
        assert!(matches!(error, ChildError::Deadline(_)), "{error}");
        let pids = std::fs::read_to_string(pids).unwrap();
        assert_eq!(pids.lines().count(), 2);
        assert!(pids.lines().all(dies), "{pids}");
    }

    #[test]
    fn a_descendant_that_holds_the_pipe_does_not_keep_us_waiting_and_lives_on() {
        let before = Instant::now();
        let finished = run(sh("sleep 30 & echo $!"), b"", bounds(20)).unwrap();
        assert!(before.elapsed() < Duration::from_secs(15), "{:?}", before.elapsed());
        let pid = String::from_utf8(finished.stdout.to_vec()).unwrap();
        assert!(lives(&pid), "an agent that a child starts must live on");
        let pid: i32 = pid.trim().parse().unwrap();
        rustix::process::kill_process(rustix::process::Pid::from_raw(pid).unwrap(), rustix::process::Signal::KILL)
            .unwrap();
    }

    #[test]
    fn a_child_that_closes_its_pipes_is_still_waited_for() {
        let finished = run(sh("exec >&- 2>&-; sleep 0.3; exit 4"), b"", bounds(20)).unwrap();
        assert_eq!(finished.status.code(), Some(4));
    }

    #[test]
    fn output_is_bounded_and_its_writer_killed() {
        let error = run(sh("exec cat /dev/zero"), b"", bounds(60)).unwrap_err();
        assert!(matches!(error, ChildError::TooMuch(65536)), "{error}");
    }

    #[test]
    fn of_a_flood_on_stderr_the_end_is_kept() {
        let finished =
            run(sh("head -c 3000000 /dev/zero | tr '\\0' x >&2; echo last >&2; echo out"), b"", bounds(60)).unwrap();
        assert_eq!(finished.stdout.as_slice(), b"out\n");
        assert_eq!(finished.stderr.len(), STDERR_KEPT);
        assert!(finished.stderr.ends_with(b"xlast\n"));
    }
}
