//! The names of the registries that were ever served from here. `list` names them also when their tokens have expired and
//! are gone: some clients only ask for what is listed.

use std::io::Write as _;

use super::secure_dir::SecureDir;
use super::{Cache, file_names};

/// Names beyond this size, in bytes, are not added.
const LIMIT: usize = 32 * 1024;

impl Cache {
    /// The names, in the order in which they were first served.
    pub(crate) fn served(&self) -> Vec<String> {
        self.directory().map(names).unwrap_or_default()
    }
}

/// Adds a name, if it is not there. Appending a line needs no lock.
pub(super) fn add(directory: &SecureDir, host: &str) {
    let known = names(directory);
    let size: usize = known.iter().map(|name| name.len() + 1).sum();
    if known.iter().any(|name| name == host) || size + host.len() >= LIMIT {
        return;
    }
    // Its mode is right from the start then, whatever the umask.
    if directory.state(file_names::SERVED).is_none() {
        let _ = directory.create_new(file_names::SERVED);
    }
    if let Ok(mut file) = directory.open_or_create(file_names::SERVED) {
        // Without the name `list` is shorter once the token has expired.
        let _ = file.write_all(format!("{host}\n").as_bytes());
    }
}

fn names(directory: &SecureDir) -> Vec<String> {
    let Ok(bytes) = directory.read(file_names::SERVED, LIMIT) else { return Vec::new() };
    String::from_utf8_lossy(&bytes).lines().map(str::to_owned).collect()
}
