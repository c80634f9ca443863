//! Values that must never be printed.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::{Deserialize, Serialize};
use zeroize::optimization_barrier;

/// A secret: wiped from memory on drop, printed as `REDACTED`, opened only by [`Secret::expose`].
///
/// Tokens, passwords, secret access keys and session tokens travel in this type from the moment they are
/// read until they are written to the answer, the cache file or a signed request.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Takes ownership of `value`; the caller must not keep a copy.
    pub fn new(value: String) -> Self {
        Self(value)
    }

    /// Opens the secret. Each caller is a place where the value leaves: the answer, the cache file, the
    /// cache key or a request to AWS.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        wipe(&mut std::mem::take(&mut self.0).into_bytes());
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("REDACTED")
    }
}

/// Overwrites with zeros, in a way that the compiler may not leave out. `Zeroize` does it byte by byte, which cost a
/// tenth of a cached `get`'s instructions; its crate has the barrier for those who fill in one sweep.
fn wipe(bytes: &mut [u8]) {
    bytes.fill(0);
    optimization_barrier(bytes);
}

/// Whether everything that is given back to the allocator is wiped.
static FREED_IS_WIPED: AtomicBool = AtomicBool::new(false);

/// From now on memory is wiped when it is given back, whoever had it: the SDK, HTTP, TLS and the readers of JSON and XML
/// copy secrets into buffers of their own, and `setup` and `doctor` read clients' files with logins in them. A cached
/// answer does without: there each secret is in a type of ours, and wiping the rest too would be an eighth of its
/// instructions. (The binary's allocator, `src/start.rs`, does the wiping; elsewhere than on Linux with glibc there is
/// none.)
pub(crate) fn wipe_what_is_freed() {
    FREED_IS_WIPED.store(true, Ordering::Relaxed);
}

/// What `wipe_what_is_freed` has said; for the allocator.
pub fn is_freed_wiped() -> bool {
    FREED_IS_WIPED.load(Ordering::Relaxed)
}

/// Bytes that hold a secret for a while: wiped when dropped, as far as they are filled and no further. (An answer has
/// room for six times its length, in case that all of it must be escaped.)
#[derive(Default)]
pub struct Wiped(Vec<u8>);

impl Wiped {
    /// Empty, with room for so many bytes. Whoever fills it beyond them leaves a copy behind.
    pub(crate) fn with_capacity(capacity: usize) -> Self {
        Self(Vec::with_capacity(capacity))
    }
}

impl From<Vec<u8>> for Wiped {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

impl std::ops::Deref for Wiped {
    type Target = Vec<u8>;

    fn deref(&self) -> &Vec<u8> {
        &self.0
    }
}

impl std::ops::DerefMut for Wiped {
    fn deref_mut(&mut self) -> &mut Vec<u8> {
        &mut self.0
    }
}

impl Drop for Wiped {
    fn drop(&mut self) {
        wipe(&mut self.0);
    }
}

impl fmt::Debug for Wiped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}
