//! The last reason that a `get` gave: several clients hide a helper's stderr, so `status` and `doctor` show it again.

use serde::{Deserialize, Serialize};

use super::{Cache, atomic_write, file_names};

/// The most that the file may hold, in bytes.
const LIMIT: usize = 16 * 1024;

/// What a `get` last wrote, or would have written, to stderr.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LastFailure {
    /// When, in seconds since the Unix epoch.
    pub(crate) at: i64,
    /// The line, which names the registry.
    pub(crate) line: String,
}

impl Cache {
    /// Records a reason in the place of the one before. Without a usable directory nothing is recorded.
    pub(crate) fn record_failure(&self, failure: &LastFailure) {
        if let Some(directory) = self.writable()
            && let Ok(bytes) = serde_json::to_vec(failure)
            && bytes.len() <= LIMIT
        {
            // What cannot be recorded was printed on stderr.
            let _ = atomic_write::replace(directory, file_names::LAST_FAILURE, &bytes, None);
        }
    }

    /// The last recorded reason.
    pub(crate) fn last_failure(&self) -> Option<LastFailure> {
        let bytes = self.directory()?.read(file_names::LAST_FAILURE, LIMIT).ok()?;
        serde_json::from_slice(&bytes).ok()
    }
}
