//! 32 workers ask for many registries as many identities over one cache while ECR fails now and then and processes are
//! killed: every answer is the right token and alive, or a failure that is said, and nothing is left over.
//!
//! `ECR_LOGIN_LOAD_SECONDS` says for how long (4 without it), `ECR_LOGIN_LOAD_GETS` how many `get`s there must be at
//! least, `ECR_LOGIN_BINARY` which binary is tested. The figures are printed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::support::cache::eventually;
use crate::support::concurrency::{Dice, assert_nothing_is_left, processes, seconds};
use crate::support::{FakeAws, Fault, Helper, NOT_FOUND, Outcome, Running, Service, Token};

const WORKERS: usize = 32;
/// Of ECR's answers.
const FAILING: f64 = 0.05;
/// One `get` in so many is killed.
const KILLED: u64 = 50;
/// The limit of a call, in seconds.
const LIMIT: u64 = 5;
/// From the moment when a process answers to the one when we look at it, on a machine that is not short of processors.
const SLACK: Duration = Duration::from_secs(1);

const ROLE: &str = "arn:aws:iam::123456789012:role";
const REGIONS: [&str; 3] = ["eu-west-1", "us-east-1", "ap-southeast-2"];
const ACCOUNTS: u64 = 6;

/// The identity of a `get`: its variables, and the identity that AWS sees.
struct Who {
    variables: Vec<(&'static str, String)>,
    identity: &'static str,
}

fn everybody(helper: &Helper, aws: &FakeAws) -> Vec<Who> {
    let token = helper.write("token", "opaque").into_os_string().into_string().unwrap();
    let keys = |id: &str| vec![("AWS_ACCESS_KEY_ID", id.to_owned()), ("AWS_SECRET_ACCESS_KEY", "s".to_owned())];
    let profile = |name: &str| vec![("AWS_PROFILE", name.to_owned())];
    let container = format!("{}/v1/credentials", aws.url());
    [
        (keys("AKIAONE"), "AKIAONE"),
        (keys("AKIATWO"), "AKIATWO"),
        (profile("keys"), "AKIAFILE"),
        (profile("pull"), "role-pull-by-AKIAFILE"),
        (profile("push"), "role-push-by-AKIAFILE"),
        (profile("chain"), "role-far-by-role-pull-by-AKIAFILE"),
        (profile("process"), "AKIAPROCESS"),
        (vec![("AWS_WEB_IDENTITY_TOKEN_FILE", token), ("AWS_ROLE_ARN", format!("{ROLE}/web"))], "web-web-opaque"),
        (vec![("AWS_CONTAINER_CREDENTIALS_FULL_URI", container)], "container"),
    ]
    .map(|(variables, identity)| Who { variables, identity })
    .into()
}

fn home(aws: &FakeAws) -> Helper {
    let helper = Helper::new().aws(aws).env("ECR_LOGIN_TIMEOUT", LIMIT.to_string());
    let keys = r#"{"Version":1,"AccessKeyId":"AKIAPROCESS","SecretAccessKey":"s"}"#;
    let process = helper.script("process", &format!("echo '{keys}'"));
    helper.aws_config(&format!(
        "[profile keys]\naws_access_key_id = AKIAFILE\naws_secret_access_key = s\n\
         [profile pull]\nrole_arn = {ROLE}/pull\nsource_profile = keys\n\
         [profile push]\nrole_arn = {ROLE}/push\nsource_profile = keys\n\
         [profile chain]\nrole_arn = {ROLE}/far\nsource_profile = pull\n\
         [profile process]\ncredential_process = {}\n",
        process.display(),
    ))
}

/// Name, service and region of a registry.
fn registry(dice: &mut Dice) -> (String, &'static str, &'static str) {
    if dice.one_in(8) {
        return ("public.ecr.aws".to_owned(), "ecr-public", "us-east-1");
    }
    let region = REGIONS[dice.index(REGIONS.len())];
    (format!("{}.dkr.ecr.{region}.amazonaws.com", 100_000_000_000 + dice.below(ACCOUNTS)), "ecr", region)
}

/// Each way in which ECR fails here.
fn faults() -> Vec<Fault> {
    vec![
        Fault::server_error(),
        Fault::unavailable(),
        Fault::throttled(),
        Fault::limit_exceeded(),
        Fault::Cut,
        Fault::Reset,
        Fault::Close,
        Fault::Hang,
        Fault::unknown_keys(),
        Fault::expired_keys(),
        Fault::access_denied(),
        Fault::NoData,
    ]
}

/// What came of it all.
#[derive(Default)]
struct Tally {
    /// How long each answered `get` took.
    walls: Vec<Duration>,
    /// How often an old token came with a line that says so.
    warned: usize,
    /// Tokens that ended before we looked: for how long they were dead then, how long the `get` took, when that was.
    ended: Vec<(Duration, Duration, Instant)>,
    /// How long a process took that did nothing, and when that was.
    idle: Vec<(Duration, Instant)>,
    /// Failures by what was said.
    failures: BTreeMap<String, usize>,
    killed: usize,
    refreshes_killed: usize,
    fresh: usize,
    erased: usize,
    cleared: usize,
    listed: usize,
}

struct Load<'a> {
    helper: &'a Helper,
    everybody: &'a [Who],
    over: AtomicBool,
    tally: Mutex<Tally>,
}

#[test]
fn under_load_every_answer_is_the_right_valid_token_or_a_failure_that_is_reported() {
    let _alone = crate::alone();
    let seconds = seconds("ECR_LOGIN_LOAD_SECONDS", 4);
    // Every age must come by. The policy goes by parts of the life: refreshed from its half on, waited for in its last
    // tenth.
    let life = (seconds / 3).clamp(3, 20);
    let aws = FakeAws::start();
    aws.token_life(i64::try_from(life).unwrap());
    aws.fail_now_and_then(Service::Ecr, FAILING, &faults());
    aws.fail_now_and_then(Service::EcrPublic, FAILING, &faults());
    let helper = home(&aws);
    let everybody = everybody(&helper, &aws);
    let load = Load { helper: &helper, everybody: &everybody, over: AtomicBool::new(false), tally: Mutex::default() };
    let descriptors = open_descriptors();
    std::thread::scope(|scope| {
        for worker in 0..WORKERS {
            let load = &load;
            scope.spawn(move || load.work(worker));
        }
        scope.spawn(|| load.kill_refreshes());
        scope.spawn(|| load.watch_the_machine());
        std::thread::sleep(Duration::from_secs(seconds));
        load.over.store(true, Ordering::Relaxed);
    });
    let tally = load.tally.into_inner().unwrap();
    assert_nothing_is_left(&aws, &helper);
    eventually("every connection is closed", || open_descriptors() <= descriptors);
    tally.assert_none_was_dead();
    tally.report(&aws, seconds, life, everybody.len());
}

fn open_descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

impl Load<'_> {
    fn tally(&self, count: impl FnOnce(&mut Tally)) {
        count(&mut self.tally.lock().unwrap());
    }

    fn work(&self, worker: usize) {
        let mut dice = Dice::of(worker);
        while !self.over.load(Ordering::Relaxed) {
            let (registry, service, region) = registry(&mut dice);
            let who = &self.everybody[dice.index(self.everybody.len())];
            let run = |action: &str, stdin: &str| {
                let mut command = self.helper.command([action]);
                command.envs(who.variables.iter().map(|(name, value)| (name, value)));
                Running::start(command, stdin.as_bytes())
            };
            match dice.below(1_000) {
                0..2 => {
                    self.tally(|tally| tally.erased += 1);
                    assert_eq!(run("erase", &registry).wait().code, Some(0));
                }
                // It says so where another process keeps it from removing everything.
                2 if dice.one_in(8) => {
                    self.tally(|tally| tally.cleared += 1);
                    drop(run("clear", "").wait());
                }
                3..10 => self.check_list(&run("list", "").wait()),
                roll => {
                    let mut command = self.helper.command(["get"]);
                    command.envs(who.variables.iter().map(|(name, value)| (name, value)));
                    if roll < 20 {
                        self.tally(|tally| tally.fresh += 1);
                        command.env("ECR_LOGIN_REFRESH", "1");
                    }
                    let running = Running::start(command, registry.as_bytes());
                    let outcome = match dice.one_in(KILLED) {
                        true => running.killed_after(dice.moment(Duration::from_secs(LIMIT))),
                        false => running.wait(),
                    };
                    self.check_get(&outcome, &registry, (who.identity, service, region));
                }
            }
            std::thread::sleep(Duration::from_millis(dice.below(150)));
        }
    }

    fn check_get(&self, outcome: &Outcome, registry: &str, expected: (&str, &str, &str)) {
        // Before anything else: the token is judged by the moment of its answer.
        let now = SystemTime::now();
        match outcome.code {
            // Killed: what it had said until then is whole, or nothing.
            None => {
                if !outcome.stdout.is_empty() {
                    assert_is(&Token::of_password(&outcome_of(outcome).answer().secret), expected);
                }
                self.tally(|tally| tally.killed += 1);
            }
            Some(0) => {
                let token = outcome.token_with_warning();
                assert_is(&token, expected);
                let dead = now.duration_since(UNIX_EPOCH + Duration::from_secs(token.ends_at)).ok();
                assert!(dead.is_none_or(|dead| dead < outcome.duration), "dead before it was asked for: {outcome:?}");
                if !outcome.stderr.is_empty() {
                    let line = outcome.line();
                    assert!(line.contains("the token ends in") && line.contains(registry), "{line}");
                }
                self.tally(|tally| {
                    tally.walls.push(outcome.duration);
                    tally.warned += usize::from(!outcome.stderr.is_empty());
                    tally.ended.extend(dead.map(|dead| (dead, outcome.duration, Instant::now())));
                });
            }
            _ => {
                let line = outcome.failure();
                assert!(line.contains(registry), "which registry? {line}");
                self.tally(|tally| *tally.failures.entry(without_particulars(line, registry)).or_default() += 1);
            }
        }
    }

    /// It is JSON, and names our registries alone.
    fn check_list(&self, outcome: &Outcome) {
        assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""));
        let listed: BTreeMap<String, String> = serde_json::from_str(&outcome.stdout).unwrap();
        for (name, user) in listed {
            assert!(name.ends_with(".amazonaws.com") || name == "public.ecr.aws", "{name}");
            assert_eq!(user, "AWS");
        }
        self.tally(|tally| tally.listed += 1);
    }

    /// How long a process takes at the same time that does nothing: what the machine adds to all of them.
    fn watch_the_machine(&self) {
        while !self.over.load(Ordering::Relaxed) {
            let took = self.helper.run(["version"], "").duration;
            self.tally(|tally| tally.idle.push((took, Instant::now())));
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Of the detached processes one in ten is killed.
    fn kill_refreshes(&self) {
        let (mut dice, mut met) = (Dice::of(WORKERS), BTreeSet::new());
        while !self.over.load(Ordering::Relaxed) {
            for (id, arguments) in processes(self.helper) {
                if arguments.contains("refresh-in-background") && met.insert(id) && dice.one_in(10) {
                    // It may have ended by itself.
                    if kill_if_ours(id, self.helper) {
                        self.tally(|tally| tally.refreshes_killed += 1);
                    }
                }
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// A handle first, then a second look at whose process it is: ids are used again.
fn kill_if_ours(id: i32, helper: &Helper) -> bool {
    use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
    let Some(handle) = Pid::from_raw(id).and_then(|id| pidfd_open(id, PidfdFlags::empty()).ok()) else { return false };
    processes(helper).contains_key(&id) && pidfd_send_signal(&handle, Signal::KILL).is_ok()
}

/// A killed one's outcome, as if it had ended by itself.
fn outcome_of(killed: &Outcome) -> Outcome {
    assert_ne!(killed.stdout, NOT_FOUND);
    Outcome { code: Some(0), ..killed.clone() }
}

fn assert_is(token: &Token, expected: (&str, &str, &str)) {
    let of_role = token.key.starts_with("ASIA");
    assert!(of_role || token.key == token.identity, "{token:?}");
    assert_eq!((token.identity.as_str(), token.service.as_str(), token.region.as_str()), expected);
}

/// What failed, without where, who and when.
fn without_particulars(line: &str, registry: &str) -> String {
    let mut plain = line.replace(registry, "REGISTRY");
    for (from, to) in REGIONS.iter().map(|region| (*region, "REGION")) {
        plain = plain.replace(from, to);
    }
    let mut said = String::new();
    for letter in plain.chars() {
        let letter = if letter.is_ascii_digit() && !line.contains("within") && !line.contains("still running") {
            'N'
        } else {
            letter
        };
        if letter != 'N' || !said.ends_with('N') {
            said.push(letter);
        }
    }
    said
}

impl Tally {
    /// No token was dead when it was handed over, as far as can be told from outside: what lies between the end of a
    /// token and our look is what the machine made the idlest of processes wait at the same time.
    fn assert_none_was_dead(&self) {
        for (dead, took, at) in &self.ended {
            let meanwhile = self.idle.iter().filter(|(idle, then)| *then + *took >= *at && *then <= *at + *idle);
            let machine = meanwhile.map(|(idle, _)| *idle).max().unwrap_or_default();
            assert!(
                *dead < SLACK + 2 * machine,
                "dead for {dead:?}, when a process that does nothing took {machine:?}"
            );
        }
        let longest = self.ended.iter().map(|(dead, ..)| *dead).max().unwrap_or_default();
        println!("tokens that ended before we looked at the answer: {}, by {longest:?} at most", self.ended.len());
    }

    fn report(mut self, aws: &FakeAws, seconds: u64, life: u64, identities: usize) {
        self.walls.sort_unstable();
        let answers = self.walls.len();
        let failed: usize = self.failures.values().sum();
        let gets = answers + failed + self.killed;
        let calls = aws.calls(Service::Ecr) + aws.calls(Service::EcrPublic);
        let came: Vec<usize> =
            aws.came(Service::Ecr).iter().zip(aws.came(Service::EcrPublic)).map(|(one, other)| one + other).collect();
        let (faults, hangs) = (came.iter().sum::<usize>(), came[7]);
        let part = |percent: usize| self.walls[(answers - 1) * percent / 100];
        println!("{gets} gets of {WORKERS} workers in {seconds} s, tokens living {life} s: {answers} answers");
        println!("({} with a line that the token ends soon),", self.warned);
        println!("{failed} failures, {} killed, and {} refreshes killed;", self.killed, self.refreshes_killed);
        println!("{} erasures, {} clears, {} lists, {} forced", self.erased, self.cleared, self.listed, self.fresh);
        for (said, times) in &self.failures {
            println!("{times:6} x {said}");
        }
        println!("wall of an answer: p50 {:?}, p99 {:?}, max {:?}", part(50), part(99), part(100));
        self.idle.sort_unstable();
        let part = |percent: usize| self.idle[(self.idle.len() - 1) * percent / 100].0;
        println!("of a process that does nothing: p50 {:?}, p99 {:?}, max {:?}", part(50), part(99), part(100));

        // A token is fetched once for each identity, service and region, and anew from the half of its life on, whose
        // seconds are whole ones; and after whatever took it away. Who waits for one that hangs asks by itself in the
        // end.
        let cache_keys = identities * (REGIONS.len() + 1);
        let lifetimes = usize::try_from(seconds / (life / 2 - 1).max(1)).unwrap() + 1;
        let taken = self.fresh + self.erased * identities + self.cleared * cache_keys;
        let kills = self.killed + self.refreshes_killed;
        let most = cache_keys * lifetimes + faults + kills + taken + hangs * WORKERS;
        println!(
            "{calls} calls of ECR ({faults} failed, {hangs} of them hung), at most {most}: {cache_keys} cache_keys x \
             {lifetimes} lifetimes + {faults} faults + {kills} kills + {taken} taken away + {hangs} hangs x {WORKERS}"
        );
        assert!(calls <= most, "{calls} calls of ECR, and {most} are explained");
        assert!(calls < answers, "nothing came from the cache");
        let least = std::env::var("ECR_LOGIN_LOAD_GETS").map_or(WORKERS, |text| text.parse().unwrap());
        assert!(gets >= least, "{gets} gets only, {least} were wanted");
    }
}
