//! Where the cache is.

use std::path::{Path, PathBuf};

use crate::os::environment::Environment;
use crate::os::user;

/// The program's own directory inside the chosen directory.
const OURS: &str = "ecr-login";

/// The directories that may hold the cache, best first; none where none is wanted or usable. Of these the first
/// that exists is used; where none exists, the first that can be made.
pub(super) fn candidates(environment: &Environment) -> Vec<PathBuf> {
    if environment.var_os("AWS_ECR_DISABLE_CACHE").is_some() {
        return Vec::new();
    }
    if let Some(wanted) = environment.var_os("AWS_ECR_CACHE_DIR") {
        return home_for_tilde(Path::new(wanted), environment).map(|above| above.join(OURS)).into_iter().collect();
    }
    let mut above: Vec<PathBuf> = below_home(environment).into_iter().collect();
    above.extend(runtime(environment));
    above.iter().map(|above| above.join(OURS)).collect()
}

/// A leading `~`, which no shell expands in a unit file; the Go helper expands it too.
fn home_for_tilde(wanted: &Path, environment: &Environment) -> Option<PathBuf> {
    match wanted.strip_prefix("~") {
        Ok(rest) => environment.home().or_else(user::passwd_home).map(|home| home.join(rest)),
        Err(_) => Some(wanted.to_owned()),
    }
}

/// The platform's cache directory. A HOME that is not ours (sudo that keeps it) holds no cache of ours, nor
/// does what is derived from it; then the passwd file says where we live, and so it does where there is no HOME, if
/// XDG_CACHE_HOME names no directory either. On Windows it is `%LOCALAPPDATA%`. `dirs` is not asked without HOME, as it would ask the host's C library.
fn below_home(environment: &Environment) -> Option<PathBuf> {
    if cfg!(windows) {
        return environment.directory("LOCALAPPDATA").or_else(dirs::cache_dir);
    }
    const IN_HOME: &str = if cfg!(target_os = "macos") { "Library/Caches" } else { ".cache" };
    let in_passwd_home = || user::passwd_home().map(|home| home.join(IN_HOME));
    let foreign = |path: &PathBuf| path.exists() && !user::owns_directory(path);
    let named = if cfg!(target_os = "macos") { None } else { environment.var_os("XDG_CACHE_HOME").map(PathBuf::from) };
    let Some(home) = environment.home() else {
        return named.filter(|named| named.is_absolute() && !foreign(named)).or_else(in_passwd_home);
    };
    if !user::owns_directory(&home) {
        return in_passwd_home();
    }
    if named.as_ref().is_some_and(foreign) {
        return Some(home.join(IN_HOME));
    }
    dirs::cache_dir()
}

/// A place for a process without a usable or writable home; it lasts for the session or the boot.
#[cfg(unix)]
fn runtime(environment: &Environment) -> Option<PathBuf> {
    if user::effective() == 0 {
        return Some(PathBuf::from("/run"));
    }
    environment.var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|path| path.is_absolute())
}

#[cfg(not(unix))]
fn runtime(_environment: &Environment) -> Option<PathBuf> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::os::environment::HOME;

    fn of(variables: &[(&str, &str)]) -> Vec<PathBuf> {
        candidates(&Environment::of(variables.iter().copied()))
    }

    #[test]
    fn the_named_directory_holds_one_of_ours_and_no_other_is_tried() {
        assert_eq!(of(&[("AWS_ECR_CACHE_DIR", "/var/c"), (HOME, "/")]), [PathBuf::from("/var/c/ecr-login")]);
        assert_eq!(of(&[("AWS_ECR_CACHE_DIR", "rel")]), [PathBuf::from("rel/ecr-login")]);
        assert_eq!(of(&[("AWS_ECR_CACHE_DIR", "~/.ecr"), (HOME, "/h")]), [PathBuf::from("/h/.ecr/ecr-login")]);
    }

    #[test]
    fn the_cache_can_be_turned_off() {
        assert!(of(&[("AWS_ECR_DISABLE_CACHE", "0"), ("AWS_ECR_CACHE_DIR", "/var/c")]).is_empty());
        assert!(!of(&[("AWS_ECR_DISABLE_CACHE", ""), ("AWS_ECR_CACHE_DIR", "/var/c")]).is_empty());
    }

    #[test]
    fn a_home_that_is_not_ours_holds_no_cache_of_ours() {
        let foreign = if user::owns_directory(Path::new("/")) { "/nowhere" } else { "/" };
        assert!(of(&[(HOME, foreign)]).iter().all(|path| path.parent() != Some(&Path::new(foreign).join(".cache"))));
    }
}
