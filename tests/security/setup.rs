//! `setup` where somebody else could interfere: links that lead elsewhere, other names, other owners, open directories.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::support::cache::names;
use crate::support::{Outcome, REGISTRY};
use crate::users::{ATTACKER, Ground, VICTIM, belongs, can_switch, link, state};

const LOGINS: &str = "{\"auths\":{\"ghcr.io\":{\"auth\":\"TUFSS0VE\"}}}\n";

fn setup(ground: &Ground) -> Outcome {
    ground.run(&format!("exec \"$HELPER\" setup docker --registry {REGISTRY}"), &[])
}

fn is_private(path: &Path) {
    let found = path.symlink_metadata().unwrap();
    assert_eq!((found.uid(), found.mode() & 0o7777), (VICTIM, 0o600), "{}", path.display());
}

fn no_temporary_file(directory: &Path) {
    assert!(!names(directory).iter().any(|name| name.ends_with(".tmp")), "{:?}", names(directory));
}

/// The victim's `~/.docker`.
fn docker(ground: &Ground, mode: u32) -> PathBuf {
    ground.directory("home/.docker", VICTIM, mode)
}

#[test]
fn the_file_and_its_copy_are_the_owners_alone_whatever_the_umask() {
    if !can_switch("the mode of a copy") {
        return;
    }
    for umask in ["000", "022", "777"] {
        for content in [None, Some(LOGINS)] {
            let ground = Ground::new();
            let folder = docker(&ground, 0o700);
            if let Some(content) = content {
                ground.file("home/.docker/config.json", content, VICTIM, 0o600);
            }
            let script = format!("umask {umask}; exec \"$HELPER\" setup docker --registry {REGISTRY}");
            let run = ground.run(&script, &[]);
            assert_eq!(run.code, Some(0), "{run:?}");
            names(&folder).iter().for_each(|name| is_private(&folder.join(name)));
            // The copy, or the mark that there was nothing to copy.
            assert_eq!(names(&folder).len(), 2);
            no_temporary_file(&folder);
        }
    }
}

#[test]
fn a_link_that_leads_elsewhere_changes_the_file_there_and_no_other() {
    if !can_switch("a link that leads elsewhere") {
        return;
    }
    let ground = Ground::new();
    let folder = docker(&ground, 0o700);
    let dotfiles = ground.directory("home/dotfiles", VICTIM, 0o755);
    let file = ground.file("home/dotfiles/docker.json", LOGINS, VICTIM, 0o600);
    link(&file, &folder.join("config.json"), VICTIM);
    assert_eq!(setup(&ground).code, Some(0));
    assert!(folder.join("config.json").is_symlink());
    assert!(std::fs::read_to_string(&file).unwrap().contains("ecr-login"));
    is_private(&file);
    // The copy with the logins is beside the name that people know, and not in the directory that others can list.
    assert_eq!(names(&folder), ["config.json", "config.json.before-ecr-login"]);
    is_private(&folder.join("config.json.before-ecr-login"));
    assert_eq!(names(&dotfiles), ["docker.json"]);
    // To a file of another user: refused, and nothing is left behind.
    let ground = Ground::new();
    let folder = docker(&ground, 0o700);
    let his = ground.directory("his", ATTACKER, 0o777);
    let file = ground.file("his/config.json", LOGINS, ATTACKER, 0o666);
    link(&file, &folder.join("config.json"), VICTIM);
    let run = setup(&ground);
    assert_eq!(run.code, Some(1), "{run:?}");
    assert!(run.line().contains("belongs to the user with the id 65534"), "{run:?}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), LOGINS);
    assert_eq!((names(&his).len(), names(&folder).len()), (1, 1));
}

#[test]
fn another_name_of_the_file_keeps_what_it_was() {
    if !can_switch("another name of the file") {
        return;
    }
    let ground = Ground::new();
    let folder = docker(&ground, 0o700);
    let file = ground.file("home/.docker/config.json", LOGINS, VICTIM, 0o600);
    let his = ground.directory("his", ATTACKER, 0o777);
    std::fs::hard_link(&file, his.join("same")).unwrap();
    assert_eq!(setup(&ground).code, Some(0));
    assert_eq!(std::fs::read_to_string(his.join("same")).unwrap(), LOGINS);
    assert!(std::fs::read_to_string(&file).unwrap().contains("ecr-login"));
    names(&folder).iter().for_each(|name| is_private(&folder.join(name)));
}

/// Who may write the directory of a client's file decides already which program the client runs; but nothing is written
/// through what he puts in the way.
#[test]
fn in_a_directory_that_others_may_write_nothing_is_written_through_a_link_of_theirs() {
    if !can_switch("an open directory") {
        return;
    }
    let ground = Ground::new();
    belongs(&ground.home(), VICTIM, 0o755);
    let folder = docker(&ground, 0o777);
    ground.file("home/.docker/config.json", LOGINS, VICTIM, 0o600);
    let own = ground.directory("home/own", VICTIM, 0o755);
    let precious = ground.file("home/own/precious", "precious", VICTIM, 0o600);
    link(&precious, &folder.join("config.json.before-ecr-login"), ATTACKER);
    // Every number that the process could have.
    let limit: u32 = std::fs::read_to_string("/proc/sys/kernel/pid_max").unwrap().trim().parse().unwrap();
    let next: u32 =
        std::fs::read_to_string("/proc/loadavg").unwrap().trim().rsplit(' ').next().unwrap().parse().unwrap();
    for number in (next..next + 3_000).filter(|number| *number < limit) {
        link(&precious, &folder.join(format!(".config.json.{number}.tmp")), ATTACKER);
        link(&precious, &folder.join(format!(".config.json.before-ecr-login.{number}.tmp")), ATTACKER);
    }
    let before = state(&own);
    let run = setup(&ground);
    assert_eq!(run.code, Some(0), "{run:?}");
    assert_eq!(state(&own), before);
    for name in ["config.json", "config.json.before-ecr-login"] {
        is_private(&folder.join(name));
    }
    assert_ne!(ground.run_as(ATTACKER, "cat home/.docker/config.json.before-ecr-login", &[]).code, Some(0));
    assert_eq!(folder.metadata().unwrap().permissions().mode() & 0o7777, 0o777, "the directory is not ours to change");
}
