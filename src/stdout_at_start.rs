//! Whether stdout was open when the process started.
//!
//! Rust's runtime opens the null device for a closed stdin, stdout or stderr before `main`, so that no other file
//! gets their numbers; afterwards a closed stdout cannot be told from one that somebody sent there on purpose. An
//! answer into a closed stdout is not delivered, and exit code 0 would say that it was.

/// True where stdout was closed when the process started.
pub fn was_closed() -> bool {
    #[cfg(target_os = "linux")]
    return linux::WAS_CLOSED.load(std::sync::atomic::Ordering::Relaxed);
    // Elsewhere nobody has looked.
    #[cfg(not(target_os = "linux"))]
    false
}

// The one place of the program with `unsafe`: the section of a static cannot be named without it. What is put there
// is a pointer to a function that takes and returns nothing, as the section wants (ELF gABI, "Initialization and
// Termination Functions"), and that makes one system call and stores one flag: it needs nothing of the runtime that
// has not started yet.
#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
mod linux {
    use std::sync::atomic::{AtomicBool, Ordering};

    pub static WAS_CLOSED: AtomicBool = AtomicBool::new(false);

    #[used]
    #[unsafe(link_section = ".init_array.00099")]
    static LOOK: extern "C" fn() = look;

    extern "C" fn look() {
        let closed = rustix::io::fcntl_getfd(rustix::stdio::stdout()).is_err();
        WAS_CLOSED.store(closed, Ordering::Relaxed);
    }
}
