//! What the process was started with: variables, home directory.
//!
//! Everything below the edge reads these from an [`Environment`] and never from `std::env`, so that a test
//! can say what a process would see.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

/// The variable that names the home.
pub(crate) const HOME: &str = if cfg!(windows) { "USERPROFILE" } else { "HOME" };

/// A snapshot of the environment variables.
#[derive(Clone)]
pub struct Environment {
    variables: Vec<(OsString, OsString)>,
    is_process: bool,
    program: OsString,
}

impl Environment {
    /// The environment of this process, which its caller started under this name (`argv[0]`).
    pub fn of_process(program: OsString) -> Self {
        let variables = std::env::vars_os().map(|(name, value)| (as_documented(name), value)).collect();
        Self { variables, is_process: true, program }
    }

    /// An environment of these variables alone.
    pub fn of<K: Into<OsString>, V: Into<OsString>>(variables: impl IntoIterator<Item = (K, V)>) -> Self {
        let variables = variables.into_iter().map(|(k, v)| (k.into(), v.into())).collect();
        Self { variables, is_process: false, program: OsString::new() }
    }

    /// The variable's value, if it is set, not empty and UTF-8.
    pub(crate) fn var(&self, name: &str) -> Option<&str> {
        self.var_os(name).and_then(OsStr::to_str)
    }

    /// The variable's value, if it is set and not empty.
    pub(crate) fn var_os(&self, name: &str) -> Option<&OsStr> {
        self.variables
            .iter()
            .find(|(key, _)| is_name(key, name))
            .map(|(_, value)| value.as_os_str())
            .filter(|v| !v.is_empty())
    }

    /// The directory that the variable names, if it is an absolute path.
    pub(crate) fn directory(&self, name: &str) -> Option<PathBuf> {
        self.var_os(name).map(PathBuf::from).filter(|directory| directory.is_absolute())
    }

    /// Whether the variable turns something of ours on, or off: `0`, `false`, `no` and `off` do that, in any case, and all
    /// else is on; `None` where it is not set or empty.
    pub(crate) fn switch(&self, name: &str) -> Option<bool> {
        let value = self.var_os(name)?;
        let off = ["0", "false", "no", "off"];
        Some(!value.to_str().is_some_and(|value| off.iter().any(|off| value.eq_ignore_ascii_case(off))))
    }

    /// The name by which the caller started this process; empty where there was none.
    pub(crate) fn program(&self) -> &OsStr {
        &self.program
    }

    /// Every variable, for a child process.
    pub(crate) fn variables(&self) -> impl Iterator<Item = (&OsStr, &OsStr)> {
        self.variables.iter().map(|(k, v)| (k.as_os_str(), v.as_os_str()))
    }

    /// What [`HOME`] names, and nothing else.
    pub(crate) fn home(&self) -> Option<PathBuf> {
        self.var_os(HOME).map(PathBuf::from)
    }

    /// Where `~/.aws` is: [`Self::home`], and for a process without one the home that the passwd file has, as the AWS CLI
    /// and SDKs do it.
    pub(crate) fn aws_home(&self) -> Option<PathBuf> {
        self.home().or_else(|| self.is_process.then(super::user::passwd_home).flatten())
    }

    /// The platform's directory for configuration files; `None` without a home.
    ///
    /// On Windows that is `%APPDATA%`.
    ///
    /// `dirs` is asked only where HOME says the home: without it, `dirs` asks the C library's user database,
    /// whose modules a static binary must not load.
    pub(crate) fn config_dir(&self) -> Option<PathBuf> {
        if cfg!(windows) {
            return self.directory("APPDATA").or_else(|| if self.is_process { dirs::config_dir() } else { None });
        }
        if self.is_process && self.home().is_some() {
            return dirs::config_dir();
        }
        self.directory("XDG_CONFIG_HOME").or_else(|| self.home().map(|home| home.join(".config")))
    }
}

/// Whether a variable has this name. Windows makes no difference between `PATH` and `Path`.
fn is_name(key: &OsStr, name: &str) -> bool {
    if cfg!(windows) { key.eq_ignore_ascii_case(name) } else { key == name }
}

/// A variable of AWS's or ours in the letters of its documentation. Elsewhere than on Windows another case is another
/// variable.
fn as_documented(mut name: OsString) -> OsString {
    let known = |prefix: &[u8]| name.as_encoded_bytes().get(..4).is_some_and(|it| it.eq_ignore_ascii_case(prefix));
    if cfg!(windows) && (known(b"AWS_") || known(b"ECR_")) {
        name.make_ascii_uppercase();
    }
    name
}

impl std::fmt::Debug for Environment {
    /// Names only: values may be secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.variables.iter().map(|(k, _)| k)).finish()
    }
}
