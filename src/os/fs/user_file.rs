//! Files of the user's: read within a bound, replaced whole or not at all.
//!
//! A link is followed and stays a link; owner and mode stay; the new content is on the disk before it takes the
//! old one's name; a file that changed since it was read is left alone. What a writer that was killed left beside it
//! goes with the next `sweep`. The folders are opened when the file is read and held: one that is swapped for another
//! after that leads nothing astray.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use super::folder::{self, Folder};

/// The most that a configuration file may hold, in bytes.
const MAX_FILE_BYTES: u64 = 16 * 1024 * 1024;
/// How many links may lead from one to the next.
const MAX_LINKS: usize = 16;

/// A file as it was read.
#[derive(Debug)]
pub struct UserFile {
    /// The name under which people know it.
    pub(crate) path: PathBuf,
    /// The file itself, where links lead.
    target: PathBuf,
    /// What it held; `None` for a file that does not exist yet.
    pub(crate) content: Option<Vec<u8>>,
    /// Whose it was, and with which mode, when it was read. Not asked again later: somebody who may write a directory on
    /// the way could have put a file of his own there by then, and would be given what was read of ours.
    found: Option<fs::Metadata>,
    /// The folder that it is in, where links lead; `None` where it does not exist yet.
    folder: Option<Folder>,
    /// The folder of [`Self::path`], where that is another: a copy is kept there.
    beside: Option<Folder>,
    /// The mode that a new content may have at most: others lose what they could read beyond it.
    at_most: u32,
}

/// Why a file of the user's could not be read or replaced. Its text names the file and the remedy.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It cannot be read.
    #[error("{} cannot be read: {}", .path.display(), reason(.source))]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is a directory, a pipe, or bigger than any configuration.
    #[error("{} is {what}", .path.display())]
    NotAFile {
        /// The file.
        path: PathBuf,
        /// What it is instead.
        what: &'static str,
    },
    /// It cannot be written.
    #[error("{} cannot be written: {}", .path.display(), reason(.source))]
    Write {
        /// The file, where links lead.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It cannot be removed, where all else that was to be undone is.
    #[error("{} cannot be removed: {}; all else is as it was before", .path.display(), reason(.source))]
    Remove {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It belongs to another user, and would not after a change of ours.
    #[error("{} belongs to the user with the id {owner}: run this as that user", .path.display())]
    Foreign {
        /// The file, where links lead.
        path: PathBuf,
        /// Its owner.
        owner: u32,
    },
    /// The copy of it is not what `setup` kept.
    #[error("{} {what}; nothing is changed: look what it is, and take it away or put the file right by hand", .path.display())]
    Untrusted {
        /// The copy.
        path: PathBuf,
        /// What is wrong with it.
        what: &'static str,
    },
    /// Somebody else wrote it meanwhile.
    #[error("{} was changed by another program just now, and is left as it is: run this again", .path.display())]
    Changed {
        /// The file.
        path: PathBuf,
    },
}

/// An error's reason in words, without Rust's "(os error 13)".
pub(crate) fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_owned()
}

/// Whether anything is at `path`.
///
/// # Errors
/// That cannot be told: it may be there, and must not be lost.
pub(crate) fn exists(path: &Path) -> Result<bool, FileError> {
    path.try_exists().map_err(|source| FileError::Read { path: path.to_owned(), source })
}

impl UserFile {
    /// Reads the file at `path`, following links.
    ///
    /// # Errors
    /// It is there and cannot be read, or is no ordinary file.
    pub fn read(path: &Path) -> Result<Self, FileError> {
        Self::read_at(path, follow(path)?)
    }

    /// Reads the copy at `path` of the file `of`, if there is one. Links are not followed, and it must belong to whom the
    /// file belongs: another user's content is not put into it.
    ///
    /// # Errors
    /// It is there and cannot be read, or is not what `setup` kept.
    pub(crate) fn read_copy(path: &Path, of: &Self) -> Result<Self, FileError> {
        let untrusted = |what| FileError::Untrusted { path: path.to_owned(), what };
        if fs::symlink_metadata(path).is_ok_and(|found| found.is_symlink()) {
            return Err(untrusted("is a link, and no copy that setup kept"));
        }
        let copy = Self::read_at(path, path.to_owned())?;
        #[cfg(unix)]
        if let (Some(copy), Some(file)) = (&copy.found, &of.found) {
            use std::os::unix::fs::MetadataExt as _;
            if copy.uid() != file.uid() {
                return Err(untrusted("belongs to another user than the file that it is a copy of"));
            }
        }
        #[cfg(not(unix))]
        let _ = of;
        Ok(copy)
    }

    fn read_at(path: &Path, target: PathBuf) -> Result<Self, FileError> {
        let opened = |path: &Path| match Folder::open(folder::of(path).0) {
            Ok(folder) => Ok(Some(folder)),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound) => Ok(None),
            Err(source) => Err(FileError::Read { path: path.to_owned(), source }),
        };
        let folder = opened(&target)?;
        let beside = if folder::of(path).0 == folder::of(&target).0 { None } else { opened(path)? };
        let mut file =
            Self { path: path.to_owned(), target, content: None, found: None, folder, beside, at_most: 0o7777 };
        if let Some((content, found)) = file.read_now()? {
            (file.content, file.found) = (Some(content), Some(found));
        }
        Ok(file)
    }

    /// From now on a new content gives no user access that `other` does not give.
    pub(crate) fn no_more_open_than(&mut self, other: &Self) {
        #[cfg(unix)]
        if let Some(found) = &other.found {
            use std::os::unix::fs::MetadataExt as _;
            self.at_most &= found.mode();
        }
        #[cfg(not(unix))]
        let _ = other;
    }

    /// Replaces the file by one that holds `new`, atomically.
    ///
    /// # Errors
    /// The old file is left as it was.
    pub(crate) fn replace(&self, new: &[u8]) -> Result<(), FileError> {
        self.may_replace()?;
        let replaces = if self.content.is_some() { MayReplace::WhatWasRead } else { MayReplace::Nothing };
        self.put(self.folder.as_ref(), &self.target, new, replaces)
    }

    /// Replaces the file by one that holds `new` and that its owner alone may read, atomically.
    ///
    /// # Errors
    /// The old file is left as it was.
    pub(crate) fn replace_private(mut self, new: &[u8]) -> Result<(), FileError> {
        self.at_most = 0o600;
        self.replace(new)
    }

    /// Removes the file.
    ///
    /// # Errors
    /// The file is left as it was.
    pub(crate) fn remove(&self) -> Result<(), FileError> {
        self.may_replace()?;
        self.is_unchanged()?;
        let failed = |source| FileError::Write { path: self.path.clone(), source };
        match &self.folder {
            Some(folder) => folder.remove(folder::of(&self.target).1).map_err(failed),
            None => Err(failed(io::ErrorKind::NotFound.into())),
        }
    }

    /// What the file holds, with its owner and mode at this moment.
    fn read_now(&self) -> Result<Option<(Vec<u8>, fs::Metadata)>, FileError> {
        let failed = |source| FileError::Read { path: self.path.clone(), source };
        let Some(folder) = &self.folder else {
            // Somebody may have made it since.
            return match fs::symlink_metadata(&self.target) {
                Ok(_) => Err(FileError::Changed { path: self.path.clone() }),
                Err(_) => Ok(None),
            };
        };
        let not_a_file = |what| FileError::NotAFile { path: self.target.clone(), what };
        let Some((file, metadata)) = folder.file(folder::of(&self.target).1).map_err(failed)? else { return Ok(None) };
        if !metadata.is_file() {
            return Err(not_a_file("not an ordinary file"));
        }
        let mut content = Vec::new();
        if metadata.len() <= MAX_FILE_BYTES {
            file.take(MAX_FILE_BYTES + 1).read_to_end(&mut content).map_err(failed)?;
        }
        if metadata.len().max(content.len() as u64) > MAX_FILE_BYTES {
            return Err(not_a_file("bigger than any configuration file"));
        }
        Ok(Some((content, metadata)))
    }

    /// Fails where the file no longer holds what was read.
    fn is_unchanged(&self) -> Result<(), FileError> {
        if self.read_now()?.map(|(content, _)| content) == self.content {
            return Ok(());
        }
        Err(FileError::Changed { path: self.path.clone() })
    }

    /// Fails where [`UserFile::replace`] or [`UserFile::remove`] would for a reason that is known before.
    ///
    /// # Errors
    /// The file belongs to another user, or that cannot be told.
    pub(crate) fn may_replace(&self) -> Result<(), FileError> {
        #[cfg(unix)]
        if let Some(folder) = &self.folder {
            let failed = |source| FileError::Read { path: self.path.clone(), source };
            let user = crate::os::user::effective();
            match folder.owner(folder::of(&self.target).1).map_err(failed)? {
                Some(owner) if user != 0 && owner != user => {
                    return Err(FileError::Foreign { path: self.target.clone(), owner });
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Writes what the file held beside it, with its owner and mode; where a link leads, not beside the link.
    /// `replaces` says whether an older copy goes.
    ///
    /// # Errors
    /// The copy could not be written.
    pub(crate) fn back_up(&self, copy: &Path, replaces: MayReplace) -> Result<(), FileError> {
        match &self.content {
            Some(content) => self.put(self.beside.as_ref().or(self.folder.as_ref()), copy, content, replaces),
            None => Ok(()),
        }
    }

    /// Writes an empty file beside this one, which is not there yet.
    ///
    /// # Errors
    /// It could not be written.
    pub(crate) fn mark(&self, mark: &Path) -> Result<(), FileError> {
        self.put(self.beside.as_ref().or(self.folder.as_ref()), mark, b"", MayReplace::Anything)
    }

    /// Writes a file beside `to` and gives it that name, in `folder`, or in a new one where there was none.
    fn put(&self, folder: Option<&Folder>, to: &Path, new: &[u8], replaces: MayReplace) -> Result<(), FileError> {
        let failed = |source| FileError::Write { path: to.to_owned(), source };
        let (path, name) = folder::of(to);
        let made;
        let folder = match folder {
            Some(folder) => folder,
            None => {
                make_directory(path).map_err(failed)?;
                made = Folder::open(path).map_err(failed)?;
                &made
            }
        };
        let temporary = temporary(&name.to_string_lossy());
        let temporary = OsStr::new(&temporary);
        let written = self.write(folder, temporary, new).map_err(failed).and_then(|()| match replaces {
            MayReplace::WhatWasRead => {
                self.is_unchanged()?;
                folder.rename(temporary, name).map_err(failed)
            }
            MayReplace::Anything => folder.rename(temporary, name).map_err(failed),
            MayReplace::Nothing => folder.rename_to_nothing(temporary, name).map_err(|source| match source.kind() {
                io::ErrorKind::AlreadyExists => FileError::Changed { path: to.to_owned() },
                _ => failed(source),
            }),
        });
        if written.is_err() {
            let _ = folder.remove(temporary);
        } else {
            folder.sync();
        }
        written
    }

    /// A new file with the old one's owner and mode (0600 where there was none).
    fn write(&self, folder: &Folder, temporary: &OsStr, new: &[u8]) -> io::Result<()> {
        let _ = folder.remove(temporary);
        let mut file = folder.create(temporary)?;
        file.write_all(new)?;
        #[cfg(unix)]
        {
            use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
            let ours = file.metadata()?;
            if let Some(found) = &self.found
                && (ours.uid(), ours.gid()) != (found.uid(), found.gid())
            {
                std::os::unix::fs::fchown(&file, Some(found.uid()), Some(found.gid()))?;
            }
            // Also where there was no file: an odd umask must not lock its owner out.
            let mode = self.found.as_ref().map_or(0o600, |found| found.mode() & 0o7777) & self.at_most;
            file.set_permissions(fs::Permissions::from_mode(mode))?;
        }
        #[cfg(not(unix))]
        if let Some(found) = &self.found {
            file.set_permissions(found.permissions())?;
        }
        file.sync_all()
    }
}

/// What a file may take the place of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MayReplace {
    /// The file as it was read, and no other.
    WhatWasRead,
    /// Whatever is there.
    Anything,
    /// Nothing: what is there by now stays.
    Nothing,
}

fn make_directory(directory: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(directory)
}

/// The name of the file that is being written for `name`, by us.
pub(crate) fn temporary(name: &str) -> String {
    format!(".{name}.{}.tmp", std::process::id())
}

/// Removes what writers that were killed left beside the file at `path`, and for files whose names begin with its
/// name, as the copy's does: the writer's number is in the name, and no process has that number any more. (Elsewhere
/// than on Unix nobody is asked, and what is left stays.)
pub(crate) fn sweep(path: &Path) {
    #[cfg(unix)]
    {
        let target = follow(path).unwrap_or_else(|_| path.to_owned());
        sweep_beside(path);
        if target != path {
            sweep_beside(&target);
        }
    }
    #[cfg(not(unix))]
    let _ = path;
}

/// Not by the standard library's listing, which panics where a directory cannot be closed.
#[cfg(unix)]
fn sweep_beside(path: &Path) {
    use rustix::fs::{Dir, Mode, OFlags};
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let prefix = format!(".{}.", path.file_name().unwrap_or_default().to_string_lossy());
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let listing = rustix::io::retry_on_intr(|| rustix::fs::open(directory, flags, Mode::empty())).and_then(Dir::new);
    for found in listing.into_iter().flatten().flatten() {
        let Ok(name) = found.file_name().to_str() else { continue };
        let middle = name.strip_prefix(&prefix).and_then(|name| name.strip_suffix(".tmp"));
        let writer = middle.and_then(|middle| middle.rsplit('.').next()?.parse().ok());
        if writer.is_some_and(is_gone) {
            let _ = fs::remove_file(directory.join(name));
        }
    }
}

/// Whether no process has this number.
#[cfg(unix)]
fn is_gone(process: i32) -> bool {
    use rustix::process::{Pid, test_kill_process};
    Pid::from_raw(process).is_some_and(|process| test_kill_process(process) == Err(rustix::io::Errno::SRCH))
}

/// Where links lead, also where nothing is there yet.
fn follow(path: &Path) -> Result<PathBuf, FileError> {
    let mut target = path.to_owned();
    for _ in 0..MAX_LINKS {
        // Windows has several errors for what is no link, by the file system.
        if cfg!(windows) && fs::symlink_metadata(&target).is_ok_and(|found| !found.is_symlink()) {
            return Ok(target);
        }
        match fs::read_link(&target) {
            Ok(next) => target = target.parent().unwrap_or(Path::new("")).join(next),
            // No link, or nothing at all. A link that cannot be read must not be taken for the file itself.
            Err(error) if matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::NotFound) => {
                return Ok(target);
            }
            Err(source) => return Err(FileError::Read { path: path.to_owned(), source }),
        }
    }
    Err(FileError::NotAFile { path: path.to_owned(), what: "a link that leads round in a circle" })
}

#[cfg(test)]
mod tests;
