//! Random sequences in which the disk fails and processes die at any operation on the real cache directory, calls take
//! their time and the clock jumps, against a model that knows which tokens were issued, for whom, until when, and which
//! were forgotten.

use rustix::io::Errno;

use super::*;
use crate::cache::{Trouble, in_trouble};
use crate::properties;

const HOSTS: [&str; 3] = ["a", "b", "c"];

#[derive(Clone, Copy, Debug)]
enum Move {
    Get(usize, bool),
    Refresh(usize),
    Fresh(usize),
    Erase(usize),
    Clear,
    Become(u8),
    /// Who it is changes while ECR answers the next call.
    BecomeMeanwhile(u8),
    Down(usize),
    Takes(Millis),
    Clock(Millis),
}

fn moves() -> impl Strategy<Value = Vec<(Move, Trouble)>> {
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
    let trouble = prop_oneof![
        4 => Just(Trouble::None),
        2 => (0..40_u32).prop_map(Trouble::Killed),
        2 => (0..30_u32, prop_oneof![Just(1), 1..5_u32, Just(u32::MAX)], errno)
            .prop_map(|(first, many, errno)| Trouble::Fails(first, many, errno)),
    ];
    prop::collection::vec((one, trouble), 1..40)
}

struct Model {
    world: Played,
    forgotten: BTreeSet<usize>,
}

impl Model {
    fn serial(answer: &Answer) -> usize {
        answer.password.expose().parse().unwrap()
    }

    /// Whose it must be, and that it lives and was not forgotten.
    fn good(&self, answer: &Answer, who: u8) -> Result<(), TestCaseError> {
        let serial = Self::serial(answer);
        let (whose, end) = self.world.issued.borrow()[serial];
        prop_assert_eq!(whose, who, "another's");
        prop_assert!(end * 1_000 > self.world.now.get(), "dead");
        prop_assert!(!self.forgotten.contains(&serial), "forgotten");
        Ok(())
    }

    fn has_one_for(&self, who: u8) -> bool {
        let lives = |entry: &Entry| entry.times.lives(self.world.now.get());
        self.world.cache().entries().iter().any(|entry| lives(entry) && entry.fingerprint == Fingerprint([who; 32]))
    }

    fn get(&self, host: usize, background: bool, trouble: Trouble) -> Result<(), TestCaseError> {
        let (who, then, down) = (self.world.who.get(), self.world.then.get(), self.world.down.get());
        let (calls, had_one) = (self.world.calls.get(), self.has_one_for(who));
        let answer = in_trouble(trouble, || self.world.ask(HOSTS[host], Wish::Cached, background));
        prop_assert!(self.world.calls.get() <= calls + 2);
        match answer {
            None => {}
            Some(Ok(answer)) => {
                self.good(&answer, who)?;
                if trouble == Trouble::None && then.is_none() && background {
                    // It was kept: the next one costs nothing. (In the foreground it may be time to refresh a copy.)
                    let calls = self.world.calls.get();
                    let again = self.world.ask(HOSTS[host], Wish::Cached, background);
                    prop_assert!(again.is_ok(), "the next one fails: {:?}", again);
                    self.good(&again.unwrap(), who)?;
                    prop_assert_eq!(self.world.calls.get(), calls, "not kept");
                }
            }
            Some(Err(_)) => {
                // A failure of a second ago answers too; and of a call that takes half a day nothing is left.
                let failed = calls < self.world.calls.get() && down > 0;
                let noted = self.world.cache().note(&Fingerprint([who; 32])).is_some();
                prop_assert!(failed || noted, "failed without a reason");
                prop_assert!(trouble != Trouble::None || !(had_one && self.has_one_for(who)), "there was one");
            }
        }
        Ok(())
    }

    fn erase(&mut self, host: Option<usize>, trouble: Trouble) -> Result<(), TestCaseError> {
        let entries = self.world.cache().entries();
        let of_host = |entry: &&Entry| host.is_none_or(|host| entry.registry == HOSTS[host]);
        let whose: Vec<Fingerprint> = entries.iter().filter(of_host).map(|entry| entry.fingerprint).collect();
        let done = in_trouble(trouble, || match host {
            Some(host) => self.world.cache().erase(HOSTS[host]),
            None => self.world.cache().clear(),
        });
        // What is said to be gone is gone, whatever failed on the way.
        if !matches!(done, Some(Ok(_))) {
            return Ok(());
        }
        let gone = entries.iter().filter(|entry| whose.contains(&entry.fingerprint));
        self.forgotten.extend(gone.map(|entry| entry.password.expose().parse::<usize>().unwrap()));
        prop_assert!(!self.world.cache().entries().iter().any(|entry| whose.contains(&entry.fingerprint)));
        let left_over = self.names().iter().any(|name| name.ends_with(".tmp"));
        prop_assert!(trouble != Trouble::None || !left_over, "a token in a left-over");
        Ok(())
    }

    fn names(&self) -> Vec<String> {
        let Ok(listing) = std::fs::read_dir(self.world.directory.path().join("ecr-login")) else { return Vec::new() };
        listing.map(|found| found.unwrap().file_name().into_string().unwrap()).collect()
    }

    /// Every entry is what was issued, and of left-overs there is at most one for each file.
    fn disk(&self) -> Result<(), TestCaseError> {
        for entry in self.world.cache().entries() {
            let (whose, end) = self.world.issued.borrow()[entry.password.expose().parse::<usize>().unwrap()];
            prop_assert_eq!((entry.fingerprint, entry.times.expires_at), (Fingerprint([whose; 32]), end));
        }
        let left_over = self.names().iter().filter(|name| name.ends_with(".tmp")).count();
        prop_assert!(left_over <= 3 * (HOSTS.len() + 1));
        Ok(())
    }
}

proptest! {
    #![proptest_config(properties::config(64))]
    #[test]
    fn no_crash_and_no_fault_of_the_disk_makes_a_wrong_answer_or_costs_one(moves in moves()) {
        let mut model = Model { world: Played::new(), forgotten: BTreeSet::new() };
        for (step, trouble) in moves {
            match step {
                Move::Get(host, background) => model.get(host, background, trouble)?,
                Move::Refresh(host) => drop(in_trouble(trouble, || model.world.ask(HOSTS[host], Wish::Refresh, true))),
                Move::Fresh(host) => {
                    let up = model.world.down.get() == 0;
                    let answer = in_trouble(trouble, || model.world.ask(HOSTS[host], Wish::Fresh, true));
                    prop_assert!(!up || !matches!(answer, Some(Err(_))));
                    if let Some(Ok(answer)) = answer {
                        prop_assert_eq!(Model::serial(&answer), model.world.issued.borrow().len() - 1);
                    }
                }
                Move::Erase(host) => model.erase(Some(host), trouble)?,
                Move::Clear => model.erase(None, trouble)?,
                Move::Become(other) => model.world.who.set(other),
                Move::BecomeMeanwhile(other) => model.world.then.set(Some(other)),
                Move::Down(calls) => model.world.down.set(calls),
                Move::Takes(takes) => model.world.takes.set(takes),
                Move::Clock(by) => model.world.now.set(model.world.now.get() + by),
            }
            model.disk()?;
        }
        // A write without trouble leaves nothing of the dead.
        model.world.then.set(None);
        model.world.down.set(0);
        model.world.ask("d", Wish::Fresh, true).unwrap();
        prop_assert!(!model.names().iter().any(|name| name.ends_with(".tmp")), "{:?}", model.names());
    }
}
