//! One fetch at a time across processes: flock(2) on a small fixed set of files, which the system lets go when
//! their holder dies, however it dies. The files are never removed, so that no process holds a lock on one that
//! others no longer see.

use std::fs::{File, TryLockError};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::secure_dir::SecureDir;
use crate::credentials::CacheKey;

/// How many lock files there are. Two cache keys that share one wait for each other without need.
const LOCK_FILES: u8 = 64;

/// The first and the longest pause between two tries of a lock.
const RETRY_PAUSE: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(5));

/// The lock of all processes that would send the same request to ECR.
#[derive(Debug)]
pub(crate) struct FetchLock {
    file: Option<File>,
}

/// The outcome of [`FetchLock::claim`].
#[derive(Debug)]
pub(crate) enum TryLock<'a> {
    /// This process holds the lock until the guard is dropped, which is all that the guard is for.
    Held(#[allow(dead_code)] LockGuard<'a>),
    /// Another process holds it.
    Busy,
    /// The file system has no locks.
    Unsupported,
}

/// The held lock; released when dropped.
#[derive(Debug)]
pub(crate) struct LockGuard<'a>(&'a File);

impl Drop for LockGuard<'_> {
    fn drop(&mut self) {
        // If this fails, the system releases it when the process ends.
        let _ = self.0.unlock();
    }
}

impl FetchLock {
    /// The name of the lock file for `cache_key`.
    fn name(cache_key: &CacheKey) -> String {
        format!("lock-{:02x}", cache_key.0.first().unwrap_or(&0) % LOCK_FILES)
    }

    pub(super) fn open(directory: Option<&SecureDir>, cache_key: &CacheKey) -> Self {
        let name = Self::name(cache_key);
        Self { file: directory.and_then(|directory| directory.open_or_create(&name).ok()) }
    }

    /// Tries to take the lock, without waiting.
    pub(crate) fn claim(&self) -> TryLock<'_> {
        let Some(file) = &self.file else { return TryLock::Unsupported };
        match file.try_lock() {
            Ok(()) => TryLock::Held(LockGuard(file)),
            Err(TryLockError::WouldBlock) => TryLock::Busy,
            Err(TryLockError::Error(_)) => TryLock::Unsupported,
        }
    }

    /// Waits until the lock is free, or until `end`; true if it is free. All waiters go on at the same time.
    pub(crate) fn wait(&self, end: Instant) -> bool {
        let Some(file) = &self.file else { return true };
        let (mut pause, longest) = RETRY_PAUSE;
        loop {
            match file.try_lock_shared() {
                Ok(()) => {
                    // Released at once: this only tests whether the lock is free.
                    let _ = file.unlock();
                    return true;
                }
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(_)) => return true,
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            sleep(pause.min(left));
            pause = (pause * 3 / 2).min(longest);
        }
    }

    /// Whether another process holds the lock right now.
    pub(crate) fn is_busy(&self) -> bool {
        matches!(self.claim(), TryLock::Busy)
    }
}
