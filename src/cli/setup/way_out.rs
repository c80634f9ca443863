//! What keeps a setup from working that is not in the client's file: rights, a folder that is not there, PATH.

use std::io::ErrorKind;
use std::path::Path;

use super::{SetupError, client_paths, settings_file};
use crate::PROGRAM;
use crate::cli::terminal;
use crate::os::environment::Environment;
use crate::os::fs::canonical;
use crate::os::fs::user_file::{FileError, exists};
use crate::text::printable::line_of;

/// The error's text, with what to do where rights are missing.
pub(super) fn of(error: &SetupError, client: &str, environment: &Environment) -> String {
    if matches!(error, SetupError::NoHome) {
        let variable = if client == "podman" { "REGISTRY_AUTH_FILE" } else { "DOCKER_CONFIG" };
        return format!(
            "there is no home directory: set HOME, or {variable} (for {client} too), and ECR_LOGIN_CONFIG for what goes into \
             the settings file"
        );
    }
    let SetupError::File(FileError::Read { path, source } | FileError::Write { path, source }) = error else {
        return error.to_string();
    };
    if !matches!(source.kind(), ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem) {
        return error.to_string();
    }
    let folder = path.parent().unwrap_or(Path::new("."));
    // A folder that is not there cannot change its owner.
    let give = match folder.is_dir() {
        true => format!("make it yours (sudo chown -R \"$(id -u)\" {}), or ", line_of(folder)),
        false => String::new(),
    };
    let is_settings = settings_file::path(environment).is_ok_and(|settings| settings == *path);
    let way = match client {
        _ if is_settings => "set ECR_LOGIN_CONFIG to a file that you may write",
        "podman" => "name another file with --file, or set REGISTRY_AUTH_FILE to one that you may write",
        _ => "name another file with --file, or set DOCKER_CONFIG to a folder that you may write",
    };
    format!("{error}; {give}{way} (for {client} too)")
}

/// Fails where the file that `--file` names is in no folder: a mistyped path makes none.
///
/// # Errors
/// The folder is not there, or that cannot be determined.
pub(super) fn check_folder(file: &Path) -> Result<(), SetupError> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if exists(folder)? {
        return Ok(());
    }
    Err(SetupError::NoFolder { file: file.to_owned(), folder: folder.to_owned() })
}

/// Warns where the client would not find this program by its name, or would find another one; whether all is well.
pub(super) fn warn_of_path(client: &str, environment: &Environment) -> bool {
    let ours = std::env::current_exe().ok();
    let folder = ours.as_deref().and_then(Path::parent).map(line_of).unwrap_or_default();
    let Some(found) = client_paths::on_path(environment, PROGRAM) else {
        terminal::warn_line(&format!(
            "{PROGRAM}: {client} looks for {PROGRAM} on PATH, and it is not there: add its directory to PATH ({folder})"
        ));
        return false;
    };
    let is_ours = match (canonical(&found), ours.as_deref().map(canonical)) {
        (Ok(found), Some(Ok(ours))) => found == ours || same_content(&found, &ours),
        _ => false,
    };
    if !is_ours {
        terminal::warn_line(&format!(
            "{PROGRAM}: {client} would run {}, which comes first on PATH and is another program of this name: put \
             {folder} before its directory in PATH, or remove it",
            line_of(&found)
        ));
    }
    is_ours
}

/// Whether one is a copy of the other.
fn same_content(one: &Path, other: &Path) -> bool {
    let length = |path: &Path| std::fs::metadata(path).map(|found| found.len()).ok();
    length(one) == length(other) && std::fs::read(one).ok() == std::fs::read(other).ok()
}
