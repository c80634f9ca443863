//! Invalidation: tokens that must not be served any more.

use std::path::PathBuf;

use super::secure_dir::SecureDir;
use super::secure_dir::Unopened;
use super::{Cache, codec, evict, file_names};
use crate::credentials::CacheKey;

/// Why an entry that was to be removed may still be in the cache.
#[derive(Debug, thiserror::Error)]
pub enum InvalidateError {
    /// The directory cannot be listed.
    #[error("the cache directory {} cannot be read, so tokens may be left in it: {source}", .path.display())]
    Unread {
        /// The directory.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// Some files could not be removed.
    #[error("not every token in {} could be removed; see who owns it, and whether it can be written", .path.display())]
    Left {
        /// The directory.
        path: PathBuf,
    },
}

impl Cache {
    /// Removes the tokens that open `registry`: all entries of every identity that has one for it, since they hold
    /// the same token and would be copied; and every failure. True if there was any entry.
    ///
    /// # Errors
    ///
    /// Not everything is known to be removed.
    pub(crate) fn erase(&self, registry: &str) -> Result<bool, InvalidateError> {
        // Kept from round to round: the registry's own entry may be gone while copies of its token are not.
        let mut whose: Vec<String> = Vec::new();
        self.forget(|entries| {
            whose.extend(entries.iter().filter(|(_, host)| *host == registry).map(|(of, _)| (*of).to_owned()));
            entries.iter().map(|(of, _)| whose.iter().any(|known| known == of)).collect()
        })
    }

    /// Removes every entry. True if there was any.
    ///
    /// # Errors
    ///
    /// Not everything is known to be removed.
    pub fn clear(&self) -> Result<bool, InvalidateError> {
        if let Some(directory) = self.directory() {
            directory.remove(file_names::SERVED);
            directory.remove(file_names::LAST_FAILURE);
        }
        self.forget(|entries| vec![true; entries.len()])
    }

    /// Removes every entry of this cache key but the one of the registry `but`. True if there was any.
    ///
    /// # Errors
    ///
    /// Not everything is known to be removed.
    pub(super) fn forget_all_of(&self, cache_key: &CacheKey, but: Option<&str>) -> Result<bool, InvalidateError> {
        let ours = codec::hex(cache_key);
        let goes = |name: &String| file_names::parse(name).is_some_and(|(of, host)| of == ours && Some(host) != but);
        let names = || self.directory().and_then(|directory| directory.names().ok()).unwrap_or_default();
        // An erasure keeps other processes from storing what they are fetching, so it is not announced without need.
        if but.is_some() && !names().iter().any(goes) {
            return Ok(false);
        }
        self.forget(|entries| entries.iter().map(|(of, host)| *of == ours && Some(*host) != but).collect())
    }

    /// In every directory that a cache of ours may be in, since the one in use may be another than yesterday: where home
    /// could not be opened, a token was kept elsewhere. Says before and after each round of removals that something was
    /// erased, until there is nothing left: a copy that another process makes meanwhile is either seen here, or its
    /// writer sees what was said. It is said also where there is nothing to remove: a token may be on its way.
    ///
    /// `doomed` is given cache key and host of every entry, and says of each whether it goes.
    fn forget(&self, mut doomed: impl FnMut(&[(&str, &str)]) -> Vec<bool>) -> Result<bool, InvalidateError> {
        const MAX_ROUNDS: usize = 16;
        let mut failed = None;
        let mut directories: Vec<(PathBuf, SecureDir)> = Vec::new();
        for place in &self.places {
            match SecureDir::open(place) {
                Ok(Some(directory)) => directories.push((place.clone(), directory)),
                // An untrusted directory is not served from either.
                Ok(None) | Err(Unopened::Untrusted(_)) => {}
                Err(Unopened::Failed(source)) => {
                    failed.get_or_insert(InvalidateError::Unread { path: place.clone(), source });
                }
            }
        }
        let (mut any, mut left) = (false, None);
        directories.iter().for_each(|(_, directory)| say_erased(directory));
        for _ in 0..MAX_ROUNDS {
            left = None;
            directories.retain(|(path, directory)| {
                evict::notes_and_remains(directory);
                let names = match directory.names() {
                    Ok(names) => names,
                    Err(source) => {
                        failed.get_or_insert(InvalidateError::Unread { path: path.clone(), source });
                        return false;
                    }
                };
                let (files, entries): (Vec<&String>, Vec<(&str, &str)>) =
                    names.iter().filter_map(|name| Some((name, file_names::parse(name)?))).unzip();
                let doomed = files.into_iter().zip(doomed(&entries)).filter(|it| it.1).map(|it| it.0);
                let removed: Vec<bool> = doomed.map(|name| directory.remove(name)).collect();
                if !removed.is_empty() {
                    any |= removed.contains(&true);
                    say_erased(directory);
                    left = Some(path.clone());
                }
                true
            });
            if left.is_none() {
                break;
            }
        }
        match (failed, left) {
            (Some(failed), _) => Err(failed),
            (None, Some(path)) => Err(InvalidateError::Left { path }),
            (None, None) => Ok(any),
        }
    }
}

/// Each erasure makes the file longer by a byte; only its size is looked at.
fn say_erased(directory: &SecureDir) {
    use std::io::Write;
    const MAX_FILE_BYTES: u64 = 1 << 20;
    if directory.state(file_names::ERASED).is_some_and(|state| state.size >= MAX_FILE_BYTES) {
        directory.remove(file_names::ERASED);
    }
    // On a full disk the entry is removed all the same.
    let _ = directory.open_or_create(file_names::ERASED).and_then(|mut file| file.write_all(b"."));
}
