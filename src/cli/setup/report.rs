//! What `setup` shows of the changes to files, before and after they are made.

use std::fmt::Write as _;
use std::path::PathBuf;

use super::client_file::{Edits, STORE};
use super::difference;
use super::json::Document;
use crate::HELPER;
use crate::os::fs::user_file::UserFile;
use crate::text::printable::{line_of, one_line};

/// The differences that `--dry-run` shows, without secrets.
pub(super) fn preview(
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

/// What was changed in the client's file.
pub(super) fn describe(report: &mut String, original: &UserFile, edits: &Edits, copy: Option<PathBuf>) {
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
