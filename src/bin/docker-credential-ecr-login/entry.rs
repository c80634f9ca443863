//! Where the process starts.
//!
//! On Linux that is C's `main` itself and not the one that the
//! standard library wraps around ours. The wrapper reads `/proc/self/maps`, allocates an alternate signal stack and
//! installs handlers, in order to say "stack overflow" before it aborts: 19 system calls and an eighth of an empty
//! process's time at every call, for a message about a fault that kills us either way. What it does that matters is
//! done here: closed standard streams are opened on the null device, so that no file of ours ever takes their
//! numbers, and SIGPIPE is ignored, so that a client that went away is an error to report and no silent death. One
//! thing more is done that it does not do: it is remembered whether stdout was closed, since exit code 0 would say
//! that an answer was delivered there.
//!
//! And children are tied to this process here, for the same reason: that a child goes when we are killed can only be said between
//! fork and exec and in a signal handler, and for neither there is safe code.
//!
//! And the kernel is asked here for the cookie of the network namespace, for which no safe code has a call yet.
//!
//! Elsewhere the standard library starts us. What Windows is asked at the start is in `entry/windows.rs`.

/// What was found when the process started.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Started {
    /// stdout was closed; what is written there now reaches nobody. Known on Linux and Windows alone.
    pub(crate) stdout_was_closed: bool,
    /// A standard stream was closed and nothing could be opened in its place: some file of ours would take its number,
    /// and be written to as if it were stdout or stderr.
    pub(crate) stream_is_missing: bool,
    /// Executing the file gave rights that the caller has not. Known on Linux alone.
    pub(crate) more_rights: bool,
}

/// Tells the library what only `unsafe` code can ask the system for.
pub(crate) fn provide() {
    #[cfg(target_os = "linux")]
    ecr_login::os::network_namespace::ask_by(kernel::network_namespace_cookie);
}

#[cfg(target_os = "linux")]
pub(crate) use c_main::close_inherited_files;
#[cfg(windows)]
pub(crate) use windows::prepare;

#[cfg(windows)]
mod windows;

/// Nothing is to be prepared, and nothing known.
#[cfg(not(any(target_os = "linux", windows)))]
pub(crate) fn prepare() -> Started {
    Started { stdout_was_closed: false, stream_is_missing: false, more_rights: false }
}

/// Elsewhere the files that a caller leaves open for its children stay as they are. (On Windows no child is given them.)
#[cfg(not(target_os = "linux"))]
pub(crate) fn close_inherited_files() {}

#[cfg(target_os = "linux")]
mod kernel {
    // getsockopt(2) is a C function, and rustix has no wrapper for this option of it.
    #![allow(unsafe_code)]

    use std::mem;
    use std::os::fd::AsRawFd;

    use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};

    /// `SO_NETNS_COOKIE` of asm-generic/socket.h (Linux 5.14).
    const NETNS_COOKIE: libc::c_int = 71;

    /// The cookie of this process's network namespace, asked of a socket that never gets an address.
    pub(super) fn network_namespace_cookie() -> Option<u64> {
        let socket = socket_with(AddressFamily::UNIX, SocketType::DGRAM, SocketFlags::CLOEXEC, None).ok()?;
        let mut cookie = 0_u64;
        let mut length = libc::socklen_t::try_from(mem::size_of_val(&cookie)).ok()?;
        // SAFETY: the kernel writes at most `length` bytes, which is the size of what is pointed to, and any bytes are a u64.
        let asked = unsafe {
            let value = (&raw mut cookie).cast();
            libc::getsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, NETNS_COOKIE, value, &raw mut length)
        };
        (asked == 0 && cookie != 0 && length as usize == mem::size_of_val(&cookie)).then_some(cookie)
    }
}

/// The databases of hosts and users of the C library. Nothing here asks them (`aws/dns`, `os/user`), but libraries have code
/// that would. Linked into a static program they are 0.2 MB, and load modules of the host's own C library when they are
/// asked; here nobody is known to them.
#[cfg(all(target_os = "linux", target_env = "gnu", target_feature = "crt-static"))]
mod no_databases {
    // The names must be exported for C, in the place of the C library's: a static program takes the first that it finds.
    #![allow(unsafe_code)]

    /// An empty list, and no error: for one the standard library would look into the resolver's state.
    ///
    /// SAFETY of the exported name and type: the C library's (netdb.h).
    #[cfg(not(feature = "system-resolver"))]
    #[unsafe(no_mangle)]
    unsafe extern "C" fn getaddrinfo(
        _name: *const libc::c_char,
        _service: *const libc::c_char,
        _hints: *const libc::addrinfo,
        found: *mut *mut libc::addrinfo,
    ) -> libc::c_int {
        // SAFETY: whoever asks gives the address of a pointer of its own for the list.
        unsafe { *found = std::ptr::null_mut() };
        0
    }

    /// SAFETY of the exported name and type: the C library's (netdb.h); there is nothing to free.
    #[cfg(not(feature = "system-resolver"))]
    #[unsafe(no_mangle)]
    extern "C" fn freeaddrinfo(_found: *mut libc::addrinfo) {}

    /// SAFETY of the exported name and type: the C library's (pwd.h); a caller looks at what was found after a zero only.
    #[unsafe(no_mangle)]
    extern "C" fn getpwuid_r(
        _user: libc::uid_t,
        _entry: *mut libc::passwd,
        _text: *mut libc::c_char,
        _length: libc::size_t,
        _found: *mut *mut libc::passwd,
    ) -> libc::c_int {
        libc::ENOSYS
    }
}

#[cfg(target_os = "linux")]
mod c_main {
    // The program's `unsafe` is in this file and in `entry/windows.rs`. Here: the name `main` must be exported for C, `signal`, `syscall`, `prctl`,
    // `kill` and `getauxval` are C functions, what runs between fork and exec is for us to vouch for, and an allocator is
    // a promise that no compiler can check.
    #![allow(unsafe_code)]

    use std::alloc::{GlobalAlloc, Layout};
    use std::cell::Cell;
    use std::ffi::{CStr, OsStr};
    use std::fs::OpenOptions;
    use std::io::Write as _;
    use std::os::fd::{AsRawFd, IntoRawFd};
    use std::os::unix::ffi::OsStrExt as _;
    use std::os::unix::process::CommandExt as _;
    use std::process::{Command, ExitCode};
    use std::sync::Once;
    use std::sync::atomic::{AtomicI32, Ordering};

    use ecr_login::os::subprocess::{self, ChildGuard};
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use rustix::io::Errno;
    use rustix::stdio;

    use ecr_login::os::secret;

    use super::Started;

    /// The system's allocator, which wipes what is given back once a secret may be in it (`secret::wipe_what_is_freed`):
    /// requests, answers and signatures pass through buffers of other people's code, which drops them as they are.
    struct Wiping;

    #[global_allocator]
    static ALLOCATOR: Wiping = Wiping;

    /// Where memory comes from.
    #[cfg(not(target_env = "musl"))]
    static HEAP: std::alloc::System = std::alloc::System;

    /// musl's own maps and unmaps a few pages at a time: 20 system calls more and a third of a cached `get`'s time.
    #[cfg(target_env = "musl")]
    static HEAP: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

    // SAFETY: memory comes from the system's allocator and goes back to it, with the layouts that it came with. What is
    // written to is the whole of a piece that its owner has given up, or the beginning of a new piece of at least that
    // length.
    unsafe impl GlobalAlloc for Wiping {
        unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
            unsafe { HEAP.alloc(layout) }
        }

        unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
            unsafe { HEAP.alloc_zeroed(layout) }
        }

        unsafe fn dealloc(&self, piece: *mut u8, layout: Layout) {
            unsafe {
                if secret::is_freed_wiped() {
                    libc::explicit_bzero(piece.cast(), layout.size());
                }
                HEAP.dealloc(piece, layout);
            }
        }

        unsafe fn realloc(&self, piece: *mut u8, layout: Layout, size: usize) -> *mut u8 {
            unsafe {
                if !secret::is_freed_wiped() {
                    return HEAP.realloc(piece, layout, size);
                }
                // The system's own would leave the old piece behind as it was.
                let moved = HEAP.alloc(Layout::from_size_align_unchecked(size, layout.align()));
                if !moved.is_null() {
                    moved.copy_from_nonoverlapping(piece, size.min(layout.size()));
                    self.dealloc(piece, layout);
                }
                moved
            }
        }
    }

    /// C's entry point. The arguments are taken here: with musl `std::env::args_os` knows none, since there it is the
    /// standard library's own `main` that hands them over.
    ///
    /// SAFETY of the exported name: the crate is `no_main` on this platform, so no other `main` exists.
    #[unsafe(no_mangle)]
    extern "C" fn main(count: libc::c_int, arguments: *const *const libc::c_char) -> i32 {
        let started = open_standard_streams();
        // SAFETY: SIG_IGN is a valid disposition of SIGPIPE, and no other thread exists yet.
        unsafe { libc::signal(libc::SIGPIPE, libc::SIG_IGN) };
        // SAFETY: it reads what the kernel has left at the end of the stack.
        let more_rights = unsafe { libc::getauxval(libc::AT_SECURE) } != 0;
        subprocess::guard_children(ChildGuard { tie, begun, ended });
        let arguments = (0..usize::try_from(count).unwrap_or(0)).map(|number| {
            // SAFETY: C gives `main` that many strings, which live as long as the process.
            let argument = unsafe { CStr::from_ptr(*arguments.add(number)) };
            OsStr::from_bytes(argument.to_bytes()).to_owned()
        });
        let code = crate::run(arguments, Started { more_rights, ..started });
        let delivered = std::io::stdout().flush().is_ok();
        let number = (0..=u8::MAX).find(|number| ExitCode::from(*number) == code).unwrap_or(1);
        i32::from(if delivered { number } else { number.max(1) })
    }

    /// Closes every file above the standard streams, for a process that outlives its caller: somebody may wait for
    /// the end of a pipe. To be called before a file of our own is open. A kernel that is too old to know how (before
    /// Linux 5.9) leaves them open.
    pub(crate) fn close_inherited_files() {
        const FIRST: libc::c_uint = 3;
        // SAFETY: nothing in this process owns a descriptor above stderr's yet, and no other thread exists.
        unsafe { libc::syscall(libc::SYS_close_range, FIRST, libc::c_uint::MAX, 0 as libc::c_uint) };
    }

    /// Opens the null device in the place of each standard stream that we were started without, and says which were
    /// missing. A new file gets the lowest free number, so each fills the lowest gap.
    fn open_standard_streams() -> Started {
        let streams = [stdio::stdin(), stdio::stdout(), stdio::stderr()];
        let mut polled = streams.each_ref().map(|stream| PollFd::from_borrowed_fd(*stream, PollFlags::empty()));
        let done = loop {
            match poll(&mut polled, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })) {
                Err(Errno::INTR) => {}
                done => break done,
            }
        };
        if done.is_err() {
            return Started { stdout_was_closed: false, stream_is_missing: false, more_rights: false };
        }
        let closed = polled.each_ref().map(|stream| stream.revents().contains(PollFlags::NVAL));
        let mut started = Started { stdout_was_closed: closed[1], stream_is_missing: false, more_rights: false };
        for _ in closed.iter().filter(|closed| **closed) {
            let Ok(null) = OpenOptions::new().read(true).write(true).open("/dev/null") else {
                started.stream_is_missing = true;
                break;
            };
            if null.as_raw_fd() <= 2 {
                // It is a standard stream now and stays open.
                let _ = null.into_raw_fd();
            }
        }
        started
    }

    /// The children that go when we do: a process, or with a minus sign a process group, or 0.
    static TIED: [AtomicI32; 64] = [const { AtomicI32::new(0) }; 64];

    /// The signals by which people and init systems end a process.
    const ENDING: [libc::c_int; 4] = [libc::SIGTERM, libc::SIGINT, libc::SIGHUP, libc::SIGQUIT];

    /// The child asks to be killed when we die, however we do; what it starts in its turn does not ask.
    fn tie(command: &mut Command) {
        let parent = rustix::process::getpid().as_raw_nonzero().get();
        let ask = move || {
            // SAFETY: two calls of the system, with plain numbers. No memory is touched between fork and exec.
            let (asked, now) = unsafe {
                (libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL as libc::c_ulong, 0, 0, 0), libc::getppid())
            };
            // We died before it had asked. A system that knows no such wish gets no such promise.
            if asked == 0 && now != parent {
                return Err(std::io::Error::from_raw_os_error(libc::ESRCH));
            }
            Ok(())
        };
        // SAFETY: `ask` allocates nothing and takes no lock; its error is made of a number.
        unsafe { command.pre_exec(ask) };
        // The standard library gives the child an empty set again.
        hold_back();
    }

    std::thread_local! {
        /// The signals that were held back before [`hold_back`] held back more.
        static HELD_BACK: Cell<Option<libc::sigset_t>> = const { Cell::new(None) };
    }

    /// Between the child's start and our knowing its number no signal may end us: it would live on.
    fn hold_back() {
        static HANDLERS: Once = Once::new();
        HANDLERS.call_once(|| {
            for signal in ENDING {
                let handler = end as extern "C" fn(libc::c_int);
                // SAFETY: `end` does nothing that a signal handler may not. A signal that we were started to ignore
                // (nohup) stays ignored.
                unsafe {
                    if libc::signal(signal, handler as libc::sighandler_t) == libc::SIG_IGN {
                        libc::signal(signal, libc::SIG_IGN);
                    }
                }
            }
        });
        // SAFETY: sets of signals are plain numbers, for which all zeros are a value; the calls fill them.
        let before = unsafe {
            let (mut more, mut before) = (std::mem::zeroed(), std::mem::zeroed());
            libc::sigemptyset(&raw mut more);
            for signal in ENDING {
                libc::sigaddset(&raw mut more, signal);
            }
            let held = libc::pthread_sigmask(libc::SIG_BLOCK, &raw const more, &raw mut before);
            (held == 0).then_some(before)
        };
        HELD_BACK.set(before);
    }

    fn begun(child: i32) {
        // With more children than places, the kernel's own promise to `tie` is all that the rest have.
        let _ = TIED.iter().find(|place| place.compare_exchange(0, child, Ordering::SeqCst, Ordering::SeqCst).is_ok());
        if let Some(before) = HELD_BACK.take() {
            // SAFETY: the set is the one that this thread had. What came meanwhile is delivered here.
            unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const before, std::ptr::null_mut()) };
        }
    }

    fn ended(child: i32) {
        for place in &TIED {
            let _ = place.compare_exchange(child, 0, Ordering::SeqCst, Ordering::SeqCst);
        }
    }

    /// Kills the children with what they started, and lets the signal do what it would have done.
    extern "C" fn end(signal: libc::c_int) {
        for place in &TIED {
            let child = place.load(Ordering::SeqCst);
            if child != 0 {
                // SAFETY: a call of the system with two numbers; it may be made in a handler (signal-safety(7)). The
                // child lives, or was reaped this instant: its number is nobody else's yet.
                unsafe { libc::kill(child, libc::SIGKILL) };
            }
        }
        // SAFETY: both may be called in a handler. The signal is held back until we return, and ends us then.
        unsafe {
            libc::signal(signal, libc::SIG_DFL);
            libc::raise(signal);
        }
    }
}
