//! Reading of files that others wrote: bounded, never blocking, and a missing file is no error.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// More than any shared config file or token needs.
pub(super) const MAX_FILE_BYTES: usize = 1024 * 1024;

/// The bytes of the regular file (or null device) at `path`; `None` where there is none.
///
/// # Errors
/// A directory, FIFO, socket or device, a file of more than [`MAX_FILE_BYTES`] bytes, or whatever the system says.
pub(crate) fn whole(path: &Path) -> io::Result<Option<Vec<u8>>> {
    if is_null_device(path) {
        return Ok(Some(Vec::new()));
    }
    let mut file = match open(path) {
        Ok(file) => file,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    let metadata = file.metadata()?;
    if metadata.is_dir() {
        return Err(refused("it is a directory"));
    }
    if !metadata.is_file() {
        // `AWS_CONFIG_FILE=/dev/null` is how people say "none".
        return if is_character_device(&metadata) && file.read(&mut [0])? == 0 {
            Ok(Some(Vec::new()))
        } else {
            Err(refused("it is not a regular file"))
        };
    }
    let size = usize::try_from(metadata.len()).unwrap_or(usize::MAX);
    if size > MAX_FILE_BYTES {
        return Err(refused("it is larger than 1 MiB"));
    }
    contents(&mut file, size).map(Some)
}

/// The rest of `file`, which says that it has `size` bytes; one of /proc says 0.
#[cfg(unix)]
fn contents(file: &mut File, size: usize) -> io::Result<Vec<u8>> {
    // One byte more than the file has: a single read then leaves room, which shows the end.
    let mut bytes = Vec::with_capacity(if size == 0 { 256 } else { size + 1 });
    loop {
        match rustix::io::read(&*file, rustix::buffer::spare_capacity(&mut bytes)) {
            Ok(0) => return Ok(bytes),
            Ok(_) if bytes.len() == size => return Ok(bytes),
            Ok(_) if bytes.len() > MAX_FILE_BYTES => return Err(refused("it is larger than 1 MiB")),
            Ok(_) if bytes.len() == bytes.capacity() => bytes.reserve(bytes.len()),
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

#[cfg(not(unix))]
fn contents(file: &mut File, size: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(size + 1);
    file.take(MAX_FILE_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > MAX_FILE_BYTES { Err(refused("it is larger than 1 MiB")) } else { Ok(bytes) }
}

fn refused(reason: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, reason)
}

/// The reason in an I/O error, in words without the system's error number.
pub(crate) fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => error.to_string(),
    }
}

/// For a message about a file that cannot be read: ` (mode 600, owner 0, we are 1000)`.
#[cfg(unix)]
pub(crate) fn mode_and_owner(path: &Path) -> String {
    use std::os::unix::fs::MetadataExt;
    let we = crate::os::user::effective();
    match std::fs::metadata(path) {
        Ok(file) => format!(" (mode {:o}, owner {}, we are {we})", file.mode() & 0o7777, file.uid()),
        Err(_) => format!(" (we are {we})"),
    }
}

#[cfg(not(unix))]
pub(crate) fn mode_and_owner(_path: &Path) -> String {
    String::new()
}

/// Windows has no kind of file by which its null device could be told.
fn is_null_device(path: &Path) -> bool {
    cfg!(windows) && path.as_os_str().eq_ignore_ascii_case("NUL")
}

#[cfg(unix)]
fn open(path: &Path) -> io::Result<File> {
    use rustix::fs::{Mode, OFlags};
    // NONBLOCK: opening a FIFO must not wait for its writer.
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    Ok(File::from(rustix::io::retry_on_intr(|| rustix::fs::open(path, flags, Mode::empty()))?))
}

/// Windows refuses to open a directory, as it refuses a file that is not ours.
#[cfg(not(unix))]
fn open(path: &Path) -> io::Result<File> {
    File::open(path).map_err(|error| if path.is_dir() { refused("it is a directory") } else { error })
}

#[cfg(unix)]
fn is_character_device(metadata: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::FileTypeExt;
    metadata.file_type().is_char_device()
}

#[cfg(not(unix))]
fn is_character_device(_metadata: &std::fs::Metadata) -> bool {
    false
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_missing_file_is_none_and_a_path_through_a_file_too() {
        assert_eq!(whole(Path::new("/no/such/file")).unwrap(), None);
        assert_eq!(whole(Path::new("/dev/null/.aws/config")).unwrap(), None);
    }

    #[test]
    fn the_null_device_is_an_empty_file_and_other_devices_are_refused() {
        assert_eq!(whole(Path::new("/dev/null")).unwrap(), Some(Vec::new()));
        assert!(whole(Path::new("/dev/zero")).is_err());
    }

    #[test]
    fn directories_fifos_and_huge_files_are_refused_at_once() {
        let directory = tempfile::tempdir().unwrap();
        assert!(whole(directory.path()).unwrap_err().to_string().contains("directory"));
        let fifo = directory.path().join("fifo");
        rustix::fs::mkfifoat(rustix::fs::CWD, &fifo, rustix::fs::Mode::from_raw_mode(0o600)).unwrap();
        assert!(whole(&fifo).unwrap_err().to_string().contains("regular"));
        let huge = directory.path().join("huge");
        File::create(&huge).unwrap().set_len(MAX_FILE_BYTES as u64 + 1).unwrap();
        assert!(whole(&huge).unwrap_err().to_string().contains("1 MiB"));
    }

    #[test]
    fn files_of_every_small_size_and_of_proc_are_read_whole() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("f");
        for size in [0, 1, 255, 256, 257, 4096, MAX_FILE_BYTES] {
            std::fs::write(&path, vec![b'x'; size]).unwrap();
            assert_eq!(whole(&path).unwrap().unwrap().len(), size);
        }
        assert_eq!(whole(Path::new("/proc/self/cmdline")).unwrap(), std::fs::read("/proc/self/cmdline").ok());
    }
}
