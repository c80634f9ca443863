//! JSON as Python's `json.dumps` writes it with its defaults: `, ` and `: ` between the parts, everything beyond ASCII as
//! `\uXXXX`. The AWS CLI hashes such a text for the name of a registration's file, so that every byte counts.

/// A string.
pub(super) fn string(text: &str) -> String {
    let mut json = String::with_capacity(text.len() + 2);
    json.push('"');
    for character in text.chars() {
        match character {
            '"' => json.push_str("\\\""),
            '\\' => json.push_str("\\\\"),
            '\n' => json.push_str("\\n"),
            '\r' => json.push_str("\\r"),
            '\t' => json.push_str("\\t"),
            '\u{8}' => json.push_str("\\b"),
            '\u{c}' => json.push_str("\\f"),
            ' '..='~' => json.push(character),
            other => {
                for unit in other.encode_utf16(&mut [0; 2]) {
                    json.push_str(&format!("\\u{unit:04x}"));
                }
            }
        }
    }
    json.push('"');
    json
}

/// A list of strings.
pub(super) fn list<S: AsRef<str>>(texts: &[S]) -> String {
    let texts: Vec<String> = texts.iter().map(|text| string(text.as_ref())).collect();
    format!("[{}]", texts.join(", "))
}

/// An object of keys and values that are JSON already, in this order.
pub(super) fn object(members: &[(&str, String)]) -> String {
    let members: Vec<String> = members.iter().map(|(key, value)| format!("{}: {value}", string(key))).collect();
    format!("{{{}}}", members.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_string_has_the_escapes_of_python() {
        // python3 -c 'import json; print(json.dumps("a\"b\\c/\n\r\t\b\f\x00\x1f\x7fü\U0001f600"))'
        let text = "a\"b\\c/\n\r\t\u{8}\u{c}\u{0}\u{1f}\u{7f}ü\u{1f600}";
        assert_eq!(string(text), "\"a\\\"b\\\\c/\\n\\r\\t\\b\\f\\u0000\\u001f\\u007f\\u00fc\\ud83d\\ude00\"");
    }

    #[test]
    fn lists_and_objects_have_its_blanks() {
        assert_eq!(list::<&str>(&[]), "[]");
        let object = object(&[("a", list(&["b", "c"])), ("d", "null".to_owned())]);
        assert_eq!(object, r#"{"a": ["b", "c"], "d": null}"#);
    }
}
