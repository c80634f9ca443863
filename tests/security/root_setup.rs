//! What root's `setup` does where another user prepared the ground: links, owners, modes and folders that are not root's.

use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};

use crate::support::{REGISTRY, Running};
use crate::users::{ATTACKER, Ground, VICTIM, belongs, can_switch, link};

const LOGINS: &str = "{\"auths\":{\"ghcr.io\":{\"auth\":\"TUFSS0VE\"}}}\n";

fn root(ground: &Ground, script: &str) -> crate::support::Outcome {
    Running::start(ground.command(0, script, &[]), b"").wait()
}

fn docker(ground: &Ground, more: &str) -> crate::support::Outcome {
    root(ground, &format!("exec \"$HELPER\" setup docker {more}"))
}

/// The victim's file as `setup` by root has left it, with its copy.
fn set_up(mode: u32) -> (Ground, PathBuf, PathBuf) {
    let ground = Ground::new();
    let folder = ground.directory("home/.docker", VICTIM, 0o755);
    let file = ground.file("home/.docker/config.json", LOGINS, VICTIM, mode);
    let run = docker(&ground, &format!("--registry {REGISTRY}"));
    assert_eq!(run.code, Some(0), "{run:?}");
    (ground, file, folder.join("config.json.before-ecr-login"))
}

fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

#[test]
fn undo_follows_no_link_in_the_copy_s_place() {
    if !can_switch("a link in the copy's place") {
        return;
    }
    let (ground, file, copy) = set_up(0o644);
    // Root's own logins, which the victim may not read.
    let secret = ground.file("secret", LOGINS.replace("ghcr.io", "roots.example"), 0, 0o600);
    std::fs::remove_file(&copy).unwrap();
    link(&secret, &copy, VICTIM);
    let before = text(&file);
    for more in ["--undo", "--undo --dry-run"] {
        let run = docker(&ground, more);
        assert_eq!(run.code, Some(1), "{run:?}");
        assert!(run.line().contains("is a link") && run.line().contains("before-ecr-login"), "{run:?}");
        assert!(!format!("{run:?}").contains("roots.example"), "{run:?}");
        assert_eq!(text(&file), before);
    }
}

#[test]
fn undo_puts_no_content_of_one_user_into_the_file_of_another() {
    if !can_switch("a copy of another user") {
        return;
    }
    for owner in [0, ATTACKER] {
        let (ground, file, copy) = set_up(0o644);
        std::fs::remove_file(&copy).unwrap();
        std::fs::write(&copy, LOGINS.replace("ghcr.io", "others.example")).unwrap();
        belongs(&copy, owner, 0o600);
        let before = text(&file);
        let run = docker(&ground, "--undo");
        assert_eq!(run.code, Some(1), "{run:?}");
        assert!(run.line().contains("belongs to another user"), "{run:?}");
        assert_eq!(text(&file), before);
    }
}

#[test]
fn undo_gives_a_private_copy_no_open_mode() {
    if !can_switch("the mode of a copy") {
        return;
    }
    for (of_file, of_copy, after) in [(0o644, 0o600, 0o600), (0o600, 0o644, 0o600), (0o664, 0o644, 0o644)] {
        let (ground, file, copy) = set_up(of_file);
        belongs(&copy, VICTIM, of_copy);
        let run = docker(&ground, "--undo");
        assert_eq!(run.code, Some(0), "{run:?}");
        assert_eq!(text(&file), LOGINS);
        let found = file.metadata().unwrap();
        assert_eq!((found.uid(), found.mode() & 0o7777), (VICTIM, after), "{of_file:o} {of_copy:o}");
    }
}

/// A folder that is swapped for a link between the look and the rename: the victim does nothing else, as fast as he can.
#[test]
fn a_folder_that_is_swapped_leads_root_nowhere() {
    if !can_switch("a swapped folder") {
        return;
    }
    let ground = Ground::new();
    ground.directory("home/.docker", VICTIM, 0o755);
    ground.file("home/.docker/config.json", LOGINS, VICTIM, 0o644);
    // Root's folder with a file of the same name.
    let roots = ground.directory("roots", 0, 0o755);
    ground.file("roots/config.json", LOGINS.replace("ghcr.io", "roots.example"), 0, 0o600);
    let swapping =
        "cd home; while :; do mv .docker away; ln -s ../roots .docker; rm .docker; mv away .docker; done 2>/dev/null";
    let mut swapper = Running::start(ground.command(VICTIM, swapping, &[]), b"");
    // By a path that is a link at that moment root edits root's own file, as everywhere; but what is read in one folder is
    // never written in the other.
    let runs = if std::env::var_os("CI").is_some() { 200 } else { 40 };
    for number in 0..runs {
        let more = if number % 4 == 3 { "--undo".to_owned() } else { format!("--registry {REGISTRY}") };
        assert!(docker(&ground, &more).code.is_some());
    }
    swapper.kill();
    drop(swapper.wait());
    assert!(!held(&roots).contains("ghcr.io"), "the victim's content is in root's folder");
    for folder in [".docker", "away"].map(|name| ground.home().join(name)) {
        if folder.symlink_metadata().is_ok_and(|found| found.is_dir()) {
            assert!(!held(&folder).contains("roots.example"), "root's content is in the victim's folder");
        }
    }
}

/// All that the files of a folder hold.
fn held(folder: &Path) -> String {
    let entries = std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    entries.filter_map(|entry| std::fs::read_to_string(entry.path()).ok()).collect()
}

/// `setup kubelet` by root with a binary in `home/bin` of this owner and mode; what it said, and the plugin.
fn kubelet(ground: &Ground, more: &str) -> (crate::support::Outcome, PathBuf) {
    let plugins = ground.path("plugins");
    if !plugins.exists() {
        ground.directory("plugins", 0, 0o755);
    }
    let script = format!(
        "{more} exec home/bin/helper setup kubelet --config \"$PWD/kubelet.json\" --bin-dir '{}'",
        plugins.display()
    );
    (root(ground, &script), plugins.join("ecr-credential-provider"))
}

fn with_binary(folder: (u32, u32), file: (u32, u32)) -> Ground {
    let ground = Ground::new();
    belongs(&ground.home(), 0, 0o755);
    let bin = ground.directory("home/bin", 0, 0o755);
    assert!(
        std::process::Command::new("cp").arg(ground.path("helper")).arg(bin.join("helper")).status().unwrap().success()
    );
    belongs(&bin.join("helper"), file.0, file.1);
    belongs(&bin, folder.0, folder.1);
    ground
}

#[test]
fn the_kubelet_s_plugin_is_a_link_only_to_what_is_root_s_alone() {
    if !can_switch("a plugin of another user") {
        return;
    }
    let (ground, is_link) = (with_binary((0, 0o755), (0, 0o755)), |plugin: &Path| plugin.is_symlink());
    let (run, plugin) = kubelet(&ground, "");
    assert_eq!(run.code, Some(0), "{run:?}");
    assert!(is_link(&plugin), "{run:?}");
    for (folder, file) in [
        ((VICTIM, 0o755), (0, 0o755)),
        ((0, 0o755), (VICTIM, 0o755)),
        ((0, 0o777), (0, 0o755)),
        ((0, 0o755), (0, 0o777)),
    ] {
        let ground = with_binary(folder, file);
        let (run, plugin) = kubelet(&ground, "");
        assert_eq!(run.code, Some(0), "{run:?}");
        assert!(run.stdout.contains("It is a copy since "), "{run:?}");
        let found = plugin.symlink_metadata().unwrap();
        assert_eq!((found.is_file(), found.uid(), found.mode() & 0o7777), (true, 0, 0o755));
        // Whoever may write the binary changes nothing that root runs.
        std::fs::write(ground.path("home/bin/helper"), "#!/bin/sh\n").unwrap();
        assert!(std::fs::metadata(&plugin).unwrap().len() > 1_000_000);
    }
}

#[test]
fn a_plugin_folder_that_others_may_write_is_refused_with_the_way_out() {
    if !can_switch("an open plugin folder") {
        return;
    }
    for (owner, mode) in [(VICTIM, 0o755), (0, 0o777)] {
        let ground = with_binary((0, 0o755), (0, 0o755));
        ground.directory("plugins", owner, mode);
        let (run, plugin) = kubelet(&ground, "");
        assert_eq!(run.code, Some(1), "{run:?}");
        assert!(run.line().contains("--bin-dir") && run.line().contains("chown root, chmod go-w"), "{run:?}");
        assert!(plugin.symlink_metadata().is_err());
        assert!(!ground.path("kubelet.json").exists(), "nothing is changed");
    }
}

#[test]
fn the_folder_that_setup_kubelet_makes_is_open_to_all_for_reading_whatever_the_umask() {
    if !can_switch("the mode of a folder") {
        return;
    }
    for umask in ["000", "022", "077", "777"] {
        let ground = with_binary((0, 0o755), (0, 0o755));
        // The usual one alone is made: below /usr/local/bin, of which this has its own here.
        let script = format!(
            "umask {umask}; exec unshare --mount sh -c 'mount -t tmpfs -o mode=755 tmpfs /usr/local/bin && home/bin/helper setup \
             kubelet --config \"$PWD/kubelet.json\" >&2 && stat -c %a /usr/local/bin/credential-provider'"
        );
        let run = root(&ground, &script);
        assert_eq!((run.code, run.stdout.as_str()), (Some(0), "755\n"), "umask {umask}: {run:?}");
    }
}

/// What others wrote into a client's file, its name and the settings, on its way to root's terminal.
#[test]
fn what_setup_shows_of_files_of_others_drives_no_terminal() {
    if !can_switch("a hostile client file") {
        return;
    }
    let hostile = "x\u{1b}]0;owned\u{7}\u{9b}31m\u{202e}y";
    let ground = Ground::new();
    let folder = ground.directory(&format!("home/{hostile}\nforged"), VICTIM, 0o755);
    // Characters that JSON allows as they are, and others that it escapes.
    let soft = "x\u{9b}31m\u{202e}y";
    let json = format!(
        "{{\r\n\t\"{soft}\": \"{soft}\",\r\n\t\"auths\": {{\"{REGISTRY}\": {{}}}},\r\n\t\"credHelpers\": \
         {{\"{REGISTRY}\": \"x\\u001b[2J\\nforged\"}}\r\n}}\n"
    );
    let file = folder.join("config.json");
    std::fs::write(&file, json).unwrap();
    belongs(&file, VICTIM, 0o644);
    symlink(&file, ground.path("named")).unwrap();
    for more in ["--dry-run", "--dry-run --profile 'a\u{1b}[2Jb'", "", "--undo --dry-run", "--undo"] {
        let script = format!("exec \"$HELPER\" setup docker --registry {REGISTRY} --file \"$FILE\" {more}");
        let run = Running::start(ground.command(0, &script, &[("FILE", &file)]), b"").wait();
        let named = if more.contains("--profile") { "--profile a" } else { "config." };
        assert!(format!("{run:?}").contains(named), "{more}: {run:?}");
        for said in [&run.stdout, &run.stderr] {
            let bad: Vec<char> =
                said.chars().filter(|c| !"\n\t".contains(*c) && ecr_login::text::printable::misleads(*c)).collect();
            assert!(bad.is_empty(), "{more}: {bad:?} in {said:?}");
            assert!(!said.lines().any(|line| line.starts_with("forged")), "{more}: {said:?}");
        }
    }
}
