//! `credential-helpers` of containers-registries.conf(5), from the main file and the drop-in directories.
//!
//! Order by `pkg/sysregistriesv2` of go.podman.io/image: the main file (`CONTAINERS_REGISTRIES_CONF`, the user's, else the
//! system's), then the system's drop-ins and the user's, each directory by name; the last one that sets the list wins.

use std::path::{Path, PathBuf};

use crate::os::environment::Environment;
use crate::os::fs::user_file::UserFile;

/// The member of the list that stands for podman's own files and docker's.
pub const FILES: &str = "containers-auth.json";

/// The list in force, and the file that sets it; `None` where no file does, which is as `[containers-auth.json]`.
pub fn credential_helpers(environment: &Environment) -> Option<(PathBuf, Vec<String>)> {
    let own = environment.home().map(|home| home.join(".config/containers"));
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
    let found = std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok).map(|entry| entry.path());
    let mut files: Vec<PathBuf> = found.filter(|path| path.extension().is_some_and(|end| end == "conf")).collect();
    files.sort();
    files
}

/// The list that a file sets; an empty one sets nothing.
fn list(file: &Path) -> Option<Vec<String>> {
    let content = UserFile::read(file).ok()?.content?;
    let document: toml_edit::DocumentMut = String::from_utf8(content).ok()?.parse().ok()?;
    let helpers = document.get("credential-helpers")?.as_array()?;
    let helpers: Vec<String> = helpers.iter().filter_map(|helper| helper.as_str().map(str::to_owned)).collect();
    (!helpers.is_empty()).then_some(helpers)
}
