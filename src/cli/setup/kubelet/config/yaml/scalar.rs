//! What a plain scalar is to the kubelet, whose YAML is that of version 1.1 (go.yaml.in/yaml/v2, `resolve.go`): `yes`,
//! `on` and `y` are booleans, `0x1f` and `1_000` numbers.

use serde_json::Value;

/// The words for each boolean and for `null`, in the spellings that count.
const TRUE: [&str; 11] = ["y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"];
const FALSE: [&str; 11] = ["n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"];
const NULL: [&str; 5] = ["", "~", "null", "Null", "NULL"];
const FLOATS: [&str; 11] =
    [".nan", ".NaN", ".NAN", ".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF", "-.inf", "-.Inf"];

/// The value of a plain scalar without a tag.
pub(super) fn resolve(text: &str) -> Value {
    if NULL.contains(&text) {
        Value::Null
    } else if TRUE.contains(&text) || FALSE.contains(&text) {
        Value::Bool(TRUE.contains(&text))
    } else if is_number(text) {
        // Nothing that the kubelet reads here is a number: which one does not matter, but that it is none of its texts.
        text.parse::<f64>().ok().and_then(serde_json::Number::from_f64).map_or_else(|| 0.into(), Value::Number)
    } else {
        Value::from(text)
    }
}

fn is_number(text: &str) -> bool {
    if FLOATS.contains(&text) || text == "-.INF" {
        return true;
    }
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if !unsigned.starts_with(|first: char| first.is_ascii_digit() || first == '.') {
        return false;
    }
    let digits: String = unsigned.chars().filter(|c| *c != '_').collect();
    let of_base = |prefix: &str, base: u32| {
        digits.strip_prefix(prefix).is_some_and(|rest| !rest.is_empty() && rest.chars().all(|c| c.is_digit(base)))
    };
    of_base("0x", 16) || of_base("0b", 2) || of_base("0o", 8) || is_decimal(&digits)
}

/// Digits with at most one point and an exponent.
fn is_decimal(digits: &str) -> bool {
    let (mantissa, exponent) = match digits.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (digits, None),
    };
    let all_digits = |text: &str| text.chars().all(|c| c.is_ascii_digit());
    let exponent_fits = exponent.is_none_or(|exponent| {
        let exponent = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
        !exponent.is_empty() && all_digits(exponent)
    });
    let (whole, part) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    exponent_fits && all_digits(whole) && all_digits(part) && !(whole.is_empty() && part.is_empty())
}

/// `text` as a scalar: plain where no parser takes it for anything else, in double quotes otherwise.
pub(super) fn written(text: &str) -> String {
    let is_plain = text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '/' | '-' | '_'))
        && resolve(text).is_string();
    if is_plain { text.to_owned() } else { quoted(text, '"') }
}

/// `text` in quotes of the given kind. JSON's strings are YAML's.
pub(super) fn quoted(text: &str, quote: char) -> String {
    if quote == '\'' && !text.contains(char::is_control) {
        return format!("'{}'", text.replace('\'', "''"));
    }
    Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_numbers_of_yaml_1_1_are_no_texts() {
        for text in ["yes", "Off", "y", "N", "TRUE"] {
            assert!(resolve(text).is_boolean(), "{text}");
        }
        for text in ["0", "12", "-1", "1_000", "0x1F", "0b11", "0o17", "1.5", ".5", "1e3", "-2.5E-3", ".inf", "-.INF"] {
            assert!(resolve(text).is_number(), "{text}");
        }
        for text in ["", "~", "Null"] {
            assert!(resolve(text).is_null(), "{text}");
        }
        for text in ["12h", "0s", "yEs", "v1", "1.2.3", "2001-01-01", "-", ".", "0xg", "1e", "nULL", "public.ecr.aws"] {
            assert_eq!(resolve(text), text, "{text}");
        }
    }

    #[test]
    fn what_could_be_taken_for_something_else_is_quoted() {
        assert_eq!(written("ecr-credential-provider"), "ecr-credential-provider");
        assert_eq!(written("credentialprovider.kubelet.k8s.io/v1"), "credentialprovider.kubelet.k8s.io/v1");
        for text in ["*.dkr.ecr.*.amazonaws.com", "0s", "yes", "", "a: b", "a #b", "é"] {
            assert_eq!(written(text), format!("\"{text}\""));
        }
        assert_eq!(quoted("it's", '\''), "'it''s'");
        assert_eq!(quoted("a\"b\n", '\''), "\"a\\\"b\\n\"");
    }
}
