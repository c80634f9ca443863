//! docker, with buildx and compose: `DOCKER_AUTH_CONFIG`, then `config.json`.

use std::path::Path;

use super::says::{self, Says};
use super::setup;
use crate::cli::doctor::report::Step;
use crate::os::environment::Environment;
use crate::protocol::clients::config_file::{Config, Content};
use crate::protocol::clients::paths::{self, DOCKER_AUTH_CONFIG};
use crate::{HELPER, PROGRAM};

const NAME: &str = "docker";

/// What docker would do for the registry.
pub(super) fn examine(environment: &Environment, host: &str) -> Step {
    if let Some(snap) = paths::on_path(environment, "docker").filter(|program| is_snap(program)) {
        return in_a_snap(&snap, host);
    }
    let variable = Variable::of(environment, host);
    if let Variable::Login(key) = &variable {
        return login_in_variable(NAME, key);
    }
    let step = by_file(environment, host);
    match variable {
        Variable::Discarded => Step {
            found: format!("{}; {DOCKER_AUTH_CONFIG} has credHelpers, for which docker discards all of it", step.found),
            ..step
        },
        _ => step,
    }
}

/// Whether a program is one of snapd's.
fn is_snap(program: &Path) -> bool {
    program.parent().is_some_and(|folder| folder.ends_with("snap/bin"))
}

/// docker of a snap is confined: it has a home of its own, and no program from outside.
fn in_a_snap(program: &Path, host: &str) -> Step {
    let found = format!(
        "{} is a snap, which reads ~/snap/docker/current/.docker/config.json and cannot run a helper from outside of it",
        program.display()
    );
    let remedy = format!(
        "install docker from https://docs.docker.com/engine/install instead, or log in every 12 h: {PROGRAM} password {host} \
         | docker login --username AWS --password-stdin {host}"
    );
    Step::wrong(NAME, found, remedy)
}

/// What `DOCKER_AUTH_CONFIG` says of a registry.
pub(super) enum Variable {
    /// Nothing.
    Nothing,
    /// It holds a login, which comes before every file and helper.
    Login(String),
    /// docker discards all of it.
    Discarded,
}

impl Variable {
    /// Reads the variable.
    pub(super) fn of(environment: &Environment, host: &str) -> Self {
        let text = environment.var(DOCKER_AUTH_CONFIG).unwrap_or_default();
        let Content::Config(config) = Content::of(text.as_bytes()) else { return Self::Nothing };
        if !config.helpers.is_empty() {
            return Self::Discarded;
        }
        says::login(&config, host).map_or(Self::Nothing, Self::Login)
    }
}

/// The step of a client that takes the variable's login.
pub(super) fn login_in_variable(name: &'static str, key: &str) -> Step {
    Step::wrong(
        name,
        format!("{DOCKER_AUTH_CONFIG} has a login for {key}, which is used instead of the helper"),
        format!("unset {DOCKER_AUTH_CONFIG}, or take {key} out of it"),
    )
}

fn by_file(environment: &Environment, host: &str) -> Step {
    let Some(path) = paths::docker(environment) else {
        return Step::skipped(NAME, "there is no home directory, so docker has no file");
    };
    let file = path.display();
    let config = match Content::of_file(&path) {
        Content::Config(config) => config,
        Content::Empty => Config::default(),
        Content::Absent if paths::on_path(environment, "docker").is_none() => {
            return Step::skipped(NAME, "docker is not on PATH and has no file here");
        }
        Content::Absent => return Step::not_set_up(NAME, format!("{file} is not there"), setup(NAME, host)),
        Content::Marked => return marked(NAME, &file.to_string(), host),
        Content::Broken(reason) => {
            let found = format!("{file} is not JSON: {reason}");
            return Step::wrong(NAME, found, "correct the file; docker cannot read it either");
        }
        Content::Unreadable(reason) => {
            return Step::wrong(NAME, reason, "correct the file; docker cannot read it either");
        }
    };
    match Says::of(&config, host, true) {
        Says::Us(key) => Step::ok(NAME, format!("{file}: {key} names {HELPER}")),
        Says::Another(helper, key) => {
            Step::wrong(NAME, format!("{file}: {key} names {helper} for it"), setup(NAME, host))
        }
        Says::Login(_) => Step::wrong(
            NAME,
            format!("{file}: no helper is named for it, an old login in auths is used"),
            format!("{} --clean", setup(NAME, host)),
        ),
        Says::NearMiss(key) => Step::wrong(
            NAME,
            format!("{file}: credHelpers has the key {key:?}, and docker compares it with exactly {host:?}"),
            setup(NAME, host),
        ),
        Says::Nothing => Step::not_set_up(NAME, format!("{file}: no helper is named for it"), setup(NAME, host)),
    }
}

/// The step for a file with a byte order mark, which `setup docker` takes out.
pub(super) fn marked(name: &'static str, file: &str, host: &str) -> Step {
    let found = format!("{file} begins with a byte order mark, after which no client reads it");
    Step::wrong(name, found, format!("{}, which takes the mark out", setup(NAME, host)))
}

/// An old login beside the helper: not used by docker, and a password in a file for nothing.
pub(super) fn old_login(environment: &Environment, host: &str) -> Option<Step> {
    let path = paths::docker(environment)?;
    let Content::Config(config) = Content::of_file(&path) else { return None };
    if !matches!(Says::of(&config, host, true), Says::Us(_)) {
        return None;
    }
    says::login(&config, host)?;
    let found = format!("{}: auths has an old login for it, which docker does not use any more", path.display());
    Some(Step::note("auths", found, format!("run: {PROGRAM} setup docker --registry {host} --clean")))
}
