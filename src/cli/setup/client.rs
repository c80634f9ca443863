//! `setup docker` and `setup podman`: one file to edit, and our own settings file where a profile, a role or a
//! delegate is to be said.

use std::fmt::Write as _;
use std::process::ExitCode;

use super::chosen::{self, Chosen};
use super::client_file::{Edits, HELPERS, Job, STORE, apply, logins, read, sweep};
use super::json::Document;
use super::report::{describe, preview};
use super::settings_file::{self, SettingsEdit};
use super::{SetupError, backup, client_paths, identities, undo, way_out};
use crate::cli::arguments::{SetupDocker, SetupPodman};
use crate::cli::doctor::clients;
use crate::cli::layout::Layout;
use crate::cli::terminal;
use crate::os::environment::Environment;
use crate::os::fs::user_file::UserFile;
use crate::os::secret;
use crate::registry::{Registry, host_of};
use crate::settings::Settings;
use crate::text::printable::{line_of, one_line, page};
use crate::{HELPER, PROGRAM};

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
    let done = if job.common.undo { undo::undo(job) } else { set_up(job) };
    let shown = |report: String| {
        let report = page(&report);
        // A difference is shown as it is.
        if job.common.dry_run { report } else { Layout::for_stdout(job.environment).report(&report) }
    };
    match done.and_then(|report| Ok(terminal::print(&shown(report))?)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            terminal::warn_line(&format!(
                "{PROGRAM}: setup {}: {}",
                job.client,
                way_out::of(&error, job.client, job.environment)
            ));
            ExitCode::FAILURE
        }
    }
}

fn set_up(job: &Job<'_>) -> Result<String, SetupError> {
    let common = job.common;
    if let Some(file) = &common.file {
        way_out::check_folder(file)?;
    }
    let (original, document) = read(job)?;
    let mut report = String::new();
    if let Some(place) = document.rest_begins() {
        let file = line_of(&original.path);
        let _ = writeln!(
            report,
            "{file}: {place}, which stays: docker does not read it, podman and others refuse the file"
        );
    }
    let mut edits = Edits { store: job.store, ..Edits::default() };
    let mut chosen = Chosen::default();
    if !job.store {
        chosen = chosen::registries(job, &document, &mut report)?;
        edits.helpers = chosen.hosts.clone();
        if job.client == "podman" && common.file.is_none() {
            chosen::leave_to_dockers_file(job.environment, &mut edits.helpers, &mut report);
        }
    }
    let stale =
        logins(&document).into_iter().filter(|login| will_serve(job, &document, &edits, login)).collect::<Vec<_>>();
    if common.clean {
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

    let edit = SettingsEdit {
        registries: &chosen.hosts,
        profile: common.profile.as_deref(),
        role_arn: common.role_arn.as_deref(),
        web_identity: common.web_identity.as_deref(),
        audience: common.audience.as_deref(),
        delegate: store.as_deref().filter(|_| job.store),
        pairs: &chosen.pairs,
    };
    identities::check_arguments(&edit, job.environment)?;
    let settings = if edit.is_empty() {
        None
    } else {
        let file = UserFile::read(&settings_file::path(job.environment)?)?;
        let text = settings_file::with(&file, &edit)?;
        Some((file, text))
    };
    let settings = settings.filter(|(file, text)| file.content.as_deref() != Some(text.as_bytes()));
    let is_new = original.content.is_none() && (job.store || !edits.helpers.is_empty());
    let change = (edited != document || is_new).then_some(&edited);
    let in_force = match &settings {
        Some((file, text)) => Settings::parse(file.path.clone(), text),
        None => Settings::load(job.environment),
    };
    if common.dry_run {
        report.push_str(&preview(&original, &document, change, settings.as_ref()));
        identities::describe(&mut report, in_force, &chosen.hosts, &chosen.undecided, job.environment);
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
        None if original.content.is_none() => {
            let _ = writeln!(report, "{}: nothing to do, it is not needed", line_of(&original.path));
        }
        None => {
            let _ = writeln!(report, "{}: nothing to do, all of it is there", line_of(&original.path));
        }
        Some(edited) => {
            let copy = backup::keep(&original, &document)?;
            original.replace(&edited.bytes())?;
            describe(&mut report, &original, &edits, copy);
        }
    }
    let next = identities::describe(&mut report, in_force, &chosen.hosts, &chosen.undecided, job.environment);
    // An old login in a file that comes before, a variable that wins, a file at which podman stops.
    let mut served = true;
    if common.file.is_none() {
        for host in &chosen.hosts {
            if let Some(reason) = clients::still_wrong(job.client, job.environment, host) {
                served = false;
                let _ = writeln!(report, "{} would still not use it for {host}: {reason}", job.client);
            }
        }
    }
    let on_path = way_out::warn_of_path(job.client, job.environment);
    if served && on_path {
        identities::next_step(&mut report, job.client, &next);
    }
    Ok(report)
}

/// Whether this helper serves the registry of an old login once the edits are made.
fn will_serve(job: &Job<'_>, document: &Document, edits: &Edits, login: &str) -> bool {
    let Some(host) = host_of(login) else { return false };
    let named = document.section(HELPERS).into_iter().rev().find(|(key, _)| *key == host);
    let stored = edits.store || job.client == "docker" && document.string(STORE).as_deref() == Some(HELPER);
    edits.helpers.contains(&host)
        || match named {
            Some((_, helper)) => helper.as_deref() == Some(HELPER),
            None => stored,
        }
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
