//! `setup docker`: only our lines change, whatever the file, and `--undo` gives back the bytes.

mod files;
mod home;
mod profiles;
mod shapes;
mod undo;
mod way_out;

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use crate::support::Running;
use home::Home;

const REGISTRY: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";
const OTHER: &str = "210987654321.dkr.ecr.us-east-1.amazonaws.com";

#[test]
fn what_is_no_json_object_is_left_alone_and_its_fault_is_named() {
    for (text, place) in [
        ("{\n  // work\n  \"auths\": {}\n}\n", "line 2, column 3"),
        ("{\n  \"auths\": {},\n}\n", "line 3, column 1"),
        ("{\n  \"auths\": {\n", "line 3"),
        ("[]", "line 1, column 1: the top is not an object"),
        ("auths:\n  x: y\n", "line 1, column 1"),
        ("{\"credHelpers\": \"ecr-login\"}", "credHelpers is not an object"),
    ] {
        let home = Home::with(text.as_bytes());
        let line = home.refused(&["--registry", REGISTRY]);
        assert!(line.contains(place) && line.contains("config.json"), "{text:?}: {line}");
        assert_eq!(home.read(), text);
        assert_eq!(home.names(), ["config.json"]);
    }
}

#[test]
fn text_behind_the_json_stays_as_docker_reads_the_file_and_podmans_setup_names_its_place() {
    let before = "{\"auths\":{}}\n{\"b\": 2}\n";
    let home = Home::with(before.as_bytes());
    let said = home.done(&[REGISTRY]);
    assert!(said.contains("config.json: line 2, column 1: text follows the JSON object, which stays"), "{said}");
    assert_eq!(
        home.read(),
        format!("{{\"auths\":{{}},\"credHelpers\":{{\"{REGISTRY}\":\"ecr-login\"}}}}\n{{\"b\": 2}}\n")
    );
    home.done(&["--undo"]);
    assert_eq!(home.read(), before);
    let mut command = std::process::Command::new(crate::support::binary());
    command.args(["setup", "podman", REGISTRY, "--file"]).arg(home.config()).env_clear();
    let output = command.envs(crate::support::home_variables(home.directory())).output().unwrap();
    let line = String::from_utf8(output.stderr).unwrap();
    assert!(line.contains("line 2, column 1: text follows the JSON object"), "{line}");
    assert_eq!(home.read(), before);
}

#[test]
fn killed_at_any_moment_the_file_is_the_old_or_the_new_one_and_the_same_again_completes_it() {
    let before = "{\n\t\"auths\": {\n\t\t\"ghcr.io\": {\n\t\t\t\"auth\": \"dTpw\"\n\t\t}\n\t}\n}\n";
    let whole = Home::with(before.as_bytes());
    whole.done(&["--registry", REGISTRY]);
    for step in 0..12 {
        let home = Home::with(before.as_bytes());
        let mut command = home.command(&["--registry", REGISTRY]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Running::start(command, b"").killed_after(Duration::from_millis(2 * step));
        let now = home.read();
        assert!(now == before || now == whole.read(), "{now}");
        home.done(&["--registry", REGISTRY]);
        assert_eq!(home.read(), whole.read());
        home.done(&["--undo"]);
        assert_eq!(home.read(), before);
    }
}

#[test]
fn a_name_that_is_not_ecr_is_refused() {
    let home = Home::with(b"{}");
    let line = home.refused(&["--registry", "ghcr.io"]);
    assert!(line.contains("ghcr.io is not the name of an Amazon ECR registry"), "{line}");
    assert_eq!(home.read(), "{}");
}

#[test]
fn a_name_as_people_paste_it_becomes_the_key_that_docker_compares() {
    let home = Home::with(b"{}");
    home.done(&["--registry", &format!("https://{}/team/app:1", REGISTRY.to_uppercase())]);
    assert_eq!(home.read(), format!("{{\n\t\"credHelpers\": {{\n\t\t\"{REGISTRY}\": \"ecr-login\"\n\t}}\n}}"));
}

#[test]
fn dry_run_shows_the_difference_without_a_secret_and_changes_nothing() {
    let before = format!(
        "{{\n\t\"auths\": {{\n\t\t\"{REGISTRY}\": {{\n\t\t\t\"auth\": \"MARKED\"\n\t\t}}\n\t}},\n\t\"HttpHeaders\": {{\"Authorization\": \"MARKED\"}}\n}}"
    );
    let home = Home::with(before.as_bytes());
    home.aws_profile("prod");
    let shown = home.done(&["--registry", REGISTRY, "--clean", "--dry-run", "--profile", "prod"]);
    assert!(shown.contains(&format!("+\t\t\"{REGISTRY}\": \"ecr-login\"")), "{shown}");
    assert!(shown.contains(&format!("-\t\t\"{REGISTRY}\": {{")), "{shown}");
    assert!(shown.contains("+profile = \"prod\""), "{shown}");
    assert!(!shown.contains("MARKED"), "{shown}");
    assert_eq!(home.read(), before);
    assert_eq!(home.names(), ["config.json"]);
    assert!(!home.settings().exists());
}

#[test]
fn old_logins_are_pointed_out_and_clean_takes_them_out() {
    let before = format!(
        "{{\n  \"auths\": {{\n    \"{REGISTRY}\": {{\"auth\": \"eA==\"}},\n    \"ghcr.io\": {{\"auth\": \"eQ==\"}},\n    \"https://{OTHER}\": {{\"auth\": \"eg==\"}},\n    \"public.ecr.aws\": {{}}\n  }}\n}}\n"
    );
    let home = Home::with(before.as_bytes());
    let said = home.done(&["--registry", REGISTRY]);
    assert!(said.contains(&format!("old login for {REGISTRY}: nothing uses it any more")), "{said}");
    assert!(!said.contains(OTHER), "another registry's login is used as before: {said}");
    home.done(&["--registry", REGISTRY, "--clean"]);
    assert!(home.read().contains("eg==") && !home.read().contains("eA=="), "{}", home.read());
    home.done(&["--undo"]);
    let said = home.done(&["--registry", REGISTRY, "--registry", OTHER]);
    assert!(said.contains(&format!("old login for {REGISTRY}, https://{OTHER}")), "{said}");
    assert!(home.read().contains("eA=="));
    home.done(&["--registry", REGISTRY, "--clean"]);
    let ours = format!("\"credHelpers\": {{\n    \"{REGISTRY}\": \"ecr-login\",\n    \"{OTHER}\": \"ecr-login\"\n  }}");
    assert_eq!(
        home.read(),
        format!(
            "{{\n  \"auths\": {{\n    \"ghcr.io\": {{\"auth\": \"eQ==\"}},\n    \"public.ecr.aws\": {{}}\n  }},\n  {ours}\n}}\n"
        )
    );
    home.done(&["--undo"]);
    assert_eq!(home.read(), before);
}

#[test]
fn store_keeps_the_old_store_as_our_delegate() {
    let before = "{\n  \"auths\": {\"ghcr.io\": {}},\n  \"credsStore\": \"desktop\"\n}\n";
    let home = Home::with(before.as_bytes());
    home.done(&["--store"]);
    assert_eq!(home.read(), before.replace("desktop", "ecr-login"));
    let settings = fs::read_to_string(home.settings()).unwrap();
    assert!(settings.contains("delegate = \"desktop\""), "{settings}");
    assert!(home.done(&["--store"]).contains("nothing to do"));
    assert_eq!(fs::read_to_string(home.settings()).unwrap(), settings);
    home.done(&["--undo"]);
    assert_eq!(home.read(), before);
    assert!(!home.path(".config/ecr-login").exists(), "what setup made and undo emptied is gone");
}

#[test]
fn store_does_not_hide_logins_that_are_kept_nowhere_else() {
    let before = "{\"auths\":{\"ghcr.io\":{\"auth\":\"eQ==\"}}}";
    let home = Home::with(before.as_bytes());
    let line = home.refused(&["--store"]);
    assert!(line.contains("ghcr.io") && line.contains("--registry"), "{line}");
    assert!(!line.contains("eQ=="));
    assert_eq!(home.read(), before);
}

#[test]
fn a_profile_goes_into_our_settings_file_and_its_comments_stay() {
    let home = Home::with(b"{}");
    home.aws_profile("prod");
    fs::create_dir_all(home.path(".config/ecr-login")).unwrap();
    let before =
        "# mine\ntimeout = 20\n\n[[registry]] # all\nmatch = \"*.dkr.ecr.*.amazonaws.com\"\nprofile = \"base\"\n";
    fs::write(home.settings(), before).unwrap();
    home.done(&["--registry", REGISTRY, "--profile", "prod", "--role-arn", "arn:aws:iam::123456789012:role/pull"]);
    let after = fs::read_to_string(home.settings()).unwrap();
    let entry = format!(
        "[[registry]]\nmatch = \"{REGISTRY}\"\nprofile = \"prod\"\nrole_arn = \"arn:aws:iam::123456789012:role/pull\"\n"
    );
    assert!(after.starts_with("# mine\ntimeout = 20\n"), "{after}");
    assert!(
        after.ends_with("[[registry]] # all\nmatch = \"*.dkr.ecr.*.amazonaws.com\"\nprofile = \"base\"\n"),
        "{after}"
    );
    assert!(after.contains(&entry), "{after}");
    home.done(&["--undo"]);
    assert_eq!(fs::read_to_string(home.settings()).unwrap(), before);
    assert_eq!(home.read(), "{}");
}

#[test]
fn a_profile_or_role_that_an_earlier_entry_hides_is_refused() {
    let before = format!(
        "[[registry]]\nmatch = \"*.dkr.ecr.eu-west-1.amazonaws.com\"\nprofile = \"dev\"\n\n[[registry]]\nmatch = \"{REGISTRY}\"\nprofile = \"dev\"\n"
    );
    for hidden in [["--profile", "prod"], ["--role-arn", "arn:aws:iam::123456789012:role/pull"]] {
        let home = Home::with(b"{}");
        home.aws_profile("prod");
        fs::create_dir_all(home.path(".config/ecr-login")).unwrap();
        fs::write(home.settings(), &before).unwrap();
        let line = home.refused(&["--registry", REGISTRY, hidden[0], hidden[1]]);
        assert!(line.contains(&format!("an earlier entry matches {REGISTRY}")), "{line}");
        assert_eq!(fs::read_to_string(home.settings()).unwrap(), before);
        assert_eq!(home.read(), "{}");
    }
}

#[test]
fn a_role_for_any_account_and_region_is_taken_as_it_is_written() {
    let home = Home::with(b"{}");
    let role = "arn:aws:iam::{account}:role/pull-{region}";
    home.done(&["--registry", REGISTRY, "--role-arn", role]);
    assert!(fs::read_to_string(home.settings()).unwrap().contains(&format!("role_arn = \"{role}\"")));
}

#[test]
fn a_broken_settings_file_stops_setup_before_anything_is_written() {
    let home = Home::with(b"{}");
    fs::create_dir_all(home.path(".config/ecr-login")).unwrap();
    home.aws_profile("prod");
    fs::write(home.settings(), "timeout = \"never\"\n").unwrap();
    let line = home.refused(&["--registry", REGISTRY, "--profile", "prod"]);
    assert!(line.contains("config.toml:1"), "{line}");
    assert_eq!(home.read(), "{}");
    assert_eq!(home.names(), ["config.json"]);
}

#[test]
fn without_names_every_account_of_the_aws_profiles_is_found() {
    let home = Home::with(b"{\"credHelpers\":{\"333333333333.dkr.ecr.eu-west-1.amazonaws.com\":\"other\"}}");
    fs::create_dir(home.path(".aws")).unwrap();
    let config = "[default]\nregion = eu-west-1\n\
                  [profile sso]\nsso_account_id = 111111111111\nregion = us-west-2\n\
                  [profile base]\nregion = eu-central-1\n\
                  [profile role]\nrole_arn = arn:aws:iam::222222222222:role/x\nsource_profile = base\n\
                  [profile kept]\nsso_account_id = 333333333333\n\
                  [profile china]\nsso_account_id = 444444444444\nregion = cn-north-1\n\
                  [profile odd]\nsso_account_id = 12\nrole_arn = nonsense\n";
    fs::write(home.path(".aws/config"), config).unwrap();
    // A docker that has images, and one that never answers as podman: neither may hold setup up.
    fs::create_dir(home.path("bin")).unwrap();
    #[cfg(unix)]
    for (client, script) in [
        ("docker", format!("#!/bin/sh\necho '<none>'\necho {OTHER}/app\necho ghcr.io/x/y\n")),
        ("podman", "#!/bin/sh\nexec /bin/sleep 600\n".to_owned()),
    ] {
        use std::os::unix::fs::PermissionsExt as _;
        fs::write(home.path("bin").join(client), script).unwrap();
        fs::set_permissions(home.path("bin").join(client), fs::Permissions::from_mode(0o755)).unwrap();
    }
    let said = home.done(&[]);
    let config: serde_json::Value = serde_json::from_str(&home.read()).unwrap();
    let mut hosts: Vec<&str> = config["credHelpers"]
        .as_object()
        .unwrap()
        .iter()
        .filter(|(_, helper)| *helper == "ecr-login")
        .map(|(host, _)| host.as_str())
        .collect();
    hosts.sort_unstable();
    let mut expected = vec![
        "111111111111.dkr.ecr.us-west-2.amazonaws.com",
        "222222222222.dkr.ecr.eu-central-1.amazonaws.com",
        "444444444444.dkr.ecr.cn-north-1.amazonaws.com.cn",
    ];
    if cfg!(unix) {
        expected.insert(2, OTHER);
    }
    expected.sort_unstable();
    assert_eq!(hosts, expected);
    assert!(said.contains("left to other"), "{said}");
}

#[cfg(unix)]
#[test]
fn aws_files_that_are_pipes_or_endless_name_no_registry_and_block_no_call() {
    for (config, credentials) in [("pipe", "/dev/null"), ("/dev/null", "pipe"), ("/dev/zero", "/dev/null")] {
        let home = Home::with(b"{}");
        let pipe = home.path("pipe");
        rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::from_raw_mode(0o600)).unwrap();
        let mut command = home.command(&[]);
        command.env("AWS_CONFIG_FILE", config).env("AWS_SHARED_CREDENTIALS_FILE", credentials);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let outcome = Running::start(command, b"").killed_after(Duration::from_secs(20));
        assert_eq!(outcome.code, Some(1), "{config}, {credentials}: {outcome:?}");
        assert!(outcome.line().contains("no registry was found"), "{outcome:?}");
    }
}

#[test]
fn without_names_and_without_anything_found_the_remedy_is_reported() {
    let home = Home::with(b"{}");
    let line = home.refused(&[]);
    assert!(line.contains("--registry"), "{line}");
    assert_eq!(home.read(), "{}");
}

#[test]
fn undo_of_one_registry_leaves_the_others_and_what_people_wrote_since() {
    let home = Home::with(b"{\n\t\"auths\": {}\n}\n");
    home.done(&["--registry", REGISTRY, "--registry", OTHER]);
    home.done(&["--undo", "--registry", OTHER]);
    let one = format!("{{\n\t\"auths\": {{}},\n\t\"credHelpers\": {{\n\t\t\"{REGISTRY}\": \"ecr-login\"\n\t}}\n}}\n");
    assert_eq!(home.read(), one);
    fs::write(home.config(), one.replace("\"auths\": {}", "\"auths\": {\"ghcr.io\": {}}")).unwrap();
    home.done(&["--undo"]);
    assert_eq!(home.read(), "{\n\t\"auths\": {\"ghcr.io\": {}}\n}\n");
    assert!(home.path(".docker/config.json.before-ecr-login").exists());
}

#[test]
fn undo_gives_a_registry_back_to_the_helper_it_had() {
    let before = format!("{{\"credHelpers\":{{\"{REGISTRY}\":\"other\",\"a.io\":\"b\"}}}}");
    let home = Home::with(before.as_bytes());
    home.done(&["--registry", REGISTRY]);
    assert_eq!(home.read(), before.replace("other", "ecr-login"));
    home.done(&["--undo"]);
    assert_eq!(home.read(), before);
}

#[test]
fn docker_config_and_file_name_another_place() {
    let home = Home::new();
    let mut command = home.command(&["--registry", REGISTRY]);
    command.env("DOCKER_CONFIG", home.path("elsewhere"));
    assert!(command.output().unwrap().status.success());
    assert!(home.path("elsewhere/config.json").exists());
    home.done(&["--registry", REGISTRY, "--file", "here.json"]);
    assert!(Path::new(&home.path("here.json")).exists());
    assert!(!home.config().exists());
}

#[test]
fn a_profile_is_written_for_the_named_registries_never_for_all_that_are_found() {
    let home = Home::with(b"{}");
    for arguments in
        [&["--profile", "prod"][..], &["--store", "--profile", "prod"], &["--store", "--registry", REGISTRY]]
    {
        let output = home.run(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
    }
    assert_eq!(home.read(), "{}");
    assert!(!home.settings().exists());
}

#[test]
fn a_broken_settings_file_does_not_keep_the_clients_file_from_being_given_back() {
    let home = Home::with(b"{\"auths\":{}}");
    home.done(&["--registry", REGISTRY]);
    fs::create_dir_all(home.path(".config/ecr-login")).unwrap();
    fs::write(home.settings(), "broken").unwrap();
    let said = home.done(&["--undo"]);
    assert!(said.contains("left as it is"), "{said}");
    assert_eq!(home.read(), "{\"auths\":{}}");
    assert_eq!(fs::read_to_string(home.settings()).unwrap(), "broken");
}
