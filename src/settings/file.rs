//! Finding the settings file, and reading it only if no other user could have written it.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read};
#[cfg(unix)]
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

#[cfg(unix)]
use rustix::fs::StatVfsMountFlags;

use super::error::SettingsError;
use crate::os::environment::Environment;

/// More than anybody writes by hand; a larger file is refused.
const LARGEST: u64 = 1 << 20;

/// The file that means "none".
const NULL_DEVICE: &str = "/dev/null";

/// Where a machine's administrator configures it for all users. Windows has no such place: every user may make directories at the
/// top of a drive and in `%ProgramData%`.
const SYSTEM_WIDE: Option<&str> = if cfg!(windows) { None } else { Some("/etc/ecr-login/config.toml") };

/// The bits of a mode that let others write, and the one by which they take away only what is theirs.
#[cfg(unix)]
const OTHERS_WRITE: u32 = 0o022;
#[cfg(unix)]
const STICKY: u32 = 0o1000;

/// The file in force and its text; `None` where there is no file at all.
pub(super) fn read(environment: &Environment) -> Result<Option<(PathBuf, String)>, SettingsError> {
    if let Some(named) = environment.var_os("ECR_LOGIN_CONFIG") {
        let path = PathBuf::from(named);
        // As `AWS_CONFIG_FILE=/dev/null`: no settings at all.
        if cfg!(unix) && path == Path::new(NULL_DEVICE) {
            return Ok(None);
        }
        return match read_trusted(environment, &path)? {
            Some(text) => Ok(Some((path, text))),
            None => Err(SettingsError::Missing(path)),
        };
    }
    let personal = environment.config_dir().map(|dir| dir.join("ecr-login").join("config.toml"));
    for path in personal.into_iter().chain(SYSTEM_WIDE.map(PathBuf::from)) {
        if let Some(text) = read_trusted(environment, &path)? {
            return Ok(Some((path, text)));
        }
    }
    Ok(None)
}

fn read_trusted(environment: &Environment, path: &Path) -> Result<Option<String>, SettingsError> {
    let unreadable = |cause: io::Error| SettingsError::Unreadable { path: path.to_owned(), cause };
    let file = match open(path) {
        Ok(file) => file,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        // A HOME that we may not search is none, and the settings are not in it.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied && is_in_closed_home(environment, path) => {
            return Ok(None);
        }
        Err(error) => return Err(unreadable(error)),
    };
    let metadata = file.metadata().map_err(unreadable)?;
    if !metadata.is_file() {
        return Err(unreadable(io::Error::other("not a regular file")));
    }
    if metadata.len() > LARGEST {
        return Err(unreadable(io::Error::other("larger than 1 MiB")));
    }
    trust(environment, path, &metadata)?;
    let mut text = String::with_capacity(usize::try_from(metadata.len()).unwrap_or(0) + 1);
    file.take(LARGEST).read_to_string(&mut text).map_err(unreadable)?;
    Ok(Some(text))
}

/// Whether the path is below a home that we may not search.
fn is_in_closed_home(environment: &Environment, path: &Path) -> bool {
    environment.home().is_some_and(|home| path.starts_with(&home) && !crate::os::user::may_search(&home))
}

/// Opens without blocking, so that a FIFO in the file's place blocks no call.
fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.custom_flags(i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap_or(0));
    }
    options.open(path)
}

/// The file, and the directory that has its name: who may write there may take the file away or put another one of ours
/// in its place, and so choose the credentials.
#[cfg(unix)]
fn trust(environment: &Environment, path: &Path, file: &Metadata) -> Result<(), SettingsError> {
    let untrusted = |reason, remedy| SettingsError::Untrusted { path: path.to_owned(), reason, remedy };
    let us = crate::os::user::effective();
    if !is_ours(environment, file) {
        let reason = format!("it belongs to uid {}, we are uid {us}", file.uid());
        return Err(untrusted(reason, format!("take it over with: chown $(id -u) {}", path.display())));
    }
    if file.mode() & OTHERS_WRITE != 0 {
        let reason = format!("others may write it (mode {:04o})", file.mode() & 0o7777);
        return Err(untrusted(reason, format!("run: chmod go-w {}", path.display())));
    }
    let above = path.parent().filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // A directory that is gone by now, or that may not be looked at, hands out no other file either.
    let Ok(directory) = above.metadata() else { return Ok(()) };
    let reason = if !is_ours(environment, &directory) {
        format!("its directory belongs to uid {}, we are uid {us}", directory.uid())
    } else if directory.mode() & OTHERS_WRITE != 0 && directory.mode() & STICKY == 0 {
        format!("others may write its directory (mode {:04o})", directory.mode() & 0o7777)
    } else {
        return Ok(());
    };
    // A volume that Kubernetes mounts has mode 0777, and nobody writes to it.
    if rustix::fs::statvfs(above).is_ok_and(|found| found.f_flag.contains(StatVfsMountFlags::RDONLY)) {
        return Ok(());
    }
    Err(untrusted(reason, format!("make {} a directory that you alone can write, or move the file", above.display())))
}

/// Whether the owner is the user, or root. Under sudo HOME may stay the caller's, who could become root anyway: what is
/// his is as good as root's.
#[cfg(unix)]
fn is_ours(environment: &Environment, found: &Metadata) -> bool {
    const ROOT: u32 = 0;
    let (owner, us) = (found.uid(), crate::os::user::effective());
    owner == us
        || owner == ROOT
        || (us == ROOT
            && environment.home().and_then(|home| home.metadata().ok()).is_some_and(|home| home.uid() == owner))
}

/// Elsewhere the platform's own access control guards the user's configuration directory.
#[cfg(not(unix))]
fn trust(_: &Environment, _: &Path, _: &Metadata) -> Result<(), SettingsError> {
    Ok(())
}
