//! Why a file or a directory of the cache is not used.

use std::io;

/// Why a file gave nothing.
#[derive(Debug, thiserror::Error)]
pub enum Unread {
    /// There is none, or it is no file of a size that we write.
    #[error("there is no such file of ours")]
    Unusable,
    /// It is there, as far as is known, and the system does not let us read it.
    #[error(transparent)]
    Failed(io::Error),
    /// Somebody else could have written it.
    #[error("{0}")]
    Untrusted(String),
}

/// Why a directory that is there was not opened.
#[derive(Debug, thiserror::Error)]
pub enum Unopened {
    /// It is not trusted; the text says why and what to do.
    #[error("{0}")]
    Untrusted(String),
    /// The system refuses.
    #[error(transparent)]
    Failed(#[from] io::Error),
}
