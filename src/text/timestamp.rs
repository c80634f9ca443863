//! Times as AWS's tools write them.

use std::time::{Duration, SystemTime};

use time::format_description::well_known::{Rfc2822, Rfc3339};
use time::{OffsetDateTime, macros::format_description};

/// Reads a time: RFC 3339, and what the AWS CLI, credential processes and the CLI's readers write or take besides:
/// `2026-01-31T12:00:00UTC` of old CLIs, a blank for the `T`, `+0000`, no zone at all for UTC, `20260131T120000Z`, and
/// RFC 2822 (`Sat, 31 Jan 2026 12:00:00 GMT`).
pub fn parse(text: &str) -> Option<SystemTime> {
    let text = text.trim();
    let at = rfc3339(text).or_else(|| OffsetDateTime::parse(text, &Rfc2822).ok())?;
    let seconds = at.unix_timestamp();
    let since = Duration::new(seconds.unsigned_abs(), 0);
    if seconds < 0 { SystemTime::UNIX_EPOCH.checked_sub(since) } else { SystemTime::UNIX_EPOCH.checked_add(since) }
}

fn rfc3339(text: &str) -> Option<OffsetDateTime> {
    let (moment, zone) = split_zone(text)?;
    let moment = match compact(moment) {
        Some(spelled_out) => spelled_out,
        None => moment.replacen(' ', "T", 1),
    };
    OffsetDateTime::parse(&format!("{moment}{zone}"), &Rfc3339).ok()
}

/// `20260131T120000` as `2026-01-31T12:00:00`.
fn compact(moment: &str) -> Option<String> {
    let (date, time) = moment.split_once('T')?;
    let are_digits = |text: &str, length| text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit());
    (are_digits(date, 8) && are_digits(time, 6))
        .then(|| format!("{}-{}-{}T{}:{}:{}", &date[..4], &date[4..6], &date[6..], &time[..2], &time[2..4], &time[4..]))
}

/// The date and time, and the zone in RFC 3339's form.
fn split_zone(text: &str) -> Option<(&str, String)> {
    if let Some(moment) = text.strip_suffix("UTC").or_else(|| text.strip_suffix(['Z', 'z'])) {
        return Some((moment.trim_end(), "Z".to_owned()));
    }
    // The date has two dashes of its own, in its first ten bytes.
    let Some(at) = text.rfind(['+', '-']).filter(|at| *at > 10) else {
        return Some((text, "Z".to_owned()));
    };
    let (moment, zone) = text.split_at(at);
    match (zone.len(), zone.as_bytes().get(3)) {
        (6, Some(b':')) => Some((moment.trim_end(), zone.to_owned())),
        (5, Some(_)) if zone.is_ascii() => Some((moment.trim_end(), format!("{}:{}", &zone[..3], &zone[3..]))),
        (3, None) => Some((moment.trim_end(), format!("{zone}:00"))),
        _ => None,
    }
}

/// A time as the AWS CLI writes it, to the second, in UTC: `2026-01-31T12:00:00Z`.
pub fn text(at: SystemTime) -> String {
    let seconds = at.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let format = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z");
    i64::try_from(seconds)
        .ok()
        .and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok())
        .and_then(|at| at.format(format).ok())
        .unwrap_or_else(|| "a time out of range".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_that_tools_write_is_the_same_moment() {
        let expected = SystemTime::UNIX_EPOCH + Duration::from_secs(1_775_044_800);
        for form in [
            "2026-04-01T12:00:00Z",
            "2026-04-01T12:00:00UTC",
            "2026-04-01T12:00:00.123456Z",
            "2026-04-01 12:00:00 UTC",
            "2026-04-01T14:00:00+02:00",
            "2026-04-01T12:00:00+0000",
            "2026-04-01T07:00:00-05",
            "2026-04-01T12:00:00",
            "20260401T120000Z",
            "20260401T140000+0200",
            "Wed, 01 Apr 2026 12:00:00 GMT",
            "Wed, 01 Apr 2026 14:00:00 +0200",
        ] {
            assert_eq!(parse(form), Some(expected), "{form}");
        }
        assert_eq!(text(expected), "2026-04-01T12:00:00Z");
    }

    #[test]
    fn what_is_no_time_is_none() {
        for form in ["", "soon", "1775044800", "2026-04-01", "2026-13-01T12:00:00Z", "2026-04-01T12:00:00+ä", "äUTC"]
        {
            assert_eq!(parse(form), None, "{form}");
        }
    }
}
