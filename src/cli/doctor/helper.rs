//! Whether the program that clients would run is this one.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use super::report::Step;
use crate::PROGRAM;
use crate::os::deadline::Deadline;
use crate::os::environment::Environment;
use crate::os::executable;
use crate::os::fs::canonical;
use crate::os::subprocess::{self, Bounds, Stderr};

/// How long another program of our name may take to say its version.
const VERSION_TIME: Duration = Duration::from_secs(3);

/// The file of this program. Without `/proc` the system does not say, and the name that we were started by has to do.
fn ourselves(environment: &Environment) -> Option<PathBuf> {
    let by_name = || {
        let name = PathBuf::from(environment.program());
        if name.components().count() > 1 { Some(name) } else { executable::on_path(environment, name.to_str()?) }
    };
    canonical(&std::env::current_exe().ok().or_else(by_name)?).ok()
}

/// Whether the program that docker would run is this one.
pub(super) fn helper(environment: &Environment) -> Step {
    const NAME: &str = "helper";
    let ours = ourselves(environment);
    let version = env!("CARGO_PKG_VERSION");
    let Some(found) = executable::on_path(environment, PROGRAM) else {
        let directory = ours.as_deref().and_then(std::path::Path::parent).map(PathBuf::from).unwrap_or_default();
        return Step::wrong(
            NAME,
            format!("{PROGRAM} is not on PATH, where docker looks for it"),
            format!("add {} to PATH, or link it from a directory that is there", directory.display()),
        );
    };
    let real = canonical(&found).ok();
    if real.is_some() && real == ours {
        return Step::ok(NAME, format!("{} is this program, version {version}", found.display()));
    }
    let deadline = Deadline::within(VERSION_TIME);
    let says = |option| {
        let mut command = Command::new(&found);
        command.arg(option).env_clear().envs(environment.variables());
        let bounds = Bounds { deadline, stdout: 4096, stderr: Stderr::Kept };
        subprocess::run(command, &[], bounds).map(|finished| String::from_utf8_lossy(&finished.stdout).into_owned())
    };
    // The Go helper knows its own option alone.
    let said = match says("--version") {
        Ok(said) if said.trim().is_empty() => says("-v"),
        said => said,
    };
    match said {
        Ok(said) if said.contains(PROGRAM) && said.trim_end().ends_with(version) => {
            Step::ok(NAME, format!("{} is a copy of this program, version {version}", found.display()))
        }
        said => {
            let words = |said: String| said.split_whitespace().collect::<Vec<_>>().join(" ");
            let said = said.map_or_else(|error| error.to_string(), words);
            let said: String = said.chars().filter(|character| !character.is_control()).take(80).collect();
            let said = if said.is_empty() { String::new() } else { format!(" (says {said:?})") };
            let ours = ours.unwrap_or_default();
            let directory = ours.parent().map(PathBuf::from).unwrap_or_default();
            Step::wrong(
                NAME,
                format!("docker would run {}{said}, not {}", found.display(), ours.display()),
                format!(
                    "put {} before the other one's directory in PATH, or remove the other one",
                    directory.display()
                ),
            )
        }
    }
}
