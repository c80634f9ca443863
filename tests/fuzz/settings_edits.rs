//! What `setup` writes into our own settings file, and `--undo` after it. The words of the first line are the edit,
//! the rest is the file.

use std::fs;

use ecr_login::cli::setup::settings_file::{SettingsEdit, with, without};
use ecr_login::os::fs::user_file::UserFile;
use ecr_login::settings::Settings;

use super::memory;

const HOSTS: [&str; 3] = ["123456789012.dkr.ecr.eu-west-1.amazonaws.com", "public.ecr.aws", "images.example.com"];
const MARK: &str = "by setup; setup --undo";
const BOUND: (usize, usize) = (64 * 1024, 1024);

pub fn check(input: &[u8]) {
    let end = input.iter().position(|byte| *byte == b'\n').unwrap_or(0);
    let words = String::from_utf8_lossy(&input[..end]);
    let words: Vec<&str> = words.split(' ').collect();
    let bytes = input.get(end + 1..).unwrap_or_default();
    let of = |key: &str| words.iter().find_map(|word| word.strip_prefix(key)?.strip_prefix('='));
    let registries: Vec<String> =
        HOSTS.iter().filter(|host| words.contains(host)).map(|host| (*host).to_owned()).collect();
    let edit = SettingsEdit {
        registries: &registries,
        profile: of("profile"),
        role_arn: of("role"),
        delegate: of("delegate"),
        ..SettingsEdit::default()
    };
    let original = file(bytes);
    let Ok(after) = memory::bounded(bytes.len(), BOUND, || with(&original, &edit)) else { return };
    let settings = Settings::parse("config.toml", &after).unwrap();
    assert!(edit.delegate.is_none_or(|delegate| settings.delegate.as_deref() == Some(delegate)), "{after}");
    assert_eq!(with(&file(after.as_bytes()), &edit).unwrap(), after, "again is a no-op");
    let text = std::str::from_utf8(bytes).unwrap();
    let Ok(before) = Settings::parse("config.toml", text) else { return };
    assert_eq!((before.timeout, before.strict), (settings.timeout, settings.strict));
    for host in HOSTS {
        let (old, new) = (before.target(host), settings.target(host));
        let edited = registries.iter().any(|edited| edited == host)
            || new.as_ref().is_some_and(|new| registries.iter().any(|edited| edited == new.registry.host()));
        match (old, new) {
            (Some(old), Some(new)) if !edited => {
                assert_eq!((old.credentials, old.registry), (new.credentials, new.registry))
            }
            (Some(old), Some(new)) => {
                assert_eq!(old.registry, new.registry, "{after}");
                assert!(edit.profile.is_none() || new.credentials.profile.as_deref() == edit.profile, "{after}");
            }
            (None, None) => {}
            (old, new) => panic!("{host}: {old:?} became {new:?}: {after}"),
        }
    }
    let undone = memory::bounded(after.len(), BOUND, || without(&file(after.as_bytes()), &[], true)).unwrap();
    // What was put in comes out again; what was changed in an entry of the user's stays.
    let is_theirs = |host: &String| before.registries.iter().any(|entry| entry.pattern.eq_ignore_ascii_case(host));
    let changes = registries.iter().any(is_theirs) && (edit.profile.is_some() || edit.role_arn.is_some())
        || edit.delegate.is_some() && before.delegate.is_some();
    if !changes && !text.contains(MARK) {
        // Nothing says whether a line end at the file's end is ours.
        let added = undone.strip_prefix(text);
        assert!(matches!(added, Some("" | "\n" | "\r\n")), "{text:?} is undone to {undone:?} from {after}");
    } else if !text.contains(MARK) {
        let undone = Settings::parse("config.toml", &undone).unwrap();
        assert_eq!(undone.registries.len(), before.registries.len());
        assert_eq!(undone.delegate.is_some(), before.delegate.is_some(), "{after}");
    }
}

fn file(bytes: &[u8]) -> UserFile {
    thread_local!(static HOME: tempfile::TempDir = tempfile::tempdir().unwrap());
    let path = HOME.with(|home| home.path().join("config.toml"));
    fs::write(&path, bytes).unwrap();
    UserFile::read(&path).unwrap()
}
