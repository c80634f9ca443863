//! What `setup docker` and `setup podman` do to a client's file, and `--undo` after it. The words of the first line
//! are the edits, the rest is the file.

use std::fs;

use ecr_login::cli::setup::backup::{self, Undone};
use ecr_login::cli::setup::client_file::{self, Edits};
use ecr_login::cli::setup::json::Document;
use ecr_login::os::fs::user_file::UserFile;
use ecr_login::registry::Registry;

use super::memory;
use super::tree::Tree;

const HOSTS: [&str; 3] = ["123456789012.dkr.ecr.eu-west-1.amazonaws.com", "public.ecr.aws", "images.example.com"];
const HELPERS: &str = "credHelpers";
const STORE: &str = "credsStore";
const LOGINS: &str = "auths";
const HELPER: &str = "ecr-login";
/// For each byte of a file there are trees of it, ours and the parsers', with nodes of some hundred bytes.
const BOUND: (usize, usize) = (16 * 1024, 512);

pub fn check(input: &[u8]) {
    let end = input.iter().position(|byte| *byte == b'\n').unwrap_or(0);
    let words = String::from_utf8_lossy(&input[..end]);
    let words: Vec<&str> = words.split(' ').collect();
    let bytes = input.get(end + 1..).unwrap_or_default();
    let Ok(before) = memory::bounded(bytes.len(), BOUND, || Document::parse(bytes)) else { return };
    let text = String::from_utf8_lossy(bytes);
    let is_empty = ["", "null"].contains(&text.strip_prefix('\u{feff}').unwrap_or(&text).trim());
    assert!(is_empty || before.bytes() == bytes);
    let edits = Edits {
        helpers: HOSTS.iter().filter(|host| words.contains(host)).map(|host| (*host).to_owned()).collect(),
        store: words.contains(&"store"),
        clean: if words.contains(&"clean") { client_file::logins(&before) } else { Vec::new() },
    };
    let mut after = before.clone();
    let done = memory::bounded(bytes.len(), BOUND, || {
        let done = client_file::apply(&mut after, &edits);
        let _ = (after.redacted(), after.compact());
        done
    });
    let old = Tree::parse(before.text().as_bytes()).unwrap();
    let new = Tree::parse(after.text().as_bytes()).unwrap();
    match expected(&old, &edits) {
        Some(expected) => {
            assert!(done.is_ok(), "{done:?}");
            assert_eq!(new, expected, "{} became {}", before.text(), after.text());
        }
        None => assert!(done.is_err()),
    }
    if done.is_ok() {
        check_undo(bytes, &before, &after, &edits);
    }
}

/// The old value with ours in it; `None` where the section for ours is something else.
fn expected(old: &Tree, edits: &Edits) -> Option<Tree> {
    let mut new = old.clone();
    let root = new.object_mut()?;
    let last = |root: &[(String, Tree)], name: &str| root.iter().rposition(|(key, _)| key.eq_ignore_ascii_case(name));
    for host in &edits.helpers {
        let at = last(root, HELPERS).unwrap_or_else(|| {
            root.push((HELPERS.to_owned(), Tree::Null));
            root.len() - 1
        });
        let section = &mut root[at].1;
        if *section == Tree::Null {
            *section = Tree::Object(Vec::new());
        }
        let section = section.object_mut()?;
        let value = Tree::Text(HELPER.to_owned());
        match section.iter().rposition(|(key, _)| key == host) {
            Some(at) => section[at].1 = value,
            None => section.push((host.clone(), value)),
        }
    }
    if edits.store {
        let value = Tree::Text(HELPER.to_owned());
        match last(root, STORE) {
            Some(at) => root[at].1 = value,
            None => root.push((STORE.to_owned(), value)),
        }
    }
    for (key, section) in root.iter_mut().filter(|_| !edits.clean.is_empty()) {
        if let (true, Some(logins)) = (key.eq_ignore_ascii_case(LOGINS), section.object_mut()) {
            logins.retain(|(key, _)| Registry::parse(key).is_none());
        }
    }
    Some(new)
}

/// `--undo` right after the edit gives back the very bytes; after somebody else's edit it takes out ours alone.
fn check_undo(bytes: &[u8], before: &Document, after: &Document, edits: &Edits) {
    thread_local!(static HOME: tempfile::TempDir = tempfile::tempdir().unwrap());
    let path = HOME.with(|home| home.path().join("config.json"));
    fs::write(&path, bytes).unwrap();
    let _ = fs::remove_file(backup::path(&path));
    memory::bounded(bytes.len(), BOUND, || backup::keep(&UserFile::read(&path).unwrap(), before)).unwrap();
    let undo = |now: &Document, registries: &[String]| {
        let now_bytes = now.bytes();
        fs::write(&path, &now_bytes).unwrap();
        // Trees of both files, and of what the old one becomes with our edits in it.
        let undo = || backup::undo(&mut UserFile::read(&path).unwrap(), now, registries);
        memory::bounded(bytes.len() + now_bytes.len(), BOUND, undo).unwrap()
    };
    let had = ours(before);
    let put_in = ours(after).iter().any(|host| !had.contains(host))
        || edits.store && before.string(STORE).as_deref() != Some(HELPER);
    match undo(after, &[]) {
        Undone::Before(back) => assert_eq!(back, bytes, "{:?}", String::from_utf8_lossy(&back)),
        Undone::Already => assert_eq!(after.bytes(), bytes),
        Undone::Nothing => assert!(!put_in, "{} is not undone", after.text()),
        other => panic!("{} is undone to {other:?}", after.text()),
    }
    let mut changed = after.clone();
    if !put_in || changed.set("fuzz", "later").is_err() {
        return;
    }
    let mut wanted = before.clone();
    wanted.set("fuzz", "later").unwrap();
    for host in &edits.clean {
        wanted.remove_in(LOGINS, host).unwrap();
    }
    let Undone::Edited(undone) = undo(&changed, &[]) else { panic!("{} is not undone by edits", changed.text()) };
    assert_eq!(ours(&undone), had);
    assert_eq!(undone.string(STORE), before.string(STORE));
    assert_eq!(helpers(&undone), helpers(before), "{}", undone.text());
    assert_eq!(others(&undone), others(&wanted), "{}", undone.text());
}

/// What is no business of ours, in any order.
fn others(document: &Document) -> Vec<(String, String)> {
    let Some(Tree::Object(entries)) = Tree::parse(document.text().as_bytes()) else { panic!("{}", document.text()) };
    let ours = |key: &str| [HELPERS, STORE].iter().any(|ours| ours.eq_ignore_ascii_case(key));
    sorted(entries.into_iter().filter(|(key, _)| !ours(key)).map(|(key, value)| (key, format!("{value:?}"))).collect())
}

/// Every host that has a helper. (A value that is no text makes docker refuse the file, before and after.)
fn helpers(document: &Document) -> Vec<(String, String)> {
    sorted(document.section(HELPERS).into_iter().filter_map(|(host, helper)| Some((host, helper?))).collect())
}

/// Hosts that a client would ask us for.
fn ours(document: &Document) -> Vec<String> {
    let entries = document.section(HELPERS).into_iter().filter(|(_, helper)| helper.as_deref() == Some(HELPER));
    sorted(entries.map(|(host, _)| host).collect())
}

fn sorted<T: Ord>(mut list: Vec<T>) -> Vec<T> {
    list.sort();
    list
}
