//! What an edit changes, and what it never changes.

use proptest::prelude::*;
use serde_json::{Map, Value as Json, json};

use super::*;

fn edited(text: &str) -> String {
    let mut document = Document::parse(text.as_bytes()).unwrap();
    document.set_in("credHelpers", "one", "ecr-login").unwrap();
    document.set_in("credHelpers", "two", "ecr-login").unwrap();
    String::from_utf8(document.bytes()).unwrap()
}

#[test]
fn each_style_is_followed() {
    for (before, after) in [
        ("{\"a\":1}", "{\"a\":1,\"credHelpers\":{\"one\":\"ecr-login\",\"two\":\"ecr-login\"}}"),
        (
            "{\"a\": 1, \"b\": {}}",
            "{\"a\": 1, \"b\": {}, \"credHelpers\": {\"one\": \"ecr-login\", \"two\": \"ecr-login\"}}",
        ),
        (
            "{\"credHelpers\":{\"a\": \"b\", \"c\": \"d\"}}",
            "{\"credHelpers\":{\"a\": \"b\", \"c\": \"d\", \"one\": \"ecr-login\", \"two\": \"ecr-login\"}}",
        ),
        (
            "{\n\t\"auths\": {}\n}",
            "{\n\t\"auths\": {},\n\t\"credHelpers\": {\n\t\t\"one\": \"ecr-login\",\n\t\t\"two\": \"ecr-login\"\n\t}\n}",
        ),
        (
            "{\r\n  \"auths\": {}\r\n}\r\n",
            "{\r\n  \"auths\": {},\r\n  \"credHelpers\": {\r\n    \"one\": \"ecr-login\",\r\n    \"two\": \"ecr-login\"\r\n  }\r\n}\r\n",
        ),
        (
            "{\n    \"credHelpers\": {},\n    \"z\": 1\n}\n",
            "{\n    \"credHelpers\": {\n        \"one\": \"ecr-login\",\n        \"two\": \"ecr-login\"\n    },\n    \"z\": 1\n}\n",
        ),
        (
            "\u{feff}{}",
            "\u{feff}{\n\t\"credHelpers\": {\n\t\t\"one\": \"ecr-login\",\n\t\t\"two\": \"ecr-login\"\n\t}\n}",
        ),
        (
            "{\n  \"credHelpers\": null\n}",
            "{\n  \"credHelpers\": {\n    \"one\": \"ecr-login\",\n    \"two\": \"ecr-login\"\n  }\n}",
        ),
        (
            "{\n  \"credHelpers\": {\"one\": \"x\"},\n  \"credHelpers\": {\"one\": \"y\", \"q\": \"z\"}\n}",
            "{\n  \"credHelpers\": {\"one\": \"x\"},\n  \"credHelpers\": {\"one\": \"ecr-login\", \"q\": \"z\", \"two\": \"ecr-login\"}\n}",
        ),
    ] {
        assert_eq!(edited(before), after, "{before:?}");
        serde_json::from_str::<serde_json::Value>(after.trim_start_matches(BYTE_ORDER_MARK)).unwrap();
    }
}

#[test]
fn what_is_taken_out_leaves_the_rest() {
    for (before, after) in [
        ("{\"credHelpers\":{\"one\":\"ecr-login\"}}", "{\"credHelpers\":{}}"),
        ("{\"credHelpers\":{\"one\":\"x\", \"z\": \"y\"}}", "{\"credHelpers\":{\"z\": \"y\"}}"),
        ("{\"credHelpers\":{\n  \"z\": \"y\",\n  \"one\":\"x\"\n}}", "{\"credHelpers\":{\n  \"z\": \"y\"\n}}"),
        (
            "{\"credHelpers\":{\"one\":\"x\"},\"credHelpers\":{\"one\":\"x\",\"one\":1}}",
            "{\"credHelpers\":{},\"credHelpers\":{}}",
        ),
    ] {
        let mut document = Document::parse(before.as_bytes()).unwrap();
        document.remove_in("credHelpers", "one").unwrap();
        assert_eq!(document.text(), after);
    }
}

#[test]
fn what_is_not_json_is_refused_with_its_place() {
    for (text, line, column) in
        [("{\n  // no\n}", 2, 3), ("{\n  \"a\": 1,\n}", 3, 1), ("[]", 1, 1), ("{\"a\":1} x", 1, 9), ("{'a':1}", 1, 2)]
    {
        let error = Document::parse(text.as_bytes()).unwrap_err();
        assert_eq!((error.line, error.column), (line, column), "{text:?}: {error}");
    }
    assert_eq!(Document::parse(b"{\n \"\xff\"}").unwrap_err().to_string(), "line 2, column 3: not UTF-8");
    assert!(Document::parse("[".repeat(100_000).as_bytes()).is_err());
    let deep = format!("{{\"a\":{}1{}}}", "[".repeat(300), "]".repeat(300));
    assert!(Document::parse(deep.as_bytes()).is_err());
}

#[test]
fn secrets_are_not_shown() {
    let text = r#"{"auths":{"x":{"auth":"MARK1","identitytoken":"MARK2"}},"HttpHeaders":{"A":["MARK3"]},
        "proxies":{"default":{"httpProxy":"http://u:MARK4@p"}},"plugins":{"a":{"apiKey":"MARK5"}},"credsStore":"pass"}"#;
    let shown = Document::parse(text.as_bytes()).unwrap().redacted();
    assert!(!shown.contains("MARK"), "{shown}");
    assert!(shown.contains("\"pass\""));
}

/// Usual objects, and odd ones.
fn objects() -> impl Strategy<Value = Map<String, Json>> {
    let keys = prop_oneof![
        Just("credHelpers".to_owned()),
        Just("auths".to_owned()),
        Just("credsStore".to_owned()),
        Just("CREDHELPERS".to_owned()),
        "[a-z.\"\\\\{}\u{e9}\u{1f600}]{0,6}",
    ];
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        "[ -~\n\t\u{e9}]{0,8}".prop_map(Json::from),
    ];
    let value = leaf.prop_recursive(3, 24, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Json::from),
            prop::collection::vec(("[a-z.]{0,4}", inner), 0..4)
                .prop_map(|entries| Json::Object(entries.into_iter().collect())),
        ]
    });
    prop::collection::vec((keys, value), 0..6).prop_map(|entries| entries.into_iter().collect())
}

/// The object in one of the styles that files are written in.
fn written(object: &Map<String, Json>, style: u8) -> String {
    let packed = serde_json::to_string(object).unwrap();
    let pretty = |indent: &[u8]| {
        let mut bytes = Vec::new();
        let formatter = serde_json::ser::PrettyFormatter::with_indent(indent);
        let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, formatter);
        serde::Serialize::serialize(object, &mut serializer).unwrap();
        String::from_utf8(bytes).unwrap()
    };
    match style % 6 {
        0 => packed,
        1 => pretty(b"\t"),
        2 => format!("{}\n", pretty(b"  ")),
        3 => pretty(b"    ").replace('\n', "\r\n"),
        4 => format!("{BYTE_ORDER_MARK}{}\n", pretty(b"  ")),
        _ => format!("\n {packed} \n\n"),
    }
}

proptest! {
    #[test]
    fn an_edit_adds_its_own_entry_and_nothing_else_changes(object in objects(), style: u8) {
        let before = written(&object, style);
        let mut document = Document::parse(before.as_bytes()).unwrap();
        // Where docker would see no object, nothing may be put.
        let mut sections = object.iter().filter(|(key, _)| key.eq_ignore_ascii_case("credHelpers"));
        let last = sections.next_back();
        let result = document.set_in("credHelpers", "a.example.com", "ecr-login");
        match last {
            Some((_, value)) if !value.is_object() && !value.is_null() => {
                prop_assert!(result.is_err());
                prop_assert_eq!(document.bytes(), before.as_bytes());
            }
            _ => {
                prop_assert!(result.is_ok());
                let key = last.map_or("credHelpers", |(key, _)| key.as_str());
                let mut expected = object.clone();
                let section = expected.entry(key).or_insert_with(|| json!({}));
                if section.is_null() {
                    *section = json!({});
                }
                section.as_object_mut().unwrap().insert("a.example.com".to_owned(), json!("ecr-login"));
                let after: Json = serde_json::from_str(document.text()).unwrap();
                prop_assert_eq!(after, Json::Object(expected));
                // Every byte of before is there, in its order: what is new stands in one place.
                if last.is_some_and(|(_, value)| value.as_object().is_some_and(|section| !section.is_empty() && !section.contains_key("a.example.com"))) {
                    let after = String::from_utf8(document.bytes()).unwrap();
                    let common = before.bytes().zip(after.bytes()).take_while(|(one, other)| one == other).count();
                    prop_assert!(after.as_bytes().ends_with(&before.as_bytes()[common..]));
                    document.remove_in("credHelpers", "a.example.com").unwrap();
                    prop_assert_eq!(document.bytes(), before.as_bytes());
                }
            }
        }
    }

    #[test]
    fn no_bytes_make_it_panic(bytes: Vec<u8>) {
        if let Ok(mut document) = Document::parse(&bytes) {
            let _ = document.set_in("credHelpers", "x", "y");
            let _ = document.remove("auths");
        }
    }

    #[test]
    fn no_text_that_looks_like_json_makes_it_panic(text in "[\\[\\]{}\":,a-c0-9 \\\\\n\u{e9}]{0,40}") {
        if let Ok(mut document) = Document::parse(text.as_bytes()) {
            let _ = document.set_in("a", "b", "c");
            let _ = document.redacted();
            let _ = document.compact();
        }
    }
}
