//! Questions to the person at the terminal, whatever stdin and stdout are: stdin is the client's.
//!
//! The terminal's modes are left as they are, so that there is nothing to put back, however the process ends.

use std::fs::File;
use std::io::{self, IsTerminal as _, Read as _, Write as _};

use zeroize::Zeroizing;

use super::deadline::Deadline;

/// The most that a line may hold, in bytes; a terminal's own limit is 4096.
const LINE_LIMIT: usize = 4096;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AskError {
    /// The process has no terminal.
    #[error("there is no terminal to ask on")]
    NoTerminal(#[source] io::Error),
    /// Ctrl-D, or the terminal is gone.
    #[error("no answer was given")]
    Closed,
    /// Nobody answered in time.
    #[error("nobody answered in time")]
    TimedOut,
    /// The terminal cannot be written to or read from.
    #[error("the terminal cannot be used: {0}")]
    Failed(#[source] io::Error),
}

/// The process's own terminal.
pub(crate) struct Terminal {
    screen: File,
    keyboard: File,
}

impl Terminal {
    /// Opens it.
    ///
    /// # Errors
    /// The process has none: a service, a container without `-t`, a CI job.
    pub(crate) fn open() -> Result<Self, AskError> {
        let (keyboard, screen) = if cfg!(windows) { ("CONIN$", "CONOUT$") } else { ("/dev/tty", "/dev/tty") };
        let open = || {
            let keyboard = File::options().read(true).write(cfg!(windows)).open(keyboard)?;
            Ok(Self { keyboard, screen: File::options().read(cfg!(windows)).write(true).open(screen)? })
        };
        open().map_err(AskError::NoTerminal)
    }

    /// stdin and stdout, where both are a terminal: for a command that a person types.
    pub(crate) fn of_stdio() -> Option<Self> {
        if !(io::stdin().is_terminal() && io::stdout().is_terminal()) {
            return None;
        }
        #[cfg(unix)]
        {
            use std::os::fd::AsFd as _;
            let keyboard = io::stdin().as_fd().try_clone_to_owned().ok()?.into();
            Some(Self { keyboard, screen: io::stdout().as_fd().try_clone_to_owned().ok()?.into() })
        }
        #[cfg(not(unix))]
        Self::open().ok()
    }

    /// Shows `text` as it is.
    ///
    /// # Errors
    /// The terminal takes nothing.
    pub(crate) fn show(&mut self, text: &str) -> Result<(), AskError> {
        self.screen.write_all(text.as_bytes()).and_then(|()| self.screen.flush()).map_err(AskError::Failed)
    }

    /// Shows the question and reads the line that is typed, without blanks around it.
    ///
    /// # Errors
    /// Nobody answered until `deadline`, or cannot.
    pub(crate) fn ask(&mut self, question: &str, deadline: Deadline) -> Result<Zeroizing<String>, AskError> {
        self.show(question)?;
        // Room for all of it: a vector that grows leaves copies behind.
        let mut line = Zeroizing::new(Vec::with_capacity(LINE_LIMIT));
        while !line.contains(&b'\n') && line.len() < LINE_LIMIT {
            wait(&self.keyboard, deadline)?;
            let mut byte = [0];
            match self.keyboard.read(&mut byte) {
                Ok(0) => return Err(AskError::Closed),
                Ok(_) => line.push(byte[0]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(AskError::Failed(error)),
            }
        }
        Ok(Zeroizing::new(String::from_utf8_lossy(&line).trim().to_owned()))
    }
}

/// Waits until something was typed.
#[cfg(unix)]
fn wait(keyboard: &File, deadline: Deadline) -> Result<(), AskError> {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    loop {
        let left = deadline.left();
        if left.is_zero() {
            return Err(AskError::TimedOut);
        }
        let seconds = i64::try_from(left.as_secs()).unwrap_or(i64::MAX);
        let left = Timespec { tv_sec: seconds, tv_nsec: left.subsec_nanos().into() };
        match poll(&mut [PollFd::new(keyboard, PollFlags::IN)], Some(&left)) {
            Ok(0) | Err(rustix::io::Errno::INTR) => {}
            Ok(_) => return Ok(()),
            Err(error) => return Err(AskError::Failed(error.into())),
        }
    }
}

/// A console's read cannot be bounded without calls of the system's own.
#[cfg(not(unix))]
fn wait(_keyboard: &File, deadline: Deadline) -> Result<(), AskError> {
    if deadline.passed() { Err(AskError::TimedOut) } else { Ok(()) }
}
