//! `setup kubelet`: a link to this binary where the kubelet looks for plugins, and the `CredentialProviderConfig`
//! that tells it which images are ours.

mod advice;
pub mod config;
mod files;
mod installed;
mod link;
mod paths;
pub(crate) mod plugin;
mod undo;
pub mod version;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use config::Plan;
use files::{Configuration, FilesError};
pub(in crate::cli) use files::{READ, list};
use link::{LinkError, Linking, Placing};
use paths::Distribution;
use version::{KubeletVersion, VersionError};

use super::{backup, difference};
use crate::cli::arguments::SetupKubelet;
use crate::cli::terminal;
use crate::os::environment::Environment;
use crate::os::fs::trusted;
use crate::os::fs::user_file::{self, FileError, MayReplace, exists};
use crate::os::user;
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
    #[error("{} is this node's kubelet: {source}; nothing was changed", .program.display())]
    Installed { program: PathBuf, source: VersionError },
    #[error(
        "{} is not what setup made of {}, and what was changed since may be wanted: put it right by hand, or \
         copy what is wanted into the latter and rename it; nothing was changed", .path.display(), .copy.display()
    )]
    ChangedSince { path: PathBuf, copy: PathBuf },
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
    #[error(
        "{argument} {}: there is no folder {}; make it first (mkdir -p {}), or correct the path; nothing was changed",
        .path.display(), .folder.display(), .folder.display()
    )]
    NoFolder { argument: &'static str, path: PathBuf, folder: PathBuf },
    #[error(
        "--config {} is not there: a new file ends in .json, .yaml or .yml, and a directory has to be made first \
         (mkdir -p {}); nothing was changed",
        .0.display(), .0.display()
    )]
    FileOrDirectory(PathBuf),
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
            let as_root = if error.is_of_rights() && !user::is_root() { "; run this as root (sudo)" } else { "" };
            terminal::warn_line(&format!("setup kubelet: {error}{as_root}"));
            ExitCode::FAILURE
        }
    }
}

impl KubeletError {
    /// Whether rights are missing.
    fn is_of_rights(&self) -> bool {
        let source = match self {
            Self::File(FileError::Read { source, .. } | FileError::Write { source, .. }) => source,
            Self::Link(error) => return error.is_of_rights(),
            Self::Files(FilesError::File(FileError::Read { source, .. })) => source,
            _ => return false,
        };
        source.kind() == std::io::ErrorKind::PermissionDenied
    }
}

/// Fails where a path of an argument leads into a folder that is not there: a mistyped path makes none. Those of the
/// distributions are made.
fn check_folders(arguments: &SetupKubelet, config: &Path, bin_dir: &Path) -> Result<(), KubeletError> {
    if arguments.config.is_some() && !Distribution::is_config(config) && !exists(config)? {
        let folder = config.parent().unwrap_or(Path::new("/")).to_owned();
        if !exists(&folder)? {
            return Err(KubeletError::NoFolder { argument: "--config", path: config.to_owned(), folder });
        }
        if !READ.iter().any(|ending| config.extension().is_some_and(|found| found == *ending)) {
            return Err(KubeletError::FileOrDirectory(config.to_owned()));
        }
    }
    if arguments.bin_dir.is_some() && !Distribution::is_bin_dir(bin_dir) && !exists(bin_dir)? {
        let (path, folder) = (bin_dir.to_owned(), bin_dir.to_owned());
        return Err(KubeletError::NoFolder { argument: "--bin-dir", path, folder });
    }
    Ok(())
}

fn set_up(arguments: &SetupKubelet, environment: &Environment) -> Result<(), KubeletError> {
    let distribution = Distribution::of_node(|path| exists(path).unwrap_or(true));
    let absolute = |given: &Option<PathBuf>, usual: &str| {
        let path = given.clone().unwrap_or_else(|| usual.into());
        std::path::absolute(&path).unwrap_or(path)
    };
    let config = absolute(&arguments.config, distribution.config());
    let bin_dir = absolute(&arguments.bin_dir, distribution.bin_dir());
    let binary = std::env::current_exe().map_err(KubeletError::Ourselves)?;
    if arguments.undo {
        let said = undo::undo(distribution, &config, &bin_dir, &binary, arguments.dry_run)?;
        return terminal::print(&page(&said)).map_err(KubeletError::Output);
    }
    check_folders(arguments, &config, &bin_dir)?;
    let mut said = String::new();
    let version = version(arguments, distribution, environment, &mut said)?;
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
    if !arguments.dry_run {
        user_file::sweep(&configuration.file.path);
        user_file::sweep(&plugin);
        link::put(&plugin, &binary, &linking, placing.0)?;
    }
    say_link(&mut said, &plugin, &binary, &linking, &placing, arguments.dry_run);
    if let Err(error) = write_config(&mut said, &configuration, arguments.dry_run) {
        // The link changes only together with the configuration.
        if !arguments.dry_run {
            link::take_back(&plugin, &linking);
        }
        return Err(error);
    }
    said.push_str(&advice::flags(distribution, &config, &bin_dir, |path| exists(path).unwrap_or(false)));
    if plan.tokens {
        advice::tokens(&mut said, &plan, &configuration);
    }
    if !arguments.dry_run {
        said.push_str(&advice::trial(&arguments.config, &arguments.bin_dir));
    }
    terminal::print(&page(&said)).map_err(KubeletError::Output)
}

/// The kubelet's version: that of the argument, or that of this node's kubelet.
fn version(
    arguments: &SetupKubelet,
    distribution: Distribution,
    environment: &Environment,
    said: &mut String,
) -> Result<Option<KubeletVersion>, KubeletError> {
    if let Some(given) = &arguments.kubelet_version {
        let version: KubeletVersion = given.parse()?;
        if arguments.service_account_tokens {
            version.needs_tokens()?;
        }
        return Ok(Some(version));
    }
    let failed = |(program, source)| KubeletError::Installed { program, source };
    let Some((program, version)) = installed::version(distribution, environment).map_err(failed)? else {
        return Ok(None);
    };
    if arguments.service_account_tokens {
        version.needs_tokens().map_err(|source| failed((program.clone(), source)))?;
    }
    let _ = writeln!(said, "{} is version {version}", line_of(&program));
    Ok(Some(version))
}

/// Whether the plugin may be a link to this binary, and if not, why. Root's kubelet is to run nothing that another user could
/// change; whoever is not root decides nothing for root here.
fn placing(binary: &Path, bin_dir: &Path) -> Result<(Placing, Option<String>), KubeletError> {
    if user::is_root() {
        // What cannot be examined may belong to any user.
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

/// Where the log of this node's kubelet is, by its distribution.
pub(in crate::cli) fn usual_log() -> &'static str {
    Distribution::of_node(|path| exists(path).unwrap_or(true)).log()
}

/// The configuration and the directory of plugins of this node's kubelet, by its distribution.
pub(in crate::cli) fn usual_paths() -> (PathBuf, PathBuf) {
    let distribution = Distribution::of_node(|path| exists(path).unwrap_or(true));
    (distribution.config().into(), distribution.bin_dir().into())
}
