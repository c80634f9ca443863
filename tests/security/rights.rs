//! The binary with rights that its caller has not: setuid, setgid, capabilities of the file.

use std::path::Path;

use crate::support::{Helper, Outcome, REGISTRY, Running, copy_binary};
use crate::users::{ATTACKER, Ground, VICTIM, belongs, can_switch};

/// Where a caller could want to look with somebody else's rights.
fn secrets_of_the_victim(ground: &Ground) -> Vec<(&'static str, std::path::PathBuf)> {
    let secret = "MARKED = \"MARKED\"\n[MARKED]\naws_secret_access_key = MARKED\n";
    let file = ground.file("home/secret", secret, VICTIM, 0o600);
    [
        "ECR_LOGIN_CONFIG",
        "AWS_CONFIG_FILE",
        "AWS_SHARED_CREDENTIALS_FILE",
        "AWS_CA_BUNDLE",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
    ]
    .into_iter()
    .map(|name| (name, file.clone()))
    .collect()
}

fn run(ground: &Ground, action: &str, variables: &[(&str, &Path)]) -> Outcome {
    let script = format!("exec ./copy {action}");
    let variables: Vec<_> = variables.iter().copied().chain([("RUST_BACKTRACE", Path::new("full"))]).collect();
    ground.run_as(ATTACKER, &script, &variables)
}

/// Set-user-ID does nothing on a file system that is mounted so.
fn takes_effect(ground: &Ground) -> bool {
    use rustix::fs::StatVfsMountFlags;
    let takes = !rustix::fs::statvfs(ground.path("copy")).unwrap().f_flag.contains(StatVfsMountFlags::NOSUID);
    if !takes {
        println!("skipped: the temporary directory is mounted nosuid");
    }
    takes
}

fn refuses(ground: &Ground, why: &str) {
    let variables = secrets_of_the_victim(ground);
    for (name, file) in &variables {
        for action in
            ["get", "list", "version", "kubelet", "status", "doctor", "warm x", "refresh-in-background x", "-h"]
        {
            let run = run(ground, action, &[(name, file)]);
            assert_eq!((run.code, run.stdout.as_str()), (Some(1), ""), "{name} {action}: {run:?}");
            assert!(run.line().contains("refuses to run") && run.line().contains(why), "{name} {action}: {run:?}");
            assert!(!run.stderr.contains("MARKED"), "{name} {action}: {run:?}");
        }
    }
    assert!(ground.aws.all_calls().is_empty());
}

#[test]
fn a_setuid_or_setgid_copy_refuses_to_run() {
    if !can_switch("a setuid copy") {
        return;
    }
    for (owner, mode) in [(VICTIM, 0o4755), (VICTIM, 0o2755), (0, 0o4755), (0, 0o6755)] {
        let ground = Ground::new();
        copy_binary(&ground.path("copy"));
        belongs(&ground.path("copy"), owner, mode);
        if !takes_effect(&ground) {
            return;
        }
        refuses(&ground, "chmod ug-s");
    }
}

#[test]
fn a_copy_with_capabilities_of_its_own_refuses_to_run() {
    if !can_switch("a copy with capabilities") {
        return;
    }
    const DAC_READ_SEARCH: u32 = 1 << 2;
    const EFFECTIVE: u32 = 1;
    for effective in [EFFECTIVE, 0] {
        let ground = Ground::new();
        copy_binary(&ground.path("copy"));
        // The file's capabilities in the kernel's form (capabilities(7), version 2): permitted and inheritable, twice.
        let words = [0x0200_0000 | effective, DAC_READ_SEARCH, 0, 0, 0];
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        let set =
            rustix::fs::setxattr(ground.path("copy"), "security.capability", &bytes, rustix::fs::XattrFlags::empty());
        if let Err(error) = set {
            println!("skipped: capabilities of a file: {error}");
            return;
        }
        if !takes_effect(&ground) {
            return;
        }
        refuses(&ground, "setcap -r");
        // Root has them anyway, and runs it.
        let version = ground.run_as(0, "exec ./copy version", &[]);
        assert_eq!(version.code, Some(0), "{version:?}");
    }
}

/// What a service manager gives on purpose, any program gets; nothing came with the file.
#[test]
fn capabilities_that_the_caller_hands_on_are_no_reason_to_refuse() {
    if !can_switch("ambient capabilities") {
        return;
    }
    let ground = Ground::new();
    let user = VICTIM.to_string();
    let mut command = std::process::Command::new(crate::support::on_our_path("setpriv"));
    command.args(["--reuid", &user, "--regid", &user, "--clear-groups"]);
    command.args(["--inh-caps", "+net_bind_service", "--ambient-caps", "+net_bind_service"]);
    command.arg(ground.path("helper")).arg("get").env_clear();
    let ours = Helper::new().aws(&ground.aws).keys("AKIAVICTIM").without("AWS_CA_BUNDLE");
    let ours = ours.command(Vec::<String>::new());
    command.envs(ours.get_envs().filter_map(|(key, value)| Some((key, value?)))).env("HOME", ground.home());
    use std::process::Stdio;
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    Running::start(command, REGISTRY.as_bytes()).wait().token();
}
