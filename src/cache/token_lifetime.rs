//! The three times of a cached token. How they are used is decided in `token/freshness.rs`.

/// A moment in milliseconds since the Unix epoch.
pub type Millis = i64;

/// How long a token of ECR and of ECR Public is good, in seconds (`GetAuthorizationToken` of both).
pub(crate) const TOKEN_LIFE_SECONDS: i64 = 12 * 60 * 60;

/// The longest life that is believed, in seconds: by a clock that is behind AWS's a token seems to live longer than it does.
pub const MAX_TOKEN_LIFE_SECONDS: i64 = 2 * TOKEN_LIFE_SECONDS;

/// The times of a token, in seconds since the Unix epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenLifetime {
    /// When the token was issued.
    pub issued_at: i64,
    /// When a refresh is due.
    pub refresh_at: i64,
    /// When the token expires.
    pub expires_at: i64,
}

impl TokenLifetime {
    /// Whether the token has not expired at `now`, and its times can be true by this clock.
    pub fn is_valid(&self, now: Millis) -> bool {
        self.life().is_some() && self.issued_at <= now.div_euclid(1_000) && self.left(now) > 0
    }

    /// The token's whole life in seconds; `None` where no token lives that long or short.
    pub(crate) fn life(&self) -> Option<i64> {
        let believable = |life: &i64| (1..=MAX_TOKEN_LIFE_SECONDS).contains(life);
        self.expires_at.checked_sub(self.issued_at).filter(believable)
    }

    /// The milliseconds until the token expires; negative once it has.
    pub(crate) fn left(&self, now: Millis) -> i64 {
        self.expires_at.saturating_mul(1_000).saturating_sub(now)
    }
}
