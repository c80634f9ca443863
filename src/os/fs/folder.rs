//! A folder held by its handle (Unix): what is done in it is done there, whatever somebody puts under its path meanwhile.
//! No name in it is followed where it is a link.

use std::ffi::OsStr;
use std::fs::{File, Metadata};
use std::io;
use std::path::Path;

/// A folder that was opened once.
#[derive(Debug)]
pub(crate) struct Folder {
    #[cfg(unix)]
    handle: std::os::fd::OwnedFd,
    #[cfg(not(unix))]
    path: std::path::PathBuf,
}

/// The folder that a file is in, and its name there.
pub(crate) fn of(path: &Path) -> (&Path, &OsStr) {
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    (folder, path.file_name().unwrap_or_default())
}

#[cfg(unix)]
impl Folder {
    /// Opens it.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        use rustix::fs::{Mode, OFlags};
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let handle = rustix::io::retry_on_intr(|| rustix::fs::open(path, flags, Mode::empty()))?;
        Ok(Self { handle })
    }

    /// Opens the file `name` for reading, without waiting for the writer of a pipe; `None` where there is none.
    pub(crate) fn file(&self, name: &OsStr) -> io::Result<Option<(File, Metadata)>> {
        use rustix::fs::{Mode, OFlags};
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
        match rustix::io::retry_on_intr(|| rustix::fs::openat(&self.handle, name, flags, Mode::empty())) {
            Ok(file) => {
                let file = File::from(file);
                let metadata = file.metadata()?;
                Ok(Some((file, metadata)))
            }
            Err(rustix::io::Errno::NOENT) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Makes the file `name`, which must not be there, for us alone.
    pub(crate) fn create(&self, name: &OsStr) -> io::Result<File> {
        use rustix::fs::{Mode, OFlags};
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let create = || rustix::fs::openat(&self.handle, name, flags, Mode::RUSR | Mode::WUSR);
        Ok(File::from(rustix::io::retry_on_intr(create)?))
    }

    pub(crate) fn remove(&self, name: &OsStr) -> io::Result<()> {
        Ok(rustix::fs::unlinkat(&self.handle, name, rustix::fs::AtFlags::empty())?)
    }

    /// The owner of what `name` is; `None` where there is nothing.
    pub(crate) fn owner(&self, name: &OsStr) -> io::Result<Option<u32>> {
        match rustix::fs::statat(&self.handle, name, rustix::fs::AtFlags::SYMLINK_NOFOLLOW) {
            Ok(found) => Ok(Some(found.st_uid)),
            Err(rustix::io::Errno::NOENT) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    pub(crate) fn rename(&self, from: &OsStr, to: &OsStr) -> io::Result<()> {
        Ok(rustix::fs::renameat(&self.handle, from, &self.handle, to)?)
    }

    /// A rename that takes away nothing; where there is no such call, a look and a rename.
    pub(crate) fn rename_to_nothing(&self, from: &OsStr, to: &OsStr) -> io::Result<()> {
        #[cfg(target_os = "linux")]
        {
            use rustix::fs::{RenameFlags, renameat_with};
            use rustix::io::Errno;
            match renameat_with(&self.handle, from, &self.handle, to, RenameFlags::NOREPLACE) {
                // This kernel, or this file system, has it not.
                Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {}
                done => return Ok(done?),
            }
        }
        match self.owner(to)? {
            Some(_) => Err(io::ErrorKind::AlreadyExists.into()),
            None => self.rename(from, to),
        }
    }

    /// So that a new name survives a power cut; where a folder cannot be synced, nothing is lost by it.
    pub(crate) fn sync(&self) {
        let _ = rustix::fs::fsync(&self.handle);
    }
}

#[cfg(not(unix))]
impl Folder {
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        path.metadata()?;
        Ok(Self { path: path.to_owned() })
    }

    pub(crate) fn file(&self, name: &OsStr) -> io::Result<Option<(File, Metadata)>> {
        match File::open(self.path.join(name)) {
            Ok(file) => {
                let metadata = file.metadata()?;
                Ok(Some((file, metadata)))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(crate) fn create(&self, name: &OsStr) -> io::Result<File> {
        File::options().write(true).create_new(true).open(self.path.join(name))
    }

    pub(crate) fn remove(&self, name: &OsStr) -> io::Result<()> {
        std::fs::remove_file(self.path.join(name))
    }

    pub(crate) fn rename(&self, from: &OsStr, to: &OsStr) -> io::Result<()> {
        std::fs::rename(self.path.join(from), self.path.join(to))
    }

    pub(crate) fn rename_to_nothing(&self, from: &OsStr, to: &OsStr) -> io::Result<()> {
        match std::fs::symlink_metadata(self.path.join(to)) {
            Ok(_) => Err(io::ErrorKind::AlreadyExists.into()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.rename(from, to),
            Err(error) => Err(error),
        }
    }

    pub(crate) fn sync(&self) {}
}
