//! One fetch, as the broker makes it, and what it said.

use std::time::{Duration, Instant};

use ecr_login::broker::Patience;
use ecr_login::deadline::Deadline;
use ecr_login::ecr::{self, Token};
use ecr_login::environment::Environment;
use ecr_login::failure::Failure;
use ecr_login::identity::{Identity, Wanted};
use ecr_login::registry::Registry;
use ecr_login::settings::Speaker;

pub const PRIVATE: &str = "123456789012.dkr.ecr.eu-central-1.amazonaws.com";
pub const PUBLIC: &str = "public.ecr.aws";

/// A fetch to be made.
pub struct Call {
    registry: &'static str,
    variables: Vec<(String, String)>,
    limit: Duration,
    patience: Patience,
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
        Self { registry: PRIVATE, variables, limit: Duration::from_secs(10), patience: Patience::Client }
    }

    pub fn registry(mut self, registry: &'static str) -> Self {
        self.registry = registry;
        self
    }

    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn within(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    pub fn of_a_node(mut self) -> Self {
        self.patience = Patience::Node;
        self
    }

    pub fn fetch(&self) -> Result<Token, Failure> {
        let environment = Environment::of(self.variables.clone());
        let registry = Registry::parse(self.registry).unwrap();
        let speaker = Speaker::default();
        let identity = Identity::find(&environment, Wanted::Speaker(&speaker), &registry).unwrap();
        ecr::fetch(&environment, &identity, &registry, Deadline::within(self.limit), self.patience)
    }

    /// The password, which must have come.
    pub fn password(&self) -> String {
        self.fetch().unwrap_or_else(|failure| panic!("{failure}")).password.expose().to_owned()
    }

    /// The failure, whose line must hold these words, be one line and hold no secret.
    pub fn fails(&self, words: &[&str]) -> Failure {
        let failure = self.fetch().expect_err("a failure");
        let line = failure.to_string();
        for word in words {
            assert!(line.contains(word), "{word:?} is not in: {line}");
        }
        assert!(!line.contains(char::is_control), "{line:?}");
        assert!(line.len() < 700, "{line}");
        for secret in ["wJalr", "AKIAIOSF", "hunter2"] {
            assert!(!line.contains(secret), "{line}");
        }
        failure
    }

    /// The same, and how long it took.
    pub fn fails_after(&self, words: &[&str]) -> Duration {
        let start = Instant::now();
        self.fails(words);
        start.elapsed()
    }
}
