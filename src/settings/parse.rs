//! The text of the settings file, read whole or not at all.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::error::SettingsError;
use super::raw::{RawEntry, RawFile, Seconds};
use super::{
    AssumeRoleSettings, CredentialSettings, RegistryRule, RuleLocation, Settings, pattern, plain, web_identity,
};
use crate::registry::{Registry, host_of};

/// The longest `timeout` that is taken for meant: an hour.
const LONGEST_TIMEOUT: f64 = 3600.0;

/// A rule that the text breaks: in which rule, at which key, and how.
struct Broken {
    rule: Option<usize>,
    key: &'static str,
    message: String,
}

/// Reads the settings.
pub(super) fn settings(path: &Path, text: &str) -> Result<Settings, SettingsError> {
    let raw = match plain::read(text) {
        Some(raw) => raw,
        None => full(text).map_err(|error| syntax(path, text, &error))?,
    };
    check(raw, path).map_err(|broken| SettingsError::Wrong {
        path: path.to_owned(),
        line: line_of_key(text, broken.rule, broken.key),
        key: Some(broken.key.to_owned()),
        message: broken.message,
    })
}

/// Reads any TOML.
pub(super) fn full(text: &str) -> Result<RawFile, toml::de::Error> {
    toml::from_str(text)
}

fn check(raw: RawFile, path: &Path) -> Result<Settings, Broken> {
    let top = |key, message: &str| Broken { rule: None, key, message: message.to_owned() };
    let timeout = match raw.timeout {
        None => None,
        Some(seconds) => {
            Some(duration(seconds).ok_or_else(|| top("timeout", "must be a number of seconds above 0, at most 3600"))?)
        }
    };
    if let Some(name) = &raw.delegate
        && (name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-')))
    {
        return Err(top("delegate", "must be the end of a helper's name, of letters, digits, '.', '_' and '-'"));
    }
    let mut registries = raw
        .registry
        .into_iter()
        .enumerate()
        .map(|(number, raw)| rule(raw).map_err(|(key, message)| Broken { rule: Some(number), key, message }))
        .collect::<Result<Vec<_>, _>>()?;
    let file: Arc<Path> = path.into();
    for (number, rule) in registries.iter_mut().enumerate().filter(|(_, rule)| rule.credentials.profile.is_some()) {
        rule.credentials.profile_at = Some(RuleLocation { file: Arc::clone(&file), rule: number });
    }
    for (number, rule) in registries.iter().enumerate() {
        let leads_to_alias = rule.alias_of.as_ref().is_some_and(|target| {
            registries.iter().find(|e| pattern::matches(&e.pattern, target)).is_some_and(|e| e.alias_of.is_some())
        });
        if leads_to_alias {
            let message = "leads to another alias; name the registry itself".to_owned();
            return Err(Broken { rule: Some(number), key: "alias_of", message });
        }
    }
    Ok(Settings {
        path: Some(path.to_owned()),
        timeout,
        strict: raw.strict.unwrap_or(false),
        delegate: raw.delegate,
        registries,
    })
}

fn rule(raw: RawEntry) -> Result<RegistryRule, (&'static str, String)> {
    if !pattern::is_pattern(&raw.r#match) {
        return Err(("match", "must be a host, in which '*' stands for characters within one label".to_owned()));
    }
    for (key, value) in [
        ("profile", &raw.profile),
        ("external_id", &raw.external_id),
        ("session_name", &raw.session_name),
        ("audience", &raw.audience),
    ] {
        if value.as_ref().is_some_and(|v| v.is_empty() || v.bytes().any(|b| b.is_ascii_control())) {
            return Err((key, "must not be empty or have control characters".to_owned()));
        }
    }
    let alias_of = match &raw.alias_of {
        None => None,
        Some(target) => Some(alias(&raw.r#match, target)?),
    };
    let anonymous = raw.anonymous.unwrap_or(false);
    if alias_of.is_some() || anonymous {
        check_alone(&raw, alias_of.is_some())?;
    }
    let web_identity = web_identity::parse(raw.web_identity.as_deref(), raw.audience)?;
    if web_identity.is_some() {
        let others = [("profile", raw.profile.is_some()), ("external_id", raw.external_id.is_some())];
        if let Some((key, _)) = others.into_iter().find(|(_, set)| *set) {
            return Err((key, "does not go with web_identity".to_owned()));
        }
    }
    let role = match raw.role_arn {
        Some(arn) if is_role_template(&arn) => {
            Some(AssumeRoleSettings { arn, external_id: raw.external_id, session_name: raw.session_name })
        }
        Some(_) => {
            return Err((
                "role_arn",
                "is no role: arn:aws:iam::ACCOUNT:role/NAME, with {account} and {region} at will".to_owned(),
            ));
        }
        None if raw.external_id.is_some() => return Err(("external_id", "needs role_arn".to_owned())),
        None if web_identity.is_some() => return Err(("web_identity", "needs role_arn".to_owned())),
        None if raw.session_name.is_some() => return Err(("session_name", "needs role_arn".to_owned())),
        None => None,
    };
    let credentials = CredentialSettings {
        profile: raw.profile,
        profile_at: None,
        role,
        web_identity,
        anonymous,
        cache: raw.cache.unwrap_or(true),
    };
    Ok(RegistryRule { pattern: raw.r#match, credentials, alias_of })
}

/// The entry of an alias or of an anonymous registry names no credentials.
fn check_alone(raw: &RawEntry, is_alias: bool) -> Result<(), (&'static str, String)> {
    let identity_keys = [
        ("profile", raw.profile.is_some()),
        ("role_arn", raw.role_arn.is_some()),
        ("external_id", raw.external_id.is_some()),
        ("session_name", raw.session_name.is_some()),
        ("web_identity", raw.web_identity.is_some()),
        ("audience", raw.audience.is_some()),
        ("anonymous", is_alias && raw.anonymous.is_some()),
        ("cache", is_alias && raw.cache.is_some()),
    ];
    let why = if is_alias {
        "does not go with alias_of: say it in an entry of the registry that it leads to"
    } else {
        "does not go with anonymous = true"
    };
    identity_keys.into_iter().find(|(_, set)| *set).map_or(Ok(()), |(key, _)| Err((key, why.to_owned())))
}

fn alias(pattern: &str, target: &str) -> Result<String, (&'static str, String)> {
    if pattern.contains('*') {
        return Err((
            "match",
            "must be literal where alias_of is: a wildcard would send tokens to strangers".to_owned(),
        ));
    }
    match (host_of(target), Registry::parse(target)) {
        (Some(host), Some(_)) if host.eq_ignore_ascii_case(target) => Ok(host),
        _ => Err(("alias_of", "must be the host of an ECR registry".to_owned())),
    }
}

/// Whether the ARN, once `{account}` and `{region}` are filled in, is a role's.
fn is_role_template(template: &str) -> bool {
    let filled = template.replace("{account}", "123456789012").replace("{region}", "us-east-1");
    let mut parts = filled.splitn(6, ':');
    let mut next = || parts.next().unwrap_or_default();
    // aws, aws-cn, aws-us-gov, aws-iso-b...
    let is_partition = |name: &str| {
        name.starts_with("aws") && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    };
    let well_formed = next() == "arn" && is_partition(next()) && next() == "iam" && next().is_empty();
    let account = next();
    let name = next().strip_prefix("role/");
    well_formed
        && account.len() == 12
        && account.bytes().all(|b| b.is_ascii_digit())
        && name.is_some_and(|name| {
            !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"+=,.@_-/".contains(&b))
        })
}

fn duration(seconds: Seconds) -> Option<Duration> {
    let seconds = match seconds {
        #[expect(clippy::cast_precision_loss, reason = "what is large enough to lose digits is refused below")]
        Seconds::Whole(seconds) => seconds as f64,
        Seconds::Fraction(seconds) => seconds,
    };
    super::timeout(seconds).filter(|_| seconds <= LONGEST_TIMEOUT)
}

/// Says where TOML or the types are wrong. The parser's own message has the text of the line in it; the key is
/// what stands before the `=` there.
fn syntax(path: &Path, text: &str, error: &toml::de::Error) -> SettingsError {
    let start = error.span().map_or(0, |span| span.start.min(text.len()));
    let before = text.get(..start).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    let key = text
        .lines()
        .nth(line - 1)
        .and_then(|line| line.split_once('='))
        .map(|(key, _)| key.trim())
        .filter(|key| !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-')))
        .map(str::to_owned);
    let mut message = error.message().split_whitespace().collect::<Vec<_>>().join(" ");
    if cfg!(windows) && text.lines().nth(line - 1).is_some_and(|line| line.contains('\\')) {
        message.push_str(" (in double quotes a backslash begins an escape: put a path in single quotes)");
    }
    SettingsError::Wrong { path: path.to_owned(), line, key, message }
}

/// The line of a key, for a message: found by a second reading that keeps positions, which the first does
/// without.
pub(super) fn line_of_key(text: &str, rule: Option<usize>, key: &str) -> usize {
    let find = || {
        let document = toml_edit::Document::parse(text).ok()?;
        let span = match rule {
            None => document.as_table().get_key_value(key)?.0.span(),
            Some(number) => {
                let item = document.as_table().get("registry")?;
                match item.as_array_of_tables() {
                    Some(tables) => tables.get(number)?.get_key_value(key)?.0.span(),
                    None => item.as_array()?.get(number)?.as_inline_table()?.get_key_value(key)?.0.span(),
                }
            }
        };
        Some(text.get(..span?.start)?.matches('\n').count() + 1)
    };
    find().unwrap_or(1)
}
