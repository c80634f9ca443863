//! Puts bytes into a file in one step: a temporary file beside it, then a rename. A crash at any instant leaves
//! the old or the new file, and at most one temporary one for each, whose name is known: the next write
//! removes it. Nothing is synced: what a power cut tears, the checksum calls a miss, and ECR has more tokens.

use std::fs::{File, TryLockError};
use std::io::{self, Write};
use std::thread::sleep;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::file_names::TEMPORARY;
use super::secure_dir::SecureDir;
use crate::os::clock;

/// How often, at most, a writer waits for another writer of the same file.
const MAX_LOCK_TRIES: u32 = 20;

/// Where the file system has no locks, a temporary file older than this, in seconds, counts as abandoned.
const ABANDONED_AFTER_SECONDS: i64 = 60;

/// Replaces the file `name`; its time of modification becomes `modified`.
///
/// # Errors
/// The file system refuses, or somebody else writes the same file and does not come to an end.
pub(super) fn replace(directory: &SecureDir, name: &str, bytes: &[u8], modified: Option<SystemTime>) -> io::Result<()> {
    let (mut file, temporary) = claim(directory, name)?;
    let written = file.write_all(bytes).and_then(|()| match modified {
        // Only a hint for eviction and for people.
        Some(modified) => file.set_modified(modified).or(Ok(())),
        None => Ok(()),
    });
    let done = written.and_then(|()| directory.rename(&temporary, name));
    if done.is_err() {
        directory.remove(&temporary);
    }
    done
}

/// A temporary file of this process alone: the holder of the lock on the file of that name owns the name.
fn claim(directory: &SecureDir, name: &str) -> io::Result<(File, String)> {
    let temporary = format!("{name}{TEMPORARY}");
    for _ in 0..MAX_LOCK_TRIES {
        match directory.create_new(&temporary) {
            Ok(file) => match file.try_lock() {
                Ok(()) if directory.is(&file, &temporary) => return Ok((file, temporary)),
                // Another process took it for abandoned before it was locked.
                Ok(()) | Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(_)) => return Ok((file, temporary)),
            },
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => match removed(directory, &temporary) {
                Removed::Yes => {}
                Removed::InUse => sleep(Duration::from_millis(2)),
                Removed::NoLocks => return unique(directory, name),
            },
            Err(error) => return Err(error),
        }
    }
    Err(io::ErrorKind::WouldBlock.into())
}

/// The outcome of removing a temporary file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Removed {
    /// It was abandoned and is removed, or it was gone already.
    Yes,
    /// Another process is writing it.
    InUse,
    /// The file system has no locks, and it is too young to count as abandoned.
    NoLocks,
}

/// Removes a temporary file that nobody is writing.
pub(super) fn removed(directory: &SecureDir, temporary: &str) -> Removed {
    let gone = |done: bool| if done || directory.state(temporary).is_none() { Removed::Yes } else { Removed::InUse };
    match directory.open_existing(temporary) {
        Ok(file) => match file.try_lock() {
            Ok(()) if directory.is(&file, temporary) => gone(directory.remove(temporary)),
            Ok(()) => Removed::Yes,
            Err(TryLockError::WouldBlock) => Removed::InUse,
            Err(TryLockError::Error(_)) => {
                let now = clock::seconds();
                match directory.state(temporary) {
                    Some(state) if now.saturating_sub(state.modified_at) <= ABANDONED_AFTER_SECONDS => Removed::NoLocks,
                    _ => gone(directory.remove(temporary)),
                }
            }
        },
        // Not made by this program: a link, a directory, another user's file.
        Err(_) => gone(directory.remove(temporary)),
    }
}

/// A name that no other process uses at the same time.
fn unique(directory: &SecureDir, name: &str) -> io::Result<(File, String)> {
    let nanos = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos());
    let temporary = format!("{name}.{}-{nanos}{TEMPORARY}", std::process::id());
    Ok((directory.create_new(&temporary)?, temporary))
}
