//! Which registries a setup is for, and which AWS profile each of them is to use.

use std::fmt::Write as _;
use std::time::Duration;

use super::client_file::{self, HELPERS, Job, STORE, host, logins};
use super::discovery::{self, Found};
use super::json::Document;
use super::{SetupError, client_paths, identities, settings_file};
use crate::cli::layout::Layout;
use crate::os::deadline::Deadline;
use crate::os::environment::Environment;
use crate::os::tty::Terminal;
use crate::protocol::clients::config_file::Content;
use crate::protocol::clients::registries_conf;
use crate::registry::Registry;
use crate::settings::Settings;
use crate::text::printable::{line_of, one_line, page};
use crate::{HELPER, PROGRAM};

/// How long a person may think about an answer.
const ANSWER_TIME: Duration = Duration::from_secs(300);

/// What a setup is for.
#[derive(Debug, Default)]
pub(super) struct Chosen {
    /// The registries, by the host under which the client asks.
    pub(super) hosts: Vec<String>,
    /// Registries that were found with a profile, and that profile, to be written to our settings file.
    pub(super) pairs: Vec<(String, String)>,
    /// Registries for which a profile has to be chosen first.
    pub(super) undecided: Vec<String>,
}

/// The registries to set up: those named, or those found that no other helper serves.
///
/// # Errors
/// A name is not ECR's, or nothing is named and nothing is found.
pub(super) fn registries(job: &Job<'_>, document: &Document, report: &mut String) -> Result<Chosen, SetupError> {
    let named: Vec<&String> = job.common.names().collect();
    if !named.is_empty() {
        let mut hosts = Vec::new();
        for name in named {
            let host = host(job, name)?;
            if !hosts.contains(&host) {
                hosts.push(host);
            }
        }
        return Ok(Chosen { hosts, ..Chosen::default() });
    }
    let settings = client_file::settings(job.environment).ok();
    let found = found(job, document, settings.as_ref(), report);
    if found.is_empty() && job.client == "docker" && document.string(STORE).as_deref() == Some(HELPER) {
        let _ = writeln!(report, "docker asks {HELPER} for every registry already: {STORE} names it");
        return Ok(Chosen::default());
    }
    if found.is_empty() {
        return Err(SetupError::NothingFound);
    }
    let (offered, undecided) = settings.map(|settings| pairs(job, &found, &settings, report)).unwrap_or_default();
    // Those of a question are on the screen already.
    let is_asked = !(job.common.yes || job.common.dry_run) && Terminal::of_stdio().is_some();
    for (host, candidate) in &found {
        if !(is_asked && offered.iter().any(|(offered, _)| offered == host)) {
            let _ = writeln!(report, "found {host} ({})", one_line(&candidate.place));
        }
    }
    let pairs = if offered.is_empty() { Vec::new() } else { agreed(job, offered, report) };
    Ok(Chosen { hosts: found.into_keys().collect(), pairs, undecided })
}

fn found(job: &Job<'_>, document: &Document, settings: Option<&Settings>, report: &mut String) -> Found {
    let mut found = discovery::in_profiles(job.environment);
    for (host, candidate) in discovery::in_images(job.environment) {
        found.entry(host).or_insert(candidate);
    }
    for name in settings.into_iter().flat_map(Settings::literal_names) {
        let target = settings.and_then(|settings| settings.target(name));
        if target.is_some_and(|target| !target.credentials.anonymous) {
            found.entry(name.to_ascii_lowercase()).or_insert_with(|| discovery::at("the settings file"));
        }
    }
    for login in logins(document) {
        if let Some(registry) = Registry::parse(&login) {
            found.entry(registry.host().to_owned()).or_insert_with(|| discovery::at("an old login"));
        }
    }
    for (key, helper) in document.section(HELPERS) {
        let host =
            Registry::parse(&key).map_or_else(|| key.to_ascii_lowercase(), |registry| registry.host().to_owned());
        let is_ecr = Registry::parse(&key).is_some() || found.contains_key(&host);
        let Some(helper) = helper.filter(|_| is_ecr) else { continue };
        if helper == HELPER {
            found.entry(host).or_insert_with(|| discovery::at("already set up"));
        } else if found.remove(&host).is_some() {
            let _ = writeln!(report, "{host}: left to {}; name it with --registry to change that", one_line(&helper));
        }
    }
    found
}

/// The profile of each registry that has exactly one which can be used, and of which the settings say nothing; and the
/// registries that have several.
fn pairs(
    job: &Job<'_>,
    found: &Found,
    settings: &Settings,
    report: &mut String,
) -> (Vec<(String, String)>, Vec<String>) {
    let (mut pairs, mut undecided) = (Vec::new(), Vec::new());
    for (host, candidate) in found {
        let Some(target) = settings.target(host).filter(|_| !candidate.profiles.is_empty()) else { continue };
        let said = &target.credentials;
        if said.profile.is_some() || said.role.is_some() || said.anonymous {
            continue;
        }
        let mut usable = Vec::new();
        for profile in &candidate.profiles {
            match identities::check_profile(profile, &target.registry, job.environment) {
                Ok(()) => usable.push(profile),
                Err(reason) => {
                    let _ =
                        writeln!(report, "profile {} is not used for {host}: {}", one_line(profile), one_line(&reason));
                }
            }
        }
        match usable.as_slice() {
            [] => {}
            [profile] => pairs.push((host.clone(), (*profile).clone())),
            [first, ..] => {
                undecided.push(host.clone());
                let names = usable.iter().map(|profile| one_line(profile)).collect::<Vec<_>>().join(", ");
                let _ = writeln!(
                    report,
                    "{host}: several profiles are of its account ({names}), choose one: {PROGRAM} setup {} {host} \
                     --profile {}",
                    job.client,
                    one_line(first)
                );
            }
        }
    }
    (pairs, undecided)
}

/// The pairs, if they are to be written: by `--yes`, by an answer on the terminal, or to be shown.
fn agreed(job: &Job<'_>, offered: Vec<(String, String)>, report: &mut String) -> Vec<(String, String)> {
    if job.common.yes || job.common.dry_run {
        return offered;
    }
    let file = settings_file::path(job.environment).map(|path| line_of(&path)).unwrap_or_default();
    let Some(mut terminal) = Terminal::of_stdio() else {
        for (host, profile) in &offered {
            let _ = writeln!(
                report,
                "{host}: profile {} is of its account, and is not used for it until {file} says so: run this with --yes",
                one_line(profile)
            );
        }
        return Vec::new();
    };
    let mut question = String::new();
    for (host, profile) in &offered {
        let _ = writeln!(question, "{host}\n  with the AWS profile {}", one_line(profile));
    }
    let _ = write!(
        question,
        "Write {} to {file}, so that each is asked with its profile? [Y/n] ",
        match offered.len() {
            1 => "this",
            _ => "these",
        }
    );
    let question = Layout::for_stdout(job.environment).page(&page(&question));
    let answer = terminal.ask(question.trim_end_matches('\n'), Deadline::within(ANSWER_TIME));
    let agreed = answer.is_ok_and(|answer| matches!(answer.to_ascii_lowercase().as_str(), "" | "y" | "yes"));
    if agreed {
        return offered;
    }
    let _ =
        writeln!(report, "{file} is left as it is: these profiles are not used; to write them, run this with --yes");
    Vec::new()
}

/// Takes out the registries that podman finds in docker's file already, before any other file says something of them.
pub(super) fn leave_to_dockers_file(environment: &Environment, hosts: &mut Vec<String>, report: &mut String) {
    let lists = registries_conf::credential_helpers(environment);
    if lists.is_some_and(|(_, list)| !list.iter().any(|helper| helper == registries_conf::FILES)) {
        return;
    }
    let Some(docker) = client_paths::docker(environment) else { return };
    hosts.retain(|host| {
        for path in client_paths::podman(environment) {
            match Content::of_file(&path) {
                Content::Absent => {}
                Content::Config(config) if config.more_text => return true,
                Content::Config(config) => match config.helper(host) {
                    Some(Some(HELPER)) if path == docker => {
                        let file = line_of(&docker);
                        let _ = writeln!(report, "podman reads {file} too, which names {HELPER} for {host} already");
                        return false;
                    }
                    Some(_) => return true,
                    None if config
                        .logins
                        .iter()
                        .any(|key| Registry::parse(key).is_some_and(|at| at.host() == host)) =>
                    {
                        return true;
                    }
                    None => {}
                },
                _ => return true,
            }
        }
        true
    });
}
