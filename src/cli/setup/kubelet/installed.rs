//! The version of the kubelet that this node has, asked of its program.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use super::paths::Distribution;
use super::version::{KubeletVersion, VersionError};
use crate::os::deadline::Deadline;
use crate::os::environment::Environment;
use crate::os::executable::on_path;
use crate::os::subprocess::{self, Bounds, Stderr};

/// How long the program may take to say it.
const ANSWER_TIME: Duration = Duration::from_secs(5);
/// The most that it may say, in bytes.
const ANSWER_BYTES: usize = 4096;

/// The program and its version; `None` where there is none on PATH, or where it says something else.
///
/// # Errors
/// It is too old for credential providers.
pub(super) fn version(
    distribution: Distribution,
    environment: &Environment,
) -> Result<Option<(PathBuf, KubeletVersion)>, (PathBuf, VersionError)> {
    let Some(program) = on_path(environment, distribution.program()) else { return Ok(None) };
    let mut command = Command::new(&program);
    command.arg("--version").env_clear().envs(environment.variables());
    let bounds = Bounds { deadline: Deadline::within(ANSWER_TIME), stdout: ANSWER_BYTES, stderr: Stderr::Kept };
    let Ok(finished) = subprocess::run(command, &[], bounds) else { return Ok(None) };
    match of_answer(&String::from_utf8_lossy(&finished.stdout)) {
        Some(Ok(version)) => Ok(Some((program, version))),
        Some(Err(error)) => Err((program, error)),
        None => Ok(None),
    }
}

/// `Kubernetes v1.34.2`, `k3s version v1.34.1+k3s1 (hash)`, `rke2 version v1.34.1+rke2r1 (hash)`.
fn of_answer(text: &str) -> Option<Result<KubeletVersion, VersionError>> {
    let words = text.lines().next()?.split_whitespace().filter(|word| word.starts_with('v'));
    words.map(str::parse::<KubeletVersion>).find(|version| !matches!(version, Err(VersionError::NotOne(_))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_read_from_what_each_program_prints() {
        let version = |text: &str| text.parse::<KubeletVersion>().unwrap();
        for (text, expected) in [
            ("Kubernetes v1.34.2\n", Some(Ok(version("1.34")))),
            ("Kubernetes v1.31.4-eks-7f9249a\n", Some(Ok(version("1.31")))),
            ("k3s version v1.33.5+k3s1 (1ab2c3d)\ngo version go1.24.6\n", Some(Ok(version("1.33")))),
            ("rke2 version v1.34.1+rke2r1 (abc)\n", Some(Ok(version("1.34")))),
            ("Kubernetes v1.19.3", Some(Err(VersionError::TooOld(1, 19)))),
            ("usage: kubelet\n", None),
            ("", None),
        ] {
            assert_eq!(of_answer(text), expected, "{text}");
        }
    }
}
