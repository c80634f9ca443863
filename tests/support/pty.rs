//! The binary on a terminal of its own: `/dev/tty` is a pseudo-terminal whose keyboard and screen the test has, while
//! stdin, stdout and stderr are pipes as a client gives them.

use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use super::helper::{Helper, Outcome, Running};

/// The pseudo-terminal that the child takes for its own.
const TERMINAL: &str = "TEST_CHILD_TERMINAL";
/// The program that the child becomes, and its arguments, one a line.
const PROGRAM: &str = "TEST_CHILD_PROGRAM";

/// What the test harness prints before the child becomes the binary.
const HARNESS_HEAD: &str = "becomes_the_binary ... ";

/// A run of the binary on a terminal.
pub struct Terminal {
    keyboard: File,
    screen: Arc<Mutex<Vec<u8>>>,
    reader: thread::JoinHandle<()>,
    /// The programs' end: while it is open, no program that closes the terminal ends the reading.
    open: File,
    running: Running,
}

impl Terminal {
    /// Runs the binary with these arguments; `stdin` is what a client would write there.
    ///
    /// A process has a controlling terminal only as leader of a session, and to become one between fork and exec needs
    /// `unsafe`: so this test program runs itself, becomes the leader, opens the terminal and execs the binary.
    pub fn start(helper: &Helper, arguments: &[&str], stdin: &str) -> Self {
        let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&ours).unwrap();
        unlockpt(&ours).unwrap();
        let name = ptsname(&ours, Vec::new()).unwrap().into_string().unwrap();
        let keyboard = File::from(ours);
        let screen = Arc::new(Mutex::new(Vec::new()));
        let (mut shown, kept) = (keyboard.try_clone().unwrap(), Arc::clone(&screen));
        let open = File::from(
            rustix::fs::open(&name, OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty()).unwrap(),
        );
        let reader = thread::spawn(move || {
            let mut buffer = [0; 1024];
            // It ends with an error once nobody has the terminal any more.
            while let Ok(count @ 1..) = shown.read(&mut buffer) {
                kept.lock().unwrap().extend_from_slice(&buffer[..count]);
            }
        });
        let running = start(helper, arguments, stdin, &name);
        Self { keyboard, screen, reader, open, running }
    }

    /// Everything that was shown so far.
    pub fn screen(&self) -> String {
        String::from_utf8_lossy(&self.screen.lock().unwrap()).into_owned()
    }

    /// Waits until `text` has been shown `times` times.
    ///
    /// # Panics
    /// It was not within a minute.
    pub fn wait_for(&self, text: &str, times: usize) {
        let begun = Instant::now();
        while self.screen().matches(text).count() < times {
            assert!(begun.elapsed() < Duration::from_secs(60), "{text:?} was not shown: {:?}", self.screen());
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Presses these keys; Return is `\r`.
    pub fn press(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
    }

    pub fn id(&self) -> u32 {
        self.running.id()
    }

    /// Waits for its end.
    pub fn finish(self) -> (Outcome, String) {
        let outcome = finish(self.running);
        drop(self.open);
        self.reader.join().unwrap();
        let screen = String::from_utf8_lossy(&self.screen.lock().unwrap()).into_owned();
        (outcome, screen)
    }
}

/// Runs the binary as a service or a CI job does: in a session that has no terminal.
pub fn run_without_terminal(helper: &Helper, arguments: &[&str], stdin: &str) -> Outcome {
    finish(start(helper, arguments, stdin, ""))
}

fn start(helper: &Helper, arguments: &[&str], stdin: &str, terminal: &str) -> Running {
    let planned = helper.command(arguments);
    let program: Vec<&str> =
        std::iter::once(planned.get_program()).chain(planned.get_args()).map(|part| part.to_str().unwrap()).collect();
    let (_, test) = concat!(module_path!(), "::becomes_the_binary").split_once("::").unwrap();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--ignored", "--nocapture", "--test-threads=1"]);
    command.env_clear().envs(planned.get_envs().filter_map(|(key, value)| Some((key, value?))));
    command.env(TERMINAL, terminal).env(PROGRAM, program.join("\n")).current_dir(helper.home());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    Running::start(command, stdin.as_bytes())
}

fn finish(running: Running) -> Outcome {
    let mut outcome = running.wait();
    if let Some((_, own)) = outcome.stdout.split_once(HARNESS_HEAD) {
        outcome.stdout = own.to_owned();
    }
    outcome
}

/// Not a test: what [`Terminal::start`] runs. By itself it does nothing.
#[test]
#[ignore = "run by the tests that need a terminal"]
fn becomes_the_binary() {
    let (Some(terminal), Ok(program)) = (std::env::var_os(TERMINAL), std::env::var(PROGRAM)) else { return };
    rustix::process::setsid().unwrap();
    // The first terminal that a session's leader opens is the session's.
    let open = |path| File::options().read(true).write(true).open(path).unwrap();
    let terminal = Some(terminal).filter(|path| !path.is_empty()).map(open);
    let mut words = program.split('\n');
    let mut command = Command::new(words.next().unwrap());
    command.args(words).env_remove(TERMINAL).env_remove(PROGRAM);
    let error = command.exec();
    drop(terminal);
    panic!("{program}: {error}");
}
