//! What the file was before `setup` came, and how `--undo` gives it back.

use std::path::{Path, PathBuf};

use super::SetupError;
use super::client_file::{Edits, HELPERS, STORE, apply, logins, parse};
use super::json::{Document, NotJson};
use crate::HELPER;
use crate::os::fs::user_file::{MayReplace, UserFile, exists};

/// Where the copy of `path` is kept: beside the name that people know, not where a link may lead.
pub fn path(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".before-ecr-login");
    path.with_file_name(name)
}

/// The empty file that stands in for a copy where there was nothing to copy: `setup` made the file.
pub(super) fn mark_path(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".made-by-ecr-login");
    path.with_file_name(name)
}

/// Keeps a copy of what the file was before anything of ours was in it, or the mark that there was no file.
pub fn keep(original: &UserFile, document: &Document) -> Result<Option<PathBuf>, SetupError> {
    let (copy, mark) = (path(&original.path), mark_path(&original.path));
    if original.content.is_none() {
        original.mark(&mark)?;
        return Ok(None);
    }
    let untouched = !has_ours(document);
    if !untouched && (exists(&copy)? || exists(&mark)?) {
        return Ok(None);
    }
    original.back_up(&copy, if untouched { MayReplace::Anything } else { MayReplace::Nothing })?;
    Ok(Some(copy))
}

pub(super) fn has_ours(document: &Document) -> bool {
    document.string(STORE).as_deref() == Some(HELPER) || ours(document).next().is_some()
}

pub(super) fn ours(document: &Document) -> impl Iterator<Item = String> {
    let entries = document.section(HELPERS).into_iter();
    entries.filter(|(_, value)| value.as_deref() == Some(HELPER)).map(|(key, _)| key)
}

/// The file as it is to be after `--undo`.
#[derive(Debug)]
pub enum Undone {
    /// Nothing of ours is in it.
    Nothing,
    /// It says what it said before; the copy of it is still there, for want of time to remove it.
    Already,
    /// It says what it said before: these very bytes.
    Before(Vec<u8>),
    /// There was no file, and there is nothing but ours in it now.
    NoFile,
    /// Ours is out, and what changed since then stays.
    Edited(Document),
}

/// Takes out what `setup` put in: entries of `registries`, or everything if that is empty. Without a copy and without the mark
/// of a file that `setup` made, nothing says what `setup` put in: then only the entries of `registries` go.
pub fn undo(original: &mut UserFile, document: &Document, registries: &[String]) -> Result<Undone, SetupError> {
    let copy = UserFile::read_copy(&path(&original.path), original)?;
    let is_made = UserFile::read_copy(&mark_path(&original.path), original)?.content.is_some();
    let before = match &copy.content {
        Some(bytes) => parse(&copy.path, bytes)?,
        None if is_made || !registries.is_empty() => Document::empty(),
        None => document.clone(),
    };
    let put_in = put_in(&before, document, registries);
    if put_in.helpers.is_empty() && !put_in.store {
        let already = copy.content.is_some() && copy.content == original.content;
        return Ok(if already { Undone::Already } else { Undone::Nothing });
    }
    let failed = |source| SetupError::NotJson { path: original.path.clone(), source };
    if registries.is_empty() {
        let mut again = before.clone();
        apply(&mut again, &put_in).map_err(failed)?;
        if again == *document {
            original.no_more_open_than(&copy);
            return Ok(match copy.content {
                Some(bytes) => Undone::Before(bytes),
                None => Undone::NoFile,
            });
        }
    }
    let mut edited = document.clone();
    take_out(&mut edited, &before, &put_in).map_err(failed)?;
    if edited.compact() != before.compact() {
        return Ok(Undone::Edited(edited));
    }
    original.no_more_open_than(&copy);
    Ok(copy.content.map_or(Undone::NoFile, Undone::Before))
}

/// What the file has of ours now and had not before; also the old logins that it had and has no more.
fn put_in(before: &Document, now: &Document, registries: &[String]) -> Edits {
    let had: Vec<String> = ours(before).collect();
    let wanted = |host: &String| registries.is_empty() || registries.contains(host);
    let logins_now = logins(now);
    Edits {
        helpers: ours(now).filter(|host| !had.contains(host) && wanted(host)).collect(),
        store: registries.is_empty()
            && now.string(STORE).as_deref() == Some(HELPER)
            && before.string(STORE).as_deref() != Some(HELPER),
        clean: logins(before).into_iter().filter(|host| !logins_now.contains(host)).collect(),
    }
}

fn take_out(document: &mut Document, before: &Document, put_in: &Edits) -> Result<(), NotJson> {
    let helpers_before = before.section(HELPERS);
    for host in &put_in.helpers {
        match helpers_before.iter().find(|(key, _)| key == host) {
            Some((_, Some(helper))) => document.set_in(HELPERS, host, helper)?,
            _ => document.remove_in(HELPERS, host)?,
        }
    }
    if !before.has(HELPERS) && document.section(HELPERS).is_empty() {
        document.remove(HELPERS)?;
    }
    if put_in.store {
        match before.string(STORE) {
            Some(store) => document.set(STORE, &store)?,
            None => document.remove(STORE)?,
        }
    }
    Ok(())
}
