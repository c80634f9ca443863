//! Whether anyone but root can change what a path leads to.

use std::path::Path;

/// Who else could change the file at `path`, or put another one in its place, in words; `None` if nobody could. Looked at
/// are the file and every folder above it, where links lead.
///
/// # Errors
/// One of them cannot be looked at.
#[cfg(unix)]
pub(crate) fn who_else_may_write(path: &Path) -> std::io::Result<Option<String>> {
    use std::os::unix::fs::MetadataExt;
    const STICKY: u32 = 0o1000;
    let path = path.canonicalize()?;
    for part in path.ancestors() {
        let found = part.metadata()?;
        let part = part.display();
        if found.uid() != 0 {
            return Ok(Some(format!("{part} belongs to the user with the id {}", found.uid())));
        }
        // In a sticky folder nobody takes away what is another's.
        let is_sticky = found.is_dir() && found.mode() & STICKY != 0;
        if !is_sticky && found.mode() & 0o002 != 0 {
            return Ok(Some(format!("everybody may write {part}")));
        }
        if !is_sticky && found.mode() & 0o020 != 0 && found.gid() != 0 {
            return Ok(Some(format!("the group with the id {} may write {part}", found.gid())));
        }
    }
    Ok(None)
}

/// Elsewhere rights are not looked at.
#[cfg(not(unix))]
pub(crate) fn who_else_may_write(_path: &Path) -> std::io::Result<Option<String>> {
    Ok(None)
}
