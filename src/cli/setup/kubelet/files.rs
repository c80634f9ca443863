//! The kubelet's configuration on the disk: one file, or since Kubernetes 1.34 a directory whose files are merged.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::{fs, io};

use super::config::{ConfigError, ConfigText, Plan, Refusal, check_names};
use super::version::VersionError;
use crate::os::fs::user_file::{self, UserFile};
use crate::protocol::kubelet::PLUGIN;

/// What the kubelet reads of a directory, by the ends of names.
pub(in crate::cli) const READ: [&str; 3] = ["json", "yaml", "yml"];

/// Why a configuration stays as it is. A kubelet that reads it in vain does not start.
#[derive(Debug, thiserror::Error)]
pub(super) enum FilesError {
    #[error(transparent)]
    File(#[from] user_file::FileError),
    #[error("{} is a directory: {source}", .path.display())]
    Version { path: PathBuf, source: VersionError },
    #[error("{} is left as it is: {source}", .path.display())]
    Config { path: PathBuf, source: ConfigError },
    #[error("{} is left as it is, and the kubelet would not start with it: {source}", .path.display())]
    Refused { path: PathBuf, source: Refusal },
    #[error(
        "{} and {} both name the provider {name}, with which the kubelet does not start: remove it from one of them; \
         nothing was changed", .first.display(), .second.display()
    )]
    Twice { name: String, first: PathBuf, second: PathBuf },
    #[error(
        "{} has no executable {name}, which {} names: the kubelet would not start; put it there, or name the \
         kubelet's directory with --bin-dir; nothing was changed", .directory.display(), .config.display()
    )]
    NoExecutable { name: String, directory: PathBuf, config: PathBuf },
    #[error("{} cannot be listed: {}", .path.display(), user_file::reason(.source))]
    List { path: PathBuf, source: io::Error },
}

/// What the kubelet reads, and what is to become of it.
#[derive(Debug)]
pub(super) struct Configuration {
    /// The file that is to be written, as it is now.
    pub(super) file: UserFile,
    pub(super) old: ConfigText,
    pub(super) new: ConfigText,
    /// Names of all providers, each with the file that names it.
    providers: Vec<(String, PathBuf)>,
    /// Files of the directory that look like configurations and that the kubelet does not read.
    pub(super) unread: Vec<PathBuf>,
}

impl Configuration {
    /// Reads the file or directory at `path` and puts our provider into it, in memory: into the file of a directory that has
    /// it, or else into one of our own.
    ///
    /// # Errors
    /// It cannot be read or edited, or the kubelet would not start with it.
    pub(super) fn plan(path: &Path, plan: &Plan) -> Result<Self, FilesError> {
        let is_directory = fs::metadata(path).is_ok_and(|metadata| metadata.is_dir());
        let (mut files, mut unread) = (Vec::new(), Vec::new());
        if is_directory {
            if let Some(Err(source)) = plan.version.map(super::version::KubeletVersion::needs_directories) {
                return Err(FilesError::Version { path: path.to_owned(), source });
            }
            let listed = list(path).map_err(|source| FilesError::List { path: path.to_owned(), source })?;
            for file in listed {
                if is_read(&file) {
                    files.push(read(&file)?);
                } else if is_mistaken(&file) {
                    unread.push(file);
                }
            }
        } else {
            files.push(read(path)?);
        }
        let ours = files.iter().position(|(_, text)| text.name_of_ours().is_some());
        let edited = match ours {
            Some(index) => index,
            None if !is_directory => 0,
            None => {
                files.push(read(&free_name(path))?);
                files.len() - 1
            }
        };
        let failed = |file: &UserFile, source| FilesError::Config { path: file.path.clone(), source };
        let mut providers: Vec<(String, PathBuf)> = Vec::new();
        let mut new = None;
        for (index, (file, text)) in files.iter().enumerate() {
            let completed = if index == edited {
                &*new.insert(text.completed(plan).map_err(|source| failed(file, source))?)
            } else {
                text
            };
            let refused = |source| FilesError::Refused { path: file.path.clone(), source };
            let names = completed.check(plan.version).map_err(refused)?;
            if !is_directory {
                check_names(names.iter().map(String::as_str)).map_err(refused)?;
            }
            for name in names {
                if let Some((_, first)) = providers.iter().find(|(other, _)| *other == name) {
                    let (first, second) = (first.clone(), file.path.clone());
                    return Err(FilesError::Twice { name, first, second });
                }
                providers.push((name, file.path.clone()));
            }
        }
        let (file, old) = files.swap_remove(edited);
        let new = new.unwrap_or_else(|| old.clone());
        Ok(Self { file, old, new, providers, unread })
    }

    /// The executable that our provider names.
    pub(super) fn plugin(&self) -> &'static str {
        self.new.name_of_ours().unwrap_or(PLUGIN)
    }

    /// Fails where another provider's executable is not in `directory`. (On Windows Go finds it by more than its name.)
    ///
    /// # Errors
    /// One is missing: the kubelet would not start.
    pub(super) fn check_executables(&self, directory: &Path) -> Result<(), FilesError> {
        if cfg!(windows) {
            return Ok(());
        }
        let others = self.providers.iter().filter(|(name, _)| name != self.plugin());
        for (name, config) in others {
            if !is_executable(&directory.join(name)) {
                let (name, directory, config) = (name.clone(), directory.to_owned(), config.clone());
                return Err(FilesError::NoExecutable { name, directory, config });
            }
        }
        Ok(())
    }
}

/// The files of a directory that the kubelet reads, by name.
///
/// # Errors
/// It cannot be listed.
pub(super) fn read_by_kubelet(directory: &Path) -> Result<Vec<PathBuf>, FilesError> {
    let mut files = list(directory).map_err(|source| FilesError::List { path: directory.to_owned(), source })?;
    files.retain(|file| is_read(file));
    Ok(files)
}

fn is_read(file: &Path) -> bool {
    READ.iter().any(|ending| file.extension().is_some_and(|found| found == *ending))
}

/// One file, and what it says.
///
/// # Errors
/// It cannot be read, or is neither JSON nor YAML.
pub(super) fn read(path: &Path) -> Result<(UserFile, ConfigText), FilesError> {
    let file = UserFile::read(path)?;
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    let text = ConfigText::read(file.content.as_deref().unwrap_or_default(), extension)
        .map_err(|source| FilesError::Config { path: path.to_owned(), source })?;
    Ok((file, text))
}

/// The files of a directory, by name; folders in it are nothing to the kubelet.
pub(in crate::cli) fn list(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for name in names(directory)? {
        let file = directory.join(name);
        if !fs::symlink_metadata(&file)?.is_dir() {
            files.push(file);
        }
    }
    files.sort();
    Ok(files)
}

/// Not by the standard library's listing, which panics where a directory cannot be closed.
#[cfg(unix)]
fn names(directory: &Path) -> io::Result<Vec<OsString>> {
    use rustix::fs::{Dir, Mode, OFlags};
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let mut names = Vec::new();
    for found in Dir::new(rustix::io::retry_on_intr(|| rustix::fs::open(directory, flags, Mode::empty()))?)? {
        let found = found?;
        let name = OsStr::from_bytes(found.file_name().to_bytes());
        if name != "." && name != ".." {
            names.push(name.to_owned());
        }
    }
    Ok(names)
}

#[cfg(not(unix))]
fn names(directory: &Path) -> io::Result<Vec<OsString>> {
    fs::read_dir(directory)?.map(|found| Ok(found?.file_name())).collect()
}

/// Whether a file that the kubelet does not read looks like a part of its configuration. Copies of ours are none.
fn is_mistaken(file: &Path) -> bool {
    let is_ours = file.to_string_lossy().contains(".before-ecr-login");
    let content = UserFile::read(file).ok().and_then(|file| file.content).unwrap_or_default();
    !is_ours && String::from_utf8_lossy(&content).contains("CredentialProviderConfig")
}

/// A name that is free in the directory.
fn free_name(directory: &Path) -> PathBuf {
    let names = std::iter::once(PLUGIN.to_owned()).chain((2..).map(|number| format!("{PLUGIN}-{number}")));
    let mut files = names.map(|name| directory.join(name + ".yaml"));
    files.find(|file| fs::symlink_metadata(file).is_err()).unwrap_or_else(|| directory.join("ecr-login.yaml"))
}

#[cfg(unix)]
fn is_executable(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    fs::metadata(file).is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_executable(file: &Path) -> bool {
    file.is_file()
}
