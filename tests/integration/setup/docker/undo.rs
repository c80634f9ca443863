//! `--undo`: what it says went, what stays, and what it leaves behind.

use std::fs;

use super::home::Home;
use super::{OTHER, REGISTRY};

#[test]
fn undo_says_which_registries_went_and_which_stay() {
    let before = format!("{{\"credHelpers\":{{\"{OTHER}\":\"ecr-login\"}}}}");
    let home = Home::with(before.as_bytes());
    home.done(&[REGISTRY]);
    let said = home.done(&["--undo", "public.ecr.aws"]);
    assert!(said.contains("nothing that setup put in is in it"), "{said}");
    assert!(said.contains(&format!("{REGISTRY} stays with ecr-login\n")), "{said}");
    let said = home.done(&["--undo"]);
    assert!(said.contains(&format!("{REGISTRY} is not served by ecr-login any more\n")), "{said}");
    assert!(said.contains(&format!("{OTHER} stays with ecr-login\n")), "{said}");
    assert_eq!(home.read(), before);
}

#[test]
fn undo_names_its_copy_where_that_stays() {
    let home = Home::with(b"{\"auths\":{}}");
    home.done(&[REGISTRY]);
    let changed = home.read().replace("\"auths\":{}", "\"auths\":{\"ghcr.io\":{}}");
    fs::write(home.config(), &changed).unwrap();
    let copy = home.path(".docker/config.json.before-ecr-login");
    let said = home.done(&["--undo"]);
    assert!(said.contains(&format!("{}: the copy of what the file was", copy.display())), "{said}");
    assert!(copy.exists());
}

#[test]
fn undo_of_one_registry_after_the_other_removes_the_file_that_setup_made() {
    let home = Home::new();
    home.done(&[REGISTRY, OTHER]);
    let said = home.done(&["--undo", OTHER]);
    assert!(home.read().contains(REGISTRY));
    assert!(said.contains("edited, and all else in it stays") && !said.contains("is out"), "{said}");
    home.done(&["--undo", REGISTRY]);
    assert!(!home.config().exists(), "{}", home.read());
}

#[test]
fn undo_after_several_setups_removes_the_file_that_the_first_one_made() {
    let home = Home::new();
    home.done(&[REGISTRY]);
    home.done(&[OTHER]);
    let said = home.done(&["--undo"]);
    for host in [REGISTRY, OTHER] {
        assert!(said.contains(&format!("{host} is not served by ecr-login any more\n")), "{said}");
    }
    assert_eq!(home.names(), [""; 0]);
}

#[test]
fn what_was_there_before_setup_stays_however_often_it_is_undone() {
    let before = format!("{{\"credHelpers\":{{\"{OTHER}\":\"ecr-login\"}}}}");
    let home = Home::with(before.as_bytes());
    // A setup that had nothing to do, and one that had.
    home.done(&[OTHER]);
    home.done(&["--undo"]);
    assert_eq!(home.read(), before);
    home.done(&[REGISTRY]);
    home.done(&["--undo"]);
    let said = home.done(&["--undo"]);
    assert_eq!(home.read(), before);
    assert!(said.contains(&format!("{OTHER} stays with ecr-login\n")) && said.contains("--undo REGISTRY"), "{said}");
    home.done(&["--undo", OTHER]);
    assert!(!home.config().exists() || !home.read().contains(OTHER));
}

#[test]
fn undo_leaves_the_settings_that_another_client_needs() {
    let home = Home::with(b"{}");
    home.aws_profile("prod");
    home.done(&[REGISTRY, OTHER, "--profile", "prod"]);
    let podmans = home.path(".config/containers/auth.json");
    fs::create_dir_all(podmans.parent().unwrap()).unwrap();
    fs::write(&podmans, format!("{{\"credHelpers\":{{\"{REGISTRY}\":\"ecr-login\"}}}}")).unwrap();
    let said = home.done(&["--undo"]);
    assert!(said.contains(&format!("what it says of {REGISTRY} stays, as {}", podmans.display())), "{said}");
    let settings = fs::read_to_string(home.settings()).unwrap();
    assert!(settings.contains(REGISTRY) && !settings.contains(OTHER), "{settings}");
    assert_eq!(home.read(), "{}");
    fs::write(&podmans, "{}").unwrap();
    home.done(&["--undo"]);
    assert!(!home.settings().exists());
}

#[cfg(unix)]
#[test]
fn undo_says_that_podman_read_dockers_file_too() {
    use std::os::unix::fs::PermissionsExt as _;
    let home = Home::with(b"{}");
    home.done(&[REGISTRY, OTHER]);
    fs::create_dir_all(home.path("bin")).unwrap();
    fs::write(home.path("bin/podman"), "#!/bin/sh\n").unwrap();
    fs::set_permissions(home.path("bin/podman"), fs::Permissions::from_mode(0o755)).unwrap();
    let podmans = home.path(".config/containers/auth.json");
    fs::create_dir_all(podmans.parent().unwrap()).unwrap();
    fs::write(&podmans, format!("{{\"credHelpers\":{{\"{OTHER}\":\"ecr-login\"}}}}")).unwrap();
    let said = home.done(&["--undo"]);
    assert!(said.contains(&format!("podman read this file too; to keep {REGISTRY} there")), "{said}");
    assert!(!said.contains(&format!("to keep {OTHER}")), "{said}");
}
