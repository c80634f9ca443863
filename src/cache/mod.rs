//! Tokens on disk: one small file an entry, replaced atomically, trusted only when nobody else could have
//! written it.
//!
//! - Reading makes nothing and follows no link; whatever is on the disk is an entry or a miss.
//! - Writing makes what is missing, for its owner alone, and never fails a call: without a disk there is no
//!   cache, and the token is delivered all the same.
//! - An erased token stays erased, also when another process was just about to write a copy of it.
//!
//! `docs/cache.md` has the layout.

mod atomic_write;
pub mod codec;
mod evict;
mod file_names;
mod invalidate;
mod location;
mod lock;
mod secure_dir;
mod token_lifetime;

use std::cell::{OnceCell, RefCell};
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

pub use self::invalidate::InvalidateError;
pub use self::lock::{FetchLock, LockGuard, TryLock};
#[cfg(all(unix, test))]
pub(crate) use self::secure_dir::{Fault, with_fault};
use self::secure_dir::{SecureDir, State, Unopened, Unread};
pub use self::token_lifetime::{MAX_TOKEN_LIFE_SECONDS, Millis, TokenLifetime};
use crate::credentials::CacheKey;
use crate::os::clock;
use crate::os::environment::Environment;
use crate::os::secret::Secret;
use crate::text::user_error::UserError;

/// One token for one registry, as it stands in its file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The registry's host.
    pub registry: String,
    /// Whose token it is.
    pub cache_key: CacheKey,
    /// The identity in words.
    pub label: String,
    /// When it was issued, when it is refreshed, when it ends.
    pub times: TokenLifetime,
    /// The user name, `AWS`.
    pub username: String,
    /// The password.
    pub password: Secret,
}

/// That a fetch failed, for everybody who would ask the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CachedFailure {
    /// When, in milliseconds since the Unix epoch.
    pub failed_at: Millis,
    /// It had less time than a call has, for the sake of a token that ends soon: whoever has no token asks again.
    pub short_deadline: bool,
    /// What would be said of it.
    pub failure: UserError,
}

/// What had been erased at one moment; see [`Cache::invalidation_epoch`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidationEpoch(Option<State>);

/// The cache directory.
#[derive(Debug)]
pub struct Cache {
    places: Vec<PathBuf>,
    open: OnceCell<(PathBuf, SecureDir)>,
    /// A directory that is there and could not be opened.
    unopened: Option<(PathBuf, std::io::Error)>,
    distrusted: bool,
    warnings: RefCell<Vec<String>>,
    unread: RefCell<Vec<String>>,
}

impl Cache {
    /// Finds the directory; `None` where none is usable or wanted. One that does not exist yet is made when
    /// something is written.
    pub fn open(environment: &Environment) -> Option<Self> {
        let places = location::candidates(environment);
        let mut cache = Self {
            places,
            open: OnceCell::new(),
            unopened: None,
            distrusted: false,
            warnings: RefCell::default(),
            unread: RefCell::default(),
        };
        for place in &cache.places {
            match SecureDir::open(place) {
                Ok(Some(directory)) => {
                    let _ = cache.open.set((place.clone(), directory));
                    break;
                }
                Ok(None) => {}
                // For a token it counts as none.
                Err(Unopened::Failed(error)) => cache.unopened = Some((place.clone(), error)),
                Err(Unopened::Untrusted(reason)) => {
                    let line = format!("the cache directory {} is not used: {reason}", place.display());
                    cache.warnings.borrow_mut().push(line);
                    cache.distrusted = true;
                    break;
                }
            }
        }
        (!cache.places.is_empty()).then_some(cache)
    }

    /// The directory in use, or the one that would be made.
    pub fn path(&self) -> Option<&Path> {
        self.open.get().map(|(path, _)| path.as_path()).or_else(|| self.places.first().map(PathBuf::as_path))
    }

    /// What of the cache was not trusted so far, and why: lines for the user.
    pub fn warnings(&self) -> Vec<String> {
        self.warnings.borrow().clone()
    }

    /// Why there is no directory to read from, where there should be one: a line for whoever asks.
    pub fn unopened(&self) -> Option<String> {
        let (path, error) = self.unopened.as_ref().filter(|_| self.open.get().is_none())?;
        Some(format!("the cache directory {} cannot be opened: {error}", path.display()))
    }

    /// What of the cache could not be read so far, beside what was not trusted. For a token it counts as not there; who
    /// tells people what is there says that there is more.
    pub fn unread(&self) -> Vec<String> {
        self.unread.borrow().clone()
    }

    /// The entry of this cache key for this registry.
    pub fn read(&self, cache_key: &CacheKey, registry: &str) -> Option<Entry> {
        let entry = codec::read_entry(&self.bytes(&file_names::entry(cache_key, registry)?)?)?;
        // A file that bears another's name is nobody's.
        (entry.cache_key == *cache_key && entry.registry == registry).then_some(entry)
    }

    /// The times of that entry, as true as the whole of it, without a copy of its password.
    pub fn times(&self, cache_key: &CacheKey, registry: &str) -> Option<TokenLifetime> {
        codec::read_times(&self.bytes(&file_names::entry(cache_key, registry)?)?, cache_key, registry)
    }

    /// Of all entries of this cache key that live at `now` and end after `after`, the one that ends last. Every token
    /// of a cache key opens every registry of its region: one of another registry becomes an entry of this one.
    ///
    /// `swept` says that somebody has just written and swept: of fifty who waited for one token each would look at the
    /// other forty-nine copies.
    pub fn copy_newest_sibling(
        &self,
        cache_key: &CacheKey,
        registry: &str,
        now: Millis,
        after: Option<i64>,
        swept: bool,
    ) -> Option<Entry> {
        let before = self.invalidation_epoch();
        let directory = self.directory()?;
        let prefix = format!("{}-", codec::hex(cache_key));
        let names = directory.names().unwrap_or_default();
        let mut found: Vec<(i64, &String)> = names
            .iter()
            .filter(|name| name.starts_with(&prefix) && file_names::parse(name).is_some())
            // An entry's file bears the end of its token as its time.
            .filter_map(|name| Some((directory.state(name)?.modified_at, name)))
            .filter(|(end, _)| after.is_none_or(|after| *end > after))
            .collect();
        found.sort_unstable_by(|one, other| other.cmp(one));
        let is_wanted =
            |entry: &Entry| entry.times.is_valid(now) && after.is_none_or(|after| entry.times.expires_at > after);
        let newest = found.into_iter().find_map(|(_, name)| self.entry(name).filter(is_wanted))?;
        if newest.registry == registry {
            return Some(newest);
        }
        let entry = Entry { registry: registry.to_owned(), ..newest };
        if !swept || names.len() >= evict::MOST {
            evict::sweep(directory, clock::seconds());
        }
        self.keep(directory, &entry, before);
        Some(entry)
    }

    /// Keeps the entry in the place of the one that was there, unless something was erased since `before`:
    /// the token may be the very one that was to be forgotten. Expired entries go at the same time.
    pub fn write(&self, entry: &Entry, before: InvalidationEpoch) {
        if let Some(directory) = self.writable() {
            evict::sweep(directory, clock::seconds());
            self.keep(directory, entry, before);
        }
    }

    fn keep(&self, directory: &SecureDir, entry: &Entry, before: InvalidationEpoch) {
        let written = (|| {
            let name = file_names::entry(&entry.cache_key, &entry.registry)?;
            let bytes = codec::write_entry(entry)?;
            let end = UNIX_EPOCH.checked_add(Duration::from_secs(u64::try_from(entry.times.expires_at).ok()?))?;
            atomic_write::replace(directory, &name, &bytes, Some(end)).ok()?;
            Some(name)
        })();
        if let Some(name) = written
            && self.invalidation_epoch() != before
        {
            directory.remove(&name);
        }
    }

    /// What has been erased until now, to be taken before a token is fetched or read that shall be written.
    pub fn invalidation_epoch(&self) -> InvalidationEpoch {
        InvalidationEpoch(self.directory().and_then(|directory| directory.state(file_names::ERASED)))
    }

    /// Every entry, whether it still is valid or not, by registry.
    pub fn entries(&self) -> Vec<Entry> {
        let names = self.names();
        let mut entries: Vec<Entry> =
            names.iter().filter(|name| file_names::parse(name).is_some()).filter_map(|name| self.entry(name)).collect();
        entries.sort_by(|one, other| (&one.registry, one.cache_key.0).cmp(&(&other.registry, other.cache_key.0)));
        entries
    }

    /// The registries that have an entry of any identity, in order, by the names of the files alone.
    pub fn registries(&self) -> Vec<String> {
        let names = self.names();
        let mut hosts: Vec<String> =
            names.iter().filter_map(|name| file_names::parse(name)).map(|(_, host)| host.to_owned()).collect();
        hosts.sort_unstable();
        hosts.dedup();
        hosts
    }

    /// The names of everything in the directory, for those who tell people what is there: a directory that cannot be
    /// read is empty to them, and [`Self::unread`] says that it is not.
    fn names(&self) -> Vec<String> {
        let unread = |path: &Path, error: &std::io::Error| {
            add(&self.unread, format!("the cache directory {} cannot be read: {error}", path.display()));
        };
        if let Some((path, error)) = &self.unopened {
            unread(path, error);
        }
        let Some((path, directory)) = self.open.get() else { return Vec::new() };
        directory.names().unwrap_or_else(|error| {
            unread(path, &error);
            Vec::new()
        })
    }

    /// The last failure of a fetch for this cache key, if none has succeeded since.
    pub fn note(&self, cache_key: &CacheKey) -> Option<CachedFailure> {
        let bytes = self.bytes(&file_names::note(cache_key))?;
        codec::read_note(&bytes)
    }

    /// Leaves word of a failure.
    pub fn write_note(&self, cache_key: &CacheKey, note: &CachedFailure) {
        if let (Some(directory), Some(bytes)) = (self.writable(), codec::write_note(note)) {
            evict::old_notes(directory, clock::seconds());
            // Without a note the next one asks again: no worse than without a cache.
            let _ = atomic_write::replace(directory, &file_names::note(cache_key), &bytes, None);
        }
    }

    /// A fetch has succeeded.
    pub fn remove_note(&self, cache_key: &CacheKey) {
        if let Some(directory) = self.directory() {
            directory.remove(&file_names::note(cache_key));
        }
    }

    /// The lock of everybody who would ask the same.
    pub fn slot(&self, cache_key: &CacheKey) -> FetchLock {
        FetchLock::open(self.writable(), cache_key)
    }

    /// Says that a detached refresh is about to start; false where one has been started within `recent` and has
    /// not ended.
    pub fn begin_refresh(&self, cache_key: &CacheKey, recent: Duration) -> bool {
        let Some(directory) = self.writable() else { return false };
        let name = file_names::refreshing(cache_key);
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

    /// The detached refresh has ended.
    pub fn end_refresh(&self, cache_key: &CacheKey) {
        if let Some(directory) = self.directory() {
            directory.remove(&file_names::refreshing(cache_key));
        }
    }

    fn entry(&self, name: &str) -> Option<Entry> {
        let bytes = self.bytes(name)?;
        let entry = codec::read_entry(&bytes)?;
        // A file that bears another's name is nobody's.
        (file_names::entry(&entry.cache_key, &entry.registry).as_deref() == Some(name)).then_some(entry)
    }

    fn bytes(&self, name: &str) -> Option<crate::os::secret::Wiped> {
        let (path, directory) = self.open.get()?;
        match directory.read(name, codec::LIMIT) {
            Ok(bytes) => Some(bytes),
            Err(Unread::Unusable) => None,
            Err(Unread::Untrusted(reason)) => {
                let line = format!("the cached {} is not used: {reason}", path.join(name).display());
                add(&self.warnings, line);
                None
            }
            Err(Unread::Failed(error)) => {
                add(&self.unread, format!("the cached {} cannot be read: {error}", path.join(name).display()));
                None
            }
        }
    }

    fn directory(&self) -> Option<&SecureDir> {
        self.open.get().map(|(_, directory)| directory)
    }

    /// The directory, made if it was not there.
    fn writable(&self) -> Option<&SecureDir> {
        if self.distrusted {
            return None;
        }
        if self.open.get().is_none() {
            let made = self.places.iter().find_map(|place| Some((place.clone(), SecureDir::create(place).ok()?)))?;
            let _ = self.open.set(made);
        }
        self.directory()
    }
}

/// Says it once.
fn add(lines: &RefCell<Vec<String>>, line: String) {
    let mut lines = lines.borrow_mut();
    if !lines.contains(&line) {
        lines.push(line);
    }
}
