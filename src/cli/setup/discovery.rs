//! Which ECR registries this user is likely to need: those of the AWS profiles, and those whose images docker or
//! podman already have. Never fails and never takes long: what cannot be read names nothing.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::process::Command;
use std::time::Duration;

use aws_runtime::env_config::file::EnvConfigFiles;
use aws_types::os_shim_internal::{Env, Fs};

use crate::child::{self, Bounds, Stderr};
use crate::deadline::Deadline;
use crate::environment::Environment;
use crate::registry::Registry;

/// The most that docker or podman may say of its images, in bytes.
const LISTING: usize = 4 * 1024 * 1024;
/// How long each may take to say it.
const LISTING_TIME: Duration = Duration::from_secs(3);

/// Hosts of registries, each with where it was found.
pub type Found = BTreeMap<String, String>;

/// Registries of the accounts in the user's AWS profiles, in the profiles' regions.
pub fn in_profiles(environment: &Environment) -> Found {
    let variables: Vec<(String, String)> = environment
        .variables()
        .filter_map(|(key, value)| Some((key.to_str()?.to_owned(), value.to_str()?.to_owned())))
        .collect();
    let variables: Vec<(&str, &str)> = variables.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().build() else { return Found::new() };
    let (disk, variables) = (Fs::real(), Env::from_slice(&variables));
    let files = EnvConfigFiles::default();
    let loading = aws_config::profile::load(&disk, &variables, &files, None);
    let Ok(profiles) = runtime.block_on(loading) else { return Found::new() };
    let default_region = ["AWS_REGION", "AWS_DEFAULT_REGION"]
        .into_iter()
        .find_map(|name| environment.var(name))
        .or_else(|| profiles.get_profile("default").and_then(|profile| profile.get("region")));
    let mut found = Found::new();
    for name in profiles.profiles() {
        let Some(profile) = profiles.get_profile(name) else { continue };
        // A role's account is the fifth field of its ARN: arn:aws:iam::123456789012:role/name
        let of_role = profile.get("role_arn").and_then(|arn| arn.split(':').nth(4));
        let source = profile.get("source_profile").and_then(|source| profiles.get_profile(source));
        let region = profile.get("region").or_else(|| source.and_then(|source| source.get("region")));
        for account in [profile.get("sso_account_id"), profile.get("aws_account_id"), of_role].into_iter().flatten() {
            if let Some(registry) = region.or(default_region).and_then(|region| Registry::of(account, region)) {
                found.entry(registry.host().to_owned()).or_insert_with(|| format!("AWS profile {name}"));
            }
        }
    }
    found
}

/// Registries of the images that docker and podman have here.
pub fn in_images(environment: &Environment) -> Found {
    let mut found = Found::new();
    for client in ["docker", "podman"] {
        let mut command = Command::new(client);
        command.args(["image", "ls", "--format", "{{.Repository}}"]);
        command.env_clear().envs(environment.variables().map(|(k, v)| (OsString::from(k), OsString::from(v))));
        let bounds = Bounds { deadline: Deadline::within(LISTING_TIME), stdout: LISTING, stderr: Stderr::Kept };
        let Ok(finished) = child::run(command, &[], bounds) else { continue };
        for line in String::from_utf8_lossy(&finished.stdout).lines() {
            if let Some(registry) = Registry::parse(line) {
                found.entry(registry.host().to_owned()).or_insert_with(|| format!("{client}'s images"));
            }
        }
    }
    found
}
