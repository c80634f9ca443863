//! Which ECR registries this user is likely to need: those of the AWS profiles, and those whose images docker or
//! podman already have. Never fails and never takes long: what cannot be read names nothing.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::process::Command;
use std::time::Duration;

use crate::credentials::{self, ProfileAccount};
use crate::os::deadline::Deadline;
use crate::os::environment::Environment;
use crate::os::subprocess::{self, Bounds, Stderr};
use crate::registry::Registry;

/// The most that docker or podman may say of its images, in bytes.
const LISTING: usize = 4 * 1024 * 1024;
/// How long each may take to say it.
const LISTING_TIME: Duration = Duration::from_secs(3);

/// A registry that was found.
#[derive(Debug)]
pub(super) struct Candidate {
    /// Where, in words.
    pub(super) place: String,
    /// The AWS profiles of its account and region, in the order of their names.
    pub(super) profiles: Vec<String>,
}

/// Hosts of registries, each with where it was found.
pub(super) type Found = BTreeMap<String, Candidate>;

/// Found at this place, and with no profile.
pub(super) fn at(place: &str) -> Candidate {
    Candidate { place: place.to_owned(), profiles: Vec::new() }
}

/// Registries of the accounts in the user's AWS profiles, in the profiles' regions.
pub(super) fn in_profiles(environment: &Environment) -> Found {
    let mut found = Found::new();
    for ProfileAccount { profile, account, region } in credentials::profile_accounts(environment) {
        if let Some(registry) = Registry::of(&account, &region) {
            let candidate =
                found.entry(registry.host().to_owned()).or_insert_with(|| at(&format!("AWS profile {profile}")));
            if !candidate.profiles.contains(&profile) {
                candidate.profiles.push(profile);
            }
        }
    }
    found
}

/// Registries of the images that docker and podman have here.
pub(super) fn in_images(environment: &Environment) -> Found {
    let mut found = Found::new();
    for client in ["docker", "podman"] {
        let mut command = Command::new(client);
        command.args(["image", "ls", "--format", "{{.Repository}}"]);
        command.env_clear().envs(environment.variables().map(|(k, v)| (OsString::from(k), OsString::from(v))));
        let bounds = Bounds { deadline: Deadline::within(LISTING_TIME), stdout: LISTING, stderr: Stderr::Kept };
        let Ok(finished) = subprocess::run(command, &[], bounds) else { continue };
        for line in String::from_utf8_lossy(&finished.stdout).lines() {
            if let Some(registry) = Registry::parse(line) {
                found.entry(registry.host().to_owned()).or_insert_with(|| at(&format!("{client}'s images")));
            }
        }
    }
    found
}
