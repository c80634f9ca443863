//! `warm`: fetches what is not fresh before a pull needs it, on a node before its kubelet starts.

use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::arguments::Warm;
use super::layout::Layout;
use super::terminal::{self, Progress};
use super::{configured, no_cache};
use crate::PROGRAM;
use crate::aws::SharedCredentials;
use crate::aws::retry::RetryPolicy;
use crate::cache::Cache;
use crate::cache::TokenLifetime;
use crate::os::clock;
use crate::os::deadline::Deadline;
use crate::os::environment::Environment;
use crate::os::secret;
use crate::registry::Service;
use crate::settings::Settings;
use crate::text::printable::one_line;
use crate::text::span;
use crate::text::user_error::{Kind, UserError};
use crate::token::{self, FetchMode, RegistryCredentials, RequestContext, TokenRequest};

/// How many registries are asked at once. Those of one region and identity make one call together anyway.
const MOST_AT_ONCE: usize = 32;

/// Fetches for every registry, in parallel, and says one line for each: on stdout until when its token is good,
/// on stderr why there is none; and how many there are of each, where there are several.
pub(super) fn run(wanted: &Warm, environment: Environment) -> ExitCode {
    let settings = match Settings::load(&environment) {
        Ok(settings) => settings,
        Err(error) => {
            terminal::warn_line(&UserError::from(error).to_string());
            return ExitCode::FAILURE;
        }
    };
    let names = if wanted.registry.is_empty() { all(&environment, &settings) } else { wanted.registry.clone() };
    if names.is_empty() {
        let what = "no registry is named, and no client's file and no settings name one for this helper";
        terminal::warn_line(&format!(
            "{what}; run: {PROGRAM} setup docker, or name registries: {PROGRAM} warm REGISTRY"
        ));
        return ExitCode::FAILURE;
    }
    let deadline = Deadline::by_option(Duration::from_secs(wanted.timeout));
    let progress = Shown::of(&environment, names.len());
    let call =
        RequestContext { environment, settings, deadline, shared_credentials: Some(SharedCredentials::default()) };
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        let work = || {
            while let Some(name) = names.get(next.fetch_add(1, Ordering::Relaxed)) {
                warm(&call, name, &progress);
            }
        };
        for _ in 1..names.len().min(MOST_AT_ONCE) {
            // Where the system gives no thread (a limit on processes), those that there are do the work.
            let _ = std::thread::Builder::new().spawn_scoped(scope, work);
        }
        work();
    });
    progress.sum_up(deadline)
}

/// All that are configured; where this helper is docker's store, all that were served before.
fn all(environment: &Environment, settings: &Settings) -> Vec<String> {
    // Clients' files may hold logins in plain text.
    secret::wipe_what_is_freed();
    let names = configured::registries_or_served(environment, settings).into_iter();
    names.filter(|name| settings.target(name).is_some_and(|target| target.credentials.cache)).collect()
}

/// What has been printed so far. Lines and the progress below them take turns.
struct Shown {
    all: usize,
    layout: Layout,
    state: Mutex<Counts>,
}

struct Counts {
    progress: Progress,
    good: usize,
    failed: usize,
    lost: bool,
}

impl Shown {
    fn of(environment: &Environment, all: usize) -> Self {
        let progress = Progress::start(environment);
        progress.say(&format!("0 of {all} done"));
        Self {
            all,
            layout: Layout::for_stdout(environment),
            state: Mutex::new(Counts { progress, good: 0, failed: 0, lost: false }),
        }
    }

    /// One registry is done: its line.
    fn done(&self, line: Result<String, String>, deadline: Deadline) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.progress.clear();
        match line {
            Ok(line) => {
                state.good += 1;
                state.lost |= terminal::print_line(&self.layout.line(&line, 2), deadline).is_err();
            }
            Err(line) => {
                state.failed += 1;
                terminal::warn_line(&line);
            }
        }
        let done = state.good + state.failed;
        if done < self.all {
            state.progress.say(&format!("{done} of {} done", self.all));
        }
    }

    /// A line that counts for nothing.
    fn warn(&self, line: &str) {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.progress.clear();
        terminal::warn_line(line);
    }

    fn sum_up(self, deadline: Deadline) -> ExitCode {
        let mut state = self.state.into_inner().unwrap_or_else(PoisonError::into_inner);
        state.progress.clear();
        if self.all > 1 {
            let failed = if state.failed > 0 { format!(", {} failed", state.failed) } else { String::new() };
            let line = format!("{} registries: {} ready{failed}\n", self.all, state.good);
            state.lost |= terminal::print_line(&line, deadline).is_err();
        }
        if state.failed > 0 || state.lost { ExitCode::FAILURE } else { ExitCode::SUCCESS }
    }
}

/// Fetches for one registry and says its line.
fn warm(call: &RequestContext, name: &str, shown: &Shown) {
    let said = match ask(call, name, shown) {
        Ok(state) => Ok(format!("{}: {state}", one_line(name))),
        Err(failure) => Err(format!("{name}: {failure}")),
    };
    shown.done(said, call.deadline);
}

/// Fetches and keeps a token; how long it is good, or why none is wanted.
fn ask(call: &RequestContext, name: &str, shown: &Shown) -> Result<String, UserError> {
    let target = super::target(&call.settings, name)?;
    if target.credentials.anonymous {
        return Ok("anonymous by the settings, nothing to fetch".to_owned());
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
    let answer = match token::token(call, &request) {
        // ECR Public serves without a login.
        Err(failure) if failure.kind == Kind::NoCredentials && target.registry.service() == Service::Public => {
            return Ok("no credentials, so pulls are anonymous".to_owned());
        }
        answer => answer?,
    };
    let kept = token::kept(call, &target);
    let not_kept = (is_believable(&answer) && kept.is_none()).then(|| not_kept(call));
    let said = |warning: &str| not_kept.as_ref().is_some_and(|failure| failure.message.contains(warning));
    for warning in answer.warnings.iter().filter(|warning| !said(warning)) {
        shown.warn(&format!("{name}: {warning}"));
    }
    match not_kept {
        Some(failure) => Err(failure),
        None => Ok(state(&answer, kept)),
    }
}

/// Whether our clock takes the token for one that lives, so that the cache should have it.
fn is_believable(answer: &RegistryCredentials) -> bool {
    let now = clock::seconds();
    answer.expires_at.is_some_and(|end| TokenLifetime::of_new(now.saturating_mul(1_000), end, 0).is_some())
}

/// ECR gave a token, and the next `get` will ask again: nothing is warm.
fn not_kept(call: &RequestContext) -> UserError {
    let reason = no_cache::reason_of_a_loss(&call.environment, Cache::open(&call.environment).as_ref());
    UserError::new(Kind::Other, format!("ECR gave a token, which is not kept: {reason}"))
        .hint(no_cache::remedy(&call.environment))
}

fn state(answer: &RegistryCredentials, kept: Option<TokenLifetime>) -> String {
    let now = clock::seconds();
    match (answer.expires_at, kept) {
        (Some(_), Some(times)) => span::good_for(now, times.expires_at, Some(times.refresh_at)),
        (Some(end), None) => {
            let end = span::good_for(now, end, None);
            format!("a token that {end}, not kept: by this machine's clock that cannot be")
        }
        (None, _) => "a token, but ECR did not say until when".to_owned(),
    }
}
