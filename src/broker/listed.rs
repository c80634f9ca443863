//! What `list` names: the registries that a `get` would serve from the cache now, to whom we are now.

use std::time::{SystemTime, UNIX_EPOCH};

use super::Call;
use super::policy::Millis;
use crate::cache::Cache;
use crate::identity::{Fingerprint, Identity, Wanted};
use crate::registry::Service;
use crate::settings::{Speaker, Target};

/// Whether the cache has a token of `target`, for who we are now: what a `get` would be served.
pub fn keeps(call: &Call, target: &Target) -> bool {
    let Some(cache) = Cache::open(&call.environment) else { return false };
    let now = now();
    let who = Identity::find(&call.environment, Wanted::Speaker(&target.speaker), &target.registry).ok();
    who.and_then(|who| cache.read(who.fingerprint(now.div_euclid(1_000))?, target.registry.host()))
        .is_some_and(|entry| entry.times.lives(now))
}

/// The hosts, in order, and what of the cache was not trusted. Neither the network nor a child process is asked.
pub fn listed(call: &Call) -> (Vec<String>, Vec<String>) {
    let Some(cache) = Cache::open(&call.environment) else { return (Vec::new(), Vec::new()) };
    let now = now();
    // Registries with the same speaker, service and API have the same identity: its files are read once.
    let mut known: Vec<((Speaker, Service, String), Option<Fingerprint>)> = Vec::new();
    let mut hosts = cache.registries();
    hosts.retain(|host| {
        let Some(target) = call.settings.target(host) else { return false };
        let speaker = &target.speaker;
        if speaker.anonymous || !speaker.cache || target.registry.host() != host {
            return false;
        }
        let key = (speaker.clone(), target.registry.service(), target.registry.api_host(false, false));
        let fingerprint = match known.iter().find(|(other, _)| *other == key) {
            Some((_, fingerprint)) => *fingerprint,
            None => {
                let found = Identity::find(&call.environment, Wanted::Speaker(speaker), &target.registry);
                let found = found.ok().and_then(|who| who.fingerprint(now.div_euclid(1_000)).copied());
                known.push((key, found));
                found
            }
        };
        fingerprint.and_then(|of| cache.read(&of, host)).is_some_and(|entry| entry.times.lives(now))
    });
    (hosts, cache.warnings())
}

fn now() -> Millis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| Millis::try_from(since.as_millis()).unwrap_or(Millis::MAX))
}
