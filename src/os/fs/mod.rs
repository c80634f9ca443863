//! Files of the user's and of other tools: bounded reading, and replacing without losing anything.

pub(crate) mod bounded_read;
mod folder;
pub(crate) mod trusted;
pub mod user_file;

use std::io;
use std::path::{Path, PathBuf};

/// The path without links, as people write it: on Windows `C:\...` where that will do, not `\\?\C:\...`.
///
/// # Errors
/// Nothing is there, or it may not be looked at.
pub(crate) fn canonical(path: &Path) -> io::Result<PathBuf> {
    dunce::canonicalize(path)
}

/// The path with the system's own separator throughout: on Windows what we add to a path is written with `/` too.
pub(crate) fn native(path: PathBuf) -> PathBuf {
    if cfg!(windows) { path.components().collect() } else { path }
}
