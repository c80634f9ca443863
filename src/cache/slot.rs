//! One cache key and registry: look up, lock, store, invalidate. This is all that `token/` does with the cache on the
//! way of a `get`.

use std::time::Duration;

use super::lock::FetchLock;
use super::{Cache, CachedFailure, Entry, InvalidateError, Millis, TokenLifetime};
use super::{atomic_write, codec, evict, file_names};
use crate::credentials::CacheKey;
use crate::os::clock;
use crate::os::secret::Secret;
use crate::text::user_error::UserError;

/// What the cache holds for one cache key and registry.
#[derive(Debug)]
pub(crate) struct CacheSlot<'a> {
    cache: &'a Cache,
    cache_key: CacheKey,
    registry: &'a str,
}

impl<'a> CacheSlot<'a> {
    pub(super) fn new(cache: &'a Cache, cache_key: CacheKey, registry: &'a str) -> Self {
        Self { cache, cache_key, registry }
    }

    /// The cache key.
    pub(crate) fn cache_key(&self) -> &CacheKey {
        &self.cache_key
    }

    /// The registry's own entry, whether its token is valid or not.
    pub(crate) fn lookup(&self) -> Option<Entry> {
        self.cache.read(&self.cache_key, self.registry)
    }

    /// Of all entries of the cache key that are valid at `now` and expire after `than`, the one that expires last. A token
    /// opens every registry of its region: one that was stored for another registry is copied to this one.
    ///
    /// `evicted` says that another process has just stored a token and removed what had expired: fifty processes that
    /// waited for one token would each look at the other forty-nine copies.
    pub(crate) fn newest(&self, now: Millis, than: Option<&TokenLifetime>, evicted: bool) -> Option<Entry> {
        let before = self.cache.invalidation_epoch();
        let directory = self.cache.directory()?;
        let is_newer = |expires_at: i64| than.is_none_or(|than| expires_at > than.expires_at);
        let prefix = format!("{}-", codec::hex(&self.cache_key));
        let names = directory.names().unwrap_or_default();
        let mut found: Vec<(i64, &String)> = names
            .iter()
            .filter(|name| name.starts_with(&prefix) && file_names::parse(name).is_some())
            // An entry's file has the expiry of its token as its modification time.
            .filter_map(|name| Some((directory.state(name)?.modified_at, name)))
            .filter(|(expires_at, _)| is_newer(*expires_at))
            .collect();
        found.sort_unstable_by(|one, other| other.cmp(one));
        let is_wanted = |entry: &Entry| entry.times.is_valid(now) && is_newer(entry.times.expires_at);
        let newest = found.into_iter().find_map(|(_, name)| self.cache.entry(name).filter(is_wanted))?;
        if newest.registry == self.registry {
            return Some(newest);
        }
        let entry = Entry { registry: self.registry.to_owned(), ..newest };
        if !evicted || names.len() >= evict::MAX_ENTRIES {
            evict::sweep(directory, clock::seconds());
        }
        self.cache.keep(directory, &entry, before);
        Some(entry)
    }

    /// The last failure of a fetch for this cache key, if none has succeeded since.
    pub(crate) fn failure(&self) -> Option<CachedFailure> {
        codec::read_note(&self.cache.bytes(&file_names::note(&self.cache_key))?)
    }

    /// The lock that is shared by every process that would send the same request.
    pub(crate) fn lock(&self) -> FetchLock {
        FetchLock::open(self.cache.writable(), &self.cache_key)
    }

    /// Runs `fetch` and stores its outcome: the entry, unless something was erased meanwhile, or the failure.
    ///
    /// # Errors
    /// The failure of `fetch`. What cannot be stored is fetched again by the next call.
    pub(crate) fn store<T>(
        &self,
        fetch: impl FnOnce() -> Result<(T, Option<Entry>), CachedFailure>,
    ) -> Result<T, UserError> {
        let before = self.cache.invalidation_epoch();
        match fetch() {
            Ok((fetched, entry)) => {
                if let Some(directory) = self.cache.directory() {
                    directory.remove(&file_names::note(&self.cache_key));
                }
                if let Some(entry) = entry {
                    self.cache.write(&entry, before);
                }
                Ok(fetched)
            }
            Err(failed) => {
                if let (Some(directory), Some(bytes)) = (self.cache.writable(), codec::write_note(&failed)) {
                    evict::old_notes(directory, clock::seconds());
                    let _ = atomic_write::replace(directory, &file_names::note(&self.cache_key), &bytes, None);
                }
                Err(failed.failure)
            }
        }
    }

    /// Removes every entry of the cache key, but for the registry's own if it holds `password`.
    ///
    /// # Errors
    /// Not everything is known to be removed.
    pub(crate) fn invalidate_all_but(&self, password: &Secret) -> Result<bool, InvalidateError> {
        let is_kept = self.lookup().is_some_and(|entry| entry.password == *password);
        self.cache.forget_all_of(&self.cache_key, is_kept.then_some(self.registry))
    }

    /// Marks that a background refresh is about to start; false where one was started within `recent` and has not
    /// ended.
    pub(crate) fn begin_refresh(&self, recent: Duration) -> bool {
        let Some(directory) = self.cache.writable() else { return false };
        let name = file_names::refreshing(&self.cache_key);
        if directory.create_new(&name).is_ok() {
            return true;
        }
        let recent = i64::try_from(recent.as_secs()).unwrap_or(i64::MAX);
        let age = directory.state(&name).map(|state| clock::seconds().saturating_sub(state.modified_at));
        if age.is_some_and(|age| (0..=recent).contains(&age)) {
            return false;
        }
        directory.remove(&name);
        directory.create_new(&name).is_ok()
    }

    /// Takes the mark of [`Self::begin_refresh`] away.
    pub(crate) fn end_refresh(&self) {
        if let Some(directory) = self.cache.directory() {
            directory.remove(&file_names::refreshing(&self.cache_key));
        }
    }
}
