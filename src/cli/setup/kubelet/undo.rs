//! `setup kubelet --undo`: the configuration as it was, and then the plugin, so that at no instant a provider is named whose
//! executable is missing.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use super::KubeletError;
use super::advice;
use super::config::{ConfigText, Plan};
use super::files::{self, FilesError};
use super::link;
use super::paths::Distribution;
use crate::cli::setup::{backup, difference};
use crate::os::fs::user_file::{self, FileError, UserFile, exists};
use crate::protocol::kubelet::PLUGIN;
use crate::text::printable::line_of;

/// What is to become of the configuration.
enum Config {
    /// Nothing of this helper's is in it.
    Nothing,
    /// It stays: it named the provider before setup, or that cannot be determined.
    Stays(UserFile, ConfigText),
    /// It says what it said before; the copy goes.
    Before { file: UserFile, now: ConfigText, before: ConfigText, copy: PathBuf },
    /// There was none.
    Remove(UserFile, ConfigText),
}

/// What is to become of the plugin.
enum Plugin {
    /// It is not this program, or not there.
    Stays,
    /// The one that was kept has its name again.
    PutBack(PathBuf),
    /// It goes, as there was none.
    Remove,
    /// It stays, since the configuration names it and nothing was kept.
    Needed,
}

/// Undoes; what to say.
pub(super) fn undo(
    distribution: Distribution,
    config: &Path,
    bin_dir: &Path,
    binary: &Path,
    dry_run: bool,
) -> Result<String, KubeletError> {
    let planned = look(config)?;
    let (name, named_after) = match &planned {
        Config::Nothing => (PLUGIN, None),
        Config::Stays(_, now) => (now.name_of_ours().unwrap_or(PLUGIN), now.name_of_ours()),
        Config::Before { now, before, .. } => (now.name_of_ours().unwrap_or(PLUGIN), before.name_of_ours()),
        Config::Remove(_, now) => (now.name_of_ours().unwrap_or(PLUGIN), None),
    };
    let plugin = link::plugin(bin_dir, name);
    let placed = look_at_plugin(&plugin, binary, named_after == Some(name))?;
    let mut said = String::new();
    if !dry_run {
        // What a setup or an undo that was killed left over.
        user_file::sweep(&plugin);
        user_file::sweep(match &planned {
            Config::Nothing => config,
            Config::Stays(file, _) | Config::Before { file, .. } | Config::Remove(file, _) => &file.path,
        });
    }
    undo_config(&mut said, config, &planned, dry_run)?;
    undo_plugin(&mut said, &plugin, &placed, dry_run)?;
    let is_removed = matches!(planned, Config::Remove(..));
    if is_removed && !distribution.knows(config, bin_dir) {
        let _ = writeln!(
            said,
            "\nTake --image-credential-provider-config and --image-credential-provider-bin-dir off the kubelet's flags \
             before its next start: it does not start without the file. {}",
            advice::restart(distribution)
        );
    } else if is_removed || matches!(planned, Config::Before { .. }) {
        let _ = writeln!(said, "\n{}", advice::restart(distribution));
    }
    Ok(said)
}

/// Looks what is there. The file of a directory is the one that has our provider.
fn look(config: &Path) -> Result<Config, KubeletError> {
    let candidates = if config.is_dir() { files::read_by_kubelet(config)? } else { vec![config.to_owned()] };
    for path in candidates {
        let (mut file, now) = files::read(&path)?;
        if file.content.is_none() {
            continue;
        }
        let copy = backup::path(&path);
        let kept = UserFile::read_copy(&copy, &file)?;
        // An undo that was killed has written the file and not yet removed the copy.
        if now.name_of_ours().is_none() && kept.content != file.content {
            continue;
        }
        let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        let before = match &kept.content {
            Some(bytes) => ConfigText::read(bytes, extension)
                .map_err(|source| FilesError::Config { path: copy.clone(), source })?,
            None => {
                ConfigText::read(b"", extension).map_err(|source| FilesError::Config { path: path.clone(), source })?
            }
        };
        let is_ours = kept.content == file.content || made_of(&before, &now);
        return match kept.content {
            None if is_ours => Ok(Config::Remove(file, now)),
            None => Ok(Config::Stays(file, now)),
            Some(_) if is_ours => {
                file.no_more_open_than(&kept);
                Ok(Config::Before { file, now, before, copy })
            }
            Some(_) => Err(KubeletError::ChangedSince { path, copy }),
        };
    }
    Ok(Config::Nothing)
}

/// Whether `setup` made `now` of `before`, byte for byte: by any version and options.
fn made_of(before: &ConfigText, now: &ConfigText) -> bool {
    let images = now.images_of_ours();
    let versions = ["1.34", "1.33", "1.26", "1.24", "1.20"].into_iter().filter_map(|version| version.parse().ok());
    let versions: Vec<_> = std::iter::once(None).chain(versions.map(Some)).collect();
    [false, true].into_iter().any(|tokens| {
        versions.iter().any(|version| {
            let plan = Plan { images: images.clone(), tokens, version: *version };
            before.completed(&plan).is_ok_and(|made| made.text == now.text)
        })
    })
}

fn look_at_plugin(plugin: &Path, binary: &Path, is_named: bool) -> Result<Plugin, KubeletError> {
    if !link::is_this(plugin, binary)? {
        return Ok(Plugin::Stays);
    }
    Ok(match link::kept_newest(plugin)? {
        Some(kept) => Plugin::PutBack(kept),
        None if is_named => Plugin::Needed,
        None => Plugin::Remove,
    })
}

fn undo_config(said: &mut String, config: &Path, planned: &Config, dry_run: bool) -> Result<(), KubeletError> {
    let would = if dry_run { "would be " } else { "" };
    match planned {
        Config::Nothing if !exists(config)? => {
            let _ = writeln!(said, "{} is not there", line_of(config));
        }
        Config::Nothing => {
            let _ = writeln!(said, "{}: nothing of this helper's is in it", line_of(config));
        }
        Config::Stays(file, _) => {
            let _ = writeln!(
                said,
                "{}: stays as it is, since it is not what setup would have made, and there is no copy of before",
                line_of(&file.path)
            );
        }
        Config::Before { file, now, before, copy } => {
            if dry_run {
                let _ = write!(
                    said,
                    "would write {}:\n{}",
                    line_of(&file.path),
                    difference(&file.path, &now.text, &before.text)
                );
                return Ok(());
            }
            file.replace(before.text.as_bytes())?;
            let _ = writeln!(said, "{}: as it was before", line_of(&file.path));
            match fs::remove_file(copy) {
                Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                    return Err(FileError::Remove { path: copy.clone(), source }.into());
                }
                _ => {}
            }
        }
        Config::Remove(file, _) => {
            if !dry_run {
                file.remove()?;
            }
            let _ = writeln!(said, "{}: {would}removed, as there was none before", line_of(&file.path));
        }
    }
    Ok(())
}

fn undo_plugin(said: &mut String, plugin: &Path, placed: &Plugin, dry_run: bool) -> Result<(), KubeletError> {
    let would = if dry_run { "would be " } else { "" };
    let path = line_of(plugin);
    match placed {
        Plugin::Stays if exists(plugin)? => {
            let _ = writeln!(said, "{path} is not this program, and stays");
        }
        Plugin::Stays => {}
        Plugin::PutBack(kept) => {
            if !dry_run {
                link::put_back(plugin, kept)?;
            }
            let _ = writeln!(said, "{path}: {would}what it was before");
        }
        Plugin::Remove => {
            if !dry_run {
                link::remove(plugin)?;
            }
            let _ = writeln!(said, "{path}: {would}removed, as there was none before");
        }
        Plugin::Needed => {
            let _ = writeln!(said, "{path} stays, as the configuration names it and nothing else was there before");
        }
    }
    Ok(())
}
