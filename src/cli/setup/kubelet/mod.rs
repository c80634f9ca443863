//! `setup kubelet`: a link to this binary where the kubelet looks for plugins, and the `CredentialProviderConfig`
//! that tells it which images are ours.

pub mod config;
mod link;
pub mod version;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use config::{ConfigError, Plan};
use link::{LinkError, Linking};
use version::{KubeletVersion, VersionError};

use super::{backup, difference};
use crate::cli::arguments::SetupKubelet;
use crate::cli::terminal;
use crate::os::environment::Environment;
use crate::os::fs::user_file::{self, FileError, Instead, UserFile, exists};
use crate::protocol::kubelet::PLUGIN;
use crate::registry::Registry;
use crate::settings::{Settings, SettingsError};

/// Where EKS images keep the configuration and the plugin, both.
const EKS: &str = "/etc/eks/image-credential-provider";
const CONFIG: &str = "/etc/kubernetes/credential-provider/config.json";
const BIN_DIR: &str = "/usr/local/bin/credential-provider";

#[derive(Debug, thiserror::Error)]
enum KubeletError {
    #[error(transparent)]
    File(#[from] FileError),
    #[error(transparent)]
    Link(#[from] LinkError),
    #[error("--kubelet-version: {0}")]
    Version(#[from] VersionError),
    #[error("{} is left as it is: {source}", .path.display())]
    Config { path: PathBuf, source: ConfigError },
    #[error("{0}; correct the settings file first")]
    Settings(#[from] SettingsError),
    #[error("this binary's own path is not known: {0}")]
    Ourselves(std::io::Error),
    #[error("the changes cannot be shown on stdout: {0}")]
    Output(std::io::Error),
}

/// `setup kubelet`
pub fn run(arguments: &SetupKubelet, environment: &Environment) -> ExitCode {
    match set_up(arguments, environment) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            terminal::warn_line(&error.to_string());
            ExitCode::FAILURE
        }
    }
}

fn set_up(arguments: &SetupKubelet, environment: &Environment) -> Result<(), KubeletError> {
    let version = arguments.kubelet_version.as_deref().map(str::parse::<KubeletVersion>).transpose()?;
    if arguments.service_account_tokens {
        version.map_or(Ok(()), KubeletVersion::needs_tokens)?;
    }
    let eks = exists(&Path::new(EKS).join("config.json"))?;
    let absolute = |given: &Option<PathBuf>, on_eks: PathBuf, elsewhere: &str| {
        let path = given.clone().unwrap_or_else(|| if eks { on_eks } else { elsewhere.into() });
        std::path::absolute(&path).unwrap_or(path)
    };
    let config = absolute(&arguments.config, Path::new(EKS).join("config.json"), CONFIG);
    let bin_dir = absolute(&arguments.bin_dir, EKS.into(), BIN_DIR);
    let binary = std::env::current_exe().map_err(KubeletError::Ourselves)?;
    let settings = Settings::load(environment)?;
    let aliases = settings.registries.into_iter().filter(|entry| entry.alias_of.is_some());
    let images = Registry::patterns().chain(aliases.map(|entry| entry.pattern)).collect();
    let plan = Plan { images, tokens: arguments.service_account_tokens, version };

    // Everything is looked at before anything is changed.
    let plugin = link::plugin(&bin_dir);
    let linking = link::plan(&plugin, &binary)?;
    let original = UserFile::read(&config)?;
    let wanted = configure(&original, &plan)?;
    if let Configuration::Edit { .. } = wanted {
        original.may_replace()?;
    }
    let mut said = String::new();
    if !arguments.dry_run {
        user_file::sweep(&config);
        user_file::sweep(&plugin);
        link::put(&plugin, &binary, &linking)?;
    }
    say_link(&mut said, &plugin, &binary, &linking, arguments.dry_run);
    write_config(&mut said, &original, &wanted, &plan, arguments.dry_run)?;
    advise(&mut said, &plan, &wanted, &config, &bin_dir);
    terminal::print(&said).map_err(KubeletError::Output)
}

/// What is to become of the kubelet's file.
enum Configuration {
    /// JSON: this is what it is to say.
    Edit { old: String, new: String, audience: Option<String> },
    /// YAML: people edit it.
    Yaml,
}

fn configure(original: &UserFile, plan: &Plan) -> Result<Configuration, KubeletError> {
    let extension = original.path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    let bytes = original.content.as_deref().unwrap_or_default();
    let old = String::from_utf8_lossy(bytes).into_owned();
    // YAML under another name: its top has keys, not a brace.
    let is_json = old.trim_start().starts_with('{') || old.trim().is_empty();
    let looks_yaml = old.lines().any(|line| line.starts_with("apiVersion:") || line.starts_with("kind:"));
    if extension.eq_ignore_ascii_case("yaml") || extension.eq_ignore_ascii_case("yml") || (!is_json && looks_yaml) {
        return Ok(Configuration::Yaml);
    }
    let edited = plan.edit(bytes).map_err(|source| KubeletError::Config { path: original.path.clone(), source })?;
    Ok(Configuration::Edit { old, new: edited.text, audience: edited.audience })
}

fn say_link(said: &mut String, plugin: &Path, binary: &Path, linking: &Linking, dry_run: bool) {
    let (plugin, binary) = (plugin.display(), binary.display());
    let would = if dry_run { "would link" } else { "linked" };
    let _ = match linking {
        Linking::Nothing => writeln!(said, "{plugin} is this binary already"),
        Linking::New => writeln!(said, "{would} {plugin} to {binary}"),
        Linking::Keep(kept) => {
            writeln!(said, "{would} {plugin} to {binary}; what was there is kept as {}", kept.display())
        }
    };
}

fn write_config(
    said: &mut String,
    original: &UserFile,
    wanted: &Configuration,
    plan: &Plan,
    dry_run: bool,
) -> Result<(), KubeletError> {
    let path = &original.path;
    let _ = match wanted {
        Configuration::Yaml => writeln!(
            said,
            "{} is YAML and is left as it is. It needs this (apiVersion {}), instead of any provider of that name:\n\n\
             providers:\n{}",
            path.display(),
            plan.config_api(),
            plan.stanza()
        ),
        Configuration::Edit { old, new, .. } if old == new => {
            writeln!(said, "{} says what it should already", path.display())
        }
        Configuration::Edit { old, new, .. } if dry_run => {
            writeln!(said, "would write {}:\n{}", path.display(), difference(path, old, new))
        }
        Configuration::Edit { new, .. } => {
            let copy = backup::path(path);
            let keep = original.content.is_some() && !exists(&copy)?;
            if keep {
                original.back_up(&copy, Instead::OfNothing)?;
            }
            original.replace(new.as_bytes())?;
            let kept =
                if keep { format!("; what it said before is kept as {}", copy.display()) } else { String::new() };
            writeln!(said, "wrote {}{kept}", path.display())
        }
    };
    Ok(())
}

/// What is left for people to do.
fn advise(said: &mut String, plan: &Plan, wanted: &Configuration, config: &Path, bin_dir: &Path) {
    let _ = writeln!(
        said,
        "\nStart the kubelet with these two flags, and again after every change of the file:\n  \
         --image-credential-provider-config={}\n  --image-credential-provider-bin-dir={}",
        config.display(),
        bin_dir.display()
    );
    if !plan.tokens {
        return;
    }
    let audience = match wanted {
        Configuration::Edit { audience: Some(audience), .. } => audience,
        _ => config::AUDIENCE,
    };
    let _ = writeln!(
        said,
        "\nLet the kubelets ask for service account tokens of this audience (kubectl apply -f -):\n\n{}",
        rbac(audience)
    );
    if plan.version.is_none() {
        let _ = writeln!(
            said,
            "A kubelet from 1.34 on wants tokenAttributes.cacheType, which one of 1.33 refuses: \
             give --kubelet-version to have it written."
        );
    } else if plan.version.is_some_and(KubeletVersion::wants_feature_gate) {
        let _ = writeln!(
            said,
            "Kubernetes 1.33 needs the feature gate KubeletServiceAccountTokenForCredentialProviders=true, on the API \
             server too."
        );
    }
}

/// The rule for the audience (NodeRestriction's ServiceAccountNodeAudienceRestriction, Kubernetes 1.33).
fn rbac(audience: &str) -> String {
    let audience = serde_json::Value::from(audience);
    format!(
        "apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  name: {PLUGIN}-audience
rules:
  - apiGroups: [\"\"]
    resources: [{audience}]
    verbs: [\"request-serviceaccounts-token-audience\"]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata:
  name: {PLUGIN}-audience
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: ClusterRole
  name: {PLUGIN}-audience
subjects:
  - apiGroup: rbac.authorization.k8s.io
    kind: Group
    name: system:nodes
"
    )
}
