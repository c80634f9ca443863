//! Our reading of the shared files against the SDK's own, on the odd things that people write.

use aws_types::os_shim_internal::{Env, Fs};
use proptest::prelude::*;

use super::*;

/// What both readers are asked for.
const KEYS: [&str; 8] =
    ["region", "role_arn", "aws_access_key_id", "endpoint_url", "s3", "a b", "sso_region", "credential_process"];
const NAMES: [&str; 7] = ["default", "a", "b", "a b", "dev/x", "", "profile"];

/// Every property of every name in [`NAMES`]; `None` for a profile that is not there. Or that the files are refused.
type Reading = Result<Vec<(String, Option<Vec<Option<String>>>)>, ()>;

fn by_the_sdk(config: &str, credentials: &str) -> Reading {
    let env = Env::from_slice(&[("HOME", "/home")]);
    let fs = Fs::from_slice(&[("/home/.aws/config", config), ("/home/.aws/credentials", credentials)]);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let set = runtime.block_on(aws_config::profile::load(&fs, &env, &Default::default(), None)).map_err(|_| ())?;
    let mut reading = Vec::new();
    for name in NAMES {
        let values = set.get_profile(name).map(|p| KEYS.map(|key| p.get(key).map(str::to_owned)).to_vec());
        reading.push((format!("profile {name}"), values));
        let values = set.sso_session(name).map(|p| KEYS.map(|key| p.get(key).map(str::to_owned)).to_vec());
        reading.push((format!("sso-session {name}"), values));
    }
    Ok(reading)
}

fn by_us(config: &str, credentials: &str) -> Reading {
    let config = Sections::parse(config, Kind::Config).map_err(|_| ())?;
    let credentials = Sections::parse(credentials, Kind::Credentials).map_err(|_| ())?;
    // The SDK drops keys that are no identifiers; nobody asks for one.
    let values = |properties: &Properties<'_>| {
        KEYS.map(|key| get(properties, key).filter(|_| is_identifier(key)).map(str::to_owned)).to_vec()
    };
    let mut reading = Vec::new();
    for name in NAMES {
        let mut properties = Properties::new();
        let found = config.profile(name, &mut properties) | credentials.profile(name, &mut properties);
        reading.push((format!("profile {name}"), found.then(|| values(&properties))));
        let session = config.section(Group::SsoSession, name);
        reading.push((format!("sso-session {name}"), session.as_ref().map(values)));
    }
    Ok(reading)
}

#[track_caller]
fn same(config: &str, credentials: &str) -> Reading {
    let ours = by_us(config, credentials);
    assert_eq!(ours, by_the_sdk(config, credentials), "config {config:?}, credentials {credentials:?}");
    ours
}

#[test]
fn odd_files_read_as_the_sdk_reads_them() {
    for text in [
        "",
        "\n\n  \n\t\n",
        "# only a comment\n; and another",
        "[default]\nregion = a",
        "[default]\r\nregion = a\r\n  b\r\n",
        "[default]\nregion = a\r",
        "\u{feff}[default]\nregion = a\n",
        "region = a\n[default]\n",
        "  region = a\n",
        "[default]\n  region = a\n",
        "[default]\nregion\n",
        "[default]\n= a\n",
        "[default]\nregion =\n",
        "[default]\nregion==a=b\n",
        "[default]\nREGION = A\nregion = b\nRegion = c\n",
        "[default]\nregion = a # c\nrole_arn = a#b ; c\n",
        "[default]\nregion # = a\n",
        "[default]\nregion;x = a\n",
        "[default]\nregion =# a\n",
        "[default]\nregion = a\u{a0}# c\n",
        "[default]\nregion = a\u{2003};c\n",
        "[default]\nregion = \"a ; b\"\n",
        "[default]\nregion = a\n b = c\n # d\n\n\tlast\n",
        "[default]\ns3 =\n  max = 1\n  # not = a comment\nregion = a\n",
        "[default]\ns3 =\n  nonsense\n",
        "[default]\ns3 = # c\n  nonsense\n",
        "[default]\ns3 =\n  = 1\n",
        "[default]\na b = c\n  d\nregion = x\n",
        "[default] ; c\nregion = a\n",
        "[default] # c\nregion = a\n",
        "[default]x\n",
        "[default\n",
        "[default]\r\n",
        "[default]\r",
        "[default]\n\rx",
        "[default]\nregion = a\r",
        "[default]\r\nregion\r\n",
        "[]\nregion = a\n",
        "[ default ]\nregion = a\n",
        "[profile a]\nregion = 1\n[profile b]\nregion = 2\n[profile a]\nrole_arn = 3\nregion = 4\n",
        "[profile\ta]\nregion = 1\n",
        "[profile   a  ]\nregion = 1\n",
        "[profile a b]\nregion = 1\n",
        "[profile dev/x]\nregion = 1\n",
        "[profile a] ]\nregion = 1\n",
        "[profile a;b]\nregion = 1\n",
        "[profile]\nregion = 1\n",
        "[Profile a]\nregion = 1\n",
        "[a]\nregion = 1\n",
        "[default]\nregion = 1\n[profile default]\nrole_arn = 2\n",
        "[profile default]\nrole_arn = 2\n[default]\nregion = 1\n",
        "[sso-session a]\nsso_region = 1\n[sso-session a b]\n",
        "[services a]\ns3 =\n  endpoint_url = x\n",
        "[unknown a]\nregion = 1\nnonsense\n",
        "[unknown a]\nregion = 1\n",
        "[a]\nnonsense\n",
        "[default]\nregion = \u{e9}\u{1F980}\n\u{e9} = x\n",
        "[default]\nregion\u{a0}= x\n",
        "[default]\n\u{b}region = x\n",
        "[default]\nregion = a\n\r\nrole_arn = b\n",
        "[default]\nregion = a\n\r\r\nrole_arn = b\n",
        "[default]\n[\n",
        "[default]\nregion = a\0b\n",
    ] {
        let _ = same(text, "");
        let _ = same("", text);
        let _ = same(text, "[default]\nregion = from credentials\n[a]\nregion = too\n");
    }
}

#[test]
fn the_credentials_file_wins_key_by_key() {
    let reading = same("[profile a]\nregion = config\nrole_arn = config\n", "[a]\nregion = credentials\n").unwrap();
    let (_, values) = reading.iter().find(|(name, _)| name == "profile a").unwrap();
    let values = values.as_ref().unwrap();
    assert_eq!(values[0].as_deref(), Some("credentials"));
    assert_eq!(values[1].as_deref(), Some("config"));
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
        "[sso-session a]",
        "[services a]",
        "[other a]",
        "[profile a] # c",
        "[a];c",
        "[",
        "[a",
        "[]",
        "[profile\ta]",
    ]);
    let name = prop::sample::select(KEYS.to_vec());
    let value = "[ \t]?[a#;=\u{a0} ]{0,6}";
    let blank = prop::sample::select(vec!["", " ", "\t", "  "]);
    prop_oneof![
        3 => section.prop_map(str::to_owned),
        6 => (name, blank.clone(), value).prop_map(|(name, blank, value)| format!("{name}{blank}={blank}{value}")),
        2 => (blank.clone(), value).prop_map(|(blank, value)| format!("{blank}{value}")),
        1 => blank.prop_map(str::to_owned),
        1 => ".{0,12}",
    ]
}

fn a_file() -> impl Strategy<Value = String> {
    let end = prop::sample::select(vec!["\n", "\n", "\n", "\r\n"]);
    (prop::collection::vec((a_line(), end), 0..14), any::<bool>()).prop_map(|(lines, headed)| {
        let mut text = String::from(if headed { "[default]\n" } else { "" });
        for (line, end) in lines {
            text += &line;
            text += end;
        }
        text
    })
}

proptest! {
    #![proptest_config(crate::os::proptest_config::config(2000))]

    /// Two spellings of one section are left out of it: there the SDK takes either's value by chance.
    #[test]
    fn any_file_reads_as_the_sdk_reads_it(config in a_file(), credentials in a_file()) {
        let spelled_twice = |text: &str| text.contains("profile\ta") && text.contains("profile a]")
            || text.contains("profile\ta") && text.contains("profile a] #");
        if !spelled_twice(&config) && !spelled_twice(&credentials) {
            prop_assert_eq!(by_us(&config, &credentials), by_the_sdk(&config, &credentials));
        }
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in "\\PC*|[\\[\\]a= \t\r\n#;\u{feff}]{0,40}") {
        for kind in [Kind::Config, Kind::Credentials] {
            if let Ok(sections) = Sections::parse(&text, kind) {
                let mut properties = Properties::new();
                for name in NAMES {
                    sections.profile(name, &mut properties);
                }
            }
        }
    }
}

#[test]
fn a_nested_value_is_found_and_the_last_one_counts() {
    assert_eq!(nested("\nendpoint_url = x\nother = y\nendpoint_url=z", "endpoint_url"), Some("z"));
    assert_eq!(nested("endpoint_url_x = y", "endpoint_url"), None);
}

#[test]
fn a_malformed_line_is_named_by_its_number() {
    let malformed = Sections::parse("[default]\r\n\r\nregion = a\r\n=\r\n", Kind::Config).unwrap_err();
    assert_eq!((malformed.line, malformed.reason), (4, "a property without a name"));
    let malformed = Sections::parse("\u{feff}[default]\n", Kind::Config).unwrap_err();
    assert_eq!(malformed.line, 1);
    assert!(malformed.reason.contains("byte order mark"), "{}", malformed.reason);
}
