//! The profiles that are found with the registries: offered, checked, written, and what each registry will use.

use std::fs;

use super::home::Home;
use super::{OTHER, REGISTRY};

const FOUR: &str = "[default]\nregion = eu-west-1\n\
    [profile prod]\nsso_account_id = 123456789012\nsso_role_name = r\nsso_start_url = https://a.example\nsso_region = eu-west-1\n\
    [profile admin]\nsso_account_id = 210987654321\nsso_role_name = a\nsso_start_url = https://a.example\nsso_region = eu-west-1\nregion = us-east-1\n\
    [profile viewer]\nsso_account_id = 210987654321\nsso_role_name = v\nsso_start_url = https://a.example\nsso_region = eu-west-1\nregion = us-east-1\n\
    [profile broken]\nrole_arn = arn:aws:iam::333333333333:role/x\nsource_profile = gone\n";
const BROKEN: &str = "333333333333.dkr.ecr.eu-west-1.amazonaws.com";

fn home() -> Home {
    let home = Home::with(b"{}");
    fs::create_dir_all(home.path(".aws")).unwrap();
    fs::write(home.path(".aws/config"), FOUR).unwrap();
    home
}

#[test]
fn yes_writes_each_registry_with_its_profile_and_says_what_each_will_use() {
    let home = home();
    let said = home.done(&["--yes"]);
    let settings = fs::read_to_string(home.settings()).unwrap();
    assert!(settings.contains(&format!("match = \"{REGISTRY}\"\nprofile = \"prod\"\n")), "{settings}");
    assert_eq!(settings.matches("[[registry]]").count(), 1, "{settings}");
    assert!(said.contains(&format!("{REGISTRY} will use profile prod")), "{said}");
    // Two profiles of one account, and one that cannot be used: neither is chosen.
    assert!(said.contains(&format!("{OTHER}: several profiles are of its account (admin, viewer)")), "{said}");
    assert!(said.contains(&format!("setup docker {OTHER} --profile admin")), "{said}");
    assert!(said.contains(&format!("profile broken is not used for {BROKEN}")) && said.contains("gone"), "{said}");
    assert!(said.contains(&format!("{OTHER} cannot be used until its profile is chosen")), "{said}");
    assert!(said.contains(&format!("{BROKEN} cannot be used yet: no AWS credentials were found")), "{said}");
    assert!(home.done(&["--yes"]).contains("nothing to do"));
    assert_eq!(fs::read_to_string(home.settings()).unwrap(), settings);
    home.done(&["--undo"]);
    assert!(!home.settings().exists() && home.read() == "{}");
}

#[test]
fn without_a_terminal_and_without_yes_no_profile_is_written_and_none_is_claimed() {
    let home = home();
    let said = home.done(&[]);
    assert!(!home.settings().exists());
    assert!(said.contains(&format!("{REGISTRY}: profile prod is of its account, and is not used for it")), "{said}");
    assert!(said.contains("run this with --yes"), "{said}");
    assert!(said.contains(&format!("{REGISTRY} cannot be used yet")), "{said}");
    assert!(home.read().contains(REGISTRY));
}

#[test]
fn dry_run_shows_the_entries_and_writes_none() {
    let home = home();
    let shown = home.done(&["--dry-run"]);
    assert!(shown.contains("+profile = \"prod\"") && shown.contains("will use profile prod"), "{shown}");
    assert!(!home.settings().exists() && home.read() == "{}");
}

#[test]
fn what_the_settings_say_of_a_registry_stays_and_is_what_it_will_use() {
    let home = home();
    fs::create_dir_all(home.path(".config/ecr-login")).unwrap();
    let before = "[[registry]]\nmatch = \"123456789012.dkr.ecr.*.amazonaws.com\"\nprofile = \"viewer\"\n";
    fs::write(home.settings(), before).unwrap();
    let said = home.done(&["--yes"]);
    assert_eq!(fs::read_to_string(home.settings()).unwrap(), before);
    assert!(said.contains(&format!("{REGISTRY} will use profile viewer")), "{said}");
}

#[test]
fn a_profile_that_does_not_exist_or_has_no_credentials_is_refused_and_the_argument_is_blamed() {
    let home = home();
    for (profile, reason) in [
        ("nosuch", "there is no such profile in "),
        ("nosuch", "name one of the profiles that exist: admin, broken"),
        ("broken", "gone"),
        ("default", "aws configure --profile default"),
    ] {
        let line = home.refused(&[REGISTRY, "--profile", profile]);
        assert!(line.contains(&format!("setup docker: --profile {profile}: ")) && line.contains(reason), "{line}");
        assert!(!line.contains("config.toml"), "{line}");
    }
    assert!(home.read() == "{}" && !home.settings().exists());
    assert_eq!(home.names(), ["config.json"]);
}

#[test]
fn a_role_or_a_token_source_that_is_none_is_refused_and_the_argument_is_blamed() {
    let home = Home::with(b"{}");
    for (arguments, blamed) in [
        (&["--role-arn", "nonsense"][..], "--role-arn nonsense: is no role"),
        (&["--role-arn", "arn:aws:iam::123456789012:role/r", "--web-identity", "nowhere"], "--web-identity nowhere: "),
        (&["--profile", ""], "--profile : must not be empty"),
    ] {
        let line = home.refused(&[&["--registry", REGISTRY], arguments].concat());
        assert!(line.contains(blamed) && !line.contains("config.toml"), "{line}");
    }
    assert!(home.read() == "{}" && !home.settings().exists());
}

#[test]
fn registries_are_given_as_plain_arguments_too_and_aliases_of_the_settings_are_found() {
    let home = Home::with(b"{}");
    home.aws_profile("prod");
    home.done(&[REGISTRY, "--profile", "prod", "--registry", OTHER]);
    assert!(home.read().contains(REGISTRY) && home.read().contains(OTHER));
    home.done(&["--undo", OTHER]);
    assert!(home.read().contains(REGISTRY) && !home.read().contains(OTHER));

    let home = Home::with(b"{}");
    fs::create_dir_all(home.path(".config/ecr-login")).unwrap();
    let alias = format!("[[registry]]\nmatch = \"images.example.com\"\nalias_of = \"{REGISTRY}\"\n");
    fs::write(home.settings(), alias).unwrap();
    let said = home.done(&[]);
    assert!(said.contains("found images.example.com (the settings file)"), "{said}");
    assert!(home.read().contains("\"images.example.com\": \"ecr-login\""), "{}", home.read());
}

#[test]
fn it_ends_with_the_next_step_once_a_pull_can_work() {
    let home = Home::with(b"{}");
    home.install();
    let said = home.done(&[REGISTRY]);
    assert!(!said.contains("Next:"), "there are no credentials: {said}");
    home.aws_profile("default");
    let said = home.done(&[REGISTRY]);
    let last = said.lines().last().unwrap();
    assert!(last.starts_with(&format!("Next: docker pull {REGISTRY}/IMAGE")), "{said}");
}

#[test]
fn the_next_step_of_an_sso_profile_without_a_login_is_to_sign_in() {
    let home = home();
    home.install();
    let said = home.done(&["--yes"]);
    let last = said.lines().last().unwrap();
    assert_eq!(last, "Next: docker-credential-ecr-login login, which signs in and fetches the tokens");
}

/// As the Go helper's documents have it.
#[test]
fn where_every_registry_is_served_already_that_is_said() {
    let home = Home::with(b"{\"credsStore\":\"ecr-login\"}");
    let said = home.done(&[]);
    assert!(
        said.contains("docker asks ecr-login for every registry already") && said.contains("nothing to do"),
        "{said}"
    );
    assert_eq!(home.read(), "{\"credsStore\":\"ecr-login\"}");
}

/// A terminal: the question is put there, and the answer counts.
#[cfg(unix)]
#[test]
fn on_a_terminal_it_asks_and_follows_the_answer() {
    use crate::support::terminal::terminal;
    use std::io::{Read as _, Write as _};
    for (answer, written) in [("\n", true), ("y\n", true), ("n\n", false), ("\u{4}", false)] {
        let home = home();
        let (mut ours, theirs) = terminal();
        let mut command = home.command(&[]);
        command.stdin(theirs.try_clone().unwrap()).stdout(theirs.try_clone().unwrap()).stderr(theirs);
        let mut child = command.spawn().unwrap();
        // The command's copies of the terminal's end.
        drop(command);
        ours.write_all(answer.as_bytes()).unwrap();
        let mut screen = Vec::new();
        // The screen ends with an error once the last program has left it.
        let mut buffer = [0; 4096];
        while let Ok(count @ 1..) = ours.read(&mut buffer) {
            screen.extend_from_slice(&buffer[..count]);
        }
        let screen = String::from_utf8_lossy(&screen).into_owned();
        assert!(child.wait().unwrap().success(), "{screen}");
        assert!(screen.contains("with the AWS profile prod") && screen.contains("[Y/n]"), "{screen}");
        assert_eq!(home.settings().exists(), written, "{answer:?}: {screen}");
        assert!(home.read().contains(REGISTRY), "{screen}");
        // What was asked about is not listed again; that it is not used is said.
        assert!(!screen.contains(&format!("found {REGISTRY}")), "{screen}");
        assert_eq!(screen.contains("these profiles are not used"), !written, "{screen}");
    }
}
