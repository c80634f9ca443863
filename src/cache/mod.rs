//! Tokens on disk: one small file an entry, replaced atomically, trusted only when nobody else could have
//! written it.

use crate::environment::Environment;
use crate::identity::Fingerprint;
use crate::secret::Secret;

/// One token for one registry, as it stands in its file. Times are seconds since the Unix epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The registry's host.
    pub registry: String,
    /// Whose token it is.
    pub fingerprint: Fingerprint,
    /// The identity in words.
    pub label: String,
    /// When ECR issued it.
    pub issued_at: i64,
    /// From when on a `get` starts a refresh.
    pub refresh_at: i64,
    /// When ECR stops accepting it.
    pub expires_at: i64,
    /// The user name, `AWS`.
    pub username: String,
    /// The password.
    pub password: Secret,
}

/// The cache directory.
#[derive(Debug)]
pub struct Cache;

impl Cache {
    /// Finds the directory; `None` where none is usable or wanted.
    pub fn open(_environment: &Environment) -> Option<Self> {
        None
    }
}
