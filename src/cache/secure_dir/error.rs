//! Why a file or a directory of the cache is not used.

use std::io;

/// Why a file could not be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unread {
    /// There is none, or it is not a regular file of a size that this program writes.
    #[error("there is no such file of ours")]
    Unusable,
    /// It exists, as far as is known, and the system refuses to read it.
    #[error(transparent)]
    Failed(io::Error),
    /// Another user could have written it. (On Windows that is asked of the directory.)
    #[cfg_attr(not(unix), allow(dead_code, reason = "files there inherit the access list of their directory"))]
    #[error("{0}")]
    Untrusted(String),
}

/// Why an existing directory was not opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unopened {
    /// It is not trusted; the text says why and what to do.
    #[error("{0}")]
    Untrusted(String),
    /// The system refuses.
    #[error(transparent)]
    Failed(#[from] io::Error),
}
