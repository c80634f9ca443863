use super::*;
use crate::text::user_error::UserError;

const EXAMPLE: &str = r#"
timeout = 2.5
strict = true
delegate = "pass"

[[registry]]                 # the first rule that matches wins
match = "123456789012.dkr.ecr.*.amazonaws.com"
profile = "prod"

[[registry]]
match = "*.dkr.ecr.eu-*.amazonaws.com"
profile = "base"
role_arn = "arn:aws:iam::{account}:role/pull-{region}"
external_id = "e-1"
session_name = "laptop"
cache = false

[[registry]]
match = "images.example.com"
alias_of = "210987654321.dkr.ecr.eu-west-1.amazonaws.com"

[[registry]]
match = "public.ecr.aws"
anonymous = true
"#;

fn parsed(text: &str) -> Settings {
    Settings::parse("config.toml", text).unwrap()
}

fn refused(text: &str) -> String {
    Settings::parse("config.toml", text).expect_err("this text is wrong").to_string()
}

#[test]
fn the_first_entry_that_matches_counts() {
    let settings = parsed(EXAMPLE);
    assert_eq!(settings.timeout, Some(Duration::from_millis(2500)));
    assert_eq!((settings.strict, settings.delegate.as_deref()), (true, Some("pass")));
    let target = settings.target("https://123456789012.dkr.ecr.eu-west-1.amazonaws.com/v2/").unwrap();
    assert_eq!(target.credentials.profile_at.as_ref().unwrap().rule, 0);
    assert_eq!(
        CredentialSettings { profile_at: None, ..target.credentials },
        CredentialSettings { profile: Some("prod".to_owned()), ..CredentialSettings::default() }
    );
    assert!(settings.target("public.ecr.aws").unwrap().credentials.anonymous);
    let unmatched = settings.target("210987654321.dkr.ecr.us-east-1.amazonaws.com").unwrap();
    assert_eq!(unmatched.credentials, CredentialSettings::default());
}

#[test]
fn account_and_region_of_the_registry_stand_in_the_role() {
    let credentials = parsed(EXAMPLE).target("210987654321.dkr.ecr.eu-west-1.amazonaws.com").unwrap().credentials;
    let role = credentials.role.unwrap();
    assert_eq!(role.arn, "arn:aws:iam::210987654321:role/pull-eu-west-1");
    assert_eq!((role.external_id.as_deref(), role.session_name.as_deref()), (Some("e-1"), Some("laptop")));
    assert_eq!((credentials.profile.as_deref(), credentials.cache), (Some("base"), false));
}

#[test]
fn an_alias_gets_the_credentials_of_the_registry_that_it_leads_to() {
    let target = parsed(EXAMPLE).target("Images.Example.com:443/team/app").unwrap();
    assert_eq!(target.registry.host(), "210987654321.dkr.ecr.eu-west-1.amazonaws.com");
    assert_eq!(target.credentials.profile.as_deref(), Some("base"));
    assert!(parsed(EXAMPLE).target("other.example.com").is_none());
}

#[test]
fn what_is_wrong_is_named_by_file_line_and_key() {
    let rule = |lines: &str| format!("[[registry]]\nmatch = \"*.dkr.ecr.eu-west-1.amazonaws.com\"\n{lines}\n");
    for (text, expected) in [
        ("timeout = \"x\"".to_owned(), "config.toml:1: timeout: "),
        ("strict = true\ntimeout = 0".to_owned(), "config.toml:2: timeout: must be a number"),
        ("timeout = -1.5".to_owned(), "config.toml:1: timeout: must be a number"),
        ("timeout = nan".to_owned(), "config.toml:1: timeout: must be a number"),
        ("timeout = 1e300".to_owned(), "config.toml:1: timeout: must be a number"),
        ("\n\nstrickt = true".to_owned(), "config.toml:3: strickt: unknown field"),
        ("strict = \"yes\"".to_owned(), "config.toml:1: strict: invalid type"),
        ("delegate = \"a/b\"".to_owned(), "config.toml:1: delegate: must be"),
        ("delegate = \"\"".to_owned(), "config.toml:1: delegate: must be"),
        ("timeout = ".to_owned(), "config.toml:1: "),
        ("[registry]\nmatch = \"a\"".to_owned(), "config.toml:1: "),
        ("[[registry]]\nprofile = \"a\"".to_owned(), "config.toml:1: missing field `match`"),
        ("[[registry]]\nmatch = \"a..b\"".to_owned(), "config.toml:2: match: must be a host"),
        (rule("profil = \"a\""), "config.toml:3: profil: unknown field"),
        (rule("profile = 3"), "config.toml:3: profile: invalid type"),
        (rule("profile = \"\""), "config.toml:3: profile: must not be empty"),
        (rule("role_arn = \"pull\""), "config.toml:3: role_arn: is no role"),
        (rule("role_arn = \"arn:aws:iam::12:role/x\""), "config.toml:3: role_arn: is no role"),
        (rule("role_arn = \"arn:aws:iam::{acount}:role/x\""), "config.toml:3: role_arn: is no role"),
        (rule("role_arn = \"arn:aws:iam::{account}:user/x\""), "config.toml:3: role_arn: is no role"),
        (rule("role_arn = \"arn:aws{:iam::{account}:role/x\""), "config.toml:3: role_arn: is no role"),
        (rule("external_id = \"x\""), "config.toml:3: external_id: needs role_arn"),
        (rule("session_name = \"x\""), "config.toml:3: session_name: needs role_arn"),
        (rule("anonymous = true\nprofile = \"x\""), "config.toml:4: profile: does not go with anonymous"),
        (rule("alias_of = \"123456789012.dkr.ecr.eu-west-1.amazonaws.com\""), "config.toml:2: match: must be literal"),
        ("[[registry]]\nmatch = \"a.b\"\nalias_of = \"c.d\"".to_owned(), "config.toml:3: alias_of: must be the host"),
        (
            "[[registry]]\nmatch = \"a.b\"\nalias_of = \"public.ecr.aws\"\nprofile = \"x\"".to_owned(),
            "config.toml:4: profile: does not go with alias_of",
        ),
        (
            "[[registry]]\nmatch = \"a.b\"\nalias_of = \"public.ecr.aws\"\n[[registry]]\nmatch = \"public.ecr.aws\"\nalias_of = \"ecr-public.aws.com\"\n"
                .to_owned(),
            "config.toml:3: alias_of: leads to another alias",
        ),
        ("registry = [{ match = \"a.b\" },\n { match = \"a/b\" }]".to_owned(), "config.toml:2: match: must be a host"),
    ] {
        let message = refused(&text);
        assert!(message.starts_with(expected), "{text:?} gave {message:?}, not {expected:?}");
        assert!(!message.contains('\n'), "{message:?} is one line");
    }
}

#[test]
fn nothing_at_all_is_a_file_too() {
    assert!(parsed("").registries.is_empty());
    assert!(parsed("# only a comment\n").registries.is_empty());
}

#[test]
fn a_named_file_that_is_not_there_is_an_error() {
    let environment = Environment::of([("ECR_LOGIN_CONFIG", "/nowhere/config.toml"), ("HOME", "/nowhere")]);
    let failure = UserError::from(Settings::load(&environment).unwrap_err());
    assert_eq!(
        failure.to_string(),
        "ECR_LOGIN_CONFIG names /nowhere/config.toml, which does not exist; create it or unset ECR_LOGIN_CONFIG"
    );
}

#[cfg(unix)]
#[test]
fn a_file_that_others_may_write_is_refused_by_name() {
    use std::os::unix::fs::PermissionsExt;
    let home = tempfile::tempdir().unwrap();
    let directory = home.path().join(".config/ecr-login");
    std::fs::create_dir_all(&directory).unwrap();
    std::fs::set_permissions(&directory, std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = directory.join("config.toml");
    std::fs::write(&path, "strict = true").unwrap();
    let environment = Environment::of([("HOME", home.path())]);
    for (mode, trusted) in [(0o600, true), (0o644, true), (0o664, false), (0o646, false)] {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        match Settings::load(&environment) {
            Ok(settings) => assert!(trusted && settings.strict, "mode {mode:o}"),
            Err(error) => {
                let text = UserError::from(error).to_string();
                assert!(!trusted, "mode {mode:o}: {text}");
                assert!(text.contains("others may write it") && text.contains("chmod go-w"), "{text}");
                assert!(text.contains(&path.display().to_string()), "{text}");
            }
        }
    }
}

#[cfg(unix)]
#[test]
fn a_directory_or_a_huge_file_in_its_place_is_an_error_not_the_next_one() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join(".config/ecr-login/config.toml");
    std::fs::create_dir_all(&path).unwrap();
    let environment = Environment::of([("HOME", home.path())]);
    assert!(Settings::load(&environment).unwrap_err().to_string().contains("not a regular file"));
    std::fs::remove_dir(&path).unwrap();
    std::fs::write(&path, " ".repeat((1 << 20) + 1)).unwrap();
    assert!(Settings::load(&environment).unwrap_err().to_string().contains("larger than 1 MiB"));
}

mod plain_shape {
    use proptest::prelude::*;

    use super::super::{parse, plain};

    /// Lines as people write them, and pieces that look like them and are none.
    fn line() -> impl Strategy<Value = String> {
        let key = prop::sample::select(vec![
            "timeout",
            "strict",
            "delegate",
            "match",
            "profile",
            "role_arn",
            "external_id",
            "session_name",
            "web_identity",
            "audience",
            "alias_of",
            "anonymous",
            "cache",
            "unknown",
            "",
            "a.b",
            "\"match\"",
        ]);
        let value = prop_oneof![
            prop::sample::select(vec![
                "true",
                "false",
                "10",
                "2.5",
                "0",
                "00",
                "01",
                "1_0",
                "+1",
                "-1",
                "1.",
                ".5",
                "0.50",
                "1e3",
                "inf",
                "nan",
                "\"\"",
                "\"\"\"x\"\"\"",
                "'x'",
                "\"a\\n\"",
                "\"a # b\"",
                "\"open",
                "[]",
                "{}",
                "1979-05-27",
                "0x10",
                "\"ä\"",
                "12345678901234567890",
                "true false",
                "\"a\" \"b\"",
                "\"\u{7f}\"",
                "\"\t\"",
                "\u{a0}1",
            ])
            .prop_map(str::to_owned),
            "\"[a-z*.#= {}:/-]{0,12}\"",
            "\\PC{0,6}",
        ];
        let blank = prop::sample::select(vec!["", " ", "\t", "  ", "\u{a0}", "\u{b}"]);
        let tail = prop::sample::select(vec!["", " # why", "#", " x", "\r", "\r\r", " # \u{1}"]);
        prop_oneof![
            4 => (blank.clone(), key, blank.clone(), blank.clone(), value, tail.clone())
                .prop_map(|(a, key, b, c, value, tail)| format!("{a}{key}{b}={c}{value}{tail}")),
            2 => tail.prop_map(|tail| format!("[[registry]]{tail}")),
            1 => prop::sample::select(vec!["", "# comment", "[registry]", "[[registry ]]", "[[ registry]]", "[[other]]", "\u{feff}"])
                .prop_map(str::to_owned),
        ]
    }

    proptest! {
        #[test]
        fn the_plain_reader_never_disagrees_with_the_full_parser(lines in prop::collection::vec(line(), 0..6)) {
            let text = lines.join("\n");
            if let Some(plainly) = plain::read(&text) {
                prop_assert_eq!(Some(plainly), parse::full(&text).ok(), "{}", text);
            }
        }
    }

    #[test]
    fn the_documented_example_is_of_the_plain_shape() {
        let text = super::EXAMPLE;
        assert_eq!(plain::read(text), parse::full(text).ok());
        assert!(plain::read(text).is_some());
    }
}
