//! How a file is laid out, and new lines that look like its own.

use super::super::change::NewValue;
use super::scalar::{quoted, written};
use super::tree::{Kind, Node};

/// What the lines of a file have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Style {
    /// What ends a line.
    pub(super) newline: &'static str,
    /// How much further in than its key the dash of a list stands.
    pub(super) dash: usize,
}

/// How `text` is laid out; two blanks before a dash where nothing tells.
pub(super) fn style(text: &str, top: &Node) -> Style {
    let newline = if text.contains("\r\n") { "\r\n" } else { "\n" };
    Style { newline, dash: first_dash(text, top).unwrap_or(2) }
}

fn first_dash(text: &str, node: &Node) -> Option<usize> {
    match &node.kind {
        Kind::Map { entries, flow: false } => entries.iter().find_map(|(key, value)| match &value.kind {
            Kind::List { items, flow: false } if !items.is_empty() => {
                let key = column(text, key.start);
                Some(dash(text, items, key).saturating_sub(key))
            }
            _ => first_dash(text, value),
        }),
        Kind::List { items, flow: false } => items.iter().find_map(|item| first_dash(text, item)),
        _ => None,
    }
}

/// The column of a place, in characters from 0.
pub(super) fn column(text: &str, at: usize) -> usize {
    let before = text.get(..at).unwrap_or_default();
    before.rsplit('\n').next().unwrap_or_default().chars().filter(|c| *c != '\u{feff}').count()
}

/// The column of the dashes of a block list that is the value of a key in column `key`.
pub(super) fn dash(text: &str, items: &[Node], key: usize) -> usize {
    let found = items.iter().find_map(|item| {
        let line_start = text.get(..item.start)?.rfind('\n').map_or(0, |at| at + 1);
        let lead = text.get(line_start..item.start)?;
        // An item that stands on a line of its own tells nothing.
        lead.trim_start().starts_with('-').then(|| column(text, item.start - lead.trim_start().len()))
    });
    found.unwrap_or(key)
}

/// How far behind the dash an item begins.
pub(super) fn gap(text: &str, dash: usize, items: &[Node]) -> usize {
    let gaps = items.iter().map(|item| column(text, item.start).saturating_sub(dash));
    // An anchor stands between the dash and the item, or the item on a line of its own.
    gaps.filter(|gap| (2..=8).contains(gap)).min().unwrap_or(2)
}

/// Where a comma follows a part of a flow collection that ends at `limit`.
pub(super) fn comma(text: &str, end: usize, limit: usize) -> Option<usize> {
    let mut in_comment = false;
    for (at, c) in text.get(end..limit)?.char_indices() {
        match c {
            '\n' => in_comment = false,
            _ if in_comment => {}
            '#' => in_comment = true,
            ',' => return Some(end + at),
            _ if c.is_whitespace() => {}
            _ => return None,
        }
    }
    None
}

/// A value on one line.
pub(super) fn flow(value: &NewValue) -> String {
    match value {
        NewValue::Text(text) => quoted(text, '"'),
        NewValue::Flag(flag) => flag.to_string(),
        NewValue::List(items) => format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", ")),
        NewValue::Map(entries) => {
            let entries: Vec<_> = entries.iter().map(|(key, value)| format!("{key}: {}", flow(value))).collect();
            format!("{{{}}}", entries.join(", "))
        }
    }
}

impl Style {
    /// The lines of a key with its value, the key in column `indent`.
    pub(super) fn entry(self, key: &str, value: &NewValue, indent: usize) -> Vec<String> {
        let blanks = " ".repeat(indent);
        match value {
            NewValue::Text(text) => vec![format!("{blanks}{key}: {}", written(text))],
            NewValue::Flag(flag) => vec![format!("{blanks}{key}: {flag}")],
            NewValue::List(items) if items.is_empty() => vec![format!("{blanks}{key}: []")],
            value => {
                let mut lines = vec![format!("{blanks}{key}:")];
                lines.extend(self.value(value, indent));
                lines
            }
        }
    }

    /// The lines of a list or map that is the value of a key in column `indent`.
    pub(super) fn value(self, value: &NewValue, indent: usize) -> Vec<String> {
        match value {
            NewValue::List(items) => {
                items.iter().flat_map(|item| self.item(item, indent + self.dash, 2, '"')).collect()
            }
            NewValue::Map(entries) => {
                entries.iter().flat_map(|(key, value)| self.entry(key, value, indent + 2)).collect()
            }
            value => vec![format!("{}{}", " ".repeat(indent + 2), flow(value))],
        }
    }

    /// The lines of an item whose dash is in column `dash`, and which begins `gap` further in.
    pub(super) fn item(self, value: &NewValue, dash: usize, gap: usize, quote: char) -> Vec<String> {
        let lead = format!("{}-{}", " ".repeat(dash), " ".repeat(gap.saturating_sub(1)));
        match value {
            NewValue::Text(text) => vec![format!("{lead}{}", quoted(text, quote))],
            NewValue::Map(entries) => {
                let lines: Vec<_> =
                    entries.iter().flat_map(|(key, value)| self.entry(key, value, dash + gap)).collect();
                let first = lines.first().map(|line| format!("{lead}{}", line.trim_start()));
                first.into_iter().chain(lines.into_iter().skip(1)).collect()
            }
            value => vec![format!("{lead}{}", flow(value))],
        }
    }
}

/// A whole file.
pub(in super::super) fn document(entries: &[(&'static str, NewValue)]) -> String {
    let style = Style { newline: "\n", dash: 2 };
    entries.iter().flat_map(|(key, value)| style.entry(key, value, 0)).map(|line| line + "\n").collect()
}
