//! The binary under strace.

use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::{Helper, binary};

/// Whether there is strace; CI has it.
pub fn is_there() -> bool {
    let is_there = Command::new("strace").arg("-V").stdout(Stdio::null()).status().is_ok_and(|status| status.success());
    if !is_there {
        println!("skipped: there is no strace");
        assert!(std::env::var_os("CI").is_none_or(|ci| ci.is_empty()), "CI has it");
    }
    is_there
}

/// A command of the helper's, run by strace with these options, which writes to `output`.
pub fn command(helper: &Helper, options: &[&str], output: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new("strace");
    command.args(["-qq", "-o"]).arg(output).args(options).arg(binary()).args(arguments).env_clear();
    let ours = helper.command(Vec::<OsString>::new());
    command.envs(ours.get_envs().filter_map(|(key, value)| Some((key, value?)))).current_dir(helper.home());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}
