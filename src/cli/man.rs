//! `man`: one page for the program and all of its commands.

use std::io::{self, Write as _};
use std::process::ExitCode;

use clap_mangen::Man;

use super::arguments::definition;
use super::{reference, terminal};

/// Prints the man page in roff.
pub(super) fn run() -> ExitCode {
    match page() {
        Ok(page) => terminal::write_stdout(&page),
        Err(_) => ExitCode::FAILURE,
    }
}

/// The page: the program's own sections, then a subsection for each command with its options.
fn page() -> io::Result<String> {
    let mut program = definition();
    program.build();
    let mut page = Vec::new();
    let man = Man::new(program.clone());
    reference::write_title(&mut page)?;
    man.render_name_section(&mut page)?;
    reference::write_synopsis(&mut page)?;
    man.render_description_section(&mut page)?;
    writeln!(page, ".SH COMMANDS")?;
    for command in program.get_subcommands().filter(|command| command.get_name() != "help") {
        if command.has_subcommands() {
            for inner in command.get_subcommands().filter(|inner| inner.get_name() != "help") {
                subsection(&mut page, inner)?;
            }
        } else {
            subsection(&mut page, command)?;
        }
    }
    man.render_options_section(&mut page)?;
    reference::write_sections(&mut page)?;
    Ok(String::from_utf8_lossy(&page).into_owned())
}

/// One command: clap_mangen's own sections with their headings taken down a level.
fn subsection(page: &mut Vec<u8>, command: &clap::Command) -> io::Result<()> {
    // That each has --help is said once, for the program.
    let man = Man::new(command.clone().mut_arg("help", |help| help.hide(true)));
    let mut text = Vec::new();
    man.render_synopsis_section(&mut text)?;
    man.render_description_section(&mut text)?;
    if command.get_arguments().any(|argument| !argument.is_hide_set()) {
        man.render_options_section(&mut text)?;
    }
    let name = command.get_bin_name().unwrap_or(command.get_name());
    let title = name.split_once(' ').map_or(name, |(_, words)| words);
    writeln!(page, ".SS \"{title}\"")?;
    for line in String::from_utf8_lossy(&text).lines() {
        match line {
            ".SH SYNOPSIS" | ".SH DESCRIPTION" | ".SH OPTIONS" => writeln!(page, ".PP")?,
            line => writeln!(page, "{line}")?,
        }
    }
    Ok(())
}
