//! A HOME that is none: root's, kept by a container for another user.

use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;

use crate::support::{FakeAws, Helper, NOT_FOUND, Outcome, REGISTRY, Running, copy_binary};

/// The user that no machine gives files to.
const NOBODY: u32 = 65534;

/// Runs `get` where HOME may not be searched: as another user, if we are root.
fn get(helper: &Helper, name: &str) -> Outcome {
    let directory = tempfile::tempdir().unwrap();
    let binary = directory.path().join("docker-credential-ecr-login");
    copy_binary(&binary);
    let mode = |path: &std::path::Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    mode(directory.path(), 0o755);
    mode(helper.home(), 0o000);
    let mut command = std::process::Command::new(&binary);
    command.arg("get").env_clear().envs(helper.command(["get"]).get_envs().filter_map(|(k, v)| Some((k, v?))));
    command.current_dir("/").stdin(std::process::Stdio::piped());
    command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    if rustix::process::geteuid().is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    let outcome = Running::start(command, name.as_bytes()).wait();
    mode(helper.home(), 0o700);
    outcome
}

#[test]
fn a_home_that_cannot_be_searched_is_no_home_for_sources_that_need_none_and_foreign_names_print_nothing() {
    let aws = FakeAws::start();
    let helper = || {
        let helper = Helper::new().env("AWS_ENDPOINT_URL", aws.url()).env("AWS_ECR_DISABLE_CACHE", "1");
        helper
            .settings("[[registry]]\nmatch = \"*.example.com\"\nanonymous = true\n")
            .aws_config("[default]\nnonsense\n")
    };
    assert_eq!(get(&helper().keys("AKIANOHOME"), REGISTRY).token().key, "AKIANOHOME");
    let container = helper().env("AWS_CONTAINER_CREDENTIALS_FULL_URI", format!("{}/v1/credentials", aws.url()));
    assert_eq!(get(&container, REGISTRY).token().identity, "container");
    let instance = helper().imds(&aws);
    assert_eq!(get(&instance, REGISTRY).token().identity, "instance-node-role");
    let outcome = get(&helper(), "registry.example.com");
    assert_eq!((outcome.stdout.as_str(), outcome.stderr.as_str()), (NOT_FOUND, ""));
}
