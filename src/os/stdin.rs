//! stdin, read to a bound and within the deadline: a caller that writes without end, or never, is told so.

use std::time::Duration;

use crate::os::secret::Wiped;

use crate::os::deadline::Deadline;

/// How long a terminal may be silent before the user is told what is waited for. A program has written by then.
#[cfg(unix)]
const TYPING: Duration = Duration::from_millis(300);

/// Why stdin could not be read.
#[derive(Debug, thiserror::Error)]
pub enum InputError {
    /// More than the bound came.
    #[error("more than {0} bytes came on stdin")]
    TooLong(usize),
    /// The deadline passed before stdin ended.
    #[error("stdin did not end within {} s", .0.as_secs_f32())]
    Late(Duration),
    /// The system's own reason.
    #[error("stdin cannot be read: {0}")]
    Unreadable(#[source] std::io::Error),
}

/// Everything on stdin, at most `bound` bytes. `hint` is called where stdin is a terminal and nothing was typed for a
/// moment: a person may not know what is waited for.
///
/// The buffers are wiped when they are dropped: a `store` and a kubelet's request carry secrets.
///
/// # Errors
/// More came, it did not end in time, or it could not be read.
#[cfg(unix)]
pub(crate) fn read(bound: usize, deadline: Deadline, hint: impl FnOnce()) -> Result<Wiped, InputError> {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use rustix::io::Errno;

    let stdin = rustix::stdio::stdin();
    let mut hint = Some(hint);
    /// A registry's name fits, and wiping what nobody filled costs as much as wiping a secret.
    const FIRST: usize = 512;
    let mut bytes = Wiped::from(vec![0; FIRST.min(bound + 1)]);
    let mut filled = 0;
    loop {
        if filled == bytes.len() {
            let mut larger = Wiped::from(vec![0; (4 * filled).min(bound + 1)]);
            larger[..filled].copy_from_slice(&bytes);
            bytes = larger;
        }
        let mut left = deadline.left();
        if hint.is_some() {
            left = left.min(TYPING);
        }
        if left.is_zero() {
            return Err(InputError::Late(deadline.limit()));
        }
        let timeout = Timespec::try_from(left).ok();
        let mut wanted = [PollFd::from_borrowed_fd(stdin, PollFlags::IN)];
        match poll(&mut wanted, timeout.as_ref()) {
            Ok(0) => {
                if let Some(hint) = hint.take()
                    && std::io::IsTerminal::is_terminal(&stdin)
                {
                    hint();
                }
                continue;
            }
            Err(Errno::INTR) => continue,
            Ok(_) => {}
            Err(error) => return Err(InputError::Unreadable(error.into())),
        }
        match rustix::io::read(stdin, &mut bytes[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(Errno::INTR | Errno::AGAIN) => continue,
            Err(error) => return Err(InputError::Unreadable(error.into())),
        }
        if filled > bound {
            return Err(InputError::TooLong(bound));
        }
    }
    bytes.truncate(filled);
    Ok(bytes)
}

/// Everything on stdin, at most `bound` bytes; see the unix form. A reader that is late is left behind in its
/// thread, which ends with the process.
///
/// # Errors
/// More came, it did not end in time, or it could not be read.
#[cfg(not(unix))]
pub(crate) fn read(bound: usize, deadline: Deadline, hint: impl FnOnce()) -> Result<Wiped, InputError> {
    use std::io::Read as _;

    if std::io::IsTerminal::is_terminal(&std::io::stdin()) {
        hint();
    }
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let mut bytes = Wiped::with_capacity(bound + 1);
        let outcome = std::io::stdin().lock().take(bound as u64 + 1).read_to_end(&mut bytes);
        let _ = sender.send(outcome.map(|_| bytes));
    });
    let bytes = match receiver.recv_timeout(deadline.left()) {
        Ok(outcome) => outcome.map_err(InputError::Unreadable)?,
        Err(_) => return Err(InputError::Late(deadline.limit())),
    };
    if bytes.len() > bound { Err(InputError::TooLong(bound)) } else { Ok(bytes) }
}
