//! A clock that jumps between two calls: no token is served that is dead by it or comes from its future.
//!
//! The clock is set by a library before the C library's (LD_PRELOAD), so this is for the tests' own build: the release
//! build is static and asks the kernel.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::support::{FakeAws, Helper, Outcome, REGISTRY, Service, binary};

const SHIM: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>

static long long ahead(void) {
    const char *text = getenv("CLOCK_AHEAD");
    return text ? atoll(text) : 0;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real)
        real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    int done = real(clock, now);
    if (!done && clock == CLOCK_REALTIME)
        now->tv_sec += ahead();
    return done;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    struct timespec precise;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &precise);
    now->tv_sec = precise.tv_sec;
    now->tv_usec = precise.tv_nsec / 1000;
    return 0;
}
"#;

const DAY: i64 = 86_400;

/// The library, compiled; `None` for a static binary.
fn shim(directory: &Path) -> Option<PathBuf> {
    if !Command::new("ldd").arg(binary()).output().is_ok_and(|output| output.status.success()) {
        println!("skipped: a static binary asks the kernel for the time");
        return None;
    }
    let (source, library) = (directory.join("clock.c"), directory.join("clock.so"));
    std::fs::write(&source, SHIM).unwrap();
    let compiled = Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&library).arg(&source).arg("-ldl").status();
    assert!(compiled.unwrap().success());
    Some(library)
}

struct Clock {
    aws: FakeAws,
    helper: Helper,
    library: PathBuf,
}

impl Clock {
    fn new() -> Option<Self> {
        let aws = FakeAws::start();
        let helper = Helper::new().aws(&aws).keys("AKIAEXAMPLE");
        let library = shim(helper.home())?;
        Some(Self { aws, helper, library })
    }

    /// A `get` with the clock `ahead` seconds ahead; AWS's clock says the same if it `agrees`.
    fn get(&self, ahead: i64, agrees: bool) -> Outcome {
        self.aws.clock(if agrees { ahead } else { 0 });
        self.aws.token_life(12 * 3_600 + if agrees { ahead } else { 0 });
        let mut command = self.helper.command(["get"]);
        command.env("LD_PRELOAD", &self.library).env("CLOCK_AHEAD", ahead.to_string());
        let running = crate::support::Running::start(command, REGISTRY.as_bytes());
        running.wait()
    }

    fn calls(&self) -> usize {
        self.aws.calls(Service::Ecr)
    }

    /// Whether a `get` at that time was served from the cache.
    fn is_cached(&self, ahead: i64) -> bool {
        let before = self.calls();
        assert_eq!(self.get(ahead, true).token().key, "AKIAEXAMPLE");
        self.calls() == before
    }
}

fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs().cast_signed()
}

#[test]
fn a_clock_that_jumps_by_a_day_and_back_never_gets_a_dead_token_or_one_of_the_future() {
    let Some(clock) = Clock::new() else { return };
    for (ahead, cached) in [
        (0, false),
        (0, true),
        // The token has ended.
        (DAY, false),
        (DAY, true),
        // The token is of tomorrow.
        (0, false),
        (0, true),
        (-DAY, false),
        (-DAY, true),
        (0, false),
        // An hour is nothing.
        (3_600, true),
        (0, true),
    ] {
        assert_eq!(clock.is_cached(ahead), cached, "{ahead}");
    }
}

#[test]
fn in_1970_and_in_2100_a_token_is_fetched_and_that_of_today_is_served_to_nobody() {
    let Some(clock) = Clock::new() else { return };
    let (epoch, far) = (3_600 - now(), 4_102_444_800 - now());
    for ahead in [0, epoch, far, epoch, 0, far, 0] {
        assert!(!clock.is_cached(ahead), "{ahead}");
        assert!(clock.is_cached(ahead), "{ahead}");
    }
}

#[test]
fn a_clock_that_only_we_have_wrong_gets_a_token_that_is_not_kept_or_a_reason() {
    let Some(clock) = Clock::new() else { return };
    for ahead in [3_600 - now(), 4_102_444_800 - now(), DAY, -DAY] {
        for _ in 0..2 {
            let before = clock.calls();
            let outcome = clock.get(ahead, false);
            assert!(clock.calls() > before, "{ahead}: what our clock cannot believe is not served from the cache");
            match outcome.code {
                Some(0) => assert_eq!(outcome.token_with_warning().key, "AKIAEXAMPLE"),
                _ => assert!(outcome.failure().contains("clock"), "{ahead}: {outcome:?}"),
            }
        }
        clock.helper.run(["erase"], REGISTRY);
    }
    assert!(!clock.is_cached(0) && clock.is_cached(0), "and when it is right again all is well");
}
