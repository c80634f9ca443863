//! What people see who mistype a registry, an action or a command, or start the helper by hand.

use crate::support::{FakeAws, Helper, REGISTRY};

#[test]
fn a_name_that_is_nearly_ecrs_is_not_found_and_one_line_says_what_is_wrong_with_it() {
    let aws = FakeAws::start();
    let helper = Helper::new().aws(&aws).keys("AKIATEST");
    for (name, reason) in [
        ("12345678901.dkr.ecr.eu-west-1.amazonaws.com", "has 11 digits, and an account ID has 12"),
        ("https://123456789012.dkr.ecr.euwest1.amazonaws.com/app", "is not the name of a region"),
        ("123456789012.ecr.eu-west-1.amazonaws.com", "has .dkr.ecr. after the account ID"),
    ] {
        let outcome = helper.run(["get"], name);
        assert_eq!((outcome.code, outcome.stdout.trim()), (Some(1), "credentials not found in native keychain"));
        assert!(outcome.line().contains(reason), "{name}: {outcome:?}");
    }
    assert_eq!(aws.connections(), 0);
    let typed = helper.run(["password", "12345678901.dkr.ecr.eu-west-1.amazonaws.com"], "");
    assert!(typed.line().contains("has 11 digits"), "{typed:?}");
}

/// It is written like a region's, and may be one that AWS opens tomorrow: it is asked, and said where that fails.
#[test]
fn a_mistyped_region_is_named_where_the_call_fails_and_by_setup_and_doctor() {
    let helper = Helper::new();
    let name = "123456789012.dkr.ecr.us-esat-1.amazonaws.com";
    let said = "us-esat-1 is named like no region of AWS, check the registry's name";
    let outcome = helper.run(["get"], name);
    assert!(
        outcome.line().starts_with(&format!("docker-credential-ecr-login: {name}: {said}: no AWS cred")),
        "{outcome:?}"
    );
    assert!(helper.run(["setup", "docker", name], "").stdout.contains(&format!("{name}: {said}\n")));
    assert!(helper.run(["doctor", name], "").stdout.contains(said));
    let right = helper.run(["get"], REGISTRY);
    assert!(!right.line().contains("no region"), "{right:?}");
}

#[test]
fn a_mistyped_command_names_the_nearest_one() {
    let helper = Helper::new();
    for (typed, nearest) in [
        ("satus", "status"),
        ("logout", "clear"),
        ("docter", "doctor"),
        ("Setup", "setup"),
        ("get-login", "get-login-password"),
    ] {
        let outcome = helper.run([typed], "");
        assert_eq!(outcome.code, Some(1));
        let meant = format!("did you mean docker-credential-ecr-login {nearest}?");
        assert!(outcome.stdout.contains(&meant), "{typed}: {outcome:?}");
        assert_eq!(outcome.stdout.lines().count(), 1);
        assert!(
            outcome.stdout.contains("commands: setup, login, status, doctor, clear, warm, password"),
            "{outcome:?}"
        );
    }
    let none: [&str; 0] = [];
    assert!(helper.run(none, "").stdout.contains("commands: setup, login, status, doctor"));
    let outcome = helper.run(["xyzzy"], "");
    assert!(outcome.stdout.contains("unknown action xyzzy") && !outcome.stdout.contains("mean"), "{outcome:?}");
}

#[test]
fn help_of_a_protocol_action_says_what_it_does() {
    let helper = Helper::new();
    for (action, words) in
        [("get", "name of a registry"), ("store", "keeps nothing"), ("erase", "cache"), ("list", "JSON")]
    {
        for help in ["--help", "-h"] {
            let outcome = helper.run([action, help], "");
            assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""), "{action}");
            assert!(outcome.stdout.contains(words), "{outcome:?}");
        }
    }
    assert!(helper.run(["get", "--no-such"], "").stdout.contains("get takes no argument"));
}

#[test]
fn the_plugin_tells_its_version_and_what_it_is_for() {
    let helper = Helper::new().named("ecr-credential-provider");
    let version = helper.run(["--version"], "");
    assert!(version.stdout.starts_with("ecr-credential-provider ") && version.code == Some(0), "{version:?}");
    let help = helper.run(["--help"], "");
    assert!(help.stdout.contains("CredentialProviderRequest") && help.code == Some(0), "{help:?}");
}

/// The helper on a terminal without input: its first line.
#[cfg(unix)]
fn first_line_on_a_terminal(helper: &Helper, arguments: &[&str]) -> String {
    use std::io::BufRead as _;
    let (_ours, theirs) = crate::support::terminal::terminal();
    let mut command = helper.command(arguments);
    command.stdin(theirs).stdout(std::process::Stdio::null()).stderr(std::process::Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut line = String::new();
    std::io::BufReader::new(child.stderr.take().unwrap()).read_line(&mut line).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    line
}

#[test]
#[cfg(unix)]
fn on_a_terminal_a_protocol_action_says_what_it_waits_for() {
    let line = first_line_on_a_terminal(&Helper::new(), &["get"]);
    assert!(line.contains("type the name of a registry"), "{line}");
    let plugin = Helper::new().named("ecr-credential-provider");
    let line = first_line_on_a_terminal(&plugin, &[]);
    assert!(line.contains("waiting for a CredentialProviderRequest"), "{line}");
}
