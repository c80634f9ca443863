//! Why no token is kept, in the words that `warm`, `status` and `doctor` share.

use std::path::Path;

use crate::cache::Cache;
use crate::os::environment::Environment;

/// Why the cache keeps nothing, as far as it can be told without writing to it; what to do is [`remedy`].
pub(crate) fn reason(environment: &Environment, cache: Option<&Cache>) -> Option<String> {
    let Some(cache) = cache else { return Some(nowhere(environment)) };
    // What of it is not trusted shows where it is read.
    cache.entries();
    let untrusted = cache.warnings().into_iter().chain(cache.unread()).next();
    let may_be_kept = match cache.path() {
        Some(path) if cache.is_open() => may_be_written(path),
        _ => cache.places().iter().any(|path| may_be_written(path)),
    };
    untrusted.or_else(|| cache.path().filter(|_| !may_be_kept).map(not_writable))
}

/// Why nothing was kept, although a token was given.
pub(crate) fn reason_of_a_loss(environment: &Environment, cache: Option<&Cache>) -> String {
    let known = reason(environment, cache);
    let place = || cache.and_then(Cache::path);
    known.or_else(|| place().map(not_writable)).map_or_else(
        || nowhere(environment),
        |reason| {
            let may_have_changed = place().is_some_and(|path| reason == not_writable(path));
            let changed = if may_have_changed { " (or the credentials changed meanwhile: run this again)" } else { "" };
            format!("{reason}{changed}")
        },
    )
}

/// What to do about it.
pub(crate) fn remedy(environment: &Environment) -> &'static str {
    if environment.var_os("AWS_ECR_DISABLE_CACHE").is_some() {
        "unset it"
    } else {
        "name a directory of yours that can be written in AWS_ECR_CACHE_DIR"
    }
}

fn nowhere(environment: &Environment) -> String {
    if environment.var_os("AWS_ECR_DISABLE_CACHE").is_some() {
        "AWS_ECR_DISABLE_CACHE turns the cache off".to_owned()
    } else {
        "there is no directory for a cache".to_owned()
    }
}

fn not_writable(path: &Path) -> String {
    format!("the cache in {} could not be written", path.display())
}

/// Whether the directory can be written, or made in the nearest one above it that is there.
#[cfg(unix)]
fn may_be_written(path: &Path) -> bool {
    use rustix::fs::{Access, access};
    let Some(there) = path.ancestors().find(|path| path.symlink_metadata().is_ok()) else { return false };
    there.is_dir() && access(there, Access::WRITE_OK | Access::EXEC_OK).is_ok()
}

#[cfg(not(unix))]
fn may_be_written(path: &Path) -> bool {
    path.ancestors().find(|path| path.exists()).is_some_and(Path::is_dir)
}
