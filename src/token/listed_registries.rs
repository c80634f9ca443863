//! The registries that `list` names: those that a `get` would serve from the cache now, with the credentials in use
//! now.

use super::RequestContext;
use crate::cache::Cache;
use crate::credentials::{CredentialSelector, Identity};
use crate::os::clock;
use crate::settings::ResolvedRegistry;
use crate::text::user_error::{Kind, UserError};

/// Whether a `get` for `target` would be served from the cache now.
pub fn keeps(call: &RequestContext, target: &ResolvedRegistry) -> bool {
    let Some(cache) = Cache::open(&call.environment) else { return false };
    let now = clock::millis();
    let who =
        Identity::resolve(&call.environment, CredentialSelector::Settings(&target.credentials), &target.registry).ok();
    who.and_then(|who| cache.read(who.cache_key(now.div_euclid(1_000))?, target.registry.host()))
        .is_some_and(|entry| entry.times.is_valid(now))
}

/// The hosts in order, and warnings about what could not be read or was not trusted. Uses neither the network nor a
/// child process.
pub fn listed_registries(call: &RequestContext) -> (Vec<String>, Vec<String>) {
    let Some(cache) = Cache::open(&call.environment) else { return (Vec::new(), Vec::new()) };
    let now = clock::millis();
    let targets: Vec<ResolvedRegistry> = cache
        .registries()
        .iter()
        .filter_map(|host| call.settings.target(host).filter(|target| target.registry.host() == host))
        .filter(|target| target.credentials.cache && !target.credentials.anonymous)
        .collect();
    // Registries with the same credentials, service and API host have the same identity.
    let mut asked: Vec<&ResolvedRegistry> = Vec::new();
    let places: Vec<usize> = targets
        .iter()
        .map(|target| {
            asked.iter().position(|other| is_same_question(other, target)).unwrap_or_else(|| {
                asked.push(target);
                asked.len() - 1
            })
        })
        .collect();
    let identities = Identity::resolve_each(
        &call.environment,
        asked.iter().map(|t| (CredentialSelector::Settings(&t.credentials), &t.registry)),
    );
    let hosts = targets.iter().zip(places).filter_map(|(target, place)| {
        let who = identities.get(place)?.as_ref().ok()?;
        let times = cache.times(who.cache_key(now.div_euclid(1_000))?, target.registry.host())?;
        times.is_valid(now).then(|| target.registry.host().to_owned())
    });
    let hosts = hosts.collect();
    // Where no identity can be resolved, a `get` says why; having no credentials at all is not worth a warning here.
    let mut lines = [cache.warnings(), cache.unread()].concat();
    for error in identities.into_iter().filter_map(Result::err) {
        let failure = UserError::from(error);
        let line = failure.to_string();
        if failure.kind != Kind::NoCredentials && !lines.contains(&line) {
            lines.push(line);
        }
    }
    (hosts, lines)
}

fn is_same_question(one: &ResolvedRegistry, other: &ResolvedRegistry) -> bool {
    one.registry.shares_api_with(&other.registry) && one.credentials == other.credentials
}
