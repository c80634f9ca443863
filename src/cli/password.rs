//! `password`: the bare password of a registry, for `ctr`, `crictl`, `helm registry login` and whatever else
//! takes one on stdin.

use std::process::ExitCode;

use super::arguments::Password;
use super::terminal;
use crate::aws::retry::RetryPolicy;
use crate::os::deadline::Deadline;
use crate::os::environment::Environment;
use crate::os::secret::Wiped;
use crate::os::stdio::write_stdout;
use crate::settings::{self, DEFAULT_TIMEOUT, Settings};
use crate::text::user_error::{Kind, UserError};
use crate::token::{self, FetchMode, RegistryCredentials, RequestContext, TokenRequest};

/// Prints the password and a newline.
pub(super) fn run(wanted: &Password, environment: Environment) -> ExitCode {
    match ask(&wanted.registry, environment) {
        Ok((answer, deadline)) => {
            for warning in &answer.warnings {
                terminal::warn_line(&format!("{}: {warning}", wanted.registry));
            }
            let password = answer.password.expose().as_bytes();
            // Room for all of it: a vector that grows leaves copies behind.
            let mut line = Wiped::with_capacity(password.len() + 1);
            line.extend_from_slice(password);
            line.push(b'\n');
            match write_stdout(&line, deadline) {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => {
                    terminal::warn_line(&format!("the password could not be delivered on stdout: {error}"));
                    ExitCode::FAILURE
                }
            }
        }
        Err(failure) => {
            terminal::warn_line(&format!("{}: {failure}", wanted.registry));
            ExitCode::FAILURE
        }
    }
}

/// The answer, and until when it is to be delivered.
fn ask(name: &str, environment: Environment) -> Result<(RegistryCredentials, Deadline), UserError> {
    let settings = Settings::load(&environment)?;
    let deadline = Deadline::within(settings::call_timeout(&environment, Some(&settings), DEFAULT_TIMEOUT)?);
    let target = super::target(&settings, name)?;
    if target.credentials.anonymous {
        return Err(UserError::new(Kind::Settings, "the settings say anonymous = true here, so there is no password"));
    }
    let mode = FetchMode::of(&environment);
    let request = TokenRequest { target: &target, service_account: None, mode, retry: RetryPolicy::Interactive };
    Ok((
        token::token(&RequestContext { environment, settings, deadline, shared_credentials: None }, &request)?,
        deadline,
    ))
}
