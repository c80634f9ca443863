//! How text stands on a terminal: lines that are broken between words at its width, what continues one below its text, and `~`
//! for the home directory. Off a terminal (a pipe, a file) every line stays whole, and every path too.

use std::borrow::Cow;
use std::io::IsTerminal as _;

use crate::os::environment::Environment;

/// Wider lines are hard to read, whatever the terminal's width.
const MAX_WIDTH: usize = 100;

/// A terminal narrower than that is none that words can be laid out on.
const MIN_WIDTH: usize = 30;

/// The layout of one stream.
#[derive(Clone, Debug, Default)]
pub(crate) struct Layout {
    /// In characters; `None` where lines stay whole.
    width: Option<usize>,
    home: Option<String>,
}

impl Layout {
    /// For stdout.
    pub(crate) fn for_stdout(environment: &Environment) -> Self {
        let stdout = std::io::stdout();
        if stdout.is_terminal() { Self::of(environment, width(&stdout)) } else { Self::default() }
    }

    /// For stderr.
    pub(crate) fn for_stderr(environment: &Environment) -> Self {
        let stderr = std::io::stderr();
        if stderr.is_terminal() { Self::of(environment, width(&stderr)) } else { Self::default() }
    }

    fn of(environment: &Environment, width: Option<usize>) -> Self {
        let home = environment.home().and_then(|home| home.to_str().map(|home| home.trim_end_matches('/').to_owned()));
        let width = width.filter(|width| *width >= MIN_WIDTH).map(|width| width.min(MAX_WIDTH));
        Self { width, home: home.filter(|home| home.len() > 1) }
    }

    /// A line and its end; what is broken off goes on `indent` characters from the left.
    pub(crate) fn line(&self, line: &str, indent: usize) -> String {
        let line = self.with_tilde(line);
        match self.width {
            Some(width) if visible(&line) > width => broken(&line, width, indent),
            _ => format!("{line}\n"),
        }
    }

    /// A page whose lines may have columns, as help has: what is broken off a line goes on below its last column.
    pub(crate) fn page(&self, page: &str) -> String {
        page.lines().map(|line| self.line(line, self.width.map_or(0, |width| last_column(line, width)))).collect()
    }

    /// A report of whole lines: what is broken off a line goes on further to the right than the line began.
    pub(crate) fn report(&self, report: &str) -> String {
        const FURTHER: usize = 2;
        let own = |line: &str| line.len() - line.trim_start_matches(' ').len();
        report.lines().map(|line| self.line(line, own(line) + FURTHER)).collect()
    }

    fn with_tilde<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let Some(home) = self.home.as_deref().filter(|home| text.contains(home)) else { return Cow::Borrowed(text) };
        let mut short = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find(home) {
            let (before, after) = (&rest[..at], &rest[at + home.len()..]);
            let begins = !short.chars().chain(before.chars()).next_back().is_some_and(is_of_path);
            let is_home = begins && !after.chars().next().is_some_and(|next| next != '/' && is_of_path(next));
            short.push_str(before);
            short.push_str(if is_home { "~" } else { home });
            rest = after;
        }
        short.push_str(rest);
        Cow::Owned(short)
    }
}

/// Whether a path may go on with this character.
fn is_of_path(character: char) -> bool {
    character.is_alphanumeric() || matches!(character, '/' | '.' | '-' | '_' | '~')
}

/// The terminal's width in characters.
#[cfg(unix)]
fn width(stream: &impl std::os::fd::AsFd) -> Option<usize> {
    rustix::termios::tcgetwinsize(stream).ok().map(|size| usize::from(size.ws_col)).filter(|width| *width > 0)
}

#[cfg(not(unix))]
fn width<S>(_stream: &S) -> Option<usize> {
    None
}

/// How many characters are seen of it: colours are not.
fn visible(text: &str) -> usize {
    let mut in_colour = false;
    let is_seen = |character: &char| match (in_colour, *character) {
        (false, '\x1b') => {
            in_colour = true;
            false
        }
        (false, _) => true,
        (true, end) => {
            in_colour = end != 'm';
            false
        }
    };
    text.chars().filter(is_seen).count()
}

/// A line in pieces of at most `width`, if its words allow it.
fn broken(line: &str, width: usize, indent: usize) -> String {
    // A column that leaves no room is none.
    let indent = if indent + MIN_WIDTH / 2 > width { 4 } else { indent };
    let head = line.len() - line.trim_start().len();
    let (mut text, mut column) = (line[..head].to_owned(), head);
    let mut is_first = true;
    for word in line[head..].split(' ') {
        let length = visible(word);
        if !is_first && column + 1 + length > width && column > indent {
            text.truncate(text.trim_end().len());
            text.push('\n');
            text.push_str(&" ".repeat(indent));
            column = indent;
        } else if !is_first {
            text.push(' ');
            column += 1;
        }
        text.push_str(word);
        column += length;
        is_first = false;
    }
    text.push('\n');
    text
}

/// Where the last column of a line begins in its first half, after at least two blanks; else its own indentation.
fn last_column(line: &str, width: usize) -> usize {
    let characters: Vec<char> = line.chars().collect();
    let own = characters.iter().take_while(|character| **character == ' ').count();
    let begins = |at: &usize| characters[at - 2..*at] == [' ', ' '] && characters[*at] != ' ';
    (own + 3..characters.len().min(width / 2 + 1)).rfind(begins).unwrap_or(own)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(width: usize) -> Layout {
        Layout { width: Some(width), home: Some("/home/me".to_owned()) }
    }

    #[test]
    fn a_long_line_goes_on_below_its_text() {
        let line = "  ok     helper    this is a line that has more words than there is room for";
        let expected = "  ok     helper    this is a line that\n                   has more words than\n                   there is room for\n";
        assert_eq!(at(40).line(line, 19), expected);
        assert_eq!(at(40).page(line), expected);
        assert_eq!(Layout::default().line(line, 19), format!("{line}\n"));
    }

    #[test]
    fn a_report_hangs_and_a_line_that_is_indented_hangs_further() {
        let report =
            "/home/me/x: this line is too long for forty\n  and so is this one, which is indented by two\nshort\n";
        let expected =
            "~/x: this line is too long for forty\n  and so is this one, which is indented by\n    two\nshort\n";
        assert_eq!(at(42).report(report), expected);
    }

    #[test]
    fn a_word_that_is_too_long_stays_whole_and_colours_take_no_room() {
        let long = "x".repeat(50);
        assert_eq!(at(40).line(&format!("a {long} b"), 2), format!("a {long}\n  b\n"));
        let coloured = format!("\x1b[1;31m{}\x1b[0m b", "y".repeat(38));
        assert_eq!(at(40).line(&coloured, 2), format!("{coloured}\n"));
    }

    #[test]
    fn the_home_directory_is_a_tilde_for_people_and_no_other_path_is() {
        for (text, shown) in [
            ("/home/me/.docker/config.json: x", "~/.docker/config.json: x"),
            ("in /home/me.", "in /home/me."),
            ("in /home/me, and (/home/me/a)", "in ~, and (~/a)"),
            ("/mnt/home/me/x /home/meg/x", "/mnt/home/me/x /home/meg/x"),
        ] {
            assert_eq!(at(80).line(text, 0), format!("{shown}\n"));
            assert_eq!(Layout::default().line(text, 0), format!("{text}\n"));
        }
    }
}
