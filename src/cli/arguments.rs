//! What people may type: the one definition behind parsing, `--help`, the man page and the completions.

use std::path::PathBuf;

use clap::{ArgGroup, Args, CommandFactory, Parser, Subcommand, ValueEnum};

use crate::PROGRAM;

/// Said below the commands in `--help` and in the man page: what people do not type.
const PROTOCOL_HELP: &str = "\
Run by programs, not by people:
  get, store, erase, list   docker's credential-helper protocol, on stdin and stdout
  kubelet                   the kubelet's image credential provider protocol
                            (also as a link named ecr-credential-provider)

Environment:
  AWS_PROFILE and all that the AWS SDKs read, AWS_ECR_CACHE_DIR, AWS_ECR_DISABLE_CACHE,
  ECR_LOGIN_CONFIG, ECR_LOGIN_TIMEOUT, ECR_LOGIN_STRICT, ECR_LOGIN_REFRESH,
  ECR_LOGIN_BACKGROUND, ECR_LOGIN_LOG, ECR_LOGIN_LOG_FILE";

/// Logs docker, podman and Kubernetes nodes in to Amazon ECR.
///
/// docker, podman, buildah, skopeo and the kubelet run this program whenever they need a password for
/// Amazon ECR. It fetches one with your AWS credentials, keeps it until it ends, and fetches the next.
#[derive(Debug, Parser)]
#[command(name = PROGRAM, bin_name = PROGRAM, version, after_help = PROTOCOL_HELP)]
#[command(subcommand_required = true, arg_required_else_help = true, max_term_width = 100)]
pub(super) struct Arguments {
    /// Which command.
    #[command(subcommand)]
    pub(super) command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Make docker, podman or the kubelet use this helper
    #[command(subcommand)]
    Setup(Setup),
    /// Sign in (SSO by a browser, MFA by a code) and fetch the tokens, so that pulls work
    Login(Login),
    /// Show which registries have a token, whose it is and how long it lasts
    Status(Format),
    /// Walk the way that a pull takes and say what is wrong and what to do
    Doctor(Doctor),
    /// Forget cached tokens
    Clear(Clear),
    /// Fetch the tokens that are not fresh, before a pull needs them
    Warm(Warm),
    /// Print the bare password for a registry, for tools without credential helpers
    #[command(visible_alias = "get-login-password")]
    Password(Password),
    /// Print the completions of a shell
    Completions(Completions),
    /// Print the man page
    Man,
}

/// What to set up.
#[derive(Debug, Subcommand)]
pub(super) enum Setup {
    /// Add this helper to ~/.docker/config.json
    Docker(SetupDocker),
    /// Add this helper to podman's, buildah's and skopeo's auth.json
    Podman(SetupPodman),
    /// Make this helper the kubelet's image credential provider
    Kubelet(SetupKubelet),
    /// Put a copy of this helper in the place of the kubelet's ecr-credential-provider, or take it back
    Plugin(SetupPlugin),
}

/// `setup plugin`
#[derive(Clone, Debug, Args)]
pub(crate) struct SetupPlugin {
    /// The directory in which the kubelet finds its plugins; without it, that of an EKS image, of k3s or of RKE2, else
    /// /usr/local/bin/credential-provider
    #[arg(long, value_name = "DIR")]
    pub(super) bin_dir: Option<PathBuf>,
    /// Stay until SIGTERM or SIGINT, then put back what was there before: for a DaemonSet
    #[arg(long, conflicts_with = "undo")]
    pub(super) until_stopped: bool,
    /// Put back what was there before
    #[arg(long)]
    pub(super) undo: bool,
}

/// `setup docker`
#[derive(Clone, Debug, Args)]
pub(crate) struct SetupDocker {
    /// What both setups take.
    #[command(flatten)]
    pub(super) common: SetupCommon,
    /// Become docker's store for every registry; the store of before goes on serving those that are not ECR
    #[arg(long, conflicts_with_all = ["registries", "profile", "role_arn", "web_identity"])]
    pub(super) store: bool,
}

/// `setup podman`
#[derive(Clone, Debug, Args)]
pub(crate) struct SetupPodman {
    /// What both setups take.
    #[command(flatten)]
    pub(super) common: SetupCommon,
}

/// What `setup docker` and `setup podman` have in common.
#[derive(Clone, Debug, Default, Args)]
#[command(group(ArgGroup::new("registries").args(["named", "registry"]).multiple(true)))]
pub(super) struct SetupCommon {
    /// Registries, such as 123456789012.dkr.ecr.eu-west-1.amazonaws.com; without any, those found in your AWS profiles, in
    /// the settings file and among the images that docker and podman already have
    #[arg(value_name = "REGISTRY")]
    named: Vec<String>,
    /// The same, by an option
    #[arg(long, value_name = "NAME")]
    pub(super) registry: Vec<String>,
    /// The file to edit, instead of the one that the client reads
    #[arg(long, value_name = "FILE")]
    pub(super) file: Option<PathBuf>,
    /// Use this AWS profile for the registries (written to our own settings file)
    #[arg(long, value_name = "PROFILE", requires = "registries", conflicts_with = "undo")]
    pub(super) profile: Option<String>,
    /// Use this IAM role for the registries (written to our own settings file)
    #[arg(long, value_name = "ARN", requires = "registries", conflicts_with = "undo")]
    pub(super) role_arn: Option<String>,
    /// Assume the role with the OIDC token of a CI job or of another cloud: github-actions, gcp, azure, env:NAME or
    /// file:/PATH (written to our own settings file)
    #[arg(long, value_name = "SOURCE", requires = "role_arn", conflicts_with_all = ["undo", "profile"])]
    pub(super) web_identity: Option<String>,
    /// What the OIDC token is asked for; sts.amazonaws.com without it
    #[arg(long, value_name = "AUDIENCE", requires = "web_identity")]
    pub(super) audience: Option<String>,
    /// Write the profiles that were found with the registries to our own settings file, without asking
    #[arg(short, long, conflicts_with = "undo")]
    pub(super) yes: bool,
    /// Take old logins to the registries that this helper serves out of the file's auths
    #[arg(long, conflicts_with = "undo")]
    pub(super) clean: bool,
    /// Show what would change, and change nothing
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Take out what setup put in
    #[arg(long)]
    pub(super) undo: bool,
}

impl SetupCommon {
    /// The registries that were named.
    pub(crate) fn names(&self) -> impl Iterator<Item = &String> {
        self.named.iter().chain(&self.registry)
    }
}

/// `setup kubelet`
#[derive(Clone, Debug, Args)]
pub(crate) struct SetupKubelet {
    /// The CredentialProviderConfig that the kubelet reads, in JSON or YAML, or a directory of them; without it, the one of an
    /// EKS image, of k3s or of RKE2 where there is one, else /etc/kubernetes/credential-provider/config.json
    #[arg(long, value_name = "PATH")]
    pub(super) config: Option<PathBuf>,
    /// The directory in which the kubelet looks for the plugin; without it, that of an EKS image, of k3s or of RKE2, else
    /// /usr/local/bin/credential-provider
    #[arg(long, value_name = "DIR")]
    pub(super) bin_dir: Option<PathBuf>,
    /// Let each pod pull with the role of its own service account
    #[arg(long)]
    pub(super) service_account_tokens: bool,
    /// The kubelet's version, such as 1.34, which decides the fields that it knows; without it, what kubelet --version (k3s,
    /// rke2) says on this node
    #[arg(long, value_name = "VERSION")]
    pub(super) kubelet_version: Option<String>,
    /// Show what would change, and change nothing
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Put back the configuration and the plugin that were there before
    #[arg(long, conflicts_with_all = ["service_account_tokens", "kubelet_version"])]
    pub(super) undo: bool,
}

/// `login`
#[derive(Clone, Debug, Args)]
pub(super) struct Login {
    /// The registry; without it, those for which docker's and podman's files name this helper
    #[arg(conflicts_with = "profile")]
    pub(super) registry: Option<String>,
    /// Sign in to what this AWS profile uses
    #[arg(long, value_name = "PROFILE")]
    pub(super) profile: Option<String>,
    /// Sign in with a code in a browser on any machine; what is done over SSH and where there is no browser
    #[arg(long)]
    pub(super) device_code: bool,
    /// Print the page's address and open no browser
    #[arg(long)]
    pub(super) no_browser: bool,
    /// Give up after so many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 600, value_parser = clap::value_parser!(u64).range(1..))]
    pub(super) timeout: u64,
}

/// How to print.
#[derive(Clone, Copy, Debug, Args)]
pub(super) struct Format {
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
}

/// `doctor`
#[derive(Clone, Debug, Args)]
pub(super) struct Doctor {
    /// The registry to examine; without it, all that docker's and podman's files and the settings name for this helper
    #[arg(conflicts_with = "image")]
    pub(super) registry: Option<String>,
    /// Play a kubelet's request for this image by hand, and examine its registry
    #[arg(long, value_name = "IMAGE")]
    pub(super) image: Option<String>,
    /// The CredentialProviderConfig that the kubelet reads, or a directory of them; without it, that of the kubelet that runs
    /// here, else where the distributions have it
    #[arg(long, value_name = "PATH")]
    pub(super) config: Option<PathBuf>,
    /// The directory in which the kubelet looks for the plugin; found as --config is
    #[arg(long, value_name = "DIR")]
    pub(super) bin_dir: Option<PathBuf>,
    /// How to print.
    #[command(flatten)]
    pub(super) format: Format,
}

/// `clear`
#[derive(Clone, Debug, Args)]
pub(super) struct Clear {
    /// The registry to forget; without it, all
    pub(super) registry: Option<String>,
}

/// `warm`
#[derive(Clone, Debug, Args)]
pub(super) struct Warm {
    /// The registries; without any, all that docker's and podman's files and the settings name for this helper
    pub(super) registry: Vec<String>,
    /// Give up after so many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 120, value_parser = clap::value_parser!(u64).range(1..))]
    pub(super) timeout: u64,
}

/// `password`
#[derive(Clone, Debug, Args)]
pub(super) struct Password {
    /// The registry
    pub(super) registry: String,
}

/// `completions`
#[derive(Clone, Copy, Debug, Args)]
pub(super) struct Completions {
    /// The shell
    pub(super) shell: Shell,
}

/// The shells that completions are made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Shell {
    /// GNU bash.
    Bash,
    /// The Z shell.
    Zsh,
    /// fish.
    Fish,
    /// PowerShell.
    Powershell,
    /// Elvish.
    Elvish,
}

/// The whole definition.
pub(super) fn definition() -> clap::Command {
    Arguments::command()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_is_consistent() {
        definition().debug_assert();
    }
}
