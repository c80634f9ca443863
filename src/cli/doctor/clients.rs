//! What the clients' files say of a registry: which helper they would run, and what stands in its way.

use std::path::{Path, PathBuf};

use super::report::Step;
use crate::cli::setup::client_paths;
use crate::cli::setup::json::Document;
use crate::os::environment::Environment;
use crate::os::executable;
use crate::os::fs::user_file::UserFile;
use crate::registry::host_of;
use crate::{HELPER, PROGRAM};

/// Who answers for the registry, by one file.
#[derive(Debug, PartialEq, Eq)]
enum Says {
    /// This helper, by the named key of the file.
    Us(&'static str),
    /// Another helper.
    Another(String, &'static str),
    /// A login in the file itself.
    Login(String),
    /// A key that means the registry and is not what the client compares.
    NearMiss(String),
    /// Nothing.
    Nothing,
}

/// The steps of docker and of podman; and whether either of them would run this helper.
pub fn examine(environment: &Environment, host: &str) -> (Vec<Step>, bool) {
    let mut steps = vec![docker(environment, host), podman(environment, host)];
    steps.extend(old_logins(environment, host));
    let served = steps.iter().any(|step| step.state == super::report::State::Ok);
    if served {
        // One client is enough for a pull; that another would not use us is worth knowing, no more.
        for step in steps.iter_mut().filter(|step| step.state == super::report::State::Wrong) {
            step.state = super::report::State::Note;
        }
    }
    (steps, served)
}

fn docker(environment: &Environment, host: &str) -> Step {
    let Some(path) = client_paths::docker(environment) else {
        return Step::skipped("docker", "there is no home directory, so docker has no file");
    };
    let document = match read(&path) {
        Ok(Some(document)) => document,
        Ok(None) if executable::on_path(environment, "docker").is_none() => {
            return Step::skipped("docker", "docker is not on PATH and has no file here");
        }
        Ok(None) => return Step::wrong("docker", format!("{} is not there", path.display()), remedy("docker", host)),
        Err(wrong) => return Step::wrong("docker", wrong, "correct the file; docker cannot read it either"),
    };
    let file = path.display();
    match says(&document, host, true) {
        Says::Us(key) => Step::ok("docker", format!("{file}: {key} names {HELPER}")),
        Says::Another(helper, key) => {
            Step::wrong("docker", format!("{file}: {key} names {helper} for it"), remedy("docker", host))
        }
        Says::Login(_) => Step::wrong(
            "docker",
            format!("{file}: no helper is named for it, an old login in auths is used"),
            format!("{} --clean", remedy("docker", host)),
        ),
        Says::NearMiss(key) => Step::wrong(
            "docker",
            format!("{file}: credHelpers has the key {key:?}, and docker compares it with exactly {host:?}"),
            remedy("docker", host),
        ),
        Says::Nothing => Step::wrong("docker", format!("{file}: no helper is named for it"), remedy("docker", host)),
    }
}

fn podman(environment: &Environment, host: &str) -> Step {
    let here = ["podman", "buildah", "skopeo"].iter().any(|name| executable::on_path(environment, name).is_some());
    let files: Vec<PathBuf> = client_paths::podman(environment);
    let mut wrong = None;
    if !here && files.iter().all(|file| !file.exists() || Some(file) == client_paths::docker(environment).as_ref()) {
        return Step::skipped("podman", "podman, buildah and skopeo are not on PATH");
    }
    if let Some((file, helpers)) = registries_conf(environment)
        && let Some(other) = helpers.iter().find(|helper| *helper != "containers-auth.json")
        && helpers.first() == Some(other)
    {
        let found = format!("{}: credential-helpers names {other} before any file", file.display());
        return if other == HELPER {
            Step::ok("podman", found)
        } else {
            Step::wrong("podman", found, remedy("podman", host))
        };
    }
    for path in &files {
        let file = path.display();
        match read(path) {
            Ok(None) => {}
            Err(reason) => wrong = wrong.or(Some(reason)),
            Ok(Some(document)) => match says(&document, host, false) {
                Says::Us(key) => return Step::ok("podman", format!("{file}: {key} names {HELPER}")),
                Says::Another(helper, key) => {
                    return Step::wrong(
                        "podman",
                        format!("{file}: {key} names {helper} for it"),
                        remedy("podman", host),
                    );
                }
                Says::Login(_) => {
                    return Step::wrong(
                        "podman",
                        format!("{file}: an old login in auths is used for it"),
                        format!("run: podman logout {host}"),
                    );
                }
                Says::NearMiss(key) => {
                    wrong = wrong.or_else(|| Some(format!("{file}: credHelpers has {key:?}, not exactly {host:?}")));
                }
                Says::Nothing => {}
            },
        }
    }
    let found = wrong.unwrap_or_else(|| "no file of podman's names a helper for it".to_owned());
    Step::wrong("podman", found, remedy("podman", host))
}

/// Old logins beside a helper: not used, and a password in a file for nothing.
fn old_logins(environment: &Environment, host: &str) -> Option<Step> {
    let path = client_paths::docker(environment)?;
    let document = read(&path).ok()??;
    if !matches!(says(&document, host, true), Says::Us(_)) {
        return None;
    }
    login(&document, host)?;
    let found = format!("{}: auths has an old login for it, which nothing uses any more", path.display());
    Some(Step::note("auths", found, format!("run: {PROGRAM} setup docker --registry {host} --clean")))
}

fn remedy(client: &str, host: &str) -> String {
    format!("run: {PROGRAM} setup {client} --registry {host}")
}

fn login(document: &Document, host: &str) -> Option<String> {
    let keys = document.section("auths").into_iter().map(|(key, _)| key);
    keys.into_iter().find(|key| host_of(key).as_deref() == Some(host))
}

fn says(document: &Document, host: &str, with_store: bool) -> Says {
    let helpers = document.section("credHelpers");
    if let Some((_, helper)) = helpers.iter().find(|(key, _)| key == host) {
        return match helper.as_deref() {
            Some(HELPER) => Says::Us("credHelpers"),
            other => Says::Another(other.unwrap_or("nothing").to_owned(), "credHelpers"),
        };
    }
    let near = helpers.into_iter().find(|(key, _)| {
        host_of(key).as_deref() == Some(host) || key.contains('*') && key.contains("ecr") && key.contains("amazonaws")
    });
    if with_store && let Some(store) = document.string("credsStore").filter(|store| !store.is_empty()) {
        return match (store.as_str(), near) {
            (HELPER, _) => Says::Us("credsStore"),
            (_, Some((key, _))) => Says::NearMiss(key),
            (store, None) => Says::Another(store.to_owned(), "credsStore"),
        };
    }
    if let Some((key, _)) = near {
        return Says::NearMiss(key);
    }
    login(document, host).map_or(Says::Nothing, Says::Login)
}

fn read(path: &Path) -> Result<Option<Document>, String> {
    let original = UserFile::read(path).map_err(|error| error.to_string())?;
    let Some(content) = original.content else { return Ok(None) };
    Document::parse(&content).map(Some).map_err(|error| format!("{} is not JSON: {error}", path.display()))
}

/// `credential-helpers` of containers-registries.conf(5): the user's file stands for the system's.
fn registries_conf(environment: &Environment) -> Option<(PathBuf, Vec<String>)> {
    let named = environment.var_os("CONTAINERS_REGISTRIES_CONF").map(PathBuf::from);
    let own = environment.home().map(|home| home.join(".config/containers/registries.conf"));
    let system = PathBuf::from("/etc/containers/registries.conf");
    let file = match named {
        Some(named) => named,
        None => own.filter(|own| own.exists()).unwrap_or(system),
    };
    let content = UserFile::read(&file).ok()?.content?;
    let document: toml_edit::DocumentMut = String::from_utf8(content).ok()?.parse().ok()?;
    let helpers = document.get("credential-helpers")?.as_array()?;
    Some((file, helpers.iter().filter_map(|helper| helper.as_str().map(str::to_owned)).collect()))
}

/// Registries for which a client's file names this helper, for whoever does not say which to examine.
pub fn served(environment: &Environment) -> Vec<String> {
    let files = client_paths::docker(environment).into_iter().chain(client_paths::podman(environment));
    let documents = files.filter_map(|path| read(&path).ok().flatten());
    let entries = documents.flat_map(|document| document.section("credHelpers"));
    entries.filter(|(_, helper)| helper.as_deref() == Some(HELPER)).map(|(host, _)| host).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOST: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";

    #[test]
    fn each_way_of_a_file_to_speak_of_a_registry() {
        for (text, expected) in [
            (r#"{"credHelpers":{"@":"ecr-login"},"credsStore":"pass"}"#, Says::Us("credHelpers")),
            (r#"{"credHelpers":{"@":"pass"}}"#, Says::Another("pass".into(), "credHelpers")),
            (r#"{"credsStore":"ecr-login"}"#, Says::Us("credsStore")),
            (r#"{"credsStore":"desktop"}"#, Says::Another("desktop".into(), "credsStore")),
            (
                r#"{"credHelpers":{"https://@":"ecr-login"},"credsStore":"pass"}"#,
                Says::NearMiss(format!("https://{HOST}")),
            ),
            (
                r#"{"credHelpers":{"*.dkr.ecr.*.amazonaws.com":"ecr-login"}}"#,
                Says::NearMiss("*.dkr.ecr.*.amazonaws.com".into()),
            ),
            (r#"{"auths":{"https://@/v1/":{"auth":"x"}}}"#, Says::Login(format!("https://{HOST}/v1/"))),
            (r#"{"auths":{"ghcr.io":{}}}"#, Says::Nothing),
        ] {
            let document = Document::parse(text.replace('@', HOST).as_bytes()).unwrap();
            assert_eq!(says(&document, HOST, true), expected, "{text}");
        }
    }
}
