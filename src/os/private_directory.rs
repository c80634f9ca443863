//! Directories that no other user may use, where that takes calls of the system's that safe code does not have (the access
//! lists of Windows): the edge gives them.

use std::io;
use std::path::Path;
use std::sync::OnceLock;

/// The system's calls.
#[derive(Clone, Copy, Debug)]
pub struct PrivateDirectory {
    /// Makes a directory for ourselves alone; one that is there stays as it is.
    pub create: fn(&Path) -> io::Result<()>,
    /// Who else owns it or has rights there, if anybody.
    pub accessible_to: fn(&Path) -> io::Result<Option<String>>,
}

static SYSTEM: OnceLock<PrivateDirectory> = OnceLock::new();

/// Says once, before any directory is used, how.
pub fn provide(system: PrivateDirectory) {
    let _ = SYSTEM.set(system);
}

/// Makes a directory for ourselves alone, and those above it as the system has them.
pub(crate) fn create(path: &Path) -> io::Result<()> {
    let Some(system) = SYSTEM.get() else { return std::fs::create_dir_all(path) };
    if let Some(above) = path.parent() {
        std::fs::create_dir_all(above)?;
    }
    (system.create)(path)
}

/// Who else may use the directory, if anybody.
pub(crate) fn accessible_to(path: &Path) -> io::Result<Option<String>> {
    SYSTEM.get().map_or(Ok(None), |system| (system.accessible_to)(path))
}
