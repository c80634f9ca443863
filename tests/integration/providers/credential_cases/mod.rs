//! Which credentials are used, held against what the Go helper and the AWS CLI use with the same variables and files
//! (`tests/data/credential-cases/README.md`): where both use the same, so do we; else as the AWS CLI; and the few
//! exceptions have a reason.
//!
//! Each case is a run of the real binary against a fake AWS that verifies signatures, in a network namespace where
//! nothing else can be reached. Where no namespace can be made, the cases that do not need one run on loopback, and the
//! others are skipped, but in CI.

mod case;
mod documents;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::support::{Certificate, FakeAws, Helper, Outcome, REGISTRY, Running, Token, on_our_path};
use case::{Case, FAILS, Places};

/// Tells a run of this program in a namespace which cases are its.
const GROUP: &str = "CREDENTIAL_CASES_GROUP";

/// Cases at once. Most of a case is the start of a few processes.
const AT_ONCE: usize = 4;

/// How often a case is run until it is as it should be.
const TRIES: usize = 3;

/// The secrets of the keys in the cases.
const SECRETS: &[&str] = &["s", "sss", "\"s\"", "a%b%(x)s${HOME}"];

/// Where instance metadata and the agent of ECS answer.
const IMDS: Ipv4Addr = Ipv4Addr::new(169, 254, 169, 254);
const ECS: Ipv4Addr = Ipv4Addr::new(169, 254, 170, 2);

/// AWS's names that a case leads to: STS of the registry's region and of those that profiles name.
const REAL_NAMES: &str = "127.0.0.1 localhost api.ecr.eu-west-1.amazonaws.com sts.eu-west-1.amazonaws.com \
                          sts.us-east-1.amazonaws.com sts.us-west-2.amazonaws.com sts.amazonaws.com\n";

/// What came of a case: the access key id that asked ECR, or a failure; and stderr.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
struct Used {
    name: String,
    used: String,
    said: String,
}

#[test]
fn every_case_uses_the_credentials_that_both_peers_use_or_the_aws_cli_does() {
    let cases = case::all();
    if let Some(group) = std::env::var_os(GROUP) {
        return in_namespace(&cases, group.to_str().unwrap());
    }
    let used = match namespace() {
        Some(unshare) => used_in_namespaces(&cases, &unshare),
        None => used_on_loopback(&cases),
    };
    let by_name: BTreeMap<&str, &Case> = cases.iter().map(|case| (case.name.as_str(), case)).collect();
    assert_eq!(by_name.len(), cases.len(), "two cases have one name");
    let exceptions = case::exceptions();
    let mut named = BTreeSet::new();
    for exception in &exceptions {
        println!("{} exceptions: {}", exception.cases.len(), exception.because);
        for (name, used) in &exception.cases {
            let case = by_name.get(name.as_str()).unwrap_or_else(|| panic!("no case: {name}"));
            assert_ne!(case.by_the_rule(), used, "no exception: {name}");
            assert!(named.insert(name), "twice: {name}");
        }
    }
    let mut wrong = Vec::new();
    let (mut agree, mut of_agree, mut as_cli, mut of_differ, mut kinder) = (0, 0, 0, 0, 0);
    for Used { name, used, said } in &used {
        let case = by_name[name.as_str()];
        let expected = case.expected(&exceptions);
        if used != expected {
            let (go, cli) = (&case.go, &case.cli);
            wrong.push(format!("{name}\n    used {used}, not {expected} (Go helper {go}, AWS CLI {cli}): {said}"));
        }
        if case.go == case.cli {
            of_agree += 1;
            agree += usize::from(*used == case.cli);
            kinder += usize::from(*used != case.cli && case.cli == FAILS);
        } else {
            of_differ += 1;
            as_cli += usize::from(*used == case.cli);
        }
    }
    println!(
        "{} cases of {} | where the Go helper and the AWS CLI agree: the same in {agree} of {of_agree}, and {kinder} that \
         both refuse work | where they differ: as the AWS CLI in {as_cli} of {of_differ}",
        used.len(),
        cases.len()
    );
    assert!(wrong.is_empty(), "{} cases are not as they should be:\n{}", wrong.len(), wrong.join("\n"));
}

/// The command that makes a network and a mount namespace, if that is possible here.
fn namespace() -> Option<Vec<&'static str>> {
    let possible = |unshare: &Vec<&str>| {
        let tried = Command::new(unshare[0])
            .args(&unshare[1..])
            .args(["sh", "-c", "ip link set lo up && mount --bind /etc/hosts /etc/hosts"])
            .output();
        tried.is_ok_and(|output| output.status.success())
    };
    [vec!["unshare", "-n", "-m"], vec!["unshare", "-r", "-n", "-m"]].into_iter().find(possible)
}

fn used_in_namespaces(cases: &[Case], unshare: &[&str]) -> Vec<Used> {
    let prepare = "set -e; ip link set lo up; mount -t tmpfs tmpfs \"$1\"; printf %s \"$2\" > \"$1/hosts\"; \
                   mount --bind \"$1/hosts\" /etc/hosts; for address in $3; do ip addr add $address/32 dev lo; done; \
                   exec \"$0\" --exact --nocapture \
                   providers::credential_cases::every_case_uses_the_credentials_that_both_peers_use_or_the_aws_cli_does";
    let groups = [(false, false), (true, false), (false, true), (true, true)].map(|(imds, ecs)| {
        let directory = tempfile::tempdir().unwrap();
        let addresses = [(imds, IMDS), (ecs, ECS)].into_iter().filter(|(there, _)| *there);
        let addresses = addresses.map(|(_, address)| address.to_string()).collect::<Vec<_>>().join(" ");
        let child = Command::new(unshare[0])
            .args(&unshare[1..])
            .args(["sh", "-c", prepare])
            .arg(std::env::current_exe().unwrap())
            .arg(directory.path())
            .args([REAL_NAMES, &addresses])
            .env(GROUP, format!("{imds},{ecs}"))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        (child, directory)
    });
    let mut used = Vec::new();
    for (child, _directory) in groups {
        let output = child.wait_with_output().unwrap();
        let stdout = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{stdout}{}", String::from_utf8_lossy(&output.stderr));
        used.extend(stdout.lines().filter_map(|line| serde_json::from_str::<Used>(line).ok()));
    }
    assert_eq!(used.len(), cases.len(), "some cases did not run");
    used
}

/// The cases of one group, in a namespace that was made for them; a line each.
fn in_namespace(cases: &[Case], group: &str) {
    let (imds, ecs) = group.split_once(',').unwrap();
    let (imds, ecs) = (imds == "true", ecs == "true");
    let aws = fake();
    let others: Vec<IpAddr> =
        [(imds, IMDS), (ecs, ECS)].into_iter().filter(|(on, _)| *on).map(|(_, ip)| ip.into()).collect();
    let _near: Vec<_> = others.iter().map(|ip| aws.host_at(SocketAddr::new(*ip, 80), None)).collect();
    let _real = aws.host_at((Ipv4Addr::LOCALHOST, 443).into(), Some(Certificate::Good));
    let cases: Vec<&Case> = cases.iter().filter(|case| (case.imds, case.ecs) == (imds, ecs)).collect();
    for used in run(&cases, &aws, "") {
        println!("\n{}", serde_json::to_string(&used).unwrap());
    }
}

fn used_on_loopback(cases: &[Case]) -> Vec<Used> {
    let (skipped, cases): (Vec<&Case>, Vec<&Case>) = cases.iter().partition(|case| case.needs_namespace());
    println!("skipped {} cases: no network namespace can be made here (unshare, ip)", skipped.len());
    assert!(std::env::var_os("CI").is_none_or(|ci| ci.is_empty()), "CI has namespaces");
    // Nobody listens there.
    run(&cases, &fake(), "http://127.0.0.1:9")
}

fn fake() -> FakeAws {
    let aws = FakeAws::start();
    aws.verify_signatures(SECRETS);
    aws.any_container_authorization();
    aws
}

fn run(cases: &[&Case], aws: &FakeAws, imds: &str) -> Vec<Used> {
    let directory = tempfile::tempdir().unwrap();
    let ca = directory.path().join("ca.pem");
    std::fs::write(&ca, aws.authority().pem()).unwrap();
    let other = aws.host_of_its_own(None);
    let (aws, other) = (aws.url(), other.url());
    let places = Places { aws: &aws, other: &other, ca: ca.to_str().unwrap() };
    // All files are written before the first program starts: a child of ours would pass on a script that is being written,
    // and it could not be run ("Text file busy").
    let homes: Vec<(&Case, Helper)> = cases.iter().map(|case| (*case, case.helper(&places, imds))).collect();
    let exceptions = case::exceptions();
    let (next, done) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some((case, helper)) = homes.get(next.fetch_add(1, Ordering::SeqCst)) {
                    let expected = case.expected(&exceptions);
                    // A busy machine may keep instance metadata from answering within its second.
                    let outcome = (0..TRIES).map(|_| outcome(case, helper)).find(|outcome| label(outcome) == expected);
                    let outcome = outcome.unwrap_or_else(|| self::outcome(case, helper));
                    let used = Used { name: case.name.clone(), used: label(&outcome), said: outcome.stderr };
                    done.lock().unwrap().push(used);
                }
            });
        }
    });
    done.into_inner().unwrap()
}

fn outcome(case: &Case, helper: &Helper) -> Outcome {
    if !case.home_unset {
        return helper.get(REGISTRY);
    }
    let passwd = helper.write("passwd", format!("root:x:0:0:root:{}:/bin/sh\n", helper.home().display()));
    let mut command = helper.command(["get"]);
    let program = command.get_program().to_owned();
    let mut inner = Command::new(on_our_path("unshare"));
    inner
        .args(["-m", "sh", "-c", "mount --bind \"$1\" /etc/passwd && unset PWD && exec \"$0\" get"])
        .arg(program)
        .arg(passwd);
    inner.env_clear().envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    inner.current_dir(helper.home()).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command = inner;
    Running::start(command, REGISTRY.as_bytes()).wait()
}

/// The access key id that asked ECR, as the data names those that the fake issues.
fn label(outcome: &Outcome) -> String {
    if outcome.code != Some(0) {
        return FAILS.to_owned();
    }
    let Token { key, identity, .. } = outcome.token_with_warning();
    let (kind, rest) = identity.split_once('-').unwrap_or((&identity, ""));
    let plain = |text: &str| text.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_uppercase();
    match kind {
        _ if key == identity.replace('_', ".") || key == identity => key,
        "role" => format!("ASIAROLE{}", plain(rest.split("-by-").next().unwrap_or_default())),
        "web" => format!("ASIAROLE{}", plain(rest.split('-').next().unwrap_or_default())),
        "sso" => format!("ASIASSO{}", plain(rest.split('-').next_back().unwrap_or_default())),
        "container" => "ASIACONTAINER".to_owned(),
        "instance" => "ASIAIMDS".to_owned(),
        "login" => "ASIALOGINNEW".to_owned(),
        _ => identity,
    }
}
