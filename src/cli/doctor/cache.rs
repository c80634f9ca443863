//! What is kept for the identity, and whether the registry takes it.

use std::time::Duration;

use super::report::{State, Step};
use crate::PROGRAM;
use crate::aws::AuthorizationToken;
use crate::aws::diagnostics;
use crate::cache::Cache;
use crate::cli::no_cache;
use crate::credentials::Identity;
use crate::os::clock;
use crate::os::environment::Environment;
use crate::settings::ResolvedRegistry;
use crate::text::span;
use crate::text::user_error::Kind;

/// What is cached for this identity, whether the cache can be trusted, and whether the registry takes what is in it.
pub(super) fn cached(
    environment: &Environment,
    identity: &Identity,
    target: &ResolvedRegistry,
    limit: Duration,
    reachable: bool,
) -> Step {
    const NAME: &str = "cache";
    let host = target.registry.host();
    let now = clock::seconds();
    if !target.credentials.cache {
        return Step::note(
            NAME,
            "turned off for this registry: each pull asks ECR",
            "take cache = false out of the settings",
        );
    }
    let cache = Cache::open(environment);
    if let Some(reason) = no_cache::reason(environment, cache.as_ref()) {
        return Step::note(NAME, format!("{reason}: each pull asks ECR"), no_cache::remedy(environment));
    }
    let Some(cache) = cache else { return Step::skipped(NAME, "there is no cache") };
    let place = cache.path().map(|path| path.display().to_string()).unwrap_or_default();
    let entry = identity.cache_key(now).and_then(|cache_key| cache.read(cache_key, host));
    let Some(entry) = entry.filter(|entry| entry.times.is_valid(now.saturating_mul(1000))) else {
        return Step::ok(NAME, format!("{place}: no token yet for this identity, the next pull keeps one"));
    };
    let found =
        format!("{place}: a token, {}", span::good_for(now, entry.times.expires_at, Some(entry.times.refresh_at)));
    if !reachable {
        return Step::ok(NAME, found);
    }
    let token = AuthorizationToken {
        username: entry.username,
        password: entry.password,
        expires_at: Some(entry.times.expires_at),
        own_registry: None,
        warnings: Vec::new(),
    };
    match diagnostics::accepts(environment, identity, &target.registry, limit, &token) {
        Ok(_) => Step::ok(NAME, format!("{found}, and the registry takes it")),
        Err(failure) if failure.kind == Kind::Credentials => {
            Step::wrong(NAME, format!("{found}, but the registry refuses it"), format!("run: {PROGRAM} clear {host}"))
        }
        Err(failure) => Step { state: State::Note, ..Step::failed(NAME, failure) },
    }
}
