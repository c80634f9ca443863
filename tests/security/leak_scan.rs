//! Where a secret goes: every byte that the helper writes, the arguments and the environment of every program that it
//! starts, and every file that is there afterwards. strace sees the calls.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::canaries::{SOURCES, STORED, login, pieces, request};
use crate::support::cache::{HOUR, age, entries, eventually};
use crate::support::strace;
use crate::support::{FakeAws, Fault, Helper, Outcome, REGISTRY, Running, Service, binary};

/// A marked secret, and where it may go.
struct Secret {
    text: String,
    /// ECR's password: the answer, and the cache.
    is_token: bool,
    /// It was in the environment that we were given: a child has it as we do.
    is_inherited: bool,
}

/// What the helper did.
struct Run<'a> {
    what: String,
    helper: &'a Helper,
    outcome: Outcome,
    trace: String,
}

impl<'a> Run<'a> {
    fn of(what: String, helper: &'a Helper, arguments: &[&str], input: &str) -> Self {
        let trace = tempfile::NamedTempFile::new().unwrap();
        // What is given to the system: bytes for files, streams and sockets, names, arguments, environments.
        let calls = "trace=%file,%process,%network,%desc";
        let path = trace.path().to_str().unwrap();
        let options = ["-f", "-v", "-y", "-s", "1000000", "-o", path, "-e", "signal=none", "-e", calls];
        let command = strace::command(helper, &options, arguments);
        let outcome = Running::start(command, input.as_bytes()).wait();
        let trace = std::fs::read_to_string(trace.path()).unwrap();
        assert!(trace.contains("execve(") && trace.contains("exit_group("), "{what}: {trace}");
        Self { what, helper, outcome, trace }
    }

    /// Every call of ours with a piece of a secret in it is one that may have it.
    fn is_discreet(&self, secrets: &[Secret]) {
        let mut ours: BTreeMap<&str, bool> = BTreeMap::new();
        for (process, call) in calls(&self.trace) {
            let is_start = call.starts_with("execve(");
            // The keys' own program may have them, and do with them what it likes.
            if is_start && call.ends_with(" = 0") {
                ours.insert(process, call.contains(binary().to_str().unwrap()));
            }
            if !is_start && !ours.get(process).copied().unwrap_or(true) {
                continue;
            }
            for Secret { text, is_token, is_inherited } in secrets {
                let piece = pieces(text).into_iter().map(|piece| std::str::from_utf8(piece).unwrap());
                if let Some(piece) = piece.into_iter().find(|piece| call.contains(piece)) {
                    let may = self.may_have(&call, *is_token) || (*is_inherited && is_inherited_by(&call, piece));
                    assert!(may, "{}: {text:.30} in {:.300}", self.what, call.replace(piece, "###"));
                }
            }
        }
        for Secret { text, is_token, .. } in secrets {
            for (stream, said) in [("stdout", &self.outcome.stdout), ("stderr", &self.outcome.stderr)] {
                let is_there = pieces(text).iter().any(|piece| said.contains(std::str::from_utf8(piece).unwrap()));
                assert!(!is_there || (*is_token && stream == "stdout"), "{}: {text:.30} on {stream}", self.what);
            }
        }
    }

    fn may_have(&self, call: &str, is_token: bool) -> bool {
        let (name, to) = call.split_once('(').unwrap();
        let cache = format!("<{}/", self.helper.cache().display());
        let login = format!("<{}/", self.helper.home().join(".aws/sso/cache").display());
        let to = to.split([',', ')']).next().unwrap();
        match name {
            "read" | "pread64" | "recvfrom" | "recvmsg" | "readv" => true,
            "write" | "writev" | "sendto" | "sendmsg" if to.contains("<socket:") || to.contains("<TCP") => true,
            "write" | "writev" if to.starts_with("1<") || to.contains(&cache) => is_token,
            // A login that is refreshed goes back where it was.
            "write" | "writev" => !is_token && to.contains(&login),
            _ => false,
        }
    }
}

/// Process and call of each line, those in one piece that strace shows in two, since another's came in between.
fn calls(trace: &str) -> Vec<(&str, String)> {
    let mut begun: BTreeMap<&str, String> = BTreeMap::new();
    let mut all = Vec::new();
    for line in trace.lines() {
        let (process, call) = line.split_once(char::is_whitespace).unwrap();
        let call = call.trim_start();
        if let Some(beginning) = call.strip_suffix("<unfinished ...>") {
            begun.insert(process, beginning.to_owned());
        } else if let Some((_, rest)) = call.strip_prefix("<... ").and_then(|call| call.split_once(" resumed>")) {
            all.push((process, begun.remove(process).unwrap() + rest));
        } else if !call.starts_with("+++") {
            all.push((process, call.to_owned()));
        }
    }
    // What was never finished was begun all the same.
    all.extend(begun);
    all
}

/// The environment of a program is the last of `execve`'s three arguments.
fn is_inherited_by(call: &str, piece: &str) -> bool {
    let environment = call.find("], [").unwrap_or(call.len());
    call.starts_with("execve(") && call.find(piece).is_some_and(|at| at > environment)
}

/// The files below a directory that have a piece of a secret in them.
fn files_with(secret: &str, directory: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.is_symlink() {
            found.extend(files_with(secret, &path));
        } else if path.is_file() {
            let bytes = std::fs::read(&path).unwrap();
            let pieces = pieces(secret);
            if bytes.windows(16).any(|window| pieces.contains(window)) {
                found.push(path);
            }
        }
    }
    found
}

/// Everything that clients and people do with one source of credentials, with a log at its most talkative.
fn everything<'a>(name: &str, aws: &FakeAws, helper: &'a Helper) -> Vec<Run<'a>> {
    let run =
        |what: &str, arguments: &[&str], input: &str| Run::of(format!("{name}, {what}"), helper, arguments, input);
    let mut all = vec![run("a first get", &["get"], REGISTRY), run("a cached get", &["get"], REGISTRY)];
    all.push(run("kubelet", &["kubelet"], &request()));
    all.push(run("store", &["store"], &login(REGISTRY)));
    all.push(run("list", &["list"], ""));
    all.push(run("status", &["status"], ""));
    all.push(run("doctor", &["doctor", REGISTRY], ""));
    all.push(run("setup", &["setup", "docker", "--registry", REGISTRY], ""));
    age(helper, 8 * HOUR);
    let before = aws.calls(Service::Ecr);
    all.push(run("a get that starts a refresh", &["get"], REGISTRY));
    eventually("the refresh", || aws.calls(Service::Ecr) > before);
    eventually("its end", || {
        !crate::support::cache::names(&helper.cache()).iter().any(|name| name.ends_with("refreshing"))
    });
    all.push(run("erase", &["erase"], REGISTRY));
    aws.fail(Service::Ecr, Fault::access_denied());
    all.push(run("a get that is denied", &["get"], REGISTRY));
    aws.heal(Service::Ecr);
    let failed = crate::support::cache::names(&helper.cache()).into_iter().find(|name| name.ends_with(".failed"));
    std::fs::remove_file(helper.cache().join(failed.unwrap())).unwrap();
    all.push(run("password", &["password", REGISTRY], ""));
    all
}

#[test]
fn a_secret_is_written_to_the_answer_and_the_cache_and_given_to_no_child() {
    if !strace::has_strace() {
        return;
    }
    for (name, source) in SOURCES {
        let aws = FakeAws::start();
        let (helper, marked) = source(&aws);
        let helper = helper.env("ECR_LOGIN_LOG", "trace").env("ECR_LOGIN_LOG_FILE", "everything.log");
        let had: Vec<(String, Vec<_>)> =
            marked.iter().map(|secret| (secret.clone(), files_with(secret, helper.home()))).collect();
        let runs = everything(name, &aws, &helper);
        assert!(helper.home().join("everything.log").metadata().unwrap().len() > 1_000, "{name}: no log");

        let inherited = name == "keys of the environment";
        let secret = |text: String, is_inherited| Secret { text, is_token: false, is_inherited };
        let mut secrets: Vec<Secret> = marked.into_iter().map(|text| secret(text, inherited)).collect();
        secrets.push(secret(STORED.to_owned(), false));
        let passwords = aws.passwords();
        assert!(!passwords.is_empty());
        secrets.extend(aws.handed_out().into_iter().map(|text| {
            let is_token = passwords.contains(&text);
            Secret { text, is_token, is_inherited: false }
        }));
        let mut seen = 0;
        for run in &runs {
            run.is_discreet(&secrets);
            seen += usize::from(run.trace.contains(&entries(&helper)[0].password.expose()[..16]));
        }
        assert!(seen > 0, "{name}: the search finds nothing, not even the answer");

        for Secret { text, is_token, .. } in &secrets {
            let before = had.iter().find(|(secret, _)| secret == text).map_or(&[][..], |(_, files)| files);
            for file in files_with(text, helper.home()) {
                let cached = *is_token && file.parent() == Some(&helper.cache());
                let login = file.starts_with(helper.home().join(".aws/sso/cache"));
                assert!(cached || login || before.contains(&file), "{name}: {text:.30} in {}", file.display());
                if cached || login {
                    let mode = file.metadata().unwrap().permissions().mode() & 0o777;
                    assert!(mode == 0o600 || before.contains(&file), "{name}: {}: {mode:o}", file.display());
                }
            }
        }
    }
}
