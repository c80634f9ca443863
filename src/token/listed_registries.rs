//! The registries that `list` names.

use std::collections::BTreeMap;

use super::RequestContext;
use crate::aws;
use crate::aws::retry::RetryPolicy;
use crate::cache::{Cache, CacheSlot, CachedFailure, Entry, TokenLifetime};
use crate::credentials::{CredentialSelector, Identity, configured_region};
use crate::os::clock;
use crate::registry::{Registry, Service, host_of};
use crate::settings::ResolvedRegistry;
use crate::text::user_error::{Kind, UserError};

/// ECR Public's host.
const PUBLIC_HOST: &str = "public.ecr.aws";

/// For how long, in milliseconds, `list` does not ask again after a failure: a caller who may not use ECR Public would wait
/// for that at every `list`.
const LIST_PAUSE_MILLIS: i64 = 60_000;

/// Whether a `get` for `target` would be served from the cache now.
pub fn keeps(call: &RequestContext, target: &ResolvedRegistry) -> bool {
    let Some(cache) = Cache::open(&call.environment) else { return false };
    let now = clock::millis();
    let who =
        Identity::resolve(&call.environment, CredentialSelector::Settings(&target.credentials), &target.registry).ok();
    who.and_then(|who| cache.read(who.cache_key(now.div_euclid(1_000))?, target.registry.host()))
        .is_some_and(|entry| entry.times.is_valid(now))
}

/// What [`listed_registries`] found.
#[derive(Debug, Default)]
pub struct Listed {
    /// The hosts in order.
    pub hosts: Vec<String>,
    /// Those of them whose token is cached and valid.
    valid: Vec<Registry>,
    /// Warnings about what could not be read or was not trusted.
    pub warnings: Vec<String>,
}

/// The registries that have been served before, and those of `named`, where credentials are configured for them. Uses
/// neither the network nor a child process.
pub fn listed_registries(call: &RequestContext, named: impl IntoIterator<Item = String>) -> Listed {
    let cache = Cache::open(&call.environment);
    let now = clock::millis();
    let cached = cache.as_ref().map(|cache| [cache.registries(), cache.served()].concat()).unwrap_or_default();
    // An alias is named as the client calls it, and what is cached by the name of the registry.
    let mut targets: BTreeMap<String, ResolvedRegistry> = BTreeMap::new();
    for (name, may_be_alias) in cached.into_iter().map(|name| (name, false)).chain(named.into_iter().map(|n| (n, true)))
    {
        let (Some(host), Some(target)) = (host_of(&name), call.settings.target(&name)) else { continue };
        if !target.credentials.anonymous && (may_be_alias || target.registry.host() == host) {
            targets.insert(host, target);
        }
    }
    // Registries with the same credentials, service and API host have the same identity.
    let mut asked: Vec<&ResolvedRegistry> = Vec::new();
    let places: Vec<usize> = targets
        .values()
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
    let mut listed = Listed::default();
    for ((host, target), place) in targets.iter().zip(places) {
        let Some(Ok(who)) = identities.get(place) else { continue };
        listed.hosts.push(host.clone());
        let times = cache.as_ref().zip(who.cache_key(now.div_euclid(1_000))).filter(|_| target.credentials.cache);
        let times = times.and_then(|(cache, key)| cache.times(key, target.registry.host()));
        if times.is_some_and(|times| times.is_valid(now)) {
            listed.valid.push(target.registry.clone());
        }
    }
    // Where no identity can be resolved, a `get` says why; having no credentials at all is not worth a warning here.
    listed.warnings = cache.map(|cache| [cache.warnings(), cache.unread()].concat()).unwrap_or_default();
    for error in identities.into_iter().filter_map(Result::err) {
        let failure = UserError::from(error);
        let line = failure.to_string();
        if failure.kind != Kind::NoCredentials && !listed.warnings.contains(&line) {
            listed.warnings.push(line);
        }
    }
    listed
}

/// The caller's own registry in the configured region, and ECR Public, where nothing of them is cached: asks ECR for a
/// token, which is stored, so that the `get` that follows is served. What cannot be had is left out.
pub fn add_own_registries(call: &RequestContext, listed: &mut Listed) {
    let Some(cache) = Cache::open(&call.environment) else { return };
    let region = configured_region(&call.environment);
    let is_cached = |region: &str| {
        let mut of_region = listed.valid.iter().filter(|registry| registry.region() == region);
        of_region.any(|registry| registry.service() == Service::Private)
    };
    let own = region.filter(|region| !is_cached(region)).and_then(|region| own_private(call, &cache, &region));
    let has_public = listed.valid.iter().any(|registry| registry.service() == Service::Public);
    let public = (!has_public).then(|| public(call, &cache)).flatten();
    listed.hosts.extend(own.into_iter().chain(public));
    listed.hosts.sort_unstable();
    listed.hosts.dedup();
}

/// The account is not known before ECR names it. The credentials must be those that a `get` for the registry would use,
/// so they may not depend on the account.
fn own_private(call: &RequestContext, cache: &Cache, region: &str) -> Option<String> {
    let [any, other] = ["000000000000", "111111111111"].map(|account| Registry::of(account, region));
    let (any, other) = (call.settings.target(any?.host())?, call.settings.target(other?.host())?);
    if any.credentials != other.credentials || any.credentials.anonymous || !any.credentials.cache {
        return None;
    }
    let who =
        Identity::resolve(&call.environment, CredentialSelector::Settings(&any.credentials), &any.registry).ok()?;
    let key = *who.cache_key(clock::seconds())?;
    let slot = cache.slot(key, any.registry.host());
    if has_just_failed(&slot) {
        return None;
    }
    slot.store(|| {
        let fetched = aws::fetch(
            &call.environment,
            &who,
            &any.registry,
            call.deadline,
            RetryPolicy::Interactive,
            call.shared_credentials.as_ref(),
        );
        let token =
            fetched.map_err(|failure| CachedFailure { failed_at: clock::millis(), short_deadline: false, failure })?;
        let own = token.own_registry.as_deref().and_then(|host| call.settings.target(host));
        let Some(own) = own.filter(|own| own.credentials == any.credentials && own.registry.region() == region) else {
            return Ok((None, None));
        };
        let host = own.registry.host().to_owned();
        let times = token
            .expires_at
            .and_then(|end| TokenLifetime::of_new(clock::millis(), end, super::jitter(&[&key.0, host.as_bytes()])));
        let entry = times.map(|times| Entry {
            registry: host.clone(),
            cache_key: key,
            label: who.label.clone(),
            times,
            username: token.username,
            password: token.password,
        });
        Ok((Some(host), entry))
    })
    .ok()?
}

fn public(call: &RequestContext, cache: &Cache) -> Option<String> {
    let target = call.settings.target(PUBLIC_HOST).filter(|target| !target.credentials.anonymous)?;
    let who = Identity::resolve(&call.environment, CredentialSelector::Settings(&target.credentials), &target.registry)
        .ok()?;
    if has_just_failed(&cache.slot(*who.cache_key(clock::seconds())?, PUBLIC_HOST)) {
        return None;
    }
    let request = super::TokenRequest {
        target: &target,
        service_account: None,
        mode: super::FetchMode::UseCache,
        retry: RetryPolicy::Interactive,
    };
    super::token(call, &request).ok().map(|_| PUBLIC_HOST.to_owned())
}

fn has_just_failed(slot: &CacheSlot<'_>) -> bool {
    slot.failure().is_some_and(|failed| (0..LIST_PAUSE_MILLIS).contains(&(clock::millis() - failed.failed_at)))
}

fn is_same_question(one: &ResolvedRegistry, other: &ResolvedRegistry) -> bool {
    one.registry.shares_api_with(&other.registry) && one.credentials == other.credentials
}
