//! Our reading of the shared files against the AWS CLI's, whose rules are written down a second time here: eagerly, for a
//! whole file, as Python's `configparser` and botocore's `configloader` go about it.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

/// What both readings are asked for.
const KEYS: [&str; 9] = [
    "region",
    "role_arn",
    "aws_access_key_id",
    "aws_secret_access_key",
    "endpoint_url",
    "s3",
    "a b",
    "sso_region",
    "credential_process",
];
const NAMES: [&str; 8] = ["default", "a", "b", "a b", "dev/x", "profile a", "x(y)", "é"];

type Values = BTreeMap<String, String>;

/// Keys of a section, each with the lines of its value.
type Options = Vec<(String, Vec<String>)>;

/// The profiles that the AWS CLI finds; `None` where it refuses the file.
fn by_the_cli(text: &str, file: FileKind) -> Option<BTreeMap<String, Values>> {
    let mut sections: Vec<(String, Options)> = Vec::new();
    let mut for_all = Options::new();
    // Which of them is being read: `None` before the first, else its number, or `usize::MAX` for the one for all.
    let mut current: Option<usize> = None;
    let mut has_option = false;
    let mut indent = 0;
    for line in text.replace("\r\n", "\n").replace('\r', "\n").split('\n') {
        let value = line.trim();
        if value.is_empty() || value.starts_with('#') || value.starts_with(';') {
            continue;
        }
        let depth = line.chars().take_while(|c| c.is_whitespace()).map(char::len_utf8).sum();
        let options = match current {
            Some(usize::MAX) => Some(&mut for_all),
            Some(number) => Some(&mut sections[number].1),
            None => None,
        };
        if has_option && depth > indent {
            options?.last_mut()?.1.push(value.to_owned());
            continue;
        }
        indent = depth;
        if value.starts_with('[') && value.contains(']') {
            let name = &value[1..value.rfind(']')?];
            if name.is_empty() || sections.iter().any(|(known, _)| known == name) {
                return None;
            }
            current = Some(if name == "DEFAULT" { usize::MAX } else { sections.len() });
            if name != "DEFAULT" {
                sections.push((name.to_owned(), Vec::new()));
            }
            has_option = false;
            continue;
        }
        let at = value.find(['=', ':'])?;
        let key = value[..at].trim_end().to_lowercase();
        let options = options?;
        if key.is_empty() || options.iter().any(|(known, _)| *known == key) {
            return None;
        }
        options.push((key, vec![value[at + 1..].trim().to_owned()]));
        has_option = true;
    }
    let joined = |options: &[(String, Vec<String>)]| -> Option<Values> {
        options
            .iter()
            .map(|(key, lines)| {
                let nested = lines[0].is_empty() && lines.len() > 1;
                if nested && !lines[1..].iter().all(|line| line.contains('=')) {
                    return None;
                }
                Some((key.clone(), lines.join("\n")))
            })
            .collect()
    };
    let for_all = joined(&for_all)?;
    let mut profiles = BTreeMap::new();
    for (name, options) in &sections {
        let mut values = for_all.clone();
        values.extend(joined(options)?);
        match (file, name.strip_prefix("profile")) {
            (FileKind::Credentials, _) => drop(profiles.insert(name.clone(), values)),
            (FileKind::Config, None) if name == "default" => drop(profiles.insert(name.clone(), values)),
            (FileKind::Config, Some(rest)) if rest.starts_with(char::is_whitespace) => {
                if let Some(name) = unquoted(rest.trim()) {
                    profiles.insert(name.into_owned(), values);
                }
            }
            _ => {}
        }
    }
    Some(profiles)
}

/// Asserts that what the AWS CLI reads in `text` is read here too.
#[track_caller]
fn same(text: &str, file: FileKind) {
    let sections = Sections::find(text, file);
    let ours = NAMES.map(|name| (name, sections.get(SectionKind::Profile, name)));
    let Some(theirs) = by_the_cli(text, file) else { return };
    for (name, properties) in ours {
        let expected = theirs.get(name);
        assert_eq!(properties.is_some(), expected.is_some(), "{name} of {text:?}");
        let (Some(properties), Some(expected)) = (properties, expected) else { continue };
        if let Some(malformed) = properties.malformed {
            // The AWS CLI would take it for a part of the value above.
            assert_eq!(malformed.reason, CONTINUED, "{text:?}");
            continue;
        }
        for key in KEYS {
            let expected = expected.get(key).map(String::as_str).filter(|value| !value.is_empty());
            assert_eq!(properties.get(key), expected, "{key} of {name} in {text:?}");
        }
    }
}

/// The properties of a profile in a config file.
#[track_caller]
fn profile<'a>(text: &'a str, name: &str) -> Properties<'a> {
    Sections::find(text, FileKind::Config).get(SectionKind::Profile, name).unwrap_or_else(|| panic!("{name}: {text:?}"))
}

#[test]
fn odd_files_read_as_the_aws_cli_reads_them() {
    for text in [
        "",
        "\n\n  \n\t\n",
        "# only a comment\n; and another",
        "[default]\nregion = a",
        "[default]\r\nregion = a\r\n  b\r\n",
        "[default]\rregion = a\r",
        "  [default]\n  region = a\n    b\n  role_arn = x\n",
        "[default]\n  region = a\nrole_arn = b\n",
        "[default]\nregion==a=b\n",
        "[default]\nregion: a=b:c\n",
        "[default]\nREGION = A\n",
        "[default]\nregion = a # c\nrole_arn = a#b ; c\n",
        "[default]\nregion # = a\n",
        "[default]\nregion\u{a0}=\u{a0}a\u{a0}\n",
        "[default]\nregion = \"a ; b\"\n",
        "[default]\ns3 =\n  max = 1\n  # not = a comment\nregion = a\n",
        "[default]\ns3 =\n\n  max = 1\n\n  ; x\n\n  min = 2\nregion = a\n",
        "[default]\ns3 = # c\n  nonsense\n",
        "[default]\ncredential_process = a\n  b \"c # d\"\n# x\n  e\n",
        "[default] ; c\nregion = a\n",
        "[profile a]#c\nregion = a\n",
        "[profile a] x\nregion = a\n",
        "[profile\ta]\nregion = 1\n",
        "[profile   a]\nregion = 1\n",
        "[profile 'a b']\nregion = 1\n[profile \"dev/x\"]\nregion = 2\n[profile x\\(y\\)]\nregion = 3\n",
        "[profile x(y)]\nregion = 1\n[profile é]\nregion = 2\n",
        "[profile a b]\nregion = 1\n",
        "[profile a]b]\nregion = 1\n",
        "[profile]\nregion = 1\n",
        "[Profile a]\nregion = 1\n",
        "[a]\nregion = 1\n[a b]\nregion = 2\n[profile a]\nregion = 3\n",
        "[default]\nregion = 1\n[profile default]\nrole_arn = 2\n",
        "[profile default]\nrole_arn = 2\n[default]\nregion = 1\n",
        "[profile a]\nregion = 1\n[profile 'a']\nrole_arn = 2\n",
        "[DEFAULT]\nregion = 1\nrole_arn = 2\n[a]\nrole_arn = 3\n[profile a]\n[default]\nregion = 4\n",
        "[default]\nregion = \u{e9}\u{1F980}\n\u{e9} = x\n",
    ] {
        for file in [FileKind::Config, FileKind::Credentials] {
            assert!(by_the_cli(text, file).is_some(), "the AWS CLI refuses {text:?}");
            same(text, file);
        }
    }
}

#[test]
fn a_byte_order_mark_is_no_part_of_the_first_header() {
    assert_eq!(profile("\u{feff}[default]\nregion = a\n", "default").get("region"), Some("a"));
}

#[test]
fn an_indented_comment_is_never_a_part_of_the_value_above_it() {
    for comment in ["  # note", "\t; rotated 2024", "   #", " # aws_secret_access_key = other"] {
        let text = format!("[default]\naws_access_key_id = id\n{comment}\naws_secret_access_key = secret\n{comment}\n");
        let found = profile(&text, "default");
        assert_eq!((found.get("aws_secret_access_key"), found.malformed), (Some("secret"), None), "{comment}");
    }
}

#[test]
fn an_indented_header_begins_a_section_wherever_it_stands() {
    let text = "[profile a]\nregion = 1\n  [profile b]\n  region = 2\n";
    assert_eq!((profile(text, "a").get("region"), profile(text, "b").get("region")), (Some("1"), Some("2")));
}

#[test]
fn blanks_within_the_brackets_are_no_part_of_a_name() {
    let text = "[ profile   a ]\nregion = 1\n[ default ]\nregion = 2\n";
    assert_eq!((profile(text, "a").get("region"), profile(text, "default").get("region")), (Some("1"), Some("2")));
}

#[test]
fn an_empty_value_is_an_unset_one_that_is_there() {
    let found = profile("[default]\nmfa_serial =\naws_access_key_id:\n", "default");
    assert_eq!((found.get("mfa_serial"), found.get("aws_access_key_id")), (None, None));
    assert!(found.has("aws_access_key_id") && !found.has("role_arn"));
}

#[test]
fn a_line_that_is_wrong_is_named_by_its_number_and_counts_where_its_section_is_asked_for() {
    for (text, line, reason) in [
        ("[default]\r\n\r\nregion = a\r\n=\r\n", 4, "neither a comment nor 'key = value'"),
        ("[default]\rregion = a\rnonsense\r", 3, "neither a comment nor 'key = value'"),
        ("[default]\n// a\n", 2, "neither a comment nor 'key = value'"),
        ("[default]\nregion = a\nRegion = b\n", 3, "the key is there twice"),
        ("[default]\nregion = a\n[profile b]\n[default]\n", 4, "the section is there twice"),
        ("[default]\ns3 =\n  nonsense\n", 3, "a nested line without '='"),
        ("[default]\nregion = \u{fffd}\n", 2, "not UTF-8"),
    ] {
        let file = format!("[profile a]\nregion = x\n{text}");
        let malformed = profile(&file, "default").malformed.unwrap();
        assert_eq!((malformed.line, malformed.reason), (line + 2, reason), "{text:?}");
        assert_eq!(profile(&file, "a").malformed, None, "{text:?}");
    }
}

#[test]
fn a_key_that_would_be_lost_in_the_value_above_it_is_an_error() {
    for (text, line) in [
        ("[default]\naws_access_key_id = id\n  aws_secret_access_key = secret\n", 3),
        ("[default]\nregion = a\n  role_arn = b\n", 3),
        ("[default]\ncredential_process = a\n  role_arn = b\n", 3),
        ("[default]\nrole_arn =\n  a = b\n", 3),
        ("[default]\nrole_arn = a\n  b\n", 3),
    ] {
        let malformed = profile(text, "default").malformed.unwrap();
        assert_eq!((malformed.line, malformed.reason), (line, CONTINUED), "{text:?}");
    }
    assert_eq!(profile("[default]\noutput = a\n  b\n", "default").malformed, None);
}

#[test]
fn what_may_hide_a_profile_is_reported() {
    let hidden = |text, name| Sections::find(text, FileKind::Credentials).hidden(name).map(|malformed| malformed.line);
    assert_eq!(hidden("[a]\n[default\naws_access_key_id = x\n", "default"), Some(2));
    assert_eq!(hidden("[b\n", "b"), Some(1));
    assert_eq!(hidden("[b\n", "default"), None);
    assert_eq!(hidden("\nx = 1\naws_access_key_id = x\n[a]\n", "default"), Some(3));
    assert_eq!(hidden("junk\n# aws_access_key_id = x\n[a]\n", "default"), None);
}

#[test]
fn a_nested_value_is_found_and_the_last_one_counts() {
    let text = "[services a]\nECR =\n  endpoint_url = x\n  ; y\n  endpoint_url=z\ns3 =\n  endpoint_url =\n";
    let found = Sections::find(text, FileKind::Config).get(SectionKind::Services, "a").unwrap();
    assert_eq!(found.nested("ecr", "endpoint_url"), Some("z"));
    assert_eq!((found.nested("ecr", "Endpoint_URL"), found.nested("s3", "endpoint_url")), (None, None));
}

#[test]
fn sessions_and_services_have_names_of_their_own() {
    let text =
        "[sso-session 'a b']\nsso_region = 1\n[sso-session  a]\nsso_region = 2\n[services a]\n[a]\n[profile a b]\n";
    let sections = Sections::find(text, FileKind::Config);
    let region =
        |name| sections.get(SectionKind::SsoSession, name).and_then(|s| s.get("sso_region").map(str::to_owned));
    assert_eq!((region("a b").as_deref(), region("a").as_deref(), region("b")), (Some("1"), Some("2"), None));
    assert!(sections.get(SectionKind::Services, "a").is_some() && sections.get(SectionKind::Profile, "a").is_none());
    assert!(sections.misspells("a") && sections.misspells("a b") && !sections.misspells("b"));
}

/// Lines that files are made of, whole and broken.
fn a_line() -> impl Strategy<Value = String> {
    let section = prop::sample::select(vec![
        "[default]",
        "[profile default]",
        "[profile a]",
        "[profile b]",
        "[a]",
        "[b]",
        "[profile a b]",
        "[profile 'a b']",
        "[a b]",
        "[DEFAULT]",
        "[sso-session a]",
        "[profile a] # c",
        "[a];c",
        "[profile\ta]",
        "[profile x(y)]",
    ]);
    let name = prop::sample::select(KEYS.to_vec());
    let value = "[ \t]?[a#;=:\u{a0} ]{0,6}";
    let blank = prop::sample::select(vec!["", "", "", " ", "\t", "  "]);
    let sign = prop::sample::select(vec!["=", "=", ":"]);
    prop_oneof![
        3 => section.prop_map(str::to_owned),
        8 => (blank.clone(), name, blank.clone(), sign, value)
            .prop_map(|(indent, name, blank, sign, value)| format!("{indent}{name}{blank}{sign}{blank}{value}")),
        1 => (blank.clone(), "[#;][a= ]{0,4}").prop_map(|(blank, comment)| format!("{blank}{comment}")),
        1 => (blank.clone(), "[a= ]{0,4}").prop_map(|(blank, value)| format!("{blank}{value}")),
        1 => blank.prop_map(str::to_owned),
    ]
}

fn a_file() -> impl Strategy<Value = String> {
    let end = prop::sample::select(vec!["\n", "\n", "\n", "\r\n", "\r"]);
    prop::collection::vec((a_line(), end), 0..12).prop_map(|lines| {
        let mut text = String::from("[default]\n");
        for (line, end) in lines {
            text += &line;
            text += end;
        }
        text
    })
}

proptest! {
    #![proptest_config(crate::os::proptest_config::config(3000))]

    #[test]
    fn any_file_reads_as_the_aws_cli_reads_it(text in a_file(), is_config in any::<bool>()) {
        same(&text, if is_config { FileKind::Config } else { FileKind::Credentials });
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in "\\PC*|[\\[\\]a= \t\r\n#;'\"\\\\\u{feff}]{0,40}") {
        for file in [FileKind::Config, FileKind::Credentials] {
            let sections = Sections::find(&text, file);
            for name in NAMES {
                for kind in [SectionKind::Profile, SectionKind::SsoSession, SectionKind::Services] {
                    let properties = sections.get(kind, name);
                    properties.and_then(|properties| properties.nested("s3", "a").map(str::len));
                }
                let lines = text.split(['\n', '\r']).count();
                prop_assert!(sections.hidden(name).is_none_or(|malformed| (1..=lines).contains(&malformed.line)));
            }
        }
    }
}
