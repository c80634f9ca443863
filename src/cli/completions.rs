//! `completions`: from the definition to each shell's own language.

use std::process::ExitCode;

use clap_complete::shells;

use super::arguments::{Completions, Shell, definition};
use super::terminal;
use crate::PROGRAM;

/// Prints the completions of one shell.
pub(super) fn run(wanted: Completions) -> ExitCode {
    let mut text = Vec::new();
    let mut definition = definition();
    match wanted.shell {
        Shell::Bash => clap_complete::generate(shells::Bash, &mut definition, PROGRAM, &mut text),
        Shell::Zsh => clap_complete::generate(shells::Zsh, &mut definition, PROGRAM, &mut text),
        Shell::Fish => clap_complete::generate(shells::Fish, &mut definition, PROGRAM, &mut text),
        Shell::Powershell => clap_complete::generate(shells::PowerShell, &mut definition, PROGRAM, &mut text),
        Shell::Elvish => clap_complete::generate(shells::Elvish, &mut definition, PROGRAM, &mut text),
    }
    terminal::write_stdout(&String::from_utf8_lossy(&text))
}
