//! Where between nothing and everything this machine's times stand, so that machines that started together do not
//! come back together.

use crate::os::boot_id;
use crate::text::crc32::Crc32;

/// A hash of this boot and and of the bytes given: another number on each machine, the same one until it boots again.
/// Without a boot id (not Linux) `what` alone has to do.
pub fn jitter(what: &[&[u8]]) -> u32 {
    let mut hash = Crc32::new();
    hash.update(boot_id::id().unwrap_or_default().as_bytes());
    what.iter().for_each(|part| hash.update(part));
    hash.finish()
}
