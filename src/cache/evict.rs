//! Removes what nobody needs any more, whenever something is written.

use super::secure_dir::SecureDir;
use super::{atomic_write, codec, file_names};

/// The most entries that are kept.
pub const MOST: usize = 1_000;

/// Notes and marks older than this, in seconds, say nothing any more.
const FORGOTTEN: i64 = 10 * 60;

/// Removes expired entries, temporary files that nobody is writing, and old notes; then, as one more entry is
/// about to come, those that end first, down to one less than [`MOST`].
pub fn sweep(directory: &SecureDir, now: i64) {
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
    if live.len() >= MOST {
        live.sort_unstable();
        for (_, name) in live.iter().take(live.len() + 1 - MOST) {
            directory.remove(name);
        }
    }
}

/// Removes old notes alone: where nothing succeeds, identities that come and go must not fill the disk.
pub fn old_notes(directory: &SecureDir, now: i64) {
    for name in directory.names().unwrap_or_default() {
        forget(directory, &name, now);
    }
}

/// Removes a note or mark that says nothing any more.
fn forget(directory: &SecureDir, name: &str, now: i64) {
    let passing = name.ends_with(file_names::NOTE) || name.ends_with(file_names::REFRESHING);
    if passing && directory.state(name).is_some_and(|state| now.saturating_sub(state.modified_at) > FORGOTTEN) {
        directory.remove(name);
    }
}

/// Removes every note of a failure, and what writers that were killed left over: it holds tokens too.
pub fn notes_and_remains(directory: &SecureDir) {
    for name in directory.names().unwrap_or_default() {
        if name.ends_with(file_names::NOTE) {
            directory.remove(&name);
        } else if name.ends_with(file_names::TEMPORARY) {
            atomic_write::removed(directory, &name);
        }
    }
}

/// The file's time says so already; its content has the last word, as a copied file bears another time.
fn has_ended(directory: &SecureDir, name: &str, now: i64) -> bool {
    let entry = directory.read(name, codec::LIMIT).ok().and_then(|bytes| codec::read_entry(&bytes));
    entry.is_none_or(|entry| entry.times.expires_at <= now)
}
