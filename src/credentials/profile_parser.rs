//! The grammar of AWS's shared config and credentials files, as the AWS SDK for Rust reads it
//! (aws-runtime's `env_config`): every line is checked, so that a file the SDK refuses is refused here, but
//! only the sections that somebody asks for are taken apart. Borrows from the text.
//!
//! <https://docs.aws.amazon.com/sdkref/latest/guide/file-format.html>

use std::borrow::Cow;

use crate::text::scan::{find, find_either};

/// What the grammar takes for blanks; other white space is part of names and values.
const BLANK: [char; 2] = [' ', '\t'];

/// Which of the two files a text is; they spell section names differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// `~/.aws/config`: `[default]`, `[profile NAME]`, `[sso-session NAME]`, `[services NAME]`.
    Config,
    /// `~/.aws/credentials`: `[NAME]`.
    Credentials,
}

/// A line that the grammar does not allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed {
    /// Its number; the first is 1.
    pub line: usize,
    /// What is wrong with it.
    pub reason: &'static str,
}

/// What a section is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Group {
    /// A profile; `[profile default]` is told from `[default]`, since it replaces it.
    Profile { prefixed: bool },
    /// `[sso-session NAME]`.
    SsoSession,
    /// `[services NAME]`.
    Services,
    /// A section whose name is not spelled as its file wants it: `[NAME]` in the config file, `[profile NAME]` in
    /// the credentials file. It counts for nothing; messages name it, as it is a common mistake.
    Misspelled,
}

#[derive(Clone, Copy)]
struct Section<'a> {
    group: Group,
    name: &'a str,
    body: &'a str,
}

/// The sections of one file.
#[derive(Debug, Default)]
pub(super) struct Sections<'a> {
    list: Vec<Section<'a>>,
    /// There is a `[profile default]`, so `[default]` counts for nothing.
    default_is_prefixed: bool,
}

impl std::fmt::Debug for Section<'_> {
    /// Without the body: it may hold keys.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?} {}", self.group, self.name)
    }
}

/// Keys (in lower case) and values of one or more sections, in the order of the file.
pub(super) type Properties<'a> = Vec<(Cow<'a, str>, Cow<'a, str>)>;

/// Where a line begins, where it ends, and where the next one begins.
type Span = (usize, usize, usize);

/// What the lines so far mean for the next one.
enum State {
    /// No section has begun.
    Start,
    /// A section has begun, and no property in it.
    Section,
    /// The last property's line; `nested` once it is known whether its value is empty.
    Property { line: Span, nested: Option<bool> },
}

/// The value of `key`: the last one counts.
pub(super) fn get<'p>(properties: &'p Properties<'_>, key: &str) -> Option<&'p str> {
    properties.iter().rev().find(|(k, _)| k == key).map(|(_, value)| &**value)
}

impl<'a> Sections<'a> {
    /// Checks every line of `text` and notes where the sections are.
    pub(super) fn parse(text: &'a str, kind: Kind) -> Result<Self, Malformed> {
        let mut sections = Self { list: Vec::with_capacity(64), default_is_prefixed: false };
        let mut state = State::Start;
        // The section that is being read, and where its body begins.
        let mut open: Option<(Group, &str)> = None;
        let mut begin = 0;
        let bytes = text.as_bytes();
        let comment_from = |at: usize| find_either(b'#', b';', &bytes[at..]).map_or(bytes.len(), |n| at + n);
        // No comment sign stands between the beginning of the line and here.
        let mut comment = comment_from(0);
        let mut start = 0;
        let mut number = 0;
        while start < bytes.len() {
            number += 1;
            let refuse = |reason| Malformed { line: number, reason };
            let (end, next) = match find(b'\n', &bytes[start..]) {
                Some(length) => (start + length, start + length + 1),
                None => (bytes.len(), bytes.len()),
            };
            match bytes[start] {
                b'\n' | b'#' | b';' => {}
                b'\r' if end == start + 1 && next > end => {}
                b'[' => {
                    sections.close(open.take(), &text[begin..start]);
                    let line = line(text, (start, end, next));
                    open = match plain_profile(line, kind) {
                        Some(name) => Some((Group::Profile { prefixed: kind == Kind::Config }, name)),
                        None => section(header(line).map_err(refuse)?, kind),
                    };
                    begin = next;
                    state = State::Section;
                }
                b' ' | b'\t' => {
                    let line = line(text, (start, end, next));
                    if !trim(line).is_empty() {
                        state.check_continuation(text, line).map_err(refuse)?;
                    }
                }
                first => {
                    if matches!(state, State::Start) {
                        return Err(refuse(if text.starts_with('\u{feff}') && number == 1 {
                            "the file begins with a byte order mark; save it as UTF-8 without one"
                        } else {
                            "a property before the first [section]"
                        }));
                    }
                    if comment < start {
                        comment = comment_from(start);
                    }
                    // Nearly every line: a name, then `=`, and no comment sign before it.
                    let sign = find(b'=', &bytes[start..]).map_or(bytes.len(), |n| start + n);
                    if first == b'=' || sign >= end || sign > comment {
                        property(line(text, (start, end, next))).map_err(refuse)?;
                    }
                    state = State::Property { line: (start, end, next), nested: None };
                }
            }
            start = next;
        }
        sections.close(open, &text[begin..]);
        Ok(sections)
    }

    fn close(&mut self, open: Option<(Group, &'a str)>, body: &'a str) {
        let Some((group, name)) = open else { return };
        if group == (Group::Profile { prefixed: true }) && name == "default" {
            self.default_is_prefixed = true;
        }
        self.list.push(Section { group, name, body });
    }

    /// Appends the properties of the profile `name` to `into`; whether there is such a profile.
    pub(super) fn profile(&self, name: &str, into: &mut Properties<'a>) -> bool {
        let mut found = false;
        for section in self.list.iter().filter(|section| section.name == name) {
            let Group::Profile { prefixed } = section.group else { continue };
            if prefixed || name != "default" || !self.default_is_prefixed {
                found = true;
                properties(section.body, into);
            }
        }
        found
    }

    /// The properties of `[sso-session name]` or `[services name]`.
    pub(super) fn section(&self, group: Group, name: &str) -> Option<Properties<'a>> {
        let mut into = None;
        for section in self.list.iter().filter(|section| section.group == group && section.name == name) {
            properties(section.body, into.get_or_insert_default());
        }
        into
    }

    /// Whether `name` stands in a section whose spelling belongs to the other file.
    pub(super) fn misspells(&self, name: &str) -> bool {
        self.list.iter().any(|section| section.group == Group::Misspelled && section.name == name)
    }

    /// The names of all profiles.
    pub(super) fn profile_names(&self) -> impl Iterator<Item = &'a str> {
        self.list.iter().filter(|section| matches!(section.group, Group::Profile { .. })).map(|section| section.name)
    }
}

impl State {
    fn check_continuation(&mut self, text: &str, continuation: &str) -> Result<(), &'static str> {
        match self {
            Self::Start => Err("an indented line before the first [section]"),
            Self::Section => Err("an indented line that continues no property"),
            Self::Property { line: of, nested } => {
                let nested =
                    *nested.get_or_insert_with(|| property(line(text, *of)).is_ok_and(|(_, value)| value.is_empty()));
                if nested { property(continuation).map(|_| ()) } else { Ok(()) }
            }
        }
    }
}

/// A line without its end (`\n` or `\r\n`; a `\r` alone at the end of the file is part of the line).
fn line(text: &str, (start, end, next): Span) -> &str {
    let line = &text[start..end];
    if next > end { line.strip_suffix('\r').unwrap_or(line) } else { line }
}

/// The text without blanks at either end.
fn trim(text: &str) -> &str {
    let filled = |byte: &u8| !matches!(byte, b' ' | b'\t');
    let bytes = text.as_bytes();
    let start = bytes.iter().position(filled).unwrap_or(bytes.len());
    let end = bytes.iter().rposition(filled).map_or(start, |last| last + 1);
    &text[start..end]
}

/// The name in a header as nearly all are: `[profile NAME]` or, in the credentials file, `[NAME]`, and no more.
fn plain_profile(line: &str, kind: Kind) -> Option<&str> {
    let opening = match kind {
        Kind::Config => "[profile ",
        Kind::Credentials => "[",
    };
    line.strip_prefix(opening)?.strip_suffix(']').filter(|name| is_identifier(name))
}

/// What stands between the brackets.
fn header(line: &str) -> Result<&str, &'static str> {
    let end = find_either(b'#', b';', line.as_bytes()).unwrap_or(line.len());
    trim(&line[..end])
        .strip_prefix('[')
        .and_then(|line| line.strip_suffix(']'))
        .ok_or("a section's name without its closing bracket")
}

/// What a section's header means; `None` for one that counts for nothing.
fn section(header: &str, kind: Kind) -> Option<(Group, &str)> {
    let header = trim(header);
    let split = header.split_once(BLANK).map(|(prefix, name)| (prefix.trim(), name.trim()));
    match (kind, split) {
        (Kind::Config, Some((prefix, name))) if is_identifier(name) => match prefix {
            "profile" => Some((Group::Profile { prefixed: true }, name)),
            "sso-session" => Some((Group::SsoSession, name)),
            "services" => Some((Group::Services, name)),
            _ => None,
        },
        (Kind::Config, None) if header.trim() == "default" => Some((Group::Profile { prefixed: false }, "default")),
        (Kind::Config, None) => Some((Group::Misspelled, header)),
        (Kind::Credentials, None) if is_identifier(header.trim()) => {
            Some((Group::Profile { prefixed: false }, header.trim()))
        }
        (Kind::Credentials, Some(("profile", name))) => Some((Group::Misspelled, name)),
        _ => None,
    }
}

/// Names are ASCII letters and digits and a few signs; the empty one passes, as it does in the SDK.
fn is_identifier(name: &str) -> bool {
    const ALLOWED: [bool; 256] = {
        let mut allowed = [false; 256];
        let mut byte = 0;
        while byte < 256 {
            #[expect(clippy::cast_possible_truncation, reason = "the loop ends at 256")]
            let character = byte as u8;
            allowed[byte] = character.is_ascii_alphanumeric()
                || matches!(character, b'_' | b'-' | b'/' | b'.' | b'%' | b'@' | b':' | b'+');
            byte += 1;
        }
        allowed
    };
    name.bytes().all(|byte| ALLOWED[usize::from(byte)])
}

/// Name and value of a property's line.
fn property(line: &str) -> Result<(&str, &str), &'static str> {
    let line = without_comment(line);
    let sign = find(b'=', line.as_bytes()).ok_or("a property without '='")?;
    let (name, value) = (&line[..sign], &line[sign + 1..]);
    let name = trim(name);
    if name.is_empty() {
        return Err("a property without a name");
    }
    Ok((name, trim(value)))
}

/// The line up to a comment sign with white space before it.
fn without_comment(line: &str) -> &str {
    let line = trim(line);
    let mut from = 0;
    while let Some(at) = find_either(b'#', b';', &line.as_bytes()[from..]).map(|at| from + at) {
        if line[..at].chars().next_back().is_some_and(char::is_whitespace) {
            return trim(&line[..at]);
        }
        from = at + 1;
    }
    line
}

/// Appends the properties in a section's body, which has been checked, to `into`.
fn properties<'a>(body: &'a str, into: &mut Properties<'a>) {
    for line in body.lines() {
        match line.as_bytes().first() {
            None | Some(b'#' | b';') => {}
            Some(b' ' | b'\t') => {
                let line = trim(line);
                if !line.is_empty()
                    && let Some((_, value)) = into.last_mut()
                {
                    let value = value.to_mut();
                    value.push('\n');
                    value.push_str(line);
                }
            }
            Some(_) => {
                if let Ok((name, value)) = property(line) {
                    let name = if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
                        Cow::Owned(name.to_ascii_lowercase())
                    } else {
                        Cow::Borrowed(name)
                    };
                    into.push((name, Cow::Borrowed(value)));
                }
            }
        }
    }
}

/// The value of `key` among the lines nested below a property: `endpoint_url` below `s3 =`.
pub(super) fn nested<'v>(value: &'v str, key: &str) -> Option<&'v str> {
    value
        .split('\n')
        .filter_map(|line| line.split_once('='))
        .rfind(|(name, _)| trim(name) == key)
        .map(|(_, value)| trim(value))
}

#[cfg(test)]
mod tests;
