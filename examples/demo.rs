//! What the helper does for a pull, shown without an AWS account: `demo PATH-OF-THE-HELPER`.
//!
//! This program is a small ECR on the loopback interface. It runs the helper as docker would, three times: cold (a call
//! to ECR), warm (from the cache, no call) and failing (ECR refuses), and says what happened and how long it took. It
//! exits with 1 if anything went otherwise than it says. `install.sh --demo` compiles this one file by itself, so it
//! uses nothing but the standard library.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

const REGISTRY: &str = "123456789012.dkr.ecr.us-east-1.amazonaws.com";
/// `AWS:a-token-made-by-the-demo`, as ECR wraps it.
const WRAPPED_TOKEN: &str = "QVdTOmEtdG9rZW4tbWFkZS1ieS10aGUtZGVtbw==";
const TOKEN: &str = "a-token-made-by-the-demo";
/// ECR's tokens live for 12 hours.
const LIFE: Duration = Duration::from_secs(12 * 60 * 60);
/// A warm call is so short that one run says more of the machine's other work than of the helper.
const WARM_RUNS: usize = 9;

fn main() -> ExitCode {
    let Some(helper) = std::env::args_os().nth(1).map(PathBuf::from) else {
        eprintln!("usage: demo PATH-OF-docker-credential-ecr-login");
        return ExitCode::from(2);
    };
    match Home::create().map_err(Wrong::from).and_then(|home| show(&helper, &home.0)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Wrong(what)) => {
            eprintln!("demo: {what}");
            ExitCode::FAILURE
        }
    }
}

/// The three cases, in order.
fn show(helper: &Path, home: &Path) -> Result<(), Wrong> {
    let ecr = Ecr::start()?;
    println!("An ECR of our own listens on {}; docker is played by this program.", ecr.address);
    println!("It runs: echo {REGISTRY} | {} get", helper.display());

    let cold = get(helper, home, &ecr)?;
    cold.must_be(cold.answered() && cold.calls == 1, "a token after one call to ECR")?;
    println!(
        "  cold     {:>7.1} ms   1 call to ECR; answered with user AWS and a token, kept for next time",
        cold.ms()
    );

    let mut times = Vec::new();
    for _ in 0..WARM_RUNS {
        let warm = get(helper, home, &ecr)?;
        warm.must_be(warm.answered() && warm.calls == 0, "the same token without a call")?;
        times.push(warm.ms());
    }
    times.sort_by(f64::total_cmp);
    let median = times.get(times.len() / 2).copied().unwrap_or_default();
    println!("  warm     {median:>7.1} ms   no call; answered from the cache (median of {WARM_RUNS})");

    ecr.refuses.store(true, Ordering::SeqCst);
    let failing = get(helper, &home.join("somebody-else"), &ecr)?;
    let not_found = failing.stdout() == "credentials not found in native keychain" && !failing.output.status.success();
    let reason = failing.stderr();
    failing.must_be(not_found && reason.contains("ecr:GetAuthorizationToken"), "a refusal with its reason")?;
    println!("  failing  {:>7.1} ms   ECR refuses; docker's user reads the reason:", failing.ms());
    println!("           {reason}");
    Ok(())
}

/// One run of the helper.
struct Run {
    output: Output,
    took: Duration,
    calls: u32,
}

/// Runs `helper get` for the registry as a person who has keys in the environment and this home.
fn get(helper: &Path, home: &Path, ecr: &Ecr) -> Result<Run, Wrong> {
    let before = ecr.calls.load(Ordering::SeqCst);
    let start = Instant::now();
    let mut child = Command::new(helper)
        .arg("get")
        .env_clear()
        .envs([
            ("AWS_ACCESS_KEY_ID", "AKIADEMODEMODEMODEMO"),
            ("AWS_SECRET_ACCESS_KEY", "demo"),
            ("AWS_EC2_METADATA_DISABLED", "true"),
        ])
        .env("AWS_ENDPOINT_URL", format!("http://{}", ecr.address))
        .env("HOME", home)
        .env("USERPROFILE", home)
        .env("AWS_ECR_CACHE_DIR", home.join("cache"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|e| Wrong(format!("{} does not run: {e}", helper.display())))?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(REGISTRY.as_bytes())?;
    }
    let output = child.wait_with_output()?;
    let took = start.elapsed();
    Ok(Run { output, took, calls: ecr.calls.load(Ordering::SeqCst) - before })
}

impl Run {
    fn ms(&self) -> f64 {
        self.took.as_secs_f64() * 1000.0
    }

    fn stdout(&self) -> String {
        String::from_utf8_lossy(&self.output.stdout).trim().to_owned()
    }

    fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.output.stderr).trim().to_owned()
    }

    fn answered(&self) -> bool {
        self.output.status.success() && self.stdout().contains(&format!("\"Secret\":\"{TOKEN}\""))
    }

    fn must_be(&self, right: bool, wanted: &str) -> Result<(), Wrong> {
        if right {
            return Ok(());
        }
        Err(Wrong(format!(
            "wanted {wanted}, found {} calls, {}, stdout {:?}, stderr {:?}",
            self.calls,
            self.output.status,
            self.stdout(),
            self.stderr()
        )))
    }
}

/// An ECR that knows one call, `GetAuthorizationToken`, and can refuse it.
struct Ecr {
    address: SocketAddr,
    calls: Arc<AtomicU32>,
    refuses: Arc<AtomicBool>,
}

impl Ecr {
    /// Listens on a free port of the loopback interface, on a thread that ends with the process.
    fn start() -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let ecr = Self { address: listener.local_addr()?, calls: Arc::default(), refuses: Arc::default() };
        let (calls, refuses) = (Arc::clone(&ecr.calls), Arc::clone(&ecr.refuses));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                calls.fetch_add(1, Ordering::SeqCst);
                // A caller that breaks off is its own problem; the next one is served.
                let _ = answer(stream, refuses.load(Ordering::SeqCst));
            }
        });
        Ok(ecr)
    }
}

/// Reads one request whole, answers it in the AWS JSON 1.1 protocol and hangs up.
fn answer(stream: TcpStream, refuse: bool) -> io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(&stream).take(64 * 1024);
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let line = line.trim().to_ascii_lowercase();
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
        if line.is_empty() {
            break;
        }
    }
    io::copy(&mut reader.by_ref().take(length), &mut io::sink())?;

    let (status, body) = if refuse {
        let message = "User: arn:aws:iam::123456789012:user/demo is not authorized to perform: \
                       ecr:GetAuthorizationToken on resource: * because no identity-based policy allows it";
        ("400 Bad Request", format!(r#"{{"__type":"AccessDeniedException","message":"{message}"}}"#))
    } else {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let expires = (now + LIFE).as_secs();
        let token = format!(r#"{{"authorizationToken":"{WRAPPED_TOKEN}","expiresAt":{expires}}}"#);
        ("200 OK", format!(r#"{{"authorizationData":[{token}]}}"#))
    };
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/x-amz-json-1.1\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    (&stream).write_all(format!("{head}{body}").as_bytes())
}

/// A home directory that is removed at the end.
struct Home(PathBuf);

impl Home {
    fn create() -> io::Result<Self> {
        let path = std::env::temp_dir().join(format!("ecr-login-demo-{}", std::process::id()));
        std::fs::create_dir(&path)?;
        std::fs::create_dir(path.join("somebody-else"))?;
        Ok(Self(path))
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        // Nothing can be done about a directory that does not go.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// What went otherwise than the demo says.
struct Wrong(String);

impl From<io::Error> for Wrong {
    fn from(error: io::Error) -> Self {
        Self(error.to_string())
    }
}
