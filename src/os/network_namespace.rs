//! Which network namespace this process is in.

use std::sync::OnceLock;

/// How the kernel is asked. Safe code cannot, so the edge does it.
static ASK: OnceLock<fn() -> Option<u64>> = OnceLock::new();

/// Says once how the kernel is asked for the cookie. Until then it is not known.
pub fn ask_by(ask: fn() -> Option<u64>) {
    let _ = ASK.set(ask);
}

/// The kernel's number of this process's network namespace (`SO_NETNS_COOKIE`, Linux 5.14), which no other namespace of
/// this boot gets: the inode of `/proc/self/ns/net` is given again as soon as a namespace is gone. `None` where the kernel
/// does not say.
pub(crate) fn cookie() -> Option<u64> {
    ASK.get().and_then(|ask| ask())
}
