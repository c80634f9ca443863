//! The way of a request for a token, top to bottom: the cached token where it is valid, else one fetch for every process that
//! would send the same request.

use std::time::{Duration, Instant};

use super::backend::TokenBackend;
use super::freshness::{Freshness, failure_is_current};
use super::{FetchMode, RegistryCredentials};
use crate::aws::AuthorizationToken;
use crate::cache::{Cache, CacheSlot, CachedFailure, Entry, FetchLock, Millis, TokenLifetime, TryLock};
use crate::os::deadline::Deadline;
use crate::text::user_error::{Kind, UserError};

/// How often, at most, a request starts over because the credential source changed meanwhile.
const MAX_IDENTITY_CHANGES: usize = 3;

/// The mark of a background refresh outlives the deadline by this, for a process that starts slowly.
const PROCESS_START: Duration = Duration::from_secs(5);

/// One request on its way.
pub(super) struct TokenManager<'a, W> {
    /// Clock, identity, ECR.
    pub(super) backend: W,
    /// The cache, if there is one to use.
    pub(super) cache: Option<&'a Cache>,
    /// The registry.
    pub(super) host: &'a str,
    /// When the call must have answered.
    pub(super) deadline: Deadline,
    /// Whether a background process may refresh the token.
    pub(super) background: bool,
    /// How long, where none may, a caller refreshes it itself before it takes the stale token.
    pub(super) foreground_timeout: Duration,
}

/// The identity that asks, and its slot of the cache.
struct FetchContext<'a, Identity> {
    who: &'a Identity,
    slot: CacheSlot<'a>,
    mode: FetchMode,
}

/// Where a step led.
enum Step<Identity> {
    Done(RegistryCredentials),
    /// Environment or files name another identity by now: once more, as that one.
    Changed(Identity),
}

impl<W: TokenBackend> TokenManager<'_, W> {
    /// Gets a token for the registry.
    ///
    /// # Errors
    /// The failure that is reported to the user.
    pub(super) fn get(&self, mode: FetchMode) -> Result<RegistryCredentials, UserError> {
        let mut who = self.backend.resolve()?;
        for _ in 0..MAX_IDENTITY_CHANGES {
            let (Some(cache), Some(cache_key)) = (self.cache, self.backend.cache_key(&who)) else { break };
            let context = FetchContext { who: &who, slot: cache.slot(cache_key, self.host), mode };
            let step = match mode {
                FetchMode::UseCache | FetchMode::Prefetch => self.serve_cached(&context),
                FetchMode::ForceRefresh => self.force_refresh(&context).map(Step::Done),
                FetchMode::BackgroundRefresh => self.refresh_in_background(&context).map(Step::Done),
            };
            match step? {
                Step::Done(answer) => return Ok(answer),
                Step::Changed(now) => who = now,
            }
        }
        self.backend.fetch(&who, self.with_grace(&who, self.deadline)).map(uncached)
    }

    fn serve_cached(&self, context: &FetchContext<'_, W::Identity>) -> Result<Step<W::Identity>, UserError> {
        let own = context.slot.lookup();
        let now = self.backend.now();
        let verdict = own.as_ref().map_or(Freshness::Invalid, |own| own.times.freshness(now));
        tracing::info!(
            registry = self.host,
            identity = own.as_ref().map_or("", |own| own.label.as_str()),
            seconds_left = own.as_ref().map_or(0, |own| own.times.expires_at.saturating_sub(now / 1000)),
            outcome = ?verdict,
            "looked into the cache"
        );
        match verdict {
            Freshness::Fresh => Ok(Step::Done(answer(own, Vec::new())?)),
            Freshness::Invalid => self.fetch_single_flight(context, None, self.deadline),
            // `warm` wants a token of the first half of its life, so it waits for a new one.
            _ if context.mode == FetchMode::Prefetch => self.fetch_single_flight(context, own, self.deadline),
            Freshness::Stale | Freshness::Expiring(_) => self.serve_stale(context, own, now),
        }
    }

    /// The registry's own token is valid, but stale or expiring: serves it, a newer one, or waits for a fresh one.
    fn serve_stale(
        &self,
        context: &FetchContext<'_, W::Identity>,
        own: Option<Entry>,
        now: Millis,
    ) -> Result<Step<W::Identity>, UserError> {
        let Some(own) = own else { return self.fetch_single_flight(context, None, self.deadline) };
        let failed = context.slot.failure().filter(|failed| own.times.pauses_refresh(now, failed.failed_at));
        let entry = match failed {
            Some(failed) => match self.stale_fallback(own, &failed.failure) {
                Ok(answer) => return Ok(Step::Done(answer)),
                // The token has expired since it was read.
                Err(_) => return self.fetch_single_flight(context, None, self.deadline),
            },
            None => self.newest(context, Some(&own), false).unwrap_or(own),
        };
        match entry.times.freshness(now) {
            Freshness::Fresh | Freshness::Invalid => {}
            Freshness::Expiring(wait) => {
                let deadline = self.deadline.at_most(wait);
                return self.fetch_single_flight(context, Some(entry), deadline);
            }
            Freshness::Stale if self.backend.needs_person(context.who) => {}
            Freshness::Stale if self.background => self.start_refresh(context),
            Freshness::Stale => return self.refresh_in_foreground(context, entry),
        }
        Ok(Step::Done(answer(Some(entry), Vec::new())?))
    }

    /// One process asks ECR, the others wait for the token that it stores. `old` is the token that is served if the
    /// fetch fails: one that expires soon, or for `warm` a stale one.
    fn fetch_single_flight(
        &self,
        context: &FetchContext<'_, W::Identity>,
        mut old: Option<Entry>,
        mut deadline: Deadline,
    ) -> Result<Step<W::Identity>, UserError> {
        let half = |deadline| Instant::now() + self.with_grace(context.who, deadline).left() / 2;
        let mut lock_timeout = half(deadline);
        let lock = context.slot.lock();
        let mut waited = false;
        let mut brought = false;
        loop {
            // The holder of the lock has stored a token, as a rule. If each waiter took the lock to look for it, the
            // others would wait once more.
            let claim = (!brought).then(|| lock.claim());
            if let Some(found) = self.best_cached(context, old.as_ref(), waited) {
                if waited && let Some(step) = self.changed(context)? {
                    return Ok(step);
                }
                match found.times.freshness(self.backend.now()) {
                    Freshness::Fresh => return Ok(Step::Done(answer(Some(found), Vec::new())?)),
                    Freshness::Stale if context.mode != FetchMode::Prefetch => {
                        drop(claim);
                        if self.background && !self.backend.needs_person(context.who) {
                            self.start_refresh(context);
                        }
                        return Ok(Step::Done(answer(Some(found), Vec::new())?));
                    }
                    Freshness::Stale | Freshness::Expiring(_) => old = Some(found),
                    Freshness::Invalid => {}
                }
            }
            let limit = deadline.limit_millis();
            let is_current = |it: &CachedFailure| failure_is_current(self.backend.now(), it.failed_at, it.limit, limit);
            if let Some(failed) = context.slot.failure().filter(is_current) {
                return self.or_stale(context, old, failed.failure).map(Step::Done);
            }
            let asks = match claim {
                None => {
                    brought = false;
                    continue;
                }
                Some(TryLock::Held(_) | TryLock::Unsupported) => true,
                Some(TryLock::Busy) => {
                    brought = lock.wait(lock_timeout);
                    // The holder hangs or was stopped: this process asks without the lock.
                    !brought
                }
            };
            if asks {
                match self
                    .fetch_and_store(context, deadline)
                    .or_else(|failure| self.or_stale(context, old.take(), failure))
                {
                    Err(_) if self.is_short(deadline) => {
                        // The old token has expired meanwhile, and with it the reason for a short deadline.
                        deadline = self.deadline;
                        lock_timeout = half(deadline);
                    }
                    done => return done.map(Step::Done),
                }
            }
            waited = true;
        }
    }

    /// A stale token where no background process may be started: one caller waits for a fresh one, for a short time,
    /// and the others are served the stale one.
    fn refresh_in_foreground(
        &self,
        context: &FetchContext<'_, W::Identity>,
        entry: Entry,
    ) -> Result<Step<W::Identity>, UserError> {
        let lock = context.slot.lock();
        let claim = lock.claim();
        if matches!(claim, TryLock::Busy) {
            return answer(Some(entry), Vec::new()).map(Step::Done);
        }
        if let Some(better) = self.newest(context, Some(&entry), false) {
            return answer(Some(better), Vec::new()).map(Step::Done);
        }
        let left = entry.times.expires_at.saturating_mul(1_000).saturating_sub(self.backend.now());
        let half = Duration::from_millis(u64::try_from(left / 2).unwrap_or(0));
        let deadline = self.deadline.at_most(half.min(self.foreground_timeout));
        match self.fetch_and_store(context, deadline).or_else(|failure| self.stale_fallback(entry, &failure)) {
            Ok(answer) => Ok(Step::Done(answer)),
            Err(_) => {
                drop(claim);
                self.fetch_single_flight(context, None, self.deadline)
            }
        }
    }

    /// Extends a full deadline by the time that a person needs to touch a security key; a short one is not extended,
    /// since there is a valid token to serve.
    fn with_grace(&self, who: &W::Identity, deadline: Deadline) -> Deadline {
        if self.is_short(deadline) { deadline } else { deadline.extended(self.backend.grace(who)) }
    }

    /// Whether the deadline is shorter than the call's own, because there is a valid token to serve.
    fn is_short(&self, deadline: Deadline) -> bool {
        deadline.limit() < self.deadline.limit()
    }

    /// What the background process does.
    fn refresh_in_background(&self, context: &FetchContext<'_, W::Identity>) -> Result<RegistryCredentials, UserError> {
        let lock = context.slot.lock();
        let done = self.refresh_locked(context, &lock);
        context.slot.end_refresh();
        done
    }

    fn refresh_locked(
        &self,
        context: &FetchContext<'_, W::Identity>,
        lock: &FetchLock,
    ) -> Result<RegistryCredentials, UserError> {
        let claim = lock.claim();
        let now = self.backend.now();
        let own = self.best_cached(context, None, false);
        let fresh = own.as_ref().is_some_and(|own| own.times.freshness(now) == Freshness::Fresh);
        if fresh || matches!(claim, TryLock::Busy) {
            return answer(own, Vec::new());
        }
        if let (Some(own), Some(failed)) = (&own, context.slot.failure())
            && own.times.pauses_refresh(now, failed.failed_at)
        {
            return Err(failed.failure);
        }
        self.fetch_and_store(context, self.deadline)
    }

    /// Replaces the cached token. Waiters take the new one too. The old one and its copies for other registries are
    /// removed, also where the new one cannot be stored: the caller does not want it served again.
    fn force_refresh(&self, context: &FetchContext<'_, W::Identity>) -> Result<RegistryCredentials, UserError> {
        let lock = context.slot.lock();
        let _claim = lock.claim();
        let mut answer = self.fetch_and_store(context, self.deadline)?;
        if let Err(error) = context.slot.invalidate_all_but(&answer.password) {
            answer.warnings.push(format!("{}: the next call may be served the old token: {error}", self.host));
        }
        Ok(answer)
    }

    /// The cached token that expires last, if that is after `old`. `waited` says that another process was waited for,
    /// which has stored a token if it got one.
    fn best_cached(&self, context: &FetchContext<'_, W::Identity>, old: Option<&Entry>, waited: bool) -> Option<Entry> {
        let own = context.slot.lookup();
        let own = own.filter(|own| own.times.freshness(self.backend.now()) == Freshness::Fresh);
        let own = own.filter(|own| old.is_none_or(|old| own.times.expires_at > old.times.expires_at));
        own.or_else(|| self.newest(context, old, waited))
    }

    /// As [`Self::best_cached`], for a caller that has just read the registry's own entry.
    fn newest(&self, context: &FetchContext<'_, W::Identity>, old: Option<&Entry>, waited: bool) -> Option<Entry> {
        context.slot.newest(self.backend.now(), old.map(|old| &old.times), waited)
    }

    /// Fetches a token from ECR and stores the outcome: under the cache key of the identity that asked, if the
    /// environment and the files still name that identity.
    fn fetch_and_store(
        &self,
        context: &FetchContext<'_, W::Identity>,
        deadline: Deadline,
    ) -> Result<RegistryCredentials, UserError> {
        let fetched = context.slot.store(|| {
            let token = self.backend.fetch(context.who, self.with_grace(context.who, deadline)).map_err(|failure| {
                CachedFailure { failed_at: self.backend.now(), limit: deadline.limit_millis(), failure }
            })?;
            let jitter = self.backend.jitter(context.slot.cache_key());
            let times = token.expires_at.and_then(|end| TokenLifetime::of_new(self.backend.now(), end, jitter));
            let entry = times.filter(|_| self.is_unchanged(context)).map(|times| Entry {
                registry: self.host.to_owned(),
                cache_key: *context.slot.cache_key(),
                label: self.backend.label(context.who),
                times,
                username: token.username.clone(),
                password: token.password.clone(),
            });
            Ok((token, entry))
        });
        fetched.map(uncached)
    }

    fn is_unchanged(&self, context: &FetchContext<'_, W::Identity>) -> bool {
        let now = self.backend.resolve().ok();
        now.and_then(|now| self.backend.cache_key(&now)).is_some_and(|now| now == *context.slot.cache_key())
    }

    fn changed(&self, context: &FetchContext<'_, W::Identity>) -> Result<Option<Step<W::Identity>>, UserError> {
        let now = self.backend.resolve()?;
        let same = self.backend.cache_key(&now).is_some_and(|now| now == *context.slot.cache_key());
        Ok((!same).then_some(Step::Changed(now)))
    }

    /// Starts the background refresh, unless one was started or another process is asking ECR already.
    fn start_refresh(&self, context: &FetchContext<'_, W::Identity>) {
        let recent = self.deadline.limit() + PROCESS_START;
        if context.slot.lock().is_busy() || !context.slot.begin_refresh(recent) {
            return;
        }
        if !self.backend.start_refresh() {
            context.slot.end_refresh();
        }
    }

    fn or_stale(
        &self,
        context: &FetchContext<'_, W::Identity>,
        old: Option<Entry>,
        failure: UserError,
    ) -> Result<RegistryCredentials, UserError> {
        match old {
            Some(old) if context.mode != FetchMode::Prefetch => self.stale_fallback(old, &failure),
            _ => Err(failure),
        }
    }

    /// The valid token that is there, because no newer one could be fetched; with a warning if it expires soon.
    fn stale_fallback(&self, old: Entry, failure: &UserError) -> Result<RegistryCredentials, UserError> {
        let now = self.backend.now();
        let warnings = match old.times.freshness(now) {
            Freshness::Invalid => return Err(failure.clone()),
            Freshness::Expiring(_) => {
                let left = old.times.expires_at.saturating_sub(now.div_euclid(1_000));
                let left = if left < 120 { format!("{left} s") } else { format!("{} minutes", left / 60) };
                vec![format!("{}: the token ends in {left} and cannot be refreshed: {failure}", self.host)]
            }
            Freshness::Fresh | Freshness::Stale => Vec::new(),
        };
        answer(Some(old), warnings)
    }
}

/// The answer from a cached entry.
fn answer(entry: Option<Entry>, warnings: Vec<String>) -> Result<RegistryCredentials, UserError> {
    let Some(Entry { username, password, times, .. }) = entry else {
        return Err(UserError::new(Kind::Other, "the cache has no token"));
    };
    Ok(RegistryCredentials { username, password, expires_at: Some(times.expires_at), warnings })
}

/// The answer from ECR, even if its expiry makes no sense by this machine's clock.
fn uncached(token: AuthorizationToken) -> RegistryCredentials {
    let AuthorizationToken { username, password, expires_at, warnings, .. } = token;
    RegistryCredentials { username, password, expires_at, warnings }
}

#[cfg(test)]
mod tests;
