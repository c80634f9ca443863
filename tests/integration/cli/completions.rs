//! The completions complete registries and profiles, by files alone.

use std::process::Command;

use crate::support::{FakeAws, Helper, REGISTRY, binary};

const OF_PROFILE: &str = "210987654321.dkr.ecr.us-east-1.amazonaws.com";
const OF_SETTINGS: &str = "123456789012.dkr.ecr.ap-south-1.amazonaws.com";

/// A home in which each kind of file names something.
fn home() -> Helper {
    let helper = Helper::new().aws_config(&format!(
        "[default]\nregion = us-east-1\n[profile prod]\nsso_account_id = {}\n[profile $(touch ran)]\n[profile dev]\n",
        &OF_PROFILE[..12]
    ));
    let helper = helper.settings(&format!("[[registry]]\nmatch = \"{OF_SETTINGS}\"\n"));
    helper.write(
        ".docker/config.json",
        format!("{{\"credHelpers\":{{\"{REGISTRY}\":\"ecr-login\",\"gcr.io\":\"gcloud\"}}}}"),
    );
    std::fs::create_dir_all(helper.home().join("bin")).unwrap();
    std::os::unix::fs::symlink(binary(), helper.home().join("bin/docker-credential-ecr-login")).unwrap();
    helper
}

#[test]
fn registries_and_profiles_are_named_by_files_alone_and_nothing_that_a_shell_would_run() {
    let aws = FakeAws::start();
    let helper = home().aws(&aws).keys("AKIANAMES");
    let outcome = helper.run(["__names", "registries"], "");
    let mut expected = [REGISTRY, OF_PROFILE, OF_SETTINGS];
    expected.sort_unstable();
    assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""), "{outcome:?}");
    assert_eq!(outcome.stdout.lines().collect::<Vec<_>>(), expected);
    let outcome = helper.run(["__names", "profiles"], "");
    assert_eq!(outcome.stdout.lines().collect::<Vec<_>>(), ["default", "dev", "prod"], "{outcome:?}");
    assert_eq!(aws.all_calls().len(), 0);
    assert!(!helper.made_a_cache(), "looking makes nothing");
}

#[test]
fn the_scripts_offer_no_command_that_people_do_not_type() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = Helper::new().run(["completions", shell], "").stdout;
        let own: Vec<&str> = script.lines().filter(|line| line.contains("__names")).collect();
        assert!(own.iter().all(|line| line.contains("docker-credential-ecr-login __names ")), "{shell}: {own:?}");
        assert_eq!(own.is_empty(), ["powershell", "elvish"].contains(&shell), "{shell}");
    }
}

/// What bash would offer for the last of these words.
fn bash(helper: &Helper, words: &[&str]) -> Option<Vec<String>> {
    let script = helper.write("completion.bash", helper.run(["completions", "bash"], "").stdout);
    let ask = format!(
        "source '{}'\nCOMP_WORDS=({})\nCOMP_CWORD={}\n\
         _docker_credential_ecr_login_names docker-credential-ecr-login \"${{COMP_WORDS[COMP_CWORD]}}\" \
         \"${{COMP_WORDS[COMP_CWORD-1]}}\"\nprintf '%s\\n' \"${{COMPREPLY[@]}}\"",
        script.display(),
        words.iter().map(|word| format!("'{word}'")).collect::<Vec<_>>().join(" "),
        words.len() - 1
    );
    let planned = helper.command(["x"]);
    let mut command = Command::new(crate::support::on_our_path("bash"));
    command.args(["--norc", "-c", &ask]).env_clear().current_dir(helper.home());
    command.envs(planned.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let output = command.output().ok()?;
    assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{words:?}");
    Some(String::from_utf8(output.stdout).unwrap().lines().filter(|line| !line.is_empty()).map(str::to_owned).collect())
}

#[test]
fn bash_completes_registries_where_one_is_wanted_and_profiles_behind_their_option() {
    let helper = home();
    const PROGRAM: &str = "docker-credential-ecr-login";
    let Some(offered) = bash(&helper, &[PROGRAM, "doctor", "1234"]) else { return };
    assert_eq!(offered, [OF_SETTINGS, REGISTRY]);
    for (words, expected) in [
        (&[PROGRAM, "password", "2"][..], &[OF_PROFILE][..]),
        (&[PROGRAM, "setup", "docker", "--registry", "2"], &[OF_PROFILE]),
        (&[PROGRAM, "login", "--profile", ""], &["default", "dev", "prod"]),
        (&[PROGRAM, "login", "--profile", "p"], &["prod"]),
        (&[PROGRAM, "stat"], &["status"]),
        (&[PROGRAM, "warm", "--time"], &["--timeout"]),
    ] {
        assert_eq!(bash(&helper, words).unwrap(), expected, "{words:?}");
    }
    assert!(!helper.home().join("ran").exists());
}
