//! `setup plugin`: a copy of this binary in the place of the plugin of a node that runs already, and the old one back again.
//! The kubelet starts its plugin anew for each look-up, so it needs no restart; its configuration stays as it is.
//!
//! The directory may be a node's, seen from a container: the link leads to a file beside it, by its name alone.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::link::{self, LinkError, Linking, Placing};
use super::paths::Distribution;
use crate::cli::arguments::SetupPlugin;
use crate::cli::terminal;
use crate::os::fs::user_file::{self, reason};
use crate::protocol::kubelet::PLUGIN;

/// The copy's name in the plugins' directory, which the kubelet's configuration never names.
const COPY: &str = "ecr-credential-provider.ecr-login";

#[derive(Debug, thiserror::Error)]
enum PluginError {
    #[error(
        "{} has no {PLUGIN}, whose place this binary is to take: name the kubelet's --image-credential-provider-bin-dir \
         with --bin-dir", .0.display()
    )]
    NoPlugin(PathBuf),
    #[error("{} is this binary already, and nothing is kept that could be put back: install the plugin anew", .0.display())]
    NothingKept(PathBuf),
    #[error(transparent)]
    Link(#[from] LinkError),
    #[error("{}: {}; the node is as it was", .path.display(), reason(.source))]
    Unchanged { path: PathBuf, source: io::Error },
    #[error("{}: {}", .path.display(), reason(.source))]
    Undone { path: PathBuf, source: io::Error },
    #[error("this binary's own path is not known: {0}")]
    Ourselves(io::Error),
    #[error("signals cannot be waited for: {0}")]
    Signals(io::Error),
    #[error("what was done cannot be shown on stdout: {0}")]
    Output(io::Error),
}

/// `setup plugin`
pub(crate) fn run(arguments: &SetupPlugin) -> ExitCode {
    match set_up(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            terminal::warn_line(&format!("setup plugin: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn set_up(arguments: &SetupPlugin) -> Result<(), PluginError> {
    let usual = Distribution::of_node(|path| path.try_exists().unwrap_or(true)).bin_dir();
    let directory = arguments.bin_dir.clone().unwrap_or_else(|| usual.into());
    let place = Place::of(&directory);
    let say = |line: String| terminal::print(&line).map_err(PluginError::Output);
    if arguments.undo {
        return say(place.take_back()?);
    }
    let binary = std::env::current_exe().map_err(PluginError::Ourselves)?;
    if !arguments.until_stopped {
        return say(place.put(&binary)?);
    }
    // The signals first: one that came while the plugin is being put there is not lost. (A container's first process
    // ignores those that it does not wait for.)
    let stopped = Stopped::new().map_err(PluginError::Signals)?;
    say(place.put(&binary)?)?;
    stopped.wait();
    say(place.take_back()?)
}

/// The plugins' directory.
struct Place {
    directory: PathBuf,
    plugin: PathBuf,
    copy: PathBuf,
}

impl Place {
    fn of(directory: &Path) -> Self {
        Self {
            directory: directory.to_owned(),
            plugin: link::plugin(directory, PLUGIN),
            copy: link::plugin(directory, COPY),
        }
    }

    /// Whether the plugin is the copy.
    ///
    /// # Errors
    /// It cannot be determined: a copy that a link still leads to must not be removed.
    fn is_ours(&self) -> io::Result<bool> {
        match fs::read_link(&self.plugin) {
            Ok(leads) => Ok(Some(leads.as_path()) == self.copy.file_name().map(Path::new)),
            // Not a link, or nothing at all.
            Err(error) if matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::NotFound) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Puts the copy there and the plugin's name on it; what to say. Where that fails, all is as it was.
    fn put(&self, binary: &Path) -> Result<String, PluginError> {
        match fs::symlink_metadata(&self.plugin) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(PluginError::NoPlugin(self.directory.clone()));
            }
            Err(source) => return Err(PluginError::Unchanged { path: self.plugin.clone(), source }),
        }
        user_file::sweep(&self.plugin);
        user_file::sweep(&self.copy);
        let is_new = fs::symlink_metadata(&self.copy).is_err();
        self.renew_copy(binary).map_err(|source| PluginError::Unchanged { path: self.copy.clone(), source })?;
        if self.is_ours().map_err(|source| PluginError::Unchanged { path: self.plugin.clone(), source })? {
            return Ok(format!("{} is this binary\n", self.plugin.display()));
        }
        let linking = link::plan(&self.plugin, &self.copy)?;
        if let Err(error) = link::put(&self.plugin, &self.copy, &linking, Placing::Link) {
            self.forget_kept();
            if is_new {
                let _ = fs::remove_file(&self.copy);
            }
            return Err(error.into());
        }
        self.sync();
        Ok(match linking {
            Linking::Keep(kept) => {
                format!("{} is this binary; what was there is kept as {}\n", self.plugin.display(), kept.display())
            }
            _ => format!("{} is this binary\n", self.plugin.display()),
        })
    }

    /// The copy says what `binary` says. The old one, which may be running, keeps its content.
    fn renew_copy(&self, binary: &Path) -> io::Result<()> {
        let content = fs::read(binary)?;
        if fs::read(&self.copy).is_ok_and(|there| there == content) {
            return Ok(());
        }
        let name = self.copy.file_name().unwrap_or_default().to_string_lossy();
        let temporary = self.directory.join(user_file::temporary(&name));
        let _ = fs::remove_file(&temporary);
        let written = write_executable(&temporary, &content).and_then(|()| fs::rename(&temporary, &self.copy));
        if written.is_err() {
            let _ = fs::remove_file(&temporary);
        }
        written
    }

    /// Puts back what was kept, and removes the copy; what to say.
    fn take_back(&self) -> Result<String, PluginError> {
        let undone = |path: &Path| {
            let path = path.to_owned();
            move |source| PluginError::Undone { path, source }
        };
        let said = if self.is_ours().map_err(undone(&self.plugin))? {
            let kept = link::kept_last(&self.plugin).ok_or_else(|| PluginError::NothingKept(self.plugin.clone()))?;
            fs::rename(&kept, &self.plugin).map_err(undone(&self.plugin))?;
            format!("{} is what it was before\n", self.plugin.display())
        } else {
            self.forget_kept();
            match fs::symlink_metadata(&self.plugin) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    format!("{} is not there\n", self.plugin.display())
                }
                _ => format!("{} is not this binary, and stays\n", self.plugin.display()),
            }
        };
        match fs::remove_file(&self.copy) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(source) => return Err(undone(&self.copy)(source)),
        }
        self.sync();
        Ok(said)
    }

    /// Removes the second name of a plugin whose place was not taken after all.
    fn forget_kept(&self) {
        if let Some(kept) = link::kept_last(&self.plugin)
            && link::are_same(&kept, &self.plugin)
        {
            let _ = fs::remove_file(kept);
        }
    }

    /// So that the names survive a power cut; where a directory cannot be synced, nothing is lost by it.
    fn sync(&self) {
        if let Ok(directory) = File::open(&self.directory) {
            let _ = directory.sync_all();
        }
    }
}

fn write_executable(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    let mut file = options.open(path)?;
    io::Write::write_all(&mut file, content)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        // Whatever the umask: the kubelet starts it, and others may look.
        file.set_permissions(fs::Permissions::from_mode(0o755))?;
    }
    file.sync_all()
}

/// SIGTERM and SIGINT, which are waited for from the moment that this is made. (Not tokio's: with that feature every runtime
/// opens a pair of sockets when it starts, on the way of each `get` that asks ECR.)
#[cfg(unix)]
struct Stopped(signal_hook::iterator::Signals);

#[cfg(unix)]
impl Stopped {
    fn new() -> io::Result<Self> {
        use signal_hook::consts::{SIGINT, SIGTERM};
        signal_hook::iterator::Signals::new([SIGTERM, SIGINT]).map(Self)
    }

    fn wait(mut self) {
        self.0.forever().next();
    }
}

/// There are no nodes of this kind; a console's interrupt ends the process.
#[cfg(not(unix))]
struct Stopped;

#[cfg(not(unix))]
impl Stopped {
    fn new() -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn wait(self) {}
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use super::*;

    /// A node's directory with a plugin, and a binary of ours elsewhere.
    fn node() -> (tempfile::TempDir, Place, PathBuf) {
        let root = tempfile::tempdir().unwrap();
        let directory = root.path().join("plugins");
        fs::create_dir(&directory).unwrap();
        fs::write(directory.join(PLUGIN), "theirs").unwrap();
        let binary = root.path().join("helper");
        fs::write(&binary, "ours").unwrap();
        let place = Place::of(&directory);
        (root, place, binary)
    }

    fn names(place: &Place) -> Vec<String> {
        let names = fs::read_dir(&place.directory).unwrap();
        let mut names: Vec<_> = names.map(|found| found.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn the_plugin_gives_way_and_comes_back() {
        let (_root, place, binary) = node();
        place.put(&binary).unwrap();
        assert_eq!(fs::read_link(&place.plugin).unwrap(), Path::new(COPY), "whatever the directory's path elsewhere");
        assert_eq!(fs::read_to_string(&place.plugin).unwrap(), "ours");
        assert_eq!(names(&place), [PLUGIN, "ecr-credential-provider.before-ecr-login", COPY]);
        place.take_back().unwrap();
        assert_eq!(
            (names(&place), fs::read_to_string(&place.plugin).unwrap()),
            (vec![PLUGIN.to_owned()], "theirs".into())
        );
    }

    #[test]
    fn a_newer_copy_takes_the_older_one_s_place_and_the_plugin_of_before_is_kept() {
        let (_root, place, binary) = node();
        place.put(&binary).unwrap();
        fs::write(&binary, "newer").unwrap();
        place.put(&binary).unwrap();
        assert_eq!(fs::read_to_string(&place.plugin).unwrap(), "newer");
        assert_eq!(names(&place).len(), 3);
        place.take_back().unwrap();
        assert_eq!((names(&place).len(), fs::read_to_string(&place.plugin).unwrap()), (1, "theirs".into()));
    }

    #[test]
    fn a_plugin_that_was_put_there_meanwhile_stays() {
        let (_root, place, binary) = node();
        place.put(&binary).unwrap();
        fs::remove_file(&place.plugin).unwrap();
        fs::write(&place.plugin, "an update").unwrap();
        place.take_back().unwrap();
        assert_eq!(fs::read_to_string(&place.plugin).unwrap(), "an update");
        assert!(!place.copy.exists());
    }

    #[test]
    fn a_directory_without_a_plugin_is_left_alone() {
        let (_root, place, binary) = node();
        fs::remove_file(&place.plugin).unwrap();
        assert!(matches!(place.put(&binary), Err(PluginError::NoPlugin(_))));
        assert!(names(&place).is_empty());
    }

    #[test]
    fn what_a_kill_left_is_no_obstacle_and_goes_with_the_undo() {
        let (_root, place, binary) = node();
        fs::hard_link(&place.plugin, place.directory.join("ecr-credential-provider.before-ecr-login")).unwrap();
        fs::write(&place.copy, "half").unwrap();
        place.take_back().unwrap();
        assert_eq!(names(&place), [PLUGIN]);
        fs::write(&place.copy, "half").unwrap();
        place.put(&binary).unwrap();
        assert_eq!(fs::read_to_string(&place.plugin).unwrap(), "ours");
        place.take_back().unwrap();
        assert_eq!((names(&place).len(), fs::read_to_string(&place.plugin).unwrap()), (1, "theirs".into()));
    }

    #[test]
    fn without_anything_kept_the_undo_fails_and_leaves_a_plugin() {
        let (_root, place, binary) = node();
        place.put(&binary).unwrap();
        fs::remove_file(link::kept_last(&place.plugin).unwrap()).unwrap();
        assert!(matches!(place.take_back(), Err(PluginError::NothingKept(_))));
        assert_eq!(fs::read_to_string(&place.plugin).unwrap(), "ours");
    }
}
