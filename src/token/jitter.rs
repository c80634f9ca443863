//! A number by which machines that started together refresh at different times.

use crate::os::boot_id;
use crate::text::crc32::CRC32;

/// A hash of the boot id and of `what`: different on each machine, the same until it boots again. Without a boot id
/// (not Linux) it is a hash of `what` alone.
pub(crate) fn jitter(what: &[&[u8]]) -> u32 {
    let mut hash = CRC32.digest();
    hash.update(boot_id::id().unwrap_or_default().as_bytes());
    what.iter().for_each(|part| hash.update(part));
    hash.finalize()
}
