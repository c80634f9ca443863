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
    // Processes that add at once may go past the limit. What could not be read any more would grow without end.
    let Ok(bytes) = directory.read(file_names::SERVED, 2 * LIMIT) else { return Vec::new() };
    String::from_utf8_lossy(&bytes).lines().map(str::to_owned).collect()
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};

    use super::*;

    #[test]
    fn a_list_that_grew_past_its_limit_is_read_and_grows_no_more() {
        let place = tempfile::tempdir().unwrap();
        std::fs::set_permissions(place.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
        let path = place.path().join(file_names::SERVED);
        let mut file = std::fs::File::options().create_new(true).write(true).mode(0o600).open(&path).unwrap();
        file.write_all("a.example\n".repeat(LIMIT / 10 + 1).as_bytes()).unwrap();
        let before = path.metadata().unwrap().len();
        assert!(before > LIMIT as u64);
        let directory = SecureDir::open(place.path()).unwrap().unwrap();
        add(&directory, "b.example");
        assert_eq!(path.metadata().unwrap().len(), before);
        assert!(names(&directory).contains(&"a.example".to_owned()));
    }
}
