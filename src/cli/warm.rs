//! `warm`: fetches what is not fresh before anybody needs it, on a node before its kubelet starts.

use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::arguments::Warm;
use super::terminal;
use crate::aws::SharedCredentials;
use crate::aws::retry::RetryPolicy;
use crate::cache::Cache;
use crate::cache::TokenLifetime;
use crate::os::clock;
use crate::os::deadline::Deadline;
use crate::os::environment::Environment;
use crate::settings::Settings;
use crate::text::printable::one_line;
use crate::text::user_error::{Kind, UserError};
use crate::token::{self, FetchMode, RegistryCredentials, RequestContext, TokenRequest};

/// How many registries are asked at once. Those of one region and identity make one call together anyway.
const MOST_AT_ONCE: usize = 32;

/// By which every other action is told how long it may take.
const LIMIT_OF_OTHERS: &str = "ECR_LOGIN_TIMEOUT";

/// Fetches for every registry, in parallel, and says one line for each: on stdout until when its token is good,
/// on stderr why there is none.
pub(super) fn run(wanted: &Warm, environment: Environment) -> ExitCode {
    let settings = match Settings::load(&environment) {
        Ok(settings) => settings,
        Err(error) => {
            terminal::warn_line(&UserError::from(error).to_string());
            return ExitCode::FAILURE;
        }
    };
    let deadline = Deadline::within(Duration::from_secs(wanted.timeout));
    let call =
        RequestContext { environment, settings, deadline, shared_credentials: Some(SharedCredentials::default()) };
    let next = AtomicUsize::new(0);
    let failed = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let work = || {
            while let Some(name) = wanted.registry.get(next.fetch_add(1, Ordering::Relaxed)) {
                if !warm(&call, name) {
                    failed.store(true, Ordering::Relaxed);
                }
            }
        };
        for _ in 1..wanted.registry.len().min(MOST_AT_ONCE) {
            // Where the system gives no thread (a limit on processes), those that there are do the work.
            let _ = std::thread::Builder::new().spawn_scoped(scope, work);
        }
        work();
    });
    if failed.into_inner() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// Fetches for one registry and says its line.
fn warm(call: &RequestContext, name: &str) -> bool {
    match ask(call, name) {
        Ok(answer) => {
            terminal::print_line(&format!("{}: {}\n", one_line(name), state(answer.as_ref())), call.deadline).is_ok()
        }
        Err(mut failure) => {
            // The one command whose limit is an argument.
            failure.hint = failure.hint.map(|remedy| remedy.replace(LIMIT_OF_OTHERS, "--timeout"));
            terminal::warn_line(&format!("{name}: {failure}"));
            false
        }
    }
}

/// `None` where the settings want no token.
fn ask(call: &RequestContext, name: &str) -> Result<Option<RegistryCredentials>, UserError> {
    let target = super::target(&call.settings, name)?;
    if target.credentials.anonymous {
        return Ok(None);
    }
    if !target.credentials.cache {
        let what = "the settings say cache = false here, so there is nothing to keep warm";
        return Err(UserError::new(Kind::Settings, what));
    }
    let request = TokenRequest {
        target: &target,
        service_account: None,
        mode: FetchMode::Prefetch,
        retry: RetryPolicy::NodeBoot,
    };
    let answer = token::token(call, &request)?;
    let not_kept = (is_believable(&answer) && !token::keeps(call, &target)).then(|| not_kept(call));
    let said = |warning: &str| not_kept.as_ref().is_some_and(|failure| failure.message.contains(warning));
    for warning in answer.warnings.iter().filter(|warning| !said(warning)) {
        terminal::warn_line(&format!("{name}: {warning}"));
    }
    not_kept.map_or(Ok(Some(answer)), Err)
}

/// Whether our clock takes the token for one that lives, so that the cache should have it.
fn is_believable(answer: &RegistryCredentials) -> bool {
    let now = clock::seconds();
    answer.expires_at.is_some_and(|end| TokenLifetime::of_new(now.saturating_mul(1_000), end, 0).is_some())
}

/// ECR gave a token, and the next `get` will ask again: nothing is warm.
fn not_kept(call: &RequestContext) -> UserError {
    let cache = Cache::open(&call.environment);
    // What of it is not trusted shows where it is read.
    let untrusted = cache.as_ref().and_then(|cache| {
        cache.entries();
        cache.warnings().into_iter().chain(cache.unread()).next()
    });
    let reason = match (cache, untrusted) {
        (_, Some(warning)) => warning,
        (None, _) if call.environment.var_os("AWS_ECR_DISABLE_CACHE").is_some() => {
            "AWS_ECR_DISABLE_CACHE turns the cache off".to_owned()
        }
        (cache, _) => match cache.as_ref().and_then(Cache::path) {
            Some(path) => format!(
                "the cache in {} could not be written (or the credentials changed meanwhile: run this again)",
                path.display()
            ),
            None => "there is no directory for a cache".to_owned(),
        },
    };
    let failure = UserError::new(Kind::Other, format!("ECR gave a token, which is not kept: {reason}"));
    if call.environment.var_os("AWS_ECR_DISABLE_CACHE").is_some() {
        return failure.hint("unset it");
    }
    failure.hint("name a directory of yours that can be written in AWS_ECR_CACHE_DIR")
}

fn state(answer: Option<&RegistryCredentials>) -> String {
    let Some(answer) = answer else { return "anonymous by the settings, nothing to fetch".to_owned() };
    let end = answer.expires_at.and_then(|end| OffsetDateTime::from_unix_timestamp(end).ok());
    match end.and_then(|end| end.format(&Rfc3339).ok()) {
        Some(end) if !is_believable(answer) => {
            format!("a token until {end}, not kept: by this machine's clock that cannot be")
        }
        Some(end) => format!("warm until {end}"),
        None => "a token, but ECR did not say until when".to_owned(),
    }
}
