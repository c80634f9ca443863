//! Two users of the machine: the victim, who runs the binary, and the attacker. Neither is in the passwd file.

use std::ffi::{OsStr, OsString};
use std::fs::Permissions;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::support::cache::is_root;
use crate::support::{FakeAws, Helper, Outcome, REGISTRY, Running, binary, copy_binary};

pub const VICTIM: u32 = 54_321;
pub const ATTACKER: u32 = 65_534;

/// Whether commands can be run as other users.
pub fn can_switch(test: &str) -> bool {
    let can = is_root()
        && Command::new("setpriv")
            .args(["--reuid", "1", "--clear-groups", "true"])
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success());
    if !can {
        println!("skipped: {test}: commands cannot be run as another user (root and setpriv are needed)");
        assert!(!is_root() || std::env::var_os("CI").is_none_or(|ci| ci.is_empty()), "CI has them");
    }
    can
}

/// A directory that both may enter, with the binary in it and the victim's home.
pub struct Ground {
    pub aws: FakeAws,
    helper: Helper,
    directory: tempfile::TempDir,
}

impl Ground {
    /// The victim has keys in the environment.
    pub fn new() -> Self {
        let aws = FakeAws::start();
        let helper = Helper::new().aws(&aws).keys("AKIAVICTIM").without("AWS_CA_BUNDLE");
        let directory = tempfile::tempdir().unwrap();
        std::fs::set_permissions(directory.path(), Permissions::from_mode(0o755)).unwrap();
        let program = directory.path().join("helper");
        // The binary's own directory may be one that only root can enter.
        if std::fs::hard_link(binary(), &program).is_err() {
            copy_binary(&program);
        }
        let ground = Self { aws, helper, directory };
        ground.directory("home", VICTIM, 0o700);
        ground
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub fn home(&self) -> PathBuf {
        self.path("home")
    }

    /// Makes a directory.
    pub fn directory(&self, name: &str, owner: u32, mode: u32) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir(&path).unwrap();
        belongs(&path, owner, mode);
        path
    }

    /// Makes a file.
    pub fn file(&self, name: &str, text: impl AsRef<[u8]>, owner: u32, mode: u32) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, text).unwrap();
        belongs(&path, owner, mode);
        path
    }

    /// The binary as the victim runs it, with these variables beside the others; `$HELPER` is the binary.
    pub fn run(&self, script: &str, variables: &[(&str, &Path)]) -> Outcome {
        self.run_as(VICTIM, script, variables)
    }

    /// A shell script as any user.
    pub fn run_as(&self, user: u32, script: &str, variables: &[(&str, &Path)]) -> Outcome {
        Running::start(self.command(user, script, variables), REGISTRY.as_bytes()).wait()
    }

    pub fn command(&self, user: u32, script: &str, variables: &[(&str, &Path)]) -> Command {
        let user = user.to_string();
        let mut command = Command::new(crate::support::on_our_path("setpriv"));
        command.args(["--reuid", &user, "--regid", &user, "--clear-groups", "/bin/sh", "-c", script]).env_clear();
        let ours = self.helper.command(Vec::<OsString>::new());
        command.envs(ours.get_envs().filter_map(|(key, value)| Some((key, value?))));
        command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("HELPER", self.path("helper"));
        command.env("HOME", self.home()).envs(variables.iter().map(|(key, value)| (key, value)));
        command.current_dir(self.directory.path());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// The victim's `get`.
    pub fn get(&self, variables: &[(&str, &Path)]) -> Outcome {
        self.run("exec \"$HELPER\" get", variables)
    }

    /// Asserts that the attacker can read none of the secrets that ECR handed out, wherever they are.
    pub fn assert_nothing_leaked(&self, what: &str) {
        let secrets = self.aws.handed_out();
        assert!(!secrets.is_empty(), "{what}: there was no secret");
        let patterns = self.file("patterns", secrets.join("\n"), ATTACKER, 0o600);
        let script = "exec grep -rlaF -D skip -f patterns --exclude=patterns --exclude=helper . 2>/dev/null";
        let found = self.run_as(ATTACKER, script, &[]);
        std::fs::remove_file(patterns).unwrap();
        assert_eq!(found.stdout, "", "{what}: the attacker reads a secret");
    }
}

/// Gives a file its owner and mode.
pub fn belongs(path: &Path, owner: u32, mode: u32) {
    chown(path, Some(owner), Some(owner)).unwrap();
    std::fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// Gives a link to another owner.
pub fn link(to: impl AsRef<OsStr>, at: &Path, owner: u32) {
    std::os::unix::fs::symlink(to.as_ref(), at).unwrap();
    std::os::unix::fs::lchown(at, Some(owner), Some(owner)).unwrap();
}

/// What a directory holds, with owners, modes and contents, to be compared.
pub fn state(directory: &Path) -> Vec<String> {
    use std::os::unix::fs::MetadataExt;
    let found = std::fs::metadata(directory).unwrap();
    let mut state = vec![format!("{} {:o}", found.uid(), found.mode())];
    for name in crate::support::cache::names(directory) {
        let path = directory.join(&name);
        let found = path.symlink_metadata().unwrap();
        let content = if found.is_file() { std::fs::read_to_string(&path).unwrap() } else { String::new() };
        state.push(format!("{name} {} {:o} {content}", found.uid(), found.mode()));
    }
    state
}
