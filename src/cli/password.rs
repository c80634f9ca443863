//! `password`: the bare password of a registry, for `ctr`, `crictl`, `helm registry login` and whatever else
//! takes one on stdin.

use std::process::ExitCode;

use super::arguments::Password;
use super::output;
use crate::broker::{self, Answer, Call, Patience, Question, Wish};
use crate::deadline::Deadline;
use crate::environment::Environment;
use crate::failure::{Failure, Kind};
use crate::protocol::output::deliver;
use crate::secret::Wiped;
use crate::settings::{self, DEFAULT_LIMIT, Settings};

/// Prints the password and a newline.
pub fn run(wanted: &Password, environment: Environment) -> ExitCode {
    match ask(&wanted.registry, environment) {
        Ok((answer, deadline)) => {
            for warning in &answer.warnings {
                output::complain(&format!("{}: {warning}", wanted.registry));
            }
            let password = answer.password.expose().as_bytes();
            // Room for all of it: a vector that grows leaves copies behind.
            let mut line = Wiped::with_capacity(password.len() + 1);
            line.extend_from_slice(password);
            line.push(b'\n');
            match deliver(&line, deadline) {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => {
                    output::complain(&format!("the password could not be delivered on stdout: {error}"));
                    ExitCode::FAILURE
                }
            }
        }
        Err(failure) => {
            output::complain(&format!("{}: {failure}", wanted.registry));
            ExitCode::FAILURE
        }
    }
}

/// The answer, and until when it is to be delivered.
fn ask(name: &str, environment: Environment) -> Result<(Answer, Deadline), Failure> {
    let settings = Settings::load(&environment)?;
    let deadline = Deadline::within(settings::limit(&environment, Some(&settings), DEFAULT_LIMIT)?);
    let target = super::target(&settings, name)?;
    if target.speaker.anonymous {
        return Err(Failure::new(Kind::Settings, "the settings say anonymous = true here, so there is no password"));
    }
    let wish = Wish::of(&environment);
    let question = Question { target: &target, service_account: None, wish, patience: Patience::Client };
    Ok((broker::token(&Call { environment, settings, deadline }, &question)?, deadline))
}
