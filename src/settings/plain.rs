//! The warm path's reader for the plain shape that nearly every settings file has: `[[registry]]` headers and
//! `key = value` lines with plain strings, whole numbers, decimals and booleans.
//!
//! Twenty registries cost the full TOML parser 430,000 instructions, more than everything else that a cached `get`
//! does. Whatever is not of the plain shape, be it other TOML or an error, gives `None` here and goes to the full
//! parser, which alone says what is wrong. A property holds the two against each other (`tests.rs`).

use super::raw::{RawEntry, RawFile, Seconds};

/// Room for as many entries as most files have, so that they are not moved again and again.
const EXPECTED: usize = 32;

/// A value of the plain shape.
enum Value<'a> {
    Text(&'a str),
    Flag(bool),
    Number(Seconds),
}

/// Reads `text` if it is of the plain shape throughout.
pub(super) fn read(text: &str) -> Option<RawFile> {
    if has_strange_bytes(text.as_bytes()) {
        return None;
    }
    let mut file = RawFile::default();
    let mut entries: Vec<(RawEntry, bool)> = Vec::with_capacity(EXPECTED);
    let mut start = 0;
    while start <= text.len() {
        let end = text[start..].find('\n').map_or(text.len(), |length| start + length);
        // What is left of ASCII's white space are the blanks that TOML knows.
        let line = text[start..end].trim_ascii();
        start = end + 1;
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(rest) = line.strip_prefix("[[registry]]") {
            ends(rest)?;
            entries.push((RawEntry::default(), false));
            continue;
        }
        let sign = line.bytes().position(|byte| byte == b'=')?;
        let key = line[..sign].trim_ascii_end();
        let value = value(line[sign + 1..].trim_ascii_start())?;
        match entries.last_mut() {
            None => set_top(&mut file, key, value)?,
            Some((rule, has_match)) => set(rule, has_match, key, value)?,
        }
    }
    file.registry = entries.into_iter().map(|(rule, has_match)| has_match.then_some(rule)).collect::<Option<_>>()?;
    Some(file)
}

/// Whether there are control characters other than tab and line feed, which the plain shape does without (a file with
/// CRLF is for the full parser). Eight bytes at a time: one by one this was the dearest loop of a cached `get`.
fn has_strange_bytes(bytes: &[u8]) -> bool {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    let is_strange = |b: &u8| b.is_ascii_control() && !matches!(b, b'\t' | b'\n');
    // The top bit of a byte is set where one below 0x20, or a 0x7f, is among the eight ("Bit Twiddling Hacks", hasless).
    let may_be_strange = |eight: &[u8; 8]| {
        let (eight, deleted) = (u64::from_ne_bytes(*eight), u64::from_ne_bytes(*eight) ^ (0x7f * ONES));
        (eight.wrapping_sub(0x20 * ONES) & !eight | deleted.wrapping_sub(ONES) & !deleted) & (0x80 * ONES) != 0
    };
    let (eights, rest) = bytes.as_chunks::<8>();
    eights.iter().any(|eight| may_be_strange(eight) && eight.iter().any(is_strange)) || rest.iter().any(is_strange)
}

/// Nothing but blanks and a comment may follow.
fn ends(rest: &str) -> Option<()> {
    let rest = rest.trim_ascii_start();
    (rest.is_empty() || rest.starts_with('#')).then_some(())
}

fn value(text: &str) -> Option<Value<'_>> {
    if let Some(rest) = text.strip_prefix('"') {
        let end = rest.find('"').filter(|end| !rest.as_bytes()[..*end].contains(&b'\\'))?;
        ends(&rest[end + 1..])?;
        return Some(Value::Text(&rest[..end]));
    }
    let word = text.split(['#', ' ', '\t']).next()?;
    ends(&text[word.len()..])?;
    match word {
        "true" => Some(Value::Flag(true)),
        "false" => Some(Value::Flag(false)),
        _ => number(word).map(Value::Number),
    }
}

/// Digits, or digits, a point and digits; without a leading zero, which TOML does not allow.
fn number(word: &str) -> Option<Seconds> {
    let digits = |part: &str| !part.is_empty() && part.len() <= 9 && part.bytes().all(|b| b.is_ascii_digit());
    let whole = |part: &str| digits(part) && (part == "0" || !part.starts_with('0'));
    match word.split_once('.') {
        None if whole(word) => word.parse().ok().map(Seconds::Whole),
        Some((before, after)) if whole(before) && digits(after) => word.parse().ok().map(Seconds::Fraction),
        _ => None,
    }
}

fn set_top(file: &mut RawFile, key: &str, value: Value<'_>) -> Option<()> {
    match (key, value) {
        ("timeout", Value::Number(seconds)) => once(&mut file.timeout, seconds),
        ("strict", Value::Flag(flag)) => once(&mut file.strict, flag),
        ("delegate", Value::Text(text)) => once(&mut file.delegate, text.to_owned()),
        _ => None,
    }
}

fn set(rule: &mut RawEntry, has_match: &mut bool, key: &str, value: Value<'_>) -> Option<()> {
    match (key, value) {
        ("match", Value::Text(text)) if !*has_match => {
            *has_match = true;
            rule.r#match = text.to_owned();
            Some(())
        }
        ("profile", Value::Text(text)) => once(&mut rule.profile, text.to_owned()),
        ("role_arn", Value::Text(text)) => once(&mut rule.role_arn, text.to_owned()),
        ("external_id", Value::Text(text)) => once(&mut rule.external_id, text.to_owned()),
        ("session_name", Value::Text(text)) => once(&mut rule.session_name, text.to_owned()),
        ("web_identity", Value::Text(text)) => once(&mut rule.web_identity, text.to_owned()),
        ("audience", Value::Text(text)) => once(&mut rule.audience, text.to_owned()),
        ("alias_of", Value::Text(text)) => once(&mut rule.alias_of, text.to_owned()),
        ("anonymous", Value::Flag(flag)) => once(&mut rule.anonymous, flag),
        ("cache", Value::Flag(flag)) => once(&mut rule.cache, flag),
        _ => None,
    }
}

/// A key that stands twice is an error, which the full parser tells of.
fn once<T>(slot: &mut Option<T>, value: T) -> Option<()> {
    slot.replace(value).is_none().then_some(())
}
