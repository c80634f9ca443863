//! The directory for tests: the real one, which a test can make fail, or whose process it can kill, at any operation.

use std::cell::Cell;
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;

use rustix::io::Errno;

use super::unix::{self, State};
use super::{Unopened, Unread};
use crate::os::secret::Wiped;

/// The fault to inject. Operations are counted from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing.
    None,
    /// The process dies before this operation.
    Killed(u32),
    /// So many operations from the first on fail with this error.
    Fails(u32, u32, Errno),
}

thread_local! {
    static FAULT: Cell<(Fault, u32)> = const { Cell::new((Fault::None, 0)) };
}

struct Killed;

/// Runs `what` with that fault; `None` if it was killed.
pub(crate) fn with_fault<T>(fault: Fault, what: impl FnOnce() -> T) -> Option<T> {
    FAULT.set((fault, 0));
    let done = catch_unwind(AssertUnwindSafe(what));
    FAULT.set((Fault::None, 0));
    match done {
        Ok(done) => Some(done),
        Err(payload) if payload.is::<Killed>() => None,
        Err(payload) => resume_unwind(payload),
    }
}

/// One more operation. What the process held is let go as it unwinds, as the system does when one dies.
fn operation() -> Result<(), Errno> {
    let (fault, number) = FAULT.get();
    FAULT.set((fault, number + 1));
    match fault {
        Fault::Killed(at) if at == number => resume_unwind(Box::new(Killed)),
        Fault::Fails(first, many, errno) if (first..first.saturating_add(many)).contains(&number) => Err(errno),
        _ => Ok(()),
    }
}

#[derive(Debug)]
pub(crate) struct SecureDir(unix::SecureDir);

impl SecureDir {
    pub(crate) fn open(path: &Path) -> Result<Option<Self>, Unopened> {
        operation().map_err(io::Error::from)?;
        Ok(unix::SecureDir::open(path)?.map(Self))
    }

    pub(crate) fn create(path: &Path) -> io::Result<Self> {
        operation()?;
        unix::SecureDir::create(path).map(Self)
    }

    pub(crate) fn read(&self, name: &str, limit: usize) -> Result<Wiped, Unread> {
        operation().map_err(|errno| Unread::Failed(errno.into()))?;
        self.0.read(name, limit)
    }

    /// On a full disk a file can be made and not be written.
    pub(crate) fn create_new(&self, name: &str) -> io::Result<File> {
        match operation() {
            Ok(()) => self.0.create_new(name),
            Err(Errno::NOSPC) => {
                let file = self.0.create_new(name)?;
                File::open(format!("/proc/self/fd/{}", file.as_raw_fd()))
            }
            Err(errno) => Err(errno.into()),
        }
    }

    pub(crate) fn open_or_create(&self, name: &str) -> io::Result<File> {
        operation()?;
        self.0.open_or_create(name)
    }

    pub(crate) fn open_existing(&self, name: &str) -> io::Result<File> {
        operation()?;
        self.0.open_existing(name)
    }

    pub(crate) fn state(&self, name: &str) -> Option<State> {
        operation().ok()?;
        self.0.state(name)
    }

    pub(crate) fn is(&self, file: &File, name: &str) -> bool {
        operation().is_ok() && self.0.is(file, name)
    }

    pub(crate) fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        operation()?;
        self.0.rename(from, to)
    }

    pub(crate) fn remove(&self, name: &str) -> bool {
        operation().is_ok() && self.0.remove(name)
    }

    pub(crate) fn names(&self) -> io::Result<Vec<String>> {
        operation()?;
        self.0.names()
    }
}
