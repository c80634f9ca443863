//! Edits to a JSON file of another program's: every byte that an edit does not name stays as it was.
//!
//! `jsonc-parser` says where each key and value lies; an edit is then an insertion or a removal in the text. The
//! file's own style (tabs, blanks, all on one line, line ends, a byte order mark) is followed. Two keys of the
//! same name count as Go's decoder, which docker and podman use, counts them: objects add up, the last value wins,
//! and the names of top-level keys have no case.

use std::ops::Range;

use jsonc_parser::ast::{Object, ObjectProp, Value};
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};

use crate::protocol::clients::config_file::is_login;

const BYTE_ORDER_MARK: &str = "\u{feff}";

/// Not a JSON object: where, and why.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("line {line}, column {column}: {reason}")]
pub struct NotJson {
    /// The line, from 1.
    line: usize,
    /// The column, from 1.
    column: usize,
    /// What is wrong there.
    reason: String,
}

/// JSON as RFC 8259 has it, and as the clients' own decoders read it: none of what `jsonc-parser` takes beyond that.
pub(super) fn strict() -> ParseOptions {
    ParseOptions {
        allow_comments: false,
        allow_loose_object_property_names: false,
        allow_trailing_commas: false,
        allow_missing_commas: false,
        allow_single_quoted_strings: false,
        allow_hexadecimal_numbers: false,
        allow_unary_plus_numbers: false,
        ..ParseOptions::default()
    }
}

/// A JSON file whose top is an object, and its text as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    text: String,
    marked: bool,
    /// What follows the object, where the client does not read it.
    rest: String,
}

impl Document {
    /// Reads a file's bytes; an empty file is an empty object, as it is to docker.
    ///
    /// # Errors
    /// Anything but one strict JSON object in UTF-8: comments and trailing commas too.
    pub fn parse(bytes: &[u8]) -> Result<Self, NotJson> {
        let document = Self::parse_first(bytes)?;
        match document.rest_begins() {
            Some(place) => Err(place),
            None => Ok(document),
        }
    }

    /// The same, with any text behind the object, which docker's decoder does not read; it stays as it is.
    ///
    /// # Errors
    /// The file does not begin with a strict JSON object in UTF-8.
    pub fn parse_first(bytes: &[u8]) -> Result<Self, NotJson> {
        let text = std::str::from_utf8(bytes).map_err(|error| {
            let before = bytes.get(..error.valid_up_to()).unwrap_or_default();
            not_json(&String::from_utf8_lossy(before), before.len(), "not UTF-8")
        })?;
        let marked = text.starts_with(BYTE_ORDER_MARK);
        let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
        // docker reads `null` as an empty object too.
        if text.trim().is_empty() || text.trim() == "null" {
            return Ok(Self { text: "{}\n".to_owned(), marked, rest: String::new() });
        }
        // The strict parser decides what is JSON, and how deep; the other one only says where things lie.
        let mut values = serde_json::Deserializer::from_str(text).into_iter::<serde_json::Value>();
        let value = values.next().transpose().map_err(|error| {
            let said = error.to_string();
            let reason = said.rsplit_once(" at line ").map_or(said.as_str(), |(reason, _)| reason).to_owned();
            NotJson { line: error.line(), column: error.column(), reason }
        })?;
        if !value.is_some_and(|value| value.is_object()) {
            return Err(not_json(text, text.len() - text.trim_start().len(), "the top is not an object"));
        }
        let (first, rest) = text.split_at(values.byte_offset());
        let (text, rest) = if rest.trim().is_empty() { (text, "") } else { (first, rest) };
        let document = Self { text: text.to_owned(), marked, rest: rest.to_owned() };
        document.with_root(|_| ())?;
        Ok(document)
    }

    /// What a file that does not exist yet says.
    pub(super) fn empty() -> Self {
        Self { text: "{}\n".to_owned(), marked: false, rest: String::new() }
    }

    /// Where text follows the object, if any does.
    pub(super) fn rest_begins(&self) -> Option<NotJson> {
        let blank = self.rest.len() - self.rest.trim_start().len();
        let text = format!("{}{}", self.text, self.rest);
        (!self.rest.is_empty()).then(|| not_json(&text, self.text.len() + blank, "text follows the JSON object"))
    }

    /// The file's bytes.
    pub fn bytes(&self) -> Vec<u8> {
        let mark = if self.marked { BYTE_ORDER_MARK } else { "" };
        format!("{mark}{}{}", self.text, self.rest).into_bytes()
    }

    /// The text without a byte order mark.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The same text without any white space between its words: equal for two files that differ in style alone.
    pub fn compact(&self) -> String {
        let mut compact = String::with_capacity(self.text.len());
        let (mut in_string, mut escaped) = (false, false);
        for character in self.text.chars().chain(self.rest.chars()) {
            if !in_string && character.is_ascii_whitespace() {
                continue;
            }
            compact.push(character);
            match character {
                _ if escaped => escaped = false,
                '\\' if in_string => escaped = true,
                '"' => in_string = !in_string,
                _ => {}
            }
        }
        compact
    }

    /// The string at the top-level `key`.
    pub fn string(&self, key: &str) -> Option<String> {
        self.with_root(|root| {
            named(root, key, false).last().and_then(|p| p.value.as_string_lit().map(|s| s.value.to_string()))
        })
        .ok()
        .flatten()
    }

    /// Keys of the object at the top-level `section`, each with its value if that is a string; the last of several
    /// with one name.
    pub fn section(&self, section: &str) -> Vec<(String, Option<String>)> {
        let mut entries: Vec<(String, Option<String>)> = Vec::new();
        let _ = self.with_root(|root| {
            for object in named(root, section, false).filter_map(|property| property.value.as_object()) {
                for property in &object.properties {
                    let name = property.name.as_str();
                    entries.retain(|(earlier, _)| earlier != name);
                    let value = property.value.as_string_lit().map(|string| string.value.to_string());
                    entries.push((name.to_owned(), value));
                }
            }
        });
        entries
    }

    /// The keys of `auths` that hold a login.
    pub(super) fn logins(&self) -> Vec<String> {
        let root: serde_json::Value = serde_json::from_str(&self.text).unwrap_or_default();
        let entries = root.get("auths").and_then(serde_json::Value::as_object).into_iter().flatten();
        entries.filter(|(_, entry)| is_login(entry)).map(|(key, _)| key.clone()).collect()
    }

    /// Takes the byte order mark out.
    pub(super) fn remove_byte_order_mark(&mut self) {
        self.marked = false;
    }

    /// Whether the top level has `key`.
    pub(super) fn has(&self, key: &str) -> bool {
        self.with_root(|root| named(root, key, false).next().is_some()).unwrap_or(false)
    }

    /// Sets the top-level `key` to a string.
    ///
    /// # Errors
    /// Only if the document could not be read again.
    pub fn set(&mut self, key: &str, value: &str) -> Result<(), NotJson> {
        let edit = self.with_root(|root| match named(root, key, false).last() {
            Some(property) => replacement(property, &quoted(value)),
            None => insertion(&self.text, root, &self.style(root), 1, key, &quoted(value)),
        })?;
        self.splice(edit)
    }

    /// Sets `key` in the object at the top-level `section`, which is added where there is none.
    ///
    /// # Errors
    /// A section that is there and is no object.
    pub(super) fn set_in(&mut self, section: &str, key: &str, value: &str) -> Result<(), NotJson> {
        let edit = self.with_root(|root| {
            let style = self.style(root);
            let fresh = || match &style {
                Some(style) => {
                    let (outer, inner) = (style.unit.as_str(), style.unit.repeat(2));
                    let end = style.line_end;
                    format!("{{{end}{inner}{}: {}{end}{outer}}}", quoted(key), quoted(value))
                }
                None => format!(
                    "{{{}:{}{}}}",
                    quoted(key),
                    root.properties.last().map_or("", |last| blank(&self.text, last)),
                    quoted(value)
                ),
            };
            // The last of several objects: its values win.
            let Some(property) = named(root, section, false).last() else {
                return Ok(insertion(&self.text, root, &style, 1, section, &fresh()));
            };
            match &property.value {
                Value::Object(object) => Ok(match named(object, key, true).last() {
                    Some(entry) => replacement(entry, &quoted(value)),
                    None => insertion(&self.text, object, &style, 2, key, &quoted(value)),
                }),
                Value::NullKeyword(_) => Ok(replacement(property, &fresh())),
                _ => Err(not_json(&self.text, property.range.start, &format!("{section} is not an object"))),
            }
        })??;
        self.splice(edit)
    }

    /// Takes every `key` out of the top level.
    ///
    /// # Errors
    /// Only if the document could not be read again.
    pub(super) fn remove(&mut self, key: &str) -> Result<(), NotJson> {
        while let Some(edit) = self.with_root(|root| {
            let index =
                root.properties.iter().rposition(|property| property.name.as_str().eq_ignore_ascii_case(key))?;
            removal(root, index)
        })? {
            self.splice(edit)?;
        }
        Ok(())
    }

    /// Takes every `key` out of the object at the top-level `section`.
    ///
    /// # Errors
    /// Only if the document could not be read again.
    pub fn remove_in(&mut self, section: &str, key: &str) -> Result<(), NotJson> {
        while let Some(edit) = self.with_root(|root| {
            named(root, section, false).filter_map(|property| property.value.as_object()).find_map(|object| {
                let index = object.properties.iter().rposition(|property| property.name.as_str() == key)?;
                removal(object, index)
            })
        })? {
            self.splice(edit)?;
        }
        Ok(())
    }

    /// The file's text with every value that may be a secret replaced, for people to look at.
    pub fn redacted(&self) -> String {
        let mut hidden = Vec::new();
        let _ = self.with_root(|root| {
            for property in &root.properties {
                let name = property.name.as_str().to_ascii_lowercase();
                let all = ["auths", "httpheaders", "proxies"].contains(&name.as_str());
                secrets(&property.value, &name, all, &mut hidden);
            }
        });
        let mut text = self.text.clone();
        for range in hidden.into_iter().rev() {
            text.replace_range(range, "\"(not shown)\"");
        }
        text
    }

    fn splice(&mut self, (range, text): Edit) -> Result<(), NotJson> {
        let mut edited = self.text.clone();
        edited.replace_range(range, &text);
        // Whatever an edit did, what is written is JSON.
        serde_json::from_str::<serde::de::IgnoredAny>(&edited)
            .map_err(|error| not_json(&edited, 0, &format!("the edit failed: {error}")))?;
        self.text = edited;
        Ok(())
    }

    fn with_root<T>(&self, look: impl FnOnce(&Object<'_>) -> T) -> Result<T, NotJson> {
        let parsed = parse_to_ast(&self.text, &CollectOptions::default(), &strict()).map_err(|error| NotJson {
            line: error.line_display(),
            column: error.column_display(),
            reason: error.kind().to_string(),
        })?;
        match &parsed.value {
            Some(Value::Object(root)) => Ok(look(root)),
            _ => Err(not_json(&self.text, 0, "the top is not an object")),
        }
    }

    /// How the file lays out its lines; `None` for one that is all on one line.
    fn style(&self, root: &Object<'_>) -> Option<Style> {
        let line_end = if self.text.contains("\r\n") { "\r\n" } else { "\n" };
        match root.properties.first() {
            None => Some(Style { unit: "\t".to_owned(), line_end }),
            Some(first) => {
                let before = self.text.get(root.range.start..first.range.start)?;
                let (_, indentation) = before.rsplit_once('\n')?;
                let blank = indentation.chars().all(|character| character == ' ' || character == '\t');
                let unit = if blank { indentation.to_owned() } else { "\t".to_owned() };
                Some(Style { unit, line_end })
            }
        }
    }
}

struct Style {
    unit: String,
    line_end: &'static str,
}

type Edit = (Range<usize>, String);

fn named<'o, 'a>(
    object: &'o Object<'a>,
    name: &'o str,
    with_case: bool,
) -> impl DoubleEndedIterator<Item = &'o ObjectProp<'a>> {
    object.properties.iter().filter(move |property| {
        let key = property.name.as_str();
        if with_case { key == name } else { key.eq_ignore_ascii_case(name) }
    })
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn range_of(value: &Value<'_>) -> Range<usize> {
    use jsonc_parser::common::Ranged as _;
    value.start()..value.end()
}

fn replacement(property: &ObjectProp<'_>, value: &str) -> Edit {
    (range_of(&property.value), value.to_owned())
}

/// What stands between a key's colon and its value: a blank or nothing.
fn blank(text: &str, property: &ObjectProp<'_>) -> &'static str {
    let colon = text.get(property.range.start..range_of(&property.value).start).unwrap_or_default();
    if colon.ends_with(':') { "" } else { " " }
}

/// A new property behind the last one; `depth` levels of indentation for an object that has none yet.
fn insertion(text: &str, object: &Object<'_>, style: &Option<Style>, depth: usize, key: &str, value: &str) -> Edit {
    let piece = |range: Range<usize>| text.get(range).unwrap_or_default();
    let key = quoted(key);
    match (object.properties.as_slice(), style) {
        ([first, .., _] | [first], _) => {
            let last = object.properties.last().unwrap_or(first);
            let blank = blank(text, last);
            // What stands before the first property stands before the new one: a line end and its indentation, or
            // on one line what stands behind a comma.
            let lead = piece(object.range.start + 1..first.range.start);
            let lead = match (lead.rsplit_once('\n'), object.properties.get(1)) {
                (Some((before, indentation)), _) => {
                    format!("{}\n{indentation}", if before.ends_with('\r') { "\r" } else { "" })
                }
                (None, Some(second)) => {
                    let between = piece(first.range.end..second.range.start);
                    between.trim_start().strip_prefix(',').unwrap_or_default().to_owned()
                }
                (None, None) => blank.to_owned(),
            };
            (last.range.end..last.range.end, format!(",{lead}{key}:{blank}{value}"))
        }
        ([], Some(style)) => {
            let (inner, outer) = (style.unit.repeat(depth), style.unit.repeat(depth.saturating_sub(1)));
            let end = style.line_end;
            (object.range.start..object.range.end, format!("{{{end}{inner}{key}: {value}{end}{outer}}}"))
        }
        ([], None) => (object.range.start..object.range.end, format!("{{{key}:{value}}}")),
    }
}

fn removal(object: &Object<'_>, index: usize) -> Option<Edit> {
    let gone = object.properties.get(index)?;
    let next = object.properties.get(index + 1);
    let before = index.checked_sub(1).and_then(|before| object.properties.get(before));
    Some((
        match (before, next) {
            (_, Some(next)) => gone.range.start..next.range.start,
            (Some(before), None) => before.range.end..gone.range.end,
            (None, None) => object.range.start + 1..object.range.end - 1,
        },
        String::new(),
    ))
}

/// Finds the strings below `value` that may be secrets: all of them, or those under a telling name.
fn secrets(value: &Value<'_>, name: &str, all: bool, found: &mut Vec<Range<usize>>) {
    let telling = ["auth", "password", "token", "secret", "key", "authorization"];
    match value {
        Value::StringLit(_) if all || telling.iter().any(|word| name.ends_with(word)) => found.push(range_of(value)),
        Value::Object(object) => {
            for property in &object.properties {
                secrets(&property.value, &property.name.as_str().to_ascii_lowercase(), all, found);
            }
        }
        Value::Array(array) => array.elements.iter().for_each(|element| secrets(element, name, all, found)),
        _ => {}
    }
}

fn not_json(text: &str, offset: usize, reason: &str) -> NotJson {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    NotJson { line, column, reason: reason.to_owned() }
}

#[cfg(test)]
mod tests;
