//! The user that runs this process, and its home directory, without asking the host's C library: `getpwuid` of a static
//! binary would load the host's modules.

use std::path::{Path, PathBuf};

/// The most of `/etc/passwd` that is read, in bytes.
#[cfg(unix)]
const PASSWD_LIMIT: u64 = 1 << 20;

/// The effective user, asked of the system once: we never change it.
#[cfg(unix)]
pub(crate) fn effective() -> u32 {
    static USER: std::sync::OnceLock<u32> = std::sync::OnceLock::new();
    *USER.get_or_init(|| rustix::process::geteuid().as_raw())
}

/// Whether the effective user is root; there is none on Windows.
pub(crate) fn is_root() -> bool {
    #[cfg(unix)]
    return effective() == 0;
    #[cfg(not(unix))]
    false
}

/// Whether `path` is an absolute path of a directory that the effective user owns.
#[cfg(unix)]
pub(crate) fn owns_directory(path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    path.is_absolute() && path.metadata().is_ok_and(|found| found.is_dir() && found.uid() == effective())
}

/// Whether `path` is an absolute path of a directory.
#[cfg(not(unix))]
pub(crate) fn owns_directory(path: &Path) -> bool {
    path.is_absolute() && path.is_dir()
}

/// The effective user's home directory by `/etc/passwd`, if it exists and is theirs. Users that only a
/// directory service knows have none here. The file is read once.
#[cfg(unix)]
pub(crate) fn passwd_home() -> Option<PathBuf> {
    use std::io::Read;
    fn read() -> Option<PathBuf> {
        let mut text = Vec::new();
        std::fs::File::open("/etc/passwd").ok()?.take(PASSWD_LIMIT).read_to_end(&mut text).ok()?;
        home_in(&text, effective()).filter(|home| owns_directory(home))
    }
    static HOME: std::sync::OnceLock<Option<PathBuf>> = std::sync::OnceLock::new();
    HOME.get_or_init(read).clone()
}

/// Whether we may look up names in the directory `path`. A HOME where we may not is no home: a container that keeps
/// root's HOME for another user.
#[cfg(unix)]
pub(crate) fn may_search(path: &Path) -> bool {
    rustix::fs::access(path, rustix::fs::Access::EXEC_OK).is_ok()
}

/// Elsewhere nothing is known of it.
#[cfg(not(unix))]
pub(crate) fn may_search(_path: &Path) -> bool {
    true
}

/// Elsewhere there is no such file.
#[cfg(not(unix))]
pub(crate) fn passwd_home() -> Option<PathBuf> {
    None
}

/// The home directory of `user` by the text of a passwd(5) file.
#[cfg(unix)]
fn home_in(text: &[u8], user: u32) -> Option<PathBuf> {
    use std::os::unix::ffi::OsStrExt;
    text.split(|byte| *byte == b'\n').find_map(|line| {
        let mut fields = line.split(|byte| *byte == b':').skip(2);
        let id: u32 = std::str::from_utf8(fields.next()?).ok()?.parse().ok()?;
        let home = fields.nth(2).filter(|_| id == user)?;
        home.starts_with(b"/").then(|| PathBuf::from(std::ffi::OsStr::from_bytes(home)))
    })
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn the_home_of_a_user_by_the_passwd_file() {
        let text =
            b"root:x:0:0:root:/root:/bin/sh\nbroken\n::\nnode:x:1000:1000:,,,:/home/node:/bin/sh\nlast:x:7:7::rel:";
        assert_eq!(home_in(text, 0), Some(PathBuf::from("/root")));
        assert_eq!(home_in(text, 1000), Some(PathBuf::from("/home/node")));
        assert_eq!(home_in(text, 7), None, "not absolute");
        assert_eq!(home_in(text, 8), None);
        assert_eq!(home_in(b"\xff\n", 0), None);
    }
}
