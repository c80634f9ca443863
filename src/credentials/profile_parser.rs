//! The grammar of AWS's shared config and credentials files as the AWS CLI reads it (Python's `configparser`, then
//! botocore's `configloader`), with two differences: an error in a section that is not used breaks nothing, and
//! an indented `[section]` begins a section wherever it stands.
//!
//! The first pass finds the sections alone; a section is parsed when it is used. Borrows from the text.
//!
//! <https://docs.aws.amazon.com/sdkref/latest/guide/file-format.html>

use std::borrow::Cow;

/// Keys that decide whose credentials are used. A line of theirs that is not read as it looks is an error.
const IDENTITY_KEYS: [&str; 19] = [
    "aws_access_key_id",
    "aws_secret_access_key",
    "aws_security_token",
    "aws_session_token",
    "credential_process",
    "credential_source",
    "duration_seconds",
    "external_id",
    "login_session",
    "mfa_serial",
    "role_arn",
    "role_session_name",
    "source_profile",
    "sso_account_id",
    "sso_region",
    "sso_role_name",
    "sso_session",
    "sso_start_url",
    "web_identity_token_file",
];

/// The key whose value may go on in the next lines.
const MULTILINE_KEY: &str = "credential_process";

/// The section whose keys hold for every other section of its file.
const FOR_ALL: &str = "DEFAULT";

/// What stands for bytes that are not UTF-8.
const NOT_UTF8: char = char::REPLACEMENT_CHARACTER;

/// Which of the two files a text is; they spell section names differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FileKind {
    /// `~/.aws/config`: `[default]`, `[profile NAME]`, `[sso-session NAME]`, `[services NAME]`.
    Config,
    /// `~/.aws/credentials`: `[NAME]`.
    Credentials,
}

/// A line that cannot be read, or that would be read as something else than it looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct MalformedLine {
    /// Its number; the first is 1.
    pub(super) line: usize,
    /// What is wrong with it.
    pub(super) reason: &'static str,
}

/// What a section is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SectionKind {
    /// A profile.
    Profile,
    /// `[sso-session NAME]`.
    SsoSession,
    /// `[services NAME]`.
    Services,
    /// `[DEFAULT]`, whose keys hold for every section of the file.
    ForAll,
    /// The header has no closing bracket.
    Unclosed,
    /// The header's name is not spelled as the file wants it: `[NAME]` or `[profile A B]` in the config file. It counts for
    /// nothing; messages name it, as it is a common mistake.
    Misspelled,
}

struct Section<'a> {
    kind: SectionKind,
    name: Cow<'a, str>,
    /// The header's line, without what surrounds it.
    header: &'a str,
    /// Where the header's line begins.
    at: usize,
    /// White space before the header.
    indent: usize,
    body: &'a str,
    /// Where the body begins.
    body_at: usize,
}

impl std::fmt::Debug for Section<'_> {
    /// Without the body: it may hold keys.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?} {}", self.kind, self.name)
    }
}

/// The sections of one file.
#[derive(Debug, Default)]
pub(super) struct Sections<'a> {
    text: &'a str,
    list: Vec<Section<'a>>,
    /// The first key before the first section that would decide whose credentials are used.
    stray_key: Option<usize>,
}

/// Keys (in lower case) and values of a section, in the order of the file, and what is wrong with it.
#[derive(Debug, Default)]
pub(super) struct Properties<'a> {
    list: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    /// The first line that is wrong.
    pub(super) malformed: Option<MalformedLine>,
}

impl Properties<'_> {
    /// The value of `key`, if it is not empty. The value of `credential_process` may have line ends in it.
    pub(super) fn get(&self, key: &str) -> Option<&str> {
        self.list
            .iter()
            .rev()
            .find(|(name, _)| name == key)
            .map(|(_, value)| &**value)
            .filter(|value| !value.is_empty())
    }

    /// Whether `key` is there, with or without a value.
    pub(super) fn has(&self, key: &str) -> bool {
        self.list.iter().any(|(name, _)| name == key)
    }

    /// The value of `key` among the lines nested below `parent`: `endpoint_url` below `ecr =`.
    pub(super) fn nested(&self, parent: &str, key: &str) -> Option<&str> {
        let lines = self.get(parent)?.strip_prefix('\n')?.split('\n');
        let found = lines.filter_map(|line| line.split_once('=')).rfind(|(name, _)| name.trim() == key);
        found.map(|(_, value)| value.trim()).filter(|value| !value.is_empty())
    }
}

impl<'a> Sections<'a> {
    /// Finds the sections in `text`: from bracket to bracket, as most lines have none and every cached answer comes here.
    pub(super) fn find(text: &'a str, file: FileKind) -> Self {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut sections = Self { text, list: Vec::with_capacity(64), stray_key: None };
        let mut searched = 0;
        while let Some(bracket) = text[searched..].find('[').map(|found| searched + found) {
            let at = text[..bracket].bytes().rposition(ends_line).map_or(0, |end| end + 1);
            let end = text[bracket..].bytes().position(ends_line).map_or(text.len(), |length| bracket + length);
            // What follows in this line begins no section, and it is not looked at again.
            searched = end;
            if !text[at..bracket].trim_start().is_empty() {
                continue;
            }
            if let Some(last) = sections.list.last_mut() {
                last.body = &text[last.body_at..at];
            }
            let header = text[bracket..end].trim_end();
            let (kind, name) = section_name(header, file);
            let body_at = (end + 1).min(text.len());
            sections.list.push(Section { kind, name, header, at, indent: bracket - at, body: "", body_at });
        }
        if let Some(last) = sections.list.last_mut() {
            last.body = &text[last.body_at..];
        }
        let before = &text[..sections.list.first().map_or(text.len(), |section| section.at)];
        let stray_key = Lines::of(before).find(|(_, line)| is_identity_line(line.trim_start()));
        sections.stray_key = stray_key.map(|(at, _)| at);
        sections
    }

    /// The properties of the section that counts for this name: the last one, as in the AWS CLI.
    pub(super) fn get(&self, kind: SectionKind, name: &str) -> Option<Properties<'a>> {
        let mut named = self.list.iter().filter(|section| section.kind == kind && section.name == name);
        let mut last = named.next()?;
        let mut twice = None;
        for section in named {
            if section.header == last.header {
                twice = Some(section.at);
            }
            last = section;
        }
        let mut properties = Properties::default();
        if let Some(at) = twice {
            properties.malformed = Some(self.malformed(at, "the section is there twice"));
        }
        for section in self.list.iter().filter(|section| section.kind == SectionKind::ForAll) {
            self.read(section, &mut properties);
        }
        self.read(last, &mut properties);
        Some(properties)
    }

    /// What is wrong with the file where the profile `name` may have been meant and is not found: a header that is not
    /// closed, keys before the first header.
    pub(super) fn hidden(&self, name: &str) -> Option<MalformedLine> {
        let unclosed = |section: &&Section<'_>| section.kind == SectionKind::Unclosed && section.name == name;
        let unclosed =
            self.list.iter().find(unclosed).map(|section| (section.at, "a section's name without its closing bracket"));
        let stray = self.stray_key.filter(|_| name == "default").map(|at| (at, "a key before the first [section]"));
        unclosed.or(stray).map(|(at, reason)| self.malformed(at, reason))
    }

    /// Whether `name` stands in a section whose header is not spelled as the file wants it.
    pub(super) fn misspells(&self, name: &str) -> bool {
        self.list.iter().any(|section| section.kind == SectionKind::Misspelled && section.name == name)
    }

    /// The names of all profiles.
    pub(super) fn profile_names(&self) -> impl Iterator<Item = &str> {
        self.list.iter().filter(|section| section.kind == SectionKind::Profile).map(|section| &*section.name)
    }

    fn malformed(&self, at: usize, reason: &'static str) -> MalformedLine {
        MalformedLine { line: number(self.text, at), reason }
    }

    /// Appends the properties of `section`.
    fn read(&self, section: &Section<'a>, into: &mut Properties<'a>) {
        let mut indent = section.indent;
        let first = into.list.len();
        // Whether a deeper line goes on with the last property.
        let mut is_open = false;
        let mut wrong = |at, reason| {
            into.malformed.get_or_insert_with(|| self.malformed(section.body_at + at, reason));
        };
        for (at, line) in Lines::of(section.body) {
            let content = line.trim();
            if content.is_empty() || content.starts_with(['#', ';']) {
                continue;
            }
            if content.contains(NOT_UTF8) {
                wrong(at, "not UTF-8");
            }
            let depth = line.len() - line.trim_start().len();
            if is_open && depth > indent {
                if let Some((name, value)) = into.list.last_mut() {
                    if value.is_empty() || value.starts_with('\n') {
                        if !content.contains('=') {
                            wrong(at, "a nested line without '='");
                        } else if IDENTITY_KEYS.contains(&&**name) {
                            wrong(at, CONTINUED);
                        }
                    } else if is_identity_line(content) || name != MULTILINE_KEY && IDENTITY_KEYS.contains(&&**name) {
                        wrong(at, CONTINUED);
                    }
                    let value = value.to_mut();
                    value.push('\n');
                    value.push_str(content);
                }
                continue;
            }
            indent = depth;
            let Some((name, value)) = property(content) else {
                is_open = false;
                wrong(at, "neither a comment nor 'key = value'");
                continue;
            };
            if into.list[first..].iter().any(|(known, _)| *known == name) {
                wrong(at, "the key is there twice");
            }
            into.list.push((name, Cow::Borrowed(value)));
            is_open = true;
        }
    }
}

const CONTINUED: &str = "it is indented, and so it continues the line above it; begin it where that line begins";

/// Name, in lower case, and value of a line: what stands before and after the first `=` or `:`.
fn property(content: &str) -> Option<(Cow<'_, str>, &str)> {
    let sign = content.find(['=', ':'])?;
    let (name, value) = (content[..sign].trim_end(), content[sign + 1..].trim_start());
    if name.is_empty() {
        return None;
    }
    let is_lower = !name.bytes().any(|byte| byte.is_ascii_uppercase());
    Some((if is_lower { Cow::Borrowed(name) } else { Cow::Owned(name.to_ascii_lowercase()) }, value))
}

/// Whether a line looks like one of the keys that decide whose credentials are used.
fn is_identity_line(content: &str) -> bool {
    property(content).is_some_and(|(name, _)| IDENTITY_KEYS.contains(&&*name))
}

/// What a header means.
fn section_name(line: &str, file: FileKind) -> (SectionKind, Cow<'_, str>) {
    if file == FileKind::Config
        && let Some(name) = plain_profile(line)
    {
        return (SectionKind::Profile, Cow::Borrowed(name));
    }
    let inner = &line[1..];
    let Some(mut end) = inner.find(']') else { return (SectionKind::Unclosed, Cow::Borrowed(inner.trim())) };
    // What follows the bracket is a comment, or the name has a bracket in it.
    let rest = inner[end + 1..].trim_start();
    if !rest.is_empty() && !rest.starts_with(['#', ';']) {
        end = inner.rfind(']').unwrap_or(end);
    }
    let name = inner[..end].trim();
    if name == FOR_ALL {
        return (SectionKind::ForAll, Cow::Borrowed(name));
    }
    if file == FileKind::Credentials || name == "default" {
        return (SectionKind::Profile, Cow::Borrowed(name));
    }
    let (prefix, rest) = name.split_once(char::is_whitespace).unwrap_or(("", name));
    let kind = match prefix {
        "profile" => SectionKind::Profile,
        "sso-session" => SectionKind::SsoSession,
        "services" => SectionKind::Services,
        _ => return (SectionKind::Misspelled, Cow::Borrowed(name)),
    };
    match unquoted(rest.trim_start()) {
        Some(name) => (kind, name),
        None => (SectionKind::Misspelled, Cow::Borrowed(rest.trim_start())),
    }
}

/// The name in `[profile NAME]` of nothing but letters, digits and `-_.@`, as nearly every header has it: a shorter way to
/// what the rules below give.
fn plain_profile(line: &str) -> Option<&str> {
    let name = line.strip_prefix("[profile ")?.strip_suffix(']')?;
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'@');
    (!name.is_empty() && name.bytes().all(is_plain)).then_some(name)
}

/// The name in a header of the config file, which is one word of a shell's: `'a b'`, `"a b"`, `a\ b`.
fn unquoted(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains(['\'', '"', '\\']) {
        return (!text.is_empty() && !text.contains(char::is_whitespace)).then_some(Cow::Borrowed(text));
    }
    let mut name = String::with_capacity(text.len());
    let mut quote = None;
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match (quote, character) {
            (None, '\'' | '"') => quote = Some(character),
            (Some(open), _) if open == character => quote = None,
            (None, '\\') => name.push(characters.next()?),
            (Some('"'), '\\') => match characters.next()? {
                escaped @ ('"' | '\\') => name.push(escaped),
                other => name.extend(['\\', other]),
            },
            (None, blank) if blank.is_whitespace() => return None,
            (_, literal) => name.push(literal),
        }
    }
    quote.is_none().then_some(Cow::Owned(name))
}

/// The lines of a text and where each begins. `\n`, `\r\n` and `\r` end one; between `\r` and `\n` there is an empty one
/// more, which means nothing.
struct Lines<'a> {
    text: &'a str,
    at: usize,
    has_returns: bool,
}

impl<'a> Lines<'a> {
    fn of(text: &'a str) -> Self {
        Self { text, at: 0, has_returns: text.contains('\r') }
    }
}

impl<'a> Iterator for Lines<'a> {
    type Item = (usize, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        let at = self.at;
        let rest = self.text.get(at..).filter(|rest| !rest.is_empty())?;
        let end = if self.has_returns { rest.find(['\n', '\r']) } else { rest.find('\n') };
        let line = &rest[..end.unwrap_or(rest.len())];
        self.at = at + line.len() + 1;
        Some((at, line))
    }
}

/// Whether a line ends before this byte.
fn ends_line(byte: u8) -> bool {
    matches!(byte, b'\n' | b'\r')
}

/// The number of the line that begins at `at`; the first is 1.
fn number(text: &str, at: usize) -> usize {
    let before = &text.as_bytes()[..at];
    let ends = |index: &usize| match before[*index] {
        b'\n' => true,
        b'\r' => text.as_bytes().get(index + 1) != Some(&b'\n'),
        _ => false,
    };
    1 + (0..before.len()).filter(ends).count()
}

#[cfg(test)]
mod tests;
