//! Times as people read them, in one form everywhere: `good for 11 h 59 min (until 23:35 UTC), renewed from 18:02`.
//!
//! A clock time is UTC and says so. The hours from now are what a person needs, and are the same everywhere; nodes, CI jobs,
//! AWS's own logs and what colleagues are told are in UTC; and an image without a zone database has no other.

use time::OffsetDateTime;
use time::macros::format_description;

/// How long a token is good, until when, and from when on it is renewed. All in seconds since the Unix epoch.
pub(crate) fn good_for(now: i64, expires_at: i64, refresh_at: Option<i64>) -> String {
    let left = expires_at.saturating_sub(now);
    if left <= 0 {
        return format!("ended {} ago ({} UTC)", span(-left), clock(now, expires_at));
    }
    let renewed = match refresh_at {
        None => String::new(),
        Some(at) if at <= now => ", renewed by the next pull".to_owned(),
        Some(at) => format!(", renewed from {}", clock(now, at)),
    };
    format!("good for {} (until {} UTC){renewed}", span(left), clock(now, expires_at))
}

/// A past moment: `5 min ago (18:02 UTC)`.
pub(crate) fn ago(now: i64, at: i64) -> String {
    format!("{} ago ({} UTC)", span(now.saturating_sub(at)), clock(now, at))
}

/// A span of time as people say it, in its two largest units.
pub(crate) fn span(seconds: i64) -> String {
    let seconds = seconds.max(0);
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600, seconds % 3_600 / 60);
    match (days, hours, minutes) {
        (_, 0, 0) => format!("{seconds} s"),
        (_, 0, _) => format!("{minutes} min"),
        (2.., ..) => format!("{days} days"),
        (_, _, 0) => format!("{hours} h"),
        _ => format!("{hours} h {minutes} min"),
    }
}

/// `23:35`, with the date before it where that could be another day's.
fn clock(now: i64, at: i64) -> String {
    let is_near = at.abs_diff(now) < 86_400;
    let Ok(at) = OffsetDateTime::from_unix_timestamp(at) else { return at.to_string() };
    let formatted = if is_near {
        at.format(format_description!("[hour]:[minute]"))
    } else {
        at.format(format_description!("[year]-[month]-[day] [hour]:[minute]"))
    };
    formatted.unwrap_or_else(|_| at.unix_timestamp().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-04-01 12:00:00 UTC.
    const NOON: i64 = 1_775_044_800;

    #[test]
    fn a_span_is_reported_in_its_two_largest_units() {
        for (seconds, said) in [
            (-5, "0 s"),
            (59, "59 s"),
            (60, "1 min"),
            (7_200, "2 h"),
            (7_260, "2 h 1 min"),
            (90_000, "25 h"),
            (172_800, "2 days"),
        ] {
            assert_eq!(span(seconds), said);
        }
    }

    #[test]
    fn a_token_is_good_for_so_long_until_then_and_renewed_from_then() {
        let (end, refresh) = (NOON + 11 * 3_600 + 35 * 60, NOON + 6 * 3_600 + 120);
        assert_eq!(good_for(NOON, end, Some(refresh)), "good for 11 h 35 min (until 23:35 UTC), renewed from 18:02");
        assert_eq!(good_for(NOON, end, None), "good for 11 h 35 min (until 23:35 UTC)");
        assert_eq!(
            good_for(refresh, end, Some(refresh)),
            "good for 5 h 33 min (until 23:35 UTC), renewed by the next pull"
        );
        assert_eq!(good_for(NOON, NOON + 43_200, None), "good for 12 h (until 00:00 UTC)");
        assert_eq!(good_for(NOON + 3_600, NOON, Some(0)), "ended 1 h ago (12:00 UTC)");
        assert_eq!(good_for(NOON, NOON + 90_000, None), "good for 25 h (until 2026-04-02 13:00 UTC)");
        assert_eq!(ago(NOON + 300, NOON), "5 min ago (12:00 UTC)");
        assert_eq!(good_for(NOON, i64::MAX, None), format!("good for 106751991146756 days (until {} UTC)", i64::MAX));
    }
}
