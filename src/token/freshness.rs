//! When a cached token answers, when it is refreshed and when a caller has to wait: pure functions of now and of the
//! token's three times.
//!
//! ECR's tokens live 12 hours (`GetAuthorizationToken`). The rules hold for any life, so that a test can watch
//! a whole one in seconds.

use std::time::Duration;

use crate::cache::{Millis, TOKEN_LIFE_SECONDS, TokenLifetime};

/// The part of a life, at its end, in which a caller waits for a fresh token: a quarter, three of twelve hours. A push that
/// begins with less than that can outlive its token, and clients keep what they got: regsync for an hour.
const EXPIRING_PART: i64 = 4;

/// How long a failed fetch is the answer to every process that would send the same request, in milliseconds.
const FAILURE_TTL_MILLIS: i64 = 1_000;

/// Two limits that are no further apart count as one: that of ECR Public begins when the cache is looked into.
const SAME_LIMIT_MILLIS: i64 = 500;

/// The longest pause after a background refresh that failed, in milliseconds.
const MAX_RETRY_PAUSE_MILLIS: i64 = 60_000;

/// The longest time for which a caller refreshes a token itself that could be served at once.
const MAX_FOREGROUND_REFRESH: Duration = Duration::from_secs(3);

/// What a cached token is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// Nothing: it has expired, or its times cannot be true by this clock.
    Invalid,
    /// It answers.
    Fresh,
    /// It answers, and a refresh is due.
    Stale,
    /// The last quarter of its life: a fresh token is waited for, no longer than this; then it still answers.
    Expiring(Duration),
}

impl TokenLifetime {
    /// The times of a token that came at `now` and expires at `expires_at`; `None` where by our clock it
    /// has expired or lives longer than any token does, which is a reason not to keep it.
    ///
    /// The end is never later than 12 hours from now: a clock that is hours behind AWS's (a virtual machine that slept) would
    /// have the token served for as many hours after its end.
    ///
    /// `jitter` is any number that differs between machines and entries: it moves the refresh by up to a tenth
    /// of the life, so that machines that started together do not refresh together.
    pub fn of_new(now: Millis, expires_at: i64, jitter: u32) -> Option<Self> {
        let issued_at = now.div_euclid(1_000);
        let life = Self { issued_at, refresh_at: issued_at, expires_at }.life()?.min(TOKEN_LIFE_SECONDS);
        let shift = life.saturating_mul(i64::from(jitter)) / (10 * (i64::from(u32::MAX) + 1));
        Some(Self { issued_at, refresh_at: issued_at + life / 2 + shift, expires_at: issued_at + life })
    }

    /// What the token is good for at `now`.
    pub fn freshness(&self, now: Millis) -> Freshness {
        let Some(life) = self.life().filter(|_| self.is_valid(now)) else {
            return Freshness::Invalid;
        };
        let left = self.left(now);
        if left <= life * 1_000 / EXPIRING_PART {
            return Freshness::Expiring(Duration::from_millis(left.unsigned_abs() / 2));
        }
        // What another version of this program wrote is held to the same bounds.
        let refresh_at = self.refresh_at.clamp(self.issued_at + life * 4 / 10, self.issued_at + life * 6 / 10);
        if now.div_euclid(1_000) < refresh_at { Freshness::Fresh } else { Freshness::Stale }
    }

    /// Whether a refresh that failed at `failed_at` means that another one at `now` would be too soon.
    pub fn pauses_refresh(&self, now: Millis, failed_at: Millis) -> bool {
        let pause = self.life().map_or(MAX_RETRY_PAUSE_MILLIS, |life| (life * 1_000 / 20).min(MAX_RETRY_PAUSE_MILLIS));
        within(now, failed_at, pause)
    }
}

/// How long a caller with this deadline refreshes a stale token itself before it takes the old one: the old one is
/// valid, and a server that hangs must not hold up a caller who could have been served at once.
pub(super) fn foreground_refresh_timeout(call_timeout: Duration) -> Duration {
    (call_timeout / 3).min(MAX_FOREGROUND_REFRESH)
}

/// Whether a fetch that failed at `failed_at` answers at `now` without another request.
///
/// Both calls have a `limit` in all, in milliseconds: who has more time than the one that failed may have an answer.
pub(super) fn failure_is_current(now: Millis, failed_at: Millis, failed_limit: Millis, limit: Millis) -> bool {
    within(now, failed_at, FAILURE_TTL_MILLIS) && limit <= failed_limit.saturating_add(SAME_LIMIT_MILLIS)
}

/// A moment that lies ahead means that the clock was set back: it counts for nothing.
fn within(now: Millis, then: Millis, span: i64) -> bool {
    now.checked_sub(then).is_some_and(|since| (0..span).contains(&since))
}

#[cfg(test)]
mod tests {
    use crate::cache::MAX_TOKEN_LIFE_SECONDS;
    use proptest::prelude::*;

    use super::*;

    const HOUR: i64 = 3_600;
    const NOW: i64 = 1_800_000_000;

    fn times(life: i64) -> TokenLifetime {
        TokenLifetime { issued_at: NOW, refresh_at: NOW + life / 2, expires_at: NOW + life }
    }

    fn after(seconds: i64) -> Millis {
        (NOW + seconds) * 1_000
    }

    #[test]
    fn twelve_hours_by_the_table() {
        let token = times(12 * HOUR);
        let quarter = 3 * HOUR;
        for (age, verdict) in [
            (0, Freshness::Fresh),
            (6 * HOUR - 1, Freshness::Fresh),
            (6 * HOUR, Freshness::Stale),
            (12 * HOUR - quarter - 1, Freshness::Stale),
            (12 * HOUR - quarter, Freshness::Expiring(Duration::from_secs(90 * 60))),
            (12 * HOUR - 2, Freshness::Expiring(Duration::from_secs(1))),
            (12 * HOUR, Freshness::Invalid),
            (13 * HOUR, Freshness::Invalid),
        ] {
            assert_eq!(token.freshness(after(age)), verdict, "at the age of {age} s");
        }
        assert_eq!(token.freshness(after(12 * HOUR) - 1), Freshness::Expiring(Duration::ZERO));
    }

    #[test]
    fn the_last_quarter_of_any_life_is_waited_in() {
        for life in [20, 600, 3 * HOUR, 12 * HOUR, 24 * HOUR] {
            let token = times(life);
            assert_eq!(token.freshness(after(life - life / 4) - 1), Freshness::Stale, "{life}");
            assert!(matches!(token.freshness(after(life - life / 4)), Freshness::Expiring(_)), "{life}");
        }
    }

    #[test]
    fn times_that_cannot_be_true_are_a_miss() {
        assert_eq!(times(12 * HOUR).freshness(after(-1)), Freshness::Invalid, "the clock was set back");
        assert_eq!(times(24 * HOUR + 1).freshness(after(1)), Freshness::Invalid, "nothing lives that long");
        assert_eq!(times(24 * HOUR).freshness(after(1)), Freshness::Fresh);
        assert_eq!(times(0).freshness(after(0)), Freshness::Invalid);
        assert_eq!(times(-5).freshness(after(0)), Freshness::Invalid);
    }

    #[test]
    fn a_refresh_time_out_of_bounds_is_brought_back() {
        let token = TokenLifetime { refresh_at: i64::MAX, ..times(10 * HOUR) };
        assert_eq!(token.freshness(after(6 * HOUR)), Freshness::Stale);
        let token = TokenLifetime { refresh_at: i64::MIN, ..times(10 * HOUR) };
        assert_eq!(token.freshness(after(4 * HOUR - 1)), Freshness::Fresh);
    }

    #[test]
    fn a_token_odd_by_our_clock_is_not_kept() {
        for expires_at in [NOW, NOW - 1, 1_435_708_800, NOW + 24 * HOUR + 1, i64::MAX, i64::MIN] {
            assert_eq!(TokenLifetime::of_new(after(0), expires_at, 0), None, "{expires_at}");
        }
        assert_eq!(TokenLifetime::of_new(after(0), NOW + 1, u32::MAX).map(|t| t.refresh_at), Some(NOW));
    }

    #[test]
    fn by_a_clock_that_is_hours_behind_no_token_is_served_past_its_end() {
        for behind in [1, HOUR, 8 * HOUR, 12 * HOUR] {
            // AWS's clock says NOW + behind.
            let token = TokenLifetime::of_new(after(0), NOW + behind + 12 * HOUR, 0).unwrap();
            assert_ne!(token.freshness(after(12 * HOUR) - 1), Freshness::Invalid, "{behind}");
            assert_eq!(token.freshness(after(12 * HOUR)), Freshness::Invalid, "{behind}");
        }
    }

    #[test]
    fn the_half_way_point_moves_by_up_to_a_tenth() {
        let at = |jitter| TokenLifetime::of_new(after(0), NOW + 10 * HOUR, jitter).map(|t| t.refresh_at - NOW);
        assert_eq!(at(0), Some(5 * HOUR));
        assert_eq!(at(u32::MAX / 2 + 1), Some(5 * HOUR + HOUR / 2));
        assert_eq!(at(u32::MAX), Some(6 * HOUR - 1));
    }

    #[test]
    fn a_failed_refresh_pauses_for_a_minute_or_a_twentieth() {
        let token = times(12 * HOUR);
        assert!(token.pauses_refresh(after(60) - 1, after(0)));
        assert!(!token.pauses_refresh(after(60), after(0)));
        assert!(!token.pauses_refresh(after(-1), after(0)), "the clock was set back");
        assert!(times(100).pauses_refresh(after(5) - 1, after(0)));
        assert!(!times(100).pauses_refresh(after(5), after(0)));
        let is_current = |now, failed_at| failure_is_current(now, failed_at, 10_000, 10_000);
        assert!(is_current(after(1) - 1, after(0)) && !is_current(after(1), after(0)));
        assert!(!is_current(after(0), after(0) + 1));
        assert!(failure_is_current(after(0), after(0), 10_000, 1_000), "who has less time gets the same answer");
        assert!(!failure_is_current(after(0), after(0), 10_000, 45_000), "who has more time asks");
        assert!(failure_is_current(after(0), after(0), 3_000, 3_020));
    }

    #[test]
    fn a_refresh_in_the_foreground_costs_a_third_of_the_deadline_and_three_seconds_at_most() {
        for (limit, wait) in [(45_000, 3_000), (10_000, 3_000), (9_000, 3_000), (3_000, 1_000), (0, 0)] {
            assert_eq!(
                foreground_refresh_timeout(Duration::from_millis(limit)),
                Duration::from_millis(wait),
                "{limit}"
            );
        }
    }

    proptest! {
        #[test]
        fn no_expired_token_is_served_and_no_fresh_one_refused(
            issued_at in prop_oneof![any::<i64>(), NOW - 90_000..NOW + 90_000],
            refresh_at in any::<i64>(),
            expires_at in prop_oneof![any::<i64>(), NOW - 90_000..NOW + 90_000],
            now in prop_oneof![any::<i64>(), (NOW - 90_000) * 1_000..(NOW + 90_000) * 1_000],
        ) {
            let token = TokenLifetime { issued_at, refresh_at, expires_at };
            let life = expires_at.checked_sub(issued_at);
            let believable = life.is_some_and(|life| (1..=MAX_TOKEN_LIFE_SECONDS).contains(&life));
            let is_valid = believable
                && i128::from(now) >= i128::from(issued_at) * 1_000
                && i128::from(now) < i128::from(expires_at) * 1_000;
            prop_assert_eq!(token.freshness(now) != Freshness::Invalid, is_valid);
            if is_valid && i128::from(now) - i128::from(issued_at) * 1_000 < i128::from(life.unwrap()) * 400 - 1_000 {
                prop_assert_eq!(token.freshness(now), Freshness::Fresh);
            }
            if let Freshness::Expiring(wait) = token.freshness(now) {
                prop_assert!(wait.as_millis() as i128 * 2 <= i128::from(expires_at) * 1_000 - i128::from(now));
            }
        }

        #[test]
        fn age_never_makes_a_token_better(
            life in 1..=MAX_TOKEN_LIFE_SECONDS, jitter in any::<u32>(), one in 0..100_000_000_i64, other in 0..100_000_000_i64,
        ) {
            let rank = |verdict| match verdict {
                Freshness::Fresh => 0,
                Freshness::Stale => 1,
                Freshness::Expiring(_) => 2,
                Freshness::Invalid => 3,
            };
            let token = TokenLifetime::of_new(NOW * 1_000, NOW + life, jitter).unwrap();
            let (earlier, later) = (one.min(other), one.max(other));
            prop_assert!(rank(token.freshness(NOW * 1_000 + earlier)) <= rank(token.freshness(NOW * 1_000 + later)));
            let kept = token.expires_at - NOW;
            prop_assert_eq!(kept, life.min(12 * HOUR));
            prop_assert!(token.refresh_at >= NOW + kept / 2 && token.refresh_at <= NOW + kept * 6 / 10);
        }
    }
}
