//! Eviction: removes what is no longer needed whenever an entry is written.

use super::secure_dir::SecureDir;
use super::{atomic_write, codec, file_names};

/// The most entries that are kept.
pub(super) const MAX_ENTRIES: usize = 1_000;

/// Failures and refresh marks older than this, in seconds, have no effect any more.
const MAX_FAILURE_AGE_SECONDS: i64 = 10 * 60;

/// Removes expired entries, abandoned temporary files and old failures; then the entries that expire first, down to
/// one less than [`MAX_ENTRIES`], as one more is about to be written.
pub(super) fn sweep(directory: &SecureDir, now: i64) {
    let mut live: Vec<(i64, String)> = Vec::new();
    for name in directory.names().unwrap_or_default() {
        if name.ends_with(file_names::TEMPORARY) {
            atomic_write::removed(directory, &name);
        } else if file_names::parse(&name).is_some() {
            let Some(state) = directory.state(&name) else { continue };
            if state.modified_at <= now && has_ended(directory, &name, now) {
                directory.remove(&name);
            } else {
                live.push((state.modified_at, name));
            }
        } else {
            forget(directory, &name, now);
        }
    }
    if live.len() >= MAX_ENTRIES {
        live.sort_unstable();
        for (_, name) in live.iter().take(live.len() + 1 - MAX_ENTRIES) {
            directory.remove(name);
        }
    }
}

/// Removes old failures alone: identities that come and go must not fill the disk where every call fails.
pub(super) fn old_notes(directory: &SecureDir, now: i64) {
    for name in directory.names().unwrap_or_default() {
        forget(directory, &name, now);
    }
}

/// Removes a failure or refresh mark that has no effect any more.
fn forget(directory: &SecureDir, name: &str, now: i64) {
    let passing = name.ends_with(file_names::NOTE) || name.ends_with(file_names::REFRESHING);
    if passing
        && directory.state(name).is_some_and(|state| now.saturating_sub(state.modified_at) > MAX_FAILURE_AGE_SECONDS)
    {
        directory.remove(name);
    }
}

/// Removes every failure, and what killed writers left behind: that holds tokens too.
pub(super) fn notes_and_remains(directory: &SecureDir) {
    for name in directory.names().unwrap_or_default() {
        if name.ends_with(file_names::NOTE) {
            directory.remove(&name);
        } else if name.ends_with(file_names::TEMPORARY) {
            atomic_write::removed(directory, &name);
        }
    }
}

/// The modification time says so already; the content decides, since a copied file has another time.
fn has_ended(directory: &SecureDir, name: &str, now: i64) -> bool {
    let entry = directory.read(name, codec::MAX_FILE_BYTES).ok().and_then(|bytes| codec::read_entry(&bytes));
    entry.is_none_or(|entry| entry.times.expires_at <= now)
}
