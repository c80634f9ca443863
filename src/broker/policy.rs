//! When a token answers, when it is refreshed and when somebody has to wait: pure functions of now and of the
//! entry's three times.
//!
//! ECR's tokens live 12 hours (`GetAuthorizationToken`). The rules hold for any life, so that a test can watch
//! a whole one in seconds.

use std::time::Duration;

/// A moment in milliseconds since the Unix epoch.
pub type Millis = i64;

/// The longest life that is believed, in seconds: twice ECR's twelve hours.
pub const LONGEST_LIFE: i64 = 24 * 60 * 60;

/// Lives shorter than this, in seconds, have a last stretch of a tenth instead of [`LAST_STRETCH`].
const SHORT_LIFE: i64 = 150 * 60;

/// The last stretch of a long life, in seconds.
const LAST_STRETCH: i64 = 15 * 60;

/// For how long a failed fetch answers everybody who would ask the same, in milliseconds.
pub const FAILURE_ANSWERS: i64 = 1_000;

/// For how long, at most, no refresh follows one that failed, in milliseconds.
const LONGEST_PAUSE: i64 = 60_000;

/// For how long, at most, a caller refreshes a token itself that could be served at once.
const LONGEST_FOREGROUND: Duration = Duration::from_secs(3);

/// The three times of an entry, in seconds since the Unix epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    /// When the token was issued.
    pub issued_at: i64,
    /// When its second half begins.
    pub refresh_at: i64,
    /// When it ends.
    pub expires_at: i64,
}

/// What an entry is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing: it has ended, or its times cannot be true by this clock.
    Miss,
    /// It answers.
    Serve,
    /// It answers, and it is time that somebody refreshed it.
    ServeAndRefresh,
    /// Its last stretch: a fresh one is waited for, no longer than this; then it still answers.
    WaitForFresh(Duration),
}

impl Times {
    /// The times of a token that ends at `expires_at` and came at `now`; `None` where our clock says that it
    /// has ended or lives longer than any token does, which is a reason not to keep it.
    ///
    /// `spread` is any number that differs between machines and entries: it moves the refresh by up to a tenth
    /// of the life, so that machines that started together do not come back together.
    pub fn of_new(now: Millis, expires_at: i64, spread: u32) -> Option<Self> {
        let issued_at = now.div_euclid(1_000);
        let life = expires_at.checked_sub(issued_at).filter(|life| (1..=LONGEST_LIFE).contains(life))?;
        let shift = life.saturating_mul(i64::from(spread)) / (10 * (i64::from(u32::MAX) + 1));
        Some(Self { issued_at, refresh_at: issued_at + life / 2 + shift, expires_at })
    }

    /// What the entry is good for at `now`.
    pub fn judge(&self, now: Millis) -> Verdict {
        let Some(life) = self.life().filter(|_| self.issued_at <= now.div_euclid(1_000)) else {
            return Verdict::Miss;
        };
        let left = self.left(now);
        if left <= 0 {
            return Verdict::Miss;
        }
        let stretch = if life < SHORT_LIFE { life * 1_000 / 10 } else { LAST_STRETCH * 1_000 };
        if left <= stretch {
            return Verdict::WaitForFresh(Duration::from_millis(left.unsigned_abs() / 2));
        }
        // What another version of this program wrote is held to the same bounds.
        let refresh_at = self.refresh_at.clamp(self.issued_at + life * 4 / 10, self.issued_at + life * 6 / 10);
        if now.div_euclid(1_000) < refresh_at { Verdict::Serve } else { Verdict::ServeAndRefresh }
    }

    /// Whether a refresh that failed at `failed_at` still says that asking again would be too soon.
    pub fn pauses(&self, now: Millis, failed_at: Millis) -> bool {
        let pause = self.life().map_or(LONGEST_PAUSE, |life| (life * 1_000 / 20).min(LONGEST_PAUSE));
        within(now, failed_at, pause)
    }

    /// Whether the token has not ended.
    pub fn lives(&self, now: Millis) -> bool {
        self.judge(now) != Verdict::Miss
    }

    fn life(&self) -> Option<i64> {
        self.expires_at.checked_sub(self.issued_at).filter(|life| (1..=LONGEST_LIFE).contains(life))
    }

    fn left(&self, now: Millis) -> i64 {
        self.expires_at.saturating_mul(1_000).saturating_sub(now)
    }
}

/// For how long a caller whose deadline has this limit refreshes a token of the second half itself, before it takes the
/// old one: that is valid still, and a server that hangs must not hold up who could have been served at once.
pub fn foreground(limit: Duration) -> Duration {
    (limit / 3).min(LONGEST_FOREGROUND)
}

/// Whether a fetch that failed at `failed_at` answers at `now` without asking again.
pub fn failure_answers(now: Millis, failed_at: Millis) -> bool {
    within(now, failed_at, FAILURE_ANSWERS)
}

/// A moment that lies ahead says that the clock was set back: it counts for nothing.
fn within(now: Millis, then: Millis, span: i64) -> bool {
    now.checked_sub(then).is_some_and(|since| (0..span).contains(&since))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HOUR: i64 = 3_600;
    const NOW: i64 = 1_800_000_000;

    fn times(life: i64) -> Times {
        Times { issued_at: NOW, refresh_at: NOW + life / 2, expires_at: NOW + life }
    }

    fn after(seconds: i64) -> Millis {
        (NOW + seconds) * 1_000
    }

    #[test]
    fn twelve_hours_by_the_table() {
        let token = times(12 * HOUR);
        let quarter = 15 * 60;
        for (age, verdict) in [
            (0, Verdict::Serve),
            (6 * HOUR - 1, Verdict::Serve),
            (6 * HOUR, Verdict::ServeAndRefresh),
            (12 * HOUR - quarter - 1, Verdict::ServeAndRefresh),
            (12 * HOUR - quarter, Verdict::WaitForFresh(Duration::from_secs(450))),
            (12 * HOUR - 2, Verdict::WaitForFresh(Duration::from_secs(1))),
            (12 * HOUR, Verdict::Miss),
            (13 * HOUR, Verdict::Miss),
        ] {
            assert_eq!(token.judge(after(age)), verdict, "at the age of {age} s");
        }
        assert_eq!(token.judge(after(12 * HOUR) - 1), Verdict::WaitForFresh(Duration::ZERO));
    }

    #[test]
    fn a_life_under_150_minutes_has_a_last_tenth() {
        for life in [20, 600, 149 * 60] {
            let token = times(life);
            assert_eq!(token.judge(after(life - life / 10) - 1_000), Verdict::ServeAndRefresh, "{life}");
            assert!(matches!(token.judge(after(life) - life * 100), Verdict::WaitForFresh(_)), "{life}");
        }
        assert_eq!(times(150 * 60).judge(after(150 * 60 - 901)), Verdict::ServeAndRefresh);
        assert!(matches!(times(150 * 60).judge(after(150 * 60 - 900)), Verdict::WaitForFresh(_)));
    }

    #[test]
    fn times_that_cannot_be_true_are_a_miss() {
        assert_eq!(times(12 * HOUR).judge(after(-1)), Verdict::Miss, "the clock was set back");
        assert_eq!(times(24 * HOUR + 1).judge(after(1)), Verdict::Miss, "nothing lives that long");
        assert_eq!(times(24 * HOUR).judge(after(1)), Verdict::Serve);
        assert_eq!(times(0).judge(after(0)), Verdict::Miss);
        assert_eq!(times(-5).judge(after(0)), Verdict::Miss);
    }

    #[test]
    fn a_refresh_time_out_of_bounds_is_brought_back() {
        let token = Times { refresh_at: i64::MAX, ..times(10 * HOUR) };
        assert_eq!(token.judge(after(6 * HOUR)), Verdict::ServeAndRefresh);
        let token = Times { refresh_at: i64::MIN, ..times(10 * HOUR) };
        assert_eq!(token.judge(after(4 * HOUR - 1)), Verdict::Serve);
    }

    #[test]
    fn a_token_odd_by_our_clock_is_not_kept() {
        for expires_at in [NOW, NOW - 1, 1_435_708_800, NOW + 24 * HOUR + 1, i64::MAX, i64::MIN] {
            assert_eq!(Times::of_new(after(0), expires_at, 0), None, "{expires_at}");
        }
        assert_eq!(Times::of_new(after(0), NOW + 1, u32::MAX).map(|t| t.refresh_at), Some(NOW));
    }

    #[test]
    fn the_half_way_point_moves_by_up_to_a_tenth() {
        let at = |spread| Times::of_new(after(0), NOW + 10 * HOUR, spread).map(|t| t.refresh_at - NOW);
        assert_eq!(at(0), Some(5 * HOUR));
        assert_eq!(at(u32::MAX / 2 + 1), Some(5 * HOUR + HOUR / 2));
        assert_eq!(at(u32::MAX), Some(6 * HOUR - 1));
    }

    #[test]
    fn a_failed_refresh_pauses_for_a_minute_or_a_twentieth() {
        let token = times(12 * HOUR);
        assert!(token.pauses(after(60) - 1, after(0)));
        assert!(!token.pauses(after(60), after(0)));
        assert!(!token.pauses(after(-1), after(0)), "the clock was set back");
        assert!(times(100).pauses(after(5) - 1, after(0)));
        assert!(!times(100).pauses(after(5), after(0)));
        assert!(failure_answers(after(1) - 1, after(0)) && !failure_answers(after(1), after(0)));
        assert!(!failure_answers(after(0), after(0) + 1));
    }

    #[test]
    fn a_refresh_in_the_foreground_costs_a_third_of_the_deadline_and_three_seconds_at_most() {
        for (limit, wait) in [(45_000, 3_000), (10_000, 3_000), (9_000, 3_000), (3_000, 1_000), (0, 0)] {
            assert_eq!(foreground(Duration::from_millis(limit)), Duration::from_millis(wait), "{limit}");
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
            let token = Times { issued_at, refresh_at, expires_at };
            let life = expires_at.checked_sub(issued_at);
            let believable = life.is_some_and(|life| (1..=LONGEST_LIFE).contains(&life));
            let lives = believable
                && i128::from(now) >= i128::from(issued_at) * 1_000
                && i128::from(now) < i128::from(expires_at) * 1_000;
            prop_assert_eq!(token.judge(now) != Verdict::Miss, lives);
            if lives && i128::from(now) - i128::from(issued_at) * 1_000 < i128::from(life.unwrap()) * 400 - 1_000 {
                prop_assert_eq!(token.judge(now), Verdict::Serve);
            }
            if let Verdict::WaitForFresh(wait) = token.judge(now) {
                prop_assert!(wait.as_millis() as i128 * 2 <= i128::from(expires_at) * 1_000 - i128::from(now));
            }
        }

        #[test]
        fn age_never_makes_a_token_better(
            life in 1..=LONGEST_LIFE, spread in any::<u32>(), one in 0..100_000_000_i64, other in 0..100_000_000_i64,
        ) {
            let rank = |verdict| match verdict {
                Verdict::Serve => 0,
                Verdict::ServeAndRefresh => 1,
                Verdict::WaitForFresh(_) => 2,
                Verdict::Miss => 3,
            };
            let token = Times::of_new(NOW * 1_000, NOW + life, spread).unwrap();
            let (earlier, later) = (one.min(other), one.max(other));
            prop_assert!(rank(token.judge(NOW * 1_000 + earlier)) <= rank(token.judge(NOW * 1_000 + later)));
            prop_assert!(token.refresh_at >= NOW + life / 2 && token.refresh_at <= NOW + life * 6 / 10);
        }
    }
}
