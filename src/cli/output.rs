//! stdout and stderr as the commands use them: an answer counts only when it was delivered.

use std::io::Write as _;
use std::process::ExitCode;

/// Writes `text` to stdout; success only when all of it went out.
pub fn deliver(text: &str) -> ExitCode {
    match print(text) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

/// Writes `text` to stdout.
///
/// # Errors
/// stdout is closed or full.
pub fn print(text: &str) -> std::io::Result<()> {
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}

/// Writes `text` to stderr; where nobody listens there is nobody to tell.
pub fn error(text: &str) {
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}
