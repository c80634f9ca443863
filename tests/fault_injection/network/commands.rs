//! The same deadline for what is no `get` of a service: other actions while ECR hangs, programs that never end, and a
//! caller that never says what it wants.

use std::process::Stdio;

use super::{BUSY, LIMIT, OVER, exact, run};
use crate::support::{FakeAws, Fault, Helper, Outcome, REGISTRY, Running, Service};

/// A call that nothing ends but the deadline.
struct Hangs {
    what: &'static str,
    arguments: &'static [&'static str],
    /// `None` where nobody ever says anything, nor closes stdin.
    stdin: Option<String>,
    how: How,
    words: &'static str,
}

#[derive(Clone, Copy)]
enum How {
    Ecr,
    /// `credential_process`, which ignores the signals that one may ignore and has a child of its own.
    Process,
    Delegate,
    Caller,
}

const STUBBORN: &str = "trap '' TERM HUP INT; sleep 100 & sleep 100";

fn helper(aws: &FakeAws, how: How) -> Helper {
    let helper = Helper::new().aws(aws).env("ECR_LOGIN_TIMEOUT", LIMIT.as_secs().to_string());
    match how {
        How::Ecr => {
            aws.fail(Service::Ecr, Fault::Hang);
            helper.keys("AKIAEXAMPLE")
        }
        How::Caller => helper.keys("AKIAEXAMPLE"),
        How::Process => {
            let program = helper.script("stubborn", STUBBORN);
            helper.aws_config(&format!("[default]\ncredential_process = {}\n", program.display()))
        }
        How::Delegate => {
            helper.script("bin/docker-credential-other", STUBBORN);
            helper.settings("delegate = \"other\"\n")
        }
    }
}

fn outcome(helper: &Helper, call: &Hangs) -> Outcome {
    match &call.stdin {
        Some(stdin) => helper.run(call.arguments, stdin),
        None => {
            let (silent, kept) = std::io::pipe().unwrap();
            let mut command = helper.command(call.arguments);
            command.stdin(Stdio::from(silent));
            let outcome = Running::start(command, b"").wait();
            drop(kept);
            outcome
        }
    }
}

#[test]
fn whatever_hangs_no_action_outlives_its_deadline() {
    const KUBELET: &[&str] = &["kubelet"];
    const NEVER: &str = "stdin did not end within 1 s";
    const LATE: &str = "ECR did not answer within 1 s";
    // The deadline counts from the start of the process, what the command had from its own.
    const KILLED: &str = "still running after ";
    const FOREIGN: &str = "registry.example.com";
    let request = || {
        let kind = "\"kind\":\"CredentialProviderRequest\",\"apiVersion\":\"credentialprovider.kubelet.k8s.io/v1\"";
        format!("{{{kind},\"image\":\"{REGISTRY}/app\"}}")
    };
    let login = format!("{{\"ServerURL\":\"{FOREIGN}\",\"Username\":\"u\",\"Secret\":\"hunter2\"}}");
    let call =
        |what, arguments, stdin: &str, how, words| Hangs { what, arguments, stdin: Some(stdin.to_owned()), how, words };
    let never = |what, arguments| Hangs { what, arguments, stdin: None, how: How::Caller, words: NEVER };
    let calls = [
        call("kubelet", KUBELET, &request(), How::Ecr, LATE),
        call("password", &["password", REGISTRY], "", How::Ecr, LATE),
        call("warm", &["warm", "--timeout", "1", REGISTRY], "", How::Ecr, LATE),
        call("get", &["get"], REGISTRY, How::Process, KILLED),
        call("kubelet", KUBELET, &request(), How::Process, KILLED),
        call("password", &["password", REGISTRY], "", How::Process, KILLED),
        call("get", &["get"], FOREIGN, How::Delegate, KILLED),
        call("store", &["store"], &login, How::Delegate, KILLED),
        call("erase", &["erase"], FOREIGN, How::Delegate, KILLED),
        call("list", &["list"], "", How::Delegate, KILLED),
        // A process of its own, whose output is not read.
        call("refresh", &["refresh-in-background", REGISTRY], "", How::Ecr, ""),
        never("get", &["get"]),
        never("store", &["store"]),
        never("erase", &["erase"]),
        never("kubelet", KUBELET),
    ];
    run(&calls, |call| {
        let aws = FakeAws::start();
        let outcome = outcome(&helper(&aws, call.how), call);
        let fault = match call.how {
            How::Ecr => "ECR hangs",
            How::Process => "a credential_process",
            How::Delegate => "a delegate hangs",
            How::Caller => "stdin never comes",
        };
        let shown = format!("{}, {fault}: {outcome:?}", call.what);
        // What a delegate cannot list is not all that there is to list.
        assert_eq!(outcome.code, Some(i32::from(call.what != "list")), "{shown}");
        // docker's protocol has the errors of store and erase on stdout.
        let said = outcome.stderr.lines().next().or(outcome.stdout.lines().next()).unwrap_or_default();
        assert!(said.contains(call.words) && outcome.stderr.lines().count() <= 1, "{shown}");
        assert!(!outcome.stderr.contains("hunter2"), "{shown}");
        let most = LIMIT + OVER + if exact() { std::time::Duration::ZERO } else { BUSY };
        assert!(outcome.duration <= most, "{:?}: {shown}", outcome.duration);
        assert!(outcome.duration >= LIMIT - std::time::Duration::from_millis(20), "{:?}: {shown}", outcome.duration);
        let said = said.split_once(": ").map_or(said, |(_, said)| said).split(", asking ").next().unwrap_or_default();
        let said = if said.is_empty() { "says nothing to anybody, and did not answer within 1 s" } else { said };
        format!("{:<12}| {fault:<26}| {:>5} ms | {said}", call.what, outcome.duration.as_millis())
    });
}
