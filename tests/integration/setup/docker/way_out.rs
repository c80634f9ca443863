//! What keeps a setup from working, and what to do then.

use std::fs;

use super::REGISTRY;
use super::home::Home;

#[cfg(unix)]
#[test]
fn another_program_of_the_name_that_comes_first_on_path_is_reported() {
    use std::os::unix::fs::PermissionsExt as _;
    let home = Home::with(b"{}");
    home.aws_profile("default");
    fs::create_dir(home.path("bin")).unwrap();
    let other = home.path("bin/docker-credential-ecr-login");
    fs::write(&other, "#!/bin/sh\nexit 1\n").unwrap();
    fs::set_permissions(&other, fs::Permissions::from_mode(0o755)).unwrap();
    let output = home.run(&[REGISTRY]);
    assert!(output.status.success());
    let line = String::from_utf8(output.stderr).unwrap();
    assert!(line.contains(&format!("docker would run {}", other.display())), "{line}");
    assert!(line.contains("comes first on PATH and is another program of this name"), "{line}");
    assert!(!String::from_utf8(output.stdout).unwrap().contains("Next:"));

    fs::remove_file(&other).unwrap();
    home.install();
    assert!(home.run(&[REGISTRY]).stderr.is_empty(), "a copy or a link of this program is this program");
}

#[test]
fn a_mistyped_file_makes_no_directories() {
    let home = Home::new();
    let file = home.path("no/such/folder/config.json");
    let line = home.refused(&[REGISTRY, "--file", file.to_str().unwrap()]);
    assert!(line.contains(&format!("there is no folder {}", file.parent().unwrap().display())), "{line}");
    assert!(!home.path("no").exists());
}

#[cfg(unix)]
#[test]
fn without_the_right_to_write_the_remedies_are_named() {
    use std::os::unix::fs::PermissionsExt as _;
    use std::os::unix::process::CommandExt as _;
    let home = Home::with(b"{}");
    let folder = home.path(".docker");
    fs::set_permissions(home.directory(), fs::Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o555)).unwrap();
    let program = home.path("helper");
    crate::support::copy_binary(&program);
    let mut command = std::process::Command::new(&program);
    command.args(["setup", "docker", REGISTRY]).env_clear().env("HOME", home.directory());
    command.env("AWS_EC2_METADATA_DISABLED", "true");
    if rustix::process::geteuid().is_root() {
        // Rights do not keep root from writing.
        std::os::unix::fs::chown(home.config(), Some(54321), Some(54321)).unwrap();
        command.uid(54321).gid(54321);
    }
    let output = command.output().unwrap();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
    let line = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{line}");
    for way in ["cannot be written: Permission denied", "sudo chown -R", "DOCKER_CONFIG", "--file"] {
        assert!(line.contains(way), "{way}: {line}");
    }
    assert_eq!(line.lines().count(), 1, "{line}");
}

/// As where the variable of a job's script is not set, in an image that names a settings file which setup is to make.
#[test]
fn an_empty_name_is_reported_as_that() {
    let home = Home::new();
    let mut command = home.command(&["--registry", "", "--role-arn", "arn:aws:iam::123456789012:role/pull"]);
    let output = command.env("ECR_LOGIN_CONFIG", home.path("ecr/config.toml")).output().unwrap();
    let line = String::from_utf8(output.stderr).unwrap();
    assert!(line.contains("setup docker: the registry's name is empty: if a variable"), "{line}");
}

/// As in a job's image whose user has no home.
#[cfg(unix)]
#[test]
fn without_a_home_that_may_be_written_three_variables_are_enough() {
    use std::os::unix::fs::PermissionsExt as _;
    use std::os::unix::process::CommandExt as _;
    let home = Home::new();
    fs::create_dir_all(home.path("bin")).unwrap();
    fs::create_dir(home.path("job")).unwrap();
    home.install();
    fs::set_permissions(home.path("job"), fs::Permissions::from_mode(0o1777)).unwrap();
    fs::set_permissions(home.directory(), fs::Permissions::from_mode(0o555)).unwrap();
    let run = |variables: &[(&str, &str)]| {
        let mut command = std::process::Command::new(home.path("bin/docker-credential-ecr-login"));
        command.args(["setup", "docker", REGISTRY, "--role-arn", "arn:aws:iam::123456789012:role/pull"]);
        command.args(["--web-identity", "env:TOKEN"]).env_clear().env("HOME", home.directory());
        command.env("PATH", home.path("bin")).env("AWS_EC2_METADATA_DISABLED", "true");
        command.envs(variables.iter().map(|(name, value)| (*name, home.path(value))));
        if rustix::process::geteuid().is_root() {
            command.uid(65532).gid(65532);
        }
        let output = command.output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (docker, settings) = (("DOCKER_CONFIG", "job/docker"), ("ECR_LOGIN_CONFIG", "job/ecr/config.toml"));
    let (code, line) = run(&[]);
    assert!(code == Some(1) && line.contains("set ECR_LOGIN_CONFIG") && !line.contains("chown"), "{line}");
    let (code, line) = run(&[settings]);
    assert!(code == Some(1) && line.contains("set DOCKER_CONFIG") && !line.contains("chown"), "{line}");
    assert_eq!(run(&[docker, settings]), (Some(0), String::new()));
    assert!(home.path("job/docker/config.json").exists() || rustix::process::geteuid().is_root());
    fs::set_permissions(home.directory(), fs::Permissions::from_mode(0o755)).unwrap();
    assert!(fs::read_to_string(home.path("job/ecr/config.toml")).unwrap().contains("env:TOKEN"));
}
