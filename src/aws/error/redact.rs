//! Words of a server or a child process, made fit for a line on a terminal.

use crate::text::printable::misleads;

/// One line of at most `limit` characters: control characters become blanks, runs of blanks one.
pub(super) fn one_line(text: &str, limit: usize) -> String {
    let mut line = String::new();
    for word in text.split(|c: char| c.is_whitespace() || misleads(c)).filter(|w| !w.is_empty()) {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
        if line.len() > limit * 4 {
            break;
        }
    }
    if line.chars().count() > limit {
        line = line.chars().take(limit.saturating_sub(3)).collect::<String>() + "...";
    }
    line
}

/// Replaces what looks like a key, a token or a password: long runs of letters of both cases and digits, access
/// key ids, JSON web tokens. ARNs and host names are kept.
pub(super) fn without_secrets(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    for (i, word) in text.split(' ').enumerate() {
        if i > 0 {
            kept.push(' ');
        }
        push_word(&mut kept, word);
    }
    kept
}

fn push_word(kept: &mut String, word: &str) {
    if word.contains("arn:") && word.len() < 400 {
        kept.push_str(word);
        return;
    }
    let mut piece = String::new();
    for c in word.chars() {
        if c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=' | '_' | '-' | '.') {
            piece.push(c);
        } else {
            push_piece(kept, &mut piece);
            kept.push(c);
        }
    }
    push_piece(kept, &mut piece);
}

fn push_piece(kept: &mut String, piece: &mut String) {
    kept.push_str(if looks_secret(piece) { "[removed]" } else { piece });
    piece.clear();
}

fn looks_secret(piece: &str) -> bool {
    let count = |test: fn(&u8) -> bool| piece.bytes().filter(test).count();
    let (upper, lower, digits) =
        (count(u8::is_ascii_uppercase), count(u8::is_ascii_lowercase), count(u8::is_ascii_digit));
    let key_id = piece.len() >= 16 && (piece.starts_with("AKIA") || piece.starts_with("ASIA")) && lower == 0;
    let web_token = piece.len() > 20 && piece.starts_with("eyJ");
    let hex = piece.len() >= 40 && piece.bytes().all(|b| b.is_ascii_hexdigit());
    key_id || web_token || hex || (piece.len() >= 32 && upper > 1 && lower > 1 && digits > 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_has_no_control_characters_and_an_end() {
        assert_eq!(one_line("a\r\n\x1b[31mb\t c\u{202e}d", 80), "a [31mb c d");
        assert_eq!(one_line(&"x".repeat(500), 200).chars().count(), 200);
        assert_eq!(one_line("", 10), "");
    }

    #[test]
    fn keys_and_tokens_are_left_out_of_messages() {
        let text = "key AKIAIOSFODNN7EXAMPLE secret=wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY1 token 'eyJhbGciOiJIUzI1NiJ9.e30.x'";
        assert_eq!(
            without_secrets(text),
            "key [removed] secret=wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY1 token '[removed]'"
                .replace("secret=wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY1", "[removed]")
        );
    }

    #[test]
    fn arns_hosts_and_actions_are_kept() {
        let text = "User: arn:aws:sts::123456789012:assumed-role/Deploy-Role-2024/i-0abcdef1234567890 is not authorized to perform: \
                    ecr:GetAuthorizationToken on resource: * at api.ecr.eu-central-1.amazonaws.com";
        assert_eq!(without_secrets(text), text);
    }
}
