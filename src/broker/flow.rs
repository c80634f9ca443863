//! From a question to an answer: the cache's where it is good, else one fetch for all who would ask the same.

use std::time::{Duration, Instant};

use super::policy::{Millis, Times, Verdict, failure_answers};
use super::world::World;
use super::{Answer, Wish};
use crate::cache::{Cache, Claim, Entry, Note, Slot};
use crate::deadline::Deadline;
use crate::ecr::Token;
use crate::failure::{Failure, Kind};
use crate::identity::Fingerprint;

/// How often, at most, the question starts over because the source of credentials changed meanwhile.
const CHANGES: usize = 3;

/// A mark of a detached refresh outlives the deadline by this, for a process that starts slowly.
const SLOW_START: Duration = Duration::from_secs(5);

/// One question on its way.
pub struct Flow<'a, W> {
    /// Clock, identity, ECR.
    pub world: W,
    /// The cache, if there is one to use.
    pub cache: Option<&'a Cache>,
    /// The registry.
    pub host: &'a str,
    /// When the call must have answered.
    pub deadline: Deadline,
    /// Whether a process of its own may refresh.
    pub background: bool,
    /// For how long, where none may, a caller tries it itself before it takes the old token.
    pub foreground: Duration,
}

/// Who asks, and what of the cache is theirs.
struct Asker<'a, Who> {
    who: &'a Who,
    fingerprint: Fingerprint,
    cache: &'a Cache,
    wish: Wish,
}

/// Where a step led.
enum Step<Who> {
    Done(Answer),
    /// Environment or files name somebody else by now: once more, as them.
    Changed(Who),
}

impl<W: World> Flow<'_, W> {
    /// Answers the question.
    ///
    /// # Errors
    /// The one failure that the user is told of.
    pub fn answer(&self, wish: Wish) -> Result<Answer, Failure> {
        let mut who = self.world.find()?;
        for _ in 0..CHANGES {
            let (Some(cache), Some(fingerprint)) = (self.cache, self.world.fingerprint(&who)) else { break };
            let asker = Asker { who: &who, fingerprint, cache, wish };
            let step = match wish {
                Wish::Cached | Wish::Warm => self.cached(&asker),
                Wish::Fresh => self.replaced(&asker).map(Step::Done),
                Wish::Refresh => self.refreshed(&asker).map(Step::Done),
            };
            match step? {
                Step::Done(answer) => return Ok(answer),
                Step::Changed(now) => who = now,
            }
        }
        self.world.fetch(&who, self.with_grace(&who, self.deadline)).map(uncached)
    }

    fn cached(&self, asker: &Asker<'_, W::Who>) -> Result<Step<W::Who>, Failure> {
        let own = asker.cache.read(&asker.fingerprint, self.host);
        let now = self.world.now();
        let verdict = own.as_ref().map_or(Verdict::Miss, |own| own.times.judge(now));
        tracing::info!(
            registry = self.host,
            identity = own.as_ref().map_or("", |own| own.label.as_str()),
            seconds_left = own.as_ref().map_or(0, |own| own.times.expires_at.saturating_sub(now / 1000)),
            outcome = ?verdict,
            "looked into the cache"
        );
        match verdict {
            Verdict::Serve => Ok(Step::Done(answer(own, Vec::new())?)),
            Verdict::Miss => self.flight(asker, None, self.deadline),
            // Whatever that takes.
            _ if asker.wish == Wish::Warm => self.flight(asker, own, self.deadline),
            Verdict::ServeAndRefresh | Verdict::WaitForFresh(_) => self.ageing(asker, own, now),
        }
    }

    /// The own entry is good, and not for much longer.
    fn ageing(&self, asker: &Asker<'_, W::Who>, own: Option<Entry>, now: Millis) -> Result<Step<W::Who>, Failure> {
        let Some(own) = own else { return self.flight(asker, None, self.deadline) };
        let note = asker.cache.note(&asker.fingerprint).filter(|note| own.times.pauses(now, note.failed_at));
        let entry = match note {
            Some(note) => match self.old(own, &note.failure) {
                Ok(answer) => return Ok(Step::Done(answer)),
                // It has ended since it was read.
                Err(_) => return self.flight(asker, None, self.deadline),
            },
            None => self.newest(asker, Some(&own), false).unwrap_or(own),
        };
        match entry.times.judge(now) {
            Verdict::Serve | Verdict::Miss => {}
            Verdict::WaitForFresh(wait) => {
                let deadline = self.deadline.at_most(wait);
                return self.flight(asker, Some(entry), deadline);
            }
            Verdict::ServeAndRefresh if self.background => self.start_refresh(asker),
            Verdict::ServeAndRefresh => return self.in_the_foreground(asker, entry),
        }
        Ok(Step::Done(answer(Some(entry), Vec::new())?))
    }

    /// One asks, the others wait for what it brings. `old` is what there is, for want of a better: a token in its
    /// last stretch, and for a `warm` one in its second half.
    fn flight(
        &self,
        asker: &Asker<'_, W::Who>,
        mut old: Option<Entry>,
        mut deadline: Deadline,
    ) -> Result<Step<W::Who>, Failure> {
        let half = |deadline| Instant::now() + self.with_grace(asker.who, deadline).left() / 2;
        let mut patience = half(deadline);
        let slot = asker.cache.slot(&asker.fingerprint);
        let mut waited = false;
        let mut brought = false;
        loop {
            // Who was waited for has brought something, as a rule. A lock taken by each who waited to look for it
            // would make the others wait once more.
            let claim = (!brought).then(|| slot.claim());
            if let Some(found) = self.found(asker, old.as_ref(), waited) {
                if waited && let Some(step) = self.changed(asker)? {
                    return Ok(step);
                }
                match found.times.judge(self.world.now()) {
                    Verdict::Serve => return Ok(Step::Done(answer(Some(found), Vec::new())?)),
                    Verdict::ServeAndRefresh if asker.wish != Wish::Warm => {
                        drop(claim);
                        if self.background {
                            self.start_refresh(asker);
                        }
                        return Ok(Step::Done(answer(Some(found), Vec::new())?));
                    }
                    Verdict::ServeAndRefresh | Verdict::WaitForFresh(_) => old = Some(found),
                    Verdict::Miss => {}
                }
            }
            let note = asker.cache.note(&asker.fingerprint);
            let answers = |note: &Note| !note.hasty && failure_answers(self.world.now(), note.failed_at);
            if let Some(note) = note.filter(answers) {
                return self.or_old(asker, old, note.failure).map(Step::Done);
            }
            let asks = match claim {
                None => {
                    brought = false;
                    continue;
                }
                Some(Claim::Held(_) | Claim::Unsupported) => true,
                Some(Claim::Busy) => {
                    brought = slot.wait(patience);
                    // The one that asks hangs, or was stopped: then without it.
                    !brought
                }
            };
            if asks {
                match self.fetched(asker, deadline).or_else(|failure| self.or_old(asker, old.take(), failure)) {
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
    fn in_the_foreground(&self, asker: &Asker<'_, W::Who>, entry: Entry) -> Result<Step<W::Who>, Failure> {
        let slot = asker.cache.slot(&asker.fingerprint);
        let claim = slot.claim();
        if matches!(claim, Claim::Busy) {
            return answer(Some(entry), Vec::new()).map(Step::Done);
        }
        if let Some(better) = self.newest(asker, Some(&entry), false) {
            return answer(Some(better), Vec::new()).map(Step::Done);
        }
        let left = entry.times.expires_at.saturating_mul(1_000).saturating_sub(self.world.now());
        let half = Duration::from_millis(u64::try_from(left / 2).unwrap_or(0));
        let deadline = self.deadline.at_most(half.min(self.foreground));
        match self.fetched(asker, deadline).or_else(|failure| self.old(entry, &failure)) {
            Ok(answer) => Ok(Step::Done(answer)),
            Err(_) => {
                drop(claim);
                self.flight(asker, None, self.deadline)
            }
        }
    }

    /// With the time for a touch, where the call has all of its own: an old token does not wait for one.
    fn with_grace(&self, who: &W::Who, deadline: Deadline) -> Deadline {
        if self.is_hasty(deadline) { deadline } else { deadline.extended(self.world.grace(who)) }
    }

    /// Less time than the call has, for the sake of an old token.
    fn is_hasty(&self, deadline: Deadline) -> bool {
        deadline.limit() < self.deadline.limit()
    }

    /// This process is the detached one.
    fn refreshed(&self, asker: &Asker<'_, W::Who>) -> Result<Answer, Failure> {
        let slot = asker.cache.slot(&asker.fingerprint);
        let done = self.refreshed_in(asker, &slot);
        asker.cache.end_refresh(&asker.fingerprint);
        done
    }

    fn refreshed_in(&self, asker: &Asker<'_, W::Who>, slot: &Slot) -> Result<Answer, Failure> {
        let claim = slot.claim();
        let now = self.world.now();
        let own = self.found(asker, None, false);
        let fresh = own.as_ref().is_some_and(|own| own.times.judge(now) == Verdict::Serve);
        if fresh || matches!(claim, Claim::Busy) {
            return answer(own, Vec::new());
        }
        if let (Some(own), Some(note)) = (&own, asker.cache.note(&asker.fingerprint))
            && own.times.pauses(now, note.failed_at)
        {
            return Err(note.failure);
        }
        self.fetched(asker, self.deadline)
    }

    /// A new token in the place of the cache's. Who waits for the same takes it too. Whoever asks for it has something
    /// against the old one: it goes, and with it its copies for other registries, also where the new one cannot be kept.
    fn replaced(&self, asker: &Asker<'_, W::Who>) -> Result<Answer, Failure> {
        let slot = asker.cache.slot(&asker.fingerprint);
        let _claim = slot.claim();
        let mut answer = self.fetched(asker, self.deadline)?;
        let kept = asker.cache.read(&asker.fingerprint, self.host);
        let but = kept.is_some_and(|kept| kept.password == answer.password).then_some(self.host);
        if let Err(error) = asker.cache.forget_all_of(&asker.fingerprint, but) {
            answer.warnings.push(format!("{}: the next call may be served the old token: {error}", self.host));
        }
        Ok(answer)
    }

    /// The newest token that the cache has for the asker and that is better than `old`. `waited` says that
    /// somebody has been waited for, who has written if there is one.
    fn found(&self, asker: &Asker<'_, W::Who>, old: Option<&Entry>, waited: bool) -> Option<Entry> {
        let own = asker.cache.read(&asker.fingerprint, self.host);
        let own = own.filter(|own| own.times.judge(self.world.now()) == Verdict::Serve);
        let own = own.filter(|own| old.is_none_or(|old| own.times.expires_at > old.times.expires_at));
        own.or_else(|| self.newest(asker, old, waited))
    }

    /// The token that ends last, if that is after `old`: for whoever has just read the registry's own entry.
    fn newest(&self, asker: &Asker<'_, W::Who>, old: Option<&Entry>, waited: bool) -> Option<Entry> {
        let after = old.map(|old| old.times.expires_at);
        asker.cache.adopt_newest(&asker.fingerprint, self.host, self.world.now(), after, waited)
    }

    /// Asks ECR and keeps what comes: for whom it was asked, if they still are who they were.
    fn fetched(&self, asker: &Asker<'_, W::Who>, deadline: Deadline) -> Result<Answer, Failure> {
        let before = asker.cache.erasures();
        let token = match self.world.fetch(asker.who, self.with_grace(asker.who, deadline)) {
            Ok(token) => token,
            Err(failure) => {
                // What more time might have brought says nothing to those who have it.
                let hasty = self.is_hasty(deadline);
                let note = Note { failed_at: self.world.now(), hasty, failure: failure.clone() };
                asker.cache.write_note(&asker.fingerprint, &note);
                return Err(failure);
            }
        };
        asker.cache.remove_note(&asker.fingerprint);
        let spread = self.world.spread(&asker.fingerprint);
        let times = token.expires_at.and_then(|end| Times::of_new(self.world.now(), end, spread));
        if let Some(times) = times
            && self.is_still(asker)
        {
            let entry = Entry {
                registry: self.host.to_owned(),
                fingerprint: asker.fingerprint,
                label: self.world.label(asker.who),
                times,
                username: token.username.clone(),
                password: token.password.clone(),
            };
            asker.cache.write(&entry, before);
        }
        Ok(uncached(token))
    }

    fn is_still(&self, asker: &Asker<'_, W::Who>) -> bool {
        let now = self.world.find().ok();
        now.and_then(|now| self.world.fingerprint(&now)).is_some_and(|now| now == asker.fingerprint)
    }

    fn changed(&self, asker: &Asker<'_, W::Who>) -> Result<Option<Step<W::Who>>, Failure> {
        let now = self.world.find()?;
        let same = self.world.fingerprint(&now).is_some_and(|now| now == asker.fingerprint);
        Ok((!same).then_some(Step::Changed(now)))
    }

    /// Starts the detached process, unless one is on its way or somebody is asking already.
    fn start_refresh(&self, asker: &Asker<'_, W::Who>) {
        let recent = self.deadline.limit() + SLOW_START;
        if asker.cache.slot(&asker.fingerprint).is_busy() || !asker.cache.begin_refresh(&asker.fingerprint, recent) {
            return;
        }
        if !self.world.start_refresh() {
            asker.cache.end_refresh(&asker.fingerprint);
        }
    }

    fn or_old(&self, asker: &Asker<'_, W::Who>, old: Option<Entry>, failure: Failure) -> Result<Answer, Failure> {
        match old {
            Some(old) if asker.wish != Wish::Warm => self.old(old, &failure),
            _ => Err(failure),
        }
    }

    /// What was there, though no better one could be had; worth a line only where it ends soon.
    fn old(&self, old: Entry, failure: &Failure) -> Result<Answer, Failure> {
        let now = self.world.now();
        let warnings = match old.times.judge(now) {
            Verdict::Miss => return Err(failure.clone()),
            Verdict::WaitForFresh(_) => {
                let left = old.times.expires_at.saturating_sub(now.div_euclid(1_000));
                let left = if left < 120 { format!("{left} s") } else { format!("{} minutes", left / 60) };
                vec![format!("{}: the token ends in {left} and cannot be refreshed: {failure}", self.host)]
            }
            Verdict::Serve | Verdict::ServeAndRefresh => Vec::new(),
        };
        answer(Some(old), warnings)
    }
}

/// What the cache had.
fn answer(entry: Option<Entry>, warnings: Vec<String>) -> Result<Answer, Failure> {
    let Some(Entry { username, password, times, .. }) = entry else {
        return Err(Failure::new(Kind::Other, "the cache has no token"));
    };
    Ok(Answer { username, password, expires_at: Some(times.expires_at), warnings })
}

/// What ECR said, whatever our clock makes of it.
fn uncached(token: Token) -> Answer {
    let Token { username, password, expires_at, warnings } = token;
    Answer { username, password, expires_at, warnings }
}

#[cfg(test)]
mod tests;
