//! The registries that are configured here: those for which docker's and podman's files name this helper, and those that our
//! settings file writes out. Files alone are read.

use crate::HELPER;
use crate::cache::Cache;
use crate::os::environment::Environment;
use crate::protocol::clients::config_file::{Config, Content};
use crate::protocol::clients::paths;
use crate::registry::host_of;
use crate::settings::Settings;

/// The names, each once, in the order of the files: hosts of ECR, and aliases of the settings.
pub(crate) fn registries(environment: &Environment, settings: &Settings) -> Vec<String> {
    let configs = configs(environment);
    let of_files = configs.iter().flat_map(|config| &config.helpers);
    let of_files = of_files.filter(|(_, helper)| helper.as_deref() == Some(HELPER)).map(|(host, _)| host.clone());
    let of_settings = settings.literal_names().map(str::to_owned);
    once(of_files.chain(of_settings), settings)
}

/// The same; where there are none and this helper is docker's store for every registry, those that were served before.
pub(crate) fn registries_or_served(environment: &Environment, settings: &Settings) -> Vec<String> {
    let named = registries(environment, settings);
    if !named.is_empty() || !is_store(environment) {
        return named;
    }
    let before = Cache::open(environment).map(|cache| [cache.registries(), cache.served()].concat());
    once(before.unwrap_or_default().into_iter(), settings)
}

/// Whether docker's file names this helper for every registry (`credsStore`).
pub(crate) fn is_store(environment: &Environment) -> bool {
    configs(environment).iter().any(|config| config.store.as_deref() == Some(HELPER))
}

fn configs(environment: &Environment) -> Vec<Config> {
    let files = paths::docker(environment).into_iter().chain(paths::podman(environment));
    let read = files.filter_map(|path| match Content::of_file(&path) {
        Content::Config(config) => Some(config),
        _ => None,
    });
    read.collect()
}

/// The names that are ours, each once.
fn once(names: impl Iterator<Item = String>, settings: &Settings) -> Vec<String> {
    let mut hosts: Vec<String> = Vec::new();
    for name in names {
        let host = host_of(&name).filter(|host| !hosts.contains(host) && settings.target(host).is_some());
        hosts.extend(host);
    }
    hosts
}
