//! The edge: argv, and the exit code.

#![warn(unreachable_pub)]
#![cfg_attr(target_os = "linux", no_main)]

mod entry;

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::ExitCode;

use ecr_login::os::environment::Environment;
use ecr_login::os::{hardening, logging, stdio};
use ecr_login::protocol::{docker, kubelet};
use ecr_login::{PROGRAM, cli, token};

#[cfg(not(target_os = "linux"))]
fn main() -> ExitCode {
    let started = entry::prepare();
    run(std::env::args_os(), started)
}

fn run(mut arguments: impl Iterator<Item = OsString>, started: entry::Started) -> ExitCode {
    entry::provide();
    if let Err(refused) = hardening::harden(started.more_rights) {
        stdio::warn_line(PROGRAM, &refused.to_string());
        return ExitCode::FAILURE;
    }
    let name = arguments.next().unwrap_or_default();
    let arguments: Vec<OsString> = arguments.collect();
    if arguments.first().is_some_and(|action| action == token::REFRESH_ACTION) {
        entry::close_inherited_files();
    }
    let is_plugin = is_plugin(&name);
    let environment = Environment::of_process(name);
    let program = if is_plugin { kubelet::PLUGIN } else { PROGRAM };
    if started.stream_is_missing {
        stdio::warn_line(program, "stdin, stdout or stderr is closed, and /dev/null cannot be opened in its place");
        return ExitCode::FAILURE;
    }
    if started.stdout_was_closed && answers(&arguments) {
        stdio::warn_line(program, "stdout is closed: an answer could not be delivered");
        return ExitCode::FAILURE;
    }
    let no_log = logging::start(&environment);
    if let (true, [argument]) = (is_plugin, &*arguments)
        && let Some(information) = argument.to_str().and_then(kubelet::information)
    {
        return cli::terminal::write_stdout(&information);
    }
    if is_plugin {
        return kubelet::run(environment, no_log);
    }
    dispatch(&arguments, environment, no_log)
}

/// The protocol's actions first: nothing that people type may cost them anything.
fn dispatch(arguments: &[OsString], environment: Environment, no_log: Option<String>) -> ExitCode {
    let action = arguments.first().map(OsString::as_os_str);
    let text = action.and_then(OsStr::to_str);
    if let (Some(action), 1) = (text.and_then(docker::Action::of), arguments.len()) {
        return docker::run(action, environment, no_log);
    }
    match (text, &arguments[arguments.len().min(1)..]) {
        (Some("kubelet"), _) => kubelet::run(environment, no_log),
        (Some(token::REFRESH_ACTION), [registry]) => token::run_refresh(environment, &registry.to_string_lossy()),
        _ if action.is_some_and(cli::is_command) => {
            if let Some(no_log) = no_log {
                stdio::warn_line(PROGRAM, &no_log);
            }
            cli::run(arguments, environment)
        }
        _ => docker::usage(arguments, action.and_then(cli::nearest_command).as_deref(), &cli::commands()),
    }
}

/// Whether success means that something was written to stdout.
fn answers(arguments: &[OsString]) -> bool {
    let action = arguments.first().and_then(|action| action.to_str());
    !action.is_some_and(|action| ["store", "erase", token::REFRESH_ACTION].contains(&action))
}

/// Whether the kubelet, or somebody in its place, runs us under its plugin's name.
fn is_plugin(name: &OsStr) -> bool {
    let path = Path::new(name);
    let stem = if cfg!(windows) { path.file_stem() } else { path.file_name() };
    stem == Some(OsStr::new(kubelet::PLUGIN))
}
