//! `setup podman`: the auth.json that podman, buildah and skopeo read and that outlives a reboot.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

const REGISTRY: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";

fn run(home: &Path, arguments: &[&str], variables: &[(&str, &Path)]) -> Output {
    let mut command = Command::new(crate::support::binary());
    command.args(["setup", "podman"]).args(arguments).env_clear().envs(crate::support::home_variables(home));
    command.env("AWS_EC2_METADATA_DISABLED", "true").envs(variables.iter().copied()).output().unwrap()
}

#[test]
fn the_file_of_the_configuration_directory_is_edited_and_given_back() {
    let home = crate::support::empty_home();
    let file = home.path().join(".config/containers/auth.json");
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    let before = "{\n\t\"auths\": {\n\t\t\"quay.io\": {\n\t\t\t\"auth\": \"dTpw\"\n\t\t}\n\t}\n}";
    fs::write(&file, before).unwrap();
    let output = run(home.path(), &["--registry", REGISTRY], &[]);
    assert!(output.status.success());
    let ours = format!(",\n\t\"credHelpers\": {{\n\t\t\"{REGISTRY}\": \"ecr-login\"\n\t}}\n}}");
    assert_eq!(fs::read_to_string(&file).unwrap(), format!("{}{ours}", before.strip_suffix("\n}").unwrap()));
    assert!(!home.path().join(".docker").exists());
    assert!(run(home.path(), &["--undo"], &[]).status.success());
    assert_eq!(fs::read_to_string(&file).unwrap(), before);
}

#[test]
fn a_file_on_a_disk_that_a_reboot_empties_is_not_the_one() {
    let home = crate::support::empty_home();
    let runtime = home.path().join("run");
    fs::create_dir(&runtime).unwrap();
    assert!(run(home.path(), &["--registry", REGISTRY], &[("XDG_RUNTIME_DIR", &runtime)]).status.success());
    assert!(home.path().join(".config/containers/auth.json").exists());
    assert_eq!(fs::read_dir(&runtime).unwrap().count(), 0);
}

#[test]
fn registry_auth_file_and_xdg_config_home_are_honoured() {
    for (variable, value, file) in
        [("REGISTRY_AUTH_FILE", "a/auth.json", "a/auth.json"), ("XDG_CONFIG_HOME", "x", "x/containers/auth.json")]
    {
        let home = crate::support::empty_home();
        let output = run(home.path(), &["--registry", REGISTRY], &[(variable, &home.path().join(value))]);
        assert!(output.status.success(), "{variable}");
        assert!(fs::read_to_string(home.path().join(file)).unwrap().contains(REGISTRY), "{variable}");
        assert!(!home.path().join(".config/containers").exists(), "{variable}");
    }
}

#[test]
fn store_is_dockers_alone() {
    let home = crate::support::empty_home();
    assert_eq!(run(home.path(), &["--store"], &[]).status.code(), Some(2));
}

#[test]
fn what_dockers_file_names_already_is_reported_and_not_set_up_twice() {
    const OTHER: &str = "210987654321.dkr.ecr.us-east-1.amazonaws.com";
    let home = crate::support::empty_home();
    let docker = home.path().join(".docker").join("config.json");
    fs::create_dir_all(docker.parent().unwrap()).unwrap();
    fs::write(&docker, format!("{{\"credHelpers\":{{\"{REGISTRY}\":\"ecr-login\"}}}}")).unwrap();
    let file = home.path().join(".config/containers/auth.json");
    let said = |arguments: &[&str]| {
        let output = run(home.path(), arguments, &[("XDG_RUNTIME_DIR", &home.path().join("run"))]);
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let first = said(&[REGISTRY]);
    let already = format!("podman reads {} too, which names ecr-login for {REGISTRY} already", docker.display());
    assert!(first.contains(&already) && first.contains("nothing to do, it is not needed"), "{first}");
    assert!(!file.exists());
    said(&[REGISTRY, OTHER]);
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.contains(OTHER) && !text.contains(REGISTRY), "{text}");
    // A login in a file of podman's own comes before docker's file.
    fs::write(&file, format!("{{\"auths\":{{\"{REGISTRY}\":{{\"auth\":\"eA==\"}}}}}}")).unwrap();
    assert!(!said(&[REGISTRY]).contains("already"));
    assert!(fs::read_to_string(&file).unwrap().contains(&format!("\"{REGISTRY}\":\"ecr-login\"")));
}
