//! `get`: credentials for one registry.

use super::input::{self, Input};
use super::response::{NO_SERVER_URL, Response};
use super::{Action, HelperContext, delegate};
use crate::aws::retry::RetryPolicy;
use crate::cache::{Cache, LastFailure};
use crate::os::clock;
use crate::registry::{Service, host_of, near_miss, odd_region};
use crate::settings::ResolvedRegistry;
use crate::text::user_error::{Kind, UserError};
use crate::token::{self, FetchMode, TokenRequest};

/// Answers with a token, or with the reason why there is none.
pub(super) fn get(context: &HelperContext, input: Input) -> Response {
    let bytes = match input {
        Input::Bytes(bytes) => bytes,
        Input::Empty => return Response::error(NO_SERVER_URL),
        Input::TooLong => return Response::not_found(),
        Input::Failed(error) => return Response::not_found().with(Some(error.to_string())),
    };
    let asked = input::name(&bytes);
    let target = asked.and_then(|name| Some((name, context.call.settings.target(name)?)));
    let Some((name, target)) = target else {
        if context.broken_settings.is_none() && context.call.settings.delegate.is_some() {
            return delegate::pass(Action::Get, &bytes, &context.call);
        }
        // The name may be an alias in a settings file that cannot be used: a warning says so, and the answer is not
        // found.
        return Response::not_found().with(context.warning()).with(asked.and_then(nearly_ecr));
    };
    if target.credentials.anonymous {
        return Response::not_found();
    }
    let is_strict = context.is_strict();
    let response = match answer(context, name, &target) {
        Ok(response) => response,
        Err(failure) => explain(name, &target, &failure, is_strict),
    };
    let response = response.with(context.no_log.clone());
    if !response.stderr.is_empty() && target.credentials.cache {
        record(context, &response.stderr);
    }
    response
}

/// For `status` and `doctor`, since some clients hide stderr.
fn record(context: &HelperContext, lines: &[String]) {
    if let Some(cache) = Cache::open(&context.call.environment) {
        cache.record_failure(&LastFailure { at: clock::seconds(), line: lines.join("; ") });
    }
}

/// The one line for a name in AWS's own domains that is mistyped; nothing for any other registry.
fn nearly_ecr(name: &str) -> Option<String> {
    let host = host_of(name)?;
    let reason = near_miss(&host)?;
    Some(format!("{host} is not a registry of Amazon ECR: {reason}; correct the name of the image"))
}

fn answer(context: &HelperContext, name: &str, target: &ResolvedRegistry) -> Result<Response, UserError> {
    if let Some(failure) = context.broken_settings.as_ref().or(context.wrong_limit.as_ref()) {
        return Err(failure.clone());
    }
    let mode = FetchMode::of(&context.call.environment);
    let request = TokenRequest { target, service_account: None, mode, retry: RetryPolicy::Interactive };
    let answer = token::token(&context.call, &request)?;
    Response::credentials(name, &answer)
        .map_err(|error| UserError::new(Kind::Other, format!("the answer cannot be written: {error}")))
}

/// The client gets the not-found answer; one line on stderr gives the user the reason.
fn explain(name: &str, target: &ResolvedRegistry, failure: &UserError, is_strict: bool) -> Response {
    let host = host_of(name);
    let host = host.as_deref().unwrap_or(name);
    let line = match odd_region(target.registry.region()) {
        Some(odd) => format!("{host}: {odd}: {failure}"),
        None => format!("{host}: {failure}"),
    };
    match target.registry.service() {
        // ECR Public serves anonymous pulls, so missing credentials are not worth a line.
        Service::Public if failure.kind == Kind::NoCredentials => Response::not_found(),
        // On stderr as well: docker pull and BuildKit throw a helper's stdout away and go on.
        Service::Private if is_strict => Response::error(&format!("{}: {line}", crate::PROGRAM)).with(Some(line)),
        Service::Public | Service::Private => Response::not_found().with(Some(line)),
    }
}
