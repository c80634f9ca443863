//! podman, buildah and skopeo: `registries.conf`, then their files in order; the first file that names the registry wins.

use std::path::{Path, PathBuf};

use super::says::Says;
use super::{PODMANS, setup};
use crate::HELPER;
use crate::cli::doctor::report::Step;
use crate::os::environment::Environment;
use crate::protocol::clients::config_file::Content;
use crate::protocol::clients::{paths, registries_conf};
use crate::text::printable::shell_word;

const NAME: &str = "podman";

/// What podman would do for the registry.
pub(super) fn examine(environment: &Environment, host: &str) -> Step {
    let here = PODMANS.iter().any(|name| paths::on_path(environment, name).is_some());
    let files = files(environment);
    if !here && files.iter().all(|file| !file.exists() || Some(file) == paths::docker(environment).as_ref()) {
        return Step::skipped(NAME, "podman, buildah and skopeo are not on PATH");
    }
    let Some((conf, helpers)) = registries_conf::credential_helpers(environment) else {
        return by_files(environment, &files, host).unwrap_or_else(|| not_named(host));
    };
    let conf = conf.display();
    // Each member is tried until one answers.
    let mut before: Vec<&str> = Vec::new();
    for helper in &helpers {
        match helper.as_str() {
            HELPER if before.is_empty() => {
                return Step::ok(NAME, format!("{conf}: credential-helpers names {HELPER} before any file"));
            }
            HELPER => {
                let before = before.join(", ");
                return Step::ok(NAME, format!("{conf}: credential-helpers names {HELPER}, after {before}"));
            }
            registries_conf::FILES => {
                if let Some(step) = by_files(environment, &files, host) {
                    return step;
                }
                before.push("podman's files, which say nothing of it");
            }
            other => before.push(other),
        }
    }
    if helpers.iter().any(|helper| helper == registries_conf::FILES) {
        return not_named(host);
    }
    Step::wrong(
        NAME,
        format!("{conf}: credential-helpers names {}, so no file is read", helpers.join(", ")),
        format!("add \"{HELPER}\" to credential-helpers in {conf}"),
    )
}

/// podman and buildah take `DOCKER_CONFIG` for the name of their one file (`GetDefaultAuthFile` of
/// go.podman.io/common); skopeo does not.
fn files(environment: &Environment) -> Vec<PathBuf> {
    let is_named = environment.var_os("REGISTRY_AUTH_FILE").is_none() && environment.var_os("DOCKER_CONFIG").is_some();
    let takes_it = ["podman", "buildah"].iter().any(|name| paths::on_path(environment, name).is_some());
    if is_named && takes_it { paths::docker(environment).into_iter().collect() } else { paths::podman(environment) }
}

fn not_named(host: &str) -> Step {
    Step::not_set_up(NAME, "no file of podman's names a helper for it", setup(NAME, host))
}

/// By the files alone; `None` where none of them says anything of the registry.
fn by_files(environment: &Environment, files: &[PathBuf], host: &str) -> Option<Step> {
    let mut near_miss = None;
    for path in files {
        let file = path.display();
        let config = match Content::of_file(path) {
            Content::Absent => continue,
            Content::Config(config) if config.more_text => {
                return Some(stops(path, "has text after its JSON"));
            }
            Content::Config(config) => config,
            Content::Empty => return Some(stops(path, "is empty")),
            Content::Marked => return Some(stops(path, "begins with a byte order mark")),
            Content::Broken(reason) => return Some(stops(path, &format!("is not JSON: {reason}"))),
            Content::Unreadable(reason) => {
                return Some(Step::wrong(NAME, format!("{reason}, where podman stops"), "make it readable"));
            }
        };
        match Says::of(&config, host, false) {
            Says::Us(key) => return Some(Step::ok(NAME, format!("{file}: {key} names {HELPER}"))),
            Says::Another(helper, key) => {
                let found = format!("{file}: {key} names {helper} for it");
                return Some(Step::wrong(NAME, found, setup(NAME, host)));
            }
            Says::Login(_) => {
                let found = format!("{file}: an old login in auths is used for it");
                return Some(Step::wrong(NAME, found, logout(environment, path, host)));
            }
            Says::NearMiss(key) => {
                near_miss =
                    near_miss.or_else(|| Some(format!("{file}: credHelpers has {key:?}, not exactly {host:?}")));
            }
            Says::Nothing => {}
        }
    }
    near_miss.map(|found| Step::wrong(NAME, found, setup(NAME, host)))
}

/// Takes a login out of exactly this file: by itself each of the three takes it out of one file alone, which may be another.
fn logout(environment: &Environment, path: &Path, host: &str) -> String {
    let program = PODMANS.into_iter().find(|name| paths::on_path(environment, name).is_some()).unwrap_or(NAME);
    format!("run: {program} logout --authfile {} {host}", shell_word(&path.display().to_string()))
}

/// A file that podman cannot read stops it, whatever the files after it say.
fn stops(path: &Path, what: &str) -> Step {
    let file = path.display();
    Step::wrong(
        NAME,
        format!("{file} {what}, where podman stops"),
        format!("correct {file}, or remove it and log in again to what it named"),
    )
}
