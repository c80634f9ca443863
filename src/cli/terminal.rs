//! stdout and stderr as the commands use them: an answer counts only when it was delivered.

use std::io::IsTerminal as _;
use std::process::ExitCode;
use std::time::Duration;

use crate::os::deadline::Deadline;
use crate::os::environment::Environment;
use crate::os::stdio;
use crate::text::printable::one_line;

/// For how long a person may look at one page before the next is wanted; whoever takes longer is gone.
const PAGE: Duration = Duration::from_secs(300);

/// Writes `text` to stdout; success only when all of it went out.
pub fn write_stdout(text: &str) -> ExitCode {
    match print(text) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

/// Writes `text` to stdout.
///
/// # Errors
/// stdout is closed or full, or nobody reads it any more.
pub(super) fn print(text: &str) -> std::io::Result<()> {
    stdio::show(text.as_bytes(), PAGE)
}

/// Writes one of many lines to stdout, until `deadline`, or for a second where that has passed. Threads take turns.
///
/// # Errors
/// stdout is closed or full, or nobody reads it.
pub(super) fn print_line(line: &str, deadline: Deadline) -> std::io::Result<()> {
    let _turn = std::io::stdout().lock();
    stdio::write_stdout(line.as_bytes(), Deadline::within(deadline.left().max(Duration::from_secs(1))))
}

/// Writes a line to stderr, without what would make two of it; where nobody listens there is nobody to tell.
pub(super) fn warn_line(line: &str) {
    error(&format!("{}\n", one_line(line)));
}

/// Writes `text` of our own to stderr as it is.
pub(super) fn error(text: &str) {
    let _turn = std::io::stderr().lock();
    let _ = stdio::tell(text);
}

/// Colours, where a person looks and wants them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Paint(bool);

impl Paint {
    /// Colours for stdout: on a terminal that has them, unless `NO_COLOR` is set (<https://no-color.org>).
    pub(super) fn for_stdout(environment: &Environment) -> Self {
        let wanted = environment.var_os("NO_COLOR").is_none() && environment.var("TERM") != Some("dumb");
        Self(wanted && std::io::stdout().is_terminal())
    }

    fn paint(self, code: &str, text: &str) -> String {
        if self.0 { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    /// What is right.
    pub(super) fn good(self, text: &str) -> String {
        self.paint("32", text)
    }

    /// What somebody should know of.
    pub(super) fn middling(self, text: &str) -> String {
        self.paint("33", text)
    }

    /// What is wrong.
    pub(super) fn bad(self, text: &str) -> String {
        self.paint("1;31", text)
    }

    /// What matters most.
    pub(super) fn strong(self, text: &str) -> String {
        self.paint("1", text)
    }

    /// What matters least.
    pub(super) fn weak(self, text: &str) -> String {
        self.paint("2", text)
    }
}

/// A line on stderr that says what is going on, and goes away; only on a terminal.
#[derive(Debug)]
pub(super) struct Progress(bool);

impl Progress {
    /// Nothing is said yet.
    pub(super) fn start() -> Self {
        Self(std::io::stderr().is_terminal() && std::io::stdout().is_terminal())
    }

    /// Replaces the line.
    pub(super) fn say(&self, text: &str) {
        if self.0 {
            error(&format!("\r\x1b[K{text} ..."));
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.0 {
            error("\r\x1b[K");
        }
    }
}
