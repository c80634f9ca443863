//! From a question to an answer: the cache's where it is good, else one fetch for all who would ask the same.

use std::time::{Duration, Instant};

use super::backend::TokenBackend;
use super::freshness::{Freshness, failure_is_current};
use super::{FetchMode, RegistryCredentials};
use crate::aws::AuthorizationToken;
use crate::cache::{Cache, CachedFailure, Entry, FetchLock, TryLock};
use crate::cache::{Millis, TokenLifetime};
use crate::credentials::CacheKey;
use crate::os::deadline::Deadline;
use crate::text::user_error::{Kind, UserError};

/// How often, at most, the question starts over because the source of credentials changed meanwhile.
const CHANGES: usize = 3;

/// A mark of a detached refresh outlives the deadline by this, for a process that starts slowly.
const SLOW_START: Duration = Duration::from_secs(5);

/// One question on its way.
pub struct TokenManager<'a, W> {
    /// Clock, identity, ECR.
    pub backend: W,
    /// The cache, if there is one to use.
    pub cache: Option<&'a Cache>,
    /// The registry.
    pub host: &'a str,
    /// When the call must have answered.
    pub deadline: Deadline,
    /// Whether a process of its own may refresh.
    pub background: bool,
    /// For how long, where none may, a caller tries it itself before it takes the old token.
    pub foreground_timeout: Duration,
}

/// Who asks, and what of the cache is theirs.
struct FetchContext<'a, Who> {
    who: &'a Who,
    cache_key: CacheKey,
    cache: &'a Cache,
    wish: FetchMode,
}

/// Where a step led.
enum Step<Who> {
    Done(RegistryCredentials),
    /// Environment or files name somebody else by now: once more, as them.
    Changed(Who),
}

impl<W: TokenBackend> TokenManager<'_, W> {
    /// Answers the question.
    ///
    /// # Errors
    /// The one failure that the user is told of.
    pub fn answer(&self, wish: FetchMode) -> Result<RegistryCredentials, UserError> {
        let mut who = self.backend.find()?;
        for _ in 0..CHANGES {
            let (Some(cache), Some(cache_key)) = (self.cache, self.backend.cache_key(&who)) else { break };
            let context = FetchContext { who: &who, cache_key, cache, wish };
            let step = match wish {
                FetchMode::UseCache | FetchMode::Prefetch => self.cached(&context),
                FetchMode::ForceRefresh => self.force_refresh(&context).map(Step::Done),
                FetchMode::BackgroundRefresh => self.refreshed(&context).map(Step::Done),
            };
            match step? {
                Step::Done(answer) => return Ok(answer),
                Step::Changed(now) => who = now,
            }
        }
        self.backend.fetch(&who, self.with_grace(&who, self.deadline)).map(uncached)
    }

    fn cached(&self, context: &FetchContext<'_, W::Who>) -> Result<Step<W::Who>, UserError> {
        let own = context.cache.read(&context.cache_key, self.host);
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
            // Whatever that takes.
            _ if context.wish == FetchMode::Prefetch => self.fetch_single_flight(context, own, self.deadline),
            Freshness::Stale | Freshness::Expiring(_) => self.serve_stale(context, own, now),
        }
    }

    /// The own entry is good, and not for much longer.
    fn serve_stale(
        &self,
        context: &FetchContext<'_, W::Who>,
        own: Option<Entry>,
        now: Millis,
    ) -> Result<Step<W::Who>, UserError> {
        let Some(own) = own else { return self.fetch_single_flight(context, None, self.deadline) };
        let note = context.cache.note(&context.cache_key).filter(|note| own.times.pauses_refresh(now, note.failed_at));
        let entry = match note {
            Some(note) => match self.old(own, &note.failure) {
                Ok(answer) => return Ok(Step::Done(answer)),
                // It has ended since it was read.
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
            Freshness::Stale if self.background => self.start_refresh(context),
            Freshness::Stale => return self.in_the_foreground(context, entry),
        }
        Ok(Step::Done(answer(Some(entry), Vec::new())?))
    }

    /// One asks, the others wait for what it brings. `old` is what there is, for want of a better: a token in its
    /// last stretch, and for a `warm` one in its second half.
    fn fetch_single_flight(
        &self,
        context: &FetchContext<'_, W::Who>,
        mut old: Option<Entry>,
        mut deadline: Deadline,
    ) -> Result<Step<W::Who>, UserError> {
        let half = |deadline| Instant::now() + self.with_grace(context.who, deadline).left() / 2;
        let mut patience = half(deadline);
        let slot = context.cache.slot(&context.cache_key);
        let mut waited = false;
        let mut brought = false;
        loop {
            // Who was waited for has brought something, as a rule. A lock taken by each who waited to look for it
            // would make the others wait once more.
            let claim = (!brought).then(|| slot.claim());
            if let Some(found) = self.found(context, old.as_ref(), waited) {
                if waited && let Some(step) = self.changed(context)? {
                    return Ok(step);
                }
                match found.times.freshness(self.backend.now()) {
                    Freshness::Fresh => return Ok(Step::Done(answer(Some(found), Vec::new())?)),
                    Freshness::Stale if context.wish != FetchMode::Prefetch => {
                        drop(claim);
                        if self.background {
                            self.start_refresh(context);
                        }
                        return Ok(Step::Done(answer(Some(found), Vec::new())?));
                    }
                    Freshness::Stale | Freshness::Expiring(_) => old = Some(found),
                    Freshness::Invalid => {}
                }
            }
            let note = context.cache.note(&context.cache_key);
            let answers =
                |note: &CachedFailure| !note.short_deadline && failure_is_current(self.backend.now(), note.failed_at);
            if let Some(note) = note.filter(answers) {
                return self.or_old(context, old, note.failure).map(Step::Done);
            }
            let asks = match claim {
                None => {
                    brought = false;
                    continue;
                }
                Some(TryLock::Held(_) | TryLock::Unsupported) => true,
                Some(TryLock::Busy) => {
                    brought = slot.wait(patience);
                    // The one that asks hangs, or was stopped: then without it.
                    !brought
                }
            };
            if asks {
                match self.fetched(context, deadline).or_else(|failure| self.or_old(context, old.take(), failure)) {
                    Err(_) if self.is_hasty(deadline) => {
                        // The old one has ended meanwhile, and with it the reason to be quick.
                        deadline = self.deadline;
                        patience = half(deadline);
                    }
                    done => return done.map(Step::Done),
                }
            }
            waited = true;
        }
    }

    /// The second half where no process may be started: one waits for the fresh token, though not for long, and the
    /// others are served.
    fn in_the_foreground(&self, context: &FetchContext<'_, W::Who>, entry: Entry) -> Result<Step<W::Who>, UserError> {
        let slot = context.cache.slot(&context.cache_key);
        let claim = slot.claim();
        if matches!(claim, TryLock::Busy) {
            return answer(Some(entry), Vec::new()).map(Step::Done);
        }
        if let Some(better) = self.newest(context, Some(&entry), false) {
            return answer(Some(better), Vec::new()).map(Step::Done);
        }
        let left = entry.times.expires_at.saturating_mul(1_000).saturating_sub(self.backend.now());
        let half = Duration::from_millis(u64::try_from(left / 2).unwrap_or(0));
        let deadline = self.deadline.at_most(half.min(self.foreground_timeout));
        match self.fetched(context, deadline).or_else(|failure| self.old(entry, &failure)) {
            Ok(answer) => Ok(Step::Done(answer)),
            Err(_) => {
                drop(claim);
                self.fetch_single_flight(context, None, self.deadline)
            }
        }
    }

    /// With the time for a touch, where the call has all of its own: an old token does not wait for one.
    fn with_grace(&self, who: &W::Who, deadline: Deadline) -> Deadline {
        if self.is_hasty(deadline) { deadline } else { deadline.extended(self.backend.grace(who)) }
    }

    /// Less time than the call has, for the sake of an old token.
    fn is_hasty(&self, deadline: Deadline) -> bool {
        deadline.limit() < self.deadline.limit()
    }

    /// This process is the detached one.
    fn refreshed(&self, context: &FetchContext<'_, W::Who>) -> Result<RegistryCredentials, UserError> {
        let slot = context.cache.slot(&context.cache_key);
        let done = self.refreshed_in(context, &slot);
        context.cache.end_refresh(&context.cache_key);
        done
    }

    fn refreshed_in(
        &self,
        context: &FetchContext<'_, W::Who>,
        slot: &FetchLock,
    ) -> Result<RegistryCredentials, UserError> {
        let claim = slot.claim();
        let now = self.backend.now();
        let own = self.found(context, None, false);
        let fresh = own.as_ref().is_some_and(|own| own.times.freshness(now) == Freshness::Fresh);
        if fresh || matches!(claim, TryLock::Busy) {
            return answer(own, Vec::new());
        }
        if let (Some(own), Some(note)) = (&own, context.cache.note(&context.cache_key))
            && own.times.pauses_refresh(now, note.failed_at)
        {
            return Err(note.failure);
        }
        self.fetched(context, self.deadline)
    }

    /// A new token in the place of the cache's. Who waits for the same takes it too. Whoever asks for it has something
    /// against the old one: it goes, and with it its copies for other registries, also where the new one cannot be kept.
    fn force_refresh(&self, context: &FetchContext<'_, W::Who>) -> Result<RegistryCredentials, UserError> {
        let slot = context.cache.slot(&context.cache_key);
        let _claim = slot.claim();
        let mut answer = self.fetched(context, self.deadline)?;
        let kept = context.cache.read(&context.cache_key, self.host);
        let but = kept.is_some_and(|kept| kept.password == answer.password).then_some(self.host);
        if let Err(error) = context.cache.forget_all_of(&context.cache_key, but) {
            answer.warnings.push(format!("{}: the next call may be served the old token: {error}", self.host));
        }
        Ok(answer)
    }

    /// The newest token that the cache has for the context and that is better than `old`. `waited` says that
    /// somebody has been waited for, who has written if there is one.
    fn found(&self, context: &FetchContext<'_, W::Who>, old: Option<&Entry>, waited: bool) -> Option<Entry> {
        let own = context.cache.read(&context.cache_key, self.host);
        let own = own.filter(|own| own.times.freshness(self.backend.now()) == Freshness::Fresh);
        let own = own.filter(|own| old.is_none_or(|old| own.times.expires_at > old.times.expires_at));
        own.or_else(|| self.newest(context, old, waited))
    }

    /// The token that ends last, if that is after `old`: for whoever has just read the registry's own entry.
    fn newest(&self, context: &FetchContext<'_, W::Who>, old: Option<&Entry>, waited: bool) -> Option<Entry> {
        let after = old.map(|old| old.times.expires_at);
        context.cache.copy_newest_sibling(&context.cache_key, self.host, self.backend.now(), after, waited)
    }

    /// Asks ECR and keeps what comes: for whom it was asked, if they still are who they were.
    fn fetched(
        &self,
        context: &FetchContext<'_, W::Who>,
        deadline: Deadline,
    ) -> Result<RegistryCredentials, UserError> {
        let before = context.cache.invalidation_epoch();
        let token = match self.backend.fetch(context.who, self.with_grace(context.who, deadline)) {
            Ok(token) => token,
            Err(failure) => {
                // What more time might have brought says nothing to those who have it.
                let short_deadline = self.is_hasty(deadline);
                let note = CachedFailure { failed_at: self.backend.now(), short_deadline, failure: failure.clone() };
                context.cache.write_note(&context.cache_key, &note);
                return Err(failure);
            }
        };
        context.cache.remove_note(&context.cache_key);
        let jitter = self.backend.jitter(&context.cache_key);
        let times = token.expires_at.and_then(|end| TokenLifetime::of_new(self.backend.now(), end, jitter));
        if let Some(times) = times
            && self.is_still(context)
        {
            let entry = Entry {
                registry: self.host.to_owned(),
                cache_key: context.cache_key,
                label: self.backend.label(context.who),
                times,
                username: token.username.clone(),
                password: token.password.clone(),
            };
            context.cache.write(&entry, before);
        }
        Ok(uncached(token))
    }

    fn is_still(&self, context: &FetchContext<'_, W::Who>) -> bool {
        let now = self.backend.find().ok();
        now.and_then(|now| self.backend.cache_key(&now)).is_some_and(|now| now == context.cache_key)
    }

    fn changed(&self, context: &FetchContext<'_, W::Who>) -> Result<Option<Step<W::Who>>, UserError> {
        let now = self.backend.find()?;
        let same = self.backend.cache_key(&now).is_some_and(|now| now == context.cache_key);
        Ok((!same).then_some(Step::Changed(now)))
    }

    /// Starts the detached process, unless one is on its way or somebody is asking already.
    fn start_refresh(&self, context: &FetchContext<'_, W::Who>) {
        let recent = self.deadline.limit() + SLOW_START;
        if context.cache.slot(&context.cache_key).is_busy() || !context.cache.begin_refresh(&context.cache_key, recent)
        {
            return;
        }
        if !self.backend.start_refresh() {
            context.cache.end_refresh(&context.cache_key);
        }
    }

    fn or_old(
        &self,
        context: &FetchContext<'_, W::Who>,
        old: Option<Entry>,
        failure: UserError,
    ) -> Result<RegistryCredentials, UserError> {
        match old {
            Some(old) if context.wish != FetchMode::Prefetch => self.old(old, &failure),
            _ => Err(failure),
        }
    }

    /// What was there, though no better one could be had; worth a line only where it ends soon.
    fn old(&self, old: Entry, failure: &UserError) -> Result<RegistryCredentials, UserError> {
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

/// What the cache had.
fn answer(entry: Option<Entry>, warnings: Vec<String>) -> Result<RegistryCredentials, UserError> {
    let Some(Entry { username, password, times, .. }) = entry else {
        return Err(UserError::new(Kind::Other, "the cache has no token"));
    };
    Ok(RegistryCredentials { username, password, expires_at: Some(times.expires_at), warnings })
}

/// What ECR said, whatever our clock makes of it.
fn uncached(token: AuthorizationToken) -> RegistryCredentials {
    let AuthorizationToken { username, password, expires_at, warnings } = token;
    RegistryCredentials { username, password, expires_at, warnings }
}

#[cfg(test)]
mod tests;
