//! Which helper each client would run for a registry by its files, and what prevents that. How each
//! client reads its files was measured; docs/clients.md has the runs.

mod docker;
mod others;
mod podman;
mod says;

use super::report::{State, Step};
use crate::PROGRAM;
use crate::os::environment::Environment;
use crate::protocol::clients::paths;

/// The clients that read podman's files.
const PODMANS: [&str; 3] = ["podman", "buildah", "skopeo"];

/// One client's step.
#[derive(Debug)]
pub(super) struct Client {
    /// What was found.
    pub(super) step: Step,
    /// Which of its programs are on PATH.
    pub(super) installed: Vec<&'static str>,
}

/// The steps of all clients that are installed or have a file here, docker and podman first.
pub(super) fn examine(environment: &Environment, host: &str, kubelet: Client) -> Vec<Client> {
    let on_path = |names: &[&'static str]| -> Vec<&'static str> {
        names.iter().copied().filter(|name| paths::on_path(environment, name).is_some()).collect()
    };
    let mut clients = vec![
        Client { step: docker::examine(environment, host), installed: on_path(&["docker"]) },
        Client { step: podman::examine(environment, host), installed: on_path(&PODMANS) },
        kubelet,
    ];
    for rules in &others::RULES {
        if paths::on_path(environment, rules.name).is_some() {
            clients.push(Client { step: others::examine(rules, environment, host), installed: vec![rules.name] });
        }
    }
    let any_installed = clients.iter().any(|client| !client.installed.is_empty());
    let is_served =
        |client: &Client| client.step.state == State::Ok && (!any_installed || !client.installed.is_empty());
    let served = clients.iter().any(is_served);
    for client in &mut clients {
        // The file of a client that is not installed prevents no pull, and a person with one client set up may not use
        // the others.
        let matters = if any_installed { !client.installed.is_empty() } else { !served };
        if client.step.state == State::Wrong && (!matters || served && client.step.not_set_up) {
            client.step.state = State::Note;
        }
    }
    clients
}

/// What keeps a client from using the helper after `setup` has written its file, and what to do.
pub(crate) fn still_wrong(client: &str, environment: &Environment, host: &str) -> Option<String> {
    let step = if client == "podman" { podman::examine(environment, host) } else { docker::examine(environment, host) };
    let wrong = step.state == State::Wrong;
    wrong.then(|| format!("{}; {}", step.found, step.remedy.unwrap_or_default()))
}

/// Notes about what stands beside a helper in docker's file.
pub(super) fn notes(environment: &Environment, host: &str) -> Vec<Step> {
    docker::old_login(environment, host).into_iter().collect()
}

fn setup(client: &str, host: &str) -> String {
    format!("run: {PROGRAM} setup {client} --registry {host}")
}
