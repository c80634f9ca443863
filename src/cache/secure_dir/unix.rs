//! One directory, opened once; every file in it is reached through that handle, without following links.
//!
//! A directory or file that somebody else owns or may write is not trusted: it is not read, and the reason
//! becomes a line for the user.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::Path;
use std::sync::Mutex;

use super::{Unopened, Unread};
use crate::os::secret::Wiped;
use rustix::fs::{AtFlags, CWD, Dir, Mode, OFlags, RawMode, Stat};
use rustix::io::Errno;

use crate::os::user;

/// An open directory that only the effective user can write.
#[derive(Debug)]
pub(crate) struct SecureDir {
    handle: OwnedFd,
}

/// What tells one state of a file from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct State {
    inode: u64,
    /// In bytes.
    pub(crate) size: u64,
    /// Seconds since the Unix epoch.
    pub(crate) modified_at: i64,
}

impl SecureDir {
    /// Opens the directory; `None` where there is none.
    ///
    /// # Errors
    /// The directory is not trusted, or cannot be opened.
    pub(crate) fn open(path: &Path) -> Result<Option<Self>, Unopened> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let handle = match rustix::fs::openat(CWD, path, flags, Mode::empty()) {
            Ok(handle) => handle,
            // A link, or a file where the directory should be.
            Err(Errno::NOTDIR | Errno::LOOP) => {
                return match path.symlink_metadata() {
                    Ok(found) if found.is_symlink() => Err(Unopened::Untrusted("it is a symbolic link".to_owned())),
                    Ok(_) => Err(Unopened::Untrusted("it is not a directory".to_owned())),
                    Err(_) => Ok(None),
                };
            }
            Err(Errno::NOENT) => return Ok(None),
            // A directory that its owner has closed to us is no more trusted than one that is open to others.
            Err(error) => {
                if let (Errno::ACCESS, Ok(found)) = (error, rustix::fs::lstat(path)) {
                    trusted(&found).map_err(Unopened::Untrusted)?;
                }
                return Err(io::Error::from(error).into());
            }
        };
        let found = rustix::fs::fstat(&handle).map_err(io::Error::from)?;
        if let Err(reason) = trusted(&found) {
            // Kubernetes' `fsGroup` gives the group write on everything of a volume at each mount. What it could have
            // written meanwhile is not read: its files are not ours, and ours are checked one by one.
            if !is_ours(&found) || rustix::fs::fchmod(&handle, Mode::RWXU).is_err() {
                return Err(Unopened::Untrusted(reason));
            }
        }
        Ok(Some(Self { handle }))
    }

    /// Makes the directory, and those above it that are missing, for its owner alone, and opens it.
    ///
    /// # Errors
    /// It cannot be made, or what is there is not trusted.
    pub(crate) fn create(path: &Path) -> io::Result<Self> {
        match make(path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
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
    /// Nothing usable is there, or nothing that can be trusted.
    pub(crate) fn read(&self, name: &str, limit: usize) -> Result<Wiped, Unread> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let mut file = match self.at(name, flags) {
            Ok(handle) => File::from(handle),
            Err(Errno::NOENT | Errno::LOOP) => return Err(Unread::Unusable),
            Err(error) => return Err(Unread::Failed(error.into())),
        };
        let found = rustix::fs::fstat(&file).map_err(|error| Unread::Failed(error.into()))?;
        let size = usize::try_from(found.st_size).unwrap_or(usize::MAX);
        if !is_regular(&found) || size > limit {
            return Err(Unread::Unusable);
        }
        if let Err(reason) = trusted(&found) {
            // The group can write it after a mount with `fsGroup`: a miss, and the next write replaces it.
            let by_group_alone = is_ours(&found) && found.st_mode & 0o002 == 0;
            return Err(if by_group_alone { Unread::Unusable } else { Unread::Untrusted(reason) });
        }
        let mut bytes = Wiped::from(vec![0; size]);
        let mut filled = 0;
        while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match file.read(rest) {
                Ok(0) => return Err(Unread::Unusable),
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Unread::Failed(error)),
            }
        }
        Ok(bytes)
    }

    /// Makes a file that was not there, readable and writable by its owner alone.
    ///
    /// # Errors
    /// The file exists, or the file system refuses.
    pub(crate) fn create_new(&self, name: &str) -> io::Result<File> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = File::from(rustix::fs::openat(&self.handle, name, flags, Mode::RUSR | Mode::WUSR)?);
        if file.metadata()?.mode() & 0o7777 != 0o600 {
            file.set_permissions(std::fs::Permissions::from_mode(0o600))?;
        }
        Ok(file)
    }

    /// Opens a file that is there, or makes it, to be locked or appended to.
    ///
    /// # Errors
    /// It is no regular file of ours, or the file system refuses.
    pub(crate) fn open_or_create(&self, name: &str) -> io::Result<File> {
        // A shared lock on NFS wants a handle that can read, an exclusive one a handle that can write.
        let flags = OFlags::RDWR
            | OFlags::APPEND
            | OFlags::CREATE
            | OFlags::NOFOLLOW
            | OFlags::NONBLOCK
            | OFlags::NOCTTY
            | OFlags::CLOEXEC;
        self.ours(rustix::fs::openat(&self.handle, name, flags, Mode::RUSR | Mode::WUSR)?)
    }

    /// Opens a file that is there, to be locked.
    ///
    /// # Errors
    /// It is no regular file of ours, or the file system refuses.
    pub(crate) fn open_existing(&self, name: &str) -> io::Result<File> {
        let flags = OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        self.ours(self.at(name, flags)?)
    }

    /// The file's state now.
    pub(crate) fn state(&self, name: &str) -> Option<State> {
        rustix::fs::statat(&self.handle, name, AtFlags::SYMLINK_NOFOLLOW).ok().map(|found| State::of(&found))
    }

    /// Whether `name` still is the file that `file` has open.
    pub(crate) fn is(&self, file: &File, name: &str) -> bool {
        let inode = |found: &Stat| (found.st_dev, found.st_ino);
        match (rustix::fs::fstat(file), rustix::fs::statat(&self.handle, name, AtFlags::SYMLINK_NOFOLLOW)) {
            (Ok(open), Ok(named)) => inode(&open) == inode(&named),
            _ => false,
        }
    }

    /// Puts `from` in the place of `to`, whatever is there.
    ///
    /// # Errors
    /// The file system refuses, or a directory with something in it is in the way.
    pub(crate) fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        match rustix::fs::renameat(&self.handle, from, &self.handle, to) {
            Err(Errno::ISDIR | Errno::EXIST | Errno::NOTEMPTY) => {
                rustix::fs::unlinkat(&self.handle, to, AtFlags::REMOVEDIR)?;
                Ok(rustix::fs::renameat(&self.handle, from, &self.handle, to)?)
            }
            done => Ok(done?),
        }
    }

    /// Removes a file; true if it was there and is gone.
    pub(crate) fn remove(&self, name: &str) -> bool {
        match rustix::fs::unlinkat(&self.handle, name, AtFlags::empty()) {
            Err(Errno::ISDIR | Errno::PERM) => rustix::fs::unlinkat(&self.handle, name, AtFlags::REMOVEDIR).is_ok(),
            done => done.is_ok(),
        }
    }

    /// The names of everything inside, but for those that are not UTF-8: none of ours.
    ///
    /// # Errors
    /// The directory cannot be read to its end.
    pub(crate) fn names(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for found in Dir::read_from(&self.handle)? {
            let name = String::from_utf8(found?.file_name().to_bytes().to_vec());
            names.extend(name.ok().filter(|name| name != "." && name != ".."));
        }
        Ok(names)
    }

    fn at(&self, name: &str, flags: OFlags) -> rustix::io::Result<OwnedFd> {
        rustix::fs::openat(&self.handle, std::ffi::OsStr::from_bytes(name.as_bytes()), flags, Mode::empty())
    }

    fn ours(&self, handle: OwnedFd) -> io::Result<File> {
        let found = rustix::fs::fstat(&handle)?;
        // Locks and marks have nothing in them that somebody could have forged.
        let mended = || is_ours(&found) && rustix::fs::fchmod(&handle, Mode::RUSR | Mode::WUSR).is_ok();
        if is_regular(&found) && (trusted(&found).is_ok() || mended()) {
            Ok(File::from(handle))
        } else {
            Err(io::ErrorKind::PermissionDenied.into())
        }
    }
}

impl State {
    fn of(found: &Stat) -> Self {
        Self {
            inode: found.st_ino,
            size: u64::try_from(found.st_size).unwrap_or(0),
            #[allow(clippy::useless_conversion, reason = "its type differs between platforms")]
            modified_at: i64::try_from(found.st_mtime).unwrap_or(i64::MAX),
        }
    }
}

/// Makes a directory for its owner alone, whatever the caller's umask, and those above it that are missing. Their modes
/// are right from the start and not put right afterwards: by then somebody who may write the directory above could
/// have put a link to another file there, whose mode would be changed.
fn make(path: &Path) -> io::Result<()> {
    /// The umask is the whole process's.
    static UMASK: Mutex<()> = Mutex::new(());
    let _alone = UMASK.lock();
    let callers = rustix::process::umask(Mode::RWXG | Mode::RWXO);
    let mut builder = std::fs::DirBuilder::new();
    let above = match path.parent().filter(|above| !above.as_os_str().is_empty()) {
        Some(above) => builder.recursive(true).mode(0o700).create(above),
        None => Ok(()),
    };
    let made = above.and_then(|()| builder.recursive(false).mode(0o700).create(path));
    rustix::process::umask(callers);
    made
}

fn is_regular(found: &Stat) -> bool {
    rustix::fs::FileType::from_raw_mode(found.st_mode) == rustix::fs::FileType::RegularFile
}

fn is_ours(found: &Stat) -> bool {
    found.st_uid == user::effective()
}

fn trusted(found: &Stat) -> Result<(), String> {
    const OTHERS_WRITE: RawMode = 0o022;
    if found.st_uid != user::effective() {
        return Err(format!("it belongs to user {}, not to user {}", found.st_uid, user::effective()));
    }
    if found.st_mode & OTHERS_WRITE != 0 {
        return Err(format!("others can write it (mode {:04o})", found.st_mode & 0o7777));
    }
    Ok(())
}
