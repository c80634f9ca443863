//! What the process was started with: variables, home directory.
//!
//! Everything below the edge reads these from an [`Environment`] and never from `std::env`, so that a test
//! can say what a process would see.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

/// A snapshot of the environment variables.
#[derive(Clone)]
pub struct Environment {
    variables: Vec<(OsString, OsString)>,
    is_process: bool,
}

impl Environment {
    /// The environment of this process.
    pub fn of_process() -> Self {
        Self { variables: std::env::vars_os().collect(), is_process: true }
    }

    /// An environment of these variables alone.
    pub fn of<K: Into<OsString>, V: Into<OsString>>(variables: impl IntoIterator<Item = (K, V)>) -> Self {
        let variables = variables.into_iter().map(|(k, v)| (k.into(), v.into())).collect();
        Self { variables, is_process: false }
    }

    /// The variable's value, if it is set, not empty and UTF-8.
    pub fn var(&self, name: &str) -> Option<&str> {
        self.var_os(name).and_then(OsStr::to_str)
    }

    /// The variable's value, if it is set and not empty.
    pub fn var_os(&self, name: &str) -> Option<&OsStr> {
        let name = OsStr::new(name);
        self.variables.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_os_str()).filter(|v| !v.is_empty())
    }

    /// Whether the variable turns something of ours on, or off: `0`, `false`, `no` and `off` do that, in any case, and all
    /// else is on; `None` where it is not set or empty.
    pub fn switch(&self, name: &str) -> Option<bool> {
        let value = self.var_os(name)?;
        let off = ["0", "false", "no", "off"];
        Some(!value.to_str().is_some_and(|value| off.iter().any(|off| value.eq_ignore_ascii_case(off))))
    }

    /// Every variable, for a child process.
    pub fn variables(&self) -> impl Iterator<Item = (&OsStr, &OsStr)> {
        self.variables.iter().map(|(k, v)| (k.as_os_str(), v.as_os_str()))
    }

    /// `HOME` (`USERPROFILE` on Windows) and nothing else.
    pub fn home(&self) -> Option<PathBuf> {
        let name = if cfg!(windows) { "USERPROFILE" } else { "HOME" };
        self.var_os(name).map(PathBuf::from)
    }

    /// Where `~/.aws` is: [`Self::home`], and for a process without one the home that the passwd file has, as the AWS CLI
    /// and SDKs do it.
    pub fn aws_home(&self) -> Option<PathBuf> {
        self.home().or_else(|| self.is_process.then(super::user::passwd_home).flatten())
    }

    /// The platform's directory for configuration files; `None` without a home.
    ///
    /// `dirs` is asked only where HOME says the home: without it, `dirs` asks the C library's user database,
    /// whose modules a static binary must not load.
    pub fn config_dir(&self) -> Option<PathBuf> {
        if self.is_process && self.home().is_some() {
            return dirs::config_dir();
        }
        let named = self.var_os("XDG_CONFIG_HOME").map(PathBuf::from).filter(|dir| dir.is_absolute());
        named.or_else(|| self.home().map(|home| home.join(".config")))
    }
}

impl std::fmt::Debug for Environment {
    /// Names only: values may be secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.variables.iter().map(|(k, _)| k)).finish()
    }
}
