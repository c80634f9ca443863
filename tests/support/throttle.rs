//! How ECR limits calls.

use std::time::Instant;

/// The token bucket by which ECR limits calls.
pub(super) struct Bucket {
    rate: f64,
    burst: f64,
    left: f64,
    at: Instant,
}

impl Bucket {
    /// So many calls a second, and bursts of so many.
    pub(super) fn new(rate: f64, burst: f64) -> Self {
        Self { rate, burst, left: burst, at: Instant::now() }
    }

    /// Whether a call is let through.
    pub(super) fn take(&mut self) -> bool {
        let elapsed = std::mem::replace(&mut self.at, Instant::now()).elapsed();
        self.left = (self.left + elapsed.as_secs_f64() * self.rate).min(self.burst);
        let is_left = self.left >= 1.0;
        if is_left {
            self.left -= 1.0;
        }
        is_left
    }
}
