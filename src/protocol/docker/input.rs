//! What the client sent.

use crate::secret::Wiped;

use crate::deadline::Deadline;
use crate::protocol::stdin::{self, InputError};

/// The most that stdin may hold, in bytes.
const LONGEST: usize = 64 * 1024;

/// stdin of a `get` or an `erase`.
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

/// Reads it.
pub fn read(deadline: Deadline) -> Input {
    match stdin::read(LONGEST, deadline) {
        Ok(bytes) if bytes.trim_ascii().is_empty() => Input::Empty,
        Ok(bytes) => Input::Bytes(bytes),
        Err(InputError::TooLong(_)) => Input::TooLong,
        Err(error) => Input::Failed(error),
    }
}

/// The name in it: trimmed; not UTF-8 or with control characters, it names no registry of ours.
pub fn name(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok().map(str::trim).filter(|text| !text.chars().any(char::is_control))
}
