//! Where docker and podman keep the file that names credential helpers.
//!
//! docker: `cli/config/config.go`. podman, buildah and skopeo: containers-auth.json(5) and
//! `pkg/docker/config/config.go` of containers/image.

use std::path::PathBuf;

use crate::os::environment::Environment;
pub(crate) use crate::os::executable::on_path;
use crate::os::fs::native;

/// docker 28.4 and later, crane and others take logins from this variable, before every file.
pub(crate) const DOCKER_AUTH_CONFIG: &str = "DOCKER_AUTH_CONFIG";

/// `HOME`, else the passwd entry's, as both clients have it.
fn home(environment: &Environment) -> Option<PathBuf> {
    environment.home().or_else(crate::os::user::passwd_home)
}

/// The file that docker reads.
pub(crate) fn docker(environment: &Environment) -> Option<PathBuf> {
    let directory = environment.var_os("DOCKER_CONFIG").map(PathBuf::from);
    Some(directory.or_else(|| Some(home(environment)?.join(".docker")))?.join("config.json"))
}

/// docker's file as clients find it that do not know `DOCKER_CONFIG`.
pub(crate) fn docker_in_home(environment: &Environment) -> Option<PathBuf> {
    Some(native(home(environment)?.join(".docker/config.json")))
}

/// `$XDG_CONFIG_HOME`, else `~/.config`.
fn config_home(environment: &Environment) -> Option<PathBuf> {
    let named = environment.var_os("XDG_CONFIG_HOME").map(PathBuf::from);
    named.or_else(|| Some(home(environment)?.join(".config")))
}

/// notation's own file, which it reads instead of docker's if that names anything.
pub(crate) fn notation(environment: &Environment) -> Option<PathBuf> {
    Some(native(config_home(environment)?.join("notation/config.json")))
}

/// apptainer's own file, which it reads instead of docker's.
pub(crate) fn apptainer(environment: &Environment) -> Option<PathBuf> {
    Some(native(home(environment)?.join(".apptainer/docker-config.json")))
}

/// helm's own logins.
pub(crate) fn helm(environment: &Environment) -> Option<PathBuf> {
    let named = environment.var_os("HELM_REGISTRY_CONFIG").map(PathBuf::from);
    named.or_else(|| {
        let home = environment.var_os("HELM_CONFIG_HOME").map(PathBuf::from);
        Some(native(home.or_else(|| Some(config_home(environment)?.join("helm")))?.join("registry/config.json")))
    })
}

/// regctl's own logins.
pub(crate) fn regctl(environment: &Environment) -> Option<PathBuf> {
    let named = environment.var_os("REGCTL_CONFIG").map(PathBuf::from);
    named.or_else(|| Some(native(home(environment)?.join(".regctl/config.json"))))
}

/// The files that podman, buildah and skopeo read, in their order; docker's own is the last.
pub(crate) fn podman(environment: &Environment) -> Vec<PathBuf> {
    if let Some(named) = environment.var_os("REGISTRY_AUTH_FILE") {
        return vec![PathBuf::from(named)];
    }
    let mut files = Vec::new();
    #[cfg(target_os = "linux")]
    files.push(match environment.var_os("XDG_RUNTIME_DIR") {
        Some(runtime) => PathBuf::from(runtime).join("containers").join("auth.json"),
        None => PathBuf::from(format!("/run/containers/{}/auth.json", crate::os::user::effective())),
    });
    files.extend(podman_kept(environment));
    files.extend(docker(environment));
    files
}

/// The one of podman's files that outlives a reboot and belongs to podman: the one to edit.
pub(crate) fn podman_kept(environment: &Environment) -> Option<PathBuf> {
    if let Some(named) = environment.var_os("REGISTRY_AUTH_FILE") {
        return Some(PathBuf::from(named));
    }
    let named = environment.var_os("XDG_CONFIG_HOME").map(PathBuf::from);
    let directory = named.or_else(|| Some(home(environment)?.join(".config")))?;
    Some(directory.join("containers").join("auth.json"))
}
