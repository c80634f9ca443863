use super::*;

use serde_json::Value;

const LOGIN: &str = r#"{"startUrl":"https://d-1.awsapps.com/start","accessToken":"old","expiresAt":"2026-04-01T12:00:00Z",
    "clientId":"client","clientSecret":"secret","registrationExpiresAt":"2026-05-01T12:00:00Z","refreshToken":"refresh",
    "ours to keep":[1,{"a":null}]}"#;

fn at(text: &str) -> SystemTime {
    timestamp::parse(text).unwrap()
}

#[test]
fn what_others_wrote_stays_as_it_is_written_numbers_that_no_computer_has_too() {
    let others = ["\"a\":1.1111000061713788e27", "\"b\":123456789012345678901234567890", "\"c\":[1e999, null]"];
    let text = LOGIN.replace("\"startUrl\"", &format!("{},\"startUrl\"", others.join(",")));
    let login = Login::parse(text.as_bytes()).unwrap();
    let bytes = login.refreshed("new", at("2026-04-01T13:00:00Z"), None).bytes().unwrap();
    let written = String::from_utf8(bytes.to_vec()).unwrap();
    assert!(others.iter().all(|other| written.contains(other)) && !written.contains("\"old\""), "{written}");
}

#[test]
fn a_login_of_the_cli_is_read() {
    let login = Login::parse(LOGIN.as_bytes()).unwrap();
    assert_eq!(login.access_token(), "old");
    assert_eq!(login.expires_at, at("2026-04-01T12:00:00Z"));
    let refresh = login.refresh(at("2026-04-30T12:00:00Z")).unwrap();
    assert_eq!((refresh.token, refresh.client_id, refresh.client_secret), ("refresh", "client", "secret"));
}

#[test]
fn a_login_whose_client_registration_has_ended_cannot_be_refreshed() {
    assert!(Login::parse(LOGIN.as_bytes()).unwrap().refresh(at("2026-05-01T12:00:00Z")).is_none());
}

#[test]
fn of_a_key_in_two_spellings_the_one_that_is_read_is_replaced() {
    let text = br#"{"ACCESSTOKEN":"a","accessToken":"b","expiresAt":"2027-06-01T00:00:00Z","EXPIRESAT":""}"#;
    let end = at("2027-06-01T01:00:00Z");
    let refreshed = Login::parse(text).unwrap().refreshed("new", end, None);
    let read = Login::parse(&refreshed.bytes().unwrap()).unwrap();
    assert_eq!((read.access_token(), read.expires_at), ("new", end));
}

#[test]
fn a_login_without_refresh_token_cannot_be_refreshed() {
    let login = Login::parse(br#"{"accessToken":"a","expiresAt":"2026-04-01T12:00:00UTC","clientId":"c"}"#).unwrap();
    assert!(login.refresh(at("2026-04-01T11:00:00Z")).is_none());
}

#[test]
fn what_is_no_login_is_reported_without_quoting_it() {
    for (bytes, why) in [
        ("", "is not a JSON object"),
        ("null", "is not a JSON object"),
        ("{", "is not a JSON object"),
        ("{}", "has no accessToken"),
        (r#"{"accessToken":1}"#, "has no accessToken"),
        (r#"{"accessToken":"a"}"#, "has no expiresAt"),
        (r#"{"accessToken":"a","expiresAt":"x"}"#, "has an expiresAt that is no time"),
    ] {
        assert_eq!(Login::parse(bytes.as_bytes()).err(), Some(why), "{bytes}");
    }
}

fn in_folder() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("0123.json");
    fs::write(&path, LOGIN).unwrap();
    (folder, path)
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(future)
}

fn lock(path: &Path) -> Lock {
    block_on(Lock::wait(path, Deadline::within(Duration::ZERO)))
}

/// On Windows the lock is a file of its own.
fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.retain(|name| cfg!(unix) || !name.ends_with(".lock"));
    names.sort();
    names
}

#[test]
fn a_refreshed_login_replaces_the_old_one_and_keeps_every_other_key() {
    let (folder, path) = in_folder();
    let old = Login::read(&path).unwrap();
    let new = old.refreshed("new", at("2026-04-01T20:00:00Z"), None);
    Replacement::prepare(&path, &lock(&path)).unwrap().commit(&new).unwrap();
    let mut expected: Value = serde_json::from_str(LOGIN).unwrap();
    expected["accessToken"] = "new".into();
    expected["expiresAt"] = "2026-04-01T20:00:00Z".into();
    assert_eq!(serde_json::from_slice::<Value>(&fs::read(&path).unwrap()).unwrap(), expected);
    assert_eq!(names(folder.path()), ["0123.json"]);
    #[cfg(unix)]
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&path).unwrap().permissions()) & 0o777, 0o600);
}

#[test]
fn a_replacement_that_is_given_up_leaves_the_old_login_alone() {
    let (folder, path) = in_folder();
    drop(Replacement::prepare(&path, &lock(&path)).unwrap());
    assert_eq!(fs::read_to_string(&path).unwrap(), LOGIN);
    assert_eq!(names(folder.path()), ["0123.json"]);
}

#[test]
fn what_a_killed_process_left_is_written_over() {
    let (folder, path) = in_folder();
    fs::write(folder.path().join("0123.json.ecr-login.tmp"), "torn").unwrap();
    drop(Replacement::prepare(&path, &lock(&path)).unwrap());
    assert_eq!(names(folder.path()), ["0123.json"]);
}

#[cfg(unix)]
#[test]
fn a_login_that_is_a_link_stays_one() {
    let (folder, path) = in_folder();
    let link = folder.path().join("link.json");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    let new = Login::read(&link).unwrap().refreshed("new", at("2026-04-01T20:00:00Z"), Some("r2"));
    Replacement::prepare(&link, &lock(&link)).unwrap().commit(&new).unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(Login::read(&path).unwrap().access_token(), "new");
}

#[cfg(unix)]
#[test]
fn a_fifo_in_its_place_does_not_hold_us() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("0123.json");
    rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    assert!(matches!(Login::read(&path), Err(LoginError::Read { .. })));
}

#[test]
fn one_at_a_time_has_the_lock_and_a_waiter_gives_up_at_its_deadline() {
    let (_folder, path) = in_folder();
    let first = lock(&path);
    assert!(first.is_held());
    assert!(!lock(&path).is_held());
    drop(first);
    assert!(lock(&path).is_held());
}
