//! Which file a program's name leads to.

use std::ffi::OsStr;
use std::fs::Metadata;
use std::path::{Path, PathBuf};

/// The folders of a process without PATH, as the C library has them (execvp(3)).
#[cfg(unix)]
const DEFAULT_PATH: &str = "/bin:/usr/bin";

/// A program that can be started.
#[derive(Debug)]
pub(crate) struct Program {
    /// Where it is: absolute, or with a folder before its name.
    pub(crate) path: PathBuf,
    /// What is there, where links lead.
    pub(crate) metadata: Metadata,
}

/// The file that starting `name` would run: `name` itself where it has a folder in it, else the first of that name in the
/// folders of `path` that we may execute. An empty folder is the working directory.
pub(crate) fn find(name: &OsStr, path: Option<&OsStr>) -> Option<Program> {
    if Path::new(name).parent().is_some_and(|folder| !folder.as_os_str().is_empty()) {
        return executable(name.into());
    }
    #[cfg(unix)]
    let path = path.or(Some(OsStr::new(DEFAULT_PATH)));
    std::env::split_paths(path?).find_map(|folder| {
        let folder = if folder.as_os_str().is_empty() { PathBuf::from(".") } else { folder };
        executable(folder.join(name))
    })
}

#[cfg(unix)]
fn executable(path: PathBuf) -> Option<Program> {
    use std::os::unix::fs::PermissionsExt;
    let metadata = path.metadata().ok().filter(Metadata::is_file)?;
    let bits = metadata.permissions().mode() & 0o111;
    // With all three bits it is ours to run, whoever we are; with some of them the system knows.
    let may_run = match bits {
        0o111 => true,
        0 => false,
        _ => {
            use rustix::fs::{Access, AtFlags, CWD, accessat};
            accessat(CWD, &path, Access::EXEC_OK, AtFlags::EACCESS).is_ok()
        }
    };
    may_run.then_some(Program { path, metadata })
}

#[cfg(not(unix))]
fn executable(path: PathBuf) -> Option<Program> {
    let path = if path.extension().is_some() { path } else { path.with_extension("exe") };
    let metadata = path.metadata().ok().filter(Metadata::is_file)?;
    Some(Program { path, metadata })
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn the_first_file_of_the_name_that_may_be_run_is_found() {
        let directory = tempfile::tempdir().unwrap();
        let at = |path: &str| directory.path().join(path);
        for (folder, mode) in [("plain", 0o644), ("own", 0o700), ("all", 0o755)] {
            std::fs::create_dir(at(folder)).unwrap();
            std::fs::write(at(folder).join("creds"), "").unwrap();
            std::fs::set_permissions(at(folder).join("creds"), std::fs::Permissions::from_mode(mode)).unwrap();
        }
        std::fs::create_dir_all(at("folder/creds")).unwrap();
        let found = |folders: &[&str]| {
            let path = std::env::join_paths(folders.iter().map(|folder| at(folder))).unwrap();
            find(OsStr::new("creds"), Some(&path)).map(|program| program.path)
        };
        assert_eq!(found(&["none", "folder", "plain", "own", "all"]), Some(at("own/creds")));
        assert_eq!(found(&["plain", "all", "own"]), Some(at("all/creds")));
        assert_eq!(found(&["plain", "none"]), None);
        let named = at("all/creds");
        assert_eq!(find(named.as_os_str(), None).map(|program| program.path), Some(named));
        assert!(find(at("plain/creds").as_os_str(), None).is_none());
        assert_eq!(find(OsStr::new("sh"), None).map(|program| program.path), Some("/bin/sh".into()));
    }
}
