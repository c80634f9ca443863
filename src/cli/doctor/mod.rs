//! `doctor`: walks the way that a pull takes, and says of each step what was found and what to do where it is wrong.
//!
//! It runs the very code that a `get` runs, one step at a time, each within the limit of a `get`, and shows no secret.

pub(super) mod clients;
mod report;

use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::time::Duration;

use super::arguments::Doctor;
use super::terminal::{self, Paint, Progress};
use crate::PROGRAM;
use crate::aws::AuthorizationToken;
use crate::aws::diagnostics::{self, Outcome, Part};
use crate::cache::Cache;
use crate::credentials::{CredentialSelector, CredentialSource, Identity, IdentityError, go_helper_differences};
use crate::os::clock;
use crate::os::deadline::Deadline;
use crate::os::environment::Environment;
use crate::os::executable;
use crate::os::fs::canonical;
use crate::os::secret;
use crate::os::subprocess::{self, Bounds, Stderr};
use crate::registry::Service;
use crate::settings::{DEFAULT_TIMEOUT, ResolvedRegistry, Settings, call_timeout};
use crate::text::span;
use crate::text::user_error::{Kind, UserError};
use report::{Report, State, Step};

/// How long another program of our name may take to say its version.
const VERSION_TIME: Duration = Duration::from_secs(3);

/// Runs the command.
pub(super) fn run(wanted: &Doctor, environment: &Environment) -> ExitCode {
    // Clients' files may hold logins in plain text.
    secret::wipe_what_is_freed();
    let name = wanted.registry.clone().or_else(|| clients::served(environment).into_iter().next());
    let name = name.or_else(|| Cache::open(environment)?.registries().into_iter().next());
    let report = examine(name.as_deref(), environment);
    let text = if wanted.format.json {
        let mut text = serde_json::to_string_pretty(&report).unwrap_or_default();
        text.push('\n');
        text
    } else {
        report.text(Paint::for_stdout(environment))
    };
    match terminal::print(&text) {
        Ok(()) if report.ok => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

fn examine(name: Option<&str>, environment: &Environment) -> Report {
    let progress = Progress::start(environment);
    progress.say("looking at files");
    let mut steps = vec![helper(environment)];
    let settings = match Settings::load(environment) {
        Ok(settings) => settings,
        Err(error) => {
            steps.push(Step::failed("settings", error.into()));
            return Report::new(name.map(str::to_owned), steps);
        }
    };
    let Some(name) = name else {
        steps.push(Step::wrong(
            "registry",
            "no file of docker's or podman's names this helper for any registry",
            format!("run: {PROGRAM} setup docker, or name a registry: {PROGRAM} doctor REGISTRY"),
        ));
        return Report::new(None, steps);
    };
    let Some(target) = settings.target(name) else {
        steps.push(Step::wrong(
            "registry",
            format!("{name} is not the name of an Amazon ECR registry, so this helper leaves it to others"),
            "names look like 123456789012.dkr.ecr.eu-west-1.amazonaws.com or public.ecr.aws",
        ));
        return Report::new(Some(name.to_owned()), steps);
    };
    let asked = crate::registry::host_of(name).unwrap_or_else(|| name.to_owned());
    let clients = clients::examine(environment, &asked);
    steps.extend(clients.iter().map(|client| client.step.clone()));
    steps.extend(clients::notes(environment, &asked));
    let verdicts: Vec<(&str, &'static str)> =
        clients.iter().flat_map(|client| client.installed.iter().map(|program| (*program, client.step.name))).collect();
    let conclude = |steps| Report::new(Some(asked.clone()), steps).for_clients(&verdicts);
    steps.push(says(&settings, &target, &asked));
    steps.extend(last_failure(environment));
    if target.credentials.anonymous {
        steps.push(Step::skipped("source", "the settings say anonymous = true: nobody is asked for credentials"));
        return conclude(steps);
    }
    let identity =
        match Identity::resolve(environment, CredentialSelector::Settings(&target.credentials), &target.registry) {
            Ok(identity) => identity,
            Err(error) => {
                steps.push(anonymous_or(&target, no_source(error)));
                steps.extend(go_helper(environment, &target, None));
                return conclude(steps);
            }
        };
    steps.push(source(&identity));
    steps.extend(go_helper(environment, &target, Some(&identity.source)));
    match call_timeout(environment, Some(&settings), DEFAULT_TIMEOUT) {
        Ok(limit) => {
            steps.extend(pull(environment, &identity, &target, limit, &progress));
            let reachable = steps.last().is_some_and(|step| step.state == State::Ok);
            steps.extend(cached(environment, &identity, &target, limit, reachable));
        }
        Err(failure) => steps.push(Step::failed("settings", failure)),
    }
    conclude(steps)
}

/// What a `get` last said: several clients hide it.
fn last_failure(environment: &Environment) -> Option<Step> {
    let last = Cache::open(environment)?.last_failure()?;
    let found = format!("the last failure, {}: {}", span::ago(clock::seconds(), last.at), last.line);
    Some(Step { remedy: None, ..Step::note("last", found, "") })
}

/// The file of this program. Without `/proc` the system does not say, and the name that we were started by has to do.
fn ourselves(environment: &Environment) -> Option<PathBuf> {
    let by_name = || {
        let name = PathBuf::from(environment.program());
        if name.components().count() > 1 { Some(name) } else { executable::on_path(environment, name.to_str()?) }
    };
    canonical(&std::env::current_exe().ok().or_else(by_name)?).ok()
}

/// Whether the program that docker would run is this one.
fn helper(environment: &Environment) -> Step {
    const NAME: &str = "helper";
    let ours = ourselves(environment);
    let version = env!("CARGO_PKG_VERSION");
    let Some(found) = executable::on_path(environment, PROGRAM) else {
        let directory = ours.as_deref().and_then(std::path::Path::parent).map(PathBuf::from).unwrap_or_default();
        return Step::wrong(
            NAME,
            format!("{PROGRAM} is not on PATH, where docker looks for it"),
            format!("add {} to PATH, or link it from a directory that is there", directory.display()),
        );
    };
    let real = canonical(&found).ok();
    if real.is_some() && real == ours {
        return Step::ok(NAME, format!("{} is this program, version {version}", found.display()));
    }
    let mut command = Command::new(&found);
    command.arg("--version").env_clear().envs(environment.variables());
    let bounds = Bounds { deadline: Deadline::within(VERSION_TIME), stdout: 4096, stderr: Stderr::Kept };
    let said =
        subprocess::run(command, &[], bounds).map(|finished| String::from_utf8_lossy(&finished.stdout).into_owned());
    match said {
        Ok(said) if said.contains(PROGRAM) && said.trim_end().ends_with(version) => {
            Step::ok(NAME, format!("{} is a copy of this program, version {version}", found.display()))
        }
        said => {
            let said =
                said.map_or_else(|error| error.to_string(), |said| said.lines().next().unwrap_or_default().to_owned());
            let said: String = said.chars().filter(|character| !character.is_control()).take(80).collect();
            let ours = ours.unwrap_or_default();
            let directory = ours.parent().map(PathBuf::from).unwrap_or_default();
            Step::wrong(
                NAME,
                format!("docker would run {} (says {said:?}), not {}", found.display(), ours.display()),
                format!(
                    "put {} before the other one's directory in PATH, or remove the other one",
                    directory.display()
                ),
            )
        }
    }
}

/// What our settings file says of the registry.
fn says(settings: &Settings, target: &ResolvedRegistry, asked: &str) -> Step {
    let Some(path) = &settings.path else { return Step::ok("settings", "no settings file, so the defaults") };
    let mut words = Vec::new();
    if target.registry.host() != asked {
        words.push(format!("alias of {}", target.registry.host()));
    }
    if let Some(profile) = &target.credentials.profile {
        words.push(format!("profile {profile}"));
    }
    if let Some(role) = &target.credentials.role {
        words.push(format!("role {}", role.arn));
    }
    if target.credentials.anonymous {
        words.push("anonymous".to_owned());
    }
    if !target.credentials.cache {
        words.push("no cache".to_owned());
    }
    let words = if words.is_empty() { "nothing of this registry".to_owned() } else { words.join(", ") };
    Step::ok("settings", format!("{} says: {words}", path.display()))
}

/// Why there is no source; where none is configured at all, with all that was looked for, in order.
fn no_source(error: IdentityError) -> Step {
    let remedy = error.remedy();
    match &error {
        IdentityError::NoSource { skipped_sources, .. } => {
            let looked_for = skipped_sources.join("; ");
            Step::wrong(
                "source",
                format!("{error}; looked for, in this order: {looked_for}"),
                remedy.unwrap_or_default(),
            )
        }
        _ => Step::failed("source", error.into()),
    }
}

fn source(identity: &Identity) -> Step {
    let mut found = identity.label.clone();
    if !identity.skipped_sources.is_empty() {
        found = format!("{found}; before it: {}", identity.skipped_sources.join("; "));
    }
    Step::ok("source", found)
}

/// What the Go helper would use instead, for whoever comes from there.
fn go_helper(environment: &Environment, target: &ResolvedRegistry, used: Option<&CredentialSource>) -> Option<Step> {
    let selector = CredentialSelector::Settings(&target.credentials);
    let differences = go_helper_differences(environment, selector, used);
    let found = format!("the Go helper {}", differences.join(", "));
    (!differences.is_empty()).then(|| Step::note("source", found, "see docs/from-the-go-helper.md"))
}

/// ECR Public serves without credentials: that there are none is not wrong.
fn anonymous_or(target: &ResolvedRegistry, step: Step) -> Step {
    match target.registry.service() {
        Service::Public => Step { state: State::Note, ..step },
        Service::Private => step,
    }
}

fn pull(
    environment: &Environment,
    identity: &Identity,
    target: &ResolvedRegistry,
    limit: Duration,
    progress: &Progress,
) -> Vec<Step> {
    let mut told = |part| {
        progress.say(match part {
            Part::Network => "asking ECR's API host",
            Part::Keys => "asking for keys",
            Part::Caller => "asking STS who we are",
            Part::AuthorizationToken => "asking ECR for a token",
            Part::Registry => "showing the token to the registry",
        });
    };
    let walked = diagnostics::walk(environment, identity, &target.registry, limit, &mut told);
    walked
        .into_iter()
        .map(|(part, outcome)| {
            let name = match part {
                Part::Network => "network",
                Part::Keys => "keys",
                Part::Caller => "caller",
                Part::AuthorizationToken => "token",
                Part::Registry => "registry",
            };
            match outcome {
                Outcome::Found(found) => Step::ok(name, found),
                Outcome::NotTried => Step::skipped(name, "not tried, since an earlier step is wrong"),
                Outcome::Wrong(failure) if part == Part::Caller => caller_unknown(failure),
                Outcome::Wrong(failure) => anonymous_or(target, Step::failed(name, failure)),
            }
        })
        .collect()
}

/// What is cached for this identity, whether the cache can be trusted, and whether the registry takes what is in it.
fn cached(
    environment: &Environment,
    identity: &Identity,
    target: &ResolvedRegistry,
    limit: Duration,
    reachable: bool,
) -> Vec<Step> {
    const NAME: &str = "cache";
    let host = target.registry.host();
    let now = clock::seconds();
    if !target.credentials.cache {
        return vec![Step::note(
            NAME,
            "turned off for this registry: each pull asks ECR",
            "take cache = false out of the settings",
        )];
    }
    let Some(cache) = Cache::open(environment) else {
        return vec![Step::note(
            NAME,
            "there is none: each pull asks ECR",
            "unset AWS_ECR_DISABLE_CACHE, or give it a place with AWS_ECR_CACHE_DIR",
        )];
    };
    let place = cache.path().map(|path| path.display().to_string()).unwrap_or_default();
    let entry = identity.cache_key(now).and_then(|cache_key| cache.read(cache_key, host));
    if let Some(warning) = cache.warnings().into_iter().next().or_else(|| cache.unopened()) {
        return vec![Step::note(
            NAME,
            warning,
            "take it away or give it back to its owner; until then each pull asks ECR",
        )];
    }
    if let Some(unread) = cache.unread().into_iter().next() {
        return vec![Step::note(NAME, unread, "see to the disk and the modes above it; until then each pull asks ECR")];
    }
    let Some(entry) = entry.filter(|entry| entry.times.is_valid(now.saturating_mul(1000))) else {
        return vec![Step::ok(NAME, format!("{place}: no token yet for this identity, the next pull keeps one"))];
    };
    let found =
        format!("{place}: a token, {}", span::good_for(now, entry.times.expires_at, Some(entry.times.refresh_at)));
    if !reachable {
        return vec![Step::ok(NAME, found)];
    }
    let token = AuthorizationToken {
        username: entry.username,
        password: entry.password,
        expires_at: Some(entry.times.expires_at),
        own_registry: None,
        warnings: Vec::new(),
    };
    match diagnostics::accepts(environment, identity, &target.registry, limit, &token) {
        Ok(_) => vec![Step::ok(NAME, format!("{found}, and the registry takes it"))],
        Err(failure) if failure.kind == Kind::Credentials => vec![Step::wrong(
            NAME,
            format!("{found}, but the registry refuses it"),
            format!("run: {PROGRAM} clear {host}"),
        )],
        Err(failure) => vec![Step { state: State::Note, ..Step::failed(NAME, failure) }],
    }
}

/// A pull does not need STS: a network without a way to it is a note, keys that STS refuses are not.
fn caller_unknown(failure: UserError) -> Step {
    let refused = matches!(failure.kind, Kind::Credentials);
    let step = Step::failed("caller", failure);
    if refused { step } else { Step { state: State::Note, ..step } }
}
