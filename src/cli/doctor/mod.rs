//! `doctor`: runs the steps of a pull, and prints for each what was found and what to do where it is wrong.
//!
//! It runs the very code that a `get` runs, one step at a time, each within the limit of a `get`, and shows no secret.

mod cache;
pub(super) mod clients;
mod helper;
mod kubelet;
mod report;

use std::process::ExitCode;
use std::time::Duration;

use super::arguments::Doctor;
use super::configured;
use super::layout::Layout;
use super::terminal::{self, Paint, Progress};
use crate::PROGRAM;
use crate::aws::diagnostics::{self, Outcome, Part};
use crate::cache::Cache;
use crate::credentials::{
    CredentialSelector, CredentialSource, Identity, IdentityError, go_helper_differences, remedy_of_node,
};
use crate::os::clock;
use crate::os::environment::Environment;
use crate::os::secret;
use crate::protocol::kubelet::registry_of_image;
use crate::registry::{Service, host_of, near_miss, odd_region};
use crate::settings::{DEFAULT_TIMEOUT, ResolvedRegistry, Settings, call_timeout};
use crate::text::span;
use crate::text::user_error::{Kind, UserError};
use cache::cached;
use clients::Client;
use helper::helper;
use kubelet::Node;
use report::{Report, Reports, State, Step};

/// What a step says that was not come to.
const NOT_TRIED: &str = "not tried, since an earlier step is wrong";

/// Runs the command.
pub(super) fn run(wanted: &Doctor, environment: &Environment) -> ExitCode {
    // Clients' files may hold logins in plain text.
    secret::wipe_what_is_freed();
    let of_image = wanted.image.as_deref().map(|image| registry_of_image(image).unwrap_or(image).to_owned());
    let reports = match wanted.registry.clone().or(of_image) {
        Some(name) => vec![examine(&name, wanted, environment)],
        None => examine_all(wanted, environment),
    };
    let ok = reports.iter().all(|report| report.ok);
    let text = match &*reports {
        reports if !wanted.format.json => {
            let (paint, layout) = (Paint::for_stdout(environment), Layout::for_stdout(environment));
            reports.iter().map(|report| report.text(paint, &layout)).collect::<Vec<_>>().join("\n")
        }
        [report] if wanted.registry.is_some() || wanted.image.is_some() => json(report),
        _ => json(&Reports { version: env!("CARGO_PKG_VERSION"), ok, registries: reports }),
    };
    match terminal::print(&text) {
        Ok(()) if ok => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

fn json(value: &impl serde::Serialize) -> String {
    let mut text = serde_json::to_string_pretty(value).unwrap_or_default();
    text.push('\n');
    text
}

/// All that are configured; where none is, one report that says what to do.
fn examine_all(wanted: &Doctor, environment: &Environment) -> Vec<Report> {
    let loaded = Settings::load(environment);
    let names = configured::registries_or_served(environment, loaded.as_ref().unwrap_or(&Settings::default()));
    if !names.is_empty() {
        return names.iter().map(|name| examine(name, wanted, environment)).collect();
    }
    let mut steps = vec![helper(environment)];
    if let Err(error) = loaded {
        steps.push(Step::failed("settings", error.into()));
    }
    let node = Node::find(wanted);
    if node.is_here() {
        steps.push(node.step(None));
    }
    steps.push(if node.is_here() {
        let found = "the kubelet asks this helper for each image that matches, and no registry is named";
        let remedy =
            format!("name one: {PROGRAM} doctor REGISTRY, or as the kubelet asks: {PROGRAM} doctor --image IMAGE");
        Step::note("registry", found, remedy)
    } else if configured::is_store(environment) {
        let found = "docker asks this helper for every registry (credsStore), and none was asked for yet";
        Step::note("registry", found, format!("run: {PROGRAM} doctor REGISTRY"))
    } else {
        Step::wrong(
            "registry",
            "no file of docker's or podman's names this helper for any registry",
            format!("run: {PROGRAM} setup docker, or name a registry: {PROGRAM} doctor REGISTRY"),
        )
    });
    vec![Report::new(None, steps, "not tried, since there is no registry to try it with")]
}

fn examine(name: &str, wanted: &Doctor, environment: &Environment) -> Report {
    let progress = Progress::start(environment);
    progress.say("looking at files");
    let mut steps = vec![helper(environment)];
    let (settings, broken) = match Settings::load(environment) {
        Ok(settings) => (settings, None),
        Err(error) => (Settings::default(), Some(error)),
    };
    let Some(target) = settings.target(name) else {
        steps.extend(broken.map(|error| Step::failed("settings", error.into())));
        let reason = host_of(name).and_then(|host| near_miss(&host)).map(|reason| format!(": {reason}"));
        let shown = if name.is_empty() { "an empty name" } else { name };
        steps.push(Step::wrong(
            "registry",
            format!(
                "{shown} is not the name of an Amazon ECR registry, so this helper leaves it to others{}",
                reason.unwrap_or_default()
            ),
            "names look like 123456789012.dkr.ecr.eu-west-1.amazonaws.com or public.ecr.aws",
        ));
        return Report::new(Some(name.to_owned()), steps, NOT_TRIED);
    };
    let asked = host_of(name).unwrap_or_else(|| name.to_owned());
    let odd = odd_region(target.registry.region());
    steps.extend(odd.map(|odd| Step { remedy: None, ..Step::note("region", odd, "") }));
    let node = Node::find(wanted);
    let is_nodes = node.counts(wanted, &asked);
    let programs = if is_nodes { vec!["kubelet"] } else { Vec::new() };
    let kubelet = Client { step: node.step(Some(&asked)), installed: programs };
    let clients = clients::examine(environment, &asked, kubelet);
    if is_nodes && clients.iter().all(|client| client.step.name == "kubelet" || client.installed.is_empty()) {
        // No client here looks for it on PATH.
        steps.iter_mut().filter(|step| step.state == State::Wrong).for_each(|step| step.state = State::Note);
    }
    steps.extend(clients.iter().map(|client| client.step.clone()));
    steps.extend(clients::notes(environment, &asked));
    if let Some(image) = &wanted.image {
        progress.say("asking the kubelet's plugin");
        steps.push(kubelet::play(&node, environment, image, &asked));
    }
    let verdicts: Vec<(&str, &'static str)> =
        clients.iter().flat_map(|client| client.installed.iter().map(|program| (*program, client.step.name))).collect();
    let conclude = |mut steps: Vec<Step>, rest| {
        if is_nodes {
            steps
                .iter_mut()
                .for_each(|step| step.remedy = step.remedy.take().map(|it| remedy_of_node(it, environment)));
        }
        Report::new(Some(asked.clone()), steps, rest).for_clients(&verdicts)
    };
    let limit = match broken {
        Some(error) => Err(error.into()),
        None => call_timeout(environment, Some(&settings), DEFAULT_TIMEOUT),
    };
    let limit = match limit {
        Ok(limit) => limit,
        Err(failure) => {
            steps.extend([Step::failed("settings", failure), last_failure(environment)]);
            return conclude(steps, NOT_TRIED);
        }
    };
    steps.extend([says(&settings, &target, &asked), last_failure(environment)]);
    if target.credentials.anonymous {
        steps.push(Step::skipped("source", "the settings say anonymous = true: no source is asked for credentials"));
        return conclude(steps, "not needed: pulls are anonymous by the settings");
    }
    let identity =
        match Identity::resolve(environment, CredentialSelector::Settings(&target.credentials), &target.registry) {
            Ok(identity) => identity,
            Err(error) => {
                steps.push(anonymous_or(&target, no_source(error)));
                steps.extend(go_helper(environment, &target, None));
                return conclude(steps, "not tried without credentials");
            }
        };
    steps.push(source(&identity));
    steps.extend(go_helper(environment, &target, Some(&identity.source)));
    steps.extend(pull(environment, &identity, &target, limit, &progress));
    let reachable = steps.last().is_some_and(|step| step.state == State::Ok);
    steps.push(cached(environment, &identity, &target, limit, reachable));
    conclude(steps, NOT_TRIED)
}

/// The last line of a failed `get`: several clients hide it.
fn last_failure(environment: &Environment) -> Step {
    const NAME: &str = "last";
    match Cache::open(environment).and_then(|cache| cache.last_failure()) {
        None => Step::skipped(NAME, "no failure is recorded"),
        Some(last) => {
            let found = format!("the last failure, {}: {}", span::ago(clock::seconds(), last.at), last.line);
            Step { remedy: None, ..Step::note(NAME, found, "") }
        }
    }
}

/// The rule of our settings file for the registry.
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
    (!differences.is_empty()).then(|| Step::note("go-helper", found, "see docs/from-the-go-helper.md"))
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
                Outcome::NotTried => Step::skipped(name, NOT_TRIED),
                Outcome::Wrong(failure) if part == Part::Caller => caller_unknown(failure),
                // No pull comes without the registry itself, not even an anonymous one.
                Outcome::Wrong(failure) if part == Part::Registry => Step::failed(name, failure),
                Outcome::Wrong(failure) => anonymous_or(target, Step::failed(name, failure)),
            }
        })
        .collect()
}

/// A pull does not need STS: a network without a way to it is a note, keys that STS refuses are not.
fn caller_unknown(failure: UserError) -> Step {
    let refused = matches!(failure.kind, Kind::Credentials);
    let step = Step::failed("caller", failure);
    if refused { step } else { Step { state: State::Note, ..step } }
}
