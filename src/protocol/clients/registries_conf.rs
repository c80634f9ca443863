//! `credential-helpers` of containers-registries.conf(5), from the main file and the drop-in directories.
//!
//! Order by `pkg/sysregistriesv2` of go.podman.io/image: the main file (`CONTAINERS_REGISTRIES_CONF`, the user's, else the
//! system's), then the system's drop-ins and the user's, each directory by name; the last one that sets the list wins.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
#[cfg(unix)]
use std::{ffi::OsStr, os::unix::ffi::OsStrExt as _};

use crate::os::environment::Environment;
use crate::os::fs::user_file::UserFile;

/// The member of the list that stands for podman's own files and docker's.
pub(crate) const FILES: &str = "containers-auth.json";

/// The list in force, and the file that sets it; `None` where no file does, which is as `[containers-auth.json]`.
pub(crate) fn credential_helpers(environment: &Environment) -> Option<(PathBuf, Vec<String>)> {
    let own = environment.home().map(|home| home.join(".config").join("containers"));
    let system = Path::new("/etc/containers");
    let main = match environment.var_os("CONTAINERS_REGISTRIES_CONF") {
        Some(named) => PathBuf::from(named),
        None => {
            let own = own.as_ref().map(|own| own.join("registries.conf")).filter(|own| own.exists());
            own.unwrap_or_else(|| system.join("registries.conf"))
        }
    };
    let mut files = vec![main];
    for folder in [Some(system.to_owned()), own].into_iter().flatten() {
        files.extend(drop_ins(&folder.join("registries.conf.d")));
    }
    files.into_iter().rev().find_map(|file| Some((file.clone(), list(&file)?)))
}

fn drop_ins(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = names(folder).into_iter().map(|name| folder.join(name)).collect();
    files.retain(|path| path.extension().is_some_and(|end| end == "conf"));
    files.sort();
    files
}

/// The names in a folder. Not by the standard library's listing, which panics where a directory cannot be closed.
#[cfg(unix)]
fn names(folder: &Path) -> Vec<OsString> {
    use rustix::fs::{Dir, Mode, OFlags};
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let listing = rustix::io::retry_on_intr(|| rustix::fs::open(folder, flags, Mode::empty())).and_then(Dir::new);
    let found = listing.into_iter().flatten().filter_map(Result::ok);
    found.map(|entry| OsStr::from_bytes(entry.file_name().to_bytes()).to_owned()).collect()
}

#[cfg(not(unix))]
fn names(folder: &Path) -> Vec<OsString> {
    std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok).map(|entry| entry.file_name()).collect()
}

/// The list that a file sets; an empty one sets nothing.
fn list(file: &Path) -> Option<Vec<String>> {
    let content = UserFile::read(file).ok()?.content?;
    let document: toml_edit::DocumentMut = String::from_utf8(content).ok()?.parse().ok()?;
    let helpers = document.get("credential-helpers")?.as_array()?;
    let helpers: Vec<String> = helpers.iter().filter_map(|helper| helper.as_str().map(str::to_owned)).collect();
    (!helpers.is_empty()).then_some(helpers)
}
