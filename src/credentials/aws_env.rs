//! The environment variables that concern AWS, found in one pass, since dozens of them are asked for.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::error::IdentityError;
use crate::os::environment::Environment;

/// Variables that are set and not empty. (The SDK takes some empty ones for values; here, as for most AWS SDKs,
/// an empty variable is an unset one.)
pub(super) struct AwsEnv<'a> {
    aws: Vec<(&'a [u8], &'a OsStr)>,
    home: Option<PathBuf>,
}

impl<'a> AwsEnv<'a> {
    /// Those of `environment`.
    pub(super) fn of(environment: &'a Environment) -> Self {
        let mut aws = Vec::with_capacity(16);
        for (name, value) in environment.variables() {
            let name = name.as_encoded_bytes();
            if (name.starts_with(b"AWS_") || name == b"SECRET_ACCESS_KEY") && !value.is_empty() {
                aws.push((name, value));
            }
        }
        Self { aws, home: environment.home() }
    }

    /// The home directory where the SDK looks for `~/.aws`.
    pub(super) fn home(&self) -> Option<&Path> {
        self.home.as_deref()
    }

    /// What AWS's own tools are told by who speaks, `AWS_PROFILE`, `AWS_CONFIG_FILE` and their like, and the home that
    /// their files are in, in order of their names. The helper's own variables begin with `AWS_ECR_`.
    pub(super) fn telling_who(&self) -> Vec<(Vec<u8>, Vec<u8>)> {
        let aws = self.aws.iter().filter(|(name, _)| !name.starts_with(b"AWS_ECR_"));
        let mut told: Vec<_> = aws.map(|(name, value)| (name.to_vec(), value.as_encoded_bytes().to_vec())).collect();
        told.extend(self.home().map(|home| (b"HOME".to_vec(), home.as_os_str().as_encoded_bytes().to_vec())));
        told.sort_unstable();
        told
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
}
