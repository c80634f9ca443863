//! The shared config and credentials files: where they are, what they hold, and one profile of both.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::path::{Component, Path, PathBuf};

use zeroize::Zeroize;

use super::aws_env::AwsEnv;
use super::error::{IdentityError, NoSuchProfile, plain};
use super::profile_parser::{Group, Kind, Properties, Sections, get, nested};
use crate::os::fs::bounded_read;

/// The two files' texts, each read once.
#[derive(Default)]
pub(super) struct FileContents {
    config: FileContent,
    credentials: FileContent,
}

#[derive(Default)]
struct FileContent {
    path: PathBuf,
    content: String,
}

/// The two files, taken apart.
pub(super) struct ProfileFiles<'a> {
    config: Sections<'a>,
    credentials: Sections<'a>,
    /// Where the config file is, or would be.
    pub config_path: &'a Path,
    /// Where the credentials file is, or would be.
    pub credentials_path: &'a Path,
}

/// A profile, or an `sso-session` section: its properties, the credentials file's after the config file's.
pub(super) struct Profile<'a> {
    /// Its name, without `profile`.
    pub name: Cow<'a, str>,
    properties: Properties<'a>,
}

impl Profile<'_> {
    /// The value of `key`. An empty value is a value, as it is for the SDK.
    pub(super) fn get(&self, key: &str) -> Option<&str> {
        get(&self.properties, key)
    }
}

impl FileContents {
    /// Reads both files. A missing one is empty.
    ///
    /// # Errors
    /// A file that is there and cannot be read, or is not UTF-8. (The SDK logs these and goes on with the next
    /// source of credentials: as somebody else than the user meant.)
    pub(super) fn read(variables: &AwsEnv<'_>) -> Result<Self, IdentityError> {
        Ok(Self {
            config: FileContent::read(variables, "AWS_CONFIG_FILE", "~/.aws/config")?,
            credentials: FileContent::read(variables, "AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials")?,
        })
    }

    /// Takes both files apart.
    ///
    /// # Errors
    /// A line that the grammar does not allow.
    pub(super) fn parse(&self) -> Result<ProfileFiles<'_>, IdentityError> {
        Ok(ProfileFiles {
            config: self.config.parse(Kind::Config)?,
            credentials: self.credentials.parse(Kind::Credentials)?,
            config_path: &self.config.path,
            credentials_path: &self.credentials.path,
        })
    }
}

impl Drop for FileContents {
    /// Wipes the keys. (The config file is long and seldom holds any.)
    fn drop(&mut self) {
        self.credentials.content.zeroize();
    }
}

impl FileContent {
    fn read(variables: &AwsEnv<'_>, variable: &str, default: &str) -> Result<Self, IdentityError> {
        let named = variables.os(variable);
        let Some(path) = expand_home(named.unwrap_or(OsStr::new(default)), variables.home()) else {
            // A default path without a home directory is no file at all.
            return Ok(Self { path: default.into(), content: String::new() });
        };
        match bounded_read::whole(&path) {
            Ok(bytes) => match String::from_utf8(bytes.unwrap_or_default()) {
                Ok(content) => Ok(Self { path, content }),
                Err(error) => {
                    let line = 1 + error.as_bytes()[..error.utf8_error().valid_up_to()]
                        .iter()
                        .filter(|byte| **byte == b'\n')
                        .count();
                    Err(IdentityError::Malformed { path, line, reason: "not UTF-8" })
                }
            },
            Err(error) => Err(IdentityError::Unreadable { path, reason: bounded_read::reason(&error) }),
        }
    }

    fn parse(&self, kind: Kind) -> Result<Sections<'_>, IdentityError> {
        Sections::parse(&self.content, kind).map_err(|malformed| IdentityError::Malformed {
            path: self.path.clone(),
            line: malformed.line,
            reason: malformed.reason,
        })
    }
}

impl<'a> ProfileFiles<'a> {
    /// No files: what stands in for ones that are broken where another source of credentials speaks anyhow.
    pub(super) fn none() -> Self {
        Self {
            config: Sections::default(),
            credentials: Sections::default(),
            config_path: Path::new("~/.aws/config"),
            credentials_path: Path::new("~/.aws/credentials"),
        }
    }

    /// The profile `name` of both files.
    pub(super) fn profile(&self, name: impl Into<Cow<'a, str>>) -> Option<Profile<'a>> {
        let name = name.into();
        let mut properties = Properties::with_capacity(16);
        let configured = self.config.profile(&name, &mut properties);
        let known = self.credentials.profile(&name, &mut properties);
        (configured || known).then_some(Profile { name, properties })
    }

    /// The names of all profiles of both files, in order.
    pub(super) fn profile_names(&self) -> Vec<&'a str> {
        let mut names: Vec<&str> = self.config.profile_names().chain(self.credentials.profile_names()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// The file in which the static keys of the profile `name` are to be mended.
    pub(super) fn path_of_keys(&self, name: &str) -> &'a Path {
        if self.credentials.profile_names().any(|known| known == name) {
            self.credentials_path
        } else {
            self.config_path
        }
    }

    /// The section `[sso-session name]`.
    pub(super) fn sso_session(&self, name: &str) -> Option<Profile<'a>> {
        let properties = self.config.section(Group::SsoSession, name)?;
        Some(Profile { name: name.to_owned().into(), properties })
    }

    /// `endpoint_url` of `service` in `[services name]`.
    pub(super) fn service_endpoint(&self, name: &str, service: &str) -> Option<String> {
        let properties = self.config.section(Group::Services, name)?;
        get(&properties, service).and_then(|value| nested(value, "endpoint_url")).map(str::to_owned)
    }

    /// The error for a profile that `named_by` asks for and that is in neither file.
    pub(super) fn no_such_profile(&self, name: &str, named_by: String) -> IdentityError {
        let misspelled = if self.config.misspells(name) {
            Some((self.config_path, format!("[profile {}]", plain(name))))
        } else if self.credentials.misspells(name) {
            Some((self.credentials_path, format!("[{}]", plain(name))))
        } else {
            None
        };
        let known = self.profile_names().into_iter().map(plain).collect();
        IdentityError::NoSuchProfile(Box::new(NoSuchProfile {
            profile: plain(name),
            named_by,
            config: self.config_path.to_owned(),
            credentials: self.credentials_path.to_owned(),
            misspelled: misspelled.map(|(path, spelling)| (path.to_owned(), spelling)),
            known,
        }))
    }
}

/// `path` with a first component `~` made the home directory, as the SDK does it; `None` where that is asked
/// for and there is none. (`~user` is not expanded.)
pub(super) fn expand_home(path: &OsStr, home: Option<&Path>) -> Option<PathBuf> {
    let mut components = Path::new(path).components();
    match components.next() {
        Some(Component::Normal(first)) if first == "~" => home.map(|home| home.join(components.as_path())),
        _ => Some(path.into()),
    }
}
