//! The environment variables that concern AWS, found in one pass, since dozens of them are asked for.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::path::{Component, Path, PathBuf};

use super::error::IdentityError;
use crate::os::environment::Environment;
use crate::os::fs::native;

/// Variables that are set and not empty. (The AWS CLI and SDKs take some empty ones for values; here an empty variable is
/// an unset one.)
pub(super) struct AwsEnv<'a> {
    aws: Vec<(&'a [u8], &'a OsStr)>,
    /// All variables.
    pub(super) environment: &'a Environment,
    home: Option<PathBuf>,
}

impl<'a> AwsEnv<'a> {
    /// Those of `environment`.
    pub(super) fn of(environment: &'a Environment) -> Self {
        let mut aws = Vec::with_capacity(16);
        for (name, value) in environment.variables() {
            let name = name.as_encoded_bytes();
            if name.starts_with(b"AWS_") && !value.is_empty() {
                aws.push((name, value));
            }
        }
        Self { aws, environment, home: environment.aws_home() }
    }

    /// The home directory where `~/.aws` is looked for.
    pub(super) fn home(&self) -> Option<&Path> {
        self.home.as_deref()
    }

    /// The value of `name`, whatever its bytes.
    pub(super) fn os(&self, name: &str) -> Option<&'a OsStr> {
        self.aws.iter().find(|(key, _)| *key == name.as_bytes()).map(|(_, value)| *value)
    }

    /// The value of `name`, if it is UTF-8.
    pub(super) fn get(&self, name: &str) -> Option<&'a str> {
        self.os(name).and_then(OsStr::to_str)
    }

    /// The value of `name`, which the source of credentials rests on.
    ///
    /// # Errors
    /// A value that is not UTF-8.
    pub(super) fn need(&self, name: &'static str) -> Result<Option<&'a str>, IdentityError> {
        match self.os(name) {
            None => Ok(None),
            Some(value) => value
                .to_str()
                .map(Some)
                .ok_or(IdentityError::InvalidVariable { name: name.into(), reason: "is not UTF-8".into() }),
        }
    }

    /// A path of the user's as the AWS CLI reads it: variables (`$NAME`, `${NAME}`, on Windows `%NAME%` too), then [`Self::at_home`].
    pub(super) fn expanded(&self, path: &OsStr) -> Option<PathBuf> {
        match path.to_str().filter(|path| path.contains('$') || cfg!(windows) && path.contains('%')) {
            Some(text) => self.at_home(OsStr::new(&*self.with_variables(text))),
            None => self.at_home(path),
        }
    }

    /// `path` with a first component `~` made the home directory; `None` where that is asked for and there is none.
    /// (`~user` is not expanded.)
    pub(super) fn at_home(&self, path: &OsStr) -> Option<PathBuf> {
        let mut components = Path::new(path).components();
        match components.next() {
            Some(Component::Normal(first)) if first == "~" => {
                self.home().map(|home| native(home.join(components.as_path())))
            }
            _ => Some(path.into()),
        }
    }

    /// The text with the values of its variables, as Python's `os.path.expandvars`: an unknown one stays as it is.
    fn with_variables<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let mut expanded = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find(|c| c == '$' || cfg!(windows) && c == '%') {
            expanded.push_str(&rest[..at]);
            let after = &rest[at + 1..];
            let (name, length) = match after.strip_prefix('{') {
                _ if rest[at..].starts_with('%') => after.find('%').map_or(("", 0), |end| (&after[..end], end + 1)),
                Some(braced) => braced.find('}').map_or(("", 0), |end| (&braced[..end], end + 2)),
                None => {
                    let is_part = |c: char| c.is_alphanumeric() || c == '_';
                    let end = after.find(|c| !is_part(c)).unwrap_or(after.len());
                    (&after[..end], end)
                }
            };
            match self.environment.var(name).filter(|_| !name.is_empty()) {
                Some(value) => expanded.push_str(value),
                None => expanded.push_str(&rest[at..=at + length]),
            }
            rest = &after[length..];
        }
        expanded.push_str(rest);
        Cow::Owned(expanded)
    }
}
