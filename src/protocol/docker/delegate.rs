//! The delegate: the helper that the user names for registries which are not ECR's (`delegate` in the settings), so
//! that `"credsStore": "ecr-login"` stands beside any other store.
//!
//! What the client sent goes to it byte for byte, and so does its answer back, with its exit code; its stderr is the
//! user's. It is run without a shell, found on PATH as docker finds it, and killed at our deadline.

use std::io::IsTerminal as _;
use std::path::Path;
use std::process::{Command, ExitStatus};

use serde_json::{Map, Value};

use super::response::Response;
use super::{Action, input};
use crate::PROGRAM;
use crate::os::executable;
use crate::os::stdio;
use crate::os::subprocess::{self, Bounds, ChildError, Finished, Stderr};
use crate::registry::host_of;
use crate::token::RequestContext;

/// Set in the delegate's environment, so that a loop back to this program is detected.
const GUARD: &str = "ECR_LOGIN_DELEGATED";

/// The most that a delegate may answer, in bytes.
const LONGEST_ANSWER: usize = 1024 * 1024;

/// Why the delegate did not answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum DelegateError {
    /// The settings name us, or a link to us.
    #[error("the delegate {0} is this helper itself; name another in the settings file, or none")]
    Ourselves(String),
    /// The delegate has called this program again.
    #[error("the delegate {0} has asked this helper again; name another in the settings file, or none")]
    RoundACorner(String),
    /// It is not on PATH.
    #[error("the delegate {0} is not on PATH; install it, or name another in the settings file")]
    Absent(String),
    /// It did not start or did not end by itself.
    #[error("the delegate {name} {cause}")]
    Failed {
        /// Its file's name.
        name: String,
        /// What happened.
        #[source]
        cause: ChildError,
    },
    /// A signal ended it, and the protocol has no answer for that.
    #[error("the delegate {name} ended without an answer: {status}")]
    Ended {
        /// Its file's name.
        name: String,
        /// By which signal.
        status: ExitStatus,
    },
    /// Its `list` is not the protocol's.
    #[error("the delegate {name} failed to list: {reason}")]
    NoList {
        /// Its file's name.
        name: String,
        /// What it did instead.
        reason: String,
    },
}

/// Passes the action on, and the answer back.
pub(super) fn pass(action: Action, input: &[u8], call: &RequestContext) -> Response {
    let answered = run(action, input, call).and_then(|(name, finished)| match finished.status.code() {
        Some(code) => Ok(Response::passed_on(finished.stdout, u8::try_from(code).unwrap_or(1))),
        None => Err(DelegateError::Ended { name, status: finished.status }),
    });
    answered.unwrap_or_else(|error| {
        // A `store` has a login on stdin, and not a name.
        let host = input::name(input).and_then(host_of);
        let about = host.as_deref().unwrap_or(action.name());
        Response::not_found().with(Some(format!("{about}: {error}")))
    })
}

/// What the delegate lists.
pub(super) fn listed(input: &[u8], call: &RequestContext) -> Result<Map<String, Value>, DelegateError> {
    let (name, finished) = run(Action::List, input, call)?;
    if !finished.status.success() {
        return Err(DelegateError::NoList { name, reason: finished.status.to_string() });
    }
    match serde_json::from_slice(&finished.stdout) {
        Ok(Some(names)) => Ok(names),
        // Go's helpers write an empty map as null.
        Ok(None) => Ok(Map::new()),
        Err(_) => Err(DelegateError::NoList { name, reason: "its answer is not a JSON object".to_owned() }),
    }
}

fn run(action: Action, input: &[u8], call: &RequestContext) -> Result<(String, Finished), DelegateError> {
    let name = format!("docker-credential-{}", call.settings.delegate.as_deref().unwrap_or_default());
    if name == PROGRAM {
        return Err(DelegateError::Ourselves(name));
    }
    if call.environment.var_os(GUARD).is_some() {
        return Err(DelegateError::RoundACorner(name));
    }
    let Some(program) = executable::on_path(&call.environment, &name) else { return Err(DelegateError::Absent(name)) };
    if is_ourselves(&program) {
        return Err(DelegateError::Ourselves(name));
    }
    let mut command = Command::new(program);
    command.arg(action.name()).env_clear().envs(call.environment.variables()).env(GUARD, "1");
    // On a terminal the delegate may ask there for its own password.
    let stderr = if std::io::stderr().is_terminal() {
        Stderr::Terminal
    } else if stdio::is_one_stream() {
        Stderr::Kept
    } else {
        Stderr::Shown
    };
    match subprocess::run(command, input, Bounds { deadline: call.deadline, stdout: LONGEST_ANSWER, stderr }) {
        Ok(finished) => Ok((name, finished)),
        Err(cause) => Err(DelegateError::Failed { name, cause }),
    }
}

/// Whether it is this program's own file under another name.
fn is_ourselves(program: &Path) -> bool {
    let Ok(ourselves) = std::env::current_exe() else { return false };
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let identity = |path: &Path| path.metadata().map(|found| (found.dev(), found.ino())).ok();
        identity(program).is_some_and(|it| Some(it) == identity(&ourselves))
    }
    #[cfg(not(unix))]
    {
        use crate::os::fs::canonical;
        canonical(program).is_ok_and(|it| canonical(&ourselves).is_ok_and(|us| us == it))
    }
}
