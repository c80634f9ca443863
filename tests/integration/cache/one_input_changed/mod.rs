//! For every source of credentials, one input after the other is changed: a variable, a line of a file, a claim, the
//! working directory. What the cache then serves must be the token of whoever a process without a cache would be.
//!
//! Who that is nobody has to say: it is read off what AWS is asked, of which everything counts but what changes with each
//! call. docs/identity.md has the table; what its last section says cannot be seen is not tried here.

mod changes;
mod fixture;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use self::changes::{Change, changes, sources};
use self::fixture::Fixture;
use crate::support::FakeAws;

/// What came of it.
#[derive(Default)]
struct Tally {
    tried: usize,
    other_identity: usize,
    same_identity: usize,
    hits: usize,
    mixed_up: Vec<String>,
    useless: Vec<String>,
}

fn try_source(source: &Change, changes: &[&Change], tally: &Mutex<Tally>) {
    let (aws, other) = (Arc::new(FakeAws::start()), Arc::new(FakeAws::start()));
    // So that no token of the one is a token of the other too.
    other.token_life(11 * 3600);
    for (name, act) in changes {
        let mut fixture = Fixture::new(&aws, &other);
        (source.1)(&mut fixture);
        let (first, before) = fixture.told(&[]);
        assert!(first.is_some(), "{}: {before:?}", source.0);
        act(&mut fixture);
        let (token, mut after) = fixture.told(&[]);
        let is_hit = token == first;
        if is_hit {
            // What a process without a cache would have said.
            after = fixture.told(&[("AWS_ECR_DISABLE_CACHE", "1")]).1;
        }
        let mut tally = tally.lock().unwrap();
        tally.tried += 1;
        tally.hits += usize::from(is_hit);
        if before == after {
            tally.same_identity += 1;
        } else {
            tally.other_identity += 1;
            if is_hit {
                tally.mixed_up.push(format!("{}: {name}\n  before {before:#?}\n  after  {after:#?}", source.0));
            }
        }
        if !is_hit && name == "nothing" {
            tally.useless.push(source.0.clone());
        }
    }
}

#[test]
fn whatever_is_changed_no_call_gets_the_token_of_another_identity() {
    let sources = sources();
    let changes = Arc::new(changes());
    let tally = Mutex::new(Tally::default());
    let next = AtomicUsize::new(0);
    let one_in = if std::env::var_os("ECR_LOGIN_INPUT_CHANGES").is_some_and(|which| which == "all") { 1 } else { 8 };
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(2, usize::from).min(8) {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let Some(source) = sources.get(number) else { break };
                    let chosen: Vec<&Change> = (0..)
                        .zip(&*changes)
                        .filter(|(at, _)| (at + number).is_multiple_of(one_in))
                        .map(|(_, change)| change)
                        .collect();
                    try_source(source, &chosen, &tally);
                }
            });
        }
    });
    let tally = tally.into_inner().unwrap();
    println!(
        "{} sources, {} changes of one input each: {} tried, {} made another identity, {} did not; {} answers from the cache",
        sources.len(),
        changes.len(),
        tally.tried,
        tally.other_identity,
        tally.same_identity,
        tally.hits
    );
    assert!(tally.mixed_up.is_empty(), "another identity's token was served:\n{}", tally.mixed_up.join("\n"));
    assert!(tally.useless.is_empty(), "never served from the cache, though nothing was changed: {:?}", tally.useless);
    assert!(tally.tried >= sources.len() * (changes.len() / one_in));
    assert!(tally.other_identity * 5 > tally.tried, "most changes changed nothing");
    assert!(tally.hits * 4 > tally.tried, "hardly anything is served from the cache");
}
