//! `setup docker --undo` and `setup podman --undo`: takes out what was put in, and says what stays.

use std::fmt::Write as _;
use std::io::ErrorKind;
use std::path::Path;

use super::client_file::{Job, STORE, host, parse, read, sweep};
use super::json::Document;
use super::report::preview;
use super::{SetupError, backup, client_paths, settings_file};
use crate::os::fs::user_file::{FileError, UserFile, exists};
use crate::protocol::clients::config_file::{Config, Content};
use crate::text::printable::{line_of, one_line};
use crate::{HELPER, PROGRAM};

pub(super) fn undo(job: &Job<'_>) -> Result<String, SetupError> {
    let (mut original, document) = read(job)?;
    let registries = job.common.names().map(|name| host(job, name)).collect::<Result<Vec<_>, _>>()?;
    let undone = backup::undo(&mut original, &document, &registries)?;
    let mut report = String::new();
    let settings = undo_settings(job, &registries, &original, &mut report);
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
        report.push_str(&preview(&original, &document, after.as_ref(), settings.as_ref()));
        return Ok(report);
    }
    sweep(&original, job.environment);
    // What is wrong with our own file must not keep the client's file from being given back.
    if let Some(error) = left {
        let _ = writeln!(report, "our settings file is left as it is: {}", one_line(&error.to_string()));
    }
    // It holds what the file holds then, old logins too.
    let (copy, mark) = (backup::path(&original.path), backup::mark_path(&original.path));
    let goes = matches!(undone, backup::Undone::Already | backup::Undone::Before(_));
    match undone {
        backup::Undone::Nothing if backup::has_ours(&document) => {
            let _ = writeln!(report, "{path}: nothing that setup put in is in it");
            if registries.is_empty() {
                let _ = writeln!(
                    report,
                    "what names {HELPER} in it was there before; to take it out all the same: {PROGRAM} setup {} --undo \
                     REGISTRY, or edit the file",
                    job.client
                );
            }
        }
        backup::Undone::Nothing if original.content.is_none() => {
            let _ = writeln!(report, "{path} is not there");
        }
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
            let _ = match backup::has_ours(&edited) {
                true => writeln!(report, "{path}: edited, and all else in it stays"),
                false => writeln!(report, "{path}: this helper is out; what else changed since then stays"),
            };
        }
    }
    say_what_went(&mut report, &document, after.as_ref().unwrap_or(&document));
    if let Some(after) = &after {
        say_who_else_read_it(&mut report, job, &original, &document, after);
    }
    if let Some((file, text)) = settings {
        put_settings(&mut report, &file, &text)?;
    }
    if !backup::has_ours(after.as_ref().unwrap_or(&document)) {
        remove(&mark)?;
    }
    if !goes {
        if exists(&copy)? {
            let _ = writeln!(
                report,
                "{}: the copy of what the file was before setup stays; remove it once you do not want it",
                line_of(&copy)
            );
        }
        return Ok(report);
    }
    remove(&copy)?;
    Ok(report)
}

fn remove(path: &Path) -> Result<(), FileError> {
    match std::fs::remove_file(path) {
        Err(source) if source.kind() != ErrorKind::NotFound => Err(FileError::Remove { path: path.to_owned(), source }),
        _ => Ok(()),
    }
}

/// Which registries went, and which stay with this helper: they were its before setup, or others were named.
fn say_what_went(report: &mut String, before: &Document, after: &Document) {
    let stay: Vec<String> = backup::ours(after).collect();
    for host in backup::ours(before).filter(|host| !stay.contains(host)) {
        let _ = writeln!(report, "{} is not served by {HELPER} any more", one_line(&host));
    }
    let store = |document: &Document| document.string(STORE).as_deref() == Some(HELPER);
    if store(before) && !store(after) {
        let _ = match after.string(STORE) {
            Some(store) => writeln!(report, "{STORE} is {} again", one_line(&store)),
            None => writeln!(report, "{STORE} is out"),
        };
    }
    for host in stay {
        let _ = writeln!(report, "{} stays with {HELPER}", one_line(&host));
    }
    if store(after) {
        let _ = writeln!(report, "{STORE} stays {HELPER}");
    }
}

/// podman, buildah and skopeo read docker's file last.
fn say_who_else_read_it(report: &mut String, job: &Job<'_>, original: &UserFile, before: &Document, after: &Document) {
    let is_dockers = client_paths::docker(job.environment).as_deref() == Some(&*original.path);
    let readers = ["podman", "buildah", "skopeo"];
    let here = readers.iter().find(|name| client_paths::on_path(job.environment, name).is_some());
    let (Some(reader), true) = (here, is_dockers) else { return };
    let stay: Vec<String> = backup::ours(after).collect();
    let others = served_elsewhere(job, original);
    for host in backup::ours(before).filter(|host| !stay.contains(host)) {
        if !others.iter().any(|(_, config)| config.helper(&host).is_some()) {
            let host = one_line(&host);
            let _ =
                writeln!(report, "{reader} read this file too; to keep {host} there: {PROGRAM} setup podman {host}");
        }
    }
}

/// Writes the settings that are left; a file that has nothing in it any more goes, with its folder if that is empty.
fn put_settings(report: &mut String, file: &UserFile, text: &str) -> Result<(), SetupError> {
    let path = line_of(&file.path);
    if !text.trim().is_empty() {
        file.replace(text.as_bytes())?;
        let _ = writeln!(report, "{path}: what setup put in is out");
        return Ok(());
    }
    file.remove()?;
    let _ = writeln!(report, "{path}: removed, as nothing else was in it");
    // Only an empty folder can be removed so.
    if let Some(folder) = file.path.parent().filter(|folder| folder.ends_with("ecr-login")) {
        let _ = std::fs::remove_dir(folder);
    }
    Ok(())
}

/// Our settings file and its text without what `setup` put in; `None` where there is nothing of it. What another client's
/// file needs stays.
fn undo_settings(
    job: &Job<'_>,
    registries: &[String],
    original: &UserFile,
    report: &mut String,
) -> Result<Option<(UserFile, String)>, SetupError> {
    let file = UserFile::read(&settings_file::path(job.environment)?)?;
    if file.content.is_none() {
        return Ok(None);
    }
    let others = served_elsewhere(job, original);
    let mut going = Vec::new();
    for host in
        settings_file::put_in(&file)?.into_iter().filter(|host| registries.is_empty() || registries.contains(host))
    {
        match others.iter().find(|(_, config)| names(config, &host)) {
            Some((path, _)) => {
                let (settings, host) = (line_of(&file.path), one_line(&host));
                let _ = writeln!(report, "{settings}: what it says of {host} stays, as {path} names {HELPER} for it");
            }
            None => going.push(host),
        }
    }
    let is_delegate_needed = others.iter().any(|(_, config)| config.store.as_deref() == Some(HELPER));
    let store = registries.is_empty() && !is_delegate_needed;
    // No name at all would mean every entry.
    let nothing = [String::new()];
    let going = if going.is_empty() { &nothing[..] } else { &going };
    let text = settings_file::without(&file, going, store)?;
    let changed = file.content.as_deref().is_some_and(|old| old != text.as_bytes());
    Ok(changed.then_some((file, text)))
}

/// The files of clients that are not undone here, with what they say.
fn served_elsewhere(job: &Job<'_>, original: &UserFile) -> Vec<(String, Config)> {
    let files = client_paths::docker(job.environment).into_iter().chain(client_paths::podman(job.environment));
    let kept = client_paths::podman_kept(job.environment);
    let mut found: Vec<(String, Config)> = Vec::new();
    for path in files.chain(kept).filter(|path| *path != original.path) {
        if let Content::Config(config) = Content::of_file(&path) {
            found.push((line_of(&path), config));
        }
    }
    found
}

fn names(config: &Config, host: &str) -> bool {
    match config.helper(host) {
        Some(helper) => helper == Some(HELPER),
        None => config.store.as_deref() == Some(HELPER),
    }
}
