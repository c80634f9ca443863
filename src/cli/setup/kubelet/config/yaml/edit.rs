//! Where a change goes in the text.

use super::super::change::{Change, Edit, NewValue, Step};
use super::YamlError;
use super::layout::{self, Style};
use super::scalar::written;
use super::tree::{Document, Kind, Node, parse};

/// A piece of text that takes the place of `start..end`.
struct Splice {
    start: usize,
    end: usize,
    new: String,
}

impl Splice {
    fn insert(at: usize, new: String) -> Self {
        Self { start: at, end: at, new }
    }
}

/// The text with one change made.
pub(super) fn make(text: &str, change: &Change) -> Result<String, YamlError> {
    let document = parse(text)?;
    let top = document.top.as_ref().ok_or(YamlError::EmptyFirst)?;
    let editor = Editor { text, document: &document, style: layout::style(text, top) };
    let Some((last, parents)) = change.path.split_last() else { return Err(odd(top)) };
    let parent = editor.find(top, parents)?;
    let splices = match (&change.edit, last) {
        (Edit::Set(new), Step::Key(key)) => editor.set(parent, key, new)?,
        (Edit::Append(items), Step::Key(key)) => match parent.entry(key) {
            None => editor.set(parent, key, &NewValue::List(items.clone()))?,
            Some((name, value)) => editor.append(parent, name, value, items)?,
        },
        _ => return Err(odd(parent)),
    };
    Ok(apply(text, splices))
}

fn apply(text: &str, mut splices: Vec<Splice>) -> String {
    splices.sort_by_key(|splice| splice.start);
    let (mut new, mut done) = (String::with_capacity(text.len()), 0);
    for splice in splices {
        new.push_str(text.get(done..splice.start).unwrap_or_default());
        new.push_str(&splice.new);
        done = splice.end.max(done);
    }
    new.push_str(text.get(done..).unwrap_or_default());
    new
}

fn odd(node: &Node) -> YamlError {
    YamlError::OddForm(node.line)
}

struct Editor<'t> {
    text: &'t str,
    document: &'t Document,
    style: Style,
}

impl Editor<'_> {
    fn find<'n>(&self, top: &'n Node, path: &[Step]) -> Result<&'n Node, YamlError> {
        let mut node = top;
        for step in path {
            node = match (step, &node.kind) {
                (Step::Key(key), Kind::Map { .. }) => &node.entry(key).ok_or_else(|| odd(node))?.1,
                (Step::Item(index), Kind::List { items, .. }) => items.get(*index).ok_or_else(|| odd(node))?,
                _ => return Err(odd(node)),
            };
            self.is_its_own(node)?;
        }
        Ok(node)
    }

    /// Fails where a change of the node would change others.
    fn is_its_own(&self, node: &Node) -> Result<(), YamlError> {
        if matches!(node.kind, Kind::Alias(_)) || self.document.aliased.contains(&node.anchor) {
            return Err(YamlError::Shared(node.line));
        }
        Ok(())
    }

    /// Gives the map a key, or the key that it has another value.
    fn set(&self, map: &Node, key: &str, new: &NewValue) -> Result<Vec<Splice>, YamlError> {
        let Kind::Map { entries, flow } = &map.kind else { return Err(odd(map)) };
        let Some((name, value)) = map.entry(key) else {
            if *flow {
                let last = entries.last().map(|(key, value)| (key.start, value.end.max(key.end)));
                return Ok(self.insert_flow(map, last, &[format!("{key}: {}", layout::flow(new))]));
            }
            // The parser makes block maps of at least one entry.
            let (first, _) = entries.first().ok_or_else(|| odd(map))?;
            let lines = self.style.entry(key, new, layout::column(self.text, first.start));
            return Ok(vec![self.insert_lines(map.end, &lines)]);
        };
        if value.is_null() {
            self.is_its_own(value)?;
            return self.fill(map, name, value, new);
        }
        self.is_its_own(value).or_else(|error| match value.kind {
            // Another value takes the alias's place, and what it names stays.
            Kind::Alias(_) => Ok(()),
            _ => Err(error),
        })?;
        match (&value.kind, new) {
            (Kind::Alias(_), NewValue::Text(_) | NewValue::Flag(_)) => {}
            (Kind::Scalar { .. }, NewValue::Text(_) | NewValue::Flag(_)) if !self.is_block_scalar(value) => {}
            _ => return Err(odd(value)),
        }
        let new = match new {
            NewValue::Flag(flag) => flag.to_string(),
            NewValue::Text(text) => match self.quote(value) {
                Some(quote) => super::scalar::quoted(text, quote),
                None => written(text),
            },
            _ => return Err(odd(value)),
        };
        Ok(vec![Splice { start: value.start, end: value.end, new }])
    }

    /// The value of a key that has none, or `null`.
    fn fill(&self, map: &Node, name: &Node, value: &Node, new: &NewValue) -> Result<Vec<Splice>, YamlError> {
        let is_written = value.end > value.start;
        let in_line = match new {
            NewValue::Text(text) => Some(written(text)),
            NewValue::Flag(flag) => Some(flag.to_string()),
            _ if matches!(map.kind, Kind::Map { flow: true, .. }) => Some(layout::flow(new)),
            _ => None,
        };
        match in_line {
            Some(new) if is_written => Ok(vec![Splice { start: value.start, end: value.end, new }]),
            Some(new) => Ok(vec![Splice::insert(self.after_colon(name)?, format!(" {new}"))]),
            None => {
                let lines = self.style.value(new, layout::column(self.text, name.start));
                let mut splices = vec![self.insert_lines(value.end.max(name.end), &lines)];
                if is_written {
                    splices.push(Splice { start: self.after_colon(name)?, end: value.end, new: String::new() });
                }
                Ok(splices)
            }
        }
    }

    /// Where the colon after a key ends.
    fn after_colon(&self, name: &Node) -> Result<usize, YamlError> {
        let rest = self.text.get(name.end..).unwrap_or_default();
        let blanks = rest.len() - rest.trim_start_matches([' ', '\t']).len();
        if rest.get(blanks..).is_some_and(|rest| rest.starts_with(':')) {
            Ok(name.end + blanks + 1)
        } else {
            Err(odd(name))
        }
    }

    /// Adds items to the list that is the value of a key.
    fn append(&self, map: &Node, name: &Node, list: &Node, new: &[NewValue]) -> Result<Vec<Splice>, YamlError> {
        self.is_its_own(list)?;
        if list.is_null() {
            return self.fill(map, name, list, &NewValue::List(new.to_vec()));
        }
        let Kind::List { items, flow } = &list.kind else { return Err(odd(list)) };
        let Some(last) = items.last() else {
            if matches!(map.kind, Kind::Map { flow: true, .. }) {
                return Ok(self.insert_flow(list, None, &new.iter().map(layout::flow).collect::<Vec<_>>()));
            }
            // "[]" after a key of its own line: a list with an item on each line is what people read.
            let lines = self.style.value(&NewValue::List(new.to_vec()), layout::column(self.text, name.start));
            let empty = Splice { start: self.after_colon(name)?, end: list.end, new: String::new() };
            return Ok(vec![empty, self.insert_lines(list.end, &lines)]);
        };
        let quote = self.quote(last).unwrap_or('"');
        if *flow {
            let new: Vec<_> = new
                .iter()
                .map(|item| match item {
                    NewValue::Text(text) => super::scalar::quoted(text, quote),
                    item => layout::flow(item),
                })
                .collect();
            return Ok(self.insert_flow(list, Some((last.start, last.end)), &new));
        }
        let dash = layout::dash(self.text, items, layout::column(self.text, name.start));
        let gap = layout::gap(self.text, dash, items);
        let mut lines = Vec::new();
        for item in new {
            lines.extend(self.style.item(item, dash, gap, quote));
        }
        Ok(vec![self.insert_lines(last.end, &lines)])
    }

    /// The quotes around a scalar.
    fn quote(&self, node: &Node) -> Option<char> {
        let first = self.text.get(node.start..node.end)?.chars().next()?;
        matches!(node.kind, Kind::Scalar { .. }).then_some(first).filter(|first| matches!(first, '"' | '\''))
    }

    fn is_block_scalar(&self, node: &Node) -> bool {
        use saphyr_parser::ScalarStyle::{Folded, Literal};
        matches!(&node.kind, Kind::Scalar { style: Literal | Folded, .. })
    }

    /// Lines after the one in which `end` is, which is the end of a block's last part.
    fn insert_lines(&self, end: usize, lines: &[String]) -> Splice {
        let before = self.text.get(..end).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        // A literal text ends where the next value begins.
        let at = if end > 0 && before.get(line_start..).is_some_and(|part| part.trim().is_empty()) {
            line_start
        } else {
            let rest = self.text.get(end..).unwrap_or_default();
            match rest.find('\n') {
                Some(newline) => end + newline + 1,
                None => self.text.len(),
            }
        };
        let newline = self.style.newline;
        let is_open = at > 0 && !self.text.get(..at).unwrap_or_default().ends_with('\n');
        let new = lines.join(newline);
        Splice::insert(at, if is_open { format!("{newline}{new}") } else { format!("{new}{newline}") })
    }

    /// Items in a flow collection, after the `last` one: its start and end.
    fn insert_flow(&self, node: &Node, last: Option<(usize, usize)>, items: &[String]) -> Vec<Splice> {
        let Some((start, end)) = last else { return vec![Splice::insert(node.start + 1, items.join(", "))] };
        let comma = layout::comma(self.text, end, node.end);
        let line_start = self.text.get(..start).unwrap_or_default().rfind('\n').map_or(0, |at| at + 1);
        let indent = self.text.get(line_start..start).unwrap_or_default();
        let after = comma.map_or(end, |comma| comma + 1);
        if !indent.trim().is_empty() {
            let joined = items.join(", ");
            let new = if comma.is_some() { format!(" {joined}") } else { format!(", {joined}") };
            return vec![Splice::insert(after, new)];
        }
        // Each on a line of its own, as the last one is.
        let newline = self.style.newline;
        let joined = items.join(&format!(",{newline}{indent}"));
        let rest = self.text.get(after..node.end).unwrap_or_default();
        let line_end = rest.find('\n');
        let comment = line_end.and_then(|line_end| rest.get(..line_end)).map(str::trim_start);
        let first = if comma.is_some() { String::new() } else { ",".to_owned() };
        match (line_end, comment) {
            (Some(line_end), Some(comment)) if comment.is_empty() || comment.starts_with('#') => {
                let last = if comma.is_some() { "," } else { "" };
                vec![
                    Splice::insert(end, first),
                    Splice::insert(after + line_end + 1, format!("{indent}{joined}{last}{newline}")),
                ]
            }
            _ => vec![Splice::insert(after, format!("{first}{newline}{indent}{joined}"))],
        }
    }
}
