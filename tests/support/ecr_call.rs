//! One call for a token, by the real binary or as the broker makes it, and what it said.

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use ecr_login::aws::retry::RetryPolicy;
use ecr_login::aws::{self, AuthorizationToken};
use ecr_login::credentials::{CredentialSelector, Identity};
use ecr_login::os::deadline::Deadline;
use ecr_login::os::environment::Environment;
use ecr_login::registry::Registry;
use ecr_login::settings::CredentialSettings;
use ecr_login::text::user_error::UserError;

pub const PRIVATE: &str = "123456789012.dkr.ecr.eu-central-1.amazonaws.com";
pub const PUBLIC: &str = "public.ecr.aws";

/// A fetch to be made.
pub struct Call {
    registry: &'static str,
    variables: Vec<(String, String)>,
    limit: Duration,
    retry_policy: RetryPolicy,
}

impl Call {
    /// With keys in the environment, asking this endpoint.
    pub fn to(endpoint: &str) -> Self {
        let variables = [
            ("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE"),
            ("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY1"),
            ("AWS_EC2_METADATA_DISABLED", "true"),
            ("AWS_ENDPOINT_URL", endpoint),
            // Nobody's real files.
            ("HOME", "/nonexistent"),
        ];
        let variables = variables.map(|(k, v)| (k.to_owned(), v.to_owned())).to_vec();
        Self { registry: PRIVATE, variables, limit: Duration::from_secs(10), retry_policy: RetryPolicy::Interactive }
    }

    pub fn registry(mut self, registry: &'static str) -> Self {
        self.registry = registry;
        self
    }

    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Nobody's keys: whatever source the variables name instead.
    pub fn without_keys(mut self) -> Self {
        self.variables.retain(|(key, _)| !key.contains("_KEY") && key != "AWS_EC2_METADATA_DISABLED");
        self
    }

    pub fn within(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    pub fn of_a_node(mut self) -> Self {
        self.retry_policy = RetryPolicy::NodeBoot;
        self
    }

    /// Runs the binary's `get`; stdout and stderr.
    fn get(&self) -> (String, String) {
        let mut command = Command::new(super::binary());
        let limit = self.limit.as_secs_f64().to_string();
        command.arg("get").env_clear().envs(self.variables.iter().map(|(k, v)| (k, v)));
        command.env("AWS_ECR_DISABLE_CACHE", "1").env("ECR_LOGIN_TIMEOUT", limit);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(self.registry.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
    }

    /// The password, which must have come; nothing is said besides.
    pub fn password(&self) -> String {
        let (stdout, stderr) = self.get();
        assert_eq!(stderr, "");
        let answer: serde_json::Value = serde_json::from_str(&stdout).unwrap();
        assert_eq!(answer["Username"], "AWS");
        answer["Secret"].as_str().unwrap().to_owned()
    }

    /// The failure, whose line on stderr must hold these words, be one line and hold no secret.
    pub fn fails(&self, words: &[&str]) -> String {
        let (stdout, stderr) = self.get();
        assert_eq!(stdout, "credentials not found in native keychain\n", "{stderr}");
        let line = stderr.strip_suffix('\n').unwrap_or_default();
        let start = format!("docker-credential-ecr-login: {}: ", self.registry);
        assert!(line.starts_with(&start), "{line}");
        check(line, words);
        line.to_owned()
    }

    /// Nothing is there, and nothing is said of it.
    pub fn finds_nothing(&self) {
        assert_eq!(self.get(), ("credentials not found in native keychain\n".to_owned(), String::new()));
    }

    /// As [`Call::fails`], and how long it took.
    pub fn fails_after(&self, words: &[&str]) -> Duration {
        let start = Instant::now();
        self.fails(words);
        start.elapsed()
    }

    /// The fetch in this process, for what the broker is told beside the words.
    pub fn fetch(&self) -> Result<AuthorizationToken, UserError> {
        let environment = Environment::of(self.variables.clone());
        let registry = Registry::parse(self.registry).unwrap();
        let chosen = CredentialSettings::default();
        let identity = Identity::resolve(&environment, CredentialSelector::Settings(&chosen), &registry).unwrap();
        aws::fetch(&environment, &identity, &registry, Deadline::within(self.limit), self.retry_policy, None)
    }

    /// The failure of the fetch in this process.
    pub fn failure(&self, words: &[&str]) -> UserError {
        let failure = self.fetch().expect_err("a failure");
        check(&failure.to_string(), words);
        failure
    }
}

fn check(line: &str, words: &[&str]) {
    for word in words {
        assert!(line.contains(word), "{word:?} is not in: {line}");
    }
    assert!(!line.contains(char::is_control), "{line:?}");
    assert!(line.len() < 700, "{line}");
    for secret in ["wJalr", "AKIAIOSF", "hunter2"] {
        assert!(!line.contains(secret), "{line}");
    }
}
