//! Files of the user's: read within a bound, replaced whole or not at all.
//!
//! A link is followed and stays a link; owner and mode stay; the new content is on the disk before it takes the
//! old one's name; a file that changed since it was read is left alone. What a writer that was killed left beside it
//! goes with the next [`sweep`].

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

/// The most that a configuration file may hold, in bytes.
const MAX_FILE_BYTES: u64 = 16 * 1024 * 1024;
/// How many links may lead from one to the next.
const MAX_LINKS: usize = 16;

/// A file as it was read.
#[derive(Debug)]
pub struct UserFile {
    /// The name under which people know it.
    pub path: PathBuf,
    /// The file itself, where links lead.
    target: PathBuf,
    /// What it held; `None` for a file that does not exist yet.
    pub content: Option<Vec<u8>>,
    /// Whose it was, and with which mode, when it was read. Not asked again later: somebody who may write a directory on
    /// the way could have put a file of his own there by then, and would be given what was read of ours.
    found: Option<fs::Metadata>,
    /// Whether others lose what they could read of it.
    private: bool,
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
    /// Somebody else wrote it meanwhile.
    #[error("{} was changed by another program just now, and is left as it is: run this again", .path.display())]
    Changed {
        /// The file.
        path: PathBuf,
    },
}

/// An error's reason in words, without Rust's "(os error 13)".
pub fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_owned()
}

/// Whether anything is at `path`.
///
/// # Errors
/// That cannot be told: it may be there, and must not be lost.
pub fn exists(path: &Path) -> Result<bool, FileError> {
    path.try_exists().map_err(|source| FileError::Read { path: path.to_owned(), source })
}

impl UserFile {
    /// Reads the file at `path`, following links.
    ///
    /// # Errors
    /// It is there and cannot be read, or is no ordinary file.
    pub fn read(path: &Path) -> Result<Self, FileError> {
        let target = follow(path)?;
        let read = content(&target).map_err(|error| match error {
            FileError::Read { source, .. } => FileError::Read { path: path.to_owned(), source },
            other => other,
        })?;
        let (content, found) = read.unzip();
        Ok(Self { path: path.to_owned(), target, content, found, private: false })
    }

    /// Replaces the file by one that holds `new`, atomically.
    ///
    /// # Errors
    /// The old file is left as it was.
    pub fn replace(&self, new: &[u8]) -> Result<(), FileError> {
        self.may_replace()?;
        self.put(&self.target, new, if self.content.is_some() { Instead::OfWhatWasRead } else { Instead::OfNothing })
    }

    /// Replaces the file by one that holds `new` and that its owner alone may read, atomically.
    ///
    /// # Errors
    /// The old file is left as it was.
    pub(crate) fn replace_private(mut self, new: &[u8]) -> Result<(), FileError> {
        self.private = true;
        self.replace(new)
    }

    /// Removes the file.
    ///
    /// # Errors
    /// The file is left as it was.
    pub fn remove(&self) -> Result<(), FileError> {
        self.may_replace()?;
        self.is_unchanged()?;
        fs::remove_file(&self.target).map_err(|source| FileError::Write { path: self.path.clone(), source })
    }

    /// Fails where the file no longer holds what was read.
    fn is_unchanged(&self) -> Result<(), FileError> {
        if content(&self.target)?.map(|(content, _)| content) == self.content {
            return Ok(());
        }
        Err(FileError::Changed { path: self.path.clone() })
    }

    /// Fails where [`UserFile::replace`] or [`UserFile::remove`] would for a reason that is known before.
    ///
    /// # Errors
    /// The file belongs to another user, or that cannot be told.
    pub fn may_replace(&self) -> Result<(), FileError> {
        #[cfg(unix)]
        match fs::metadata(&self.target) {
            Ok(metadata) => {
                use std::os::unix::fs::MetadataExt as _;
                let user = crate::os::user::effective();
                if user != 0 && metadata.uid() != user {
                    return Err(FileError::Foreign { path: self.target.clone(), owner: metadata.uid() });
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(source) => return Err(FileError::Read { path: self.path.clone(), source }),
        }
        Ok(())
    }

    /// Writes what the file held beside it, with its owner and mode; where a link leads, not beside the link.
    /// `instead` says whether an older copy goes.
    ///
    /// # Errors
    /// The copy could not be written.
    pub fn back_up(&self, copy: &Path, instead: Instead) -> Result<(), FileError> {
        match &self.content {
            Some(content) => self.put(copy, content, instead),
            None => Ok(()),
        }
    }

    fn put(&self, to: &Path, new: &[u8], instead: Instead) -> Result<(), FileError> {
        let failed = |source| FileError::Write { path: to.to_owned(), source };
        let directory = to.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        make_directory(directory).map_err(failed)?;
        let name = to.file_name().unwrap_or_default().to_string_lossy();
        let temporary = directory.join(temporary(&name));
        let written = self.write(&temporary, new).map_err(failed).and_then(|()| match instead {
            Instead::OfWhatWasRead => {
                self.is_unchanged()?;
                fs::rename(&temporary, to).map_err(failed)
            }
            Instead::OfAnything => fs::rename(&temporary, to).map_err(failed),
            Instead::OfNothing => rename_to_nothing(&temporary, to).map_err(|source| match source.kind() {
                io::ErrorKind::AlreadyExists => FileError::Changed { path: to.to_owned() },
                _ => failed(source),
            }),
        });
        if written.is_err() {
            let _ = fs::remove_file(&temporary);
        } else if let Ok(directory) = File::open(directory) {
            // So that the new name survives a power cut; where a directory cannot be synced, nothing is lost by it.
            let _ = directory.sync_all();
        }
        written
    }

    /// A new file with the old one's owner and mode (0600 where there was none).
    fn write(&self, temporary: &Path, new: &[u8]) -> io::Result<()> {
        let _ = fs::remove_file(temporary);
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(temporary)?;
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
            let mode = self.found.as_ref().filter(|_| !self.private).map_or(0o600, |found| found.mode() & 0o7777);
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
pub enum Instead {
    /// The file as it was read, and no other.
    OfWhatWasRead,
    /// Whatever is there.
    OfAnything,
    /// Nothing: what is there by now stays.
    OfNothing,
}

/// A rename that takes away nothing; where there is no such call, a look and a rename.
fn rename_to_nothing(from: &Path, to: &Path) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        use rustix::io::Errno;
        match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
            // This kernel, or this file system, has it not.
            Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {}
            done => return Ok(done?),
        }
    }
    match fs::symlink_metadata(to) {
        Ok(_) => Err(io::ErrorKind::AlreadyExists.into()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => fs::rename(from, to),
        Err(error) => Err(error),
    }
}

fn make_directory(directory: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(directory)
}

/// The name of the file that is being written for `name`, by us.
pub fn temporary(name: &str) -> String {
    format!(".{name}.{}.tmp", std::process::id())
}

/// Removes what writers that were killed left beside the file at `path`, and for files whose names begin with its
/// name, as the copy's does: the writer's number is in the name, and no process has that number any more. (Elsewhere
/// than on Unix nobody is asked, and what is left stays.)
pub fn sweep(path: &Path) {
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
    let listing = rustix::fs::open(directory, flags, Mode::empty()).and_then(Dir::new);
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

/// What a file holds, with its owner and mode at that moment.
fn content(path: &Path) -> Result<Option<(Vec<u8>, fs::Metadata)>, FileError> {
    let failed = |source| FileError::Read { path: path.to_owned(), source };
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    // Asked before it is opened: opening a pipe would wait for its writer.
    if !metadata.is_file() {
        return Err(FileError::NotAFile { path: path.to_owned(), what: "not an ordinary file" });
    }
    let mut content = Vec::new();
    let file = File::open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    let too_big = || FileError::NotAFile { path: path.to_owned(), what: "bigger than any configuration file" };
    if metadata.len() > MAX_FILE_BYTES {
        return Err(too_big());
    }
    file.take(MAX_FILE_BYTES + 1).read_to_end(&mut content).map_err(failed)?;
    if content.len() as u64 > MAX_FILE_BYTES {
        return Err(too_big());
    }
    Ok(Some((content, metadata)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_somebody_else_wrote_meanwhile_is_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("config.json");
        fs::write(&path, "{}").unwrap();
        let original = UserFile::read(&path).unwrap();
        fs::write(&path, "{\"auths\":{}}").unwrap();
        assert!(matches!(original.replace(b"ours"), Err(FileError::Changed { .. })));
        assert_eq!(fs::read_to_string(&path).unwrap(), "{\"auths\":{}}");
        fs::remove_file(&path).unwrap();
        assert!(matches!(original.replace(b"ours"), Err(FileError::Changed { .. })));
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0, "no temporary file is left");
    }

    #[test]
    fn a_file_that_somebody_else_wrote_meanwhile_is_not_removed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("config.json");
        fs::write(&path, "{}").unwrap();
        let original = UserFile::read(&path).unwrap();
        fs::write(&path, "{\"auths\":{}}").unwrap();
        assert!(matches!(original.remove(), Err(FileError::Changed { .. })));
        assert_eq!(fs::read_to_string(&path).unwrap(), "{\"auths\":{}}");
        UserFile::read(&path).unwrap().remove().unwrap();
        assert!(!path.exists());
    }

    /// Root's `setup` in a home of somebody else's, who has put a link to root's own file there and takes it away.
    #[cfg(unix)]
    #[test]
    fn what_was_read_keeps_its_mode_though_another_file_has_its_name_by_now() {
        use std::os::unix::fs::PermissionsExt as _;
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        for (name, mode) in [("private", 0o600), ("open", 0o644)] {
            fs::create_dir(at(name)).unwrap();
            fs::write(at(name).join("config.json"), "{}").unwrap();
            fs::set_permissions(at(name).join("config.json"), fs::Permissions::from_mode(mode)).unwrap();
        }
        std::os::unix::fs::symlink(at("private"), at("link")).unwrap();
        let original = UserFile::read(&at("link").join("config.json")).unwrap();
        fs::remove_file(at("link")).unwrap();
        std::os::unix::fs::symlink(at("open"), at("link")).unwrap();
        original.back_up(&at("link").join("copy"), Instead::OfAnything).unwrap();
        original.replace(b"ours").unwrap();
        for name in ["copy", "config.json"] {
            let found = fs::metadata(at("open").join(name)).unwrap();
            assert_eq!(found.permissions().mode() & 0o777, 0o600, "{name}");
        }
    }

    #[test]
    fn what_appeared_where_nothing_was_read_stays() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("config.json");
        let nothing = UserFile::read(&path).unwrap();
        fs::write(&path, "another's").unwrap();
        assert!(matches!(nothing.replace(b"ours"), Err(FileError::Changed { .. })));
        let copy = directory.path().join("copy");
        fs::write(&copy, "older").unwrap();
        let original = UserFile::read(&path).unwrap();
        assert!(matches!(original.back_up(&copy, Instead::OfNothing), Err(FileError::Changed { .. })));
        let read = |path| fs::read_to_string(path).unwrap();
        assert_eq!((read(&path), read(&copy)), ("another's".into(), "older".into()));
        original.back_up(&copy, Instead::OfAnything).unwrap();
        assert_eq!(read(&copy), "another's");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 2, "no temporary file is left");
    }

    #[test]
    fn what_stands_in_the_way_of_the_temporary_file_is_no_way_out() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("config.json");
        let victim = directory.path().join("victim");
        fs::write(&victim, "precious").unwrap();
        let temporary = directory.path().join(format!(".config.json.{}.tmp", std::process::id()));
        #[cfg(unix)]
        std::os::unix::fs::symlink(&victim, &temporary).unwrap();
        #[cfg(not(unix))]
        fs::write(&temporary, "").unwrap();
        UserFile::read(&path).unwrap().replace(b"ours").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "ours");
        assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
    }
}
