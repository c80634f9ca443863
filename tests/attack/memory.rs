//! What is left of secrets in a process that has delivered its answer and is about to end: its memory, its open files,
//! its arguments and its environment. strace holds it at its last system call, and root looks into it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::process::{Child, ChildStdout};
use std::time::{Duration, Instant};

use crate::marked::{SOURCES, places, request};
use crate::on_disk::is_root;
use crate::strace;
use crate::support::{FakeAws, Helper, REGISTRY};

/// A process that is held at its last system call.
struct Held {
    strace: Child,
    stdout: BufReader<ChildStdout>,
    pid: u32,
    answer: String,
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
        let mut stdout = BufReader::new(strace.stdout.take().unwrap());
        let mut answer = String::new();
        stdout.read_line(&mut answer).unwrap();
        let begun = Instant::now();
        let pid = loop {
            assert!(begun.elapsed() < Duration::from_secs(60), "it does not end: {answer}");
            if let Some(pid) = child_at_its_end(strace.id()) {
                break pid;
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        Self { strace, stdout, pid, answer }
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

    /// The files that are open, and the arguments.
    fn around(&self) -> Vec<(String, Vec<u8>)> {
        let open = std::fs::read_dir(format!("/proc/{}/fd", self.pid)).unwrap().map(|found| found.unwrap().path());
        let files = open.filter(|path| path.metadata().is_ok_and(|found| found.is_file()));
        let mut found: Vec<_> =
            files.map(|path| (format!("{:?}", path.read_link()), std::fs::read(path).unwrap())).collect();
        found.push(("arguments".to_owned(), std::fs::read(format!("/proc/{}/cmdline", self.pid)).unwrap()));
        found
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // The process is held, so the number is still its own.
        let pid = rustix::process::Pid::from_raw(self.pid.cast_signed()).unwrap();
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        let _ = self.strace.kill();
        let _ = self.strace.wait();
        let mut rest = String::new();
        let _ = self.stdout.read_to_string(&mut rest);
    }
}

fn child_at_its_end(strace: u32) -> Option<u32> {
    let children = std::fs::read_to_string(format!("/proc/{strace}/task/{strace}/children")).ok()?;
    children.split_ascii_whitespace().find_map(|pid| {
        let call = std::fs::read_to_string(format!("/proc/{pid}/syscall")).ok()?;
        call.starts_with(&format!("{} ", libc::SYS_exit_group)).then(|| pid.parse().ok())?
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

/// A first `get`, one that is served from the cache, and a kubelet's: where there is anything of a secret at the end.
fn search() -> Vec<Found> {
    let mut all = Vec::new();
    for (name, source) in SOURCES {
        for action in ["get", "kubelet"] {
            let aws = FakeAws::start();
            let (helper, secrets) = source(&aws);
            let input = if action == "get" { REGISTRY.to_owned() } else { request() };
            for turn in ["the first", "a cached"] {
                let held = Held::at_its_end(&helper, &[action], &input);
                assert!(held.answer.contains("fake.ecr"), "{name}: {}", held.answer);
                let (memory, around) = (held.memory(), held.around());
                drop(held);
                let secrets: Vec<String> = secrets.iter().cloned().chain(aws.handed_out()).collect();
                let near = places(&secrets, &around);
                assert!(near.is_empty(), "{name}, {turn} {action}: {near:?}");
                for (secret, places) in places(&secrets, &memory) {
                    all.push(Found { what: format!("{name}, {turn} {action}"), secret, places });
                }
            }
        }
    }
    all
}

/// The heap holds none: what is given back to it is wiped, and what is kept to the end is no secret. Keys of the
/// environment are where the system has put them, and in our copy of it.
#[test]
fn a_process_that_ends_has_no_secret_on_its_heap() {
    if !can_look("secrets in memory") {
        return;
    }
    for Found { what, secret, places } in search() {
        println!("{what}: {secret:.40}: {places:?}");
        let of_the_environment = what.starts_with("keys of the environment") && secret.starts_with("marked");
        for place in places.keys() {
            assert!(place == "[stack]" || of_the_environment, "{what}: {secret:.40} in {place}");
        }
    }
}
