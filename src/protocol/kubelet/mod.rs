//! The kubelet's image credential provider protocol: a `CredentialProviderRequest` on stdin, a
//! `CredentialProviderResponse` on stdout (kubernetes/pkg/credentialprovider/plugin).
//!
//! - An image on ECR: credentials under its registry's name, and how long they may be remembered.
//! - Any other image, a registry that the settings call anonymous, ECR Public without credentials that work: a
//!   valid answer without credentials. AWS credentials never go to another operator's registry, however broad the
//!   kubelet's `matchImages` is.
//! - A failure: exit code 1, one line on stderr, nothing on stdout. The kubelet logs the line and pulls
//!   anonymously.

use std::process::ExitCode;
use std::time::Duration;

mod image;
mod request;
mod response;
mod service_account;

pub(crate) use image::registry as registry_of_image;
pub(crate) use request::ROLE_ANNOTATION;
pub use request::Request;
pub use response::cache_duration;

use crate::PROGRAM;
use crate::aws::retry::RetryPolicy;
use crate::credentials;
use crate::os::clock;
use crate::os::deadline::Deadline;
use crate::os::environment::Environment;
use crate::os::secret::Wiped;
use crate::os::{stdin, stdio};
use crate::registry::Service;
use crate::settings::{self, Settings, SettingsError};
use crate::text::user_error::{Kind, UserError};
use crate::token::{self, FetchMode, RequestContext, TokenRequest};

/// The name under which the kubelet knows the plugin, and under which we call ourselves in messages.
pub const PLUGIN: &str = "ecr-credential-provider";

/// The most that a request may have, in bytes.
const LONGEST_REQUEST: usize = 1024 * 1024;

/// The timeout: long enough to retry while ECR throttles a booting fleet.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(45);

/// The kubelet kills a plugin after 60 s, and with it the reason: no limit of the user's goes beyond this.
const MAX_TIMEOUT: Duration = Duration::from_secs(55);

/// What the plugin prints for `--version` and `--help`, which people type; `None` for any other argument.
pub fn information(argument: &str) -> Option<String> {
    match argument {
        "--version" | "-V" => Some(format!("{PLUGIN} {} ({PROGRAM})\n", env!("CARGO_PKG_VERSION"))),
        "--help" | "-h" => Some(format!(
            "{PLUGIN} reads a CredentialProviderRequest as JSON on stdin and prints a CredentialProviderResponse with \
             the user name and password for Amazon ECR.\n\nThe kubelet runs it. To set it up: {PROGRAM} setup kubelet\n\
             To find out why a pull fails: {PROGRAM} doctor REGISTRY\n"
        )),
        _ => None,
    }
}

/// Answers one request. Whatever arguments the kubelet's configuration gives are of no interest.
/// `no_log` says why a log that was asked for cannot be had.
pub fn run(environment: Environment, no_log: Option<String>) -> ExitCode {
    match settle(environment, no_log) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            stdio::warn_line(PLUGIN, &failure.to_string());
            ExitCode::FAILURE
        }
    }
}

/// Said to a person who started the plugin on a terminal.
fn hint() {
    stdio::warn_line(PLUGIN, "waiting for a CredentialProviderRequest on stdin, which the kubelet writes; see --help");
}

fn settle(environment: Environment, no_log: Option<String>) -> Result<(), UserError> {
    let settings = Settings::load(&environment);
    let limit = settings::call_timeout(&environment, settings.as_ref().ok(), DEFAULT_TIMEOUT);
    let deadline = Deadline::within(limit.as_ref().map_or(DEFAULT_TIMEOUT, |limit| (*limit).min(MAX_TIMEOUT)));
    let input =
        stdin::read(LONGEST_REQUEST, deadline, hint).map_err(|error| UserError::new(Kind::Other, error.to_string()))?;
    let wrong = Wrong { limit: limit.err(), log: no_log };
    let (bytes, warnings) = answer(input, environment, settings, wrong, deadline)?;
    for warning in &warnings {
        stdio::warn_line(PLUGIN, warning);
    }
    stdio::write_stdout(&bytes, deadline)
        .map_err(|error| UserError::new(Kind::Other, format!("the answer could not be delivered on stdout: {error}")))
}

/// The response's bytes, and lines for stderr.
pub type Delivery = (Wiped, Vec<String>);

/// Errors in the environment, which matter to ECR images only.
#[derive(Debug, Default)]
pub struct Wrong {
    /// `ECR_LOGIN_TIMEOUT`: fails the pull.
    limit: Option<UserError>,
    /// `ECR_LOGIN_LOG` or its file: worth a line.
    log: Option<String>,
}

/// Answers the request in `input`.
///
/// # Errors
/// What is no request, settings in error, and whatever keeps an ECR image's registry from being served.
pub fn answer(
    input: Wiped,
    environment: Environment,
    settings: Result<Settings, SettingsError>,
    wrong: Wrong,
    deadline: Deadline,
) -> Result<Delivery, UserError> {
    let request = Request::parse(&input).map_err(|error| UserError::new(Kind::Other, error.to_string()))?;
    drop(input);
    let (registry, settings) = match (image::registry(&request.image), settings) {
        (Some(registry), Ok(settings)) => (registry, settings),
        (None, Ok(_)) => return nothing(&request, Vec::new()),
        (registry, Err(error)) => return without_settings(&request, registry, error),
    };
    let Some(target) = settings.target(registry).filter(|target| !target.credentials.anonymous) else {
        return nothing(&request, Vec::new());
    };
    if let Some(no_log) = wrong.log {
        stdio::warn_line(PLUGIN, &no_log);
    }
    if let Some(failure) = wrong.limit {
        return Err(failure);
    }
    let named = |failure: UserError| UserError { message: format!("{registry}: {}", failure.message), ..failure };
    let service_account = service_account::of(&request, &environment)
        .map_err(|error| named(UserError::new(Kind::Credentials, error.to_string())))?;
    let public = target.registry.service() == Service::Public;
    let call = RequestContext { environment, settings, deadline, shared_credentials: None };
    let question = TokenRequest {
        target: &target,
        service_account: service_account.as_ref(),
        mode: FetchMode::UseCache,
        retry: RetryPolicy::NodeBoot,
    };
    let answer = match token::token(&call, &question) {
        Ok(answer) => answer,
        Err(failure) if public => {
            let silent = failure.kind == Kind::NoCredentials;
            let line = format!("{}; pulled without credentials", named(failure));
            return nothing(&request, if silent { Vec::new() } else { vec![line] });
        }
        Err(failure) => return Err(named(credentials::on_node(failure, &call.environment))),
    };
    let spread = token::jitter(&[registry.as_bytes()]);
    let seconds = response::cache_duration(clock::seconds(), answer.expires_at, spread);
    let bytes = response::with_credentials(request.version, registry, &answer, seconds).map_err(unwritable)?;
    // The process ends with the answer: see protocol::docker.
    std::mem::forget(call);
    Ok((bytes, answer.warnings))
}

fn nothing(request: &Request, warnings: Vec<String>) -> Result<Delivery, UserError> {
    Ok((response::without_credentials(request.version).map_err(unwritable)?, warnings))
}

/// With a settings file in error it is unknown which credentials an ECR registry gets. A name that is not ECR's gets
/// the not-found answer, as always; it may have been an alias, so the line is printed.
fn without_settings(request: &Request, registry: Option<&str>, error: SettingsError) -> Result<Delivery, UserError> {
    let is_ecr = registry.is_some_and(|registry| Settings::default().target(registry).is_some());
    let failure = UserError::from(error);
    if is_ecr { Err(failure) } else { nothing(request, vec![failure.to_string()]) }
}

fn unwritable(error: std::io::Error) -> UserError {
    UserError::new(Kind::Other, format!("the answer cannot be written: {error}"))
}
