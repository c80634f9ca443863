//! The shared config and credentials files: where they are, what they hold, and one profile of both.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

use zeroize::Zeroize;

use super::aws_env::AwsEnv;
use super::error::{IdentityError, NoSuchProfile};
use super::missing::MAX_NAMES;
use super::profile_parser::{FileKind, MalformedLine, Properties, SectionKind, Sections};
use crate::os::fs::bounded_read;
use crate::os::user;
use crate::text::printable::plain;

/// The two files' texts, each read once.
pub(super) struct FileContents {
    config: FileContent,
    credentials: FileContent,
}

struct FileContent {
    path: PathBuf,
    content: String,
    /// Why the content is empty though there is a file.
    unreadable: Option<IdentityError>,
}

/// The two files, taken apart.
pub(super) struct ProfileFiles<'a> {
    config: Sections<'a>,
    credentials: Sections<'a>,
    /// Where the config file is, or would be.
    pub(super) config_path: &'a Path,
    /// Where the credentials file is, or would be.
    pub(super) credentials_path: &'a Path,
    /// What the two hold, config file first: a command may read all of it.
    pub(super) texts: [&'a str; 2],
    /// A file that is there and cannot be read. It counts once something is wanted of a profile.
    unreadable: Option<&'a IdentityError>,
}

/// A profile: what either file says of it.
pub(super) struct Profile<'a> {
    /// Its name, without `profile`.
    pub(super) name: Cow<'a, str>,
    /// What the config file has.
    pub(super) config: Properties<'a>,
    /// What the credentials file has, which comes first.
    pub(super) credentials: Properties<'a>,
}

impl Profile<'_> {
    /// The value of `key`, if it is not empty.
    pub(super) fn get(&self, key: &str) -> Option<&str> {
        self.credentials.get(key).or_else(|| self.config.get(key))
    }

    /// Whether a key of a pair of static keys has a value.
    pub(super) fn has_static_keys(&self) -> bool {
        ["aws_access_key_id", "aws_secret_access_key"].iter().any(|key| self.get(key).is_some())
    }
}

impl FileContents {
    /// Reads both files. A missing one is empty.
    pub(super) fn read(variables: &AwsEnv<'_>) -> Self {
        Self {
            config: FileContent::read(variables, "AWS_CONFIG_FILE", "~/.aws/config"),
            credentials: FileContent::read(variables, "AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials"),
        }
    }

    /// Finds the sections of both files.
    pub(super) fn sections(&self) -> ProfileFiles<'_> {
        ProfileFiles {
            config: Sections::find(&self.config.content, FileKind::Config),
            credentials: Sections::find(&self.credentials.content, FileKind::Credentials),
            config_path: &self.config.path,
            credentials_path: &self.credentials.path,
            unreadable: self.config.unreadable.as_ref().or(self.credentials.unreadable.as_ref()),
            texts: [&self.config.content, &self.credentials.content],
        }
    }
}

impl Drop for FileContents {
    /// Wipes the keys. (The config file is long and seldom holds any.)
    fn drop(&mut self) {
        self.credentials.content.zeroize();
    }
}

impl FileContent {
    fn read(variables: &AwsEnv<'_>, variable: &str, default: &str) -> Self {
        let named = variables.os(variable);
        let path = match named {
            Some(named) => variables.expanded(named),
            None => variables.at_home(OsStr::new(default)),
        };
        let Some(path) = path else {
            // A default path without a home directory is no file at all.
            return Self { path: default.into(), content: String::new(), unreadable: None };
        };
        let (content, unreadable) = match bounded_read::whole(&path) {
            Ok(bytes) => match text(bytes.unwrap_or_default()) {
                Ok(content) => (content, None),
                Err(reason) => (String::new(), Some(IdentityError::Unreadable { path: path.clone(), reason })),
            },
            Err(error) if named.is_none() && is_hidden(&error, variables.home()) => (String::new(), None),
            Err(error) => {
                let reason = bounded_read::reason(&error);
                (String::new(), Some(IdentityError::Unreadable { path: path.clone(), reason }))
            }
        };
        Self { path, content, unreadable }
    }
}

/// Whether a file below the home cannot be opened since we may not search the home, which then is none.
fn is_hidden(error: &io::Error, home: Option<&Path>) -> bool {
    error.kind() == io::ErrorKind::PermissionDenied && home.is_some_and(|home| !user::may_search(home))
}

/// A file's bytes as text. Bytes that are not UTF-8 become [`char::REPLACEMENT_CHARACTER`], which the parser minds where
/// the section is used: a comment in Latin-1 breaks nothing.
fn text(bytes: Vec<u8>) -> Result<String, String> {
    String::from_utf8(bytes).or_else(|error| {
        let bytes = error.into_bytes();
        if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) || bytes.contains(&0) {
            return Err("it is not UTF-8, but looks like UTF-16: save it as UTF-8".to_owned());
        }
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    })
}

impl<'a> ProfileFiles<'a> {
    /// The profile `name` of both files.
    pub(super) fn profile(&self, name: impl Into<Cow<'a, str>>) -> Option<Profile<'a>> {
        let name = name.into();
        let config = self.config.get(SectionKind::Profile, &name);
        let credentials = self.credentials.get(SectionKind::Profile, &name);
        if config.is_none() && credentials.is_none() {
            return None;
        }
        Some(Profile { name, config: config.unwrap_or_default(), credentials: credentials.unwrap_or_default() })
    }

    /// So many names of profiles as a message has room for, and one more, as the files have them.
    pub(super) fn some_names(&self) -> Vec<String> {
        let names = self.config.profile_names().chain(self.credentials.profile_names());
        names.filter(|name| *name != "default").take(MAX_NAMES + 1).map(str::to_owned).collect()
    }

    /// The names of all profiles of both files, in order.
    pub(super) fn profile_names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.config.profile_names().chain(self.credentials.profile_names()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// The section `[sso-session name]`.
    ///
    /// # Errors
    /// A line in it that cannot be read.
    pub(super) fn sso_session(&self, name: &str) -> Result<Option<Properties<'a>>, IdentityError> {
        let Some(properties) = self.config.get(SectionKind::SsoSession, name) else { return Ok(None) };
        match properties.malformed {
            Some(malformed) => Err(malformed_line(self.config_path, malformed)),
            None => Ok(Some(properties)),
        }
    }

    /// `endpoint_url` of `service` in `[services name]`.
    pub(super) fn service_endpoint(&self, name: &str, service: &str) -> Option<String> {
        let properties = self.config.get(SectionKind::Services, name)?;
        properties.nested(service, "endpoint_url").map(str::to_owned)
    }

    /// Whether the profile can be relied on.
    ///
    /// # Errors
    /// A file that cannot be read, or a line of the profile.
    pub(super) fn check(&self, profile: Option<&Profile<'_>>) -> Result<(), IdentityError> {
        if let Some(unreadable) = self.unreadable {
            return Err(unreadable.clone());
        }
        let Some(profile) = profile else { return Ok(()) };
        match (profile.credentials.malformed, profile.config.malformed) {
            (Some(malformed), _) => Err(malformed_line(self.credentials_path, malformed)),
            (None, Some(malformed)) => Err(malformed_line(self.config_path, malformed)),
            (None, None) => Ok(()),
        }
    }

    /// Why it is not certain that the profile `name`, which was not found, does not exist.
    ///
    /// # Errors
    /// That.
    pub(super) fn check_absence(&self, name: &str) -> Result<(), IdentityError> {
        let in_file = |sections: &Sections<'_>, path| sections.hidden(name).map(|line| malformed_line(path, line));
        let hidden =
            in_file(&self.credentials, self.credentials_path).or_else(|| in_file(&self.config, self.config_path));
        hidden.map_or(Ok(()), Err)
    }

    /// The error for a profile that `named_by` asks for and that is in neither file.
    pub(super) fn no_such_profile(&self, name: &str, named_by: String) -> IdentityError {
        if let Err(error) = self.check(None).and_then(|()| self.check_absence(name)) {
            return error;
        }
        let right = if name.contains(char::is_whitespace) { format!("'{}'", plain(name)) } else { plain(name) };
        let misspelled = if self.config.misspells(name) {
            Some((self.config_path, format!("[profile {right}]")))
        } else if self.credentials.profile_names().any(|known| known.strip_prefix("profile ") == Some(name)) {
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

fn malformed_line(path: &Path, MalformedLine { line, reason }: MalformedLine) -> IdentityError {
    IdentityError::Malformed { path: path.to_owned(), line, reason }
}
