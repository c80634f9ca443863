//! Random sequences in which the disk fails and processes die at any operation on the real cache directory, calls take
//! their time and the clock jumps, against a model that knows which tokens were issued, for whom, until when, and which
//! were forgotten.

use rustix::io::Errno;

use super::*;
use crate::cache::{Fault, with_fault};
use crate::os::proptest_config;

const HOSTS: [&str; 3] = ["a", "b", "c"];

#[derive(Clone, Copy, Debug)]
enum Move {
    Get(usize, bool),
    Refresh(usize),
    Fresh(usize),
    Erase(usize),
    Clear,
    Become(u8),
    /// The identity changes while ECR answers the next call.
    BecomeMeanwhile(u8),
    Down(usize),
    Takes(Millis),
    Clock(Millis),
}

fn moves() -> impl Strategy<Value = Vec<(Move, Fault)>> {
    let host = || 0..HOSTS.len();
    let one = prop_oneof![
        8 => (host(), any::<bool>()).prop_map(|(host, background)| Move::Get(host, background)),
        2 => host().prop_map(Move::Refresh),
        1 => host().prop_map(Move::Fresh),
        2 => host().prop_map(Move::Erase),
        1 => Just(Move::Clear),
        1 => (1..4_u8).prop_map(Move::Become),
        1 => (1..4_u8).prop_map(Move::BecomeMeanwhile),
        1 => prop_oneof![Just(0), 1..3_usize, Just(usize::MAX)].prop_map(Move::Down),
        1 => prop_oneof![Just(0), 0..10_000_i64, 0..LIFE * 1_000].prop_map(Move::Takes),
        4 => prop_oneof![0..5_000_i64, 0..LIFE * 1_000, -LIFE * 500..0].prop_map(Move::Clock),
    ];
    let errno =
        prop::sample::select(vec![Errno::NOSPC, Errno::IO, Errno::ACCESS, Errno::ROFS, Errno::MFILE, Errno::NOENT]);
    let fault = prop_oneof![
        4 => Just(Fault::None),
        2 => (0..40_u32).prop_map(Fault::Killed),
        2 => (0..30_u32, prop_oneof![Just(1), 1..5_u32, Just(u32::MAX)], errno)
            .prop_map(|(first, many, errno)| Fault::Fails(first, many, errno)),
    ];
    prop::collection::vec((one, fault), 1..40)
}

struct Model {
    backend: FakeBackend,
    forgotten: BTreeSet<usize>,
}

impl Model {
    fn serial(answer: &RegistryCredentials) -> usize {
        answer.password.expose().parse().unwrap()
    }

    /// Whose it must be, and that it is valid and was not forgotten.
    fn good(&self, answer: &RegistryCredentials, who: u8) -> Result<(), TestCaseError> {
        let serial = Self::serial(answer);
        let (whose, end) = self.backend.issued.borrow()[serial];
        prop_assert_eq!(whose, who, "another's");
        prop_assert!(end * 1_000 > self.backend.now.get(), "dead");
        prop_assert!(!self.forgotten.contains(&serial), "forgotten");
        Ok(())
    }

    fn has_one_for(&self, who: u8) -> bool {
        let is_valid = |entry: &Entry| entry.times.is_valid(self.backend.now.get());
        self.backend.cache().entries().iter().any(|entry| is_valid(entry) && entry.cache_key == CacheKey([who; 32]))
    }

    fn get(&self, host: usize, background: bool, fault: Fault) -> Result<(), TestCaseError> {
        let (who, then, down) = (self.backend.who.get(), self.backend.then.get(), self.backend.down.get());
        let (calls, had_one) = (self.backend.calls.get(), self.has_one_for(who));
        let answer = with_fault(fault, || self.backend.ask(HOSTS[host], FetchMode::UseCache, background));
        prop_assert!(self.backend.calls.get() <= calls + 2);
        match answer {
            None => {}
            Some(Ok(answer)) => {
                self.good(&answer, who)?;
                if fault == Fault::None && then.is_none() && background {
                    // It was kept: the next one costs nothing. (In the foreground it may be time to refresh a copy.)
                    let calls = self.backend.calls.get();
                    let again = self.backend.ask(HOSTS[host], FetchMode::UseCache, background);
                    prop_assert!(again.is_ok(), "the next one fails: {:?}", again);
                    self.good(&again.unwrap(), who)?;
                    prop_assert_eq!(self.backend.calls.get(), calls, "not kept");
                }
            }
            Some(Err(_)) => {
                // A failure of a second ago answers too; and of a call that takes half a day nothing is left.
                let failed = calls < self.backend.calls.get() && down > 0;
                let noted = self.backend.cache().slot(CacheKey([who; 32]), HOSTS[0]).failure().is_some();
                prop_assert!(failed || noted, "failed without a reason");
                prop_assert!(fault != Fault::None || !(had_one && self.has_one_for(who)), "there was one");
            }
        }
        Ok(())
    }

    fn erase(&mut self, host: Option<usize>, fault: Fault) -> Result<(), TestCaseError> {
        let entries = self.backend.cache().entries();
        let of_host = |entry: &&Entry| host.is_none_or(|host| entry.registry == HOSTS[host]);
        let whose: Vec<CacheKey> = entries.iter().filter(of_host).map(|entry| entry.cache_key).collect();
        let done = with_fault(fault, || match host {
            Some(host) => self.backend.cache().erase(HOSTS[host]),
            None => self.backend.cache().clear(),
        });
        // What is reported as removed is gone, whatever failed on the way.
        if !matches!(done, Some(Ok(_))) {
            return Ok(());
        }
        let gone = entries.iter().filter(|entry| whose.contains(&entry.cache_key));
        self.forgotten.extend(gone.map(|entry| entry.password.expose().parse::<usize>().unwrap()));
        prop_assert!(!self.backend.cache().entries().iter().any(|entry| whose.contains(&entry.cache_key)));
        let left_over = self.names().iter().any(|name| name.ends_with(".tmp"));
        prop_assert!(fault != Fault::None || !left_over, "a token in a left-over");
        Ok(())
    }

    fn names(&self) -> Vec<String> {
        let Ok(listing) = std::fs::read_dir(self.backend.directory.path().join("ecr-login")) else { return Vec::new() };
        listing.map(|found| found.unwrap().file_name().into_string().unwrap()).collect()
    }

    /// Every entry is what was issued, and of left-overs there is at most one for each file.
    fn disk(&self) -> Result<(), TestCaseError> {
        for entry in self.backend.cache().entries() {
            let (whose, end) = self.backend.issued.borrow()[entry.password.expose().parse::<usize>().unwrap()];
            prop_assert_eq!((entry.cache_key, entry.times.expires_at), (CacheKey([whose; 32]), end));
        }
        let left_over = self.names().iter().filter(|name| name.ends_with(".tmp")).count();
        prop_assert!(left_over <= 3 * (HOSTS.len() + 1));
        Ok(())
    }
}

proptest! {
    #![proptest_config(proptest_config::config(64))]
    #[test]
    fn no_crash_and_no_fault_of_the_disk_makes_a_wrong_answer_or_costs_one(moves in moves()) {
        let mut model = Model { backend: FakeBackend::new(), forgotten: BTreeSet::new() };
        for (step, fault) in moves {
            match step {
                Move::Get(host, background) => model.get(host, background, fault)?,
                Move::Refresh(host) => drop(with_fault(fault, || model.backend.ask(HOSTS[host], FetchMode::BackgroundRefresh, true))),
                Move::Fresh(host) => {
                    let up = model.backend.down.get() == 0;
                    let answer = with_fault(fault, || model.backend.ask(HOSTS[host], FetchMode::ForceRefresh, true));
                    prop_assert!(!up || !matches!(answer, Some(Err(_))));
                    if let Some(Ok(answer)) = answer {
                        prop_assert_eq!(Model::serial(&answer), model.backend.issued.borrow().len() - 1);
                    }
                }
                Move::Erase(host) => model.erase(Some(host), fault)?,
                Move::Clear => model.erase(None, fault)?,
                Move::Become(other) => model.backend.who.set(other),
                Move::BecomeMeanwhile(other) => model.backend.then.set(Some(other)),
                Move::Down(calls) => model.backend.down.set(calls),
                Move::Takes(takes) => model.backend.takes.set(takes),
                Move::Clock(by) => model.backend.now.set(model.backend.now.get() + by),
            }
            model.disk()?;
        }
        // A write without fault leaves nothing of the dead.
        model.backend.then.set(None);
        model.backend.down.set(0);
        model.backend.ask("d", FetchMode::ForceRefresh, true).unwrap();
        prop_assert!(!model.names().iter().any(|name| name.ends_with(".tmp")), "{:?}", model.names());
    }
}
