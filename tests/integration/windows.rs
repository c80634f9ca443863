//! What is Windows' own: access lists, programs with extensions, paths with blanks and prefixes, pipes that children
//! inherit, the system's store of certificates. (Elsewhere than on Windows cargo runs these under Wine: scripts/cross.sh.)

use std::io::Write as _;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use schannel::cert_context::CertContext;
use schannel::cert_store::{CertAdd, CertStore};

use crate::support::cache::{HOUR, age, entries, eventually, names};
use crate::support::{Certificate, FakeAws, Fault, Helper, NOT_FOUND, REGISTRY, Running, Service, binary, copy_binary};

const KEYS: &str = r#"{"Version": 1, "AccessKeyId": "AKIAPROCESS", "SecretAccessKey": "s"}"#;

/// A batch file under the home.
fn batch(helper: &Helper, path: &str, lines: &str) -> std::path::PathBuf {
    helper.write(path, format!("@echo off\r\n{}\r\n", lines.replace('\n', "\r\n")))
}

#[test]
fn a_docker_configuration_that_is_a_plain_file_is_read_and_edited() {
    let helper = Helper::new();
    let config = helper.write(".docker/config.json", "{\r\n  \"auths\": {}\r\n}\r\n");
    let outcome = helper.run(["setup", "docker", "--registry", REGISTRY], "");
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    assert!(std::fs::read_to_string(config).unwrap().contains("\"ecr-login\""));
}

#[test]
fn paths_are_shown_as_people_write_them() {
    let helper = Helper::new();
    // The program is not on PATH, so doctor says which directory is to be added.
    let outcome = helper.run(["doctor", REGISTRY], "");
    let parent = binary().parent().unwrap().file_name().unwrap().to_str().unwrap();
    assert!(outcome.stdout.contains(parent), "{outcome:?}");
    assert!(!outcome.stdout.contains(r"\\?\"), "{outcome:?}");
}

#[test]
fn remedies_name_no_file_of_another_system() {
    let helper = Helper::new().keys("AKIATEST").env("AWS_ENDPOINT_URL", "https://no-such-host.invalid");
    let line = helper.get(REGISTRY).failure().to_owned();
    assert!(line.contains("no-such-host.invalid") && !line.contains("/etc/"), "{line}");
}

#[test]
fn variables_are_found_whatever_the_case_of_their_names() {
    let aws = FakeAws::start();
    let helper = Helper::new().aws(&aws).env("aws_access_key_id", "AKIALOWER").env("Aws_Secret_Access_Key", "s");
    assert_eq!(helper.get(REGISTRY).token().key, "AKIALOWER");
}

#[test]
fn settings_and_profiles_with_windows_line_ends_are_read() {
    let aws = FakeAws::start();
    let helper = Helper::new().aws(&aws);
    let helper = helper.settings(&format!("[[registry]]\r\nmatch = \"{REGISTRY}\"\r\nprofile = \"prod\"\r\n"));
    helper.write(".aws/credentials", "[prod]\r\naws_access_key_id = AKIAPROD\r\naws_secret_access_key = prod\r\n");
    assert_eq!(helper.get(&format!("{REGISTRY}\r\n")).token().key, "AKIAPROD");
}

#[test]
fn the_null_device_is_an_empty_configuration() {
    let aws = FakeAws::start();
    let helper = Helper::new().aws(&aws).keys("AKIATEST").env("AWS_CONFIG_FILE", "NUL");
    assert_eq!(helper.get(REGISTRY).token().key, "AKIATEST");
}

#[test]
fn a_credential_process_in_a_directory_with_blanks_is_run_with_its_words() {
    let aws = FakeAws::start();
    let helper = Helper::new().aws(&aws).env("AWS_PROFILE", "dev");
    let path = batch(&helper, r"my tools\creds.cmd", &format!("echo %~1 %~2>\"%USERPROFILE%\\words\"\necho {KEYS}"));
    let helper =
        helper.aws_config(&format!("[profile dev]\ncredential_process = \"{}\" --user \"Ana B\"\n", path.display()));
    assert_eq!(helper.get(REGISTRY).token().key, "AKIAPROCESS");
    let words = std::fs::read_to_string(helper.home().join("words")).unwrap();
    assert_eq!(words.trim(), "--user Ana B");
}

#[test]
fn at_the_deadline_a_credential_process_goes_with_what_it_started() {
    let aws = FakeAws::start();
    aws.fail(Service::Ecr, Fault::Hang);
    let helper = Helper::new().aws(&aws).env("AWS_PROFILE", "dev").env("ECR_LOGIN_TIMEOUT", "3");
    // Its own child is a `get` that waits for an ECR that does not answer, and holds a file open meanwhile.
    let inner =
        "set AWS_PROFILE=\nset AWS_ACCESS_KEY_ID=AKIAINNER\nset AWS_SECRET_ACCESS_KEY=s\nset ECR_LOGIN_TIMEOUT=100";
    let held = helper.home().join("held");
    let lines = format!("{inner}\necho {REGISTRY}| \"{}\" get >\"{}\"", binary().display(), held.display());
    let path = batch(&helper, "creds.cmd", &lines);
    let helper = helper.aws_config(&format!("[profile dev]\ncredential_process = \"{}\"\n", path.display()));
    let line = helper.get(REGISTRY).failure().to_owned();
    assert!(line.contains("still running") && line.contains("killed"), "{line}");
    assert_eq!(aws.calls(Service::Ecr), 1, "the child asked");
    eventually("nobody holds the file", || std::fs::remove_file(&held).is_ok());
}

#[test]
fn a_delegate_is_found_by_the_extensions_of_pathext() {
    let helper = Helper::new().settings("delegate = \"other\"\n").env("PATHEXT", ".EXE;.CMD");
    batch(
        &helper,
        r"bin\docker-credential-other.cmd",
        "set /p name=\necho {\"got\":\"%name%\",\"action\":\"%~1\"}\nexit /b 7",
    );
    let helper = helper.env("ComSpec", std::env::var("ComSpec").unwrap());
    let outcome = helper.get("docker.io\r\n");
    assert_eq!(
        (outcome.code, outcome.stdout.trim()),
        (Some(7), r#"{"got":"docker.io","action":"get"}"#),
        "{outcome:?}"
    );
}

#[test]
fn a_delegate_that_is_this_program_under_another_name_is_refused() {
    let helper = Helper::new().settings("delegate = \"other\"\n");
    let bin = helper.home().join("bin");
    std::fs::create_dir_all(&bin).unwrap();
    copy_binary(&bin.join("docker-credential-other.exe"));
    let outcome = helper.get("docker.io");
    assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(1), NOT_FOUND));
    assert!(outcome.stderr.contains("this helper"), "{outcome:?}");
}

#[test]
fn who_reads_the_answer_does_not_wait_for_the_refresh_in_the_background() {
    let aws = FakeAws::start();
    let helper = Helper::new().aws(&aws).keys("AKIATEST").env("ECR_LOGIN_TIMEOUT", "20");
    let serial = helper.get(REGISTRY).token().serial;
    age(&helper, 8 * HOUR);
    aws.fail(Service::Ecr, Fault::Hang);
    // The pipes of this `get` are at their end when it has ended, though the other process runs on.
    assert_eq!(helper.get(REGISTRY).token().serial, serial);
    let marks = || names(&helper.cache()).into_iter().filter(|name| name.ends_with(".refreshing")).count();
    assert_eq!(marks(), 1, "it is still at work");
    eventually("it asks", || aws.calls(Service::Ecr) == 2);
}

#[test]
fn an_answer_without_a_reader_is_a_failure() {
    let aws = FakeAws::start();
    let helper = Helper::new().aws(&aws).keys("AKIATEST");
    let mut command = helper.command(["get"]);
    let mut child = command.stderr(Stdio::null()).spawn().unwrap();
    drop(child.stdout.take());
    child.stdin.take().unwrap().write_all(REGISTRY.as_bytes()).unwrap();
    assert_ne!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn the_cache_directory_is_made_for_its_owner_alone_and_files_in_it_are_served() {
    let aws = FakeAws::start();
    // On the drive where Wine keeps Unix modes as access lists, below a directory that others may read.
    let above = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let helper = Helper::new().aws(&aws).keys("AKIATEST").env("AWS_ECR_CACHE_DIR", above.path());
    let serial = helper.get(REGISTRY).token().serial;
    assert_eq!(helper.get(REGISTRY).token().serial, serial);
    assert_eq!(aws.calls(Service::Ecr), 1);
}

#[test]
fn a_cache_directory_that_others_may_use_is_not_used() {
    let aws = FakeAws::start();
    let above = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let ours = above.path().join("ecr-login");
    std::fs::create_dir(&ours).unwrap();
    let helper = Helper::new().aws(&aws).keys("AKIATEST").env("AWS_ECR_CACHE_DIR", above.path());
    let outcome = helper.get(REGISTRY);
    outcome.token_with_warning();
    assert!(outcome.line().contains("others can use it"), "{outcome:?}");
    assert!(names(&ours).is_empty(), "no token is left there");
}

#[test]
fn many_gets_that_read_while_one_writes_all_have_an_answer() {
    let aws = FakeAws::start();
    let helper = Helper::new().aws(&aws).keys("AKIATEST").env("ECR_LOGIN_TIMEOUT", "60");
    let gets: Vec<Running> = (0..12).map(|_| helper.start(["get"], REGISTRY)).collect();
    for get in gets {
        get.wait().token();
    }
    assert_eq!((aws.calls(Service::Ecr), entries(&helper).len()), (1, 1));
}

#[test]
fn a_path_in_double_quotes_in_the_settings_has_a_line_that_says_what_to_do() {
    let helper = Helper::new().keys("AKIATEST").settings("[[registry]]\nmatch = \"*\"\nprofile = \"C:\\Users\\dev\"\n");
    let line = helper.get(REGISTRY).failure().to_owned();
    assert!(line.contains("config.toml:3: profile") && line.contains("single quotes"), "{line}");
}

#[test]
fn the_home_is_the_users_profile_whatever_home_says() {
    let (aws, another) = (FakeAws::start(), Helper::new());
    let keys = |id| format!("[default]\naws_access_key_id = {id}\naws_secret_access_key = s\n");
    another.write(".aws/credentials", keys("AKIAHOME"));
    let helper = Helper::new().aws(&aws).env("HOME", another.home());
    helper.write(".aws/credentials", keys("AKIAPROFILE"));
    assert_eq!(helper.get(REGISTRY).token().key, "AKIAPROFILE");
}

#[test]
fn paths_relative_to_a_drive_with_a_prefix_or_with_variables_are_read() {
    let aws = FakeAws::start();
    let helper = Helper::new().aws(&aws);
    let path = helper.write("my keys", "[default]\naws_access_key_id = AKIAFILE\naws_secret_access_key = s\n");
    let path = path.display().to_string();
    // The working directory is the home; its drive's letter alone means the working directory there.
    let (drive, below) = path.split_at(2);
    let names = [format!("{drive}my keys"), below.to_owned(), format!(r"\\?\{path}"), format!(r"\\.\{path}")];
    for name in names.into_iter().chain([r"%USERPROFILE%\my keys".to_owned(), r"~\my keys".to_owned()]) {
        let mut command = helper.command(["get"]);
        command.env("AWS_SHARED_CREDENTIALS_FILE", &name);
        let outcome = Running::start(command, REGISTRY.as_bytes()).wait();
        assert_eq!(outcome.token().key, "AKIAFILE", "{name}");
    }
}

/// Opens a file as a program does that lets nobody else read, write or remove it.
fn hold(path: &std::path::Path) -> std::fs::File {
    use std::os::windows::fs::OpenOptionsExt as _;
    std::fs::File::options().read(true).share_mode(0).open(path).unwrap()
}

#[test]
fn an_entry_that_another_program_holds_open_fails_no_get() {
    let aws = FakeAws::start();
    let helper = Helper::new().aws(&aws).keys("AKIATEST");
    let first = helper.get(REGISTRY).token().serial;
    let entry = names(&helper.cache()).into_iter().find(|name| name.ends_with(REGISTRY)).unwrap();
    let held = hold(&helper.cache().join(entry));
    assert!(helper.get(REGISTRY).token_with_warning().serial > first);
    drop(held);
    helper.get(REGISTRY).token();
}

#[test]
fn an_entry_that_is_being_read_is_replaced() {
    let aws = FakeAws::start();
    let helper = Helper::new().aws(&aws).keys("AKIATEST");
    let first = helper.get(REGISTRY).token().serial;
    let entry = names(&helper.cache()).into_iter().find(|name| name.ends_with(REGISTRY)).unwrap();
    let entry = helper.cache().join(entry);
    for round in 1..=3 {
        age(&helper, 13 * HOUR);
        let (entry, done) = (entry.clone(), std::sync::Arc::new(AtomicBool::new(false)));
        let reader = std::thread::spawn({
            let done = done.clone();
            move || {
                while !done.load(Ordering::Relaxed) {
                    let open = std::fs::File::open(&entry);
                    std::thread::sleep(Duration::from_millis(4));
                    drop(open);
                    std::thread::sleep(Duration::from_millis(2));
                }
            }
        });
        helper.get(REGISTRY).token();
        done.store(true, Ordering::Relaxed);
        reader.join().unwrap();
        assert!(helper.get(REGISTRY).token().serial > first);
        assert_eq!(aws.calls(Service::Ecr), 1 + round, "what round {round} fetched is kept");
    }
}

#[test]
fn a_docker_configuration_that_another_program_holds_open_is_left_as_it_is() {
    let helper = Helper::new();
    let config = helper.write(".docker/config.json", "{}");
    let held = hold(&config);
    let outcome = helper.run(["setup", "docker", "--registry", REGISTRY], "");
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    assert!(outcome.line().contains("config.json"), "{outcome:?}");
    drop(held);
    assert_eq!(std::fs::read_to_string(&config).unwrap(), "{}");
    assert_eq!(names(config.parent().unwrap()), ["config.json"]);
}

/// An authority in the store of roots for as long as this lives.
struct Trusted(CertContext);

impl Trusted {
    fn store() -> CertStore {
        // On Windows the user's own store would ask a person; under Wine that of the machine may not be written.
        let is_wine = std::env::var_os("WINEPREFIX").is_some();
        if is_wine { CertStore::open_current_user("Root") } else { CertStore::open_local_machine("Root") }.unwrap()
    }

    /// A store is written when it is closed, which it is when the last of its certificates is.
    fn new(pem: &str) -> Self {
        let certificate = CertContext::from_pem(pem).unwrap();
        Self::store().add_cert(&certificate, CertAdd::ReplaceExisting).unwrap();
        let kept = Self::store().certs().any(|kept| kept.to_der() == certificate.to_der());
        assert!(kept, "the store has it");
        Self(certificate)
    }
}

impl Drop for Trusted {
    fn drop(&mut self) {
        let kept = Self::store().certs().find(|kept| kept.to_der() == self.0.to_der());
        let _ = kept.map(CertContext::delete);
    }
}

#[test]
fn an_authority_in_the_systems_store_is_trusted() {
    let aws = FakeAws::over_tls(Certificate::Good);
    let helper = || Helper::new().keys("AKIATEST").env("AWS_ENDPOINT_URL", aws.url());
    let line = helper().get(REGISTRY).failure().to_owned();
    assert!(line.contains("certificate") || line.contains("trusted"), "{line}");
    let _trusted = Trusted::new(aws.authority().pem());
    assert_eq!(helper().get(REGISTRY).token().key, "AKIATEST");
}
