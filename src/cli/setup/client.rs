//! `setup docker` and `setup podman`: one file to edit, and our own settings file where a profile, a role or a
//! delegate is to be said.

use std::fmt::Write as _;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::json::{Document, NotJson};
use super::settings_file::{self, Wishes};
use super::{SetupError, backup, client_paths, difference, discovery};
use crate::cli::arguments::{SetupCommon, SetupDocker, SetupPodman};
use crate::cli::doctor::clients;
use crate::cli::terminal;
use crate::os::environment::Environment;
use crate::os::fs::user_file::{self, FileError, UserFile};
use crate::os::secret;
use crate::registry::{Registry, host_of};
use crate::settings::Settings;
use crate::text::printable::{line_of, one_line, page};
use crate::{HELPER, PROGRAM};

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
    Document::parse(bytes).map_err(|source| SetupError::NotJson { path: path.to_owned(), source })
}

struct Job<'a> {
    client: &'static str,
    common: &'a SetupCommon,
    store: bool,
    file: Option<PathBuf>,
    environment: &'a Environment,
}

/// `setup docker`
pub(crate) fn docker(arguments: &SetupDocker, environment: &Environment) -> ExitCode {
    let (common, store) = (&arguments.common, arguments.store);
    finish(&Job { client: "docker", common, store, file: client_paths::docker(environment), environment })
}

/// `setup podman`
pub(crate) fn podman(arguments: &SetupPodman, environment: &Environment) -> ExitCode {
    let (common, file) = (&arguments.common, client_paths::podman_kept(environment));
    finish(&Job { client: "podman", common, store: false, file, environment })
}

fn finish(job: &Job<'_>) -> ExitCode {
    // A client's file may hold logins in plain text, and every step makes copies of it.
    secret::wipe_what_is_freed();
    let done = if job.common.undo { undo(job) } else { set_up(job) };
    match done.and_then(|report| Ok(terminal::print(&page(&report))?)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            terminal::warn_line(&format!("{PROGRAM}: setup {}: {error}", job.client));
            ExitCode::FAILURE
        }
    }
}

fn set_up(job: &Job<'_>) -> Result<String, SetupError> {
    let (original, document) = read(job)?;
    let mut report = String::new();
    let mut edits = Edits { store: job.store, ..Edits::default() };
    if !job.store {
        edits.helpers = registries(job, &document, &mut report)?;
    }
    let stale = logins(&document);
    if job.common.clean {
        edits.clean = stale;
    } else if !stale.is_empty() {
        let _ = writeln!(
            report,
            "{} has an old login for {}: nothing uses it any more, take it out with --clean",
            line_of(&original.path),
            one_line(&stale.join(", "))
        );
    }
    let store = document.string(STORE).filter(|store| store != HELPER);
    if job.store && store.is_none() && document.string(STORE).is_none() {
        refuse_to_hide(&original, &document)?;
    }
    let mut edited = document.clone();
    apply(&mut edited, &edits).map_err(|source| SetupError::NotJson { path: original.path.clone(), source })?;

    let wishes = Wishes {
        registries: &edits.helpers,
        profile: job.common.profile.as_deref(),
        role_arn: job.common.role_arn.as_deref(),
        web_identity: job.common.web_identity.as_deref(),
        audience: job.common.audience.as_deref(),
        delegate: store.as_deref().filter(|_| job.store),
    };
    let settings = if wishes.is_empty() {
        None
    } else {
        let file = UserFile::read(&settings_file::path(job.environment)?)?;
        let text = settings_file::with(&file, &wishes)?;
        Some((file, text))
    };
    let settings = settings.filter(|(file, text)| file.content.as_deref() != Some(text.as_bytes()));
    let is_new = original.content.is_none();
    let change = (edited != document || is_new).then_some(&edited);
    if job.common.dry_run {
        report.push_str(&preview(&original, &document, change, settings.as_ref()));
        return Ok(report);
    }

    // The settings first: docker must not ask us for anything that they do not say yet.
    original.may_replace()?;
    sweep(&original, job.environment);
    if let Some((file, text)) = &settings {
        file.replace(text.as_bytes())?;
        let _ = writeln!(report, "{}: written", line_of(&file.path));
    }
    match change {
        None => {
            let _ = writeln!(report, "{}: nothing to do, all of it is there", line_of(&original.path));
        }
        Some(edited) => {
            let copy = backup::keep(&original, &document)?;
            original.replace(&edited.bytes())?;
            describe(&mut report, &original, &edits, copy);
        }
    }
    // An old login in a file that comes before, a variable that wins, a file at which podman stops.
    if job.common.file.is_none() {
        for host in &edits.helpers {
            if let Some(reason) = clients::still_wrong(job.client, job.environment, host) {
                let _ = writeln!(report, "{} would still not use it for {host}: {reason}", job.client);
            }
        }
    }
    if client_paths::on_path(job.environment, PROGRAM).is_none() {
        terminal::warn_line(&format!(
            "{PROGRAM}: {} looks for {PROGRAM} on PATH, and it is not there: add its directory to PATH",
            job.client
        ));
    }
    Ok(report)
}

fn undo(job: &Job<'_>) -> Result<String, SetupError> {
    let (mut original, document) = read(job)?;
    let registries = job.common.registry.iter().map(|name| host(job, name)).collect::<Result<Vec<_>, _>>()?;
    let undone = backup::undo(&mut original, &document, &registries)?;
    let settings = undo_settings(job, &registries);
    let path = line_of(&original.path);
    let after = match &undone {
        backup::Undone::Nothing | backup::Undone::Already => None,
        backup::Undone::Before(bytes) => Some(parse(&original.path, bytes)?),
        backup::Undone::NoFile => Some(Document::empty()),
        backup::Undone::Edited(document) => Some(document.clone()),
    };
    let (settings, left) = match settings {
        Ok(settings) => (settings, None),
        Err(error) => (None, Some(error)),
    };
    if job.common.dry_run {
        return Ok(preview(&original, &document, after.as_ref(), settings.as_ref()));
    }
    sweep(&original, job.environment);
    let mut report = String::new();
    // What is wrong with our own file must not keep anybody from getting theirs back.
    if let Some(error) = left {
        let _ = writeln!(report, "our settings file is left as it is: {}", one_line(&error.to_string()));
    }
    // It holds what the file holds then, old logins too.
    let copy = backup::path(&original.path);
    let copy = matches!(undone, backup::Undone::Already | backup::Undone::Before(_)).then_some(copy);
    match undone {
        backup::Undone::Nothing => {
            let _ = writeln!(report, "{path}: nothing of this helper's is in it");
        }
        backup::Undone::Already => {
            let _ = writeln!(report, "{path}: as it was before");
        }
        backup::Undone::Before(bytes) => {
            original.replace(&bytes)?;
            let _ = writeln!(report, "{path}: as it was before");
        }
        backup::Undone::NoFile => {
            original.remove()?;
            let _ = writeln!(report, "{path}: removed, as there was none before");
        }
        backup::Undone::Edited(edited) => {
            original.replace(&edited.bytes())?;
            let _ = writeln!(report, "{path}: this helper is out; what else changed since then stays");
        }
    }
    if let Some((file, text)) = settings {
        file.replace(text.as_bytes())?;
        let _ = writeln!(report, "{}: what setup put in is out", line_of(&file.path));
    }
    match copy.map(|copy| (std::fs::remove_file(&copy), copy)) {
        Some((Err(source), path)) if source.kind() != ErrorKind::NotFound => {
            Err(FileError::Remove { path, source }.into())
        }
        _ => Ok(report),
    }
}

/// Removes what a setup that was killed left over.
fn sweep(original: &UserFile, environment: &Environment) {
    user_file::sweep(&original.path);
    if let Ok(settings) = settings_file::path(environment) {
        user_file::sweep(&settings);
    }
}

/// Our settings file and its text without what `setup` put in; `None` where there is nothing of it.
fn undo_settings(job: &Job<'_>, registries: &[String]) -> Result<Option<(UserFile, String)>, SetupError> {
    let file = UserFile::read(&settings_file::path(job.environment)?)?;
    let text = settings_file::without(&file, registries, registries.is_empty())?;
    let changed = file.content.as_deref().is_some_and(|old| old != text.as_bytes());
    Ok(changed.then_some((file, text)))
}

fn read(job: &Job<'_>) -> Result<(UserFile, Document), SetupError> {
    let path = job.common.file.clone().or_else(|| job.file.clone()).ok_or(SetupError::NoHome)?;
    let original = UserFile::read(&path)?;
    let document = match &original.content {
        Some(bytes) => parse(&path, bytes)?,
        None => Document::empty(),
    };
    Ok((original, document))
}

/// The host under which the client will ask for `name`.
fn host(job: &Job<'_>, name: &str) -> Result<String, SetupError> {
    if let Some(registry) = Registry::parse(name) {
        return Ok(registry.host().to_owned());
    }
    let settings = Settings::load(job.environment)?;
    match settings.target(name).and_then(|_| host_of(name)) {
        Some(host) => Ok(host),
        None => Err(SetupError::NotEcr(name.to_owned())),
    }
}

/// The registries to set up: those named, or those found that no other helper serves.
fn registries(job: &Job<'_>, document: &Document, report: &mut String) -> Result<Vec<String>, SetupError> {
    if !job.common.registry.is_empty() {
        return job.common.registry.iter().map(|name| host(job, name)).collect();
    }
    let mut found = discovery::in_profiles(job.environment);
    for (host, place) in discovery::in_images(job.environment) {
        found.entry(host).or_insert(place);
    }
    for login in logins(document) {
        if let Some(registry) = Registry::parse(&login) {
            found.entry(registry.host().to_owned()).or_insert_with(|| "an old login".to_owned());
        }
    }
    let helpers = document.section(HELPERS);
    for (host, helper) in &helpers {
        if let (Some(registry), Some(helper)) = (Registry::parse(host), helper) {
            let host = registry.host().to_owned();
            if helper == HELPER {
                found.entry(host).or_insert_with(|| "already set up".to_owned());
            } else if found.remove(&host).is_some() {
                let _ =
                    writeln!(report, "{host}: left to {}; name it with --registry to change that", one_line(helper));
            }
        }
    }
    if found.is_empty() {
        return Err(SetupError::NothingFound);
    }
    for (host, place) in &found {
        let _ = writeln!(report, "{host} ({})", one_line(place));
    }
    Ok(found.into_keys().collect())
}

/// Behind a `credsStore`, docker does not look into `auths`: logins there would be lost without a delegate.
fn refuse_to_hide(original: &UserFile, document: &Document) -> Result<(), SetupError> {
    let keys = document.logins().into_iter();
    let others: Vec<String> = keys.filter(|key| Registry::parse(key).is_none()).collect();
    if others.is_empty() {
        return Ok(());
    }
    Err(SetupError::HidesLogins { path: original.path.clone(), registries: others.join(", ") })
}

fn preview(
    original: &UserFile,
    document: &Document,
    change: Option<&Document>,
    settings: Option<&(UserFile, String)>,
) -> String {
    let mut shown = String::new();
    if let Some(change) = change {
        let before = if original.content.is_some() { document.redacted() } else { String::new() };
        shown.push_str(&difference(&original.path, &before, &change.redacted()));
    }
    if let Some((file, text)) = settings {
        let before = file.content.clone().unwrap_or_default();
        shown.push_str(&difference(&file.path, &String::from_utf8_lossy(&before), text));
    }
    if shown.is_empty() {
        shown = format!("{}: nothing would change\n", line_of(&original.path));
    }
    shown
}

fn describe(report: &mut String, original: &UserFile, edits: &Edits, copy: Option<PathBuf>) {
    let path = line_of(&original.path);
    if edits.store {
        let _ = writeln!(report, "{path}: {STORE} is {HELPER} now");
    }
    for host in &edits.helpers {
        let _ = writeln!(report, "{path}: {host} is served by {HELPER}");
    }
    for host in &edits.clean {
        let _ = writeln!(report, "{path}: the old login for {} is out", one_line(host));
    }
    if let Some(copy) = copy {
        let _ = writeln!(report, "{}: a copy of what it was", line_of(&copy));
    }
}
