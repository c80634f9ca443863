//! 64 processes at once read, write, erase and are killed at random, over 20 registries and 3 identities: every
//! answer is right, and nothing is left over. `ECR_LOGIN_STRESS_SECONDS` says for how long; 3 without it.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use crate::support::cache::names;
use crate::support::concurrency::{Dice, assert_nothing_is_left, seconds};
use crate::support::{FakeAws, Helper, Running, Service, Token, now};

const LIFE: Duration = Duration::from_secs(10);
const WORKERS: usize = 64;
const REGISTRIES: u64 = 20;
const IDENTITIES: [&str; 3] = ["AKIAONE", "AKIATWO", "AKIATHREE"];

fn registry(number: u64) -> (String, &'static str) {
    let region = ["eu-west-1", "us-east-1"][usize::from(number.is_multiple_of(2))];
    (format!("{}.dkr.ecr.{region}.amazonaws.com", 100_000_000_000 + number), region)
}

#[test]
fn processes_that_race_and_die_never_serve_a_wrong_token_and_leave_nothing_behind() {
    let _alone = crate::alone();
    let seconds = seconds("ECR_LOGIN_STRESS_SECONDS", 3);
    let aws = FakeAws::start();
    // Short enough that every age comes by: fresh, refreshed, waited for, expired.
    aws.token_life(LIFE.as_secs() as i64);
    let helper = Helper::new().aws(&aws).env("ECR_LOGIN_TIMEOUT", "60");
    let (over, answers) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for worker in 0..WORKERS {
            let (helper, over, answers) = (&helper, &over, &answers);
            scope.spawn(move || work(helper, worker, over, answers));
        }
        std::thread::sleep(Duration::from_secs(seconds));
        over.store(true, Ordering::Relaxed);
    });
    let answers = answers.into_inner();
    println!("{answers} answers, {} calls of ECR in {seconds} s", aws.calls(Service::Ecr));
    assert!(answers > WORKERS, "{answers} answers only");
    assert!(aws.calls(Service::Ecr) < answers, "nothing came from the cache");
    let temporary = names(&helper.cache()).iter().filter(|name| name.ends_with(".tmp")).count();
    assert!(temporary <= usize::try_from(REGISTRIES).unwrap() * IDENTITIES.len());
    assert_nothing_is_left(&aws, &helper);
}

fn work(helper: &Helper, worker: usize, over: &AtomicBool, answers: &AtomicUsize) {
    let mut dice = Dice::of(worker);
    while !over.load(Ordering::Relaxed) {
        let (registry, region) = registry(dice.below(REGISTRIES));
        let id = IDENTITIES[dice.index(IDENTITIES.len())];
        let action = if dice.one_in(20) { "erase" } else { "get" };
        let mut command = helper.command([action]);
        command.env("AWS_ACCESS_KEY_ID", id).env("AWS_SECRET_ACCESS_KEY", format!("secret-of-{id}"));
        if dice.one_in(40) {
            command.env("ECR_LOGIN_REFRESH", "1");
        }
        let begun = now();
        let running = Running::start(command, registry.as_bytes());
        if dice.one_in(5) {
            let outcome = running.killed_after(Duration::from_micros(dice.below(30_000)));
            // It may have ended by itself.
            if outcome.code != Some(0) || action == "erase" {
                continue;
            }
            check(&outcome.token_with_warning(), id, region, begun);
            continue;
        }
        let outcome = running.wait();
        assert_eq!(outcome.code, Some(0), "{action}: {outcome:?}");
        if action == "get" {
            // A line on stderr would say that a refresh failed, and none does.
            check(&outcome.token(), id, region, begun);
            answers.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Whose token it must be, and that it lived when it was asked for.
fn check(token: &Token, id: &str, region: &str, begun: u64) {
    assert_eq!((token.key.as_str(), token.region.as_str(), token.service.as_str()), (id, region, "ecr"));
    assert!(token.ends_at > begun, "dead for {} s when it was asked for", begun - token.ends_at);
}
