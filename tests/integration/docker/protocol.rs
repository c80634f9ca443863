//! docker-credential-helpers' protocol, as its clients see it: every action, and every bad input.

use std::process::Stdio;
use std::time::Duration;

use crate::support::cache::{HOUR, age};
use crate::support::{FakeAws, Fault, Helper, NOT_FOUND, REGISTRY, Running, Service};

const FOREIGN: [&str; 12] = [
    "docker.io",
    "https://index.docker.io/v1/",
    "https://not.a.real.registry/url",
    "localhost:5000",
    "ghcr.io/owner/image",
    "123456789012.dkr.ecr.eu-west-1.amazonaws.com.evil.example",
    "123456789012.dkr.ecr.eu-west-1.amazonaws.com@evil.example",
    "https://evil.example/123456789012.dkr.ecr.eu-west-1.amazonaws.com",
    "123456789012.dkr.ecr.eu-west-1.amazonaws.com.",
    "169.254.169.254",
    "../../etc/passwd",
    "%31%32.dkr.ecr.eu-west-1.amazonaws.com",
];

fn login(name: &str, user: &str) -> String {
    format!(r#"{{"ServerURL":"{name}","Username":"{user}","Secret":"marked-secret"}}"#)
}

#[test]
fn a_foreign_name_is_answered_in_silence_with_no_cache_and_no_network() {
    let aws = FakeAws::start();
    let helper = Helper::new().aws(&aws).keys("AKIATEST");
    for name in FOREIGN {
        helper.get(name).assert_not_found();
        let erased = helper.run(["erase"], name);
        assert_eq!((erased.code, erased.stdout.as_str(), erased.stderr.as_str()), (Some(0), "", ""), "{name}");
    }
    assert_eq!(aws.connections(), 0);
    assert!(!helper.made_a_cache(), "no cache is made for a foreign name");
}

#[test]
fn what_cannot_be_a_name_is_not_a_registry() {
    let aws = FakeAws::start();
    let helper = Helper::new().aws(&aws).keys("AKIATEST");
    for stdin in [
        format!("{REGISTRY}\nsecond line").into_bytes(),
        format!("{REGISTRY}\0").into_bytes(),
        format!("{REGISTRY}\u{1b}[31m").into_bytes(),
        [REGISTRY.as_bytes(), &[0xff, 0xfe]].concat(),
        vec![b'a'; 65 * 1024],
        [REGISTRY.as_bytes(), &vec![b' '; 64 * 1024]].concat(),
    ] {
        let outcome = helper.run(["get"], &stdin);
        outcome.assert_not_found();
        assert_eq!(helper.run(["erase"], &stdin).code, Some(0));
    }
    assert_eq!(aws.connections(), 0);
}

#[test]
fn stdin_without_a_name_is_answered_with_the_protocols_string() {
    let helper = Helper::new();
    for action in ["get", "erase", "store"] {
        for stdin in ["", "\n", "  \t\r\n "] {
            let outcome = helper.run([action], stdin);
            let expected = (Some(1), "no credentials server URL\n");
            assert_eq!((outcome.code, outcome.stdout.as_str()), expected, "{action} {stdin:?}");
        }
    }
}

#[test]
fn arguments_that_are_no_action_get_one_line_on_stdout() {
    let helper = Helper::new();
    let mut outcomes = Vec::new();
    for arguments in [
        &["frobnicate"][..],
        &["GET"],
        &[""],
        &["get", REGISTRY],
        &["list", "--all"],
        &["version", "x"],
        &["refresh-in-background"],
        &["a\nb\u{1b}[31m"],
    ] {
        outcomes.push(helper.run(arguments, REGISTRY));
    }
    for outcome in outcomes {
        assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(1), ""), "{outcome:?}");
        let line = outcome.stdout.strip_suffix('\n').unwrap();
        assert!(!line.is_empty() && !line.chars().any(char::is_control), "{outcome:?}");
    }
}

/// The kubelet logs stderr alone, so that is where it is told.
#[test]
fn without_an_action_the_usage_is_on_stdout_and_what_a_kubelet_needs_on_stderr() {
    let none: [&str; 0] = [];
    let outcome = Helper::new().run(none, "{\"kind\":\"CredentialProviderRequest\"}");
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    assert!(outcome.stdout.starts_with("usage: ") && outcome.stdout.lines().count() == 1, "{outcome:?}");
    assert!(outcome.line().contains("args: [kubelet]"), "{outcome:?}");
}

#[test]
fn it_says_its_version_and_its_usage() {
    let helper = Helper::new();
    let version = format!("docker-credential-ecr-login {}\n", env!("CARGO_PKG_VERSION"));
    for argument in ["version", "-v", "--version"] {
        let outcome = helper.run([argument], "");
        assert_eq!((outcome.code, &outcome.stdout, outcome.stderr.as_str()), (Some(0), &version, ""), "{argument}");
    }
    for argument in ["--help", "-h"] {
        let outcome = helper.run([argument], "");
        assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""));
        assert!(outcome.stdout.contains("setup"), "{outcome:?}");
    }
}

#[test]
fn docker_login_to_ecr_succeeds_keeps_nothing_and_says_so() {
    let helper = Helper::new();
    for name in [REGISTRY, "https://public.ecr.aws/v2/"] {
        let outcome = helper.run(["store"], login(name, "AWS"));
        assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(0), ""), "{outcome:?}");
        assert!(outcome.line().contains("nothing was stored") && !outcome.line().contains("WARNING"), "{outcome:?}");
    }
    let outcome = helper.env("AWS_ECR_IGNORE_CREDS_STORAGE", "true").run(["store"], login(REGISTRY, "bob"));
    assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(0), ""), "{outcome:?}");
    assert!(outcome.line().contains("WARNING") && outcome.line().contains("\"bob\""), "{outcome:?}");
}

#[test]
fn a_login_with_a_token_of_another_identity_says_whose_credentials_are_used_instead() {
    let aws = FakeAws::start();
    let own = Helper::new().aws(&aws).keys("AKIAOWN");
    let secret = |helper: &Helper| {
        let answer: serde_json::Value = serde_json::from_str(&helper.get(REGISTRY).stdout).unwrap();
        answer["Secret"].as_str().unwrap().to_owned()
    };
    let with = |secret: &str| format!(r#"{{"ServerURL":"{REGISTRY}","Username":"AWS","Secret":"{secret}"}}"#);
    let outcome = own.run(["store"], with(&secret(&own)));
    assert!(!outcome.line().contains("was not fetched by this helper"), "its own token: {outcome:?}");
    let foreign = secret(&Helper::new().aws(&aws).keys("AKIAOTHER"));
    let outcome = own.run(["store"], with(&foreign));
    assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(0), ""), "{outcome:?}");
    let line = outcome.line();
    assert!(
        line.contains(REGISTRY) && line.contains("the helper's own credentials (keys in the environment)"),
        "{line}"
    );
    assert!(line.contains("nothing was stored") && !line.contains(&foreign), "{line}");
}

#[test]
fn docker_login_elsewhere_fails_and_names_the_place_to_look() {
    let helper = Helper::new();
    let outcome = helper.run(["store"], login("docker.io", "bob"));
    assert_eq!(outcome.code, Some(1));
    assert!(outcome.stdout.contains("credHelpers") && outcome.stdout.contains("docker.io"), "{outcome:?}");
    assert!(!format!("{outcome:?}").contains("marked-secret"));
}

#[test]
fn a_store_that_is_no_login_gets_the_protocols_strings() {
    let helper = Helper::new();
    for (stdin, expected) in [
        ("{", "no credentials server URL\n"),
        ("null", "no credentials server URL\n"),
        ("[]", "no credentials server URL\n"),
        ("{}", "no credentials server URL\n"),
        (r#"["docker.io","AWS","marked-secret"]"#, "no credentials server URL\n"),
        (r#"{"ServerURL":"","Username":"AWS","Secret":"marked-secret"}"#, "no credentials server URL\n"),
        (r#"{"ServerURL":null,"Username":"AWS","Secret":"marked-secret"}"#, "no credentials server URL\n"),
        (r#"{"ServerURL":"docker.io","Secret":"marked-secret"}"#, "no credentials username\n"),
        (r#"{"ServerURL":"docker.io","Username":"","Secret":"marked-secret"}"#, "no credentials username\n"),
        (r#"{"ServerURL":["marked-secret"],"Username":"x"}"#, "no credentials server URL\n"),
    ] {
        let outcome = helper.run(["store"], stdin);
        assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(1), expected), "{stdin}: {outcome:?}");
        assert!(!outcome.stderr.contains("marked-secret"), "{outcome:?}");
    }
    assert_eq!(helper.run(["store"], vec![b'{'; 70_000]).code, Some(1));
}

/// The names of a `list`, which warns of nothing.
fn listed(helper: &Helper) -> Vec<String> {
    let outcome = helper.run(["list"], "unused");
    assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""), "{outcome:?}");
    let map: std::collections::BTreeMap<String, String> = serde_json::from_str(&outcome.stdout).unwrap();
    assert!(map.values().all(|user| user == "AWS"));
    map.into_keys().collect()
}

#[test]
fn list_on_a_cold_cache_names_the_callers_own_registry_and_ecr_public_and_keeps_their_tokens() {
    let aws = FakeAws::start();
    let helper = Helper::new().aws(&aws).keys("AKIATEST").env("AWS_REGION", "eu-west-1");
    assert_eq!(listed(&helper), [REGISTRY, "public.ecr.aws"], "the fake's account is {REGISTRY}'s");
    let before = aws.connections();
    helper.get(REGISTRY).token();
    helper.get("public.ecr.aws").token();
    assert_eq!(listed(&helper), [REGISTRY, "public.ecr.aws"]);
    assert_eq!(aws.connections(), before, "both are hits, and with everything cached no service is asked");
    assert_eq!((aws.calls(Service::Ecr), aws.calls(Service::EcrPublic)), (1, 1));

    let without_keys = Helper::new().aws(&aws).env("AWS_REGION", "eu-west-1");
    assert!(listed(&without_keys).is_empty(), "without credentials no password is asked for");
    assert_eq!(aws.connections(), before);
}

/// Whose keys it has printed then is not known.
#[cfg(unix)]
#[test]
fn list_keeps_no_token_of_a_command_that_changes_itself_meanwhile() {
    let aws = FakeAws::start();
    aws.fail(Service::EcrPublic, Fault::access_denied());
    let helper = Helper::new().aws(&aws).env("AWS_REGION", "eu-west-1");
    let answer = r#"{"Version": 1, "AccessKeyId": "AKIATEST", "SecretAccessKey": "s"}"#;
    let script = helper.script("creds", &format!("echo '# changed' >> \"$0\"; echo '{answer}'"));
    let helper = helper.aws_config(&format!("[default]\ncredential_process = {}\n", script.display()));
    for calls in 1..3 {
        assert_eq!(listed(&helper), [REGISTRY]);
        assert_eq!(aws.calls(Service::Ecr), calls, "nothing was kept");
    }
}

#[test]
fn list_takes_the_region_of_the_profile_in_use() {
    let aws = FakeAws::start();
    let helper = Helper::new()
        .aws(&aws)
        .env("AWS_PROFILE", "dev")
        .aws_config("[profile dev]\naws_access_key_id = AKIADEV\naws_secret_access_key = s\nregion = eu-west-1\n");
    assert_eq!(listed(&helper), [REGISTRY, "public.ecr.aws"]);
}

#[test]
fn list_leaves_out_what_cannot_be_asked_and_asks_it_once_a_minute() {
    let aws = FakeAws::start();
    aws.fail(Service::Ecr, Fault::access_denied());
    aws.fail(Service::EcrPublic, Fault::access_denied());
    let helper = Helper::new().aws(&aws).keys("AKIATEST").env("AWS_REGION", "eu-west-1");
    assert!(listed(&helper).is_empty());
    assert!(listed(&helper).is_empty());
    assert_eq!((aws.calls(Service::Ecr), aws.calls(Service::EcrPublic)), (1, 1));
    aws.heal(Service::Ecr);
    assert_eq!(helper.run(["erase"], REGISTRY).code, Some(0), "which forgets the failure");
    aws.fail(Service::EcrPublic, Fault::access_denied());
    helper.get(REGISTRY).token();
    assert_eq!(listed(&helper), [REGISTRY], "a registry that was served is named");
}

#[test]
fn list_names_the_registries_of_the_settings_and_of_dockers_file() {
    let aws = FakeAws::start();
    aws.fail(Service::EcrPublic, Fault::access_denied());
    let [literal, helped, login, variable] =
        [1, 2, 3, 4].map(|account| format!("{account:012}.dkr.ecr.eu-west-1.amazonaws.com"));
    let settings = format!(
        "[[registry]]\nmatch = \"{literal}\"\n[[registry]]\nmatch = \"mirror.example.com\"\nalias_of = \"{literal}\"\n\
         [[registry]]\nmatch = \"*.dkr.ecr.us-*.amazonaws.com\"\n"
    );
    let helper = Helper::new().aws(&aws).keys("AKIATEST").settings(&settings);
    let helper = helper.env("DOCKER_AUTH_CONFIG", format!(r#"{{"auths":{{"{variable}":{{}}}}}}"#));
    let text = format!(
        r#"{{"credHelpers":{{"{helped}":"ecr-login","999999999999.dkr.ecr.eu-west-1.amazonaws.com":"pass","gcr.io":"gcr"}},
        "auths":{{"https://{login}/v2/":{{}},"docker.io":{{}}}}}} and more"#
    );
    helper.write(".docker/config.json", text);
    assert_eq!(listed(&helper), [literal.as_str(), &helped, &login, &variable, "mirror.example.com"]);
    assert_eq!(aws.calls(Service::Ecr), 0, "no region is configured, so the caller's own registry is not asked for");
}

#[test]
fn list_asks_for_no_registry_whose_credentials_the_settings_make_depend_on_its_account() {
    let aws = FakeAws::start();
    aws.fail(Service::EcrPublic, Fault::access_denied());
    for settings in ["role_arn = \"arn:aws:iam::{account}:role/pull\"\n", "anonymous = true\n", "cache = false\n"] {
        let settings = format!("[[registry]]\nmatch = \"*.dkr.ecr.eu-west-1.amazonaws.com\"\n{settings}");
        let helper = Helper::new().aws(&aws).keys("AKIATEST").env("AWS_REGION", "eu-west-1").settings(&settings);
        assert!(listed(&helper).is_empty(), "{settings}");
        assert_eq!(aws.calls(Service::Ecr) + aws.calls(Service::Sts), 0, "{settings}");
    }
    let settings = format!("[[registry]]\nmatch = \"{REGISTRY}\"\nprofile = \"of-its-own\"\n");
    let helper = Helper::new().aws(&aws).keys("AKIATEST").env("AWS_REGION", "eu-west-1").settings(&settings);
    helper.run(["list"], "unused");
    assert!(!helper.get(REGISTRY).stdout.contains("Secret"), "the token of other credentials is not kept for it");
}

#[test]
fn list_says_why_it_cannot_tell_whose_tokens_are_ours_and_status_names_them_all() {
    let aws = FakeAws::start();
    let helper = Helper::new().aws(&aws);
    let keys = helper.write(".aws/credentials", "[default]\naws_access_key_id = AKIATEST\naws_secret_access_key = s\n");
    helper.get(REGISTRY).token();
    std::fs::remove_file(&keys).unwrap();
    std::fs::create_dir(&keys).unwrap();
    let outcome = helper.run(["list"], "unused");
    assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(0), "{}\n"), "{outcome:?}");
    assert!(outcome.line().contains(&format!("cannot read {}", keys.display())), "{outcome:?}");
    assert!(helper.run(["status"], "").stdout.contains(REGISTRY));
}

#[test]
fn a_registry_once_served_stays_on_the_list_when_its_token_has_expired_and_until_clear() {
    let aws = FakeAws::start();
    aws.fail(Service::EcrPublic, Fault::access_denied());
    let other = "210987654321.dkr.ecr.us-east-1.amazonaws.com";
    let helper = Helper::new().aws(&aws).keys("AKIATEST");
    helper.get(REGISTRY).token();
    age(&helper, 13 * HOUR);
    assert_eq!(listed(&helper), [REGISTRY]);
    // This one's write takes the expired token away.
    helper.get(other).token();
    assert_eq!(listed(&helper), [REGISTRY, other]);
    assert_eq!(helper.run(["clear"], "").code, Some(0));
    assert!(listed(&helper).is_empty());
}

#[test]
fn docker_logout_forgets_so_that_the_next_get_asks_anew() {
    let aws = FakeAws::start();
    let helper = Helper::new().aws(&aws).keys("AKIATEST");
    let first = helper.get(REGISTRY).token();
    assert_eq!(helper.get(REGISTRY).token(), first, "from the cache");
    let erased = helper.run(["erase"], format!("https://{REGISTRY}"));
    assert_eq!((erased.code, erased.stdout.as_str(), erased.stderr.as_str()), (Some(0), "", ""));
    assert_ne!(helper.get(REGISTRY).token(), first);
    assert_eq!(aws.calls(Service::Ecr), 2);
    assert_eq!(helper.run(["erase"], REGISTRY).code, Some(0));
    assert_eq!(helper.run(["erase"], REGISTRY).code, Some(0), "twice, as docker does");
}

#[cfg(target_os = "linux")]
mod stdout_that_takes_nothing {
    use super::*;

    fn shell(helper: &Helper, script: &str, stdin: &str) -> crate::support::Outcome {
        let mut command = helper.command([""; 0]);
        let environment: Vec<_> = command.get_envs().filter_map(|(k, v)| Some((k.to_owned(), v?.to_owned()))).collect();
        command = std::process::Command::new("/bin/sh");
        command.args(["-c", &format!("\"$0\" {script}")]).arg(crate::support::binary());
        command.env_clear().envs(environment);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Running::start(command, stdin.as_bytes()).wait()
    }

    #[test]
    fn full_or_closed_is_a_failure_and_reported() {
        let aws = FakeAws::start();
        let helper = Helper::new().aws(&aws).keys("AKIATEST");
        helper.get(REGISTRY).token();
        for action in ["get", "list", "version", "--help"] {
            for (to, reason) in [(">/dev/full", "No space left"), (">&-", "stdout is closed")] {
                let outcome = shell(&helper, &format!("{action} {to}"), REGISTRY);
                assert_eq!(outcome.code, Some(1), "{action} {to}: {outcome:?}");
                if action != "--help" {
                    assert!(outcome.line().contains(reason), "{action} {to}: {outcome:?}");
                }
            }
        }
        let outcome = shell(&helper, "get >/dev/null", REGISTRY);
        assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""), "thrown away on purpose: {outcome:?}");
        assert_eq!(shell(&helper, "erase >&-", REGISTRY).code, Some(0), "nothing was to be delivered");
    }

    #[test]
    fn a_pipe_without_a_reader_is_a_failure() {
        let aws = FakeAws::start();
        let helper = Helper::new().aws(&aws).keys("AKIATEST");
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = helper.command(["get"]);
        command.stdout(writer);
        let outcome = Running::start(command, REGISTRY.as_bytes()).wait();
        assert_eq!(outcome.code, Some(1));
        assert!(outcome.line().contains("Broken pipe"), "{outcome:?}");
    }
}

#[cfg(unix)]
mod stdin_that_does_not_end {
    use super::*;

    #[test]
    fn without_an_end_it_is_cut_off() {
        let helper = Helper::new();
        let mut command = helper.command(["get"]);
        command.stdin(std::fs::File::open("/dev/zero").unwrap());
        Running::start(command, b"").wait().assert_not_found();
    }

    #[test]
    fn without_a_beginning_it_is_waited_for_until_the_deadline() {
        let helper = Helper::new().env("ECR_LOGIN_TIMEOUT", "0.5");
        for action in ["get", "erase", "store"] {
            let (reader, writer) = std::io::pipe().unwrap();
            let mut command = helper.command([action]);
            command.stdin(reader);
            let outcome = Running::start(command, b"").wait();
            drop(writer);
            assert_eq!(outcome.code, Some(1), "{action}: {outcome:?}");
            assert!((outcome.stdout + &outcome.stderr).contains("stdin did not end within 0.5 s"), "{action}");
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_reason_without_a_reader_delays_no_answer() {
    use std::io::Write;

    let (reader, mut writer) = std::io::pipe().unwrap();
    rustix::io::ioctl_fionbio(&writer, true).unwrap();
    while writer.write(&[b'x'; 4096]).is_ok() {}
    rustix::io::ioctl_fionbio(&writer, false).unwrap();
    let helper = Helper::new();
    let mut command = helper.command(["get"]);
    command.stderr(writer);
    let outcome = Running::start(command, REGISTRY.as_bytes()).wait();
    drop(reader);
    assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(1), NOT_FOUND));
}

#[test]
fn a_settings_file_in_error_breaks_no_foreign_registry_and_is_reported() {
    let helper = Helper::new().settings("strickt = true\n");
    let outcome = helper.get("docker.io");
    assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(1), NOT_FOUND));
    assert!(outcome.line().contains("config.toml:1: strickt"), "{outcome:?}");
    let outcome = helper.get(REGISTRY);
    assert!(outcome.failure().contains("config.toml:1: strickt"), "{outcome:?}");
    for (action, stdin, code) in [("erase", REGISTRY, 0), ("erase", "docker.io", 0), ("list", "unused", 0)] {
        let outcome = helper.run([action], stdin);
        assert_eq!(outcome.code, Some(code), "{outcome:?}");
        assert!(outcome.line().contains("config.toml:1: strickt"), "{outcome:?}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_crash_leaves_no_core_and_no_other_process_may_trace_it() {
    use std::os::unix::process::ExitStatusExt;
    let helper = Helper::new();
    let dumps = |program: &str, arguments: &str| {
        let script = format!("ulimit -c unlimited 2>/dev/null; exec \"{program}\" {arguments}");
        let mut command = std::process::Command::new("/bin/sh");
        command.args(["-c", &script]).env_clear().current_dir(helper.home()).stdin(Stdio::piped());
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(700));
        let pid = rustix::process::Pid::from_child(&child);
        rustix::process::kill_process(pid, rustix::process::Signal::ABORT).unwrap();
        let status = child.wait().unwrap();
        assert_eq!(status.signal(), Some(6), "{status:?}");
        status.core_dumped()
    };
    assert!(!dumps(crate::support::binary().to_str().unwrap(), "get"));
    if !dumps("/bin/sleep", "30") {
        eprintln!("this system dumps no cores at all: the test above shows nothing here");
    }
}

/// Only root can make a file that runs with another user's rights.
#[cfg(target_os = "linux")]
#[test]
fn with_rights_that_the_caller_lacks_it_refuses() {
    use std::os::unix::fs::{PermissionsExt, chown};
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: only root can set up a setuid file of another user");
        return;
    }
    const NOBODY: u32 = 65534;
    let helper = Helper::new();
    let program = helper.home().join("docker-credential-ecr-login");
    crate::support::copy_binary(&program);
    std::fs::set_permissions(helper.home(), std::fs::Permissions::from_mode(0o755)).unwrap();
    for (user, group, mode) in [(Some(NOBODY), None, 0o4755), (None, Some(NOBODY), 0o2755)] {
        chown(&program, user.or(Some(0)), group.or(Some(0))).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(mode)).unwrap();
        let outcome = Helper::new().program(&program).get(REGISTRY);
        assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(1), ""), "{outcome:?}");
        assert!(outcome.line().contains("refuses to run with rights that its caller lacks"), "{outcome:?}");
    }
}
