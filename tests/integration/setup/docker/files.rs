//! Links, owners, modes, sizes, and what is no file at all.

use std::fs;
use std::process::Command;

use super::home::Home;
use super::{OTHER, REGISTRY};

#[test]
fn a_file_that_is_not_there_is_made_private_and_undo_removes_it() {
    let home = Home::new();
    home.done(&["--registry", REGISTRY]);
    assert_eq!(home.read(), format!("{{\n\t\"credHelpers\": {{\n\t\t\"{REGISTRY}\": \"ecr-login\"\n\t}}\n}}\n"));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(fs::metadata(home.config()).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(home.path(".docker")).unwrap().permissions().mode() & 0o777, 0o700);
    }
    home.done(&["--undo"]);
    assert!(!home.config().exists());
}

#[test]
fn one_megabyte_of_logins_stays_as_it_is() {
    let mut before = "{\n\t\"auths\": {".to_owned();
    for number in 0..20_000 {
        let comma = if number == 0 { "" } else { "," };
        before
            .push_str(&format!("{comma}\n\t\t\"registry-{number}.containers.example.com\": {{ \"auth\": \"dTpw\" }}"));
    }
    before.push_str("\n\t}\n}\n");
    assert!(before.len() > 1 << 20);
    let home = Home::with(before.as_bytes());
    home.done(&["--registry", REGISTRY, "--registry", OTHER]);
    let ours =
        format!(",\n\t\"credHelpers\": {{\n\t\t\"{REGISTRY}\": \"ecr-login\",\n\t\t\"{OTHER}\": \"ecr-login\"\n\t}}");
    assert_eq!(home.read(), format!("{}{ours}\n}}\n", before.trim_end_matches("\n}\n")));
    home.done(&["--undo"]);
    assert_eq!(home.read(), before);
}

#[cfg(unix)]
#[test]
fn a_link_stays_a_link_and_mode_and_owner_stay() {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
    let home = Home::new();
    fs::create_dir_all(home.path("dotfiles")).unwrap();
    fs::create_dir_all(home.path(".docker")).unwrap();
    let target = home.path("dotfiles/docker.json");
    fs::write(&target, "{}\n").unwrap();
    fs::set_permissions(&target, fs::Permissions::from_mode(0o444)).unwrap();
    let root = fs::metadata(&target).unwrap().uid() == 0;
    if root {
        std::os::unix::fs::chown(&target, Some(12345), Some(54321)).unwrap();
    }
    symlink("middle.json", home.config()).unwrap();
    symlink("../dotfiles/docker.json", home.path(".docker/middle.json")).unwrap();
    home.done(&["--registry", REGISTRY]);
    assert!(fs::symlink_metadata(home.config()).unwrap().is_symlink());
    assert!(fs::symlink_metadata(home.path(".docker/middle.json")).unwrap().is_symlink());
    let metadata = fs::symlink_metadata(&target).unwrap();
    assert!(metadata.is_file());
    assert_eq!(metadata.mode() & 0o777, 0o444);
    if root {
        assert_eq!((metadata.uid(), metadata.gid()), (12345, 54321));
    }
    assert!(fs::read_to_string(&target).unwrap().contains(REGISTRY));
    let leftovers = fs::read_dir(home.path("dotfiles")).unwrap().count();
    assert_eq!(leftovers, 1, "the copy lies beside the name that docker reads, not where a link leads");
}

#[cfg(unix)]
#[test]
fn another_users_file_and_a_directory_without_rights_are_left_alone() {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
    use std::os::unix::process::CommandExt as _;
    let home = Home::with(b"{}");
    if fs::metadata(home.config()).unwrap().uid() != 0 {
        return; // Only root can become another user.
    }
    for directory in [home.directory().to_owned(), home.path(".docker")] {
        fs::set_permissions(&directory, fs::Permissions::from_mode(0o777)).unwrap();
    }
    let program = home.path("helper");
    // By a process of its own: a file that is open for writing in a test's thread cannot be run.
    let copied = Command::new("cp").arg(crate::support::binary()).arg(&program).status();
    assert!(copied.unwrap().success());
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let as_another_user = || {
        let mut command = Command::new(&program);
        command.args(["setup", "docker", "--registry", REGISTRY]).env_clear().env("HOME", home.directory());
        command.uid(54321).gid(54321);
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8(output.stderr).unwrap()
    };
    let line = as_another_user();
    assert!(line.contains("belongs to the user with the id 0"), "{line}");
    assert_eq!(home.read(), "{}");
    fs::set_permissions(home.config(), fs::Permissions::from_mode(0o600)).unwrap();
    let line = as_another_user();
    assert!(line.contains("cannot be read: Permission denied"), "{line}");
    std::os::unix::fs::chown(home.config(), Some(54321), Some(54321)).unwrap();
    fs::set_permissions(home.path(".docker"), fs::Permissions::from_mode(0o755)).unwrap();
    let line = as_another_user();
    assert!(line.contains("cannot be written: Permission denied"), "{line}");
    assert_eq!(home.read(), "{}");
    assert_eq!(home.names(), ["config.json"]);
}

#[cfg(unix)]
#[test]
fn what_is_no_file_is_refused_at_once() {
    let home = Home::new();
    fs::create_dir_all(home.config()).unwrap();
    assert!(home.refused(&["--registry", REGISTRY]).contains("not an ordinary file"));
    fs::remove_dir(home.config()).unwrap();
    assert!(Command::new("mkfifo").arg(home.config()).status().unwrap().success());
    assert!(home.refused(&["--registry", REGISTRY]).contains("not an ordinary file"));
    fs::remove_file(home.config()).unwrap();
    std::os::unix::fs::symlink("config.json", home.config()).unwrap();
    assert!(home.refused(&["--registry", REGISTRY]).contains("round in a circle"));
}
