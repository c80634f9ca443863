//! A YAML document as a tree whose nodes know where they stand in the text.

use std::collections::{HashMap, HashSet};

use saphyr_parser::{Event, Parser, ScalarStyle, Span};
use serde_json::{Map, Value};

use super::YamlError;
use super::scalar::resolve;

/// How deep a document may be; the kubelet's needs six.
const MAX_DEPTH: usize = 64;
/// How many values aliases may make of it.
const MAX_VALUES: usize = 100_000;

/// The text of a node, in bytes of the file, without the dash or the key before it; a scalar's with its properties (`&anchor`,
/// `!tag`), a flow collection's from bracket to bracket, a block collection's from where its first part begins to where its
/// last part ends.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) kind: Kind,
    pub(super) start: usize,
    pub(super) end: usize,
    /// From 1; 0 for a node without an anchor.
    pub(super) anchor: usize,
    /// Line of the start, from 1.
    pub(super) line: usize,
}

#[derive(Debug)]
pub(super) enum Kind {
    /// `plain`: without quotes and without a tag, so that it may be something else than a text.
    Scalar {
        text: String,
        style: ScalarStyle,
        plain: bool,
    },
    /// With the number of its anchor.
    Alias(usize),
    List {
        items: Vec<Node>,
        flow: bool,
    },
    Map {
        entries: Vec<(Node, Node)>,
        flow: bool,
    },
}

impl Node {
    pub(super) fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Scalar { text, .. } => Some(text),
            _ => None,
        }
    }

    /// Whether this is a plain `null` or nothing at all.
    pub(super) fn is_null(&self) -> bool {
        matches!(&self.kind, Kind::Scalar { text, plain: true, .. } if resolve(text).is_null())
    }

    pub(super) fn entry(&self, key: &str) -> Option<&(Node, Node)> {
        match &self.kind {
            Kind::Map { entries, .. } => entries.iter().find(|(name, _)| name.text() == Some(key)),
            _ => None,
        }
    }
}

/// The first document of a file: the kubelet reads no other.
#[derive(Debug)]
pub(super) struct Document {
    /// `None`: the file holds nothing but comments.
    pub(super) top: Option<Node>,
    /// The anchors that an alias names.
    pub(super) aliased: HashSet<usize>,
}

/// Reads the first document.
pub(super) fn parse(text: &str) -> Result<Document, YamlError> {
    // The parser does not count a byte order mark.
    let skipped = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    let body = text.get(skipped..).unwrap_or_default();
    let mut offsets: Vec<usize> = body.char_indices().map(|(offset, _)| skipped + offset).collect();
    offsets.push(text.len());
    let mut builder = Builder { text, events: Parser::new_from_str(body), offsets, aliased: HashSet::new() };
    loop {
        match builder.next()? {
            (Event::DocumentStart(_), _) => break,
            (Event::StreamEnd, _) => return Ok(Document { top: None, aliased: HashSet::new() }),
            _ => {}
        }
    }
    let (event, span) = builder.next()?;
    let top = builder.node(event, span, 0)?;
    // To its end, so that what comes after the top is looked at too.
    let (_, span) = builder.next()?;
    let end = builder.offset(span.start.index());
    match line_with_tab(text.get(..end).unwrap_or(text), &top) {
        Some(line) => Err(YamlError::Tab(line)),
        None => Ok(Document { top: Some(top), aliased: builder.aliased }),
    }
}

/// A line, from 1, that the kubelet's parser refuses where YAML 1.2 does not: with a tab before its first character, be it a
/// comment, or between a dash and its item. In texts and between brackets tabs are blanks to both.
fn line_with_tab(text: &str, top: &Node) -> Option<usize> {
    let mut free = Vec::new();
    let mut leads = Vec::new();
    collect(text, top, &mut free, &mut leads);
    let mut start = 0;
    for (index, line) in text.split_inclusive('\n').enumerate() {
        let lead = line.len() - line.trim_start_matches([' ', '\t']).len();
        let is_free = free.iter().any(|(from, to)| *from < start && start < *to);
        let has_tab = line.get(..lead).is_some_and(|lead| lead.contains('\t')) && !is_free;
        let after_dash =
            leads.iter().any(|(at, item)| *at == start && text.get(*at..*item).is_some_and(|lead| lead.contains('\t')));
        if has_tab || after_dash {
            return Some(index + 1);
        }
        start += line.len();
    }
    None
}

/// Where tabs may be (`free`), and the beginnings of lines up to items of block lists (`leads`).
fn collect(text: &str, node: &Node, free: &mut Vec<(usize, usize)>, leads: &mut Vec<(usize, usize)>) {
    match &node.kind {
        Kind::Scalar { .. } | Kind::List { flow: true, .. } | Kind::Map { flow: true, .. } => {
            free.push((node.start, node.end));
        }
        Kind::Alias(_) => {}
        Kind::List { items, .. } => {
            for item in items {
                let line_start = text.get(..item.start).and_then(|before| before.rfind('\n')).map_or(0, |at| at + 1);
                leads.push((line_start, item.start));
                collect(text, item, free, leads);
            }
        }
        Kind::Map { entries, .. } => {
            for (key, value) in entries {
                collect(text, key, free, leads);
                collect(text, value, free, leads);
            }
        }
    }
}

struct Builder<'t> {
    text: &'t str,
    events: Parser<'t, saphyr_parser::StrInput<'t>>,
    /// Byte offsets of the characters, which is what the parser counts.
    offsets: Vec<usize>,
    aliased: HashSet<usize>,
}

impl<'t> Builder<'t> {
    fn next(&mut self) -> Result<(Event<'t>, Span), YamlError> {
        match self.events.next_event() {
            Some(Ok(event)) => Ok(event),
            Some(Err(error)) => {
                let at = error.marker();
                Err(YamlError::NotYaml { line: at.line(), column: at.col() + 1, reason: error.info().to_owned() })
            }
            None => Ok((Event::StreamEnd, Span::default())),
        }
    }

    fn offset(&self, index: usize) -> usize {
        self.offsets.get(index).or(self.offsets.last()).copied().unwrap_or_default()
    }

    /// Where a flow collection's bracket is, whose start and properties are `start..end`.
    fn bracket(&self, bracket: char, start: usize, end: usize) -> usize {
        let before = self.text.get(start..end).unwrap_or_default();
        before.rfind(bracket).map_or(start, |at| start + at)
    }

    fn node(&mut self, event: Event<'t>, span: Span, depth: usize) -> Result<Node, YamlError> {
        let (mut start, mut end, line) =
            (self.offset(span.start.index()), self.offset(span.end.index()), span.start.line());
        if depth > MAX_DEPTH {
            return Err(YamlError::TooDeep(line));
        }
        let (kind, anchor) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                let plain = style == ScalarStyle::Plain && tag.is_none();
                (Kind::Scalar { text: text.into_owned(), style, plain }, anchor)
            }
            Event::Alias(anchor) => {
                self.aliased.insert(anchor);
                (Kind::Alias(anchor), 0)
            }
            Event::SequenceStart(anchor, _) => {
                let flow;
                let mut items = Vec::new();
                loop {
                    match self.next()? {
                        (Event::SequenceEnd, span) => {
                            // A block ends without a character of its own.
                            flow = span.end.index() > span.start.index();
                            if flow {
                                start = self.bracket('[', start, end);
                                end = self.offset(span.start.index()) + 1;
                            }
                            break;
                        }
                        (event, span) => items.push(self.node(event, span, depth + 1)?),
                    }
                }
                if !flow {
                    start = items.first().map_or(start, |item| item.start);
                    end = items.last().map_or(end, |item| item.end);
                }
                (Kind::List { items, flow }, anchor)
            }
            Event::MappingStart(anchor, _) => {
                let flow;
                let mut entries = Vec::new();
                loop {
                    match self.next()? {
                        (Event::MappingEnd, span) => {
                            // A block ends without a character of its own.
                            flow = span.end.index() > span.start.index();
                            if flow {
                                start = self.bracket('{', start, end);
                                end = self.offset(span.start.index()) + 1;
                            }
                            break;
                        }
                        (event, span) => {
                            let key = self.node(event, span, depth + 1)?;
                            let (event, span) = self.next()?;
                            entries.push((key, self.node(event, span, depth + 1)?));
                        }
                    }
                }
                if !flow {
                    start = entries.first().map_or(start, |(key, _)| key.start);
                    end = entries.last().map_or(end, |(key, value)| value.end.max(key.end));
                }
                (Kind::Map { entries, flow }, anchor)
            }
            _ => return Err(YamlError::NotYaml { line, column: span.start.col() + 1, reason: "no value".to_owned() }),
        };
        Ok(Node { kind, start, end, anchor, line })
    }
}

impl Document {
    /// What the document says, to the kubelet: aliases and merge keys resolved.
    pub(super) fn value(&self) -> Result<Value, YamlError> {
        let mut reader = Reader { anchors: HashMap::new(), left: MAX_VALUES };
        self.top.as_ref().map_or(Ok(Value::Null), |top| reader.value(top))
    }
}

struct Reader {
    /// Values of the anchors so far.
    anchors: HashMap<usize, Value>,
    /// How many more values there may be.
    left: usize,
}

impl Reader {
    fn value(&mut self, node: &Node) -> Result<Value, YamlError> {
        self.spend(1, node)?;
        let found = match &node.kind {
            Kind::Scalar { text, plain: true, .. } => resolve(text),
            Kind::Scalar { text, .. } => Value::from(text.as_str()),
            Kind::Alias(anchor) => {
                let known = self.anchors.get(anchor).cloned().ok_or(YamlError::Loop(node.line))?;
                self.spend(count(&known), node)?;
                known
            }
            Kind::List { items, .. } => {
                Value::Array(items.iter().map(|item| self.value(item)).collect::<Result<_, _>>()?)
            }
            Kind::Map { entries, .. } => Value::Object(self.map(entries)?),
        };
        if node.anchor != 0 {
            self.anchors.insert(node.anchor, found.clone());
        }
        Ok(found)
    }

    fn map(&mut self, entries: &[(Node, Node)]) -> Result<Map<String, Value>, YamlError> {
        let mut object = Map::new();
        for (key, entry) in entries {
            let name = key.text().ok_or(YamlError::OddKey(key.line))?;
            let merged = match (name, self.value(entry)?) {
                ("<<", Value::Object(merged)) => merged,
                (name, entry) => Map::from_iter([(name.to_owned(), entry)]),
            };
            for (name, entry) in merged {
                // A key that is both merged and written is one too many for the kubelet as well.
                if object.insert(name.clone(), entry).is_some() {
                    return Err(YamlError::Twice { line: key.line, key: name });
                }
            }
        }
        Ok(object)
    }

    fn spend(&mut self, values: usize, node: &Node) -> Result<(), YamlError> {
        self.left = self.left.checked_sub(values).ok_or(YamlError::TooLarge(node.line))?;
        Ok(())
    }
}

fn count(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(count).sum::<usize>(),
        Value::Object(entries) => 1 + entries.values().map(count).sum::<usize>(),
        _ => 1,
    }
}
