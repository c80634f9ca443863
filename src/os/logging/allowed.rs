//! What may be logged.

use std::borrow::Cow;

use crate::text::printable::misleads;

/// Our own events: everything below this target.
const OURS: &str = "ecr_login";

/// The fields of our own events, beside their message.
const FIELDS: [&str; 8] =
    ["registry", "identity", "host", "outcome", "reason", "milliseconds", "attempt", "seconds_left"];

/// Events of the AWS SDK: the target, and how the message begins. Of these the message alone is written, since fields
/// hold requests, answers and command lines; each message here is fixed text, or ends in a number or a duration.
const SDK: [(&str, &str); 9] = [
    ("aws_smithy_runtime::client::identity::cache::lazy", "loaded identity"),
    ("aws_smithy_runtime::client::orchestrator", "encountered orchestrator error; halting"),
    ("aws_smithy_runtime::client::orchestrator", "beginning attempt #"),
    ("aws_smithy_runtime::client::orchestrator", "delaying for "),
    ("aws_smithy_runtime::client::orchestrator", "retry strategy has OKed initial request"),
    ("aws_smithy_runtime::client::orchestrator", "a retry is either unnecessary or not possible"),
    ("aws_smithy_runtime::client::orchestrator", "request cannot be retried"),
    ("aws_smithy_runtime::client::retries::strategy::standard", "attempt #"),
    ("aws_smithy_runtime::client::http::connection_poisoning", "received a transient error"),
];

/// The longest value that is written whole, and the longest run of characters without a blank in it. A second line of
/// defence: a token that strays into a message is longer.
const LONGEST_VALUE: usize = 600;
const LONGEST_WORD: usize = 128;

/// Whether the target is ours.
pub(super) fn is_ours(target: &str) -> bool {
    target.strip_prefix(OURS).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// Whether anything of this target may be written.
pub(super) fn target(target: &str) -> bool {
    is_ours(target) || SDK.iter().any(|(allowed, _)| *allowed == target)
}

/// Whether this field of our own events may be written.
pub(super) fn field(name: &str) -> bool {
    FIELDS.contains(&name)
}

/// Whether this message of the SDK's may be written.
pub(super) fn message(target: &str, message: &str) -> bool {
    SDK.iter().any(|(allowed, beginning)| *allowed == target && message.starts_with(beginning))
}

/// A value as it may be written: on one line, without the user info and query of a URL, without long words.
pub(super) fn value(text: &str) -> String {
    let mut written = String::with_capacity(text.len().min(LONGEST_VALUE));
    for word in text.split([' ', '\n', '\r', '\t']) {
        if !written.is_empty() {
            written.push(' ');
        }
        let word = without_url_secrets(word);
        if word.len() > LONGEST_WORD {
            written.push_str("(long)");
        } else {
            written.extend(word.chars().map(|character| if misleads(character) { '?' } else { character }));
        }
        if written.len() > LONGEST_VALUE {
            written.push_str(" ...");
            break;
        }
    }
    written
}

/// `https://user:password@host/path?query` becomes `https://host/path`.
fn without_url_secrets(word: &str) -> Cow<'_, str> {
    let Some((scheme, rest)) = word.split_once("://") else { return Cow::Borrowed(word) };
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    let (authority, path) = match rest.find('/') {
        Some(slash) => rest.split_at(slash),
        None => (rest, ""),
    };
    let host = authority.rsplit('@').next().unwrap_or_default();
    Cow::Owned(format!("{scheme}://{host}{path}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_has_no_user_info_no_query_and_no_long_word() {
        for (text, written) in [
            ("via http://user:pw@proxy:3128 to x", "via http://proxy:3128 to x"),
            ("https://h/p?token=1#f", "https://h/p"),
            ("https://u:p@w@h", "https://h"),
            ("a\nb\tc\u{1b}[0m", "a b c?[0m"),
            (&"x".repeat(200), "(long)"),
        ] {
            assert_eq!(value(text), written);
        }
        assert!(value(&"word ".repeat(1000)).len() < 700);
    }

    #[test]
    fn other_targets_are_not_allowed() {
        assert!(target("ecr_login::token"));
        for other in ["ecr_login_evil", "hyper", "aws_smithy_runtime::client::http::body::wire", "h2", ""] {
            assert!(!target(other), "{other}");
        }
        assert!(!message("aws_smithy_runtime::client::orchestrator", "response: {authorizationToken}"));
    }
}
