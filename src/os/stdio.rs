//! stdout and stderr as both protocols use them: an answer counts only when it was delivered.

use std::io;
use std::time::Duration;

use crate::os::deadline::Deadline;
pub use crate::text::printable::one_line;
use crate::text::printable::without_errno;

/// A pipe that is ready takes as many bytes without blocking (POSIX, PIPE_BUF on Linux).
const AT_ONCE: usize = 4096;

/// For how long who reads stderr may be busy with something else.
const BUSY: Duration = Duration::from_secs(1);

/// Writes an answer to stdout, all of it, within the deadline.
///
/// Not by the standard library's stdout, which takes a closed one for success and keeps what it writes in a buffer
/// that is not wiped.
///
/// # Errors
/// stdout is closed or full, or nobody reads it.
#[cfg(unix)]
pub(crate) fn write_stdout(bytes: &[u8], deadline: Deadline) -> io::Result<()> {
    write(rustix::stdio::stdout(), bytes, deadline)
}

/// Writes to stdout for a person, who may read page by page: as long as something is taken every `stall_timeout`, all of it.
///
/// # Errors
/// stdout is closed or full, or nobody reads it any more.
pub(crate) fn show(bytes: &[u8], stall_timeout: Duration) -> io::Result<()> {
    bytes.chunks(AT_ONCE).try_for_each(|piece| write_stdout(piece, Deadline::within(stall_timeout)))
}

#[cfg(unix)]
fn write(stream: std::os::fd::BorrowedFd<'_>, bytes: &[u8], deadline: Deadline) -> io::Result<()> {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use rustix::io::Errno;

    let mut rest = bytes;
    while !rest.is_empty() {
        let timeout = Timespec::try_from(deadline.left()).ok();
        let mut wanted = [PollFd::from_borrowed_fd(stream, PollFlags::OUT)];
        match poll(&mut wanted, timeout.as_ref()) {
            Ok(0) if deadline.passed() => return Err(io::ErrorKind::TimedOut.into()),
            Ok(0) | Err(Errno::INTR) => continue,
            Ok(_) => {}
            Err(error) => return Err(error.into()),
        }
        match rustix::io::write(stream, &rest[..rest.len().min(AT_ONCE)]) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => rest = &rest[count..],
            Err(Errno::AGAIN) if deadline.passed() => return Err(io::ErrorKind::TimedOut.into()),
            Err(Errno::INTR | Errno::AGAIN) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Writes an answer to stdout, all of it, within the deadline; see the unix form. A writer that is late is left behind
/// in its thread, which ends with the process.
///
/// # Errors
/// stdout is closed or full, or nobody reads it.
#[cfg(windows)]
pub(crate) fn write_stdout(bytes: &[u8], deadline: Deadline) -> io::Result<()> {
    use std::io::{IsTerminal as _, Write as _};
    use std::os::windows::io::{AsHandle as _, AsRawHandle as _};

    let stdout = io::stdout();
    if stdout.as_raw_handle().is_null() {
        return Err(io::ErrorKind::BrokenPipe.into());
    }
    // A console takes UTF-16, which the standard library's own writer knows; it takes all, at once.
    if stdout.is_terminal() {
        let mut stdout = stdout.lock();
        return stdout.write_all(bytes).and_then(|()| stdout.flush());
    }
    let mut to = std::fs::File::from(stdout.as_handle().try_clone_to_owned()?);
    let bytes = zeroize::Zeroizing::new(bytes.to_vec());
    let (sender, receiver) = std::sync::mpsc::channel();
    let write = move || {
        let _ = sender.send(to.write_all(&bytes));
    };
    std::thread::Builder::new().spawn(write)?;
    // Where the deadline has passed, what takes the answer at once has it all the same.
    receiver.recv_timeout(deadline.left().max(BUSY)).unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

/// Whether stdout and stderr are the same pipe, socket or file: who reads it takes a line on stderr for a part of the
/// answer. On a terminal a person tells them apart.
#[cfg(unix)]
pub(crate) fn is_one_stream() -> bool {
    use rustix::fs::{FileType, fstat};
    let (Ok(out), Ok(err)) = (fstat(rustix::stdio::stdout()), fstat(rustix::stdio::stderr())) else { return false };
    (out.st_dev, out.st_ino) == (err.st_dev, err.st_ino)
        && FileType::from_raw_mode(out.st_mode) != FileType::CharacterDevice
}

/// Whether stdout and stderr are the same pipe or file; not known here.
#[cfg(not(unix))]
pub(crate) fn is_one_stream() -> bool {
    false
}

/// One line on stderr, in one write if it has no more than 4 KiB. Where stderr is closed it is dropped.
pub fn warn_line(program: &str, line: &str) {
    let _ = tell(&format!("{program}: {}\n", one_line(&without_errno(line))));
}

/// Writes to stderr, as it is. Where nobody reads nobody waits for it longer than a second.
///
/// # Errors
/// stderr is closed or full, or nobody reads it.
pub(crate) fn tell(text: &str) -> io::Result<()> {
    #[cfg(unix)]
    return write(rustix::stdio::stderr(), text.as_bytes(), Deadline::within(BUSY));
    #[cfg(not(unix))]
    return io::Write::write_all(&mut io::stderr().lock(), text.as_bytes());
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;

    /// A pipe that takes nothing more, as long as its other end is there.
    fn full_pipe() -> (std::os::fd::OwnedFd, std::os::fd::OwnedFd) {
        let (read, write) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::NONBLOCK).unwrap();
        while rustix::io::write(&write, &[0; AT_ONCE]).is_ok() {}
        (read, write)
    }

    #[test]
    fn a_pipe_without_a_reader_blocks_no_call_and_a_slow_reader_gets_everything() {
        use std::os::fd::AsFd as _;
        let (read, write_end) = full_pipe();
        let late = write(write_end.as_fd(), b"late", Deadline::within(Duration::from_millis(20)));
        assert_eq!(late.unwrap_err().kind(), io::ErrorKind::TimedOut);
        let reader = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(20));
            let mut taken = Vec::new();
            let mut piece = [0; AT_ONCE];
            while let Ok(count @ 1..) = rustix::io::read(&read, &mut piece).or_else(|error| match error {
                rustix::io::Errno::AGAIN => Ok(1),
                other => Err(other),
            }) {
                taken.extend_from_slice(&piece[..count]);
                if taken.ends_with(b"end") {
                    break;
                }
            }
            taken
        });
        write(write_end.as_fd(), b"the end", Deadline::within(Duration::from_secs(30))).unwrap();
        assert!(reader.join().unwrap().ends_with(b"the end"));
    }
}
