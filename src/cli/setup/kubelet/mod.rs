//! `setup kubelet`: a link to this binary where the kubelet looks for plugins, and the `CredentialProviderConfig`
//! that tells it which images are ours.

pub mod config;
mod files;
mod link;
mod paths;
pub(crate) mod plugin;
pub mod version;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use config::Plan;
use files::{Configuration, FilesError};
use link::{LinkError, Linking, Placing};
use version::{KubeletVersion, VersionError};

use super::{backup, difference};
use crate::cli::arguments::SetupKubelet;
use crate::cli::terminal;
use crate::os::environment::Environment;
use crate::os::fs::trusted;
use crate::os::fs::user_file::{self, FileError, MayReplace, exists};
use crate::os::user;
use crate::protocol::kubelet::PLUGIN;
use crate::registry::Registry;
use crate::settings::{Settings, SettingsError};
use crate::text::printable::{line_of, one_line, page};

#[derive(Debug, thiserror::Error)]
enum KubeletError {
    #[error(transparent)]
    File(#[from] FileError),
    #[error(transparent)]
    Link(#[from] LinkError),
    #[error("--kubelet-version: {0}")]
    Version(#[from] VersionError),
    #[error(transparent)]
    Files(#[from] FilesError),
    #[error("{0}; correct the settings file first")]
    Settings(#[from] SettingsError),
    #[error(
        "{what}, so that others could put a program of theirs into {}, which the kubelet runs as root: name another \
         folder with --bin-dir, or take that right away (chown root, chmod go-w)",
        .bin_dir.display()
    )]
    OpenFolder { bin_dir: PathBuf, what: String },
    #[error("this binary's own path is not known: {0}")]
    Ourselves(std::io::Error),
    #[error("the changes cannot be shown on stdout: {0}")]
    Output(std::io::Error),
}

/// `setup kubelet`
pub(crate) fn run(arguments: &SetupKubelet, environment: &Environment) -> ExitCode {
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
    let (usual_config, usual_bin_dir) = paths::usual(|path| exists(path).unwrap_or(true));
    let absolute = |given: &Option<PathBuf>, usual: &str| {
        let path = given.clone().unwrap_or_else(|| usual.into());
        std::path::absolute(&path).unwrap_or(path)
    };
    let config = absolute(&arguments.config, usual_config);
    let bin_dir = absolute(&arguments.bin_dir, usual_bin_dir);
    let binary = std::env::current_exe().map_err(KubeletError::Ourselves)?;
    let settings = Settings::load(environment)?;
    let aliases = settings.registries.into_iter().filter(|entry| entry.alias_of.is_some());
    let images = Registry::patterns().chain(aliases.map(|entry| entry.pattern)).collect();
    let plan = Plan { images, tokens: arguments.service_account_tokens, version };

    // Everything is looked at before anything is changed.
    let configuration = Configuration::plan(&config, &plan)?;
    configuration.check_executables(&bin_dir)?;
    let plugin = link::plugin(&bin_dir, configuration.plugin());
    let placing = placing(&binary, &bin_dir)?;
    let linking = match placing.0 {
        Placing::Copy if link::is_copy(&plugin, &binary) => Linking::Nothing,
        _ => link::plan(&plugin, &binary)?,
    };
    if configuration.old != configuration.new {
        configuration.file.may_replace()?;
    }
    let mut said = String::new();
    if !arguments.dry_run {
        user_file::sweep(&configuration.file.path);
        user_file::sweep(&plugin);
        link::put(&plugin, &binary, &linking, placing.0)?;
    }
    say_link(&mut said, &plugin, &binary, &linking, &placing, arguments.dry_run);
    write_config(&mut said, &configuration, arguments.dry_run)?;
    advise(&mut said, &plan, &configuration, &config, &bin_dir);
    terminal::print(&page(&said)).map_err(KubeletError::Output)
}

/// Whether the plugin may be a link to this binary, and if not, why. Root's kubelet is to run nothing that another user could
/// change; whoever is not root decides nothing for root here.
fn placing(binary: &Path, bin_dir: &Path) -> Result<(Placing, Option<String>), KubeletError> {
    #[cfg(unix)]
    if user::effective() == 0 {
        // What cannot be looked at may be anybody's.
        let looked_at = |path: &Path| {
            let failed = |source| FileError::Read { path: path.to_owned(), source };
            trusted::who_else_may_write(path).map_err(failed)
        };
        let mut there = bin_dir;
        while !exists(there)? {
            there = there.parent().unwrap_or(Path::new("/"));
        }
        if let Some(what) = looked_at(there)? {
            return Err(KubeletError::OpenFolder { bin_dir: bin_dir.to_owned(), what });
        }
        if let Some(why) = looked_at(binary)? {
            return Ok((Placing::Copy, Some(why)));
        }
    }
    let _ = (binary, bin_dir);
    Ok((Placing::Link, None))
}

fn say_link(
    said: &mut String,
    plugin: &Path,
    binary: &Path,
    linking: &Linking,
    (placing, why): &(Placing, Option<String>),
    dry_run: bool,
) {
    let (plugin, binary) = (line_of(plugin), line_of(binary));
    let done = match (placing, dry_run) {
        (Placing::Link, false) => "linked",
        (Placing::Link, true) => "would link",
        (Placing::Copy, false) => "copied",
        (Placing::Copy, true) => "would copy",
    };
    let done = match placing {
        Placing::Link => format!("{done} {plugin} to {binary}"),
        Placing::Copy => format!("{done} {binary} to {plugin}"),
    };
    let _ = match linking {
        Linking::Nothing => writeln!(said, "{plugin} is this binary already"),
        Linking::New => writeln!(said, "{done}"),
        Linking::Keep(kept) => writeln!(said, "{done}; what was there is kept as {}", line_of(kept)),
    };
    if let (Some(why), false) = (why, *linking == Linking::Nothing) {
        let _ = writeln!(
            said,
            "It is a copy since {}: run this again after each update, or install the program where only root may write",
            one_line(why)
        );
    }
}

fn write_config(said: &mut String, configuration: &Configuration, dry_run: bool) -> Result<(), KubeletError> {
    let Configuration { file, old, new, unread, .. } = configuration;
    let path = &file.path;
    let _ = if old == new {
        writeln!(said, "{} says what it should already", line_of(path))
    } else if dry_run {
        writeln!(said, "would write {}:\n{}", line_of(path), difference(path, &old.text, &new.text))
    } else {
        let copy = backup::path(path);
        let keep = file.content.is_some() && !exists(&copy)?;
        if keep {
            file.back_up(&copy, MayReplace::Nothing)?;
        }
        file.replace(new.text.as_bytes())?;
        let kept = if keep { format!("; what it said before is kept as {}", line_of(&copy)) } else { String::new() };
        writeln!(said, "wrote {}{kept}", line_of(path))
    };
    for file in unread {
        let _ = writeln!(
            said,
            "{} is not read by the kubelet: of a directory it reads what ends in .json, .yaml or .yml",
            line_of(file)
        );
    }
    Ok(())
}

/// What is left for people to do.
fn advise(said: &mut String, plan: &Plan, configuration: &Configuration, config: &Path, bin_dir: &Path) {
    if paths::is_rancher(config, bin_dir) {
        let _ = writeln!(
            said,
            "\nk3s and RKE2 start their kubelet with these paths: restart them (k3s, k3s-agent, rke2-server or rke2-agent)."
        );
    } else {
        let _ = writeln!(
            said,
            "\nStart the kubelet with these two flags, and again after every change of the file:\n  \
         --image-credential-provider-config={}\n  --image-credential-provider-bin-dir={}",
            line_of(config),
            line_of(bin_dir)
        );
    }
    if !plan.tokens {
        return;
    }
    let audience = configuration.new.audience().unwrap_or_else(|| config::AUDIENCE.to_owned());
    let _ = writeln!(
        said,
        "\nLet the kubelets ask for service account tokens of this audience (kubectl apply -f -):\n\n{}",
        rbac(&audience)
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
