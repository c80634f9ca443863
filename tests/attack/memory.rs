//! What is left of secrets in a process that has delivered its answer and is about to end: its memory, its open files,
//! its arguments and its environment. strace holds it at its last system call, and root looks into it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::process::{Child, ChildStdout};
use std::time::{Duration, Instant};

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
        let options = ["-e", "trace=exit_group", "-e", "signal=none", "-e", "inject=exit_group:delay_enter=100000000"];
        let mut strace = strace::command(helper, &options, &trace, arguments).spawn().unwrap();
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

/// The pieces by which a secret is found, also where its beginning is overwritten: every 24 bytes of it hold one.
fn pieces(secret: &str) -> BTreeSet<&[u8]> {
    let bytes = secret.as_bytes();
    assert!(bytes.len() >= 24, "too short to be looked for: {secret}");
    (0..=bytes.len() - 16).step_by(8).map(|at| &bytes[at..at + 16]).collect()
}

/// Which of the secrets are there, where, and in how many pieces.
fn places(secrets: &[String], memory: &[(String, Vec<u8>)]) -> BTreeMap<String, BTreeMap<String, usize>> {
    // By their first two bytes, so that one pass over the memory does for all.
    let mut wanted: Vec<Vec<(&str, &[u8])>> = vec![Vec::new(); 1 << 16];
    let first = |bytes: &[u8]| usize::from(bytes[0]) << 8 | usize::from(bytes[1]);
    for secret in secrets {
        pieces(secret).into_iter().for_each(|piece| wanted[first(piece)].push((secret, piece)));
    }
    let mut places: BTreeMap<String, BTreeMap<String, usize>> = BTreeMap::new();
    for (name, bytes) in memory {
        for (at, pair) in bytes.windows(2).enumerate() {
            for (secret, _) in wanted[first(pair)].iter().filter(|(_, piece)| bytes[at..].starts_with(piece)) {
                *places.entry((*secret).to_owned()).or_default().entry(name.clone()).or_default() += 1;
            }
        }
    }
    places
}

fn can_look(test: &str) -> bool {
    if !is_root() {
        println!("skipped: {test}: only root may look into the process");
        return false;
    }
    strace::is_there()
}

const SECRET_KEY: &str = "marked-secret-access-key-9Qx7Lw2Vb5Nc8Zr1Kd4";
const SESSION_TOKEN: &str = "marked-session-token-4Tz8Hn1Yp6Gs3Mv7Bj2Xf5Rq9Wd4Lk8Cn1Vb6";
const AUTHORIZATION: &str = "marked-authorization-of-the-pod-8Wq3Zk6Jm1Xc4Vt7Rb2";
const ACCESS_TOKEN: &str = "marked-access-token-of-the-login-5Bn8Gq1Mz4Xk7Vc2Lw9";
const REFRESH_TOKEN: &str = "marked-refresh-token-of-the-login-1Hj4Ks7Pd2Qf5Rg8Tz3";

/// A kind of source, the helper that has it, and the marked secrets that it reads.
type Source = (&'static str, fn(&FakeAws) -> (Helper, Vec<String>));

fn owned(secrets: &[&str]) -> Vec<String> {
    secrets.iter().map(|secret| (*secret).to_owned()).collect()
}

fn keys(profile: &str) -> String {
    format!(
        "[{profile}]\naws_access_key_id = AKIAMARKED\naws_secret_access_key = {SECRET_KEY}\n\
         aws_session_token = {SESSION_TOKEN}\n"
    )
}

/// A login of SSO that is refreshed before it is used.
fn login(aws: &FakeAws) -> (Helper, Vec<String>) {
    let start = "https://start.example.com";
    let digest = ring::digest::digest(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY, b"corp");
    let name: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    let login = serde_json::json!({
        "startUrl": start, "region": "us-west-2", "accessToken": ACCESS_TOKEN, "expiresAt": "2020-01-01T00:00:00Z",
        "clientId": "client", "clientSecret": "client-secret", "registrationExpiresAt": "2099-01-01T00:00:00Z",
        "refreshToken": REFRESH_TOKEN,
    });
    let helper = Helper::new().aws(aws);
    helper.write(&format!(".aws/sso/cache/{name}.json"), login.to_string());
    let helper = helper.aws_config(&format!(
        "[default]\nsso_session = corp\nsso_account_id = 123456789012\nsso_role_name = R\n\
         [sso-session corp]\nsso_start_url = {start}\nsso_region = us-west-2\n"
    ));
    (helper, owned(&[ACCESS_TOKEN, REFRESH_TOKEN]))
}

const SOURCES: [Source; 8] = [
    ("keys of a file", |aws| {
        let helper = Helper::new().aws(aws);
        helper.write(".aws/credentials", keys("default"));
        (helper, owned(&[SECRET_KEY, SESSION_TOKEN]))
    }),
    ("keys of the environment", |aws| {
        let helper = Helper::new().aws(aws).env("AWS_ACCESS_KEY_ID", "AKIAMARKED");
        let helper = helper.env("AWS_SECRET_ACCESS_KEY", SECRET_KEY).env("AWS_SESSION_TOKEN", SESSION_TOKEN);
        (helper, owned(&[SECRET_KEY, SESSION_TOKEN]))
    }),
    ("a role", |aws| {
        let helper = Helper::new().aws(aws);
        helper.write(".aws/credentials", keys("base"));
        let role = "[default]\nrole_arn = arn:aws:iam::123456789012:role/r\nsource_profile = base\n";
        (helper.aws_config(role), owned(&[SECRET_KEY, SESSION_TOKEN]))
    }),
    ("a web identity", |aws| {
        let claims = serde_json::json!({
            "iss": "https://oidc.example.com", "sub": "marked",
            "aud": "sts.amazonaws.com", "exp": 4_102_444_800_u64,
        });
        use base64::Engine as _;
        let part = |text: &str| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text);
        let token = format!("{}.{}.{}", part("{\"alg\":\"RS256\"}"), part(&claims.to_string()), part(SESSION_TOKEN));
        let helper = Helper::new().aws(aws);
        let file = helper.write("token", &token);
        let role = "arn:aws:iam::123456789012:role/web";
        (helper.env("AWS_WEB_IDENTITY_TOKEN_FILE", file).env("AWS_ROLE_ARN", role), vec![token])
    }),
    ("the instance", |aws| (Helper::new().aws(aws).imds(aws), Vec::new())),
    ("the container", |aws| {
        aws.container_authorization(AUTHORIZATION);
        let helper = Helper::new().aws(aws);
        let file = helper.write("authorization", AUTHORIZATION);
        let helper = helper.env("AWS_CONTAINER_CREDENTIALS_FULL_URI", format!("{}/v1/credentials", aws.url()));
        (helper.env("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", file), owned(&[AUTHORIZATION]))
    }),
    ("a command", |aws| {
        let helper = Helper::new().aws(aws);
        let answer = format!(
            "{{\"Version\":1,\"AccessKeyId\":\"AKIAMARKED\",\"SecretAccessKey\":\"{SECRET_KEY}\",\
             \"SessionToken\":\"{SESSION_TOKEN}\"}}"
        );
        let program = helper.script("creds", &format!("echo '{answer}'"));
        let config = format!("[default]\ncredential_process = {}\n", program.display());
        (helper.aws_config(&config), owned(&[SECRET_KEY, SESSION_TOKEN]))
    }),
    ("a login of SSO", login),
];

/// What was found of one run.
struct Found {
    what: String,
    secret: String,
    places: BTreeMap<String, usize>,
}

/// A first `get`, one that is served from the cache, and a kubelet's: where there is anything of a secret at the end.
fn search() -> Vec<Found> {
    let mut all = Vec::new();
    let request = serde_json::json!({
        "kind": "CredentialProviderRequest", "apiVersion": "credentialprovider.kubelet.k8s.io/v1",
        "image": format!("{REGISTRY}/app"),
    });
    for (name, source) in SOURCES {
        for action in ["get", "kubelet"] {
            let aws = FakeAws::start();
            let (helper, secrets) = source(&aws);
            let input = if action == "get" { REGISTRY.to_owned() } else { request.to_string() };
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
