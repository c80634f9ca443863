//! The commands that people type, one file each. None of them costs the protocol actions anything: `main`
//! comes here only when the first argument is one of [`is_command`]'s.

use std::ffi::{OsStr, OsString};
use std::process::ExitCode;

use clap::Parser;

use crate::os::environment::Environment;
use crate::registry::{host_of, near_miss};
use crate::settings::{ResolvedRegistry, Settings};
use crate::text::printable::one_line;
use crate::text::user_error::{Kind, UserError};

mod arguments;
mod clear;
mod completions;
mod configured;
mod doctor;
mod layout;
pub(crate) mod login;
mod man;
mod no_cache;
mod password;
mod reference;
pub mod setup;
mod status;
pub mod terminal;
mod warm;

use arguments::{Arguments, Command, Setup};

/// Whether `argument`, the first one, is a command of this room (or asks for help or the version).
pub fn is_command(argument: &OsStr) -> bool {
    const COMMANDS: [&str; 16] = [
        "setup",
        "login",
        "status",
        "doctor",
        "clear",
        "warm",
        "password",
        "get-login-password",
        "completions",
        "man",
        completions::NAMES,
        "help",
        "--help",
        "-h",
        "--version",
        "-V",
    ];
    argument.to_str().is_some_and(|argument| COMMANDS.contains(&argument))
}

/// The commands, in the order of the help.
pub fn commands() -> String {
    arguments::definition().get_subcommands().map(clap::Command::get_name).collect::<Vec<_>>().join(", ")
}

/// The command that is nearest to what was typed, if any is near.
pub fn nearest_command(typed: &OsStr) -> Option<String> {
    const NEAR: f64 = 0.8;
    /// What other tools call it.
    const CALLED: [(&str, &str); 2] = [("logout", "clear"), ("refresh", "warm")];
    let typed = typed.to_str()?.to_ascii_lowercase();
    if let Some((_, ours)) = CALLED.into_iter().find(|(theirs, _)| *theirs == typed) {
        return Some(ours.to_owned());
    }
    let definition = arguments::definition();
    let names = definition.get_subcommands().flat_map(|command| {
        std::iter::once(command.get_name()).chain(command.get_all_aliases()).map(str::to_owned).collect::<Vec<_>>()
    });
    let scored = names.map(|name| (strsim::jaro_winkler(&typed, &name), name));
    scored.filter(|(score, _)| *score >= NEAR).max_by(|one, other| one.0.total_cmp(&other.0)).map(|(_, name)| name)
}

/// Runs a command. `args` are the arguments without the program's name.
///
/// The exit code is 0 when the command did what was asked and its answer was delivered, 1 when it failed, 2
/// when the arguments are wrong.
pub fn run(args: &[OsString], environment: Environment) -> ExitCode {
    terminal::lay_out_stderr(&environment);
    // Not in the definition: the generated completions would offer it.
    if let [first, kind] = args
        && first == completions::NAMES
    {
        return completions::names(kind, &environment);
    }
    let command_line = std::iter::once(OsString::from(crate::PROGRAM)).chain(args.iter().cloned());
    let arguments = match Arguments::try_parse_from(command_line) {
        Ok(arguments) => arguments,
        Err(error) if error.use_stderr() => {
            // It quotes an argument as it is, line breaks and all.
            let quoted = args.iter().map(|argument| argument.to_string_lossy());
            let text = quoted.fold(error.render().to_string(), |text, argument| match one_line(&argument) {
                plain if plain != argument && !argument.is_empty() => text.replace(&*argument, &plain),
                _ => text,
            });
            terminal::usage_error(&text);
            return ExitCode::from(2);
        }
        Err(help) => {
            let layout = layout::Layout::for_stdout(&environment);
            return terminal::write_stdout(&layout.page(&help.render().to_string()));
        }
    };
    match arguments.command {
        Command::Completions(wanted) => completions::run(wanted),
        Command::Doctor(wanted) => doctor::run(&wanted, &environment),
        Command::Login(wanted) => login::run(&wanted, environment),
        Command::Man => man::run(),
        Command::Password(wanted) => password::run(&wanted, environment),
        Command::Warm(wanted) => warm::run(&wanted, environment),
        Command::Setup(Setup::Docker(wanted)) => setup::docker(&wanted, &environment),
        Command::Setup(Setup::Podman(wanted)) => setup::podman(&wanted, &environment),
        Command::Setup(Setup::Kubelet(wanted)) => setup::kubelet::run(&wanted, &environment),
        Command::Setup(Setup::Plugin(wanted)) => setup::kubelet::plugin::run(&wanted),
        Command::Clear(wanted) => clear::run(&wanted, &environment),
        Command::Status(wanted) => status::run(wanted, &environment),
    }
}

/// What the name of a registry asks for.
///
/// # Errors
/// It is neither ECR's nor an alias.
fn target(settings: &Settings, name: &str) -> Result<ResolvedRegistry, UserError> {
    settings.target(name).ok_or_else(|| {
        let reason = host_of(name).and_then(|host| near_miss(&host)).map(|reason| format!(": {reason}"));
        UserError::new(Kind::Other, format!("is not a registry of Amazon ECR{}", reason.unwrap_or_default()))
            .hint("names look like 123456789012.dkr.ecr.eu-west-1.amazonaws.com or public.ecr.aws")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_of_the_definition_is_dispatched() {
        for command in arguments::definition().get_subcommands() {
            assert!(is_command(OsStr::new(command.get_name())), "{}", command.get_name());
            for alias in command.get_all_aliases() {
                assert!(is_command(OsStr::new(alias)), "{alias}");
            }
        }
    }

    #[test]
    fn protocol_actions_are_not() {
        for action in ["get", "store", "erase", "list", "version", "kubelet", "", "x"] {
            assert!(!is_command(OsStr::new(action)), "{action}");
        }
    }
}
