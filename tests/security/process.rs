//! The process itself: its core, its memory while it runs, and variables by which other programs spill secrets.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Duration;

use crate::support::cache::names;
use crate::support::{Certificate, FakeAws, Helper, REGISTRY, Service, binary};
use crate::users::{Ground, can_switch};

/// Ends a program by a signal that makes a core, in a directory of its own, where cores are allowed; its status, and what
/// is in the directory then.
fn crashed(program: &str, signal: &str) -> (ExitStatus, Vec<String>) {
    let directory = tempfile::tempdir().unwrap();
    let mut command = std::process::Command::new("/bin/sh");
    command.args(["-c", "ulimit -c unlimited; exec \"$@\"", "sh"]).args(program.split(' ')).env_clear();
    command.env("PATH", "/usr/bin:/bin").env("AWS_SECRET_ACCESS_KEY", "MARKED").current_dir(directory.path());
    command.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::null());
    let mut child = command.spawn().unwrap();
    // It waits for its input by then, or soon: the signal may come at any time.
    std::thread::sleep(Duration::from_millis(300));
    let pid = rustix::process::Pid::from_child(&child);
    let number = if signal == "SEGV" { rustix::process::Signal::SEGV } else { rustix::process::Signal::ABORT };
    rustix::process::kill_process(pid, number).unwrap();
    (child.wait().unwrap(), names(directory.path()))
}

#[test]
fn a_crash_leaves_no_core() {
    for signal in ["SEGV", "ABRT"] {
        let (other, _) = crashed("cat", signal);
        if !other.core_dumped() {
            println!("skipped: a crash leaves no core of any program here");
            return;
        }
        for action in ["get", "kubelet", "store"] {
            let (status, left) = crashed(&format!("{} {action}", binary().display()), signal);
            assert!(status.signal().is_some(), "{action} {signal}: {status}");
            assert!(!status.core_dumped(), "{action} {signal}");
            assert_eq!(left, Vec::<String>::new(), "{action} {signal}");
        }
    }
}

/// Not even another process of the same user sees memory, environment or open files.
#[test]
fn while_it_runs_only_root_can_look_into_it() {
    if !can_switch("a look into the process") {
        return;
    }
    let ground = Ground::new();
    ground.aws.fail_times(Service::Ecr, 1, crate::support::Fault::Late(Duration::from_secs(3)));
    // The same with another program, to show that the user could.
    let look = "for file in mem environ maps; do head -c 1 /proc/$each/$file >/dev/null 2>&1; echo $? $file; done; \
                ls /proc/$each/fd >/dev/null 2>&1; echo $? fd;";
    let script = format!(
        "cd \"$HOME\"; sleep 3 & each=$!; {look} \
         echo {REGISTRY} >name; \"$HELPER\" get <name >answer & each=$!; sleep 1.5; {look} wait $each; echo $? end"
    );
    let run = ground.run(&script, &[]);
    let said: Vec<&str> = run.stdout.lines().collect();
    // Of a sleeping program's memory the first byte is no place to read, so that mem fails for both.
    assert_eq!(said[1..4], ["0 environ", "0 maps", "0 fd"], "{run:?}");
    assert_eq!(said[4..8], ["1 mem", "1 environ", "1 maps", "2 fd"], "{run:?}");
    assert_eq!(said[8], "0 end", "{run:?}");
    assert!(std::fs::read_to_string(ground.home().join("answer")).unwrap().contains("Secret"), "{run:?}");
}

#[test]
fn variables_by_which_others_spill_secrets_spill_none() {
    let aws = FakeAws::over_tls(Certificate::Good);
    let helper = Helper::new().aws(&aws).env("AWS_ACCESS_KEY_ID", "AKIAMARKED");
    let keys = helper.home().join("tls-keys");
    let helper = helper
        .env("AWS_SECRET_ACCESS_KEY", "MARKED-SECRET")
        .env("AWS_SESSION_TOKEN", "MARKED-SESSION")
        .env("SSLKEYLOGFILE", &keys)
        .env("RUST_BACKTRACE", "full")
        .env("RUST_LOG", "trace")
        .env("LOG_SENSITIVE_BODIES", "all")
        .env("AWS_SDK_LOAD_CONFIG", "1");
    helper.get(REGISTRY).token();
    assert_eq!(aws.calls(Service::Ecr), 1);
    assert!(!keys.exists(), "the keys of the connection");
    aws.fail(Service::Ecr, crate::support::Fault::garbage());
    let get = helper.env("AWS_ECR_DISABLE_CACHE", "1").get(REGISTRY);
    assert!(!get.failure().contains("MARKED"), "{get:?}");
}

/// A file that is no bundle, settings or configuration is named and not quoted.
#[test]
fn a_file_of_secrets_in_the_place_of_another_is_not_quoted() {
    let aws = FakeAws::over_tls(Certificate::Good);
    let secret = "MARKED-SECRET-LINE\nMARKED: MARKED\n-----BEGIN CERTIFICATE-----\nMARKED\n-----END CERTIFICATE-----\n";
    for name in ["AWS_CA_BUNDLE", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "ECR_LOGIN_CONFIG"] {
        let helper = Helper::new().aws(&aws).keys("AKIAEXAMPLE").without("AWS_ACCESS_KEY_ID");
        let file = helper.write("secret", secret);
        let helper = if name == "AWS_CA_BUNDLE" { helper.keys("AKIAEXAMPLE") } else { helper };
        let helper = helper.env(name, &file);
        for arguments in [&["get"][..], &["doctor", REGISTRY]] {
            let run = helper.run(arguments, REGISTRY);
            assert_eq!(run.code, Some(1), "{name}: {run:?}");
            assert!(!run.stderr.contains("MARKED") && !run.stdout.contains("MARKED"), "{name}: {run:?}");
        }
    }
}
