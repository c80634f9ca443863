//! What every credential source is looked up with, and the outcome of one look-up.

use std::path::PathBuf;

use super::CredentialSource;
use super::aws_env::AwsEnv;
use super::error::IdentityError;
use super::profile_files::{Profile, ProfileFiles};
use crate::text::printable::plain;

/// What a credential source gives.
#[derive(Debug)]
pub(super) enum Lookup {
    /// These credentials.
    Found(CredentialSource),
    /// Nothing, and why: the next source in the order is tried.
    NotConfigured(String),
}

/// What sources are read from.
pub(super) struct ResolveContext<'a> {
    pub(super) variables: &'a AwsEnv<'a>,
    pub(super) files: &'a ProfileFiles<'a>,
    /// The profile whose settings (endpoints, IMDS) count, if it exists.
    pub(super) in_force: Option<&'a Profile<'a>>,
}

impl ResolveContext<'_> {
    /// The error for a profile with something wrong in it.
    pub(super) fn invalid(&self, profile: &Profile<'_>, reason: String) -> IdentityError {
        IdentityError::InvalidProfile { profile: plain(&profile.name), path: self.files.config_path.to_owned(), reason }
    }

    /// The path in `ca_bundle`, where the shell would have expanded `~`.
    pub(super) fn path_of(&self, value: &str) -> PathBuf {
        self.variables.at_home(value.as_ref()).unwrap_or_else(|| value.into())
    }
}
