//! The log file: ours alone, cut at 5 MiB with one old file kept, written by many processes at once.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// When a file is put aside, in bytes.
const MAX_LOG_BYTES: u64 = 5 * 1024 * 1024;

/// An open log file.
pub(super) struct LogFile {
    path: PathBuf,
    file: File,
}

impl LogFile {
    /// Opens the file for appending, or makes it.
    ///
    /// # Errors
    /// It cannot be opened, is a link or no ordinary file, or belongs to another user.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self { path: path.to_owned(), file: open(path)? })
    }

    /// Writes one line, in one call, so that lines of several processes do not mix.
    ///
    /// # Errors
    /// The disk's.
    pub(super) fn write(&mut self, line: &[u8]) -> io::Result<()> {
        if self.file.metadata()?.len() + line.len() as u64 > MAX_LOG_BYTES {
            self.put_aside(line.len() as u64);
        }
        self.file.write_all(line)
    }

    /// Renames the file that is full and begins a new one. The lock is on the full file itself: of several processes
    /// that find it full, one renames it, and the others then see that the name leads to a new one.
    ///
    /// Nobody is waited for: where the lock is held, or the file cannot be renamed, lines go on being added to it.
    fn put_aside(&mut self, more: u64) {
        if matches!(self.file.try_lock(), Err(TryLockError::WouldBlock)) {
            return;
        }
        if fs::symlink_metadata(&self.path).is_ok_and(|metadata| metadata.len() + more > MAX_LOG_BYTES) {
            let mut old = self.path.clone().into_os_string();
            old.push(".old");
            let _ = fs::rename(&self.path, old);
        }
        let new = open(&self.path);
        let _ = self.file.unlock();
        if let Ok(new) = new {
            self.file = new;
        }
    }
}

fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    {
        use rustix::fs::OFlags;
        use std::os::unix::fs::OpenOptionsExt as _;
        // A link could lead into another user's file, and a pipe would wait for its reader.
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
        options.mode(0o600).custom_flags(i32::try_from(flags.bits()).unwrap_or_default());
    }
    let file = options.open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::other("not an ordinary file"));
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
        if metadata.uid() != crate::os::user::effective() {
            return Err(io::Error::other("it belongs to another user"));
        }
        // Where the system lets everybody give a file of ours another name, this may be any file of ours.
        if metadata.nlink() != 1 {
            return Err(io::Error::other("it has another name too"));
        }
        if metadata.mode() & 0o777 != 0o600 {
            file.set_permissions(fs::Permissions::from_mode(0o600))?;
        }
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_file_is_put_aside_and_the_one_before_is_gone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        let line = vec![b'x'; 1024 * 1024];
        let (mut one, mut two) = (LogFile::open(&path).unwrap(), LogFile::open(&path).unwrap());
        for _ in 0..8 {
            one.write(&line).unwrap();
            two.write(&line).unwrap();
        }
        assert_eq!(fs::metadata(&path).unwrap().len(), 1024 * 1024);
        assert_eq!(fs::metadata(directory.path().join("log.old")).unwrap().len(), 5 * 1024 * 1024);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 2);
    }

    #[cfg(unix)]
    #[test]
    fn a_link_a_pipe_and_a_wide_mode() {
        use std::os::unix::fs::PermissionsExt as _;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        fs::write(&path, "").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
        LogFile::open(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let link = directory.path().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert!(LogFile::open(&link).is_err());
        let victim = directory.path().join("victim");
        fs::write(&victim, "precious").unwrap();
        fs::set_permissions(&victim, fs::Permissions::from_mode(0o640)).unwrap();
        let other_name = directory.path().join("other-name");
        fs::hard_link(&victim, &other_name).unwrap();
        assert!(LogFile::open(&other_name).is_err());
        assert_eq!(fs::metadata(&victim).unwrap().permissions().mode() & 0o777, 0o640);
        assert!(LogFile::open(directory.path()).is_err());
    }
}
