//! docs/sources.md names the test of each row: every test that it names exists, and every test of a source is named.

use std::collections::BTreeSet;
use std::path::Path;

/// The tests of `tests/sources_*.rs`, as the document writes them: `role: a_chain_of_...`.
fn tests() -> BTreeSet<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let mut tests = BTreeSet::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let Some(source) = name.strip_prefix("sources_") else { continue };
        let text = std::fs::read_to_string(&path).unwrap();
        let mut is_test = false;
        for line in text.lines() {
            if let Some(name) = line.strip_prefix("fn ").filter(|_| is_test) {
                tests.insert(format!("{source}: {}", name.split('(').next().unwrap()));
            }
            is_test = line == "#[test]";
        }
    }
    tests
}

/// The tests that the document names; one without its file is in the file of the one before it.
fn named() -> BTreeSet<String> {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/sources.md")).unwrap();
    let mut named = BTreeSet::new();
    let mut source = String::new();
    for code in text.split('`').skip(1).step_by(2) {
        let (file, test) = match code.split_once(": ") {
            Some((file, test)) => (file.to_owned(), test),
            None => (source.clone(), code),
        };
        let is_name = |text: &str| text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
        if is_name(&file) && is_name(test) && test.matches('_').count() > 4 {
            named.insert(format!("{file}: {test}"));
            source = file;
        }
    }
    named
}

#[test]
fn every_test_that_the_document_names_exists_and_every_test_is_named() {
    let (tests, named) = (tests(), named());
    assert!(tests.len() > 50, "{tests:?}");
    let unknown: Vec<_> = named.difference(&tests).collect();
    let unnamed: Vec<_> = tests.difference(&named).collect();
    assert!(unknown.is_empty() && unnamed.is_empty(), "unknown: {unknown:#?}\nunnamed: {unnamed:#?}");
}
