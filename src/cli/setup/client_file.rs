//! A client's JSON file as `setup` and `--undo` change it: the job, the edits, reading the file, and what they leave over.

use std::path::{Path, PathBuf};

use super::json::{Document, NotJson};
use super::{SetupError, settings_file};
use crate::HELPER;
use crate::cli::arguments::SetupCommon;
use crate::os::environment::Environment;
use crate::os::fs::user_file::{self, UserFile};
use crate::registry::{Registry, host_of};
use crate::settings::{Settings, SettingsError};

/// The object that names a helper for each registry.
pub(super) const HELPERS: &str = "credHelpers";
/// The helper for every other registry.
pub(super) const STORE: &str = "credsStore";
/// The object with logins in plain text.
const LOGINS: &str = "auths";

/// What is to change in a client's file.
#[derive(Clone, Debug, Default)]
pub struct Edits {
    /// Registries to be served by us.
    pub helpers: Vec<String>,
    /// Become the store for all.
    pub store: bool,
    /// Keys of `auths` to take out.
    pub clean: Vec<String>,
}

/// Makes the changes.
///
/// # Errors
/// A section that is there and is no object; what came before it is done.
pub fn apply(document: &mut Document, edits: &Edits) -> Result<(), NotJson> {
    for host in &edits.helpers {
        document.set_in(HELPERS, host, HELPER)?;
    }
    if edits.store {
        document.set(STORE, HELPER)?;
    }
    // No client reads a file with it.
    document.remove_byte_order_mark();
    for host in &edits.clean {
        document.remove_in(LOGINS, host)?;
    }
    Ok(())
}

/// Keys of `auths` with a login to an ECR registry. An empty entry, as every `docker login` through a helper leaves it, is
/// none.
pub fn logins(document: &Document) -> Vec<String> {
    document.logins().into_iter().filter(|key| Registry::parse(key).is_some()).collect()
}

pub(super) fn parse(path: &Path, bytes: &[u8]) -> Result<Document, SetupError> {
    Document::parse_first(bytes).map_err(|source| SetupError::NotJson { path: path.to_owned(), source })
}

/// Fails where text follows the JSON and the client does not read such a file: docker alone does.
fn check_rest(job: &Job<'_>, path: &Path, document: &Document) -> Result<(), SetupError> {
    match document.rest_begins().filter(|_| job.client != "docker") {
        Some(source) => Err(SetupError::NotJson { path: path.to_owned(), source }),
        None => Ok(()),
    }
}

/// One `setup docker` or `setup podman`.
pub(super) struct Job<'a> {
    pub(super) client: &'static str,
    pub(super) common: &'a SetupCommon,
    pub(super) store: bool,
    pub(super) file: Option<PathBuf>,
    pub(super) environment: &'a Environment,
}

/// Removes what a setup that was killed left over.
pub(super) fn sweep(original: &UserFile, environment: &Environment) {
    user_file::sweep(&original.path);
    if let Ok(settings) = settings_file::path(environment) {
        user_file::sweep(&settings);
    }
}

pub(super) fn read(job: &Job<'_>) -> Result<(UserFile, Document), SetupError> {
    let path = job.common.file.clone().or_else(|| job.file.clone()).ok_or(SetupError::NoHome)?;
    let original = UserFile::read(&path)?;
    let document = match &original.content {
        Some(bytes) => parse(&path, bytes)?,
        None => Document::empty(),
    };
    check_rest(job, &path, &document)?;
    Ok((original, document))
}

/// The settings in force. A file that `ECR_LOGIN_CONFIG` names and that is not there yet is what a setup may make.
///
/// # Errors
/// The file cannot be used.
pub(super) fn settings(environment: &Environment) -> Result<Settings, SettingsError> {
    match Settings::load(environment) {
        Err(SettingsError::Missing(_)) => Ok(Settings::default()),
        settings => settings,
    }
}

/// The host under which the client will ask for `name`.
pub(super) fn host(job: &Job<'_>, name: &str) -> Result<String, SetupError> {
    if let Some(registry) = Registry::parse(name) {
        return Ok(registry.host().to_owned());
    }
    if name.trim().is_empty() {
        return Err(SetupError::NoName);
    }
    let settings = settings(job.environment)?;
    match settings.target(name).and_then(|_| host_of(name)) {
        Some(host) => Ok(host),
        None => Err(SetupError::NotEcr(name.to_owned())),
    }
}
