//! One line of the output of a program or a server, fit for our own stderr: printable, short, without secrets.

use crate::os::environment::Environment;
use crate::text::printable::misleads;

/// The most that is quoted, in characters.
const QUOTED: usize = 200;
/// What stands where a secret stood.
const REMOVED: &str = "[removed]";
/// A shorter value of a variable is no secret worth the confusion of removing it everywhere.
const SHORTEST_SECRET: usize = 8;

/// The last line of `bytes` that is not empty: programs put the reason there, after usage texts and traces.
pub(super) fn last_line(bytes: &[u8], environment: &Environment) -> Option<String> {
    let text = String::from_utf8_lossy(bytes);
    text.lines().rev().map(|line| printable(line, environment)).find(|line| !line.is_empty())
}

/// `text` on one line, at most 200 characters, without control characters and without what resembles a secret.
pub(super) fn printable(text: &str, environment: &Environment) -> String {
    let mut line = without_controls(text);
    for value in secret_values(environment) {
        line = line.replace(value, REMOVED);
    }
    let line = without_secrets(&line);
    let line = line.trim();
    match line.char_indices().nth(QUOTED) {
        None => line.to_owned(),
        Some(_) => line.chars().take(QUOTED - 3).chain("...".chars()).collect(),
    }
}

/// The values of variables whose names say that they are secret.
fn secret_values(environment: &Environment) -> impl Iterator<Item = &str> {
    environment.variables().filter_map(|(name, value)| {
        let name = name.to_str()?.to_ascii_uppercase();
        let value = value.to_str()?;
        let secret = ["SECRET", "TOKEN", "PASSW", "CREDENTIAL", "API_KEY", "ACCESS_KEY", "PRIVATE_KEY"];
        // The settings of AWS with these words name files and addresses, which the reader needs.
        let place = name.ends_with("_FILE") || name.ends_with("_URI") || value.starts_with('/');
        (value.len() >= SHORTEST_SECRET && !place && secret.iter().any(|word| name.contains(word))).then_some(value)
    })
}

/// Control characters become blanks; terminal escape sequences (ECMA-48, `ESC [ ... letter`) go.
fn without_controls(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        if character == '\u{1b}' && characters.peek() == Some(&'[') {
            characters.next();
            characters.by_ref().find(|c| ('\u{40}'..='\u{7e}').contains(c));
        } else if misleads(character) {
            out.push(' ');
        } else {
            out.push(character);
        }
    }
    out
}

/// Replaces what resembles a secret: access key ids, JSON web tokens, values named `password=` and the like, and
/// long runs without the look of words.
fn without_secrets(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    let mut named_secret = false;
    while let Some(first) = rest.chars().next() {
        let in_run = |c: char| c.is_ascii_alphanumeric() || "+/_-.~".contains(c);
        let end = rest.find(|c| in_run(c) != in_run(first)).unwrap_or(rest.len());
        let (piece, after) = rest.split_at(end);
        rest = after;
        if !in_run(first) {
            named_secret = named_secret && piece.contains(['=', ':']);
            out.push_str(piece);
            continue;
        }
        let secret = is_key_id(piece)
            || piece.starts_with("eyJ")
            || looks_random(piece)
            || (named_secret && piece.len() >= SHORTEST_SECRET && piece.contains(|c: char| c.is_ascii_digit()));
        out.push_str(if secret { REMOVED } else { piece });
        let name = piece.to_ascii_lowercase();
        named_secret = ["secret", "token", "password", "passwd", "key"].iter().any(|word| name.ends_with(word));
    }
    out
}

/// An access key id: four letters that say its kind and 16 more
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html>).
fn is_key_id(piece: &str) -> bool {
    piece.len() >= 16
        && ["AKIA", "ASIA", "ABIA", "ACCA"].iter().any(|kind| piece.starts_with(kind))
        && piece.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
}

/// Letters of both cases and digits change places in a random run more than twice as often as in paths and names.
fn looks_random(piece: &str) -> bool {
    let kind = |b: u8| (b.is_ascii_lowercase(), b.is_ascii_uppercase(), b.is_ascii_digit());
    let changes = piece
        .as_bytes()
        .windows(2)
        .filter(|pair| pair.iter().all(u8::is_ascii_alphanumeric) && kind(pair[0]) != kind(pair[1]))
        .count();
    piece.len() >= 20 && piece.contains(|c: char| c.is_ascii_digit()) && changes * 4 >= piece.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(text: &str) -> String {
        printable(text, &Environment::of::<&str, &str>([]))
    }

    #[test]
    fn messages_of_tools_stay_readable() {
        for message in [
            "Error: ExpiredToken: the security token included in the request is expired",
            "/usr/local/lib/python3.11/site-packages/botocore/session.py: not found",
            "vault: profile Admin2 in /home/ana/.config/vault/profiles_2024.toml: no such section",
            "InvalidClientTokenId calling GetSessionToken as arn:aws:iam::123456789012:user/ana",
            "ykman: touch your key: timed out after 15 s",
        ] {
            assert_eq!(plain(message), message);
        }
    }

    #[test]
    fn secrets_are_removed() {
        for (message, expected) in [
            ("key AKIAIOSFODNN7EXAMPLE refused", "key [removed] refused"),
            ("got wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY1 back", "got [removed] back"),
            ("jwt eyJhbGciOiJub25lIn0.e30.x", "jwt [removed]"),
            ("login with password=hunter2hunter failed", "login with password=[removed] failed"),
            (r#"{"SessionToken": "abcdefgh1"}"#, r#"{"SessionToken": "[removed]"}"#),
        ] {
            assert_eq!(plain(message), expected);
        }
    }

    #[test]
    fn values_of_secret_variables_are_removed() {
        let environment = Environment::of([
            ("VAULT_PASSWORD", "correct horse"),
            ("AWS_SHARED_CREDENTIALS_FILE", "/home/ana/creds"),
            ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1:1/creds"),
        ]);
        let message = "bad password correct horse for /home/ana/creds at http://127.0.0.1:1/creds";
        assert_eq!(
            printable(message, &environment),
            "bad password [removed] for /home/ana/creds at http://127.0.0.1:1/creds"
        );
    }

    #[test]
    fn the_last_line_that_says_anything_is_taken() {
        let environment = Environment::of::<&str, &str>([]);
        assert_eq!(last_line(b"usage: x\n\n\x1b[31mreason\x1b[0m\r\n \n", &environment).as_deref(), Some("reason"));
        assert_eq!(last_line(b" \n\n", &environment), None);
        assert_eq!(last_line(b"\xff\xfe bad\n", &environment).as_deref(), Some("\u{fffd}\u{fffd} bad"));
    }

    #[test]
    fn a_long_line_is_cut_to_two_hundred_characters() {
        let line = plain(&"ä ".repeat(300));
        assert_eq!(line.chars().count(), 200);
        assert!(line.ends_with("..."));
    }

    #[test]
    fn text_that_hides_or_reorders_is_made_plain() {
        assert_eq!(plain("a\u{202e}b\tc\u{200b}d"), "a b c d");
    }
}
