//! What clients and people are told when something goes wrong.

use crate::home::Home;
use crate::scenario::{ADDED, Scenario};
use crate::support::{NOT_FOUND, Outcome, REGISTRY, Token, binary};

/// What a client is told keeps to its protocol, whatever happened: an answer for the right identity, or its want.
/// `call` is the one that failed: one of those by which the streams themselves are read and written takes words along.
/// `absent` says that files were made to be missing, so that another identity is used by right.
pub fn keeps_to_the_protocol(home: &Home, scenario: Scenario, outcome: &Outcome, call: &str, absent: bool, what: &str) {
    let Outcome { code, stdout, stderr, .. } = outcome;
    assert!(matches!(code, Some(0..=2)), "{what}: {outcome:?}");
    assert!(!stderr.contains("panicked") && !stderr.contains("secret-of"), "{what}: {outcome:?}");
    let muted = ["write", "poll", "ppoll"].contains(&call);
    let silent = muted && stdout.is_empty();
    let right = |token: &Token| {
        scenario.is_right(token) || (absent && ["AKIADEFAULT", "container"].contains(&token.identity.as_str()))
    };
    if *code == Some(0) {
        // Warnings name something, too.
        each_line_names_something(home, outcome, what);
        assert!(scenario.token(outcome).is_none_or(|token| right(&token)), "{what}: {outcome:?}");
    }
    match (scenario, code) {
        // What could not be read is not said to be nothing.
        (Scenario::List, Some(0)) => {
            assert!(absent || stdout.contains(REGISTRY) || !stderr.is_empty(), "{what}: {outcome:?}");
        }
        (Scenario::Status, Some(0)) => {
            let said = stdout.contains(REGISTRY) || stdout.contains("wrong: ");
            assert!(absent || said, "{what}: {outcome:?}");
        }
        (Scenario::Warm, Some(0)) => assert!(stdout.contains(": good for "), "{what}: {outcome:?}"),
        (Scenario::ForeignGet, code) => {
            assert!(*code == Some(1) && (stdout == NOT_FOUND || silent), "{what}: {outcome:?}");
            each_line_names_something(home, outcome, what);
        }
        // Nobody reads what this one says.
        (Scenario::Refresh, _) | (_, Some(0)) => {}
        // What failed is said on stdout, where clients look for it.
        (Scenario::Erase | Scenario::Store, _) => assert!(!stdout.is_empty() || silent, "{what}: {outcome:?}"),
        (scenario, _) => {
            if scenario.is_get() {
                assert!(stdout == NOT_FOUND || silent, "{what}: {outcome:?}");
            } else if scenario.answers_with_a_token() {
                assert_eq!(stdout, "", "{what}: {outcome:?}");
            }
            assert!(muted || !stderr.is_empty(), "{what}: silence: {outcome:?}");
            each_line_names_something(home, outcome, what);
        }
    }
}

/// In each line on stderr there is something that a person can go to.
fn each_line_names_something(home: &Home, outcome: &Outcome, what: &str) {
    let places = [home.helper.home().to_str().unwrap(), binary().to_str().unwrap()];
    let words =
        [REGISTRY, ADDED, "stdin", "stdout", "stderr", "AWS_", "this binary", "/etc/", "on PATH", "profile team"];
    for line in outcome.stderr.lines() {
        let named = places.iter().chain(&words).any(|name| line.contains(name));
        assert!(line.len() > 20 && named, "{what}: nothing is named: {line:?}");
    }
}
