//! One deadline over everything that a call does.

use std::time::{Duration, Instant};

/// The longest limit: a day. What is added to it always is a moment that the clock can tell.
const MAX_TIMEOUT: Duration = Duration::from_secs(24 * 60 * 60);

/// Where the user sets the time limit, for a message that advises a longer one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LimitSetting {
    /// `ECR_LOGIN_TIMEOUT`, or the settings' `timeout`.
    Variable,
    /// The command's own option.
    Option,
}

impl LimitSetting {
    /// Its name on the command line or in the environment.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Variable => "ECR_LOGIN_TIMEOUT",
            Self::Option => "--timeout",
        }
    }
}

/// The moment at which the whole call must have answered.
#[derive(Clone, Copy, Debug)]
pub struct Deadline {
    start: Instant,
    end: Instant,
    set_by: LimitSetting,
}

impl Deadline {
    /// A deadline `limit` from now, or a day from now if that is earlier.
    pub fn within(limit: Duration) -> Self {
        let start = Instant::now();
        Self { start, end: start + limit.min(MAX_TIMEOUT), set_by: LimitSetting::Variable }
    }

    /// The same, where the limit is the command's option `--timeout`.
    pub(crate) fn by_option(limit: Duration) -> Self {
        Self { set_by: LimitSetting::Option, ..Self::within(limit) }
    }

    /// Where the user sets the limit.
    pub(crate) fn set_by(&self) -> LimitSetting {
        self.set_by
    }

    /// What is left; zero once the deadline has passed.
    pub(crate) fn left(&self) -> Duration {
        self.end.saturating_duration_since(Instant::now())
    }

    /// Whether nothing is left.
    pub(crate) fn passed(&self) -> bool {
        self.left().is_zero()
    }

    /// The whole limit, as it was when the call began.
    pub(crate) fn limit(&self) -> Duration {
        self.end - self.start
    }

    /// The whole limit in milliseconds.
    pub(crate) fn limit_millis(&self) -> i64 {
        i64::try_from(self.limit().as_millis()).unwrap_or(i64::MAX)
    }

    /// The same deadline, or one `limit` from now if that is earlier.
    pub(crate) fn at_most(&self, limit: Duration) -> Self {
        Self { end: self.end.min(Instant::now() + limit.min(MAX_TIMEOUT)), ..*self }
    }

    /// The same deadline, `by` later, a day at most.
    pub(crate) fn extended(&self, by: Duration) -> Self {
        Self { end: self.end + by.min(MAX_TIMEOUT), ..*self }
    }
}
