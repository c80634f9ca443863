//! The cached login of `aws sso login`, in `~/.aws/sso/cache`: shared with the AWS CLI and the SDKs, and what a user
//! would have to log in again for if it were lost.
//!
//! Promised: the file is only ever replaced whole, by one that was written and synced under another name, of mode
//! 0600 from its creation; keys that we do not know are kept. Room for the new file is made before the refresh
//! is asked for, since a refresh whose answer cannot be kept may cost the login.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde_json::{Map, Value};
use zeroize::{Zeroize, Zeroizing};

use super::expiry;
use crate::deadline::Deadline;

/// The most that a login is long, in bytes; the CLI's are about 4 KiB.
const LONGEST: u64 = 256 * 1024;
/// What is made room for beyond the size of the old login: tokens vary in length.
const SLACK: usize = 8 * 1024;
/// How often a lock that another holds is tried again.
const LOCK_RETRY: Duration = Duration::from_millis(20);
/// How often a file that was replaced under our lock is locked anew.
const MOST_REPLACED: u32 = 10;

/// Why a login cannot be used or replaced.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
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

/// What `aws sso login` left: keys and values as they stand in the file. Wiped on drop.
pub struct Login {
    values: Map<String, Value>,
    /// When the access token ends.
    pub expires_at: SystemTime,
}

impl Drop for Login {
    fn drop(&mut self) {
        for value in self.values.values_mut() {
            if let Value::String(text) = value {
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
    pub fn read(path: &Path) -> Result<Self, LoginError> {
        let bytes = read(path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => LoginError::Absent(path.to_owned()),
            _ => LoginError::Read { path: path.to_owned(), source: error },
        })?;
        Self::parse(&bytes).map_err(|why| LoginError::Malformed { path: path.to_owned(), why })
    }

    /// Reads the login in a file's bytes.
    ///
    /// # Errors
    /// What is missing, without a word of the file's.
    pub fn parse(bytes: &[u8]) -> Result<Self, &'static str> {
        let values: Map<String, Value> = serde_json::from_slice(bytes).map_err(|_| "is not a JSON object")?;
        let mut login = Self { values, expires_at: SystemTime::UNIX_EPOCH };
        if login.text("accessToken").is_none() {
            return Err("has no accessToken");
        }
        let expires_at = login.text("expiresAt").ok_or("has no expiresAt")?;
        login.expires_at = expiry::parse(expires_at).ok_or("has an expiresAt that is no time")?;
        Ok(login)
    }

    /// The value of a key, if it is a string that is not empty. The SDK for Rust writes and reads keys in any case.
    fn text(&self, key: &str) -> Option<&str> {
        let value = self
            .values
            .get(key)
            .or_else(|| self.values.iter().find(|(name, _)| name.eq_ignore_ascii_case(key)).map(|(_, value)| value));
        value.and_then(Value::as_str).filter(|text| !text.is_empty())
    }

    /// The access token, a secret.
    pub fn access_token(&self) -> &str {
        self.text("accessToken").unwrap_or_default()
    }

    /// What a refresh needs, if the login can be refreshed at `now`.
    pub fn refresh(&self, now: SystemTime) -> Option<Refresh<'_>> {
        let registered = match self.text("registrationExpiresAt") {
            Some(end) => expiry::parse(end).is_none_or(|end| end > now),
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
        new.set("expiresAt", expiry::text(expires_at));
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
        if let Some(Value::String(mut old)) = self.values.insert(name, text.into()) {
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

fn read(path: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
    let file = open(path)?;
    let about = file.metadata()?;
    if !about.is_file() {
        return Err(io::Error::other("not a file"));
    }
    if about.len() > LONGEST {
        return Err(io::Error::other("too long to be a login"));
    }
    let room = usize::try_from(about.len()).unwrap_or(0) + 1;
    let mut bytes = Zeroizing::new(Vec::with_capacity(room));
    file.take(LONGEST).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The right to refresh a login: one process at a time. The lock is on the login itself, so that nothing else
/// is left in the user's directory, and ends with the process.
pub struct Lock {
    file: Option<File>,
}

impl Lock {
    /// Waits for the right until `deadline`; goes on without it, so that a process that hangs holds up no other
    /// for ever, and where the file system has no locks.
    pub async fn wait(path: &Path, deadline: Deadline) -> Self {
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
    pub fn is_held(&self) -> bool {
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
pub struct Replacement {
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
    pub fn prepare(login: &Path, lock: &Lock) -> Result<Self, LoginError> {
        Self::try_prepare(login, lock).map_err(|error| LoginError::Write { path: login.to_owned(), source: error })
    }

    fn try_prepare(login: &Path, lock: &Lock) -> io::Result<Self> {
        // Where the login is a link, what it points to is replaced and the link kept.
        let target = fs::canonicalize(login)?;
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
    pub fn commit(mut self, login: &Login) -> Result<(), LoginError> {
        self.try_commit(login).map_err(|error| LoginError::Write { path: self.target.clone(), source: error })
    }

    fn try_commit(&mut self, login: &Login) -> io::Result<()> {
        let bytes = login.bytes()?;
        self.file.seek(SeekFrom::Start(0))?;
        self.file.write_all(&bytes)?;
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
mod tests {
    use super::*;

    const LOGIN: &str = r#"{"startUrl":"https://d-1.awsapps.com/start","accessToken":"old","expiresAt":"2026-04-01T12:00:00Z",
        "clientId":"client","clientSecret":"secret","registrationExpiresAt":"2026-05-01T12:00:00Z","refreshToken":"refresh",
        "ours to keep":[1,{"a":null}]}"#;

    fn at(text: &str) -> SystemTime {
        expiry::parse(text).unwrap()
    }

    #[test]
    fn a_login_of_the_cli_is_read() {
        let login = Login::parse(LOGIN.as_bytes()).unwrap();
        assert_eq!(login.access_token(), "old");
        assert_eq!(login.expires_at, at("2026-04-01T12:00:00Z"));
        let refresh = login.refresh(at("2026-04-30T12:00:00Z")).unwrap();
        assert_eq!((refresh.token, refresh.client_id, refresh.client_secret), ("refresh", "client", "secret"));
    }

    #[test]
    fn a_login_whose_client_registration_has_ended_cannot_be_refreshed() {
        assert!(Login::parse(LOGIN.as_bytes()).unwrap().refresh(at("2026-05-01T12:00:00Z")).is_none());
    }

    #[test]
    fn of_a_key_in_two_spellings_the_one_that_is_read_is_replaced() {
        let text = br#"{"ACCESSTOKEN":"a","accessToken":"b","expiresAt":"2027-06-01T00:00:00Z","EXPIRESAT":""}"#;
        let end = at("2027-06-01T01:00:00Z");
        let refreshed = Login::parse(text).unwrap().refreshed("new", end, None);
        let read = Login::parse(&refreshed.bytes().unwrap()).unwrap();
        assert_eq!((read.access_token(), read.expires_at), ("new", end));
    }

    #[test]
    fn a_login_without_refresh_token_cannot_be_refreshed() {
        let login =
            Login::parse(br#"{"accessToken":"a","expiresAt":"2026-04-01T12:00:00UTC","clientId":"c"}"#).unwrap();
        assert!(login.refresh(at("2026-04-01T11:00:00Z")).is_none());
    }

    #[test]
    fn what_is_no_login_is_said_without_quoting_it() {
        for (bytes, why) in [
            ("", "is not a JSON object"),
            ("null", "is not a JSON object"),
            ("{", "is not a JSON object"),
            ("{}", "has no accessToken"),
            (r#"{"accessToken":1}"#, "has no accessToken"),
            (r#"{"accessToken":"a"}"#, "has no expiresAt"),
            (r#"{"accessToken":"a","expiresAt":"x"}"#, "has an expiresAt that is no time"),
        ] {
            assert_eq!(Login::parse(bytes.as_bytes()).err(), Some(why), "{bytes}");
        }
    }

    fn in_folder() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("0123.json");
        fs::write(&path, LOGIN).unwrap();
        (folder, path)
    }

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(future)
    }

    fn lock(path: &Path) -> Lock {
        block_on(Lock::wait(path, Deadline::within(Duration::ZERO)))
    }

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_refreshed_login_replaces_the_old_one_and_keeps_every_other_key() {
        let (folder, path) = in_folder();
        let old = Login::read(&path).unwrap();
        let new = old.refreshed("new", at("2026-04-01T20:00:00Z"), None);
        Replacement::prepare(&path, &lock(&path)).unwrap().commit(&new).unwrap();
        let mut expected: Value = serde_json::from_str(LOGIN).unwrap();
        expected["accessToken"] = "new".into();
        expected["expiresAt"] = "2026-04-01T20:00:00Z".into();
        assert_eq!(serde_json::from_slice::<Value>(&fs::read(&path).unwrap()).unwrap(), expected);
        assert_eq!(names(folder.path()), ["0123.json"]);
        #[cfg(unix)]
        assert_eq!(std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&path).unwrap().permissions()) & 0o777, 0o600);
    }

    #[test]
    fn a_replacement_that_is_given_up_leaves_the_old_login_alone() {
        let (folder, path) = in_folder();
        drop(Replacement::prepare(&path, &lock(&path)).unwrap());
        assert_eq!(fs::read_to_string(&path).unwrap(), LOGIN);
        assert_eq!(names(folder.path()), ["0123.json"]);
    }

    #[test]
    fn what_a_killed_process_left_is_written_over() {
        let (folder, path) = in_folder();
        fs::write(folder.path().join("0123.json.ecr-login.tmp"), "torn").unwrap();
        drop(Replacement::prepare(&path, &lock(&path)).unwrap());
        assert_eq!(names(folder.path()), ["0123.json"]);
    }

    #[cfg(unix)]
    #[test]
    fn a_login_that_is_a_link_stays_one() {
        let (folder, path) = in_folder();
        let link = folder.path().join("link.json");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        let new = Login::read(&link).unwrap().refreshed("new", at("2026-04-01T20:00:00Z"), Some("r2"));
        Replacement::prepare(&link, &lock(&link)).unwrap().commit(&new).unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(Login::read(&path).unwrap().access_token(), "new");
    }

    #[cfg(unix)]
    #[test]
    fn a_fifo_in_its_place_does_not_hold_us() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("0123.json");
        rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        assert!(matches!(Login::read(&path), Err(LoginError::Read { .. })));
    }

    #[test]
    fn one_at_a_time_has_the_lock_and_a_waiter_gives_up_at_its_deadline() {
        let (_folder, path) = in_folder();
        let first = lock(&path);
        assert!(first.is_held());
        assert!(!lock(&path).is_held());
        drop(first);
        assert!(lock(&path).is_held());
    }
}
