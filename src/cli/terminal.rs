//! stdout and stderr as the commands use them: an answer counts only when it was delivered.

use std::cell::Cell;
use std::io::IsTerminal as _;
use std::process::ExitCode;
use std::sync::OnceLock;
use std::time::Duration;

use super::layout::Layout;
use crate::PROGRAM;
use crate::os::deadline::Deadline;
use crate::os::environment::Environment;
use crate::os::stdio;
use crate::text::printable::{one_line, without_errno};

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
/// stdout is closed or full, or its reader is gone.
pub(super) fn print(text: &str) -> std::io::Result<()> {
    stdio::show(text.as_bytes(), PAGE)
}

/// Writes one of many lines to stdout, until `deadline`, or for a second where that has passed. Threads take turns.
///
/// # Errors
/// stdout is closed or full, or its reader is gone.
pub(super) fn print_line(line: &str, deadline: Deadline) -> std::io::Result<()> {
    let _turn = std::io::stdout().lock();
    stdio::write_stdout(line.as_bytes(), Deadline::within(deadline.left().max(Duration::from_secs(1))))
}

/// Writes a line to stderr behind the program's name, without what would make two of it; a stderr that is closed or full is no
/// failure.
pub(super) fn warn_line(line: &str) {
    let line = one_line(&without_errno(line));
    let named = format!("{PROGRAM}: ");
    let named = if line.starts_with(&named) { "" } else { &named };
    let layout = STDERR.get().cloned().unwrap_or_default();
    error(&layout.line(&format!("{named}{line}"), HANGING));
}

/// How lines on stderr are laid out, once it is known.
static STDERR: OnceLock<Layout> = OnceLock::new();

/// By how many characters a line goes on further to the right than it began.
const HANGING: usize = 2;

/// Lays lines on stderr out for the terminal that it is, if it is one.
pub(crate) fn lay_out_stderr(environment: &Environment) {
    let _ = STDERR.set(Layout::for_stderr(environment));
}

/// Writes what clap says of wrong arguments: its first line behind the program's name, the usage below it as it is.
pub(super) fn usage_error(text: &str) {
    let mut lines = text.lines();
    warn_line(lines.next().map(|line| line.strip_prefix("error: ").unwrap_or(line)).unwrap_or_default());
    let layout = STDERR.get().cloned().unwrap_or_default();
    // Help of a command that lacks one of its own stands here too, with its columns.
    lines.map(one_line).for_each(|line| {
        let is_row = line.starts_with("  ");
        error(&if is_row { layout.page(&line) } else { layout.line(&line, 2 * HANGING) });
    });
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
        let wanted = environment.var_os("NO_COLOR").is_none() && takes_escapes(environment);
        Self(wanted && std::io::stdout().is_terminal())
    }

    fn paint(self, code: &str, text: &str) -> String {
        if self.0 { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    /// What is right.
    pub(super) fn good(self, text: &str) -> String {
        self.paint("32", text)
    }

    /// A note.
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

/// Whether a terminal understands escape sequences.
fn takes_escapes(environment: &Environment) -> bool {
    environment.var("TERM") != Some("dumb")
}

/// A line on stderr that says what is going on, and goes away; only on a terminal.
#[derive(Debug)]
pub(super) struct Progress {
    is_watched: bool,
    is_shown: Cell<bool>,
}

impl Progress {
    /// Nothing is said yet.
    pub(super) fn start(environment: &Environment) -> Self {
        let is_watched = std::io::stderr().is_terminal() && std::io::stdout().is_terminal();
        Self { is_watched: is_watched && takes_escapes(environment), is_shown: Cell::new(false) }
    }

    /// Replaces the line.
    pub(super) fn say(&self, text: &str) {
        if self.is_watched {
            error(&format!("\r\x1b[K{text} ..."));
            self.is_shown.set(true);
        }
    }

    /// Takes the line away, for another one that stays.
    pub(super) fn clear(&self) {
        if self.is_shown.replace(false) {
            error("\r\x1b[K");
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.clear();
    }
}
