//! Values that must never be printed.

use std::fmt;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// A secret: wiped from memory on drop, printed as `REDACTED`, opened only by [`Secret::expose`].
///
/// Tokens, passwords, secret access keys and session tokens travel in this type from the moment they are
/// read until they are written to the answer, the cache file or a signed request.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes ownership of `value`; the caller must not keep a copy.
    pub fn new(value: String) -> Self {
        Self(Zeroizing::new(value))
    }

    /// Opens the secret. Each caller is a place where the value leaves: the answer, the cache file, the
    /// fingerprint or a request to AWS.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("REDACTED")
    }
}
