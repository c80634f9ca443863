//! The cached login of `aws sso login`, in `~/.aws/sso/cache`: shared with the AWS CLI and the SDKs, and what a user
//! would have to log in again for if it were lost.
//!
//! Promised: the file is only ever replaced whole, by one that was written and synced under another name, of mode
//! 0600 from its creation; keys that we do not know are kept. Room for the new file is made before the refresh
//! is asked for, since a refresh whose answer cannot be kept may cost the login.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::Serialize;
use serde_json::value::RawValue;
use zeroize::{Zeroize, Zeroizing};

use crate::os::deadline::Deadline;
use crate::text::timestamp;

/// The most that a login is long, in bytes; the CLI's are about 4 KiB.
const MAX_FILE_BYTES: u64 = 256 * 1024;
/// What is made room for beyond the size of the old login: tokens vary in length.
const SLACK: usize = 8 * 1024;
/// How often a lock that another holds is tried again.
const LOCK_RETRY: Duration = Duration::from_millis(20);
/// How often a file that was replaced under our lock is locked anew.
const MOST_REPLACED: u32 = 10;

/// Why a login cannot be used or replaced.
#[derive(Debug, thiserror::Error)]
pub(super) enum LoginError {
    /// There is none.
    #[error("there is no cached login ({} does not exist)", .0.display())]
    Absent(PathBuf),
    /// The file cannot be read.
    #[error("the cached login {} cannot be read: {source}", path.display())]
    Read {
        /// The login.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The file is not what the AWS CLI writes. The text never quotes the file.
    #[error("the cached login {} {why}", path.display())]
    Malformed {
        /// The login.
        path: PathBuf,
        /// `has no accessToken`.
        why: &'static str,
    },
    /// The file cannot be replaced.
    #[error("the refreshed login cannot be written beside {}: {source}", path.display())]
    Write {
        /// The login.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
}

/// A value of a login. What is no text stays as it is written: as a number it might be written back as another.
#[derive(Clone, Serialize)]
#[serde(untagged)]
enum Held {
    Text(String),
    Other(Box<RawValue>),
}

/// What `aws sso login` left: keys and values as they stand in the file. Wiped on drop.
pub struct Login {
    values: BTreeMap<String, Held>,
    /// When the access token ends.
    pub expires_at: SystemTime,
}

impl Drop for Login {
    fn drop(&mut self) {
        for value in self.values.values_mut() {
            if let Held::Text(text) = value {
                text.zeroize();
            }
        }
    }
}

impl Login {
    /// Reads the login at `path`.
    ///
    /// # Errors
    /// No file, an unreadable one, or one that is no login.
    pub(super) fn read(path: &Path) -> Result<Self, LoginError> {
        let bytes = read(path)?;
        Self::parse(&bytes).map_err(|why| LoginError::Malformed { path: path.to_owned(), why })
    }

    /// Reads the login in a file's bytes.
    ///
    /// # Errors
    /// What is missing, without a word of the file's.
    pub fn parse(bytes: &[u8]) -> Result<Self, &'static str> {
        let values: BTreeMap<String, &RawValue> = serde_json::from_slice(bytes).map_err(|_| "is not a JSON object")?;
        let held = |value: &RawValue| match serde_json::from_str(value.get()) {
            Ok(text) => Held::Text(text),
            Err(_) => Held::Other(value.to_owned()),
        };
        let values = values.into_iter().map(|(key, value)| (key, held(value))).collect();
        let mut login = Self { values, expires_at: SystemTime::UNIX_EPOCH };
        if login.text("accessToken").is_none() {
            return Err("has no accessToken");
        }
        let expires_at = login.text("expiresAt").ok_or("has no expiresAt")?;
        login.expires_at = timestamp::parse(expires_at).ok_or("has an expiresAt that is no time")?;
        Ok(login)
    }

    /// The value of a key, if it is a string that is not empty. The SDK for Rust writes and reads keys in any case.
    fn text(&self, key: &str) -> Option<&str> {
        let value = self
            .values
            .get(key)
            .or_else(|| self.values.iter().find(|(name, _)| name.eq_ignore_ascii_case(key)).map(|(_, value)| value));
        match value {
            Some(Held::Text(text)) if !text.is_empty() => Some(text),
            _ => None,
        }
    }

    /// The access token, a secret.
    pub fn access_token(&self) -> &str {
        self.text("accessToken").unwrap_or_default()
    }

    /// What a refresh needs, if the login can be refreshed at `now`.
    pub fn refresh(&self, now: SystemTime) -> Option<Refresh<'_>> {
        let registered = match self.text("registrationExpiresAt") {
            Some(end) => timestamp::parse(end).is_none_or(|end| end > now),
            None => true,
        };
        let refresh = Refresh {
            token: self.text("refreshToken")?,
            client_id: self.text("clientId")?,
            client_secret: self.text("clientSecret")?,
        };
        registered.then_some(refresh)
    }

    /// This login with the answer of a refresh in it, and all else as it was.
    pub fn refreshed(&self, access_token: &str, expires_at: SystemTime, refresh_token: Option<&str>) -> Self {
        let mut new = Self { values: self.values.clone(), expires_at };
        new.set("accessToken", access_token.to_owned());
        new.set("expiresAt", timestamp::text(expires_at));
        if let Some(refresh_token) = refresh_token {
            new.set("refreshToken", refresh_token.to_owned());
        }
        new
    }

    /// The bytes of a login's file.
    ///
    /// # Errors
    /// None that can come of a vector; the type has one.
    pub fn bytes(&self) -> io::Result<Zeroizing<Vec<u8>>> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(SLACK * 8));
        serde_json::to_writer(&mut *bytes, &self.values)?;
        Ok(bytes)
    }

    fn set(&mut self, key: &str, text: String) {
        // The one that is read.
        let name = match self.values.keys().find(|name| name.eq_ignore_ascii_case(key)) {
            Some(name) if !self.values.contains_key(key) => name.clone(),
            _ => key.to_owned(),
        };
        if let Some(Held::Text(mut old)) = self.values.insert(name, Held::Text(text)) {
            old.zeroize();
        }
    }
}

/// What a refresh needs; all but the client id are secrets.
pub struct Refresh<'a> {
    /// `refreshToken`.
    pub token: &'a str,
    /// `clientId`.
    pub client_id: &'a str,
    /// `clientSecret`.
    pub client_secret: &'a str,
}

/// Opens for reading without waiting for a FIFO's writer.
fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, rustix::fs::OFlags::NONBLOCK.bits().cast_signed());
    options.open(path)
}

/// The bytes of a login's file.
///
/// # Errors
/// No file, an unreadable one, or one that is too long.
pub(super) fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, LoginError> {
    try_read(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => LoginError::Absent(path.to_owned()),
        _ => LoginError::Read { path: path.to_owned(), source: error },
    })
}

fn try_read(path: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
    let file = open(path)?;
    let about = file.metadata()?;
    if !about.is_file() {
        return Err(io::Error::other("not a file"));
    }
    if about.len() > MAX_FILE_BYTES {
        return Err(io::Error::other("too long to be a login"));
    }
    let room = usize::try_from(about.len()).unwrap_or(0) + 1;
    let mut bytes = Zeroizing::new(Vec::with_capacity(room));
    file.take(MAX_FILE_BYTES).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The right to refresh a login: one process at a time. The lock is on the login itself, so that nothing else
/// is left in the user's directory, and ends with the process.
pub(crate) struct Lock {
    file: Option<File>,
}

impl Lock {
    /// Waits for the right until `deadline`; goes on without it, so that a process that hangs holds up no other
    /// for ever, and where the file system has no locks.
    pub(crate) async fn wait(path: &Path, deadline: Deadline) -> Self {
        let mut replaced = 0;
        while let Ok(file) = open_lock(path) {
            match file.try_lock() {
                // The holder before us may have replaced the file that we locked. Not for ever: on some file
                // systems the same file has another number each time.
                Ok(()) if replaced < MOST_REPLACED && !is_still(path, &file) => replaced += 1,
                Ok(()) => return Self { file: Some(file) },
                Err(fs::TryLockError::WouldBlock) if !deadline.passed() => tokio::time::sleep(LOCK_RETRY).await,
                Err(_) => break,
            }
        }
        Self { file: None }
    }

    /// Whether we really are the only one.
    fn is_held(&self) -> bool {
        self.file.is_some()
    }
}

#[cfg(unix)]
fn open_lock(path: &Path) -> io::Result<File> {
    open(path)
}

/// Windows' locks keep everybody from reading, and a locked file from being replaced: the lock has its own file.
#[cfg(not(unix))]
fn open_lock(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).truncate(false).write(true).open(path.with_extension("lock"))
}

#[cfg(unix)]
fn is_still(path: &Path, file: &File) -> bool {
    use std::os::unix::fs::MetadataExt;
    match (fs::metadata(path), file.metadata()) {
        (Ok(there), Ok(ours)) => (there.dev(), there.ino()) == (ours.dev(), ours.ino()),
        _ => true,
    }
}

#[cfg(not(unix))]
fn is_still(_path: &Path, _file: &File) -> bool {
    true
}

/// A new file beside the login, with room for a refreshed one.
pub(super) struct Replacement {
    file: File,
    path: PathBuf,
    target: PathBuf,
    done: bool,
}

impl Replacement {
    /// Makes the file and the room in it.
    ///
    /// # Errors
    /// A directory that cannot be written to, or a full disk.
    pub(super) fn prepare(login: &Path, lock: &Lock) -> Result<Self, LoginError> {
        Self::try_prepare(login, lock).map_err(|error| LoginError::Write { path: login.to_owned(), source: error })
    }

    fn try_prepare(login: &Path, lock: &Lock) -> io::Result<Self> {
        // Where the login is a link, what it points to is replaced and the link kept.
        let target = crate::os::fs::canonical(login)?;
        let mut name = target.file_name().unwrap_or_default().to_owned();
        if lock.is_held() {
            name.push(".ecr-login.tmp");
        } else {
            name.push(format!(".ecr-login.{}.tmp", std::process::id()));
        }
        let path = target.with_file_name(name);
        // Left by one that was killed; the lock says that nobody is writing it now.
        let _absent = fs::remove_file(&path);
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(&path)?;
        let mut replacement = Self { file, path, target, done: false };
        let old = fs::metadata(&replacement.target)?;
        #[cfg(unix)]
        owned_alike(&replacement.file, &old)?;
        let size = usize::try_from(old.len()).unwrap_or(0).min(SLACK * 8);
        replacement.file.write_all(&vec![b' '; size + SLACK])?;
        replacement.file.sync_data()?;
        Ok(replacement)
    }

    /// Puts `login` into the place of the old one.
    ///
    /// # Errors
    /// Whatever the file system says; the old login is in place then.
    pub(super) fn commit(self, login: &Login) -> Result<(), LoginError> {
        match login.bytes() {
            Ok(bytes) => self.commit_bytes(&bytes),
            Err(source) => Err(LoginError::Write { path: self.target.clone(), source }),
        }
    }

    /// Puts these bytes into the place of the old login's.
    ///
    /// # Errors
    /// Whatever the file system says; the old login is in place then.
    pub(super) fn commit_bytes(mut self, bytes: &[u8]) -> Result<(), LoginError> {
        self.try_commit(bytes).map_err(|error| LoginError::Write { path: self.target.clone(), source: error })
    }

    fn try_commit(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.seek(SeekFrom::Start(0))?;
        self.file.write_all(bytes)?;
        self.file.set_len(bytes.len() as u64)?;
        self.file.sync_all()?;
        fs::rename(&self.path, &self.target)?;
        self.done = true;
        #[cfg(unix)]
        if let Some(folder) = self.target.parent() {
            // The new file is in place; what a crash of the machine could still undo is the name alone.
            let _best_effort = File::open(folder).and_then(|folder| folder.sync_all());
        }
        Ok(())
    }
}

/// Under sudo that keeps HOME the login is another user's, who has to be able to read the new one too.
#[cfg(unix)]
fn owned_alike(file: &File, old: &fs::Metadata) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt, fchown};
    let new = file.metadata()?;
    if new.uid() != old.uid() {
        return fchown(file, Some(old.uid()), Some(old.gid()));
    }
    if new.gid() != old.gid() {
        // Nobody but its owner reads it: a group that we may not give it is no loss.
        let _best_effort = fchown(file, None, Some(old.gid()));
    }
    Ok(())
}

impl Drop for Replacement {
    fn drop(&mut self) {
        if !self.done {
            let _gone = fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests;
