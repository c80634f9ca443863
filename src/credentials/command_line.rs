//! A `credential_process` command line as words.
//!
//! AWS's own rule is the AWS CLI's: botocore runs the words that Python's `shlex.split` finds (on Windows those of
//! `CommandLineToArgvW`), and no shell. Other SDKs, the one for Rust among them, hand the line to `sh -c`, where
//! `&`, `;`, `$` and backquotes mean what the CLI takes literally; a line that works with the CLI works here.

/// Why a command line has no words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum WordsError {
    /// A quotation mark without its second half.
    #[error("has a quotation mark that is never closed")]
    OpenQuote,
    /// A backslash at the very end.
    #[error("ends in a backslash")]
    Backslash,
    /// Nothing but blanks.
    #[error("is empty")]
    Empty,
}

/// The program and its arguments, never empty.
///
/// # Errors
/// A line that the AWS CLI refuses too.
pub(crate) fn split(line: &str) -> Result<Vec<String>, WordsError> {
    let words = if cfg!(windows) { windows(line)? } else { posix(line)? };
    if words.first().is_none_or(String::is_empty) { Err(WordsError::Empty) } else { Ok(words) }
}

/// `shlex.split` (<https://docs.python.org/3/library/shlex.html#parsing-rules>, POSIX mode): quotes join, a
/// backslash outside quotes makes the next character literal, within double quotes only `"` and itself, within
/// single quotes nothing.
fn posix(line: &str) -> Result<Vec<String>, WordsError> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        match character {
            ' ' | '\t' | '\r' | '\n' => words.extend(word.take()),
            '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match characters.next().ok_or(WordsError::OpenQuote)? {
                        '\'' => break,
                        literal => word.push(literal),
                    }
                }
            }
            '"' => {
                let word = word.get_or_insert_default();
                loop {
                    match characters.next().ok_or(WordsError::OpenQuote)? {
                        '"' => break,
                        '\\' => match characters.next().ok_or(WordsError::OpenQuote)? {
                            escaped @ ('"' | '\\') => word.push(escaped),
                            other => word.extend(['\\', other]),
                        },
                        literal => word.push(literal),
                    }
                }
            }
            '\\' => word.get_or_insert_default().push(characters.next().ok_or(WordsError::Backslash)?),
            literal => word.get_or_insert_default().push(literal),
        }
    }
    words.extend(word);
    Ok(words)
}

/// `CommandLineToArgvW` as botocore has it: backslashes are literal unless a double quote follows, then each pair is
/// one; an odd one makes the quote literal. Single quotes mean nothing.
fn windows(line: &str) -> Result<Vec<String>, WordsError> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quoted = false;
    let mut backslashes = 0;
    for character in line.chars() {
        match character {
            '\\' => {
                backslashes += 1;
                continue;
            }
            '"' => {
                let word = word.get_or_insert_default();
                word.extend(std::iter::repeat_n('\\', backslashes / 2));
                if backslashes % 2 == 1 {
                    word.push('"');
                } else {
                    quoted = !quoted;
                }
            }
            other => {
                if backslashes > 0 {
                    word.get_or_insert_default().extend(std::iter::repeat_n('\\', backslashes));
                }
                if !quoted && matches!(other, ' ' | '\t') {
                    words.extend(word.take());
                } else {
                    word.get_or_insert_default().push(other);
                }
            }
        }
        backslashes = 0;
    }
    if quoted {
        return Err(WordsError::OpenQuote);
    }
    if backslashes > 0 {
        word.get_or_insert_default().extend(std::iter::repeat_n('\\', backslashes));
    }
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each row as `python3 -c 'import shlex; print(shlex.split(...))'` answers it.
    #[test]
    fn words_are_those_of_the_aws_cli() {
        let rows: &[(&str, &[&str])] = &[
            ("/opt/bin/creds --user ana", &["/opt/bin/creds", "--user", "ana"]),
            (r#""/opt/My Tools/creds" --user "Ana B""#, &["/opt/My Tools/creds", "--user", "Ana B"]),
            (r"/opt/My\ Tools/creds 'a \ b'", &["/opt/My Tools/creds", r"a \ b"]),
            (r#"creds "a\"b" "a\\b" "a\nb""#, &["creds", "a\"b", r"a\b", r"a\nb"]),
            ("creds a''b '' \"\"", &["creds", "ab", "", ""]),
            (
                "creds --url https://x/?a=1&b=2;c #no comment",
                &["creds", "--url", "https://x/?a=1&b=2;c", "#no", "comment"],
            ),
            ("creds $HOME `id` $(id) | tee >x *", &["creds", "$HOME", "`id`", "$(id)", "|", "tee", ">x", "*"]),
            ("  creds\t--x \n", &["creds", "--x"]),
            (r"creds \'a", &["creds", "'a"]),
        ];
        for (line, expected) in rows {
            assert_eq!(posix(line).unwrap(), *expected, "{line}");
        }
    }

    // Windows has other rules: an open quote ends with the line, and a backslash is one.
    #[cfg(unix)]
    #[test]
    fn lines_that_the_aws_cli_refuses_are_refused() {
        for (line, error) in [
            ("creds 'a", WordsError::OpenQuote),
            ("creds \"a\\", WordsError::OpenQuote),
            ("creds a\\", WordsError::Backslash),
            ("  ", WordsError::Empty),
            ("'' x", WordsError::Empty),
        ] {
            assert_eq!(split(line), Err(error), "{line}");
        }
    }

    #[test]
    fn on_windows_backslashes_are_part_of_paths() {
        let rows: &[(&str, &[&str])] = &[
            (r"C:\Tools\creds.exe --user ana", &[r"C:\Tools\creds.exe", "--user", "ana"]),
            (r#""C:\My Tools\creds.exe" 'a b'"#, &[r"C:\My Tools\creds.exe", "'a", "b'"]),
            (r#"creds "a\"b" "c:\\" d\"#, &["creds", "a\"b", r"c:\", r"d\"]),
        ];
        for (line, expected) in rows {
            assert_eq!(windows(line).unwrap(), *expected, "{line}");
        }
    }
}
