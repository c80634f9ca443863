//! docker-credential-helpers' protocol (docker/docker-credential-helpers, `credentials/credentials.go`): an action in
//! argv, its input on stdin, the answer or the error on stdout, and the exit code.
//!
//! - A name that is not ECR's gets `response::NOT_FOUND`, at once and silently, or goes to the user's `delegate`.
//! - A failure for an ECR name is the same to the client, which goes on without credentials; the reason is one line
//!   on stderr. `ECR_LOGIN_STRICT=1` puts it on stdout instead, so that the client stops.
//! - Exit code 0 means that the answer was delivered.

mod delegate;
mod get;
mod input;
mod list;
mod response;
mod store;

use std::ffi::OsString;
use std::io::IsTerminal as _;
use std::process::ExitCode;

use crate::PROGRAM;
use crate::os::deadline::Deadline;
use crate::os::environment::Environment;
use crate::os::stdio;
use crate::settings::{self, DEFAULT_TIMEOUT, Settings};
use crate::text::user_error::UserError;
use crate::token::RequestContext;
pub use input::Input;
pub use response::Response;

/// An action of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Get credentials for one registry.
    Get,
    /// Store credentials.
    Store,
    /// Erase credentials.
    Erase,
    /// List the registries that have credentials.
    List,
    /// Print name and version.
    Version,
}

impl Action {
    /// The action of this name.
    pub fn of(text: &str) -> Option<Self> {
        Some(match text {
            "get" => Self::Get,
            "store" => Self::Store,
            "erase" => Self::Erase,
            "list" => Self::List,
            "version" | "-v" | "--version" => Self::Version,
            _ => return None,
        })
    }

    /// What `get --help` and the like print.
    fn help(self) -> String {
        let does = match self {
            Self::Get => "reads the name of a registry on stdin and prints its user name and password as JSON",
            Self::Store => "reads the JSON of a login on stdin and keeps nothing: passwords for Amazon ECR are fetched",
            Self::Erase => "reads the name of a registry on stdin and removes its token from the cache",
            Self::List => "prints the registries that have a token in the cache, as JSON",
            Self::Version => "prints the program's name and version",
        };
        format!(
            "{PROGRAM} {} {does}.\n\ndocker, podman and other clients run it. To try it: \
             echo 123456789012.dkr.ecr.eu-west-1.amazonaws.com | {PROGRAM} get\n\
             For people: {PROGRAM} --help\n",
            self.name()
        )
    }

    /// The name as a delegate gets it.
    fn name(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Store => "store",
            Self::Erase => "erase",
            Self::List => "list",
            Self::Version => "version",
        }
    }
}

/// Handles the client's action, and prints the answer. `no_log` says why a log that was asked for cannot be had; whoever asks for a
/// registry that is not ours need not hear of it.
pub fn run(action: Action, environment: Environment, no_log: Option<String>) -> ExitCode {
    if action == Action::Version {
        return version().send(Deadline::within(DEFAULT_TIMEOUT));
    }
    let context = HelperContext { no_log, ..HelperContext::of(environment) };
    let deadline = context.call.deadline;
    let response = context.answer(action, Input::read);
    // The process ends with the answer: giving the settings' and variables' many small pieces of memory back one by
    // one would only keep the client waiting. No secret is among them that the process's own environment has not.
    std::mem::forget(context);
    response.send(deadline)
}

/// Which program this is; nothing is read for it.
fn version() -> Response {
    Response::of(format!("{PROGRAM} {}\n", env!("CARGO_PKG_VERSION")))
}

/// For a kubelet that runs the helper under its own name and without arguments.
const KUBELET_HINT: &str = "no action was given; the kubelet's CredentialProviderConfig needs \"args: [kubelet]\" for a provider of \
                            this name, or the name ecr-credential-provider: setup kubelet sees to it";

/// Answers arguments that are no action: one line on stdout, as the reference helper does. `nearest` is the command for
/// people that is nearest to the first one, `commands` all of them. The kubelet logs stderr alone, so that what a node's owner has to know is said there.
pub fn usage(arguments: &[OsString], nearest: Option<&str>, commands: &str) -> ExitCode {
    let usage = format!(
        "usage: {PROGRAM} <store|get|erase|list|version>; people type {PROGRAM} --help, or one of these commands: {commands}"
    );
    if let [action, help] = arguments
        && let Some(action) = action.to_str().and_then(Action::of)
        && ["--help", "-h"].iter().any(|it| help == it)
    {
        return Response::of(action.help()).send(Deadline::within(DEFAULT_TIMEOUT));
    }
    let line = match arguments {
        [] => {
            if !std::io::stdin().is_terminal() {
                stdio::warn_line(PROGRAM, KUBELET_HINT);
            }
            usage
        }
        [action, more, ..] if action.to_str().and_then(Action::of).is_some() => {
            format!("{} takes no argument, but was given {}; {usage}", shown(action), shown(more))
        }
        [action, ..] => match nearest {
            Some(nearest) => format!("unknown action {}; did you mean {PROGRAM} {nearest}? {usage}", shown(action)),
            None => format!("unknown action {}; {usage}", shown(action)),
        },
    };
    Response::error(&line).send(Deadline::within(DEFAULT_TIMEOUT))
}

/// An argument as part of a line: short, and without characters that could break the line.
fn shown(argument: &OsString) -> String {
    const MAX_CHARS: usize = 60;
    stdio::one_line(&argument.to_string_lossy()).chars().take(MAX_CHARS).collect()
}

/// What an action works with. Errors in settings and timeout are kept apart: a foreign name must be recognised in
/// spite of them.
#[derive(Debug)]
pub struct HelperContext {
    /// With the default settings where the user's cannot be used, and the default limit where it is wrong.
    call: RequestContext,
    /// What is wrong with the settings file.
    broken_settings: Option<UserError>,
    /// What is wrong with `ECR_LOGIN_TIMEOUT`.
    wrong_limit: Option<UserError>,
    /// What is wrong with `ECR_LOGIN_LOG` or its file.
    no_log: Option<String>,
}

impl HelperContext {
    /// What this environment and its settings file say.
    pub fn of(environment: Environment) -> Self {
        let loaded = Settings::load(&environment);
        let limit = settings::call_timeout(&environment, loaded.as_ref().ok(), DEFAULT_TIMEOUT);
        let (settings, broken_settings) = match loaded {
            Ok(settings) => (settings, None),
            Err(error) => (Settings::default(), Some(UserError::from(error))),
        };
        let (limit, wrong_limit) = match limit {
            Ok(limit) => (limit, None),
            Err(failure) => (DEFAULT_TIMEOUT, Some(failure)),
        };
        let call =
            RequestContext { environment, settings, deadline: Deadline::within(limit), shared_credentials: None };
        Self { call, broken_settings, wrong_limit, no_log: None }
    }

    /// The answer to `action`, which asks for its input if it has any.
    pub fn answer(&self, action: Action, input: impl FnOnce(Deadline) -> Input) -> Response {
        match action {
            Action::Get => get::get(self, input(self.call.deadline)),
            Action::Store => store::store(self, input(self.call.deadline)),
            Action::Erase => store::erase(self, input(self.call.deadline)),
            Action::List => list::list(self),
            Action::Version => version(),
        }
    }

    /// Whether clients are to stop when this helper fails.
    fn is_strict(&self) -> bool {
        self.call.environment.switch("ECR_LOGIN_STRICT").unwrap_or(self.call.settings.strict)
    }

    /// A warning that the settings file is in error, for answers that do not depend on it.
    fn warning(&self) -> Option<String> {
        self.broken_settings.as_ref().map(UserError::to_string)
    }
}
