//! Text from a server, a file or an argument before it reaches a terminal or a log.

use std::borrow::Cow;
use std::path::Path;

/// Whether a character could end a line, control a terminal, be invisible or reverse the order of the text: control
/// characters, line and paragraph separators, bidirectional marks (Unicode, UAX #9), characters of no width, and
/// tags.
pub fn misleads(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{61c}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

/// The text on one line, with a blank for each character that [`misleads`].
pub fn one_line(text: &str) -> String {
    text.trim_end().chars().map(|c| if misleads(c) { ' ' } else { c }).collect()
}

/// A name from a file or the environment, fit for a line of text: no control characters, at most 100 characters.
pub(crate) fn plain(name: &str) -> String {
    name.chars().take(100).map(|c| if misleads(c) { '?' } else { c }).collect()
}

/// The text without Rust's `(os error 13)`: the system's text for it stands before it.
pub(crate) fn without_errno(text: &str) -> Cow<'_, str> {
    const BEGINS: &str = " (os error ";
    let mut text = Cow::Borrowed(text);
    while let Some(at) = text.find(BEGINS) {
        let after = &text[at + BEGINS.len()..];
        let Some(end) =
            after.find(')').filter(|end| after[..*end].bytes().all(|byte| matches!(byte, b'-' | b'0'..=b'9')))
        else {
            break;
        };
        text = Cow::Owned(format!("{}{}", &text[..at], &after[end + 1..]));
    }
    text
}

/// The text as one word of a shell's command line.
pub(crate) fn shell_word(text: &str) -> Cow<'_, str> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-+:@%,~".contains(&byte);
    if !text.is_empty() && text.bytes().all(is_plain) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(format!("'{}'", text.replace('\'', "'\\''")))
}

/// A path on one line, for people.
pub(crate) fn line_of(path: &Path) -> String {
    one_line(&path.display().to_string())
}

/// The text with its lines and tabs, and a blank for every other character that [`misleads`]: for a page that quotes what
/// others wrote.
pub(crate) fn page(text: &str) -> String {
    text.chars().map(|c| if misleads(c) && c != '\n' && c != '\t' { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_stays_one_line_and_drives_no_terminal() {
        let said = "a\nb\r\tc\u{1b}[31m\u{7f}\u{9b}\u{202e}d\u{2028}e\u{200b}f\u{e0041}g\n";
        assert_eq!(one_line(said), "a b  c [31m   d e f g");
        assert_eq!(one_line("Größe 5 €"), "Größe 5 €");
        assert_eq!(line_of(Path::new("/a\n+b\u{1b}[2J")), "/a +b [2J");
        assert_eq!(shell_word("/run/user/1000/a.json"), "/run/user/1000/a.json");
        assert_eq!(shell_word("/home/my name/it's"), "'/home/my name/it'\\''s'");
        assert_eq!(without_errno("no x (os error 2): no y (os error -13), a (os error)"), "no x: no y, a (os error)");
        assert_eq!(page("a\r\n\tb\u{1b}[2J\u{202e}c\n"), "a \n\tb [2J c\n");
    }
}
