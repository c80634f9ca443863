//! A directory that only its owner can write, and the files in it, always by the directory's handle.

mod error;
#[cfg(all(unix, test))]
mod faulty;
#[cfg(not(unix))]
mod portable;
#[cfg(unix)]
mod unix;

pub(super) use error::{Unopened, Unread};
#[cfg(all(unix, test))]
pub(crate) use faulty::{Fault, SecureDir, with_fault};
#[cfg(not(unix))]
pub(super) use portable::{SecureDir, State};
#[cfg(all(unix, not(test)))]
pub(super) use unix::SecureDir;
#[cfg(unix)]
pub(super) use unix::State;
