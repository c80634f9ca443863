//! The same directory where there are no Unix owners, modes and links: Windows, where an access list that gives others
//! nothing is put on a directory that we make, and looked at whenever one is opened. Files inherit it.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, UNIX_EPOCH};

use super::{Unopened, Unread};
use crate::os::private_directory;
use crate::os::secret::Wiped;

/// Windows refuses to open or read a file for as long as its writer has it locked (`ERROR_SHARING_VIOLATION`,
/// `ERROR_LOCK_VIOLATION`): a new file is, from its renaming until its writer closes it.
const IN_USE: [Option<i32>; 2] = [Some(32), Some(33)];

/// What it says where the file to be replaced is open (`ERROR_ACCESS_DENIED`, `ERROR_SHARING_VIOLATION`).
const REPLACED_IN_USE: [Option<i32>; 2] = [Some(5), Some(32)];

/// How often such a file is tried again, and after how long.
const TRIES: u32 = 100;
const PAUSE: Duration = Duration::from_millis(2);

/// A directory.
#[derive(Debug)]
pub(crate) struct SecureDir {
    path: PathBuf,
}

/// What tells one state of a file from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct State {
    /// In bytes.
    pub(crate) size: u64,
    /// Seconds since the Unix epoch.
    pub(crate) modified_at: i64,
}

impl SecureDir {
    /// Opens the directory; `None` where there is none.
    ///
    /// # Errors
    /// Something else is in its place, or it cannot be looked at.
    pub(crate) fn open(path: &Path) -> Result<Option<Self>, Unopened> {
        match path.symlink_metadata() {
            Ok(found) if found.is_dir() => match private_directory::accessible_to(path)? {
                None => Ok(Some(Self { path: path.to_owned() })),
                Some(who) => Err(Unopened::Untrusted(format!("others can use it too ({who}); remove it"))),
            },
            Ok(_) => Err(Unopened::Untrusted("it is not a directory".to_owned())),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Makes the directory and opens it.
    ///
    /// # Errors
    /// It cannot be made.
    pub(crate) fn create(path: &Path) -> io::Result<Self> {
        private_directory::create(path)?;
        match Self::open(path) {
            Ok(Some(directory)) => Ok(directory),
            Ok(None) => Err(io::ErrorKind::NotFound.into()),
            Err(Unopened::Untrusted(reason)) => Err(io::Error::new(io::ErrorKind::PermissionDenied, reason)),
            Err(Unopened::Failed(error)) => Err(error),
        }
    }

    /// The whole of a file of at most `limit` bytes.
    ///
    /// # Errors
    /// Nothing usable is there.
    pub(crate) fn read(&self, name: &str, limit: usize) -> Result<Wiped, Unread> {
        let path = self.path.join(name);
        let failed = |error: io::Error| match error.kind() {
            io::ErrorKind::NotFound => Unread::Unusable,
            _ => Unread::Failed(error),
        };
        let found = path.symlink_metadata().map_err(failed)?;
        let size = usize::try_from(found.len()).unwrap_or(usize::MAX);
        if !found.is_file() || size > limit {
            return Err(Unread::Unusable);
        }
        let mut bytes = Wiped::from(vec![0; size]);
        let mut tries = 0;
        loop {
            match File::open(&path).and_then(|mut file| file.read_exact(&mut bytes)) {
                Ok(()) => return Ok(bytes),
                Err(error) if IN_USE.contains(&error.raw_os_error()) && tries < TRIES => {
                    tries += 1;
                    sleep(PAUSE);
                }
                Err(error) => return Err(failed(error)),
            }
        }
    }

    /// Makes a file that was not there.
    ///
    /// # Errors
    /// The file exists, or the file system refuses.
    pub(crate) fn create_new(&self, name: &str) -> io::Result<File> {
        OpenOptions::new().write(true).create_new(true).open(self.path.join(name))
    }

    /// Opens a file that is there, or makes it, to be locked or appended to.
    ///
    /// # Errors
    /// The file system refuses.
    pub(crate) fn open_or_create(&self, name: &str) -> io::Result<File> {
        OpenOptions::new().append(true).create(true).open(self.path.join(name))
    }

    /// Opens a file that is there, to be locked.
    ///
    /// # Errors
    /// The file system refuses.
    pub(crate) fn open_existing(&self, name: &str) -> io::Result<File> {
        OpenOptions::new().write(true).open(self.path.join(name))
    }

    /// The file's state now.
    pub(crate) fn state(&self, name: &str) -> Option<State> {
        let found = self.path.join(name).symlink_metadata().ok()?;
        let modified = found.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
        Some(State { size: found.len(), modified_at: i64::try_from(modified.as_secs()).ok()? })
    }

    /// Whether `name` still is the file that `file` has open: nobody can remove an open file here.
    pub(crate) fn is(&self, _file: &File, name: &str) -> bool {
        self.path.join(name).exists()
    }

    /// Puts `from` in the place of `to`, which others may have open for a moment, to read or to scan it.
    ///
    /// # Errors
    /// The file system refuses.
    pub(crate) fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut tries = 0;
        loop {
            match std::fs::rename(self.path.join(from), self.path.join(to)) {
                Err(error) if REPLACED_IN_USE.contains(&error.raw_os_error()) && tries < TRIES => {
                    tries += 1;
                    sleep(PAUSE);
                }
                done => return done,
            }
        }
    }

    /// Removes a file; true if it was there and is gone.
    pub(crate) fn remove(&self, name: &str) -> bool {
        let path = self.path.join(name);
        std::fs::remove_file(&path).or_else(|_| std::fs::remove_dir(&path)).is_ok()
    }

    /// The names of everything inside.
    ///
    /// # Errors
    /// The directory cannot be read to its end.
    pub(crate) fn names(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for found in std::fs::read_dir(&self.path)? {
            names.extend(found?.file_name().into_string().ok());
        }
        Ok(names)
    }
}
