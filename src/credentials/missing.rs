//! What to say where no source of credentials is configured: a source that is half configured, and what to do where
//! the process runs. The whole list of what was looked for is `doctor`'s.

use std::path::Path;

use crate::PROGRAM;
use crate::os::environment::Environment;
use crate::text::printable::plain;
use crate::text::user_error::{Kind, UserError};

/// Where the process runs, as far as missing credentials are mended in different ways.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// A job of GitHub Actions; whether it may ask for OIDC tokens (`permissions: id-token: write`).
    GitHubActions {
        /// `ACTIONS_ID_TOKEN_REQUEST_URL` is set.
        has_oidc: bool,
    },
    /// A job of GitLab CI.
    GitLab,
    /// A job of another CI system.
    Ci,
    /// A Kubernetes node, for its kubelet.
    Node,
    /// A container.
    Container,
    /// A person's machine.
    Machine,
}

impl Place {
    /// Where the process with this environment runs. `exists` tells whether a file is there.
    fn of(environment: &Environment, exists: impl Fn(&Path) -> bool) -> Self {
        // What docker and podman leave in every container.
        const MARKS: [&str; 2] = ["/.dockerenv", "/run/.containerenv"];
        let is_set = |name| environment.var_os(name).is_some();
        if is_set("GITHUB_ACTIONS") {
            Self::GitHubActions { has_oidc: is_set("ACTIONS_ID_TOKEN_REQUEST_URL") }
        } else if is_set("GITLAB_CI") {
            Self::GitLab
        } else if environment.switch("CI") == Some(true) || is_set("JENKINS_URL") || is_set("TF_BUILD") {
            Self::Ci
        } else if is_set("KUBERNETES_SERVICE_HOST")
            || is_set("container")
            || MARKS.iter().any(|mark| exists(mark.as_ref()))
        {
            Self::Container
        } else {
            Self::Machine
        }
    }

    /// Where this process runs.
    pub(crate) fn here(environment: &Environment) -> Self {
        Self::of(environment, |path| path.exists())
    }

    /// What to do there.
    fn remedy(self) -> &'static str {
        match self {
            Self::GitHubActions { has_oidc: true } => {
                "run aws-actions/configure-aws-credentials before this step, or name a role: setup docker --registry \
                 REGISTRY --role-arn ARN --web-identity github-actions"
            }
            Self::GitHubActions { has_oidc: false } => {
                "give the job \"permissions: id-token: write\" and run aws-actions/configure-aws-credentials before this step"
            }
            Self::GitLab => {
                "give the job id_tokens and name the role that they are for: setup docker --registry REGISTRY --role-arn \
                 ARN --web-identity env:NAME"
            }
            Self::Ci => {
                "give the job AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN, or AWS_ROLE_ARN and \
                 AWS_WEB_IDENTITY_TOKEN_FILE"
            }
            Self::Node => {
                "give the node an instance profile whose role may pull from ECR (AmazonEC2ContainerRegistryPullOnly), or its \
                 service a profile or keys"
            }
            Self::Container => {
                "give the container a role of its own (ECS task role, EKS Pod Identity), or mount ~/.aws into it, or pass \
                 AWS_ACCESS_KEY_ID and what goes with it"
            }
            Self::Machine => {
                "run: aws configure sso (or aws configure), or name a profile in AWS_PROFILE or the settings file"
            }
        }
    }
}

/// The most names of profiles that a remedy lists.
pub(super) const MAX_NAMES: usize = 10;

/// What is to be done, before it is put into words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remedy {
    /// Where the process runs.
    pub(super) place: Place,
    /// Some profiles of the shared files: where a person wrote some, one of them is meant.
    pub(super) profiles: Vec<String>,
}

impl Remedy {
    pub(super) fn in_words(&self) -> String {
        let mut named: Vec<String> = self.profiles.iter().map(|name| plain(name)).collect();
        named.sort_unstable();
        named.dedup();
        if named.is_empty() || !matches!(self.place, Place::Machine | Place::Container) {
            return self.place.remedy().to_owned();
        }
        let more = if named.len() > MAX_NAMES { ", ..." } else { "" };
        let names = named[..named.len().min(MAX_NAMES)].join(", ");
        format!(
            "name one of your profiles ({names}{more}) in AWS_PROFILE, or for this registry: {PROGRAM} setup docker \
             REGISTRY --profile PROFILE"
        )
    }
}

/// What to do where this process runs.
pub(crate) fn remedy_here(environment: &Environment) -> String {
    let profiles = super::read(environment, |_, files| files.some_names());
    Remedy { place: Place::here(environment), profiles }.in_words()
}

/// A remedy, and where the list of all that was looked for is.
pub(crate) fn with_list(remedy: &str) -> String {
    format!("{remedy}; {PROGRAM} doctor lists what was looked for")
}

/// The failure as a kubelet's log is to have it: what is mended on a node is mended there and not in a shell.
pub(crate) fn on_node(mut failure: UserError, environment: &Environment) -> UserError {
    if failure.kind == Kind::NoCredentials {
        failure.hint = failure.hint.map(|hint| remedy_of_node(hint, environment));
    }
    failure
}

/// A remedy as it is on a node: the one for missing credentials is another there.
pub(crate) fn remedy_of_node(remedy: String, environment: &Environment) -> String {
    let here = remedy_here(environment);
    match remedy.strip_prefix(&here) {
        Some("") => Place::Node.remedy().to_owned(),
        Some(_) if remedy == with_list(&here) => with_list(Place::Node.remedy()),
        _ => remedy,
    }
}

/// A source that was begun and is not whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HalfConfigured {
    /// What is there and what is missing.
    pub(crate) what: String,
    /// What to do.
    pub(crate) remedy: String,
}

/// What the reason of a profile without credentials ends in.
pub(super) const HAS_NO_CREDENTIALS: &str = "has no credentials";

/// The first source that is half configured, by the environment and by why the sources were skipped.
pub(crate) fn half_configured(environment: &Environment, skipped_sources: &[String]) -> Option<HalfConfigured> {
    const PAIRS: [(&str, &str); 4] = [
        ("AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID"),
        ("AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE"),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_FULL_URI"),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN", "AWS_CONTAINER_CREDENTIALS_FULL_URI"),
    ];
    let is_set = |name| environment.var_os(name).is_some();
    let half = PAIRS.into_iter().find(|(there, missing)| is_set(there) && !is_set(missing));
    let of_variables = half.map(|(there, missing)| HalfConfigured {
        what: format!("{there} is set, but {missing} is not"),
        remedy: format!("set {missing} too, or unset {there}"),
    });
    of_variables.or_else(|| {
        let named_by = ["AWS_PROFILE", "AWS_DEFAULT_PROFILE"].into_iter().find(|name| is_set(name))?;
        let profile = plain(environment.var(named_by)?);
        let reason = format!("profile {profile}: {HAS_NO_CREDENTIALS}");
        skipped_sources.contains(&reason).then(|| HalfConfigured {
            what: format!("profile {profile}, named by {named_by}, {HAS_NO_CREDENTIALS}"),
            remedy: format!("run: aws configure sso --profile {profile} (or aws configure --profile {profile})"),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_environment_is_recognised_by_its_variables_and_files() {
        let of = |variables: &[(&str, &str)], file: &str| {
            Place::of(&Environment::of(variables.iter().copied()), |path| path == Path::new(file))
        };
        assert_eq!(of(&[("HOME", "/home/me")], ""), Place::Machine);
        assert_eq!(of(&[("CI", "false")], ""), Place::Machine);
        assert_eq!(of(&[("CI", "true")], "/.dockerenv"), Place::Ci);
        assert_eq!(of(&[("CI", "true"), ("GITLAB_CI", "true")], ""), Place::GitLab);
        assert_eq!(of(&[("GITHUB_ACTIONS", "true")], ""), Place::GitHubActions { has_oidc: false });
        let oidc = [("GITHUB_ACTIONS", "true"), ("ACTIONS_ID_TOKEN_REQUEST_URL", "https://x")];
        assert_eq!(of(&oidc, ""), Place::GitHubActions { has_oidc: true });
        for file in ["/.dockerenv", "/run/.containerenv"] {
            assert_eq!(of(&[], file), Place::Container);
        }
        assert_eq!(of(&[("KUBERNETES_SERVICE_HOST", "10.0.0.1")], ""), Place::Container);
    }
}
