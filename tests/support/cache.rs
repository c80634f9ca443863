//! The cache of a helper's home, read and changed by the crate's own code.

use std::path::Path;
use std::time::{Duration, Instant};

use ecr_login::cache::TokenLifetime;
use ecr_login::cache::{Cache, Entry};
use ecr_login::os::environment::Environment;

use crate::support::Helper;

pub const HOUR: i64 = 3_600;

pub fn cache(helper: &Helper) -> Cache {
    Cache::open(&Environment::of([("AWS_ECR_CACHE_DIR", helper.home().join(".cache"))])).unwrap()
}

pub fn entries(helper: &Helper) -> Vec<Entry> {
    cache(helper).entries()
}

/// Makes every entry older by `seconds`.
pub fn age(helper: &Helper, seconds: i64) {
    change(helper, |times| TokenLifetime {
        issued_at: times.issued_at - seconds,
        refresh_at: times.refresh_at - seconds,
        expires_at: times.expires_at - seconds,
    });
}

pub fn change(helper: &Helper, times: impl Fn(TokenLifetime) -> TokenLifetime) {
    let cache = cache(helper);
    for entry in cache.entries() {
        let entry = Entry { times: times(entry.times), ..entry };
        cache.write(&entry, cache.invalidation_epoch());
    }
}

/// Takes away the notes of fetches that failed, by which a failure answers for a second.
pub fn forget_failures(helper: &Helper) {
    let directory = helper.cache();
    let notes: Vec<String> = names(&directory).into_iter().filter(|name| name.ends_with(".failed")).collect();
    assert!(!notes.is_empty(), "a failure leaves a note");
    notes.iter().for_each(|name| std::fs::remove_file(directory.join(name)).unwrap());
}

/// The names of the files in the cache, in order.
pub fn names(directory: &Path) -> Vec<String> {
    let Ok(listing) = std::fs::read_dir(directory) else { return Vec::new() };
    let mut names: Vec<String> = listing.map(|found| found.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Waits until something is so, for at most 20 seconds.
pub fn eventually(what: &str, is_so: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < Duration::from_secs(20), "not within 20 s: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[cfg(unix)]
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}
