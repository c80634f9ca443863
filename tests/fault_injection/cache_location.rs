//! Where the cache is, and that no place for it fails no call. Each test that needs another user, a full disk or
//! a root of its own is skipped, and says so, where it cannot have one.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::support::cache::{is_root, names};
use crate::support::{FakeAws, Helper, Outcome, REGISTRY, Running, Service, copy_binary};

/// A user that no passwd file knows.
const NOBODY_KNOWS: &str = "54321";

/// Whether namespaces of our own can be had.
fn can_unshare(test: &str) -> bool {
    let can = is_root()
        && Command::new("unshare")
            .args(["-m", "true"])
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success());
    if !can {
        println!("skipped: {test}: no mount namespace to be had (root and unshare are needed)");
        assert!(!is_root() || std::env::var_os("CI").is_none_or(|ci| ci.is_empty()), "CI has them");
    }
    can
}

/// A fake AWS, a directory that anybody may enter, and a copy of the binary in it.
struct Place {
    aws: FakeAws,
    helper: Helper,
    directory: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let aws = FakeAws::start();
        let helper = Helper::new().aws(&aws).keys("AKIAEXAMPLE").without("HOME").without("AWS_CA_BUNDLE");
        let directory = tempfile::tempdir().unwrap();
        std::fs::set_permissions(directory.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        copy_binary(&directory.path().join("helper"));
        Self { aws, helper, directory }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn directory(&self, name: &str, owner: &str, mode: u32) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir(&path).unwrap();
        std::os::unix::fs::chown(&path, Some(owner.parse().unwrap()), None).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        path
    }

    /// Runs `script` as root in a mount namespace of its own, where `/run` is empty; it finds the binary in `$HELPER`.
    fn run(&self, script: &str, variables: &[(&str, &Path)]) -> Outcome {
        let script = format!("mount -t tmpfs tmpfs /run; {script}");
        let mut command = Command::new(crate::support::on_our_path("unshare"));
        command.args(["-m", "/bin/sh", "-ec", &script]).env_clear();
        let ours = self.helper.command(Vec::<String>::new());
        command.envs(ours.get_envs().filter_map(|(key, value)| Some((key, value?))));
        command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("HELPER", self.path("helper"));
        command.envs(variables.iter().map(|(key, value)| (key, value))).current_dir(self.directory.path());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Running::start(command, REGISTRY.as_bytes()).wait()
    }

    fn as_nobody(&self, action: &str, variables: &[(&str, &Path)]) -> Outcome {
        let nobody = format!("setpriv --reuid {NOBODY_KNOWS} --regid {NOBODY_KNOWS} --clear-groups");
        self.run(&format!("exec {nobody} \"$HELPER\" {action}"), variables)
    }

    fn get_as_nobody(&self, variables: &[(&str, &Path)]) -> Outcome {
        self.as_nobody("get", variables)
    }
}

#[test]
fn without_home_and_passwd_entry_the_runtime_directory_holds_the_cache() {
    if !can_unshare("XDG_RUNTIME_DIR") {
        return;
    }
    let place = Place::new();
    let runtime = place.directory("runtime", NOBODY_KNOWS, 0o700);
    for _ in 0..2 {
        place.get_as_nobody(&[("XDG_RUNTIME_DIR", &runtime)]).token();
    }
    assert_eq!(place.aws.calls(Service::Ecr), 1);
    assert!(!names(&runtime.join("ecr-login")).is_empty());
}

#[test]
fn what_was_kept_elsewhere_since_home_could_not_be_opened_is_listed_and_forgotten() {
    if !can_unshare("a cache directory of root's") {
        return;
    }
    let place = Place::new();
    let home = place.directory("home", NOBODY_KNOWS, 0o700);
    let closed = place.directory("home/.cache", "0", 0o700);
    let runtime = place.directory("runtime", NOBODY_KNOWS, 0o700);
    let variables = [("HOME", &*home), ("XDG_RUNTIME_DIR", &*runtime)];
    for (number, action) in ["erase", "clear"].into_iter().enumerate() {
        for _ in 0..2 {
            place.as_nobody("get", &variables).token();
        }
        assert_eq!(place.aws.calls(Service::Ecr), number + 1);
        let list = place.as_nobody("list", &variables);
        assert!(list.stdout.contains(REGISTRY) && list.line().contains(closed.to_str().unwrap()), "{list:?}");
        // Whether something is left there nobody can say.
        let forgotten = place.as_nobody(action, &variables);
        assert!(forgotten.code == Some(1) && forgotten.line().contains(closed.to_str().unwrap()), "{forgotten:?}");
    }
    place.as_nobody("get", &variables).token();
    assert_eq!(place.aws.calls(Service::Ecr), 3);
    let doctor = place.as_nobody(&format!("doctor {REGISTRY}"), &[("HOME", &*home)]).stdout;
    assert!(doctor.contains("cannot be read") && doctor.contains(closed.to_str().unwrap()), "{doctor}");
    // Once home can be opened, what is elsewhere is forgotten with what is there.
    std::fs::remove_dir(closed).unwrap();
    place.as_nobody("get", &variables).token();
    assert_eq!(place.as_nobody("clear", &variables).code, Some(0));
    assert!(!names(&runtime.join("ecr-login")).iter().any(|name| name.ends_with(REGISTRY)));
}

#[test]
fn without_home_the_named_cache_directory_holds_the_cache_if_it_is_ours() {
    if !can_unshare("XDG_CACHE_HOME") {
        return;
    }
    let place = Place::new();
    let named = place.directory("named", NOBODY_KNOWS, 0o700);
    for _ in 0..2 {
        place.get_as_nobody(&[("XDG_CACHE_HOME", &named)]).token();
    }
    assert_eq!(place.aws.calls(Service::Ecr), 1);
    assert!(!names(&named.join("ecr-login")).is_empty());
    // A directory of somebody else's, and a path that is none, are passed over.
    let foreign = place.directory("foreign", "12345", 0o777);
    place.get_as_nobody(&[("XDG_CACHE_HOME", &foreign)]).token();
    place.get_as_nobody(&[("XDG_CACHE_HOME", Path::new("relative"))]).token();
    assert_eq!(place.aws.calls(Service::Ecr), 3);
    assert!(names(&foreign).is_empty() && !place.path("relative").exists());
}

#[test]
fn without_any_place_the_token_is_delivered_in_silence() {
    if !can_unshare("no place at all") {
        return;
    }
    let place = Place::new();
    for _ in 0..2 {
        place.get_as_nobody(&[]).token();
    }
    assert_eq!(place.aws.calls(Service::Ecr), 2);
}

#[test]
fn a_home_of_another_user_holds_no_cache_of_ours() {
    if !can_unshare("a HOME of another owner") {
        return;
    }
    let place = Place::new();
    let home = place.directory("home", "12345", 0o755);
    let root = place.directory("root", "0", 0o700);
    // The home directory by the passwd file, for root: /root.
    let script = "mount --bind \"$ROOT\" /root; exec \"$HELPER\" get";
    for _ in 0..2 {
        place.run(script, &[("HOME", &home), ("ROOT", &root)]).token();
    }
    assert!(names(&home).is_empty());
    assert!(!names(&root.join(".cache/ecr-login")).is_empty());
    assert_eq!(place.aws.calls(Service::Ecr), 1);
    // A unit without HOME finds what root's shell has left there.
    place.run(script, &[("ROOT", &root)]).token();
    assert_eq!(place.aws.calls(Service::Ecr), 1);
}

#[test]
fn root_without_a_home_that_can_be_written_uses_run() {
    if !can_unshare("/run/ecr-login") {
        return;
    }
    let place = Place::new();
    let run = place.directory("run", "0", 0o755);
    let root = place.directory("root", "0", 0o700);
    let script = "mount --bind \"$ROOT\" /root; mount -o remount,ro,bind /root; mount --bind \"$RUN\" /run; \
                  exec \"$HELPER\" get";
    for _ in 0..2 {
        place.run(script, &[("RUN", &run), ("ROOT", &root)]).token();
    }
    assert!(!names(&run.join("ecr-login")).is_empty());
    assert_eq!(place.aws.calls(Service::Ecr), 1);
}

#[test]
fn on_a_disk_that_is_full_or_read_only_the_token_is_delivered_in_silence() {
    if !can_unshare("a full disk") {
        return;
    }
    let place = Place::new();
    let disk = place.directory("disk", "0", 0o755);
    let full = "mount -t tmpfs -o size=16k,nr_inodes=8 tmpfs \"$AWS_ECR_CACHE_DIR\"; \
                dd if=/dev/zero of=\"$AWS_ECR_CACHE_DIR/full\" bs=4k 2>/dev/null || true; exec \"$HELPER\" get";
    let no_inodes = "mount -t tmpfs -o nr_inodes=1 tmpfs \"$AWS_ECR_CACHE_DIR\"; exec \"$HELPER\" get";
    let read_only = "mount -t tmpfs -o ro tmpfs \"$AWS_ECR_CACHE_DIR\"; exec \"$HELPER\" get";
    for (number, script) in [full, no_inodes, read_only].into_iter().enumerate() {
        place.run(script, &[("AWS_ECR_CACHE_DIR", &disk)]).token();
        assert_eq!(place.aws.calls(Service::Ecr), number + 1);
    }
}

#[test]
fn a_full_disk_leaves_no_half_file_and_a_token_that_was_to_be_replaced_is_forgotten() {
    if !can_unshare("a disk that fills up") {
        return;
    }
    let place = Place::new();
    let disk = place.directory("disk", "0", 0o755);
    let script = "mount -t tmpfs -o size=64k tmpfs \"$AWS_ECR_CACHE_DIR\"; \
                  \"$HELPER\" get </dev/stdin >/dev/null; \
                  dd if=/dev/zero of=\"$AWS_ECR_CACHE_DIR/full\" bs=4k 2>/dev/null || true; \
                  echo \"$REGISTRY\" | ECR_LOGIN_REFRESH=1 \"$HELPER\" get >/dev/null; \
                  ls \"$AWS_ECR_CACHE_DIR/ecr-login\" | grep tmp >&2 || true; \
                  echo \"$REGISTRY\" | exec \"$HELPER\" get";
    place.run(script, &[("AWS_ECR_CACHE_DIR", &disk), ("REGISTRY", Path::new(REGISTRY))]).token();
    // The first, the one that could not be kept, and the last, which finds nothing kept.
    assert_eq!(place.aws.calls(Service::Ecr), 3);
}
