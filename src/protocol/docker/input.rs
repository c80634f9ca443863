//! What the client sent.

use crate::os::secret::Wiped;

use crate::PROGRAM;
use crate::os::deadline::Deadline;
use crate::os::stdin::{self, InputError};
use crate::os::stdio;

/// The most that stdin may hold, in bytes.
const MAX_STDIN_BYTES: usize = 64 * 1024;

/// The content of stdin.
#[derive(Debug)]
pub enum Input {
    /// Nothing but blanks.
    Empty,
    /// Bytes that may be a name.
    Bytes(Wiped),
    /// More bytes than any name has: not a registry.
    TooLong,
    /// It did not end in time or could not be read.
    Failed(InputError),
}

/// Said to a person who typed the action.
fn hint() {
    stdio::warn_line(PROGRAM, "type the name of a registry and Ctrl-D; docker and other clients write it on stdin");
}

impl Input {
    /// Reads stdin.
    pub(super) fn read(deadline: Deadline) -> Self {
        match stdin::read(MAX_STDIN_BYTES, deadline, hint) {
            Ok(bytes) => Self::of(bytes),
            Err(InputError::TooLong(_)) => Self::TooLong,
            Err(error) => Self::Failed(error),
        }
    }

    /// Classifies bytes.
    pub fn of(bytes: Wiped) -> Self {
        if bytes.len() > MAX_STDIN_BYTES {
            Self::TooLong
        } else if bytes.trim_ascii().is_empty() {
            Self::Empty
        } else {
            Self::Bytes(bytes)
        }
    }
}

/// The name, trimmed; `None` if it is not UTF-8 or has control characters, since no ECR name does.
pub(super) fn name(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok().map(str::trim).filter(|text| !text.chars().any(char::is_control))
}
