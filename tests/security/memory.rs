//! What is left of secrets in a process that has delivered its answer and is about to end: its memory, its open files,
//! its arguments and its environment. strace holds it at its last system call, and root looks into it.

use std::collections::BTreeMap;
use std::fs::{File, Metadata};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::process::{Child, ChildStdout};
use std::time::{Duration, Instant};

use crate::canaries::{ANSWERED, KEYS, LOGIN, POD, SOURCES, STORED, Source, login, places, request};
use crate::support::cache::{HOUR, age, is_root, names};
use crate::support::kubelet::{ROLE, from_now, pod_request, service_account_token};
use crate::support::strace;
use crate::support::{FakeAws, Fault, Helper, NOT_FOUND, REGISTRY, Service, binary};

/// A process that is held at its last system call.
struct Held {
    strace: Child,
    stdout: ChildStdout,
    pid: u32,
}

impl Held {
    fn at_its_end(helper: &Helper, arguments: &[&str], input: &str) -> Self {
        let trace = helper.home().join("trace");
        let options = [
            "-o",
            trace.to_str().unwrap(),
            "-e",
            "trace=exit_group",
            "-e",
            "signal=none",
            "-e",
            "inject=exit_group:delay_enter=100000000",
        ];
        let mut strace = strace::command(helper, &options, arguments).spawn().unwrap();
        strace.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let stdout = strace.stdout.take().unwrap();
        let begun = Instant::now();
        let pid = loop {
            assert!(begun.elapsed() < Duration::from_secs(60), "it does not end: {arguments:?}");
            if let Some(pid) = child_at_its_end(strace.id()) {
                break pid;
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        Self { strace, stdout, pid }
    }

    /// Ends it, and says what it had answered.
    fn answer(mut self) -> String {
        self.end();
        let mut answer = String::new();
        self.stdout.read_to_string(&mut answer).unwrap();
        answer
    }

    fn end(&mut self) {
        // The process is held, so the number is still its own; strace reaps it and ends.
        if let Some(pid) = rustix::process::Pid::from_raw(std::mem::take(&mut self.pid).cast_signed()) {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
            let _ = self.strace.kill();
            let _ = self.strace.wait();
        }
    }

    /// Every mapping that can be written, by its name.
    fn memory(&self) -> Vec<(String, Vec<u8>)> {
        let maps = std::fs::read_to_string(format!("/proc/{}/maps", self.pid)).unwrap();
        let mut memory = File::open(format!("/proc/{}/mem", self.pid)).unwrap();
        let mut found = Vec::new();
        for line in maps.lines() {
            let words: Vec<&str> = line.split_ascii_whitespace().collect();
            if !words[1].contains('w') {
                continue;
            }
            let (start, end) = words[0].split_once('-').unwrap();
            let at = |text| u64::from_str_radix(text, 16).unwrap();
            let (start, end) = (at(start), at(end));
            let mut bytes = vec![0; usize::try_from(end - start).unwrap()];
            memory.seek(SeekFrom::Start(start)).unwrap();
            // A mapping that nobody has touched may not be readable; then nothing is in it.
            if memory.read_exact(&mut bytes).is_ok() {
                found.push((words.get(5).copied().unwrap_or("anonymous").to_owned(), bytes));
            }
        }
        for name in ["[heap]", "[stack]"] {
            assert!(found.iter().any(|(found, _)| found == name), "{maps}");
        }
        found
    }

    /// The files that are open, and the arguments. Not what it inherited from us, such as a log of other tests.
    fn around(&self) -> Vec<(String, Vec<u8>)> {
        let open_in = |process: &str| {
            let open = std::fs::read_dir(format!("/proc/{process}/fd")).unwrap().map(|found| found.unwrap().path());
            open.filter_map(|path| Some((path.metadata().ok()?, path))).filter(|(found, _)| found.is_file())
        };
        let number = |found: &Metadata| (found.dev(), found.ino());
        let inherited: Vec<_> = open_in("self").map(|(found, _)| number(&found)).collect();
        let files = open_in(&self.pid.to_string()).filter(|(found, _)| !inherited.contains(&number(found)));
        let files = files.map(|(_, path)| path);
        let mut found: Vec<_> =
            files.map(|path| (format!("{:?}", path.read_link()), std::fs::read(path).unwrap())).collect();
        found.push(("arguments".to_owned(), std::fs::read(format!("/proc/{}/cmdline", self.pid)).unwrap()));
        found
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.end();
    }
}

/// The helper below strace, once it is held. (strace starts a process of its own first, to try what the system can.)
fn child_at_its_end(strace: u32) -> Option<u32> {
    let children = std::fs::read_to_string(format!("/proc/{strace}/task/{strace}/children")).ok()?;
    let binary = binary().canonicalize().unwrap();
    children.split_ascii_whitespace().find_map(|pid| {
        let is_ours = std::fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|program| program == binary);
        let call = std::fs::read_to_string(format!("/proc/{pid}/syscall")).ok()?;
        (is_ours && call.starts_with(&format!("{} ", libc::SYS_exit_group))).then(|| pid.parse().ok())?
    })
}

fn can_look(test: &str) -> bool {
    if !is_root() {
        println!("skipped: {test}: only root may look into the process");
        return false;
    }
    strace::has_strace()
}

/// What was found of one run.
struct Found {
    what: String,
    secret: String,
    places: BTreeMap<String, usize>,
}

/// One source of credentials, and what was found of its secrets.
struct Search {
    name: &'static str,
    aws: FakeAws,
    helper: Helper,
    marked: Vec<String>,
    runs: usize,
    found: Vec<Found>,
}

impl Search {
    fn of((name, source): Source) -> Self {
        let aws = FakeAws::start();
        let (helper, marked) = source(&aws);
        Self { name, aws, helper, marked, runs: 0, found: Vec::new() }
    }

    /// Runs it to its last system call, searches it, and gives back what it had answered.
    fn run(&mut self, what: &str, arguments: &[&str], input: &str) -> String {
        let held = Held::at_its_end(&self.helper, arguments, input);
        let (memory, around) = (held.memory(), held.around());
        let answer = held.answer();
        let secrets: Vec<String> = self.marked.iter().cloned().chain(self.aws.handed_out()).collect();
        let what = format!("{}, {what}", self.name);
        let near = places(&secrets, &around);
        assert!(near.is_empty(), "{what}: {near:?}");
        for (secret, places) in places(&secrets, &memory) {
            self.found.push(Found { what: what.clone(), secret, places });
        }
        self.runs += 1;
        answer
    }

    /// The same, where it must answer with ECR's password.
    fn answers(&mut self, what: &str, arguments: &[&str], input: &str) {
        let answer = self.run(what, arguments, input);
        assert!(answer.contains("fake.ecr"), "{}, {what}: {answer}", self.name);
    }

    fn forget(&mut self) {
        assert_eq!(self.run("erase", &["erase"], REGISTRY), "", "{}", self.name);
    }

    /// Everything that has secrets of the source: a `get` that is denied, first ones and those that are served from the
    /// cache, and a refresh in the background.
    fn all_that_asks(&mut self) {
        self.aws.fail(Service::Ecr, Fault::access_denied());
        assert_eq!(self.run("a get that is denied", &["get"], REGISTRY), NOT_FOUND, "{}", self.name);
        self.aws.heal(Service::Ecr);
        self.forget_the_failure();
        self.answers("the first get", &["get"], REGISTRY);
        self.answers("a cached get", &["get"], REGISTRY);
        assert!(self.run("list", &["list"], "").contains(REGISTRY), "{}", self.name);
        assert!(self.run("status", &["status"], "").contains(REGISTRY), "{}", self.name);
        self.forget();
        self.answers("the first kubelet", &["kubelet"], &request());
        self.answers("a cached kubelet", &["kubelet"], &request());
        self.forget();
        for what in ["the first password", "a cached password"] {
            let password = self.run(what, &["password", REGISTRY], "");
            assert!(self.aws.passwords().iter().any(|issued| *issued == password.trim_end()), "{}", self.name);
        }
        age(&self.helper, 8 * HOUR);
        let before = self.aws.calls(Service::Ecr);
        assert_eq!(self.run("a refresh in the background", &["refresh-in-background", REGISTRY], ""), "");
        assert_eq!(self.aws.calls(Service::Ecr), before + 1, "{}: nothing was refreshed", self.name);
        self.run("doctor", &["doctor", REGISTRY], "");
    }

    /// So that the next call is made, whatever the one before was told.
    fn forget_the_failure(&self) {
        let failed = names(&self.helper.cache()).into_iter().find(|name| name.ends_with(".failed"));
        std::fs::remove_file(self.helper.cache().join(failed.unwrap())).unwrap();
    }

    /// What clients hand us, and what is in files of theirs, has nothing to do with the source.
    fn all_that_is_handed_to_us(&mut self) {
        self.marked.push(STORED.to_owned());
        assert_eq!(self.run("store", &["store"], &login(REGISTRY)), "");
        let refused = self.run("store for another registry", &["store"], &login("registry.example.com"));
        assert!(refused.contains("is not a registry of Amazon ECR"), "{refused}");
        self.run("store of what is no login", &["store"], &login(REGISTRY).replace('}', ""));

        // The kubelet hands us a pod's own token; the second answer is of the cache.
        let token = service_account_token(POD, "alice-pod", from_now(3600));
        self.marked.push(token.clone());
        for what in ["the first kubelet of a pod", "a cached kubelet of a pod"] {
            self.answers(what, &["kubelet"], &pod_request(&format!("{REGISTRY}/app"), &token, Some(ROLE)));
        }

        // A helper beside us is sent the login, and answers with another.
        self.marked.push(ANSWERED.to_owned());
        let answer = format!(r#"{{"ServerURL":"registry.example.com","Username":"u","Secret":"{ANSWERED}"}}"#);
        self.helper.script("bin/docker-credential-other", &format!("cat > /dev/null; echo '{answer}'"));
        let helper = std::mem::replace(&mut self.helper, Helper::new());
        self.helper = helper.settings("delegate = \"other\"\n");
        assert!(self.run("store to a delegate", &["store"], &login("registry.example.com")).contains(ANSWERED));
        assert!(self.run("get from a delegate", &["get"], "registry.example.com").contains(ANSWERED));

        self.marked.push(LOGIN.to_owned());
        let logins = serde_json::json!({ "auths": {
            "registry.example.com": { "auth": LOGIN }, REGISTRY: { "auth": LOGIN, "identitytoken": LOGIN },
        } });
        for (client, file) in [("docker", ".docker/config.json"), ("podman", ".config/containers/auth.json")] {
            let path = self.helper.write(file, serde_json::to_string_pretty(&logins).unwrap());
            let path = path.to_str().unwrap();
            let setup = ["setup", client, "--registry", REGISTRY, "--file", path];
            for (what, more) in [
                ("that is only shown", &["--dry-run"][..]),
                ("", &[]),
                ("that takes an old login out", &["--clean"]),
                ("that is undone", &["--undo"]),
            ] {
                let report = self.run(&format!("setup {client} {what}"), &[&setup[..], more].concat(), "");
                assert!(report.contains(path), "{report}");
            }
        }
        self.run("doctor beside logins", &["doctor", REGISTRY], "");
    }
}

/// The heap holds none: what is given back to it is wiped, and what is kept to the end is no secret. Keys of the
/// environment are where the system has put them, and in our copy of it.
#[test]
fn a_process_that_ends_has_no_secret_on_its_heap() {
    if !can_look("secrets in memory") {
        return;
    }
    let (mut runs, mut left) = (0, Vec::new());
    for source in SOURCES {
        let mut search = Search::of(source);
        search.all_that_asks();
        let has_keys_in_its_environment = search.name == "keys of the environment";
        if has_keys_in_its_environment {
            search.all_that_is_handed_to_us();
        }
        runs += search.runs;
        let is_inherited = |secret: &str| has_keys_in_its_environment && KEYS.contains(&secret);
        let mut seen = 0;
        for Found { what, secret, places } in &search.found {
            println!("{what}: {secret:.40}: {places:?}");
            seen += usize::from(is_inherited(secret) && places.contains_key("[stack]"));
            if !is_inherited(secret) && places.keys().any(|place| place != "[stack]") {
                left.push(format!("{what}: {secret:.40}: {places:?}"));
            }
        }
        // The search finds what is there: the system's own copy of the environment, in every run.
        if has_keys_in_its_environment {
            assert_eq!(seen, KEYS.len() * search.runs, "the search misses what is there");
        }
    }
    println!("{runs} processes searched");
    assert!(left.is_empty(), "{left:#?}");
}
