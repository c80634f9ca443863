//! 64 processes at once read, write, erase and are killed at random, over 20 registries and 3 identities: every
//! answer is right, and nothing is left over. `ECR_LOGIN_STRESS_SECONDS` says for how long; 3 without it.

#![cfg(unix)]

mod on_disk;
mod support;

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use ecr_login::cache::Cache;
use on_disk::{cache, names};
use support::{FakeAws, Helper, Running, Service, Token};

const LIFE: Duration = Duration::from_secs(10);
const WORKERS: usize = 64;
const REGISTRIES: u64 = 20;
const IDENTITIES: [&str; 3] = ["AKIAONE", "AKIATWO", "AKIATHREE"];

/// Numbers that look random and are the same in every run of one worker.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

fn registry(number: u64) -> (String, &'static str) {
    let region = ["eu-west-1", "us-east-1"][usize::from(number.is_multiple_of(2))];
    (format!("{}.dkr.ecr.{region}.amazonaws.com", 100_000_000_000 + number), region)
}

#[test]
fn processes_that_race_and_die_never_serve_a_wrong_token_and_leave_nothing_behind() {
    let seconds = std::env::var("ECR_LOGIN_STRESS_SECONDS").map_or(3, |text| text.parse().unwrap());
    let aws = FakeAws::start();
    // Short enough that every age comes by: fresh, refreshed, waited for, expired.
    aws.token_life(LIFE.as_secs() as i64);
    let helper = Helper::new().aws(&aws).env("ECR_LOGIN_TIMEOUT", "60");
    let (over, answers, seen) = (AtomicBool::new(false), AtomicUsize::new(0), Seen::default());
    std::thread::scope(|scope| {
        for worker in 0..WORKERS {
            let (helper, over, answers, seen) = (&helper, &over, &answers, &seen);
            scope.spawn(move || work(helper, worker, over, answers, seen));
        }
        std::thread::sleep(Duration::from_secs(seconds));
        over.store(true, Ordering::Relaxed);
    });
    let answers = answers.into_inner();
    println!("{answers} answers, {} calls of ECR in {seconds} s", aws.calls(Service::Ecr));
    assert!(answers > WORKERS, "{answers} answers only");
    assert!(aws.calls(Service::Ecr) < answers, "nothing came from the cache");
    settle(&helper);
    let directory = cache(&helper);
    let entries = directory.entries().len();
    let temporary = names(&helper.cache()).iter().filter(|name| name.ends_with(".tmp")).count();
    assert!(temporary <= entries.max(usize::try_from(REGISTRIES).unwrap() * IDENTITIES.len()));
    no_lock_is_held(&helper);
    // One write later nothing of the dead is left.
    aws.token_life(3_600);
    helper.keys("AKIAFOUR").get(&registry(1).0).token();
    let left = names(directory.path().unwrap());
    assert!(!left.iter().any(|name| name.ends_with(".tmp")), "{left:?}");
    assert!(left.iter().filter(|name| name.starts_with("lock-")).count() <= 64, "{left:?}");
}

fn work(helper: &Helper, worker: usize, over: &AtomicBool, answers: &AtomicUsize, seen: &Seen) {
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15 ^ (worker as u64 + 1).wrapping_mul(0xff51_afd7_ed55_8ccd));
    while !over.load(Ordering::Relaxed) {
        let (registry, region) = registry(dice.below(REGISTRIES));
        let id = IDENTITIES[usize::try_from(dice.below(3)).unwrap()];
        let action = if dice.below(20) == 0 { "erase" } else { "get" };
        let mut command = helper.command([action]);
        command.env("AWS_ACCESS_KEY_ID", id).env("AWS_SECRET_ACCESS_KEY", format!("secret-of-{id}"));
        if dice.below(40) == 0 {
            command.env("ECR_LOGIN_REFRESH", "1");
        }
        let begun = Instant::now();
        let mut running = Running::start(command, registry.as_bytes());
        if dice.below(5) == 0 {
            std::thread::sleep(Duration::from_micros(dice.below(30_000)));
            // It may have ended by itself.
            running.kill();
            let outcome = running.wait();
            if outcome.code != Some(0) || action == "erase" {
                continue;
            }
            seen.check(&outcome.token_with_warning(), id, region, begun);
            continue;
        }
        let outcome = running.wait();
        assert_eq!(outcome.code, Some(0), "{action} after {:?}: {outcome:?}", begun.elapsed());
        if action == "get" {
            // A line on stderr would say that a refresh failed, and none does.
            seen.check(&outcome.token(), id, region, begun);
            answers.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// When each token was first seen: it cannot live longer than its life after that.
#[derive(Default)]
struct Seen(Mutex<HashMap<usize, Instant>>);

impl Seen {
    /// The token that a `get` which began at `begun` has answered.
    fn check(&self, token: &Token, id: &str, region: &str, begun: Instant) {
        assert_eq!((token.key.as_str(), token.region.as_str(), token.service.as_str()), (id, region, "ecr"));
        let first = *self.0.lock().unwrap().entry(token.serial).or_insert_with(Instant::now);
        assert!(begun.saturating_duration_since(first) <= LIFE, "dead since {:?}", first.elapsed() - LIFE);
    }
}

/// Waits until no detached refresh of this home runs any more.
fn settle(helper: &Helper) {
    let home = format!("HOME={}\0", helper.home().display());
    let runs = || {
        let Ok(processes) = std::fs::read_dir("/proc") else { return false };
        processes.filter_map(Result::ok).any(|found| {
            let environment = std::fs::read(found.path().join("environ")).unwrap_or_default();
            environment.windows(home.len()).any(|part| part == home.as_bytes())
        })
    };
    on_disk::eventually("no process is left", || !runs());
}

fn no_lock_is_held(helper: &Helper) {
    let _: &Cache = &cache(helper);
    for name in names(&helper.cache()).iter().filter(|name| name.starts_with("lock-")) {
        let file = std::fs::File::options().append(true).open(helper.cache().join(name)).unwrap();
        file.try_lock().unwrap_or_else(|error| panic!("{name} is held: {error}"));
    }
}
