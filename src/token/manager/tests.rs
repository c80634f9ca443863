//! The manager in a backend that a test plays: its clock jumps, its identities change, its ECR fails.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::time::Duration;

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::credentials::CacheKey;
use crate::os::environment::Environment;
use crate::os::secret::Secret;

#[cfg(unix)]
mod faulty_cache;

/// Far enough ahead that no entry has ended by the clock of the machine.
const START: Millis = 4_000_000_000_000;
const LIFE: i64 = 12 * 3_600;

struct FakeBackend {
    directory: TempDir,
    now: Cell<Millis>,
    who: Cell<u8>,
    /// The identity after ECR has answered.
    then: Cell<Option<u8>>,
    /// How many of the next calls fail.
    down: Cell<usize>,
    /// How long, by the played clock, a call takes.
    takes: Cell<Millis>,
    calls: Cell<usize>,
    started: Cell<usize>,
    /// Whether a fetch needs a person.
    needs_person: Cell<bool>,
    /// Serial, identity and end of each token.
    issued: RefCell<Vec<(u8, i64)>>,
}

impl FakeBackend {
    fn new() -> Self {
        Self {
            directory: tempfile::tempdir().unwrap(),
            now: Cell::new(START),
            who: Cell::new(1),
            then: Cell::new(None),
            down: Cell::new(0),
            takes: Cell::new(0),
            calls: Cell::new(0),
            started: Cell::new(0),
            needs_person: Cell::new(false),
            issued: RefCell::default(),
        }
    }

    fn cache(&self) -> Cache {
        Cache::open(&Environment::of([("AWS_ECR_CACHE_DIR", self.directory.path())])).unwrap()
    }

    fn ask(&self, host: &str, mode: FetchMode, background: bool) -> Result<RegistryCredentials, UserError> {
        let cache = self.cache();
        let deadline = Deadline::within(Duration::from_secs(5));
        TokenManager {
            backend: self,
            cache: Some(&cache),
            host,
            deadline,
            background,
            foreground_timeout: Duration::from_secs(1),
        }
        .get(mode)
    }

    fn get(&self, host: &str) -> Result<usize, UserError> {
        self.ask(host, FetchMode::UseCache, true).map(|answer| answer.password.expose().parse().unwrap())
    }
}

impl TokenBackend for &FakeBackend {
    type Identity = u8;

    fn now(&self) -> Millis {
        self.now.get()
    }

    fn resolve(&self) -> Result<u8, UserError> {
        Ok(self.who.get())
    }

    fn cache_key(&self, who: &u8) -> Option<CacheKey> {
        (*who > 0).then_some(CacheKey([*who; 32]))
    }

    fn label(&self, who: &u8) -> String {
        format!("number {who}")
    }

    fn grace(&self, _: &u8) -> Duration {
        Duration::ZERO
    }

    fn needs_person(&self, _: &u8) -> bool {
        self.needs_person.get()
    }

    fn fetch(&self, who: &u8, _: Deadline) -> Result<AuthorizationToken, UserError> {
        self.calls.set(self.calls.get() + 1);
        self.now.set(self.now.get() + self.takes.get());
        if let Some(then) = self.then.take() {
            self.who.set(then);
        }
        if self.down.get() > 0 {
            self.down.set(self.down.get() - 1);
            return Err(UserError::new(Kind::Network, "down"));
        }
        let expires_at = self.now.get().div_euclid(1_000) + LIFE;
        let mut issued = self.issued.borrow_mut();
        issued.push((*who, expires_at));
        let password = Secret::new((issued.len() - 1).to_string());
        Ok(AuthorizationToken {
            username: "AWS".into(),
            password,
            expires_at: Some(expires_at),
            own_registry: None,
            warnings: Vec::new(),
        })
    }

    fn start_refresh(&self) -> bool {
        self.started.set(self.started.get() + 1);
        true
    }

    fn jitter(&self, _: &CacheKey) -> u32 {
        0
    }
}

#[test]
fn what_needs_a_person_is_not_refreshed_ahead_of_time() {
    let backend = FakeBackend::new();
    let token = backend.get("a.example").unwrap();
    backend.needs_person.set(true);
    for background in [true, false] {
        backend.now.set(START + 8 * 3_600_000);
        let answer = backend.ask("a.example", FetchMode::UseCache, background).unwrap();
        assert_eq!(answer.password.expose(), token.to_string());
        assert!(answer.warnings.is_empty(), "{:?}", answer.warnings);
    }
    assert_eq!((backend.calls.get(), backend.started.get()), (1, 0));
    // The last stretch: the fetch says what the person must do, and the token is served beside it.
    backend.down.set(9);
    backend.now.set(START + (LIFE - 600) * 1_000);
    let answer = backend.ask("a.example", FetchMode::UseCache, true).unwrap();
    assert_eq!(answer.password.expose(), token.to_string());
    assert!(answer.warnings[0].contains("the token ends in 10 minutes and cannot be refreshed"), "{answer:?}");
}

#[test]
fn a_source_that_changed_during_the_fetch_leaves_nothing_in_the_cache() {
    let backend = FakeBackend::new();
    backend.then.set(Some(2));
    assert_eq!(backend.get("a").unwrap(), 0, "it was fetched by the former identity");
    assert!(backend.cache().entries().is_empty());
    assert_eq!(backend.get("a").unwrap(), 1);
    assert_eq!(backend.issued.borrow()[1].0, 2);
    assert_eq!(backend.cache().entries().len(), 1);
}

#[test]
fn an_identity_without_a_cache_key_is_never_cached() {
    let backend = FakeBackend::new();
    backend.who.set(0);
    assert_eq!((backend.get("a").unwrap(), backend.get("a").unwrap()), (0, 1));
    assert!(backend.cache().entries().is_empty() && backend.cache().path().is_some_and(|path| !path.exists()));
}

#[test]
fn a_token_erased_while_a_copy_of_it_is_written_does_not_come_back() {
    let backend = FakeBackend::new();
    backend.get("a").unwrap();
    let cache = backend.cache();
    let before = cache.invalidation_epoch();
    let entry = cache.read(&CacheKey([1; 32]), "a").unwrap();
    assert!(backend.cache().erase("a").unwrap());
    cache.write(&Entry { registry: "b".into(), ..entry }, before);
    assert!(cache.entries().is_empty());
    assert_eq!(backend.get("b").unwrap(), 1);
}

#[test]
fn a_waiter_takes_what_the_one_that_asks_brings() {
    let backend = FakeBackend::new();
    let cache_key = CacheKey([1; 32]);
    let cache = backend.cache();
    let lock = cache.slot(cache_key, "a").lock();
    let TryLock::Held(held) = lock.claim() else { panic!("nobody else is here") };
    std::thread::scope(|scope| {
        let (directory, now) = (backend.directory.path(), backend.now.get());
        let waiter = scope.spawn(move || {
            let waiting = FakeBackend { now: Cell::new(now), ..FakeBackend::new() };
            let cache = Cache::open(&Environment::of([("AWS_ECR_CACHE_DIR", directory)])).unwrap();
            let deadline = Deadline::within(Duration::from_secs(60));
            let manager = TokenManager {
                backend: &waiting,
                cache: Some(&cache),
                host: "b",
                deadline,
                background: true,
                foreground_timeout: deadline.limit(),
            };
            (manager.get(FetchMode::UseCache).unwrap().password, waiting.calls.get())
        });
        std::thread::sleep(Duration::from_millis(100));
        let times = TokenLifetime::of_new(now, now / 1_000 + LIFE, 0).unwrap();
        let (label, username, password) = (String::new(), "AWS".to_owned(), Secret::new("theirs".into()));
        let entry = Entry { registry: "a".into(), cache_key, label, times, username, password };
        cache.write(&entry, cache.invalidation_epoch());
        drop(held);
        let (password, calls) = waiter.join().unwrap();
        assert_eq!((password.expose(), calls), ("theirs", 0));
    });
}

#[test]
fn a_try_with_little_time_left_fails_no_caller_that_has_more() {
    let backend = FakeBackend::new();
    backend.get("a").unwrap();
    backend.now.set(START + LIFE * 1_000 - 20);
    backend.down.set(usize::MAX);
    assert_eq!(backend.get("a").unwrap(), 0, "10 ms were not enough for a fresh one");
    assert_eq!((backend.get("a").unwrap(), backend.calls.get()), (0, 2), "nor are the next");
    backend.down.set(0);
    backend.now.set(START + LIFE * 1_000);
    assert_eq!(backend.get("a").unwrap(), 1);
}

#[test]
fn a_token_that_ends_while_a_fresh_one_is_waited_for_is_no_reason_to_fail() {
    // In the last quarter, and in the second half where nothing refreshes behind our back.
    for (background, age, takes) in [(true, LIFE * 1_000 - 20, 30), (false, LIFE * 700, LIFE * 400)] {
        let backend = FakeBackend::new();
        backend.get("a").unwrap();
        backend.now.set(START + age);
        backend.takes.set(takes);
        backend.down.set(1);
        let answer = backend.ask("a", FetchMode::UseCache, background).unwrap();
        assert_eq!((answer.password.expose(), backend.calls.get()), ("1", 3), "with all the time that the call has");
    }
}

#[test]
fn fifty_gets_in_the_second_half_start_one_refresh() {
    let backend = FakeBackend::new();
    backend.get("a").unwrap();
    backend.now.set(START + LIFE * 700);
    for _ in 0..50 {
        assert_eq!(backend.get("a").unwrap(), 0);
    }
    assert_eq!((backend.started.get(), backend.calls.get()), (1, 1));
    // The process that was started does its work.
    backend.ask("a", FetchMode::BackgroundRefresh, true).unwrap();
    assert_eq!((backend.get("a").unwrap(), backend.calls.get()), (1, 2));
}

#[derive(Clone, Debug)]
enum Move {
    Get(u8, bool),
    Refresh(u8),
    Fresh(u8),
    Erase(u8),
    Clear,
    Become(u8),
    Down(bool),
    Clock(i64),
    Spoil,
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let one = prop_oneof![
        6 => (0..3_u8, any::<bool>()).prop_map(|(host, background)| Move::Get(host, background)),
        1 => (0..3_u8).prop_map(Move::Refresh),
        1 => (0..3_u8).prop_map(Move::Fresh),
        1 => (0..3_u8).prop_map(Move::Erase),
        1 => Just(Move::Clear),
        1 => (1..4_u8).prop_map(Move::Become),
        1 => any::<bool>().prop_map(Move::Down),
        3 => prop_oneof![0..5_000_i64, 0..LIFE * 1_000, -LIFE * 500..0].prop_map(Move::Clock),
        1 => Just(Move::Spoil),
    ];
    prop::collection::vec(one, 1..40)
}

proptest! {
    #![proptest_config(crate::os::proptest_config::config(64))]
    #[test]
    fn no_sequence_serves_a_dead_forgotten_or_foreign_token_or_fails_without_need(moves in moves()) {
        const HOSTS: [&str; 3] = ["a", "b", "c"];
        let backend = FakeBackend::new();
        let mut forgotten = BTreeSet::new();
        for step in moves {
            let who = backend.who.get();
            match step {
                Move::Get(host, background) => {
                    let calls = backend.calls.get();
                    let answer = backend.ask(HOSTS[usize::from(host)], FetchMode::UseCache, background);
                    prop_assert!(backend.calls.get() <= calls + 1);
                    match answer {
                        Ok(answer) => {
                            let serial: usize = answer.password.expose().parse().unwrap();
                            let (whose, end) = backend.issued.borrow()[serial];
                            prop_assert_eq!(whose, who);
                            prop_assert!(end * 1_000 > backend.now.get(), "dead");
                            prop_assert!(!forgotten.contains(&serial), "forgotten");
                        }
                        Err(_) => {
                            let cache = backend.cache();
                            let is_valid = |entry: &Entry| entry.times.is_valid(backend.now.get());
                            let of_us = |entry: &Entry| entry.cache_key == CacheKey([who; 32]);
                            prop_assert!(!cache.entries().iter().any(|e| is_valid(e) && of_us(e)), "refused");
                        }
                    }
                }
                Move::Refresh(host) => drop(backend.ask(HOSTS[usize::from(host)], FetchMode::BackgroundRefresh, true)),
                Move::Fresh(host) => {
                    if let Ok(answer) = backend.ask(HOSTS[usize::from(host)], FetchMode::ForceRefresh, true) {
                        prop_assert_eq!(answer.password.expose(), (backend.issued.borrow().len() - 1).to_string());
                    }
                }
                Move::Erase(host) => {
                    let of = |entry: &&Entry| entry.registry == HOSTS[usize::from(host)];
                    let entries = backend.cache().entries();
                    let whose: Vec<CacheKey> = entries.iter().filter(of).map(|entry| entry.cache_key).collect();
                    let gone = entries.iter().filter(|entry| whose.contains(&entry.cache_key));
                    forgotten.extend(gone.map(|entry| entry.password.expose().parse::<usize>().unwrap()));
                    backend.cache().erase(HOSTS[usize::from(host)]).unwrap();
                    prop_assert!(!backend.cache().entries().iter().any(|entry| whose.contains(&entry.cache_key)));
                }
                Move::Clear => {
                    forgotten.extend(0..backend.issued.borrow().len());
                    backend.cache().clear().unwrap();
                }
                Move::Become(other) => backend.who.set(other),
                Move::Down(down) => backend.down.set(if down { usize::MAX } else { 0 }),
                Move::Clock(by) => backend.now.set(backend.now.get() + by),
                Move::Spoil => {
                    if let Some(found) = std::fs::read_dir(backend.directory.path().join("ecr-login"))
                        .into_iter()
                        .flatten()
                        .filter_map(Result::ok)
                        .find(|found| !found.file_name().to_string_lossy().starts_with("lock-"))
                    {
                        std::fs::write(found.path(), "null").unwrap();
                    }
                }
            }
        }
    }
}
