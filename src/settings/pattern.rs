//! Host patterns: `*` stands for any run of characters within one dot-separated label.

/// What each byte may be in a pattern.
static CLASSES: [Class; 256] = classes();

#[derive(Clone, Copy, PartialEq)]
enum Class {
    /// Nowhere.
    Strange,
    /// Between labels.
    Dot,
    /// In a label.
    Label,
}

const fn classes() -> [Class; 256] {
    let mut classes = [Class::Strange; 256];
    let mut byte = 0;
    while byte < 256 {
        let b = byte as u8;
        if b == b'.' {
            classes[byte] = Class::Dot;
        } else if b.is_ascii_alphanumeric() || b == b'-' || b == b'*' {
            classes[byte] = Class::Label;
        }
        byte += 1;
    }
    classes
}

/// Whether `pattern` is one: labels of letters, digits, `-` and `*`, none of them empty.
pub(super) fn is_pattern(pattern: &str) -> bool {
    let mut before = Class::Dot;
    for byte in pattern.bytes() {
        let class = CLASSES[usize::from(byte)];
        if class != Class::Label && (class == Class::Strange || before == Class::Dot) {
            return false;
        }
        before = class;
    }
    before == Class::Label && pattern.len() <= 253
}

/// Whether the lower-case `host` is one that `pattern` describes. A host has no case, so neither has a pattern.
///
/// On a mismatch the last `*` takes one more character of its label, which bounds the work by the product of the
/// lengths (at most 253 by 253, and linear in practice).
pub(super) fn matches(pattern: &str, host: &str) -> bool {
    let (pattern, host) = (pattern.as_bytes(), host.as_bytes());
    let (mut p, mut h) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while h < host.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p + 1, h));
                p += 1;
            }
            Some(byte) if byte.eq_ignore_ascii_case(&host[h]) => {
                p += 1;
                h += 1;
            }
            _ => match star {
                Some((after, taken)) if host[taken] != b'.' => {
                    star = Some((after, taken + 1));
                    (p, h) = (after, taken + 1);
                }
                _ => return false,
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
            ("*.example.com", ".example.com", true),
            ("a*", "a.b", false),
            ("a*.c", "a.b.c", false),
            ("a.*.c", "a.b.c.c", false),
            ("*.*", "a.b.c", false),
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
