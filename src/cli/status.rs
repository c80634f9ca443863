//! `status`: the identity that would be used for each configured registry, which tokens there are and how long they last, and where
//! everything is.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::arguments::Format;
use super::layout::Layout;
use super::terminal::{self, Paint};
use super::{configured, no_cache};
use crate::PROGRAM;
use crate::aws::sign_in_is_due;
use crate::cache::{Cache, Entry, LastFailure};
use crate::credentials::{CacheKey, CredentialSelector, Identity};
use crate::os::clock;
use crate::os::environment::Environment;
use crate::registry::{Registry, Service};
use crate::settings::Settings;
use crate::text::printable::{one_line, without_errno};
use crate::text::span;
use crate::text::user_error::{Kind, UserError};

/// Where the text of a row begins, behind `  used now   `.
const COLUMN: usize = 13;

/// All that `status` says.
#[derive(Debug, Serialize)]
struct Status {
    version: &'static str,
    cache: Place,
    settings: Place,
    /// The registries that are configured, and those that have a token.
    registries: Vec<Row>,
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
    /// Why no token is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
}

/// One registry: the identity that would be used for it now.
#[derive(Debug, Serialize)]
struct Row {
    /// As a client names it.
    registry: String,
    region: Option<String>,
    /// Whether a client's file or the settings name it; otherwise it is here for its tokens alone.
    configured: bool,
    /// Whose token a `get` would answer with; none where none is used.
    identity: Option<String>,
    /// Whether there is a token of this identity that a `get` would answer with.
    has_token: bool,
    /// Why there is no identity, or why its token is not kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// Why the next fetch would fail: a person has to sign in first.
    #[serde(skip_serializing_if = "Option::is_none")]
    sign_in: Option<String>,
    /// The identity in words for people.
    #[serde(skip)]
    described: String,
    /// The host whose tokens open it: another one for an alias.
    #[serde(skip)]
    host: String,
    #[serde(skip)]
    key: Option<CacheKey>,
}

/// One cached token.
#[derive(Debug, Serialize)]
struct Token {
    registry: String,
    region: Option<String>,
    identity: String,
    /// Whether a `get` would answer with it now, until it ends.
    used_now: bool,
    issued_at: Option<String>,
    refresh_at: Option<String>,
    expires_at: Option<String>,
    age_seconds: i64,
    refresh_in_seconds: i64,
    expires_in_seconds: i64,
    expired: bool,
    #[serde(skip)]
    key: CacheKey,
    /// `good for ...`
    #[serde(skip)]
    good: String,
}

/// Runs the command.
pub(super) fn run(wanted: Format, environment: &Environment) -> ExitCode {
    let status = Status::find(environment, clock::seconds());
    if wanted.json {
        let mut text = serde_json::to_string_pretty(&status).unwrap_or_default();
        text.push('\n');
        return terminal::write_stdout(&text);
    }
    terminal::write_stdout(&status.text(Paint::for_stdout(environment), &Layout::for_stdout(environment)))
}

impl Status {
    fn find(environment: &Environment, now: i64) -> Self {
        let cache = Cache::open(environment);
        let entries = cache.as_ref().map(Cache::entries).unwrap_or_default();
        let (settings, place) = match Settings::load(environment) {
            Ok(settings) => {
                let path = settings.path.clone();
                (Some(settings), Place { path, reason: None, warnings: Vec::new() })
            }
            Err(error) => (None, Place { path: None, reason: None, warnings: vec![error.to_string()] }),
        };
        let mut tokens: Vec<Token> = entries.into_iter().map(|entry| Token::of(entry, now)).collect();
        let registries = rows(environment, settings.as_ref(), &mut tokens, now);
        let unread = |cache: &Cache| {
            let lines = [cache.warnings(), cache.unread()].concat();
            lines.iter().map(|line| without_errno(line).into_owned()).collect()
        };
        Self {
            version: env!("CARGO_PKG_VERSION"),
            cache: Place {
                path: cache.as_ref().and_then(|cache| cache.path().map(PathBuf::from)),
                warnings: cache.as_ref().map(unread).unwrap_or_default(),
                reason: no_cache::reason(environment, cache.as_ref()).map(|it| without_errno(&it).into_owned()),
            },
            settings: place,
            registries,
            tokens,
            last_failure: cache.as_ref().and_then(Cache::last_failure),
            now,
        }
    }

    fn text(&self, paint: Paint, layout: &Layout) -> String {
        let mut text = String::new();
        for row in &self.registries {
            text.push_str(&layout.line(&paint.strong(&one_line(&row.registry)), 2));
            text.push_str(&row.text(&self.tokens, paint, layout));
        }
        if self.registries.is_empty() {
            let _ = writeln!(text, "No tokens are cached; the first pull fetches one.");
        }
        let count = match self.tokens.len() {
            1 => "1 token".to_owned(),
            count => format!("{count} tokens"),
        };
        let cache = match (&self.cache.path, &self.cache.reason) {
            (Some(path), _) => format!("{} ({count})", one_line(&path.display().to_string())),
            (None, _) => "none".to_owned(),
        };
        let settings = match &self.settings.path {
            Some(path) => one_line(&path.display().to_string()),
            None if self.settings.warnings.is_empty() => "no file, so the defaults".to_owned(),
            None => "not usable".to_owned(),
        };
        text.push('\n');
        text.push_str(&layout.line(&format!("cache     {cache}"), 10));
        // What is not trusted is said below, in the same words.
        if let Some(reason) = self.cache.reason.as_ref().filter(|reason| !self.cache.warnings.contains(reason)) {
            let line = format!("          {}, so each pull asks ECR", paint.middling(&one_line(reason)));
            text.push_str(&layout.line(&line, 10));
        }
        text.push_str(&layout.line(&format!("settings  {settings}"), 10));
        if let Some(LastFailure { at, line }) = &self.last_failure {
            let line = format!("last failure, {}: {}", span::ago(self.now, *at), one_line(line));
            text.push_str(&layout.line(&line, 2));
        }
        for warning in self.cache.warnings.iter().chain(&self.settings.warnings) {
            text.push_str(&layout.line(&format!("{} {}", paint.bad("wrong:"), one_line(warning)), 2));
        }
        if !self.settings.warnings.is_empty() {
            let _ = writeln!(text, "Run {PROGRAM} doctor for what to do.");
        }
        text
    }
}

/// The configured registries, each with the identity that would be used now, then those that have a token and are not configured. Marks the
/// tokens that a `get` would answer with.
fn rows(environment: &Environment, settings: Option<&Settings>, tokens: &mut [Token], now: i64) -> Vec<Row> {
    let configured = settings.map(|settings| configured::registries(environment, settings)).unwrap_or_default();
    let mut rows: Vec<Row> = Vec::new();
    for name in configured {
        rows.extend(Row::of(environment, settings, name, true, now));
    }
    for token in &*tokens {
        if !rows.iter().any(|row| row.host == token.registry) {
            rows.extend(Row::of(environment, settings, token.registry.clone(), false, now));
        }
    }
    for token in tokens {
        let uses = |row: &&mut Row| row.host == token.registry && row.key == Some(token.key);
        for row in rows.iter_mut().filter(uses) {
            token.used_now = true;
            row.has_token = !token.expired;
        }
    }
    rows
}

impl Row {
    fn of(
        environment: &Environment,
        settings: Option<&Settings>,
        registry: String,
        configured: bool,
        now: i64,
    ) -> Option<Self> {
        let unknown = Self {
            region: Registry::parse(&registry).map(|registry| registry.region().to_owned()),
            host: registry.clone(),
            registry,
            configured,
            identity: None,
            has_token: false,
            reason: None,
            sign_in: None,
            described: String::new(),
            key: None,
        };
        let Some(settings) = settings else {
            return Some(Self { reason: Some("the settings file cannot be used".to_owned()), ..unknown });
        };
        let target = settings.target(&unknown.registry)?;
        let host = target.registry.host().to_owned();
        let row = Self { region: Some(target.registry.region().to_owned()), host, ..unknown };
        if target.credentials.anonymous {
            return Some(Self { reason: Some("anonymous by the settings".to_owned()), ..row });
        }
        let selector = CredentialSelector::Settings(&target.credentials);
        Some(match Identity::resolve(environment, selector, &target.registry) {
            Ok(identity) => {
                let key = identity.cache_key(now).copied();
                let reason = match key {
                    _ if !target.credentials.cache => Some("the settings say cache = false here"),
                    None => Some("these credentials cannot be told from others', so each pull asks ECR"),
                    Some(_) => None,
                };
                let key = key.filter(|_| target.credentials.cache);
                let described = identity.described().into_owned();
                let sign_in = sign_in_is_due(&identity.source).map(|failure| failure.to_string());
                let reason = reason.map(str::to_owned);
                Self { identity: Some(identity.label), reason, sign_in, described, key, ..row }
            }
            Err(error) => {
                let failure = UserError::from(error);
                let is_public = target.registry.service() == Service::Public && failure.kind == Kind::NoCredentials;
                let reason =
                    if is_public { "no credentials, so pulls are anonymous".to_owned() } else { failure.to_string() };
                Self { reason: Some(reason), ..row }
            }
        })
    }

    fn text(&self, tokens: &[Token], paint: Paint, layout: &Layout) -> String {
        let mut text = String::new();
        let region = self.region.as_deref().map_or(String::new(), |region| format!(", region {region}"));
        let mut row = |label: &str, said: &str, paint: &dyn Fn(&str) -> String| {
            text.push_str(&layout.line(&format!("  {label:<11}{}", paint(&one_line(said))), COLUMN));
        };
        let plain = |said: &str| said.to_owned();
        let weak = |said: &str| paint.weak(said);
        let middling = |said: &str| paint.middling(said);
        let own = tokens.iter().filter(|token| token.registry == self.host);
        let (used, others): (Vec<&Token>, Vec<&Token>) = own.partition(|token| self.key == Some(token.key));
        match (&self.identity, &self.reason) {
            (Some(_), reason) => {
                row("used now", &format!("{}{region}", self.described), &plain);
                let is_good = used.first().is_some_and(|token| !token.expired);
                match (used.first(), reason) {
                    (Some(token), _) => row("", &token.good, if token.expired { &weak } else { &plain }),
                    (None, Some(reason)) => row("", &format!("no token is kept: {reason}"), &middling),
                    (None, None) if self.sign_in.is_some() => row("", "no token", &plain),
                    (None, None) => row("", "no token; the next pull asks ECR for one", &plain),
                }
                if let Some(reason) = self.sign_in.as_ref().filter(|_| !is_good) {
                    row("", reason, &middling);
                }
            }
            (None, reason) => {
                row("used now", &format!("no credentials: {}", reason.as_deref().unwrap_or_default()), &middling)
            }
        }
        for (identity, tokens) in by_identity(others) {
            let count = match tokens.len() {
                1 => String::new(),
                count => format!(" ({count} tokens)"),
            };
            row("another", &format!("{identity}{count}, not used now"), &weak);
            row("", tokens.first().map_or("", |token| &token.good), &weak);
        }
        text
    }
}

/// The tokens of each identity, the one that lasts longest first: people cannot tell apart those of one name.
fn by_identity(mut tokens: Vec<&Token>) -> Vec<(&str, Vec<&Token>)> {
    tokens.sort_by_key(|token| std::cmp::Reverse(token.expires_in_seconds));
    let mut found: Vec<(&str, Vec<&Token>)> = Vec::new();
    for token in tokens {
        match found.iter_mut().find(|(identity, _)| *identity == token.identity) {
            Some((_, known)) => known.push(token),
            None => found.push((&token.identity, vec![token])),
        }
    }
    found
}

impl Token {
    fn of(entry: Entry, now: i64) -> Self {
        let times = entry.times;
        Self {
            region: Registry::parse(&entry.registry).map(|registry| registry.region().to_owned()),
            registry: entry.registry,
            identity: entry.label,
            used_now: false,
            issued_at: moment(times.issued_at),
            refresh_at: moment(times.refresh_at),
            expires_at: moment(times.expires_at),
            age_seconds: now.saturating_sub(times.issued_at),
            refresh_in_seconds: times.refresh_at.saturating_sub(now),
            expires_in_seconds: times.expires_at.saturating_sub(now),
            expired: times.expires_at <= now,
            key: entry.cache_key,
            good: span::good_for(now, times.expires_at, Some(times.refresh_at)),
        }
    }
}

fn moment(at: i64) -> Option<String> {
    OffsetDateTime::from_unix_timestamp(at).ok()?.format(&Rfc3339).ok()
}
