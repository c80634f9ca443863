//! Logs: none by default; with them, what happened, and never a secret.

use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::support::{Certificate, FakeAws, Fault, Helper, Outcome, REGISTRY, Service, side_by_side};

const LEVELS: [&str; 5] = ["error", "warn", "info", "debug", "trace"];

#[test]
fn nothing_is_logged_by_default() {
    let aws = FakeAws::start();
    let helper = Helper::new().aws(&aws).keys("AKIALOG").env("ECR_LOGIN_LOG_FILE", "log");
    helper.get(REGISTRY).token();
    assert!(!helper.home().join("log").exists());
}

#[test]
fn stderr_says_what_happened_at_the_level_asked_for() {
    let aws = FakeAws::start();
    let mut lines = Vec::new();
    for level in LEVELS {
        let helper = Helper::new().aws(&aws).keys("AKIALOG").env("ECR_LOGIN_LOG", level);
        let outcome = helper.get(REGISTRY);
        outcome.token_with_warning();
        lines.push(outcome.stderr.lines().count());
        if level == "info" {
            assert!(outcome.stderr.contains(REGISTRY) && outcome.stderr.contains("INFO"), "{outcome:?}");
            assert!(outcome.stderr.contains("milliseconds="), "{outcome:?}");
        }
    }
    assert_eq!(lines[..2], [0, 0], "nothing went wrong");
    assert!(lines[2] > 0 && lines[3] > lines[2] && lines[4] >= lines[3], "{lines:?}");
}

#[test]
fn a_hit_and_a_miss_are_distinguished() {
    let aws = FakeAws::start();
    let helper = Helper::new().aws(&aws).keys("AKIALOG").env("ECR_LOGIN_LOG", "info");
    let (miss, hit) = (helper.get(REGISTRY).stderr, helper.get(REGISTRY).stderr);
    assert!(miss.contains("outcome=Invalid") && miss.contains("ECR gave a token"), "{miss}");
    assert!(hit.contains("outcome=Fresh") && !hit.contains("ECR gave a token"), "{hit}");
}

#[test]
fn a_failure_is_a_warning() {
    let aws = FakeAws::start();
    aws.fail(Service::Ecr, Fault::NoData);
    let outcome = Helper::new().aws(&aws).keys("AKIALOG").env("ECR_LOGIN_LOG", "warn").get(REGISTRY);
    assert_eq!(outcome.code, Some(1));
    assert!(outcome.stderr.lines().any(|line| line.contains(" WARN ") && line.contains("no token")), "{outcome:?}");
}

#[test]
fn an_unknown_level_is_reported_and_the_answer_comes_all_the_same() {
    let aws = FakeAws::start();
    let outcome = Helper::new().aws(&aws).keys("AKIALOG").env("ECR_LOGIN_LOG", "loud").get(REGISTRY);
    outcome.token_with_warning();
    assert!(outcome.line().contains("ECR_LOGIN_LOG is \"loud\""), "{outcome:?}");
}

#[test]
fn whoever_asks_for_a_foreign_name_hears_nothing_of_a_wrong_level_or_file() {
    for (level, file) in [("loud", ""), ("info", "/no/such/directory/log")] {
        let helper = Helper::new().keys("AKIALOG").env("ECR_LOGIN_LOG", level).env("ECR_LOGIN_LOG_FILE", file);
        helper.get("ghcr.io").assert_not_found();
        let erase = helper.run(["erase"], "ghcr.io");
        assert_eq!((erase.code, erase.stderr.as_str()), (Some(0), ""));
        let request = r#"{"kind":"CredentialProviderRequest","apiVersion":"credentialprovider.kubelet.k8s.io/v1","image":"ghcr.io/x"}"#;
        let kubelet = helper.run(["kubelet"], request);
        assert_eq!((kubelet.code, kubelet.stderr.as_str()), (Some(0), ""), "{kubelet:?}");
        for arguments in [&["erase"][..], &["list"], &["status"]] {
            let run = helper.run(arguments, REGISTRY);
            assert!(run.line().contains("ECR_LOGIN_LOG"), "{arguments:?}: {run:?}");
        }
    }
}

#[cfg(unix)]
#[test]
fn the_file_is_private_whatever_the_umask_and_added_to() {
    use std::os::unix::fs::PermissionsExt as _;
    let aws = FakeAws::start();
    let helper = Helper::new().aws(&aws).keys("AKIALOG").env("ECR_LOGIN_LOG", "info");
    let file = helper.home().join("ecr.log");
    let helper = helper.env("ECR_LOGIN_LOG_FILE", &file).env("AWS_ECR_DISABLE_CACHE", "1");
    helper.get(REGISTRY).token();
    let first = fs::read_to_string(&file).unwrap();
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    helper.get(REGISTRY).token();
    let both = fs::read_to_string(&file).unwrap();
    assert!(both.starts_with(&first) && both.len() > first.len());
}

#[cfg(unix)]
#[test]
fn a_full_file_is_put_aside_with_one_old_one_kept() {
    let aws = FakeAws::start();
    let helper = Helper::new().aws(&aws).keys("AKIALOG").env("ECR_LOGIN_LOG", "info");
    let file = helper.home().join("ecr.log");
    let helper = helper.env("ECR_LOGIN_LOG_FILE", &file).env("AWS_ECR_DISABLE_CACHE", "1");
    fs::write(&file, vec![b'1'; 5 * 1024 * 1024]).unwrap();
    fs::write(helper.home().join("ecr.log.old"), "the one before").unwrap();
    helper.get(REGISTRY).token();
    assert!(fs::metadata(&file).unwrap().len() < 10_000);
    assert_eq!(fs::metadata(helper.home().join("ecr.log.old")).unwrap().len(), 5 * 1024 * 1024);
}

#[test]
fn a_full_file_that_another_process_locks_blocks_no_call_and_is_added_to() {
    let aws = FakeAws::start();
    let helper = Helper::new().aws(&aws).keys("AKIALOG").env("ECR_LOGIN_LOG", "info");
    let file = helper.write("ecr.log", vec![b'1'; 5 * 1024 * 1024]);
    let helper = helper.env("ECR_LOGIN_LOG_FILE", &file);
    let held = fs::File::open(&file).unwrap();
    held.lock().unwrap();
    helper.start(["get"], REGISTRY).killed_after(Duration::from_secs(20)).token();
    assert!(added(&file).contains("ECR gave a token"));
    drop(held);
    helper.get(REGISTRY).token();
    assert!(fs::metadata(&file).unwrap().len() < 10_000, "the next one puts it aside");
}

#[test]
fn a_full_file_that_cannot_be_put_aside_is_added_to() {
    let aws = FakeAws::start();
    let helper = Helper::new().aws(&aws).keys("AKIALOG").env("ECR_LOGIN_LOG", "info");
    let file = helper.write("ecr.log", vec![b'1'; 5 * 1024 * 1024]);
    // Not even root may rename a file to the name of a directory.
    fs::create_dir(helper.home().join("ecr.log.old")).unwrap();
    let helper = helper.env("ECR_LOGIN_LOG_FILE", &file);
    helper.get(REGISTRY).token();
    let added = added(&file);
    assert!(added.contains("asking ECR for a token") && added.contains("ECR gave a token"), "{added}");
}

/// What was written behind the first 5 MiB.
fn added(file: &Path) -> String {
    String::from_utf8(fs::read(file).unwrap().split_off(5 * 1024 * 1024)).unwrap()
}

#[cfg(unix)]
#[test]
fn a_file_that_cannot_be_ours_is_not_written_and_the_answer_comes_all_the_same() {
    let aws = FakeAws::start();
    let helper = Helper::new().aws(&aws).keys("AKIALOG").env("ECR_LOGIN_LOG", "trace");
    let victim = helper.write("victim", "precious");
    std::os::unix::fs::symlink(&victim, helper.home().join("link")).unwrap();
    for path in ["link", ".", "no/such/directory/log"] {
        let path = helper.home().join(path);
        let helper = Helper::new().aws(&aws).keys("AKIALOG").env("ECR_LOGIN_LOG", "trace");
        let outcome = helper.env("ECR_LOGIN_LOG_FILE", &path).get(REGISTRY);
        outcome.token_with_warning();
        assert!(outcome.line().contains("ECR_LOGIN_LOG_FILE"), "{outcome:?}");
    }
    assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
}

/// Everything at `trace`, with the SDK told to print bodies, over every kind of source and fault: every byte that the
/// helper writes is searched for every secret there was.
#[test]
fn no_secret_is_ever_written() {
    let faults = [None, Some(Fault::throttled()), Some(Fault::NoData), Some(Fault::Cut)];
    let logged = side_by_side(faults, search_all_sources);
    assert!(logged.iter().all(|bytes| *bytes > 1000), "something was logged at all: {logged:?}");
}

/// Runs the commands with each source of credentials against an AWS with this fault; how much was logged, in bytes.
fn search_all_sources(fault: Option<Fault>) -> usize {
    let aws = FakeAws::over_tls(Certificate::Good);
    if let Some(fault) = fault {
        aws.fail(Service::Ecr, fault);
    }
    let helper = Helper::new()
        .aws(&aws)
        .env("LOG_SENSITIVE_BODIES", "all")
        .env("RUST_LOG", "trace")
        .env("ECR_LOGIN_LOG", "trace")
        .env("HTTPS_PROXY", "http://user:MARKED-PROXY@127.0.0.1:9")
        .env("AWS_ECR_DISABLE_CACHE", "1");
    let url = aws.url().replacen("://", "://user:MARKED-ENDPOINT@", 1);
    helper.write("token", "MARKED-WEB-IDENTITY");
    helper.write("container-token", "MARKED-CONTAINER");
    let config = "[profile keys]\naws_access_key_id = AKIAFILE\naws_secret_access_key = MARKED-FILE-SECRET\n\
        [profile role]\nsource_profile = keys\nrole_arn = arn:aws:iam::123456789012:role/r\nexternal_id = MARKED-EXTERNAL\n\
        [profile process]\ncredential_process = sh -c \"echo MARKED-STDERR >&2; echo '{\\\"Version\\\":1,\\\"AccessKeyId\\\":\\\"AKIAPROCESS\\\",\\\"SecretAccessKey\\\":\\\"MARKED-PROCESS\\\",\\\"SessionToken\\\":\\\"MARKED-SESSION\\\"}'\" MARKED-COMMAND-LINE\n\
        [profile fails]\ncredential_process = sh -c \"exit 3\" MARKED-COMMAND-LINE\n\
        [profile sso]\nsso_start_url = https://start.example.com\nsso_region = us-west-2\nsso_account_id = 123456789012\nsso_role_name = R\n";
    let helper = helper.aws_config(config);
    let with = |variables: &[(&str, &str)]| {
        let mut fresh = Helper::new().aws(&aws).aws_config(config);
        fresh.write("token", "MARKED-WEB-IDENTITY");
        let login = "{\"startUrl\":\"https://start.example.com\",\"region\":\"us-west-2\",\"accessToken\":\"MARKED-ACCESS\",\"expiresAt\":\"2099-01-01T00:00:00Z\"}";
        fresh.write(&format!(".aws/sso/cache/{}.json", sha1("https://start.example.com")), login);
        for (name, value) in variables {
            fresh = fresh.env(name, *value);
        }
        fresh = fresh.env("LOG_SENSITIVE_BODIES", "all").env("RUST_LOG", "trace").env("ECR_LOGIN_LOG", "trace");
        fresh = fresh.env("HTTPS_PROXY", "http://user:MARKED-PROXY@127.0.0.1:9").env("NO_PROXY", "127.0.0.1");
        let log = fresh.home().join("log");
        fresh.env("ECR_LOGIN_LOG_FILE", log)
    };
    let token = helper.home().join("token");
    let web: &[(&str, &str)] = &[
        ("AWS_WEB_IDENTITY_TOKEN_FILE", token.to_str().unwrap()),
        ("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/web"),
    ];
    let container_uri = format!("{}/credentials?id=MARKED-QUERY", aws.url());
    let imds = aws.url();
    let sources: [&[(&str, &str)]; 10] = [
        &[
            ("AWS_ACCESS_KEY_ID", "AKIAENV"),
            ("AWS_SECRET_ACCESS_KEY", "MARKED-ENV-SECRET"),
            ("AWS_SESSION_TOKEN", "MARKED-ENV-SESSION"),
        ],
        &[("AWS_PROFILE", "keys")],
        &[("AWS_PROFILE", "role")],
        &[("AWS_PROFILE", "process")],
        &[("AWS_PROFILE", "fails")],
        web,
        &[
            ("AWS_CONTAINER_CREDENTIALS_FULL_URI", &container_uri),
            ("AWS_CONTAINER_AUTHORIZATION_TOKEN", "MARKED-CONTAINER"),
        ],
        &[("AWS_PROFILE", "keys"), ("AWS_ENDPOINT_URL", &url)],
        &[("AWS_PROFILE", "sso")],
        &[("AWS_EC2_METADATA_SERVICE_ENDPOINT", &imds), ("AWS_EC2_METADATA_DISABLED", "false")],
    ];
    let mut logged = 0;
    for variables in sources {
        let helper = with(variables).env("ECR_LOGIN_TIMEOUT", "2");
        for arguments in [&["get"][..], &["list"], &["status"], &["erase"], &["doctor", REGISTRY]] {
            let outcome = helper.run(arguments, REGISTRY);
            search(&outcome, arguments[0], variables);
            logged += search_files(&helper);
        }
    }
    logged
}

/// The answer to a `get` is the one place where a token may be.
fn search(outcome: &Outcome, action: &str, variables: &[(&str, &str)]) {
    let answer = action == "get" && outcome.code == Some(0);
    let stdout = if answer { "" } else { outcome.stdout.as_str() };
    let passwords = answer.then(|| outcome.answer().secret);
    for text in [stdout, outcome.stderr.as_str()] {
        assert!(!text.contains("MARKED"), "{variables:?} {action}: {text}");
        assert!(passwords.iter().all(|password| !text.contains(password.as_str())), "{variables:?} {action}: {text}");
        assert!(!text.contains("QVdTO"), "a token in base64: {variables:?} {action}: {text}");
    }
}

fn search_files(helper: &Helper) -> usize {
    let mut found = 0;
    for name in ["log", "log.old"] {
        if let Ok(text) = fs::read_to_string(Path::new(helper.home()).join(name)) {
            // The last ones are words that stand around secrets in what the SDK prints.
            let around = ["\"token\"", "authorizationToken", "authorization_token", "Basic ", "Credential=", "Bearer"];
            for secret in ["MARKED", "QVdTO"].into_iter().chain(around) {
                assert!(!text.contains(secret), "{secret} in the log: {text}");
            }
            found += text.len();
        }
    }
    found
}

/// As `sha1sum` has it: how the AWS CLI names the file of an SSO login.
fn sha1(text: &str) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY, text.as_bytes());
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}
