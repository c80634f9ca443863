//! Which start of which machine this is.

use std::fs::File;
use std::io::Read;

/// The kernel's id of this boot, which no other machine and no image of this one has (Linux: random(4)); `None` where
/// there is none.
pub(crate) fn id() -> Option<String> {
    // A UUID and a line end: one read has all of it.
    let mut text = [0; 64];
    let length = File::open("/proc/sys/kernel/random/boot_id").ok()?.read(&mut text).ok()?;
    let id = std::str::from_utf8(text.get(..length)?).ok()?.trim();
    Some(id.to_owned()).filter(|id| !id.is_empty())
}
