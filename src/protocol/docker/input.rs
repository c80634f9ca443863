//! What the client sent.

use crate::os::secret::Wiped;

use crate::os::deadline::Deadline;
use crate::os::stdin::{self, InputError};

/// The most that stdin may hold, in bytes.
const LONGEST: usize = 64 * 1024;

/// What stood on stdin.
#[derive(Debug)]
pub enum Input {
    /// Nothing but blanks.
    Empty,
    /// What may be a name.
    Bytes(Wiped),
    /// More than any name has: not a registry.
    TooLong,
    /// It did not end in time or could not be read.
    Failed(InputError),
}

impl Input {
    /// Reads stdin.
    pub fn read(deadline: Deadline) -> Self {
        match stdin::read(LONGEST, deadline) {
            Ok(bytes) => Self::of(bytes),
            Err(InputError::TooLong(_)) => Self::TooLong,
            Err(error) => Self::Failed(error),
        }
    }

    /// What these bytes are.
    pub fn of(bytes: Wiped) -> Self {
        if bytes.len() > LONGEST {
            Self::TooLong
        } else if bytes.trim_ascii().is_empty() {
            Self::Empty
        } else {
            Self::Bytes(bytes)
        }
    }
}

/// The name in it: trimmed; not UTF-8 or with control characters, it names no registry of ours.
pub fn name(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok().map(str::trim).filter(|text| !text.chars().any(char::is_control))
}
