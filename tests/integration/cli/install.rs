//! `install.sh` with a build that is there already: what it writes, and what it leaves alone.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

use crate::support::{binary, on_our_path};

const NAME: &str = "docker-credential-ecr-login";

struct Tree {
    directory: TempDir,
}

impl Tree {
    /// The script in a tree of its own, whose build prints the path of the binary under test. No compiler is needed.
    fn new() -> Self {
        let tree = Self { directory: tempfile::tempdir().unwrap() };
        let top = Path::new(env!("CARGO_MANIFEST_DIR"));
        fs::write(tree.at("Cargo.toml"), "rust-version = \"1.0\"\n").unwrap();
        fs::copy(top.join("install.sh"), tree.at("install.sh")).unwrap();
        tree.program("scripts/build-release.sh", &format!("echo '{}'", binary().display()));
        tree.program("tools/rustc", "echo 'rustc 9.9.9'");
        tree.program("tools/cargo", "exit 1");
        tree.program("tools/cc", "exit 1");
        tree
    }

    fn at(&self, path: &str) -> PathBuf {
        self.directory.path().join(path)
    }

    fn program(&self, path: &str, text: &str) {
        let path = self.at(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn install(&self) -> Output {
        self.run(&[], &format!("{}:/usr/bin:/bin", self.at("tools").display()))
    }

    /// With the programs that it needs alone: the machine may have a helper of its own.
    fn uninstall(&self) -> Output {
        for name in ["dirname", "grep", "id", "rm", "sed", "uname"] {
            let _ = symlink(on_our_path(name), self.at("tools").join(name));
        }
        self.run(&["--uninstall"], self.at("tools").to_str().unwrap())
    }

    fn run(&self, options: &[&str], path: &str) -> Output {
        let mut command = Command::new("/bin/sh");
        command.arg(self.at("install.sh")).arg("--prefix").arg(self.at("prefix")).args(options);
        command.env_clear().env("PATH", path).env("HOME", self.directory.path()).output().unwrap()
    }

    /// Names in the folder of the binary.
    fn beside(&self) -> Vec<String> {
        let names = fs::read_dir(self.at("prefix/bin")).unwrap();
        names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }
}

fn assert_installed(tree: &Tree, output: &Output) {
    assert!(output.status.success(), "{output:?}");
    let installed = fs::symlink_metadata(tree.at("prefix/bin").join(NAME)).unwrap();
    assert!(installed.is_file());
    assert_eq!(installed.permissions().mode() & 0o7777, 0o755);
    assert!(fs::read_to_string(tree.at("prefix/share/man/man1").join(format!("{NAME}.1"))).unwrap().starts_with(".ie"));
}

#[test]
fn what_is_installed_is_the_program_its_page_and_its_completions_and_nothing_is_left_over() {
    let tree = Tree::new();
    for _ in 0..2 {
        let output = tree.install();
        assert_installed(&tree, &output);
        assert_eq!(tree.beside(), [NAME]);
    }
}

/// A folder that others may write, as /usr/local/bin is the group staff's on Debian: a link under a name that the script
/// is known to write leads it nowhere.
#[test]
fn a_link_that_was_put_in_its_way_is_not_written_through() {
    let tree = Tree::new();
    fs::create_dir_all(tree.at("prefix/bin")).unwrap();
    fs::write(tree.at("precious"), "precious").unwrap();
    for name in ["new", "tmp", "part"] {
        symlink(tree.at("precious"), tree.at("prefix/bin").join(format!("{NAME}.{name}"))).unwrap();
    }
    symlink(tree.at("precious"), tree.at("prefix/bin").join(NAME)).unwrap();
    let output = tree.install();
    assert_installed(&tree, &output);
    assert_eq!(fs::read_to_string(tree.at("precious")).unwrap(), "precious");
}

#[test]
fn a_link_to_a_folder_in_the_program_s_place_is_replaced_and_the_folder_stays_as_it_is() {
    let tree = Tree::new();
    fs::create_dir_all(tree.at("prefix/bin")).unwrap();
    fs::create_dir(tree.at("elsewhere")).unwrap();
    symlink(tree.at("elsewhere"), tree.at("prefix/bin").join(NAME)).unwrap();
    let output = tree.install();
    assert_installed(&tree, &output);
    assert_eq!(fs::read_dir(tree.at("elsewhere")).unwrap().count(), 0);
}

#[test]
fn uninstall_says_which_clients_still_name_the_helper_how_to_undo_that_and_what_stays() {
    let tree = Tree::new();
    assert_installed(&tree, &tree.install());
    let write = |path: &str, text: &str| {
        fs::create_dir_all(tree.at(path).parent().unwrap()).unwrap();
        fs::write(tree.at(path), text).unwrap();
    };
    let named = "{\"credHelpers\": {\"123456789012.dkr.ecr.eu-west-1.amazonaws.com\": \"ecr-login\"}}";
    write(".docker/config.json", named);
    write(".docker/config.json.before-ecr-login", "{}");
    write(".config/containers/auth.json", named);
    write(".config/ecr-login/config.toml", "");
    write(".cache/ecr-login/entry", "");
    let output = tree.uninstall();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    let said = String::from_utf8(output.stdout).unwrap();
    for line in [
        format!("removed {}\n", tree.at("prefix/bin").join(NAME).display()),
        format!("{} still names the helper, so that docker fails", tree.at(".docker/config.json").display()),
        format!("{} still names the helper, so that podman fails", tree.at(".config/containers/auth.json").display()),
        format!("    {NAME} setup docker --undo\n"),
        format!("    {NAME} setup podman --undo\n"),
        format!("{NAME} setup podman --undo REGISTRY)"),
        format!("{} is what it was before setup", tree.at(".docker/config.json.before-ecr-login").display()),
        format!("{} stays (settings)", tree.at(".config/ecr-login").display()),
        format!("{} stays (cached tokens)", tree.at(".cache/ecr-login").display()),
    ] {
        assert!(said.contains(&line), "{line}: {said}");
    }
    assert_eq!(fs::read_to_string(tree.at(".docker/config.json")).unwrap(), named);

    // With nothing left there is nothing to say, and where another one is installed clients go on.
    for folder in [".docker", ".config", ".cache"] {
        fs::remove_dir_all(tree.at(folder)).unwrap();
    }
    let said = String::from_utf8(tree.uninstall().stdout).unwrap();
    assert!(said.starts_with(&format!("nothing is installed under {}\n", tree.at("prefix").display())), "{said}");
    assert!(!said.contains("still names") && !said.contains(tree.at(".cache").to_str().unwrap()), "{said}");
    write(".docker/config.json", named);
    tree.program(&format!("tools/{NAME}"), "exit 0");
    let said = String::from_utf8(tree.uninstall().stdout).unwrap();
    assert!(said.contains("is there still") && !said.contains("still names"), "{said}");
}
