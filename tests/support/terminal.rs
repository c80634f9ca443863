//! A pseudo-terminal.

/// Its keyboard and screen end, and the end that programs have.
pub fn terminal() -> (std::fs::File, std::fs::File) {
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&ours).unwrap();
    unlockpt(&ours).unwrap();
    let name = ptsname(&ours, Vec::new()).unwrap().into_string().unwrap();
    let theirs = std::fs::OpenOptions::new().read(true).write(true).open(name).unwrap();
    (ours.into(), theirs)
}

/// What a command shows whose stdout and stderr are a terminal of 80 columns, and its exit code.
pub fn shown(command: std::process::Command) -> (String, Option<i32>) {
    shown_at(80, command)
}

/// The same, on a terminal of so many columns.
pub fn shown_at(columns: u16, mut command: std::process::Command) -> (String, Option<i32>) {
    use std::io::Read as _;
    let (screen, theirs) = terminal();
    let size = rustix::termios::Winsize { ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    rustix::termios::tcsetwinsize(&theirs, size).unwrap();
    command.stdout(theirs.try_clone().unwrap()).stderr(theirs);
    let run = super::Running::start(command, b"");
    // Read to the end of the program: then the terminal's other end is closed, which the kernel calls EIO.
    let mut text = Vec::new();
    let end = std::io::BufReader::new(screen).read_to_end(&mut text);
    assert!(end.is_ok() || rustix::io::Errno::from_io_error(&end.unwrap_err()) == Some(rustix::io::Errno::IO));
    (String::from_utf8(text).unwrap(), run.wait().code)
}
