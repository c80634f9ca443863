//! A unit without HOME and root's shell have one cache, so that what `warm` fetched serves the kubelet.

use std::process::{Command, Stdio};

use crate::support::kubelet::{self, V1};
use crate::support::{FakeAws, Helper, REGISTRY, Running, Service, copy_binary};

/// Runs the binary with `home` in the place of root's home, as a mount of its own that ends with it, and with an empty `/run`.
/// The binary is a copy: the one that was built may lie under root's home.
fn in_root_s_home(helper: &Helper, arguments: &[&str]) -> Command {
    let script = "mount --bind \"$1\" /root && mount -t tmpfs tmpfs /run && shift && cd / && exec \"$@\"";
    let home = helper.home().join("root");
    let copy = helper.home().join("docker-credential-ecr-login");
    std::fs::create_dir_all(&home).unwrap();
    if !copy.exists() {
        copy_binary(&copy);
    }
    let plain = helper.command(arguments);
    let mut command = Command::new(crate::support::on_our_path("unshare"));
    command.args(["--mount", "--propagation", "private", "--", "sh", "-c", script, "-"]).arg(home).arg(copy);
    command.args(plain.get_args()).env_clear();
    command.envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

#[test]
fn what_warm_fetched_in_root_s_shell_serves_a_kubelet_without_home() {
    let is_root = rustix::process::geteuid().is_root();
    let passwd = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let at_root = passwd.lines().any(|line| line.starts_with("root:") && line.split(':').nth(5) == Some("/root"));
    let may_mount = Command::new("unshare").args(["--mount", "true"]).status().is_ok_and(|status| status.success());
    if !(is_root && at_root && may_mount) {
        eprintln!("skipped: needs root with the home /root, and unshare(1)");
        return;
    }
    let aws = FakeAws::start();
    let helper = Helper::new().aws(&aws).keys("AKIANODE").env("HOME", "/root");
    let warmed = Running::start(in_root_s_home(&helper, &["warm", REGISTRY]), b"").wait();
    assert_eq!((warmed.code, warmed.stderr.as_str()), (Some(0), ""), "{warmed:?}");
    assert!(helper.home().join("root/.cache/ecr-login").is_dir(), "the cache is in root's home");

    let helper = helper.without("HOME");
    let request = kubelet::request(V1, &format!("{REGISTRY}/app"));
    let asked = Running::start(in_root_s_home(&helper, &["kubelet"]), request.as_bytes()).wait();
    assert_eq!(kubelet::Outcome::from(asked).response().auth.len(), 1);
    assert_eq!(aws.calls(Service::Ecr), 1);
}
