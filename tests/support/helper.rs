//! The real binary, run as a client runs it: an environment of its own, a home of its own, and an end.

use std::ffi::{OsStr, OsString};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::aws::FakeAws;
use super::issued::Token;

/// What the protocol says of a name that there is nothing for.
pub const NOT_FOUND: &str = "credentials not found in native keychain\n";

/// No run of a test takes longer: it is killed, and the test fails.
const LONGEST: Duration = Duration::from_secs(120);

/// The binary under test: cargo's, or the one that `ECR_LOGIN_BINARY` names.
pub fn binary() -> &'static Path {
    static BINARY: LazyLock<PathBuf> = LazyLock::new(|| match std::env::var_os("ECR_LOGIN_BINARY") {
        Some(path) => std::fs::canonicalize(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())),
        None => env!("CARGO_BIN_EXE_docker-credential-ecr-login").into(),
    });
    &BINARY
}

/// Puts a copy of the binary under test at `to`. A process of its own writes it: a thread of ours that starts a program
/// meanwhile would pass on the open file, and the copy could not be run ("Text file busy").
pub fn copy_binary(to: &Path) {
    if cfg!(windows) {
        std::fs::copy(binary(), to).unwrap();
        return;
    }
    assert!(Command::new("cp").arg(binary()).arg(to).status().unwrap().success());
}

/// A directory with the programs that scripts of tests call, and with none of the clients and helpers that a machine may
/// have in the directories where these are.
fn programs() -> &'static Path {
    const CALLED: [&str; 16] = [
        "cat", "chmod", "cp", "dd", "env", "grep", "head", "id", "ls", "mkdir", "mv", "rm", "sh", "sleep", "touch",
        "true",
    ];
    static DIRECTORY: LazyLock<PathBuf> = LazyLock::new(|| {
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("programs");
        std::fs::create_dir_all(&directory).unwrap();
        #[cfg(unix)]
        for name in CALLED {
            let found =
                ["/usr/bin", "/bin"].map(|place| Path::new(place).join(name)).into_iter().find(|path| path.exists());
            // It may be there, from a run before this one or beside it.
            found.map(|path| std::os::unix::fs::symlink(path, directory.join(name)).ok());
        }
        directory
    });
    &DIRECTORY
}

/// Where the binary has other names, beside itself: a link must not lead to another volume.
#[cfg(windows)]
fn names_directory() -> &'static Path {
    static DIRECTORY: LazyLock<PathBuf> = LazyLock::new(|| {
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("names");
        // They were those of an older binary.
        let _none_yet = std::fs::remove_dir_all(&directory);
        std::fs::create_dir_all(&directory).unwrap();
        directory
    });
    &DIRECTORY
}

/// A program of the machine's, found on our own PATH: the run that it is to begin may have another one.
pub fn on_our_path(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .map(|place| place.join(name))
        .find(|path| path.is_file())
        .unwrap_or_else(|| name.into())
}

/// An empty directory for somebody's files. What is written there, by this process and by those that it starts, has the modes
/// of most machines whatever the umask is here: a settings file that others may write is not used.
pub fn empty_home() -> TempDir {
    #[cfg(unix)]
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
    tempfile::tempdir().unwrap()
}

/// Of the directories that may hold the cache the first that exists is used: on a machine that has root's in `/run`, that
/// would be the machine's, so that the home gets its own before. Whether it did.
#[cfg(unix)]
fn own_cache(home: &Path) -> bool {
    use std::os::unix::fs::DirBuilderExt as _;
    let wanted = Path::new("/run/ecr-login").exists();
    if wanted {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(home.join(".cache/ecr-login")).unwrap();
    }
    wanted
}

#[cfg(not(unix))]
fn own_cache(_home: &Path) -> bool {
    false
}

/// What names somebody's home to a program. On Windows its directories are where Linux has them, so that a test says
/// `.config/ecr-login` and `.cache/ecr-login`.
pub fn home_variables(home: &Path) -> Vec<(OsString, OsString)> {
    let mut variables = vec![("HOME".into(), home.into())];
    if cfg!(windows) {
        variables.push(("USERPROFILE".into(), home.into()));
        variables.push(("APPDATA".into(), home.join(".config").into()));
        variables.push(("LOCALAPPDATA".into(), home.join(".cache").into()));
        // Without it there are no sockets.
        variables.push(("SystemRoot".into(), std::env::var_os("SystemRoot").unwrap_or_default()));
    }
    variables
}

/// How the binary is to be run; its home lives as long as this does.
pub struct Helper {
    home: TempDir,
    /// Whether the cache directory was made before the first run.
    has_cache_before: bool,
    program: PathBuf,
    name: Option<OsString>,
    environment: Vec<(OsString, OsString)>,
}

impl Helper {
    /// With an empty home, no AWS configuration, and IMDS switched off. PATH is the home's `bin`, which is not there yet, and
    /// the few programs that scripts of tests call.
    pub fn new() -> Self {
        let home = empty_home();
        let has_cache_before = own_cache(home.path());
        let path = std::env::join_paths([&home.path().join("bin"), programs()]).unwrap();
        let mut environment = vec![("PATH".into(), path), ("AWS_EC2_METADATA_DISABLED".into(), "true".into())];
        environment.extend(home_variables(home.path()));
        Self { home, has_cache_before, program: binary().to_owned(), name: None, environment }
    }

    /// Looks for programs in this directory first.
    #[must_use]
    pub fn on_path(self, directory: &Path) -> Self {
        let path = std::env::join_paths([directory, programs()]).unwrap();
        self.env("PATH", path)
    }

    /// Sets a variable, instead of what was there.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self = self.without(name);
        self.environment.push((name.into(), value.into()));
        self
    }

    /// Takes a variable out.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.environment.retain(|(key, _)| key != name);
        self
    }

    /// All services of AWS are this fake, and its authority is trusted.
    #[must_use]
    pub fn aws(self, aws: &FakeAws) -> Self {
        let bundle = self.write("fake-aws-ca.pem", aws.authority().pem());
        self.env("AWS_ENDPOINT_URL", aws.url()).env("AWS_CA_BUNDLE", bundle)
    }

    /// Keys in the environment.
    #[must_use]
    pub fn keys(self, id: &str) -> Self {
        self.env("AWS_ACCESS_KEY_ID", id).env("AWS_SECRET_ACCESS_KEY", format!("secret-of-{id}"))
    }

    /// IMDS is this fake, and switched on.
    #[must_use]
    pub fn imds(self, aws: &FakeAws) -> Self {
        self.without("AWS_EC2_METADATA_DISABLED").env("AWS_EC2_METADATA_SERVICE_ENDPOINT", aws.url())
    }

    /// Our own settings file.
    #[must_use]
    pub fn settings(self, text: &str) -> Self {
        self.write(".config/ecr-login/config.toml", text);
        self
    }

    /// `~/.aws/config`.
    #[must_use]
    pub fn aws_config(self, text: &str) -> Self {
        self.write(".aws/config", text);
        self
    }

    /// Runs the binary under another name (`argv[0]`).
    #[must_use]
    pub fn named(mut self, name: &str) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Runs another program in the same way.
    #[must_use]
    pub fn program(mut self, program: impl Into<PathBuf>) -> Self {
        self.program = program.into();
        self
    }

    /// Whether a run made the cache directory, or put anything into it.
    pub fn made_a_cache(&self) -> bool {
        std::fs::read_dir(self.cache()).is_ok_and(|mut there| there.next().is_some() || !self.has_cache_before)
    }

    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// Where the cache of this home is: `~/.cache/ecr-login` (Linux).
    pub fn cache(&self) -> PathBuf {
        self.home().join(".cache/ecr-login")
    }

    /// Writes a file under the home, with its directories.
    pub fn write(&self, path: &str, text: impl AsRef<[u8]>) -> PathBuf {
        // As the system writes it.
        let path: PathBuf = self.home().join(path).components().collect();
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    /// Writes an executable shell script under the home.
    #[cfg(unix)]
    pub fn script(&self, path: &str, text: &str) -> PathBuf {
        use std::os::unix::fs::PermissionsExt;
        let path = self.write(path, format!("#!/bin/sh\n{text}\n"));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    /// The command, for a test that runs it in its own way.
    pub fn command<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Command {
        #[cfg(unix)]
        let mut command = Command::new(&self.program);
        // A name of its own takes a file of its own here.
        #[cfg(windows)]
        let mut command = Command::new(match &self.name {
            Some(name) => {
                let program = names_directory().join(name).with_extension("exe");
                let _there_already = std::fs::hard_link(&self.program, &program);
                program
            }
            None => self.program.clone(),
        });
        #[cfg(unix)]
        if let Some(name) = &self.name {
            use std::os::unix::process::CommandExt;
            command.arg0(name);
        }
        command.args(arguments).env_clear().envs(self.environment.iter().map(|(k, v)| (k, v)));
        command.current_dir(self.home()).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Starts it; `stdin` is written and closed.
    pub fn start<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>, stdin: impl AsRef<[u8]>) -> Running {
        Running::start(self.command(arguments), stdin.as_ref())
    }

    /// Runs it to its end.
    pub fn run<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>, stdin: impl AsRef<[u8]>) -> Outcome {
        self.start(arguments, stdin).wait()
    }

    /// `get` for a name.
    pub fn get(&self, name: &str) -> Outcome {
        self.run(["get"], name)
    }
}

/// A run that has begun.
pub struct Running {
    child: Child,
    begun: Instant,
    command: String,
    stdout: Option<JoinHandle<Vec<u8>>>,
    stderr: Option<JoinHandle<Vec<u8>>>,
}

impl Running {
    /// Starts any command in this way.
    pub fn start(mut command: Command, stdin: &[u8]) -> Self {
        let begun = Instant::now();
        let mut child = command.spawn().unwrap();
        if let Some(mut pipe) = child.stdin.take() {
            let stdin = stdin.to_vec();
            // A program that stops reading is no error here: its answer is what is tested.
            thread::spawn(move || pipe.write_all(&stdin).ok());
        }
        let stdout = child.stdout.take().map(drain);
        let stderr = child.stderr.take().map(drain);
        Self { child, begun, command: format!("{command:?}"), stdout, stderr }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn kill(&mut self) {
        self.child.kill().unwrap();
    }

    /// Kills it once it has run for so long, unless it has ended by itself before.
    pub fn killed_after(mut self, moment: Duration) -> Outcome {
        while self.child.try_wait().unwrap().is_none() {
            let left = moment.saturating_sub(self.begun.elapsed());
            if left.is_zero() {
                self.kill();
                break;
            }
            thread::sleep(left.min(Duration::from_millis(2)));
        }
        self.wait()
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// It does not end within two minutes.
    pub fn wait(mut self) -> Outcome {
        let status = loop {
            match self.child.try_wait().unwrap() {
                Some(status) => break status,
                None if self.begun.elapsed() > LONGEST => {
                    self.kill();
                    panic!("still running after {LONGEST:?}: {}", self.command);
                }
                None => thread::sleep(Duration::from_millis(2)),
            }
        };
        let duration = self.begun.elapsed();
        let text = |thread: Option<JoinHandle<Vec<u8>>>| {
            let bytes = thread.map(|thread| thread.join().unwrap()).unwrap_or_default();
            String::from_utf8(bytes).unwrap_or_else(|error| format!("NOT UTF-8: {error:?}"))
        };
        Outcome { code: status.code(), stdout: text(self.stdout), stderr: text(self.stderr), duration }
    }
}

fn drain(mut pipe: impl Read + Send + 'static) -> JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        pipe.read_to_end(&mut bytes).unwrap();
        bytes
    })
}

/// What came of a run.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// `None` when a signal ended it.
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
    pub duration: Duration,
}

/// The answer to a `get`.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct Answer {
    #[serde(rename = "ServerURL")]
    pub server_url: String,
    pub username: String,
    pub secret: String,
}

impl Outcome {
    /// The answer to a `get` that succeeded.
    ///
    /// # Panics
    /// It did not, or it is not one line of JSON for the user `AWS`.
    pub fn answer(&self) -> Answer {
        assert_eq!(self.code, Some(0), "{self:?}");
        let line = self.stdout.strip_suffix('\n').unwrap_or_else(|| panic!("no newline: {self:?}"));
        assert!(!line.contains('\n'), "{self:?}");
        let answer: Answer = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {self:?}"));
        assert_eq!(answer.username, "AWS");
        answer
    }

    /// The token in it, and silence on stderr.
    pub fn token(&self) -> Token {
        assert_eq!(self.stderr, "", "{self:?}");
        self.token_with_warning()
    }

    /// The token in it, whatever stderr says.
    pub fn token_with_warning(&self) -> Token {
        Token::of_password(&self.answer().secret)
    }

    /// The one line on stderr of a `get` that the client takes as "nothing for this registry".
    ///
    /// # Panics
    /// It is anything else.
    pub fn failure(&self) -> &str {
        assert_eq!((self.code, self.stdout.as_str()), (Some(1), NOT_FOUND), "{self:?}");
        self.line()
    }

    /// The one line on stderr.
    ///
    /// # Panics
    /// There is none, or more than one.
    pub fn line(&self) -> &str {
        let line = self.stderr.strip_suffix('\n').unwrap_or_else(|| panic!("no line: {self:?}"));
        assert!(!line.is_empty() && !line.contains('\n'), "one line: {self:?}");
        line
    }

    /// "Nothing for this registry", in silence.
    pub fn assert_not_found(&self) {
        assert_eq!((self.code, self.stdout.as_str(), self.stderr.as_str()), (Some(1), NOT_FOUND, ""), "{self:?}");
    }
}
