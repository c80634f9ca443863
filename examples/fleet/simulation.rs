//! Nodes in virtual time, against ECR's token bucket.
//!
//! Ours is driven by the code that the binary runs: when a token answers and when it is refreshed
//! ([`TokenLifetime::judge`]), when a throttled call is tried again ([`retry::pause`]) and how long the kubelet remembers
//! an answer ([`kubelet::cache_duration`]). Kubelets, ECR and the peers are models.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::time::Duration;

use ecr_login::aws::retry::RetryPolicy;
use ecr_login::aws::retry::{self, Outcome};
use ecr_login::cache::TokenLifetime;
use ecr_login::protocol::kubelet;
use ecr_login::token::freshness::Freshness;

/// Milliseconds since the fleet was switched on.
type Millis = i64;

/// When the fleet is switched on, in seconds since the Unix epoch: any time will do.
const EPOCH: i64 = 1_800_000_000;

/// The limit of a call that docker makes, and with it of a refresh in the background.
const BACKGROUND_LIMIT: Millis = 10_000;

/// The kubelet tries a failed pull again after 10 s, then after twice as long each time, at most after 5 minutes.
const BACKOFF: (Millis, Millis) = (10_000, 300_000);

/// What happens within so long after the fleet was switched on happens at boot.
const BOOT: Millis = 3_600_000;

/// Which plugin asks ECR, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plugin {
    /// This project's.
    Ours,
    /// Kubernetes' `ecr-credential-provider`: a call for each image that misses, three tries, remembered by the
    /// kubelet alone, for half of the token's life.
    Peer,
}

/// A fleet and its surroundings.
#[derive(Clone, Copy, Debug)]
pub struct Fleet {
    /// How many nodes.
    pub nodes: usize,
    /// How many images each pulls at boot, all at once or one after the other.
    pub images: u32,
    /// Whether it pulls them all at once (`serializeImagePulls: false`).
    pub parallel: bool,
    /// All boot within so long.
    pub boot: Millis,
    /// For how long they live.
    pub life: Millis,
    /// How often a node pulls afterwards, on average.
    pub pull_every: Millis,
    /// How long a token lives, in seconds.
    pub token: i64,
    /// How long a call takes.
    pub latency: Millis,
    /// For how long `warm` tries before the kubelet starts, where it is used.
    pub warm: Option<Millis>,
    /// ECR's bucket: calls a second.
    pub rate: f64,
    /// ECR's bucket: calls at once.
    pub burst: f64,
}

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Result {
    /// Calls to ECR.
    pub calls: u64,
    /// Those of them that it refused as too fast.
    pub throttled: u64,
    /// Pulls that failed at boot.
    pub failed_at_boot: u64,
    /// Pulls that failed later.
    pub failed_later: u64,
    /// Nodes that have had a token.
    pub served: usize,
    /// When the last node had its first token.
    pub last: Millis,
    /// The most calls in one second, at boot and at each refresh.
    pub peaks: Vec<u32>,
}

struct Bucket {
    rate: f64,
    burst: f64,
    left: f64,
    at: Millis,
}

impl Bucket {
    fn take(&mut self, now: Millis) -> bool {
        self.left = (self.left + (now - self.at) as f64 / 1000.0 * self.rate).min(self.burst);
        self.at = now;
        let enough = self.left >= 1.0;
        if enough {
            self.left -= 1.0;
        }
        enough
    }
}

/// A pull of a node: which of its images, and how often it has failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Pull {
    node: usize,
    image: u32,
    failures: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Pull(Pull),
    Try(usize),
    Got(usize),
}

/// One process that asks ECR.
struct Fetch {
    node: usize,
    tries: u32,
    until: Millis,
    retry_policy: RetryPolicy,
    waiters: Vec<Pull>,
}

#[derive(Default)]
struct Node {
    /// The cache on disk.
    entry: Option<TokenLifetime>,
    failed_at: Option<Millis>,
    /// The fetch that others wait for.
    flight: Option<usize>,
    /// Until when the kubelet remembers the registry's credentials.
    remembered: Millis,
    spread: u32,
    /// How often it has fetched anew, and when last.
    generation: usize,
    got_at: Option<Millis>,
}

/// One run.
pub struct Simulation {
    fleet: Fleet,
    plugin: Plugin,
    random: fastrand::Rng,
    bucket: Bucket,
    nodes: Vec<Node>,
    fetches: Vec<Option<Fetch>>,
    free: Vec<usize>,
    events: BinaryHeap<Reverse<(Millis, u64, Event)>>,
    serial: u64,
    now: Millis,
    seconds: Vec<BTreeMap<Millis, u32>>,
    result: Result,
}

/// Runs a fleet to its end. The same `seed` gives the same result.
pub fn run(plugin: Plugin, fleet: Fleet, seed: u64) -> Result {
    let mut random = fastrand::Rng::with_seed(seed);
    let nodes = (0..fleet.nodes).map(|_| Node { spread: random.u32(..), ..Node::default() }).collect();
    let bucket = Bucket { rate: fleet.rate, burst: fleet.burst, left: fleet.burst, at: 0 };
    let mut simulation = Simulation {
        fleet,
        plugin,
        random,
        bucket,
        nodes,
        fetches: Vec::new(),
        free: Vec::new(),
        events: BinaryHeap::new(),
        serial: 0,
        now: 0,
        seconds: Vec::new(),
        result: Result::default(),
    };
    for node in 0..fleet.nodes {
        let at = simulation.random.i64(0..fleet.boot.max(1));
        for image in 0..if fleet.parallel { fleet.images } else { 1 } {
            simulation.at(at, Event::Pull(Pull { node, image, failures: 0 }));
        }
    }
    simulation.live();
    simulation.result
}

impl Simulation {
    fn at(&mut self, when: Millis, event: Event) {
        self.serial += 1;
        self.events.push(Reverse((when, self.serial, event)));
    }

    fn live(&mut self) {
        while let Some(Reverse((now, _, event))) = self.events.pop() {
            if now > self.fleet.life {
                break;
            }
            self.now = now;
            match event {
                Event::Pull(pull) => self.pull(pull),
                Event::Try(fetch) => self.try_once(fetch),
                Event::Got(fetch) => self.got(fetch),
            }
        }
        self.result.peaks = self.seconds.iter().map(|seconds| seconds.values().copied().max().unwrap_or(0)).collect();
    }

    /// As the policy counts: milliseconds since the Unix epoch.
    fn clock(&self) -> Millis {
        EPOCH * 1000 + self.now
    }

    fn pull(&mut self, pull: Pull) {
        if self.now < self.nodes[pull.node].remembered {
            return self.pulled(pull);
        }
        match self.plugin {
            Plugin::Ours => self.ask_ours(pull),
            Plugin::Peer => {
                self.fetch(pull.node, RetryPolicy::Interactive, Millis::MAX / 2, vec![pull]);
            }
        }
    }

    fn ask_ours(&mut self, pull: Pull) {
        let clock = self.clock();
        let node = &self.nodes[pull.node];
        let limit = match self.fleet.warm {
            Some(limit) if node.got_at.is_none() && pull.failures == 0 => limit,
            _ => Millis::try_from(kubelet::DEFAULT_TIMEOUT.as_millis()).unwrap_or(Millis::MAX),
        };
        let pauses_refresh =
            |times: TokenLifetime| node.failed_at.is_some_and(|failed_at| times.pauses_refresh(clock, failed_at));
        let verdict = node.entry.map(|times| (times, times.freshness(clock), pauses_refresh(times)));
        let (wait, retry_policy) = match verdict {
            Some((times, Freshness::Fresh, _)) => return self.answer(pull, times.expires_at),
            Some((times, Freshness::Stale, pauses_refresh)) => {
                if node.flight.is_none() && !pauses_refresh {
                    let flight =
                        self.fetch(pull.node, RetryPolicy::Interactive, self.now + BACKGROUND_LIMIT, Vec::new());
                    self.nodes[pull.node].flight = Some(flight);
                }
                return self.answer(pull, times.expires_at);
            }
            Some((times, Freshness::Expiring(_), true)) => return self.answer(pull, times.expires_at),
            Some((_, Freshness::Expiring(wait), false)) => {
                (limit.min(Millis::try_from(wait.as_millis()).unwrap_or(limit)), RetryPolicy::NodeBoot)
            }
            Some((_, Freshness::Invalid, _)) | None => (limit, RetryPolicy::NodeBoot),
        };
        match self.nodes[pull.node].flight.and_then(|flight| self.fetches[flight].as_mut()) {
            Some(flight) => flight.waiters.push(pull),
            None => {
                let flight = self.fetch(pull.node, retry_policy, self.now + wait, vec![pull]);
                self.nodes[pull.node].flight = Some(flight);
            }
        }
    }

    fn fetch(&mut self, node: usize, retry_policy: RetryPolicy, until: Millis, waiters: Vec<Pull>) -> usize {
        let fetch = Some(Fetch { node, tries: 0, until, retry_policy, waiters });
        let index = self.free.pop().unwrap_or(self.fetches.len());
        if index == self.fetches.len() {
            self.fetches.push(fetch);
        } else {
            self.fetches[index] = fetch;
        }
        self.at(self.now, Event::Try(index));
        index
    }

    /// One call to ECR.
    fn try_once(&mut self, index: usize) {
        let Some(fetch) = &mut self.fetches[index] else { return };
        fetch.tries += 1;
        let generation = self.nodes[fetch.node].generation;
        if self.seconds.len() <= generation {
            self.seconds.resize_with(generation + 1, BTreeMap::new);
        }
        *self.seconds[generation].entry(self.now / 1000).or_default() += 1;
        self.result.calls += 1;
        let answered = self.now + self.fleet.latency;
        if self.bucket.take(self.now) {
            return self.at(answered, Event::Got(index));
        }
        self.result.throttled += 1;
        let left = Duration::from_millis((fetch.until - answered).max(0).unsigned_abs());
        match retry::pause(fetch.retry_policy, fetch.tries, Outcome::Throttled, left, self.random.f64()) {
            Some(pause) => self.at(answered + Millis::try_from(pause.as_millis()).unwrap_or(0), Event::Try(index)),
            None => self.gave_up(index),
        }
    }

    fn land(&mut self, index: usize) -> Option<Fetch> {
        let fetch = self.fetches[index].take()?;
        self.free.push(index);
        let node = &mut self.nodes[fetch.node];
        if node.flight == Some(index) {
            node.flight = None;
        }
        Some(fetch)
    }

    fn got(&mut self, index: usize) {
        let Some(fetch) = self.land(index) else { return };
        let (now, clock) = (self.now, self.clock());
        let node = &mut self.nodes[fetch.node];
        match node.got_at {
            None => {
                self.result.served += 1;
                self.result.last = now;
                node.generation += 1;
            }
            Some(earlier) if now - earlier > self.fleet.token * 100 => node.generation += 1,
            Some(_) => {}
        }
        let first = node.got_at.replace(now).is_none();
        let expires_at = clock / 1000 + self.fleet.token;
        node.entry = TokenLifetime::of_new(clock, expires_at, node.spread);
        node.failed_at = None;
        for pull in fetch.waiters {
            self.answer(pull, expires_at);
        }
        if first {
            // From now on it pulls an image now and then. Those that the kubelet's memory answers need no event.
            self.pull_again(fetch.node);
        }
    }

    fn gave_up(&mut self, index: usize) {
        let Some(fetch) = self.land(index) else { return };
        let clock = self.clock();
        let node = &mut self.nodes[fetch.node];
        node.failed_at = Some(clock);
        let old = node.entry.filter(|times| times.is_valid(clock));
        for pull in fetch.waiters {
            match old {
                Some(times) => self.answer(pull, times.expires_at),
                None => self.failed(pull),
            }
        }
    }

    /// The plugin's answer; the kubelet remembers it.
    fn answer(&mut self, pull: Pull, expires_at: i64) {
        let spread = match self.plugin {
            Plugin::Ours => self.nodes[pull.node].spread,
            Plugin::Peer => 0,
        };
        let seconds = kubelet::cache_duration(self.clock() / 1000, Some(expires_at), spread);
        self.nodes[pull.node].remembered = self.now + Millis::try_from(seconds).unwrap_or(0) * 1000;
        self.pulled(pull);
    }

    fn pulled(&mut self, pull: Pull) {
        if pull.image >= self.fleet.images {
            self.pull_again(pull.node);
        }
    }

    fn failed(&mut self, pull: Pull) {
        match self.now < BOOT {
            true => self.result.failed_at_boot += 1,
            false => self.result.failed_later += 1,
        }
        let pause = (BACKOFF.0 << pull.failures.min(10)).min(BACKOFF.1) + self.random.i64(0..1000);
        self.at(self.now + pause, Event::Pull(Pull { failures: pull.failures + 1, ..pull }));
    }

    /// Pulls come at random: whenever the kubelet's memory ends, the wait for the next one is exponential.
    fn pull_again(&mut self, node: usize) {
        let wait = -(1.0 - self.random.f64()).ln() * self.fleet.pull_every as f64;
        let from = self.nodes[node].remembered.max(self.now);
        self.at(from + wait as Millis, Event::Pull(Pull { node, image: self.fleet.images, failures: 0 }));
    }
}
