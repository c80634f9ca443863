//! Tokens on disk: one small file an entry, replaced atomically, trusted only when nobody else could have
//! written it.
//!
//! - Reading makes nothing and follows no link; whatever is on the disk is an entry or a miss.
//! - Writing makes what is missing, for its owner alone, and never fails a call: without a disk there is no
//!   cache, and the token is delivered all the same.
//! - An erased token stays erased, also when another process was just about to write a copy of it.
//!
//! `docs/cache.md` has the layout.

#[cfg(all(unix, not(test)))]
mod directory;
#[cfg(all(unix, test))]
#[path = "directory_in_trouble.rs"]
mod directory;
#[cfg(not(unix))]
#[path = "directory_elsewhere.rs"]
mod directory;
mod forget;
pub mod format;
mod lock;
mod names;
mod place;
mod refusal;
mod replace;
mod sweep;

use std::cell::{OnceCell, RefCell};
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use self::directory::{Directory, State};
#[cfg(all(unix, test))]
pub(crate) use self::directory::{Trouble, in_trouble};
pub use self::forget::NotForgotten;
pub use self::lock::{Claim, Held, Slot};
use self::refusal::{Unopened, Unread};
use crate::broker::policy::{Millis, Times};
use crate::clock;
use crate::environment::Environment;
use crate::failure::Failure;
use crate::identity::Fingerprint;
use crate::secret::Secret;

/// One token for one registry, as it stands in its file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The registry's host.
    pub registry: String,
    /// Whose token it is.
    pub fingerprint: Fingerprint,
    /// The identity in words.
    pub label: String,
    /// When it was issued, when it is refreshed, when it ends.
    pub times: Times,
    /// The user name, `AWS`.
    pub username: String,
    /// The password.
    pub password: Secret,
}

/// That a fetch failed, for everybody who would ask the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// When, in milliseconds since the Unix epoch.
    pub failed_at: Millis,
    /// It had less time than a call has, for the sake of a token that ends soon: whoever has no token asks again.
    pub hasty: bool,
    /// What would be said of it.
    pub failure: Failure,
}

/// What had been erased at one moment; see [`Cache::erasures`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Erasures(Option<State>);

/// The cache directory.
#[derive(Debug)]
pub struct Cache {
    places: Vec<PathBuf>,
    open: OnceCell<(PathBuf, Directory)>,
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
        let places = place::candidates(environment);
        let mut cache = Self {
            places,
            open: OnceCell::new(),
            unopened: None,
            distrusted: false,
            warnings: RefCell::default(),
            unread: RefCell::default(),
        };
        for place in &cache.places {
            match Directory::open(place) {
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

    /// The entry of this fingerprint for this registry.
    pub fn read(&self, fingerprint: &Fingerprint, registry: &str) -> Option<Entry> {
        let entry = format::read_entry(&self.bytes(&names::entry(fingerprint, registry)?)?)?;
        // A file that bears another's name is nobody's.
        (entry.fingerprint == *fingerprint && entry.registry == registry).then_some(entry)
    }

    /// The times of that entry, as true as the whole of it, without a copy of its password.
    pub fn times(&self, fingerprint: &Fingerprint, registry: &str) -> Option<Times> {
        format::read_times(&self.bytes(&names::entry(fingerprint, registry)?)?, fingerprint, registry)
    }

    /// Of all entries of this fingerprint that live at `now` and end after `after`, the one that ends last. Every token
    /// of a fingerprint opens every registry of its region: one of another registry becomes an entry of this one.
    ///
    /// `swept` says that somebody has just written and swept: of fifty who waited for one token each would look at the
    /// other forty-nine copies.
    pub fn adopt_newest(
        &self,
        fingerprint: &Fingerprint,
        registry: &str,
        now: Millis,
        after: Option<i64>,
        swept: bool,
    ) -> Option<Entry> {
        let before = self.erasures();
        let directory = self.directory()?;
        let prefix = format!("{}-", format::hex(fingerprint));
        let names = directory.names().unwrap_or_default();
        let mut found: Vec<(i64, &String)> = names
            .iter()
            .filter(|name| name.starts_with(&prefix) && names::parse(name).is_some())
            // An entry's file bears the end of its token as its time.
            .filter_map(|name| Some((directory.state(name)?.modified_at, name)))
            .filter(|(end, _)| after.is_none_or(|after| *end > after))
            .collect();
        found.sort_unstable_by(|one, other| other.cmp(one));
        let is_wanted =
            |entry: &Entry| entry.times.lives(now) && after.is_none_or(|after| entry.times.expires_at > after);
        let newest = found.into_iter().find_map(|(_, name)| self.entry(name).filter(is_wanted))?;
        if newest.registry == registry {
            return Some(newest);
        }
        let entry = Entry { registry: registry.to_owned(), ..newest };
        if !swept || names.len() >= sweep::MOST {
            sweep::sweep(directory, clock::seconds());
        }
        self.keep(directory, &entry, before);
        Some(entry)
    }

    /// Keeps the entry in the place of the one that was there, unless something was erased since `before`:
    /// the token may be the very one that was to be forgotten. Expired entries go at the same time.
    pub fn write(&self, entry: &Entry, before: Erasures) {
        if let Some(directory) = self.writable() {
            sweep::sweep(directory, clock::seconds());
            self.keep(directory, entry, before);
        }
    }

    fn keep(&self, directory: &Directory, entry: &Entry, before: Erasures) {
        let written = (|| {
            let name = names::entry(&entry.fingerprint, &entry.registry)?;
            let bytes = format::write_entry(entry)?;
            let end = UNIX_EPOCH.checked_add(Duration::from_secs(u64::try_from(entry.times.expires_at).ok()?))?;
            replace::replace(directory, &name, &bytes, Some(end)).ok()?;
            Some(name)
        })();
        if let Some(name) = written
            && self.erasures() != before
        {
            directory.remove(&name);
        }
    }

    /// What has been erased until now, to be taken before a token is fetched or read that shall be written.
    pub fn erasures(&self) -> Erasures {
        Erasures(self.directory().and_then(|directory| directory.state(names::ERASED)))
    }

    /// Every entry, whether it still lives or not, by registry.
    pub fn entries(&self) -> Vec<Entry> {
        let names = self.names();
        let mut entries: Vec<Entry> =
            names.iter().filter(|name| names::parse(name).is_some()).filter_map(|name| self.entry(name)).collect();
        entries.sort_by(|one, other| (&one.registry, one.fingerprint.0).cmp(&(&other.registry, other.fingerprint.0)));
        entries
    }

    /// The registries that have an entry of any identity, in order, by the names of the files alone.
    pub fn registries(&self) -> Vec<String> {
        let names = self.names();
        let mut hosts: Vec<String> =
            names.iter().filter_map(|name| names::parse(name)).map(|(_, host)| host.to_owned()).collect();
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

    /// The last failure of a fetch for this fingerprint, if none has succeeded since.
    pub fn note(&self, fingerprint: &Fingerprint) -> Option<Note> {
        let bytes = self.bytes(&names::note(fingerprint))?;
        format::read_note(&bytes)
    }

    /// Leaves word of a failure.
    pub fn write_note(&self, fingerprint: &Fingerprint, note: &Note) {
        if let (Some(directory), Some(bytes)) = (self.writable(), format::write_note(note)) {
            sweep::old_notes(directory, clock::seconds());
            // Without a note the next one asks again: no worse than without a cache.
            let _ = replace::replace(directory, &names::note(fingerprint), &bytes, None);
        }
    }

    /// A fetch has succeeded.
    pub fn remove_note(&self, fingerprint: &Fingerprint) {
        if let Some(directory) = self.directory() {
            directory.remove(&names::note(fingerprint));
        }
    }

    /// The lock of everybody who would ask the same.
    pub fn slot(&self, fingerprint: &Fingerprint) -> Slot {
        Slot::open(self.writable(), fingerprint)
    }

    /// Says that a detached refresh is about to start; false where one has been started within `recent` and has
    /// not ended.
    pub fn begin_refresh(&self, fingerprint: &Fingerprint, recent: Duration) -> bool {
        let Some(directory) = self.writable() else { return false };
        let name = names::refreshing(fingerprint);
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
    pub fn end_refresh(&self, fingerprint: &Fingerprint) {
        if let Some(directory) = self.directory() {
            directory.remove(&names::refreshing(fingerprint));
        }
    }

    fn entry(&self, name: &str) -> Option<Entry> {
        let bytes = self.bytes(name)?;
        let entry = format::read_entry(&bytes)?;
        // A file that bears another's name is nobody's.
        (names::entry(&entry.fingerprint, &entry.registry).as_deref() == Some(name)).then_some(entry)
    }

    fn bytes(&self, name: &str) -> Option<crate::secret::Wiped> {
        let (path, directory) = self.open.get()?;
        match directory.read(name, format::LIMIT) {
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

    fn directory(&self) -> Option<&Directory> {
        self.open.get().map(|(_, directory)| directory)
    }

    /// The directory, made if it was not there.
    fn writable(&self) -> Option<&Directory> {
        if self.distrusted {
            return None;
        }
        if self.open.get().is_none() {
            let made = self.places.iter().find_map(|place| Some((place.clone(), Directory::create(place).ok()?)))?;
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
