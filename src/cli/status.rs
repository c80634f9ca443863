//! `status`: which registries have a token, whose it is, how long it lasts, and where everything lies.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::arguments::Format;
use super::terminal::{self, Paint};
use crate::PROGRAM;
use crate::cache::{Cache, Entry, LastFailure};
use crate::os::clock;
use crate::os::environment::Environment;
use crate::registry::Registry;
use crate::settings::Settings;
use crate::text::printable::one_line;

/// All that `status` says.
#[derive(Debug, Serialize)]
struct Status {
    version: &'static str,
    cache: Place,
    settings: Place,
    tokens: Vec<Token>,
    /// The last reason that a `get` gave.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_failure: Option<LastFailure>,
    #[serde(skip)]
    now: i64,
}

/// A file or directory of ours, and what is wrong with it.
#[derive(Debug, Serialize)]
struct Place {
    path: Option<PathBuf>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
}

/// One cached token.
#[derive(Debug, Serialize)]
struct Token {
    registry: String,
    region: Option<String>,
    identity: String,
    issued_at: Option<String>,
    refresh_at: Option<String>,
    expires_at: Option<String>,
    age_seconds: i64,
    refresh_in_seconds: i64,
    expires_in_seconds: i64,
    expired: bool,
}

/// Runs the command.
pub(super) fn run(wanted: Format, environment: &Environment) -> ExitCode {
    let status = Status::find(environment, clock::seconds());
    if wanted.json {
        let mut text = serde_json::to_string_pretty(&status).unwrap_or_default();
        text.push('\n');
        return terminal::write_stdout(&text);
    }
    terminal::write_stdout(&status.text(Paint::for_stdout(environment)))
}

impl Status {
    fn find(environment: &Environment, now: i64) -> Self {
        let cache = Cache::open(environment);
        let entries = cache.as_ref().map(Cache::entries).unwrap_or_default();
        let settings = match Settings::load(environment) {
            Ok(settings) => Place { path: settings.path, warnings: Vec::new() },
            Err(error) => Place { path: None, warnings: vec![error.to_string()] },
        };
        Self {
            version: env!("CARGO_PKG_VERSION"),
            cache: Place {
                path: cache.as_ref().and_then(|cache| cache.path().map(PathBuf::from)),
                warnings: cache.as_ref().map(|cache| [cache.warnings(), cache.unread()].concat()).unwrap_or_default(),
            },
            settings,
            tokens: entries.into_iter().map(|entry| Token::of(entry, now)).collect(),
            last_failure: cache.as_ref().and_then(Cache::last_failure),
            now,
        }
    }

    fn text(&self, paint: Paint) -> String {
        let mut text = String::new();
        for token in &self.tokens {
            let _ = writeln!(text, "{}", paint.strong(&token.registry));
            let region = token.region.as_deref().map_or(String::new(), |region| format!(", region {region}"));
            let _ = writeln!(text, "  {}{region}", one_line(&token.identity));
            let _ = writeln!(text, "  {}", token.times(paint));
        }
        if self.tokens.is_empty() {
            let _ = writeln!(text, "No tokens are cached; the first pull fetches one.");
        }
        let count = match self.tokens.len() {
            1 => "1 token".to_owned(),
            count => format!("{count} tokens"),
        };
        let cache = match &self.cache.path {
            Some(path) => format!("{} ({count})", one_line(&path.display().to_string())),
            None => "none: turned off, or there is no place for it".to_owned(),
        };
        let settings = match &self.settings.path {
            Some(path) => one_line(&path.display().to_string()),
            None if self.settings.warnings.is_empty() => "no file, so the defaults".to_owned(),
            None => "not usable".to_owned(),
        };
        let _ = writeln!(text, "\ncache     {cache}\nsettings  {settings}");
        if let Some(LastFailure { at, line }) = &self.last_failure {
            let _ = writeln!(text, "last failure, {} ago: {}", span(self.now.saturating_sub(*at)), one_line(line));
        }
        for warning in self.cache.warnings.iter().chain(&self.settings.warnings) {
            let _ = writeln!(text, "{} {}", paint.bad("wrong:"), one_line(warning));
        }
        if !self.settings.warnings.is_empty() {
            let _ = writeln!(text, "Run {PROGRAM} doctor for what to do.");
        }
        text
    }
}

impl Token {
    fn of(entry: Entry, now: i64) -> Self {
        let times = entry.times;
        Self {
            region: Registry::parse(&entry.registry).map(|registry| registry.region().to_owned()),
            registry: entry.registry,
            identity: entry.label,
            issued_at: moment(times.issued_at),
            refresh_at: moment(times.refresh_at),
            expires_at: moment(times.expires_at),
            age_seconds: now.saturating_sub(times.issued_at),
            refresh_in_seconds: times.refresh_at.saturating_sub(now),
            expires_in_seconds: times.expires_at.saturating_sub(now),
            expired: times.expires_at <= now,
        }
    }

    fn times(&self, paint: Paint) -> String {
        let age = span(self.age_seconds);
        if self.expired {
            return paint.weak(&format!(
                "{age} old, ended {} ago: the next pull fetches a new one",
                span(-self.expires_in_seconds)
            ));
        }
        let refresh = match self.refresh_in_seconds {
            left if left > 0 => format!("refreshed by a pull after {}", span(left)),
            _ => "refreshed by the next pull".to_owned(),
        };
        format!("{age} old, {refresh}, ends in {}", span(self.expires_in_seconds))
    }
}

fn moment(at: i64) -> Option<String> {
    OffsetDateTime::from_unix_timestamp(at).ok()?.format(&Rfc3339).ok()
}

/// A span of time as people say it, in its two largest units.
fn span(seconds: i64) -> String {
    let seconds = seconds.max(0);
    let (hours, minutes) = (seconds / 3600, seconds % 3600 / 60);
    match (hours, minutes) {
        (0, 0) => format!("{seconds} s"),
        (0, _) => format!("{minutes} min"),
        (_, 0) => format!("{hours} h"),
        _ => format!("{hours} h {minutes} min"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_said_in_its_two_largest_units() {
        for (seconds, said) in [(-5, "0 s"), (59, "59 s"), (60, "1 min"), (7200, "2 h"), (7260, "2 h 1 min")] {
            assert_eq!(span(seconds), said);
        }
    }
}
