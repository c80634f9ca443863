//! Help, man page and completions: one definition, and nothing missing from any of them.

use std::io::Write as _;
use std::process::{Command, Output, Stdio};

const COMMANDS: [&str; 8] = ["setup", "status", "doctor", "clear", "warm", "password", "completions", "man"];

fn run(arguments: &[&str]) -> Output {
    let mut command = Command::new(crate::support::binary());
    command.args(arguments).env_clear().env("AWS_EC2_METADATA_DISABLED", "true").output().unwrap()
}

fn said(arguments: &[&str]) -> String {
    let output = run(arguments);
    assert!(output.status.success(), "{arguments:?}");
    assert!(output.stderr.is_empty(), "{arguments:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn help_names_every_command_and_the_protocols_actions() {
    let help = said(&["--help"]);
    for word in COMMANDS.into_iter().chain(["get, store, erase, list", "kubelet", "get-login-password"]) {
        assert!(help.contains(word), "{word}");
    }
    for command in COMMANDS {
        assert!(said(&[command, "--help"]).contains("Usage:"), "{command}");
    }
    for client in ["docker", "podman", "kubelet"] {
        assert!(said(&["setup", client, "--help"]).contains("--dry-run"), "{client}");
    }
}

#[test]
fn a_wrong_argument_is_a_line_on_stderr_and_exit_code_2() {
    for arguments in
        [&["setup", "docker", "--no-such"][..], &["status", "x"], &["setup", "dockre"], &["warm", "--no-such"]]
    {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
        assert!(!output.stderr.is_empty(), "{arguments:?}");
    }
}

#[test]
fn every_shell_has_completions_of_every_command() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let text = said(&["completions", shell]);
        for command in COMMANDS {
            assert!(text.contains(command), "{shell}: {command}");
        }
        assert!(text.contains("dry-run"), "{shell}");
    }
    let bash = Command::new("bash").arg("-n").stdin(Stdio::piped()).spawn();
    if let Ok(mut bash) = bash {
        bash.stdin.take().unwrap().write_all(said(&["completions", "bash"]).as_bytes()).unwrap();
        assert!(bash.wait().unwrap().success(), "bash understands its completions");
    }
}

#[test]
fn the_man_page_has_every_command_and_option() {
    let page = said(&["man"]);
    assert!(page.contains(".TH docker-credential-ecr-login 1"), "{page}");
    for word in COMMANDS.into_iter().chain([
        "setup docker",
        "setup kubelet",
        "role\\-arn",
        "SYNOPSIS",
        "ENVIRONMENT",
        "EXIT STATUS",
        "FILES",
        "EXAMPLES",
        "ECR_LOGIN_TIMEOUT",
        "ECR_LOGIN_CONFIG",
    ]) {
        assert!(page.contains(word), "{word}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_stdout_is_a_failure() {
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut command = Command::new(crate::support::binary());
    assert_eq!(command.arg("man").env_clear().stdout(full).status().unwrap().code(), Some(1));
}

/// The page as `man` shows it, where there is one.
#[cfg(unix)]
#[test]
fn the_man_page_reads_well_on_a_narrow_terminal() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), said(&["man"])).unwrap();
    let man = crate::support::on_our_path("man");
    let shown = Command::new(man)
        .args(["--warnings", "-l"])
        .arg(file.path())
        .env("MANWIDTH", "78")
        .env("LC_ALL", "C")
        .env("MAN_KEEP_FORMATTING", "")
        .env("MANPAGER", "cat")
        .output();
    let Ok(shown) = shown else { return };
    if !shown.status.success() {
        return;
    }
    assert_eq!(String::from_utf8_lossy(&shown.stderr), "", "no warning of the formatter");
    let text = String::from_utf8_lossy(&shown.stdout).into_owned();
    let head = text.lines().find(|line| !line.is_empty()).unwrap();
    assert!(head.contains("ecr-login   docker-credential-ecr-login(1)"), "the head's parts have room: {head}");
    let at = |title: &str| text.find(&format!("\n{title}")).unwrap_or_else(|| panic!("no {title}: {text}"));
    let sections =
        ["NAME", "SYNOPSIS", "DESCRIPTION", "COMMANDS", "OPTIONS", "EXIT STATUS", "ENVIRONMENT", "FILES", "EXAMPLES"];
    assert!(sections.map(at).is_sorted(), "{text}");
    // A path that is broken in two cannot be copied.
    for whole in
        ["/etc/kubernetes/credential-provider/config.json", "123456789012.dkr.ecr.eu-west-1.amazonaws.com/app:1"]
    {
        assert!(text.contains(whole), "{whole}: {text}");
    }
}
