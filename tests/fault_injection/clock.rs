//! A clock that jumps, between two calls or during one: no token is served that is dead by it or comes from its future, and
//! no call waits longer or gives up sooner for it.
//!
//! The clock is set by a library before the C library's (LD_PRELOAD), so this is for the tests' own build: the release
//! build is static and asks the kernel.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::support::cache::eventually;
use crate::support::{FakeAws, Fault, Helper, Outcome, REGISTRY, Running, Service, binary};

const SHIM: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

/* As far as CLOCK_AHEAD says; once the file CLOCK_JUMPED is there, as far as CLOCK_AHEAD_THEN says. */
static long long ahead(void) {
    const char *jumped = getenv("CLOCK_JUMPED");
    int before = errno;
    int then = jumped && !access(jumped, F_OK);
    errno = before;
    const char *text = getenv(then ? "CLOCK_AHEAD_THEN" : "CLOCK_AHEAD");
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

/// ECR's tokens live for so long.
const LIFE: i64 = 12 * 3_600;

/// How far the clock jumps during a call: by seconds, by less than a token's life and by more, to 1970 and to 2100.
fn jumps() -> [i64; 10] {
    let (hour, epoch, far) = (3_600, 3_600 - now(), 4_102_444_800 - now());
    [5, -5, hour, -hour, 11 * hour, -11 * hour, DAY, -DAY, epoch, far]
}

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
        self.aws.token_life(LIFE + if agrees { ahead } else { 0 });
        self.start(ahead, None).wait()
    }

    /// A `get` that has begun; once the file is there its clock is as far ahead as `then` says.
    fn start(&self, ahead: i64, then: Option<(&Path, i64)>) -> Running {
        let mut command = self.helper.command(["get"]);
        command.env("LD_PRELOAD", &self.library).env("CLOCK_AHEAD", ahead.to_string());
        if let Some((file, ahead)) = then {
            command.env("CLOCK_JUMPED", file).env("CLOCK_AHEAD_THEN", ahead.to_string());
        }
        Running::start(command, REGISTRY.as_bytes())
    }

    /// So many `get`s at once whose clock jumps while they wait for ECR, which has the right time.
    fn jumps(&self, (ahead, then): (i64, i64), at_once: usize) -> Vec<Outcome> {
        self.aws.clock(0);
        let jumped = self.helper.home().join("jumped");
        let _ = std::fs::remove_file(&jumped);
        let before = self.calls();
        let running: Vec<Running> = (0..at_once).map(|_| self.start(ahead, Some((&jumped, then)))).collect();
        eventually("ECR is asked", || self.calls() > before);
        std::fs::write(&jumped, "").unwrap();
        running.into_iter().map(Running::wait).collect()
    }

    /// The next calls, by the right time, have a token that lives, and the second of them has it from the cache.
    fn is_right_again(&self, what: &str) {
        self.aws.token_life(LIFE);
        for _ in 0..2 {
            let token = self.get(0, true).token();
            assert_eq!(token.key, "AKIAEXAMPLE", "{what}");
            assert!(token.ends_at.cast_signed() > now(), "{what}: {token:?}");
        }
        let before = self.calls();
        assert!(self.is_cached(0), "{what}");
        assert_eq!(self.calls(), before, "{what}");
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
fn in_1970_and_in_2100_a_token_is_fetched_and_that_of_today_is_not_served() {
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

/// A virtual machine that slept: the request is signed by AWS's time, and the token is kept by ours.
#[test]
fn by_a_clock_that_is_hours_behind_no_token_is_served_past_its_end() {
    let Some(clock) = Clock::new() else { return };
    for behind in [3_600, 8 * 3_600, 11 * 3_600] {
        clock.get(-behind, false).token();
        let before = clock.calls();
        clock.get(-behind, false).token();
        assert_eq!(clock.calls(), before, "{behind}: it is served while it lives");
        // Twelve hours later, by both clocks.
        clock.aws.clock(LIFE);
        clock.aws.token_life(LIFE + LIFE);
        let token = clock.start(LIFE - behind, None).wait().token();
        assert!(clock.calls() > before && token.ends_at.cast_signed() > now() + LIFE, "{behind}: {token:?}");
        clock.helper.run(["erase"], REGISTRY);
    }
}

/// One of them asks, and the other waits for it.
#[test]
fn a_clock_that_jumps_during_the_fetch_loses_no_token_and_leaves_no_dead_one() {
    let Some(clock) = Clock::new() else { return };
    for then in jumps() {
        clock.aws.fail_times(Service::Ecr, 1, Fault::late(1_000));
        for outcome in clock.jumps((0, then), 2) {
            let token = outcome.token_with_warning();
            assert!(token.ends_at.cast_signed() > now(), "{then}: {token:?}");
        }
        clock.is_right_again(&format!("the clock jumped by {then} s"));
        clock.helper.run(["erase"], REGISTRY);
    }
}

/// The signature's time is wrong, and the clock is not any more when AWS says so.
#[test]
fn a_clock_that_is_set_during_the_fetch_loses_no_token() {
    let Some(clock) = Clock::new() else { return };
    for ahead in jumps() {
        clock.aws.fail_times(Service::Ecr, 1, Fault::late(1_000));
        for outcome in clock.jumps((ahead, 0), 1) {
            let token = outcome.token_with_warning();
            assert!(token.ends_at.cast_signed() > now(), "{ahead}: {token:?}");
        }
        clock.is_right_again(&format!("the clock was {ahead} s ahead"));
        clock.helper.run(["erase"], REGISTRY);
    }
}

#[test]
fn a_token_that_ends_soon_is_not_kept_alive_by_a_clock_that_jumped() {
    let Some(clock) = Clock::new() else { return };
    for then in [3_600, -3_600, -11 * 3_600, DAY, -DAY] {
        clock.aws.token_life(3);
        clock.aws.fail_times(Service::Ecr, 1, Fault::late(1_000));
        let ends_at = clock.jumps((0, then), 1)[0].token_with_warning().ends_at.cast_signed();
        while now() <= ends_at {
            std::thread::sleep(Duration::from_millis(50));
        }
        clock.is_right_again(&format!("the clock jumped by {then} s"));
        clock.helper.run(["erase"], REGISTRY);
    }
}

#[test]
fn a_clock_that_jumps_while_ecr_hangs_makes_the_deadline_neither_sooner_nor_later() {
    const LIMIT: Duration = Duration::from_secs(2);
    let Some(mut clock) = Clock::new() else { return };
    clock.helper = clock.helper.env("ECR_LOGIN_TIMEOUT", "2");
    clock.aws.fail(Service::Ecr, Fault::Hang);
    for then in [DAY, -DAY, 3_600 - now(), 4_102_444_800 - now()] {
        for outcome in clock.jumps((0, then), 2) {
            assert!(outcome.failure().contains("ECR did not answer within 2 s"), "{then}: {outcome:?}");
            assert!((LIMIT..LIMIT + Duration::from_secs(10)).contains(&outcome.duration), "{then}: {outcome:?}");
        }
    }
}
