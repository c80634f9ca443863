//! What a `get` does with a token by its age: serve it, have it refreshed, wait for a fresh one, or refuse it.

#[cfg(target_os = "linux")]
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::support::cache::{HOUR, age, change, entries, eventually, names};
use crate::support::{FakeAws, Fault, Helper, REGISTRY, Running, Service};
use ecr_login::cache::TokenLifetime;

const OTHER: &str = "210987654321.dkr.ecr.eu-west-1.amazonaws.com";

fn with_token() -> (FakeAws, Helper, usize) {
    with_token_for(REGISTRY)
}

fn with_token_for(registry: &str) -> (FakeAws, Helper, usize) {
    let aws = FakeAws::start();
    let helper = Helper::new().aws(&aws).keys("AKIAEXAMPLE").env("ECR_LOGIN_TIMEOUT", "60");
    let serial = helper.get(registry).token().serial;
    (aws, helper, serial)
}

/// A registry that no other test asks for, so that the process that refreshes it can be told from all others.
fn own_registry() -> String {
    format!("{:012}.dkr.ecr.eu-west-1.amazonaws.com", fastrand::u64(..1_000_000_000_000))
}

#[test]
fn in_the_first_half_the_token_is_served() {
    let (aws, helper, serial) = with_token();
    for hours in [0, 3, 2] {
        age(&helper, hours * HOUR);
        assert_eq!(helper.get(REGISTRY).token().serial, serial);
    }
    assert_eq!(aws.calls(Service::Ecr), 1);
}

#[test]
fn in_the_second_half_all_are_served_at_once_and_one_process_refreshes() {
    let (aws, helper, serial) = with_token();
    age(&helper, 8 * HOUR);
    aws.fail_times(Service::Ecr, 1, Fault::late(500));
    let gets: Vec<_> = (0..20).map(|_| helper.start(["get"], REGISTRY)).collect();
    for get in gets {
        // A `get` that started after the refresh had ended has the new one already.
        assert!(get.wait().token().serial >= serial);
    }
    eventually("a new entry", || entries(&helper)[0].times.issued_at > on_disk_now() - 2 * HOUR);
    assert!(helper.get(REGISTRY).token().serial > serial);
    std::thread::sleep(Duration::from_millis(200));
    assert_eq!(aws.calls(Service::Ecr), 2);
}

#[cfg(target_os = "linux")]
#[test]
fn in_the_second_half_no_call_waits_for_the_refresh_which_leads_its_own_session_and_ends_in_time() {
    let registry = own_registry();
    let (aws, helper, serial) = with_token_for(&registry);
    let helper = helper.env("ECR_LOGIN_TIMEOUT", "4");
    age(&helper, 8 * HOUR);
    aws.fail(Service::Ecr, Fault::Hang);
    // The pipes of this `get` close with it: the other process has none of them. Nor has it a pipe of a caller that leaves
    // its own open for whom it starts, as shells do.
    let fifo = helper.home().join("fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let reader = std::thread::spawn({
        let fifo = fifo.clone();
        move || std::fs::read(fifo).unwrap()
    });
    let get = helper.command(["get"]);
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", "exec \"$0\" get 7>fifo"]).arg(get.get_program());
    shell.env_clear().envs(get.get_envs().filter_map(|(name, value)| Some((name, value?))));
    shell.current_dir(helper.home()).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    assert_eq!(Running::start(shell, registry.as_bytes()).wait().token().serial, serial);
    eventually("the refresh asks", || aws.calls(Service::Ecr) >= 2);
    let Some(process) = refreshing(&registry) else { panic!("no process that refreshes") };
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    let session = stat.rsplit(')').next().unwrap().split_whitespace().nth(3).unwrap();
    assert_eq!(session, process, "its own session");
    assert!(reader.join().unwrap().is_empty(), "the pipe has ended");
    assert!(refreshing(&registry).is_some(), "while the other process goes on");
    // Only root may look at the files of a process that hides its memory.
    for stream in 0..3 {
        let to = std::fs::read_link(format!("/proc/{process}/fd/{stream}")).ok();
        assert!(to.is_none_or(|to| to.to_str() == Some("/dev/null")), "stream {stream}");
    }
    eventually("the deadline ends it", || refreshing(&registry).is_none());
}

#[test]
fn without_background_processes_the_second_half_waits_and_all_streams_stay_quiet() {
    for off in ["0", "false"] {
        let (aws, helper, serial) = with_token();
        let helper = helper.env("ECR_LOGIN_BACKGROUND", off);
        age(&helper, 8 * HOUR);
        assert!(helper.get(REGISTRY).token().serial > serial, "{off}");
        assert_eq!(aws.calls(Service::Ecr), 2);
        age(&helper, 8 * HOUR);
        aws.fail(Service::Ecr, Fault::access_denied());
        assert!(helper.get(REGISTRY).token().serial > serial, "{off}: the old one, and nothing on stderr");
    }
}

#[test]
fn without_background_processes_a_hanging_ecr_delays_a_valid_token_by_seconds_once_a_minute() {
    let (aws, helper, serial) = with_token();
    let helper = helper.env("ECR_LOGIN_BACKGROUND", "0");
    age(&helper, 8 * HOUR);
    aws.fail(Service::Ecr, Fault::Hang);
    for _ in 0..3 {
        let get = helper.get(REGISTRY);
        assert_eq!(get.token().serial, serial);
        // The deadline is 60 s, and 3 s of it are spent.
        assert!(get.duration < Duration::from_secs(30), "{get:?}");
    }
    assert_eq!(aws.calls(Service::Ecr), 2, "the second and third did not ask");
}

#[cfg(target_os = "linux")]
#[test]
fn a_refresh_that_failed_is_not_followed_by_another_within_the_minute() {
    let registry = own_registry();
    let (aws, helper, serial) = with_token_for(&registry);
    age(&helper, 8 * HOUR);
    aws.fail(Service::Ecr, Fault::access_denied());
    assert_eq!(helper.get(&registry).token().serial, serial);
    eventually("the failure is noted", || names(&helper.cache()).iter().any(|name| name.ends_with(".failed")));
    eventually("the refresh has ended", || refreshing(&registry).is_none());
    for _ in 0..5 {
        assert_eq!(helper.get(&registry).token().serial, serial);
    }
    assert!(refreshing(&registry).is_none());
    assert_eq!(aws.calls(Service::Ecr), 2);
}

#[test]
fn in_the_last_quarter_a_fresh_token_is_waited_for() {
    for seconds in [9 * HOUR + 1, 12 * HOUR - 600] {
        let (aws, helper, serial) = with_token();
        age(&helper, seconds);
        aws.fail_times(Service::Ecr, 1, Fault::late(300));
        assert!(helper.get(REGISTRY).token().serial > serial);
        assert_eq!(aws.calls(Service::Ecr), 2);
    }
}

#[test]
fn in_the_last_quarter_the_old_token_is_served_where_no_fresh_one_can_be_had() {
    let (aws, helper, serial) = with_token();
    age(&helper, 12 * HOUR - 590);
    aws.fail(Service::Ecr, Fault::access_denied());
    for _ in 0..3 {
        let get = helper.get(REGISTRY);
        assert_eq!(get.token_with_warning().serial, serial);
        assert!(get.line().contains("AccessDenied") && get.line().contains("9 minutes"), "{get:?}");
        assert!(get.line().contains(REGISTRY), "{get:?}");
    }
    assert_eq!(aws.calls(Service::Ecr), 2, "no other try, and no wait, for a minute");
}

#[test]
fn in_the_last_quarter_the_wait_ends_when_half_of_what_is_left_is_gone() {
    let (aws, helper, serial) = with_token();
    age(&helper, 12 * HOUR - 10);
    aws.fail(Service::Ecr, Fault::Hang);
    let get = helper.get(REGISTRY);
    assert_eq!(get.token_with_warning().serial, serial);
    // The deadline is 60 s, and the token's own end at most 10.
    assert!(get.duration < Duration::from_secs(10), "{get:?}");
}

#[test]
fn an_expired_token_is_never_served() {
    for past in [0, 1, HOUR, 1_000 * HOUR] {
        let (aws, helper, serial) = with_token();
        age(&helper, 12 * HOUR + past);
        aws.fail(Service::Ecr, Fault::access_denied());
        assert!(helper.get(REGISTRY).failure().contains("AccessDenied"));
        aws.heal(Service::Ecr);
        assert_eq!(helper.run(["erase"], REGISTRY).code, Some(0));
        assert!(helper.get(REGISTRY).token().serial > serial);
    }
}

#[test]
fn an_entry_from_the_future_or_of_a_life_that_no_token_has_is_a_miss() {
    // What a file's time can be: on Windows until the year 30828.
    const LATEST: i64 = if cfg!(windows) { 900_000_000_000 } else { i64::MAX - 1 };
    for wrong in [
        |times: TokenLifetime| TokenLifetime { issued_at: times.issued_at + 120, ..times },
        |times: TokenLifetime| TokenLifetime { expires_at: times.issued_at + 24 * HOUR + 1, ..times },
        |times: TokenLifetime| TokenLifetime { issued_at: i64::MIN, ..times },
        |times: TokenLifetime| TokenLifetime { expires_at: LATEST, ..times },
    ] {
        let (aws, helper, serial) = with_token();
        change(&helper, wrong);
        assert!(helper.get(REGISTRY).token().serial > serial);
        assert_eq!(aws.calls(Service::Ecr), 2);
        helper.get(REGISTRY).token();
        assert_eq!(aws.calls(Service::Ecr), 2, "mended");
    }
}

#[test]
fn a_token_that_our_clock_cannot_believe_is_delivered_and_not_kept() {
    for life in [-300_000_000, -1, 0, 25 * HOUR] {
        let aws = FakeAws::start();
        aws.token_life(life);
        let helper = Helper::new().aws(&aws).keys("AKIAEXAMPLE");
        helper.get(REGISTRY).token();
        helper.get(REGISTRY).token();
        assert_eq!(aws.calls(Service::Ecr), 2, "a life of {life} s");
        assert!(entries(&helper).is_empty());
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_newer_token_of_another_registry_is_taken_before_a_refresh_starts() {
    for seconds in [8 * HOUR, 12 * HOUR - 600] {
        let registry = own_registry();
        let (aws, helper, serial) = with_token_for(&registry);
        age(&helper, seconds);
        // As if another process had come first: a newer token, under another registry's name.
        let newer = helper.run_fresh(OTHER);
        assert!(newer > serial);
        assert_eq!(helper.get(&registry).token().serial, newer);
        assert!(refreshing(&registry).is_none());
        assert_eq!(aws.calls(Service::Ecr), 2);
        let ends: Vec<i64> = entries(&helper).iter().map(|entry| entry.times.expires_at).collect();
        assert_eq!(ends, [ends[0]; 2], "entries of their own with the same end");
    }
}

trait Fresh {
    fn run_fresh(&self, registry: &str) -> usize;
}

impl Fresh for Helper {
    fn run_fresh(&self, registry: &str) -> usize {
        let mut command = self.command(["get"]);
        command.env("ECR_LOGIN_REFRESH", "1");
        crate::support::Running::start(command, registry.as_bytes()).wait().token().serial
    }
}

/// The process that refreshes this registry in the background.
#[cfg(target_os = "linux")]
fn refreshing(registry: &str) -> Option<String> {
    let action = format!("\0refresh-in-background\0{registry}\0");
    std::fs::read_dir("/proc").unwrap().filter_map(Result::ok).find_map(|found| {
        let command = std::fs::read(found.path().join("cmdline")).ok()?;
        let is_one = command.ends_with(action.as_bytes());
        is_one.then(|| found.file_name().into_string().ok()).flatten()
    })
}

fn on_disk_now() -> i64 {
    use std::time::{SystemTime, UNIX_EPOCH};
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as i64
}

#[cfg(target_os = "linux")]
#[test]
fn a_service_accounts_token_is_refreshed_in_the_foreground() {
    let registry = own_registry();
    let aws = FakeAws::start();
    let helper = Helper::new().aws(&aws).env("AWS_REGION", "eu-west-1");
    let part = |claims: &str| {
        let text = aws_smithy_types::base64::encode(claims);
        text.trim_end_matches('=').replace('+', "-").replace('/', "_")
    };
    let claims = format!(
        r#"{{"iss":"https://oidc.example","aud":["sts.amazonaws.com"],"sub":"system:serviceaccount:a:b","exp":{},
        "kubernetes.io":{{"namespace":"a","serviceaccount":{{"name":"b","uid":"1-2-3"}}}}}}"#,
        on_disk_now() + 100 * HOUR
    );
    let token = format!("{}.{}.c2ln", part(r#"{"alg":"RS256"}"#), part(&claims));
    let request = format!(
        r#"{{"apiVersion":"credentialprovider.kubelet.k8s.io/v1","kind":"CredentialProviderRequest",
        "image":"{registry}/app:1","serviceAccountToken":"{token}",
        "serviceAccountAnnotations":{{"eks.amazonaws.com/ecr-role-arn":"arn:aws:iam::123456789012:role/pull"}}}}"#
    );
    let password = || {
        let answer = helper.run(["kubelet"], &request);
        assert_eq!((answer.code, answer.stderr.as_str()), (Some(0), ""), "{answer:?}");
        let response: serde_json::Value = serde_json::from_str(&answer.stdout).unwrap();
        crate::support::Token::of_password(response["auth"][&registry]["password"].as_str().unwrap())
    };
    let first = password();
    assert_eq!((password(), aws.calls(Service::Ecr)), (first.clone(), 1));
    age(&helper, 8 * HOUR);
    let second = password();
    assert!(second.serial > first.serial, "this very call has the new one");
    assert!(refreshing(&registry).is_none());
    assert_eq!((aws.calls(Service::Ecr), aws.calls(Service::Sts)), (2, 2));

    age(&helper, 8 * HOUR);
    aws.fail(Service::Sts, Fault::Hang);
    let begun = std::time::Instant::now();
    assert_eq!(password(), second, "valid, and silence on stderr");
    // The kubelet's deadline is 45 s.
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
}
