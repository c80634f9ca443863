//! Tokens on disk: one small file an entry, replaced atomically, trusted only when no other user could have
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
mod last_failure;
mod location;
mod lock;
mod secure_dir;
mod served;
mod slot;
mod token_lifetime;

use std::cell::{OnceCell, RefCell};
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use self::invalidate::InvalidateError;
pub(crate) use self::last_failure::LastFailure;
pub(crate) use self::lock::{FetchLock, TryLock};
#[cfg(all(unix, test))]
pub(crate) use self::secure_dir::{Fault, with_fault};
use self::secure_dir::{SecureDir, State, Unopened, Unread};
pub(crate) use self::slot::CacheSlot;
pub(crate) use self::token_lifetime::TOKEN_LIFE_SECONDS;
pub use self::token_lifetime::{MAX_TOKEN_LIFE_SECONDS, Millis, TokenLifetime};
use crate::credentials::CacheKey;
use crate::os::clock;
use crate::os::environment::Environment;
use crate::os::secret::Secret;
use crate::text::user_error::UserError;

/// One token for one registry, as its file holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The registry's host.
    pub registry: String,
    /// The cache key of its identity.
    pub cache_key: CacheKey,
    /// The identity in words.
    pub label: String,
    /// When it was issued, when a refresh is due, when it expires.
    pub times: TokenLifetime,
    /// The user name, `AWS`.
    pub username: String,
    /// The password.
    pub password: Secret,
}

/// A failed fetch, which answers all processes that would send the same request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CachedFailure {
    /// When, in milliseconds since the Unix epoch.
    pub(crate) failed_at: Millis,
    /// How long the fetch had, all told, in milliseconds: a process that has longer asks again.
    pub(crate) limit: Millis,
    /// The error that is reported for it.
    pub(crate) failure: UserError,
}

/// The state of erasures at one moment; see [`Cache::invalidation_epoch`].
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
                // It counts as empty.
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

    /// The directories that are tried, best first.
    pub(crate) fn places(&self) -> &[PathBuf] {
        &self.places
    }

    /// Whether there is a directory, made and trusted.
    pub(crate) fn is_open(&self) -> bool {
        self.open.get().is_some()
    }

    /// Warnings about what was not trusted so far, and why.
    pub(crate) fn warnings(&self) -> Vec<String> {
        self.warnings.borrow().clone()
    }

    /// What could not be read so far, beside what was not trusted. A lookup counts it as a miss; `status` and `list`
    /// report it.
    pub(crate) fn unread(&self) -> Vec<String> {
        self.unread.borrow().clone()
    }

    /// The entry of this cache key for this registry.
    pub fn read(&self, cache_key: &CacheKey, registry: &str) -> Option<Entry> {
        let entry = codec::read_entry(&self.bytes(&file_names::entry(cache_key, registry)?)?)?;
        // A file under another entry's name is ignored.
        (entry.cache_key == *cache_key && entry.registry == registry).then_some(entry)
    }

    /// The times of that entry, checked as the whole entry is, without a copy of its password.
    pub(crate) fn times(&self, cache_key: &CacheKey, registry: &str) -> Option<TokenLifetime> {
        codec::read_times(&self.bytes(&file_names::entry(cache_key, registry)?)?, cache_key, registry)
    }

    /// What the cache holds for this cache key and registry, and the lock that goes with it.
    pub(crate) fn slot<'a>(&'a self, cache_key: CacheKey, registry: &'a str) -> CacheSlot<'a> {
        CacheSlot::new(self, cache_key, registry)
    }

    /// Stores the entry in the place of the one that was there, unless something was erased since `before`:
    /// the token may be the very one that was to be erased. Expired entries are removed at the same time.
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
        served::add(directory, &entry.registry);
    }

    /// The state of erasures now, to be taken before a token is fetched or read that is to be written.
    pub fn invalidation_epoch(&self) -> InvalidationEpoch {
        InvalidationEpoch(self.directory().and_then(|directory| directory.state(file_names::ERASED)))
    }

    /// Every entry, valid or not, by registry.
    pub fn entries(&self) -> Vec<Entry> {
        let names = self.names();
        let mut entries: Vec<Entry> =
            names.iter().filter(|name| file_names::parse(name).is_some()).filter_map(|name| self.entry(name)).collect();
        entries.sort_by(|one, other| (&one.registry, one.cache_key.0).cmp(&(&other.registry, other.cache_key.0)));
        entries
    }

    /// The registries that have an entry of any identity, in order, by the names of the files alone.
    pub(crate) fn registries(&self) -> Vec<String> {
        let names = self.names();
        let mut hosts: Vec<String> =
            names.iter().filter_map(|name| file_names::parse(name)).map(|(_, host)| host.to_owned()).collect();
        hosts.sort_unstable();
        hosts.dedup();
        hosts
    }

    /// The names of all files in the directory, for `status` and `list`: a directory that cannot be read is empty,
    /// and [`Self::unread`] reports it.
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

    fn entry(&self, name: &str) -> Option<Entry> {
        let bytes = self.bytes(name)?;
        let entry = codec::read_entry(&bytes)?;
        // A file under another entry's name is not used.
        (file_names::entry(&entry.cache_key, &entry.registry).as_deref() == Some(name)).then_some(entry)
    }

    fn bytes(&self, name: &str) -> Option<crate::os::secret::Wiped> {
        let (path, directory) = self.open.get()?;
        match directory.read(name, codec::MAX_FILE_BYTES) {
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

    /// The directory, created if it is missing.
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

/// Adds a line once.
fn add(lines: &RefCell<Vec<String>>, line: String) {
    let mut lines = lines.borrow_mut();
    if !lines.contains(&line) {
        lines.push(line);
    }
}
