//! The time of day by this machine's clock, counted from the Unix epoch; 0 for a clock that is before it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// In seconds.
pub(crate) fn seconds() -> i64 {
    i64::try_from(since_epoch().as_secs()).unwrap_or(i64::MAX)
}

/// In milliseconds.
pub(crate) fn millis() -> i64 {
    i64::try_from(since_epoch().as_millis()).unwrap_or(i64::MAX)
}

fn since_epoch() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}
