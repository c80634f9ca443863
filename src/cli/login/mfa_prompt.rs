//! The code of an MFA device, asked for on the terminal.

use zeroize::Zeroizing;

use crate::aws::providers::mfa::MfaQuestion;
use crate::os::deadline::Deadline;
use crate::os::tty::{AskError, Terminal};
use crate::text::printable::one_line;
use crate::text::user_error::{Kind, UserError};

/// How often a line that cannot be a code is asked for anew.
const TRIES: usize = 3;

/// Digits of a code: those of virtual and hardware TOTP devices.
const DIGITS: usize = 6;

/// Asks for the code. The terminal shows it as it is typed: it is good once, for half a minute, and modes that are not
/// changed need not be put back by whoever is killed meanwhile.
///
/// # Errors
/// There is no terminal, or nothing on it looks like a code.
pub(super) fn ask(question: &MfaQuestion<'_>, deadline: Deadline) -> Result<Zeroizing<String>, UserError> {
    let failed = |error: AskError| {
        let remedy = match error {
            AskError::NoTerminal(_) => "run this in a terminal (docker: with -it)",
            AskError::TimedOut => "run it again, or give it more time with --timeout",
            _ => "run it again",
        };
        let what = format!(
            "an MFA code is needed for {} ({}), and {error}",
            one_line(question.role_arn),
            one_line(question.serial)
        );
        UserError::new(Kind::Credentials, what).hint(remedy)
    };
    let mut terminal = Terminal::open().map_err(failed)?;
    let device = one_line(question.serial);
    if let Some(refusal) = question.refusal {
        terminal.show(&format!("{}\n", one_line(refusal))).map_err(failed)?;
    }
    for _ in 0..TRIES {
        let code = terminal.ask(&format!("MFA code of {device}: "), deadline).map_err(failed)?;
        if code.len() == DIGITS && code.bytes().all(|byte| byte.is_ascii_digit()) {
            return Ok(code);
        }
        terminal.show(&format!("A code has {DIGITS} digits.\n")).map_err(failed)?;
    }
    Err(UserError::new(Kind::Credentials, format!("no MFA code of {device} was given")).hint("run it again"))
}
