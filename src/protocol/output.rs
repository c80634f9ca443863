//! stdout and stderr as both protocols use them: an answer counts only when it was delivered.

use std::io;

use crate::deadline::Deadline;
pub use crate::printable::one_line;

/// Writes an answer to stdout, all of it, within the deadline.
///
/// Not by the standard library's stdout, which takes a closed one for success and keeps what it writes in a buffer
/// that nobody wipes.
///
/// # Errors
/// stdout is closed or full, or nobody reads it.
#[cfg(unix)]
pub fn deliver(bytes: &[u8], deadline: Deadline) -> io::Result<()> {
    write(rustix::stdio::stdout(), bytes, deadline)
}

#[cfg(unix)]
fn write(stream: std::os::fd::BorrowedFd<'_>, bytes: &[u8], deadline: Deadline) -> io::Result<()> {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use rustix::io::Errno;

    /// A pipe that is ready takes as many bytes without blocking (POSIX, PIPE_BUF on Linux).
    const AT_ONCE: usize = 4096;

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

/// Writes an answer to stdout, all of it.
///
/// # Errors
/// stdout is closed or full.
#[cfg(not(unix))]
pub fn deliver(bytes: &[u8], _deadline: Deadline) -> io::Result<()> {
    use io::Write as _;
    let mut stdout = io::stdout().lock();
    stdout.write_all(bytes)?;
    stdout.flush()
}

/// One line on stderr, in one write if it has no more than 4 KiB. Where nobody listens there is nobody to tell, and
/// where nobody reads nobody waits for it longer than a second.
pub fn complain(program: &str, line: &str) {
    /// For how long a reader may be busy with something else.
    const PATIENCE: std::time::Duration = std::time::Duration::from_secs(1);
    let line = format!("{program}: {}\n", one_line(line));
    #[cfg(unix)]
    let _ = write(rustix::stdio::stderr(), line.as_bytes(), Deadline::within(PATIENCE));
    #[cfg(not(unix))]
    let _ = (PATIENCE, io::Write::write_all(&mut io::stderr().lock(), line.as_bytes()));
}
