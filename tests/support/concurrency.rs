//! Many processes of one home at once, and what must be left of them: nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::support::cache::{cache, eventually, names};
use crate::support::{FakeAws, Helper, REGISTRY, Service};

/// Numbers that look random and are the same in every run of one worker.
pub struct Dice(u64);

impl Dice {
    pub fn of(worker: usize) -> Self {
        Self(0x9e37_79b9_7f4a_7c15 ^ (worker as u64 + 1).wrapping_mul(0xff51_afd7_ed55_8ccd))
    }

    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }

    pub fn one_in(&mut self, number: u64) -> bool {
        self.below(number) == 0
    }

    pub fn index(&mut self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).unwrap()
    }

    /// Short ones more often, as what is killed is more often at its beginning than at its end.
    pub fn moment(&mut self, longest: Duration) -> Duration {
        let part = self.below(1_000_000) as f64 / 1_000_000.0;
        longest.mul_f64(part.powi(4))
    }
}

/// What a number of seconds a run is to take, by a variable; so many without it.
pub fn seconds(variable: &str, usual: u64) -> u64 {
    std::env::var(variable).map_or(usual, |text| text.parse().unwrap())
}

/// The processes whose home is this one, and their arguments. One that has ended and was not reaped is none.
pub fn processes(helper: &Helper) -> BTreeMap<i32, String> {
    let home = format!("HOME={}\0", helper.home().display());
    let Ok(processes) = std::fs::read_dir("/proc") else { return BTreeMap::new() };
    let of_ours = |found: std::fs::DirEntry| {
        let id = found.file_name().to_str()?.parse().ok()?;
        let environment = std::fs::read(found.path().join("environ")).unwrap_or_default();
        let ours = environment.windows(home.len()).any(|part| part == home.as_bytes());
        ours.then(|| (id, std::fs::read_to_string(found.path().join("cmdline")).unwrap_or_default()))
    };
    processes.filter_map(Result::ok).filter_map(of_ours).collect()
}

/// After the last call: nobody runs, no lock is held, every entry can be read, and what the dead left is gone with the
/// next write, of somebody else.
pub fn assert_nothing_is_left(aws: &FakeAws, helper: &Helper) {
    eventually("no process is left", || processes(helper).is_empty());
    let directory = cache(helper);
    let path = directory.path().unwrap();
    let left = names(path);
    let named_so = |end: &str| left.iter().filter(|name| name.ends_with(end)).count();
    let locks: Vec<_> = left.iter().filter(|name| name.starts_with("lock-")).collect();
    let entries = left.iter().filter(|name| name.contains(".amazonaws.com") || name.contains("public.ecr.aws"));
    assert_eq!(entries.filter(|name| !name.ends_with(".tmp")).count(), directory.entries().len(), "{left:?}");
    assert!(locks.len() <= 64, "{left:?}");
    for name in locks {
        let file = std::fs::File::options().append(true).open(path.join(name)).unwrap();
        file.try_lock().unwrap_or_else(|error| panic!("{name} is held: {error}"));
    }
    println!("left: {} entries, {} temporary files", directory.entries().len(), named_so(".tmp"));
    [Service::Ecr, Service::EcrPublic].into_iter().for_each(|service| aws.heal(service));
    let other = Helper::new().aws(aws).keys("AKIALAST").env("AWS_ECR_CACHE_DIR", helper.home().join(".cache"));
    other.get(REGISTRY).token();
    let left = names(path);
    assert!(!left.iter().any(|name| name.ends_with(".tmp")), "{left:?}");
}
