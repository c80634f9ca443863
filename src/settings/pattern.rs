//! Host patterns: `*` stands for any run of characters within one dot-separated label.

/// Whether `pattern` is one: labels of letters, digits, `-` and `*`.
pub(super) fn is_pattern(pattern: &str) -> bool {
    pattern.len() <= 253
        && pattern.split('.').all(|label| {
            !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'*')
        })
}

/// Whether the lower-case `host` is one that `pattern` describes. A host has no case, so neither has a pattern.
pub(super) fn matches(pattern: &str, host: &str) -> bool {
    let (mut patterns, mut labels) = (pattern.split('.'), host.split('.'));
    loop {
        match (patterns.next(), labels.next()) {
            (None, None) => return true,
            (Some(pattern), Some(label)) if label_matches(pattern.as_bytes(), label.as_bytes()) => {}
            _ => return false,
        }
    }
}

/// Glob over one label: on a mismatch the last `*` takes one more character, which keeps it linear in practice
/// and bounded by the product of the lengths (at most 253 by 63).
fn label_matches(pattern: &[u8], label: &[u8]) -> bool {
    let (mut p, mut l) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while l < label.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p + 1, l));
                p += 1;
            }
            Some(byte) if byte.eq_ignore_ascii_case(&label[l]) => {
                p += 1;
                l += 1;
            }
            _ => match star {
                Some((after, taken)) => {
                    star = Some((after, taken + 1));
                    (p, l) = (after, taken + 1);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stays_within_its_label() {
        for (pattern, host, expected) in [
            ("*.dkr.ecr.eu-*.amazonaws.com", "123456789012.dkr.ecr.eu-west-1.amazonaws.com", true),
            ("*.dkr.ecr.eu-*.amazonaws.com", "123456789012.dkr.ecr.us-east-1.amazonaws.com", false),
            ("*.dkr.ecr.*.amazonaws.com", "123456789012.dkr.ecr.eu-west-1.amazonaws.com.cn", false),
            ("*.amazonaws.com", "123456789012.dkr.ecr.eu-west-1.amazonaws.com", false),
            ("1234*9012.dkr.*cr.*-1.amazonaws.com", "123456789012.dkr.ecr.eu-west-1.amazonaws.com", true),
            ("*", "public.ecr.aws", false),
            ("*.*.*", "public.ecr.aws", true),
            ("*a*b*.x", "zzaab.x", true),
            ("*a*b*.x", "zzbba.x", false),
            ("Images.Example.COM", "images.example.com", true),
            ("", "", true),
        ] {
            assert_eq!(matches(pattern, host), expected, "{pattern} against {host}");
        }
    }

    #[test]
    fn a_pattern_has_no_empty_label_and_no_strange_character() {
        for (pattern, expected) in [
            ("*.dkr.ecr.eu-*.amazonaws.com", true),
            ("a", true),
            ("", false),
            ("a..b", false),
            (".a", false),
            ("a.", false),
            ("a/b", false),
            ("a:443", false),
            ("[ab].c", false),
            ("a?.c", false),
        ] {
            assert_eq!(is_pattern(pattern), expected, "{pattern:?}");
        }
    }
}
