//! What `list` names: the registries that a `get` would serve from the cache now, to whom we are now.

use super::Call;
use crate::cache::Cache;
use crate::clock;
use crate::failure::{Failure, Kind};
use crate::identity::{Identity, Wanted};
use crate::settings::Target;

/// Whether the cache has a token of `target`, for who we are now: what a `get` would be served.
pub fn keeps(call: &Call, target: &Target) -> bool {
    let Some(cache) = Cache::open(&call.environment) else { return false };
    let now = clock::millis();
    let who = Identity::find(&call.environment, Wanted::Speaker(&target.speaker), &target.registry).ok();
    who.and_then(|who| cache.read(who.fingerprint(now.div_euclid(1_000))?, target.registry.host()))
        .is_some_and(|entry| entry.times.lives(now))
}

/// The hosts, in order, and what could not be read or was not trusted on the way to them. Neither the network nor a child
/// process is asked.
pub fn listed(call: &Call) -> (Vec<String>, Vec<String>) {
    let Some(cache) = Cache::open(&call.environment) else { return (Vec::new(), Vec::new()) };
    let now = clock::millis();
    let targets: Vec<Target> = cache
        .registries()
        .iter()
        .filter_map(|host| call.settings.target(host).filter(|target| target.registry.host() == host))
        .filter(|target| target.speaker.cache && !target.speaker.anonymous)
        .collect();
    // Registries with the same speaker, service and API host have the same identity.
    let mut asked: Vec<&Target> = Vec::new();
    let places: Vec<usize> = targets
        .iter()
        .map(|target| {
            asked.iter().position(|other| is_same_question(other, target)).unwrap_or_else(|| {
                asked.push(target);
                asked.len() - 1
            })
        })
        .collect();
    let identities =
        Identity::find_each(&call.environment, asked.iter().map(|t| (Wanted::Speaker(&t.speaker), &t.registry)));
    let hosts = targets.iter().zip(places).filter_map(|(target, place)| {
        let who = identities.get(place)?.as_ref().ok()?;
        let times = cache.times(who.fingerprint(now.div_euclid(1_000))?, target.registry.host())?;
        times.lives(now).then(|| target.registry.host().to_owned())
    });
    let hosts = hosts.collect();
    // Of whom nobody can say who it is now, a `get` would say why; that there are no credentials at all is no trouble.
    let mut lines = [cache.warnings(), cache.unread()].concat();
    for error in identities.into_iter().filter_map(Result::err) {
        let failure = Failure::from(error);
        let line = failure.to_string();
        if failure.kind != Kind::NoCredentials && !lines.contains(&line) {
            lines.push(line);
        }
    }
    (hosts, lines)
}

fn is_same_question(one: &Target, other: &Target) -> bool {
    one.registry.shares_api_with(&other.registry) && one.speaker == other.speaker
}
