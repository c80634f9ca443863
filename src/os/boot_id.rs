//! Which start of which machine this is.

/// The kernel's id of this boot, which no other machine and no image of this one has (Linux: random(4)); `None` where
/// there is none.
pub fn id() -> Option<String> {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(id.trim().to_owned()).filter(|id| !id.is_empty())
}
