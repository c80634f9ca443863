//! Programs on PATH, found as docker finds its helpers (Go's `exec.LookPath`).

use std::path::{Path, PathBuf};

use super::environment::Environment;

/// What Windows takes for a program where `PATHEXT` does not say.
const EXTENSIONS: &str = ".com;.exe;.bat;.cmd";

/// The first program of this name on PATH, whose relative entries do not count: what lies in somebody's working
/// directory is not the user's choice. On Windows the name may lack its extension.
pub(crate) fn on_path(environment: &Environment, name: &str) -> Option<PathBuf> {
    let names = if cfg!(windows) {
        file_names(name, environment.var("PATHEXT").unwrap_or(EXTENSIONS))
    } else {
        vec![name.to_owned()]
    };
    std::env::split_paths(environment.var_os("PATH")?)
        .filter(|folder| folder.is_absolute())
        .flat_map(|folder| names.iter().map(move |name| folder.join(name)))
        .find(|file| is_executable(file))
}

/// The names that the file of a program may have on Windows, best first.
fn file_names(name: &str, extensions: &str) -> Vec<String> {
    let extensions = extensions.split(';').filter(|extension| extension.starts_with('.'));
    let lower = name.to_ascii_lowercase();
    if extensions.clone().any(|extension| lower.ends_with(&extension.to_ascii_lowercase())) {
        return vec![name.to_owned()];
    }
    extensions.map(|extension| format!("{name}{extension}")).collect()
}

/// Whether a program can be started from this file.
#[cfg(unix)]
pub(crate) fn is_executable(file: &Path) -> bool {
    use rustix::fs::{Access, access};
    file.is_file() && access(file, Access::EXEC_OK).is_ok()
}

/// Whether a program can be started from this file.
#[cfg(not(unix))]
pub(crate) fn is_executable(file: &Path) -> bool {
    file.is_file()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_finds_a_program_by_the_extensions_of_pathext_in_their_order() {
        assert_eq!(
            file_names("docker-credential-pass", ".EXE;.CMD"),
            ["docker-credential-pass.EXE", "docker-credential-pass.CMD"]
        );
        assert_eq!(file_names("tool.cmd", ".EXE;.CMD"), ["tool.cmd"]);
        assert_eq!(file_names("tool.v2", ";.EXE;"), ["tool.v2.EXE"]);
    }

    #[test]
    fn a_program_in_a_relative_directory_of_path_is_not_found() {
        let folder = tempfile::tempdir_in(".").unwrap();
        let name = if cfg!(windows) { "tool.exe" } else { "tool" };
        std::fs::copy(std::env::current_exe().unwrap(), folder.path().join(name)).unwrap();
        let found = |path: &Path| on_path(&Environment::of([("PATH", path)]), "tool");
        assert!(found(&std::env::current_dir().unwrap().join(folder.path())).is_some());
        assert_eq!(found(Path::new(folder.path().file_name().unwrap())), None);
    }
}
