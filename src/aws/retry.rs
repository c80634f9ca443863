//! When a failed call is tried again: a pure function, so that the fleet simulation runs this very policy in
//! virtual time.

use std::time::Duration;

/// How a throttled call is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryPolicy {
    /// A person or a client waits: the SDK's three tries within the deadline.
    Interactive,
    /// A node boots: every 1 to 3 s, jittered, until the deadline.
    NodeBoot,
}

/// How a try went wrong, as far as the policy cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// AWS throttled the call.
    Throttled,
    /// The server failed or the connection broke; another try may do.
    Transient,
    /// Our clock is off, or was when the request was signed; the SDK has learnt by how much, and signs the next try with
    /// the server's time.
    Clock,
    /// Another try would end the same way.
    Final,
}

/// How many tries there are where a person waits; the SDK's standard number.
const MAX_ATTEMPTS: u32 = 3;

/// How long to wait before the next try; `None` to give up.
///
/// `tries` have been made, `left` is left of the deadline, and `chance` is uniform in 0..1. Whoever cannot be
/// back before the deadline does not try.
pub fn pause(retry_policy: RetryPolicy, tries: u32, outcome: Outcome, left: Duration, chance: f64) -> Option<Duration> {
    let pause = match (outcome, retry_policy) {
        (Outcome::Final, _) => return None,
        (Outcome::Clock, _) if tries > 1 => return None,
        (Outcome::Clock, _) => Duration::ZERO,
        (Outcome::Throttled, RetryPolicy::NodeBoot) => Duration::from_secs_f64(1.0 + 2.0 * chance),
        _ if tries >= MAX_ATTEMPTS => return None,
        // Full jitter over a doubling range, with the SDK's bases: 1 s for throttling, 50 ms otherwise.
        (Outcome::Throttled, RetryPolicy::Interactive) => Duration::from_secs_f64(chance * doubled(1.0, tries)),
        (Outcome::Transient, _) => Duration::from_secs_f64(chance * doubled(0.05, tries)),
    };
    (pause < left).then_some(pause)
}

fn doubled(base: f64, tries: u32) -> f64 {
    base * f64::from(1_u32 << tries.saturating_sub(1).min(10))
}

/// A number uniform in 0..1, for [`pause`].
pub(super) fn chance() -> f64 {
    fastrand::f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(45);

    #[test]
    fn a_client_is_tried_three_times() {
        for outcome in [Outcome::Throttled, Outcome::Transient] {
            assert!(pause(RetryPolicy::Interactive, 1, outcome, LONG, 0.5).is_some());
            assert!(pause(RetryPolicy::Interactive, 2, outcome, LONG, 0.5).is_some());
            assert_eq!(pause(RetryPolicy::Interactive, 3, outcome, LONG, 0.5), None);
        }
        assert_eq!(pause(RetryPolicy::Interactive, 1, Outcome::Final, LONG, 0.5), None);
    }

    #[test]
    fn a_throttled_node_comes_back_after_one_to_three_seconds_until_its_deadline() {
        for tries in [1, 3, 20] {
            assert_eq!(
                pause(RetryPolicy::NodeBoot, tries, Outcome::Throttled, LONG, 0.0),
                Some(Duration::from_secs(1))
            );
            assert!(
                pause(RetryPolicy::NodeBoot, tries, Outcome::Throttled, LONG, 0.9999).unwrap() < Duration::from_secs(3)
            );
        }
        assert_eq!(pause(RetryPolicy::NodeBoot, 1, Outcome::Throttled, Duration::from_millis(900), 0.0), None);
        assert_eq!(pause(RetryPolicy::NodeBoot, 3, Outcome::Transient, LONG, 0.5), None);
    }

    #[test]
    fn a_wrong_clock_is_made_good_once_and_at_once() {
        assert_eq!(pause(RetryPolicy::Interactive, 1, Outcome::Clock, LONG, 0.5), Some(Duration::ZERO));
        assert_eq!(pause(RetryPolicy::Interactive, 2, Outcome::Clock, LONG, 0.5), None);
    }

    #[test]
    fn pauses_are_jittered_and_double() {
        assert_eq!(pause(RetryPolicy::Interactive, 1, Outcome::Throttled, LONG, 0.0), Some(Duration::ZERO));
        assert_eq!(pause(RetryPolicy::Interactive, 1, Outcome::Throttled, LONG, 0.5), Some(Duration::from_millis(500)));
        assert_eq!(pause(RetryPolicy::Interactive, 2, Outcome::Throttled, LONG, 0.5), Some(Duration::from_secs(1)));
    }
}
