//! The other clients that read docker's file, each with rules of its own.

use std::path::PathBuf;

use super::docker::{Variable, login_in_variable, marked};
use super::says::{self, Says};
use super::setup;
use crate::HELPER;
use crate::cli::doctor::report::Step;
use crate::os::environment::Environment;
use crate::protocol::clients::config_file::{Config, Content};
use crate::protocol::clients::paths;

/// What a client does with a `credsStore` beside a `credHelpers` entry.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Store {
    /// Reads it where `credHelpers` has no entry.
    Last,
    /// Asks it before the entry, and stops if it fails or is missing.
    First,
}

/// How a client of its own files and docker's chooses.
pub(crate) struct Rules {
    /// The program.
    pub(super) name: &'static str,
    /// The file that it reads before docker's.
    own: Option<fn(&Environment) -> Option<PathBuf>>,
    /// The own file replaces docker's where it names any registry.
    own_alone: bool,
    /// `DOCKER_AUTH_CONFIG` counts.
    variable: bool,
    /// `DOCKER_CONFIG` counts.
    docker_config: bool,
    /// `auths["REG/repository"]` comes before the helper.
    repository_logins: bool,
    store: Store,
    /// Text after the JSON is passed over.
    takes_more_text: bool,
    /// How to log out of the own file.
    logout: &'static str,
}

const DOCKERS: Rules = Rules {
    name: "",
    own: None,
    own_alone: false,
    variable: false,
    docker_config: true,
    repository_logins: false,
    store: Store::Last,
    takes_more_text: false,
    logout: "",
};

/// The clients, as docs/clients.md shows them; flux uses the library of crane.
pub(super) static RULES: [Rules; 8] = [
    Rules {
        name: "crane",
        variable: true,
        repository_logins: true,
        store: Store::First,
        takes_more_text: true,
        ..DOCKERS
    },
    Rules {
        name: "cosign",
        variable: true,
        repository_logins: true,
        store: Store::First,
        takes_more_text: true,
        ..DOCKERS
    },
    Rules {
        name: "flux",
        variable: true,
        repository_logins: true,
        store: Store::First,
        takes_more_text: true,
        ..DOCKERS
    },
    Rules { name: "oras", ..DOCKERS },
    Rules { name: "notation", own: Some(paths::notation), own_alone: true, ..DOCKERS },
    Rules {
        name: "apptainer",
        own: Some(paths::apptainer),
        own_alone: true,
        docker_config: false,
        repository_logins: true,
        store: Store::First,
        logout: "apptainer registry logout docker://",
        ..DOCKERS
    },
    Rules { name: "helm", own: Some(paths::helm), logout: "helm registry logout ", ..DOCKERS },
    Rules { name: "regctl", own: Some(paths::regctl), variable: true, logout: "regctl registry logout ", ..DOCKERS },
];

/// What the client would do for the registry.
pub(super) fn examine(rules: &Rules, environment: &Environment, host: &str) -> Step {
    let name = rules.name;
    let own = rules.own.and_then(|own| own(environment));
    if let Some(path) = &own
        && let Some(step) = by_own_file(rules, path, host)
    {
        return step;
    }
    if rules.variable
        && let Variable::Login(key) = Variable::of(environment, host)
    {
        return login_in_variable(name, &key);
    }
    let path = if rules.docker_config { paths::docker(environment) } else { paths::docker_in_home(environment) };
    let Some(path) = path else { return Step::skipped(name, "there is no home directory, so it has no file") };
    let file = path.display().to_string();
    let (config, refused) = match Content::of_file(&path) {
        Content::Absent | Content::Empty => (Config::default(), None),
        Content::Config(config) if config.more_text && !rules.takes_more_text => {
            (config, Some("has text after its JSON".to_owned()))
        }
        Content::Config(config) => (config, None),
        Content::Marked => return marked(name, &file, host),
        Content::Broken(reason) => (Config::default(), Some(format!("is not JSON: {reason}"))),
        Content::Unreadable(reason) => return Step::wrong(name, reason, "make it readable"),
    };
    if let Some(reason) = refused {
        return Step::wrong(name, format!("{file} {reason}, so {name} does not read it"), "correct the file");
    }
    if rules.repository_logins
        && let Some(key) = says::login_of_repository(&config, host)
    {
        let found = format!("{file}: auths has a login for {key:?}, which {name} uses before the helper");
        return Step::wrong(name, found, format!("take {key:?} out of auths in {file}"));
    }
    by_config(rules, environment, &config, &file, host)
}

fn by_config(rules: &Rules, environment: &Environment, config: &Config, file: &str, host: &str) -> Step {
    let name = rules.name;
    match Says::of(config, host, true) {
        Says::Us(key) => {
            match config.store.as_deref().filter(|store| *store != HELPER && rules.store == Store::First) {
                None => Step::ok(name, format!("{file}: {key} names {HELPER}")),
                Some(store) => {
                    let program = format!("docker-credential-{store}");
                    let found = format!("{file}: {key} names {HELPER}, but {name} asks the credsStore {store} first");
                    if paths::on_path(environment, &program).is_some() {
                        Step::ok(name, format!("{found}, and stops if that fails"))
                    } else {
                        let found = format!("{found}, and {program} is not on PATH, where it stops");
                        Step::wrong(name, found, format!("install {program}, or take credsStore out of {file}"))
                    }
                }
            }
        }
        Says::Another(helper, key) => {
            Step::wrong(name, format!("{file}: {key} names {helper} for it"), setup("docker", host))
        }
        Says::Login(_) => {
            let found = format!("{file}: no helper is named for it, an old login in auths is used");
            Step::wrong(name, found, format!("{} --clean", setup("docker", host)))
        }
        Says::NearMiss(key) => {
            let found = format!("{file}: credHelpers has the key {key:?}, not exactly {host:?}");
            Step::wrong(name, found, setup("docker", host))
        }
        Says::Nothing => Step::not_set_up(name, format!("{file}: no helper is named for it"), setup("docker", host)),
    }
}

/// By the client's own file; `None` where that leaves it to docker's.
fn by_own_file(rules: &Rules, path: &std::path::Path, host: &str) -> Option<Step> {
    let (name, file) = (rules.name, path.display());
    if name == "regctl" {
        return by_regctls_file(path, host);
    }
    let config = match Content::of_file(path) {
        Content::Absent => return None,
        Content::Config(config) => config,
        Content::Empty => Config::default(),
        Content::Marked | Content::Broken(_) => {
            return Some(Step::wrong(
                name,
                format!("{file} is not JSON, where {name} stops"),
                "correct the file, or remove it",
            ));
        }
        Content::Unreadable(reason) => return Some(Step::wrong(name, reason, "make it readable")),
    };
    match Says::of(&config, host, true) {
        Says::Us(key) => Some(Step::ok(name, format!("{file}: {key} names {HELPER}"))),
        Says::Another(helper, key) => {
            let found = format!("{file}: {key} names {helper} for it");
            Some(Step::wrong(name, found, format!("name {HELPER} for it there, or take the entry out")))
        }
        Says::Login(key) => {
            let remedy = match rules.logout {
                "" => format!("take {key:?} out of auths in {file}"),
                logout => format!("run: {logout}{host}"),
            };
            Some(Step::wrong(name, format!("{file}: an old login is used for it"), remedy))
        }
        Says::NearMiss(_) | Says::Nothing => {
            let names_any = !config.helpers.is_empty() || !config.logins.is_empty() || config.store.is_some();
            let alone = rules.own_alone && (names_any || name == "apptainer");
            alone.then(|| {
                let found = format!("{file} is read instead of docker's, and names no helper for it");
                Step::wrong(name, found, format!("add \"credHelpers\": {{{host:?}: \"{HELPER}\"}} to {file}"))
            })
        }
    }
}

/// regctl's file is of a form of its own: `hosts`, each with a user and password, a token, or a helper.
fn by_regctls_file(path: &std::path::Path, host: &str) -> Option<Step> {
    let content = crate::os::fs::user_file::UserFile::read(path).ok()?.content?;
    let root: serde_json::Value = serde_json::from_slice(&content).ok()?;
    let entry = root.get("hosts")?.get(host)?;
    let text = |key: &str| entry.get(key).and_then(serde_json::Value::as_str).filter(|text| !text.is_empty());
    let file = path.display();
    if let Some(helper) = text("credHelper") {
        let ours = helper.strip_prefix("docker-credential-") == Some(HELPER);
        let found = format!("{file}: credHelper names {helper}");
        let remedy = format!("run: regctl registry logout {host}");
        return Some(if ours { Step::ok("regctl", found) } else { Step::wrong("regctl", found, remedy) });
    }
    ["user", "pass", "token"].into_iter().find_map(text)?;
    let found = format!("{file}: an old login is used for it");
    Some(Step::wrong("regctl", found, format!("run: regctl registry logout {host}")))
}
