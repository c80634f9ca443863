//! The plugin in the kubelet's directory: a link to this binary. A binary that was there is kept beside it.

use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};

use crate::os::fs::canonical;
use crate::os::fs::user_file::{self, reason};

/// What is to be done so that the plugin is this binary.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Linking {
    /// It is already.
    Nothing,
    /// Nothing is there yet.
    New,
    /// Another one is there, and is kept under this name.
    Keep(PathBuf),
}

/// Why the plugin could not be put there.
#[derive(Debug, thiserror::Error)]
#[error("{}: {}", .path.display(), reason(.source))]
pub(super) struct LinkError {
    path: PathBuf,
    source: io::Error,
}

impl LinkError {
    /// Whether rights are missing.
    pub(super) fn is_of_rights(&self) -> bool {
        self.source.kind() == io::ErrorKind::PermissionDenied
    }
}

/// The path in `directory` of the plugin that the kubelet's file calls `name`.
pub(super) fn plugin(directory: &Path, name: &str) -> PathBuf {
    directory.join(if cfg!(windows) { format!("{name}.exe") } else { name.to_owned() })
}

/// Looks what is there now.
///
/// # Errors
/// It cannot be looked at, or is a directory.
pub(super) fn plan(plugin: &Path, binary: &Path) -> Result<Linking, LinkError> {
    let failed = |source| LinkError { path: plugin.to_owned(), source };
    let there = match fs::symlink_metadata(plugin) {
        Ok(there) => there,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Linking::New),
        Err(error) => return Err(failed(error)),
    };
    if there.is_dir() {
        return Err(failed(io::Error::new(io::ErrorKind::IsADirectory, "is a directory")));
    }
    let same = match (canonical(plugin), canonical(binary)) {
        (Ok(plugin), Ok(binary)) => plugin == binary,
        _ => false,
    };
    if same { Ok(Linking::Nothing) } else { Ok(Linking::Keep(kept(plugin, &there)?)) }
}

/// More than any setup needs.
const MAX_BACKUPS: u32 = 1_000;

/// The names under which a plugin is kept, in the order in which they are taken.
fn kept_names(plugin: &Path) -> impl Iterator<Item = PathBuf> {
    (0..MAX_BACKUPS).map(|number| {
        let mut name = plugin.file_name().unwrap_or_default().to_owned();
        name.push(".before-ecr-login");
        if number > 0 {
            name.push(format!(".{number}"));
        }
        plugin.with_file_name(name)
    })
}

/// A name beside the plugin that is not taken, or that this very file has already: a setup that was killed gave it.
fn kept(plugin: &Path, there: &Metadata) -> Result<PathBuf, LinkError> {
    for path in kept_names(plugin) {
        match fs::symlink_metadata(&path) {
            Ok(taken) if !is_same_file(&taken, there) => {}
            Ok(_) => return Ok(path),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(path),
            Err(source) => return Err(LinkError { path, source }),
        }
    }
    Err(LinkError {
        path: plugin.to_owned(),
        source: io::Error::other(format!("{MAX_BACKUPS} others are kept already")),
    })
}

#[cfg(unix)]
fn is_same_file(one: &Metadata, other: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

#[cfg(not(unix))]
fn is_same_file(_one: &Metadata, _other: &Metadata) -> bool {
    false
}

/// Gives the plugin a second name; where the file system has no links, copies it. Nothing that has that name is lost.
fn keep(plugin: &Path, kept: &Path, temporary: &Path) -> io::Result<()> {
    match fs::hard_link(plugin, kept) {
        Ok(()) => return Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let same = is_same_file(&fs::symlink_metadata(plugin)?, &fs::symlink_metadata(kept)?);
            return if same { Ok(()) } else { Err(error) };
        }
        Err(_) => {}
    }
    // Half a copy must not bear the name.
    let copied = fs::copy(plugin, temporary).and_then(|_| fs::rename(temporary, kept));
    if copied.is_err() {
        let _ = fs::remove_file(temporary);
    }
    copied
}

/// Whether the plugin is a copy of the binary already.
pub(super) fn is_copy(plugin: &Path, binary: &Path) -> bool {
    let are_equal = || {
        Ok::<_, io::Error>(
            fs::metadata(plugin)?.len() == fs::metadata(binary)?.len() && fs::read(plugin)? == fs::read(binary)?,
        )
    };
    fs::symlink_metadata(plugin).is_ok_and(|there| there.is_file()) && are_equal().unwrap_or(false)
}

/// Whether the plugin is this binary: a link to it, or a copy.
///
/// # Errors
/// That cannot be determined.
pub(super) fn is_this(plugin: &Path, binary: &Path) -> Result<bool, LinkError> {
    let failed = |source| LinkError { path: plugin.to_owned(), source };
    let Some(there) = fs::symlink_metadata(plugin).map(Some).or_else(or_nothing).map_err(failed)? else {
        return Ok(false);
    };
    if there.is_symlink() {
        let leads = canonical(plugin).map(Some).or_else(or_nothing).map_err(failed)?;
        return Ok(leads == Some(canonical(binary).map_err(failed)?));
    }
    let length = fs::metadata(binary).map_err(failed)?.len();
    Ok(there.is_file()
        && there.len() == length
        && fs::read(plugin).map_err(failed)? == fs::read(binary).map_err(failed)?)
}

fn or_nothing<T>(error: io::Error) -> io::Result<Option<T>> {
    if error.kind() == io::ErrorKind::NotFound { Ok(None) } else { Err(error) }
}

/// The newest that was kept of the plugin.
///
/// # Errors
/// That cannot be determined: it must not be taken for none.
pub(super) fn kept_newest(plugin: &Path) -> Result<Option<PathBuf>, LinkError> {
    let mut newest = None;
    for path in kept_names(plugin) {
        match fs::symlink_metadata(&path) {
            Ok(_) => newest = Some(path),
            Err(error) if error.kind() == io::ErrorKind::NotFound => break,
            Err(source) => return Err(LinkError { path, source }),
        }
    }
    Ok(newest)
}

/// How the plugin comes to be this binary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Placing {
    /// By a link to it.
    Link,
    /// By a copy, since others could change what a link would lead to.
    Copy,
}

/// Puts the link or the copy there. At no instant is there no plugin where there was one.
///
/// # Errors
/// A directory or file could not be made; what was there is there still.
pub(super) fn put(plugin: &Path, binary: &Path, linking: &Linking, placing: Placing) -> Result<(), LinkError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| LinkError { path, source }
    };
    let directory = plugin.parent().unwrap_or(Path::new("."));
    make_directory(directory).map_err(failed(directory))?;
    let name = plugin.file_name().unwrap_or_default().to_string_lossy();
    let temporary = directory.join(user_file::temporary(&name));
    let _ = fs::remove_file(&temporary);
    match linking {
        Linking::Nothing => return Ok(()),
        Linking::New => {}
        // A second name first, so that the first one is never missing.
        Linking::Keep(kept) => keep(plugin, kept, &temporary).map_err(failed(kept))?,
    }
    let put = match linking {
        // What is there by now stays: a rename would take it away.
        Linking::New if cfg!(unix) && placing == Placing::Link => link(binary, plugin),
        Linking::New if cfg!(unix) => copy(binary, &temporary).and_then(|()| {
            let put = fs::hard_link(&temporary, plugin);
            let _ = fs::remove_file(&temporary);
            put
        }),
        _ => match placing {
            Placing::Link => link(binary, &temporary),
            Placing::Copy => copy(binary, &temporary),
        }
        .and_then(|()| fs::rename(&temporary, plugin)),
    };
    if put.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    put.map_err(failed(plugin))
}

/// Undoes [`put`] where what belongs to it could not be done. What fails is left: the plugin is this binary then.
pub(super) fn take_back(plugin: &Path, linking: &Linking) {
    let _ = match linking {
        Linking::Nothing => Ok(()),
        Linking::New => fs::remove_file(plugin),
        Linking::Keep(kept) => fs::rename(kept, plugin),
    };
}

/// Gives the plugin that was kept its name back. At no instant is there none.
///
/// # Errors
/// It could not be renamed; the plugin is what it was.
pub(super) fn put_back(plugin: &Path, kept: &Path) -> Result<(), LinkError> {
    fs::rename(kept, plugin).map_err(|source| LinkError { path: plugin.to_owned(), source })
}

/// Removes the plugin.
///
/// # Errors
/// It is there still.
pub(super) fn remove(plugin: &Path) -> Result<(), LinkError> {
    match fs::remove_file(plugin) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => Err(LinkError { path: plugin.to_owned(), source }),
        _ => Ok(()),
    }
}

/// A new file with the binary's content, which its owner alone may write.
fn copy(binary: &Path, to: &Path) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    let mut file = options.open(to)?;
    io::copy(&mut fs::File::open(binary)?, &mut file)?;
    #[cfg(unix)]
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
    file.sync_all()
}

/// Makes the directory and those above it that are missing, open to all for reading whatever the umask: the kubelet may run
/// as another user than whoever sets it up.
fn make_directory(directory: &Path) -> io::Result<()> {
    if directory.as_os_str().is_empty() || directory.is_dir() {
        return Ok(());
    }
    if let Some(above) = directory.parent() {
        make_directory(above)?;
    }
    match fs::create_dir(directory) {
        Ok(()) => {
            #[cfg(unix)]
            fs::set_permissions(directory, std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
            Ok(())
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

/// The newest that was kept of the plugin.
pub(super) fn kept_last(plugin: &Path) -> Option<PathBuf> {
    kept_names(plugin).take_while(|path| fs::symlink_metadata(path).is_ok()).last()
}

/// Whether both names are one file's.
pub(super) fn are_same(one: &Path, other: &Path) -> bool {
    match (fs::symlink_metadata(one), fs::symlink_metadata(other)) {
        (Ok(one), Ok(other)) => is_same_file(&one, &other),
        _ => false,
    }
}

/// To a binary in the link's own directory it leads by the name alone: the directory may have another path elsewhere.
#[cfg(unix)]
fn link(binary: &Path, link: &Path) -> io::Result<()> {
    let beside = binary.file_name().filter(|_| binary.parent() == link.parent());
    std::os::unix::fs::symlink(beside.map_or(binary, Path::new), link)
}

/// Links want a privilege there.
#[cfg(not(unix))]
fn link(binary: &Path, link: &Path) -> io::Result<()> {
    fs::copy(binary, link).map(|_| ())
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> (tempfile::TempDir, PathBuf, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let binary = directory.path().join("docker-credential-ecr-login");
        fs::write(&binary, "ours").unwrap();
        let plugin = plugin(&directory.path().join("bin"), "ecr-credential-provider");
        (directory, plugin, binary)
    }

    #[test]
    fn the_plugin_is_linked_once() {
        let (_directory, plugin, binary) = place();
        assert_eq!(plan(&plugin, &binary).unwrap(), Linking::New);
        put(&plugin, &binary, &Linking::New, Placing::Link).unwrap();
        assert_eq!(fs::read_link(&plugin).unwrap(), binary);
        assert_eq!(plan(&plugin, &binary).unwrap(), Linking::Nothing);
    }

    #[test]
    fn a_copy_is_made_once_and_no_other_user_may_write_it() {
        use std::os::unix::fs::PermissionsExt;
        let (_directory, plugin, binary) = place();
        let linking = plan(&plugin, &binary).unwrap();
        put(&plugin, &binary, &linking, Placing::Copy).unwrap();
        let there = fs::symlink_metadata(&plugin).unwrap();
        assert!(there.is_file());
        assert_eq!(there.permissions().mode() & 0o7777, 0o755);
        assert!(is_copy(&plugin, &binary));
        fs::write(&binary, "newer").unwrap();
        assert!(!is_copy(&plugin, &binary));
        let linking = plan(&plugin, &binary).unwrap();
        assert!(matches!(linking, Linking::Keep(_)));
        put(&plugin, &binary, &linking, Placing::Copy).unwrap();
        assert_eq!(fs::read_to_string(&plugin).unwrap(), "newer");
        assert_eq!(fs::metadata(plugin.parent().unwrap()).unwrap().permissions().mode() & 0o7777, 0o755);
    }

    #[test]
    fn every_binary_that_was_there_is_kept() {
        let (_directory, plugin, binary) = place();
        fs::create_dir_all(plugin.parent().unwrap()).unwrap();
        for (content, suffix) in [("first", ".before-ecr-login"), ("second", ".before-ecr-login.1")] {
            let _ = fs::remove_file(&plugin);
            fs::write(&plugin, content).unwrap();
            let linking = plan(&plugin, &binary).unwrap();
            let kept = PathBuf::from(format!("{}{suffix}", plugin.display()));
            assert_eq!(linking, Linking::Keep(kept.clone()));
            put(&plugin, &binary, &linking, Placing::Link).unwrap();
            assert_eq!(
                (fs::read_to_string(kept).unwrap(), fs::read_link(&plugin).unwrap()),
                (content.into(), binary.clone())
            );
        }
        assert_eq!(fs::read_dir(plugin.parent().unwrap()).unwrap().count(), 3, "no temporary file is left");
    }

    #[test]
    fn a_binary_that_came_since_the_look_stays() {
        let (_directory, plugin, binary) = place();
        let linking = plan(&plugin, &binary).unwrap();
        fs::create_dir_all(plugin.parent().unwrap()).unwrap();
        fs::write(&plugin, "another's").unwrap();
        assert!(put(&plugin, &binary, &linking, Placing::Link).is_err());
        assert_eq!(fs::read_to_string(&plugin).unwrap(), "another's");
    }

    #[test]
    fn a_link_that_leads_nowhere_is_replaced() {
        let (_directory, plugin, binary) = place();
        fs::create_dir_all(plugin.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink("/nowhere/at/all", &plugin).unwrap();
        let linking = plan(&plugin, &binary).unwrap();
        put(&plugin, &binary, &linking, Placing::Link).unwrap();
        assert_eq!(fs::read_link(&plugin).unwrap(), binary);
    }

    #[test]
    fn a_directory_of_that_name_is_an_error() {
        let (_directory, plugin, binary) = place();
        fs::create_dir_all(&plugin).unwrap();
        assert!(plan(&plugin, &binary).unwrap_err().to_string().contains("is a directory"));
    }
}
