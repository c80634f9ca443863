//! Our own settings file: which profile or role is used for which registry, and how long a call may take.
//!
//! Read once for each call. A file that is in any part wrong is not used at all, and the error names file, line
//! and key. `docs/configuration.md` describes the file for its users.

mod error;
mod file;
mod parse;
mod pattern;
mod plain;
mod raw;
#[cfg(test)]
mod tests;
mod timeout;
mod web_identity;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

pub(crate) use error::SettingsError;
pub(crate) use timeout::{DEFAULT_TIMEOUT, call_timeout};
pub(crate) use web_identity::{WebIdentityProvider, WebIdentitySettings};

use crate::os::environment::Environment;
use crate::registry::{Registry, host_of};

/// The settings in force. Without a file: the defaults.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// The file that they came from.
    pub(crate) path: Option<PathBuf>,
    /// `timeout`: the limit of a whole call.
    pub timeout: Option<Duration>,
    /// `strict`: reasons on stdout, so that clients stop.
    pub strict: bool,
    /// `delegate`: the suffix of the helper that names which are not ECR go to.
    pub delegate: Option<String>,
    /// `[[registry]]` in the file's order.
    pub registries: Vec<RegistryRule>,
}

/// One `[[registry]]` rule.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RegistryRule {
    /// `match`, a host pattern.
    pub pattern: String,
    /// The credentials that are used for it.
    pub credentials: CredentialSettings,
    /// `alias_of`: the host of the ECR registry that this name leads to.
    pub alias_of: Option<String>,
}

/// The credentials that are used for a registry, by the settings; the default is the SDK's default chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CredentialSettings {
    /// `profile`.
    pub profile: Option<String>,
    /// Where the file says so, for messages.
    pub profile_at: Option<RuleLocation>,
    /// `role_arn` with `{account}` and `{region}` filled in, and what goes with it.
    pub role: Option<AssumeRoleSettings>,
    /// `web_identity`: the OIDC token that `role` is assumed with.
    pub web_identity: Option<WebIdentitySettings>,
    /// `anonymous`: never authenticate.
    pub anonymous: bool,
    /// `cache`: whether tokens may be kept on disk.
    pub cache: bool,
}

/// A rule of the settings file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleLocation {
    file: Arc<Path>,
    /// Which `[[registry]]` of the file, from 0.
    rule: usize,
}

impl RuleLocation {
    /// File and line of the rule's `profile`, for a message. Reads the file once more, as the line is of no use without an
    /// error.
    pub(crate) fn profile_in_words(&self) -> String {
        let line =
            std::fs::read_to_string(&self.file).map(|text| parse::line_of_key(&text, Some(self.rule), "profile"));
        match line {
            Ok(line) => format!("{}, line {line}", self.file.display()),
            Err(_) => self.file.display().to_string(),
        }
    }
}

impl Default for CredentialSettings {
    fn default() -> Self {
        Self { profile: None, profile_at: None, role: None, web_identity: None, anonymous: false, cache: true }
    }
}

/// A role to assume before ECR is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssumeRoleSettings {
    /// `role_arn`.
    pub arn: String,
    /// `external_id`.
    pub(crate) external_id: Option<String>,
    /// `session_name`.
    pub(crate) session_name: Option<String>,
}

/// What a name asks for.
#[derive(Clone, Debug)]
pub struct ResolvedRegistry {
    /// The ECR registry whose token opens it; for an alias, the target.
    pub registry: Registry,
    /// The credentials that are used for it.
    pub credentials: CredentialSettings,
}

/// A limit of a call in seconds, if it is a positive number that makes sense as one.
fn timeout(seconds: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(seconds).ok().filter(|limit| !limit.is_zero())
}

impl Settings {
    /// Finds and reads the file: `$ECR_LOGIN_CONFIG`, else the platform's configuration directory, else
    /// `/etc/ecr-login/config.toml`; the first that exists, alone.
    ///
    /// # Errors
    /// A file that cannot be read, is not trusted or is in any part wrong.
    pub fn load(environment: &Environment) -> Result<Self, SettingsError> {
        match file::read(environment)? {
            Some((path, text)) => Self::parse(path, &text),
            None => Ok(Self::default()),
        }
    }

    /// Reads the settings in `text`; `path` is for the messages.
    ///
    /// # Errors
    /// Anything in it that is wrong.
    pub fn parse(path: impl Into<PathBuf>, text: &str) -> Result<Self, SettingsError> {
        parse::settings(&path.into(), text)
    }

    /// What `name` (as a client sent it) asks for; `None` when it is neither ECR's nor an alias.
    pub fn target(&self, name: &str) -> Option<ResolvedRegistry> {
        let host = host_of(name)?;
        let named = self.rule(&host);
        let (registry, rule) = match named.and_then(|e| e.alias_of.as_ref()) {
            None => (Registry::of_host(host)?, named),
            // What an alias leads to has its own credentials.
            Some(alias) => {
                let registry = Registry::parse(alias)?;
                let rule = self.rule(registry.host());
                (registry, rule)
            }
        };
        Some(ResolvedRegistry { credentials: Self::credentials(rule, &registry), registry })
    }

    /// The names that are written out in the rules, without a `*`.
    pub(crate) fn literal_names(&self) -> impl Iterator<Item = &str> {
        self.registries.iter().map(|rule| rule.pattern.as_str()).filter(|pattern| !pattern.contains('*'))
    }

    /// The rule for a host: the first that matches it.
    fn rule(&self, host: &str) -> Option<&RegistryRule> {
        self.registries.iter().find(|e| pattern::matches(&e.pattern, host))
    }

    fn credentials(rule: Option<&RegistryRule>, registry: &Registry) -> CredentialSettings {
        let mut credentials = rule.map(|e| e.credentials.clone()).unwrap_or_default();
        if let Some(role) = &mut credentials.role {
            role.arn = role_for(&role.arn, registry);
        }
        credentials
    }
}

/// A `role_arn` with `{account}` and `{region}` filled in.
pub(crate) fn role_for(arn: &str, registry: &Registry) -> String {
    let arn = arn.replace("{region}", registry.region());
    match registry.account() {
        Some(account) => arn.replace("{account}", account),
        // ECR Public has no account: the braces stay, and whoever reads the ARN says that it is none.
        None => arn,
    }
}
