//! The registries that `list` names.

use std::collections::BTreeMap;

use super::RequestContext;
use crate::aws;
use crate::aws::retry::RetryPolicy;
use crate::cache::{Cache, CacheSlot, CachedFailure, Entry, TokenLifetime};
use crate::credentials::{CacheKey, CredentialReader, CredentialSelector, Identity};
use crate::os::clock;
use crate::registry::{Registry, Service, host_of};
use crate::settings::ResolvedRegistry;
use crate::text::user_error::{Kind, UserError};

/// ECR Public's host.
const PUBLIC_HOST: &str = "public.ecr.aws";

/// For how long, in milliseconds, `list` does not ask again after a failure: a caller who may not use ECR Public would wait
/// for that at every `list`.
const LIST_PAUSE_MILLIS: i64 = 60_000;

/// The times of the token that a `get` for `target` would be served from the cache now, if there is one.
pub(crate) fn kept(call: &RequestContext, target: &ResolvedRegistry) -> Option<TokenLifetime> {
    let cache = Cache::open(&call.environment)?;
    let now = clock::millis();
    let who =
        Identity::resolve(&call.environment, CredentialSelector::Settings(&target.credentials), &target.registry).ok();
    let times = cache.times(who?.cache_key(now.div_euclid(1_000))?, target.registry.host())?;
    times.is_valid(now).then_some(times)
}

/// What [`listed_registries`] found.
#[derive(Debug, Default)]
pub(crate) struct Listed {
    /// The hosts in order.
    pub(crate) hosts: Vec<String>,
    /// Warnings about what could not be read or was not trusted.
    pub(crate) warnings: Vec<String>,
}

/// A registry for which credentials are configured.
struct Candidate {
    target: ResolvedRegistry,
    identity: Identity,
}

/// The registries that have been served before, and those of `named`, where credentials are configured for them. Beside
/// them the caller's own registry in the configured region, and ECR Public: where no token of these is cached ECR is asked
/// for one, which is stored, so that the `get` that follows is served. What cannot be had is left out. With everything
/// cached neither the network nor a child process is used.
pub(crate) fn listed_registries(call: &RequestContext, named: impl IntoIterator<Item = String>) -> Listed {
    let cache = Cache::open(&call.environment);
    let mut cached = cache.as_ref().map(|cache| [cache.registries(), cache.served()].concat()).unwrap_or_default();
    cached.sort_unstable();
    cached.dedup();
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
    let (identities, own, public) = CredentialReader::read(&call.environment, |reader| {
        let identity = |target: &ResolvedRegistry| {
            reader.identity(CredentialSelector::Settings(&target.credentials), &target.registry)
        };
        let candidate =
            |target: ResolvedRegistry| identity(&target).ok().map(|identity| Candidate { target, identity });
        let identities: Vec<_> = asked.iter().map(|target| identity(target)).collect();
        let own = reader.region().and_then(|region| any_of_region(call, &region)).and_then(candidate);
        let public = call.settings.target(PUBLIC_HOST).filter(|target| !target.credentials.anonymous);
        (identities, own, public.and_then(candidate))
    });
    let served = targets.iter().zip(&places).filter_map(|((host, target), place)| {
        identities.get(*place)?.as_ref().ok().map(|identity| (host, target, identity))
    });
    let mut listed = Listed { hosts: served.clone().map(|(host, ..)| host.clone()).collect(), warnings: Vec::new() };
    if let Some(cache) = &cache {
        let now = clock::millis();
        let is_cached = |service: Service, region: &str| {
            served.clone().any(|(_, target, identity)| {
                let registry = &target.registry;
                registry.service() == service
                    && registry.region() == region
                    && target.credentials.cache
                    && identity
                        .cache_key(now.div_euclid(1_000))
                        .and_then(|key| cache.times(key, registry.host()))
                        .is_some_and(|times| times.is_valid(now))
            })
        };
        let is_wanted = |candidate: &Candidate| {
            let registry = &candidate.target.registry;
            !is_cached(registry.service(), registry.region())
        };
        let own = own.filter(is_wanted).and_then(|own| own_registry(call, cache, &own));
        let public = public.filter(is_wanted).and_then(|public| own_public(call, cache, &public));
        listed.hosts.extend(own.into_iter().chain(public));
        listed.hosts.sort_unstable();
        listed.hosts.dedup();
        listed.warnings = [cache.warnings(), cache.unread()].concat();
    }
    // Where no identity can be resolved, a `get` says why; having no credentials at all is not worth a warning here.
    for error in identities.into_iter().filter_map(Result::err) {
        let failure = UserError::from(error);
        let line = failure.to_string();
        if failure.kind != Kind::NoCredentials && !listed.warnings.contains(&line) {
            listed.warnings.push(line);
        }
    }
    listed
}

/// A registry that stands for the caller's own one in `region`, whose account is not known before ECR names it; `None` where
/// the credentials that a `get` would use depend on the account.
fn any_of_region(call: &RequestContext, region: &str) -> Option<ResolvedRegistry> {
    let [any, other] = ["000000000000", "111111111111"]
        .map(|account| Registry::of(account, region).and_then(|registry| call.settings.target(registry.host())));
    let (any, other) = (any?, other?);
    let is_usable = any.credentials == other.credentials && !any.credentials.anonymous && any.credentials.cache;
    is_usable.then_some(any)
}

/// Asks ECR for a token of the caller's own registry, and which one that is.
fn own_registry(call: &RequestContext, cache: &Cache, any: &Candidate) -> Option<String> {
    let Candidate { target: any, identity } = any;
    let key = *identity.cache_key(clock::seconds())?;
    let slot = cache.slot(key, any.registry.host());
    if has_just_failed(&slot) {
        return None;
    }
    slot.store(|| {
        let fetched = aws::fetch(
            &call.environment,
            identity,
            &any.registry,
            call.deadline,
            RetryPolicy::Interactive,
            call.shared_credentials.as_ref(),
        );
        let token = fetched.map_err(|failure| CachedFailure {
            failed_at: clock::millis(),
            limit: call.deadline.limit_millis(),
            failure,
        })?;
        let own = token.own_registry.as_deref().and_then(|host| call.settings.target(host));
        let is_served = |own: &ResolvedRegistry| {
            own.credentials == any.credentials && own.registry.region() == any.registry.region()
        };
        let Some(own) = own.filter(is_served) else { return Ok((None, None)) };
        let host = own.registry.host().to_owned();
        let times = token
            .expires_at
            .and_then(|end| TokenLifetime::of_new(clock::millis(), end, super::jitter(&[&key.0, host.as_bytes()])));
        let entry = times.filter(|_| is_unchanged(call, any, &key)).map(|times| Entry {
            registry: host.clone(),
            cache_key: key,
            label: identity.label.clone(),
            times,
            username: token.username,
            password: token.password,
        });
        Ok((Some(host), entry))
    })
    .ok()?
}

/// Whether environment and files still name the identity that asked.
fn is_unchanged(call: &RequestContext, target: &ResolvedRegistry, key: &CacheKey) -> bool {
    let selector = CredentialSelector::Settings(&target.credentials);
    let now = Identity::resolve(&call.environment, selector, &target.registry).ok();
    now.is_some_and(|now| now.cache_key(clock::seconds()) == Some(key))
}

/// Asks ECR Public for a token.
fn own_public(call: &RequestContext, cache: &Cache, public: &Candidate) -> Option<String> {
    if has_just_failed(&cache.slot(*public.identity.cache_key(clock::seconds())?, PUBLIC_HOST)) {
        return None;
    }
    let request = super::TokenRequest {
        target: &public.target,
        service_account: None,
        mode: super::FetchMode::UseCache,
        retry: RetryPolicy::Interactive,
    };
    super::token(call, &request).ok().map(|_| PUBLIC_HOST.to_owned())
}

fn has_just_failed(slot: &CacheSlot<'_>) -> bool {
    slot.failure()
        .is_some_and(|failed| (0..LIST_PAUSE_MILLIS).contains(&clock::millis().saturating_sub(failed.failed_at)))
}

fn is_same_question(one: &ResolvedRegistry, other: &ResolvedRegistry) -> bool {
    one.registry.shares_api_with(&other.registry) && one.credentials == other.credentials
}
