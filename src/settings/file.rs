//! Finding the settings file, and reading it only if nobody else could have written it.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::error::SettingsError;
use crate::environment::Environment;

/// More than anybody writes by hand; a larger file is refused.
const LARGEST: u64 = 1 << 20;

/// Where a machine's administrator says it for everybody.
const SYSTEM_WIDE: &str = "/etc/ecr-login/config.toml";

/// The file in force and its text; `None` where there is no file at all.
pub(super) fn read(environment: &Environment) -> Result<Option<(PathBuf, String)>, SettingsError> {
    if let Some(named) = environment.var_os("ECR_LOGIN_CONFIG") {
        let path = PathBuf::from(named);
        return match read_trusted(environment, &path)? {
            Some(text) => Ok(Some((path, text))),
            None => Err(SettingsError::Missing(path)),
        };
    }
    let personal = environment.config_dir().map(|dir| dir.join("ecr-login").join("config.toml"));
    for path in personal.into_iter().chain([PathBuf::from(SYSTEM_WIDE)]) {
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

/// Opens without blocking, so that a FIFO in the file's place holds nobody up.
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

#[cfg(unix)]
fn trust(environment: &Environment, path: &Path, metadata: &std::fs::Metadata) -> Result<(), SettingsError> {
    use std::os::unix::fs::MetadataExt;
    const ROOT: u32 = 0;
    let (owner, us) = (metadata.uid(), environment.user());
    // Under sudo HOME may stay the caller's, who could become root anyway: his file is as good as root's.
    let is_homes_owner = || {
        us == ROOT && environment.home().and_then(|home| home.metadata().ok()).is_some_and(|home| home.uid() == owner)
    };
    if owner != us && owner != ROOT && !is_homes_owner() {
        let reason = format!("it belongs to uid {owner}, we are uid {us}");
        return Err(SettingsError::Untrusted {
            path: path.to_owned(),
            reason,
            mend: "take it over with: chown $(id -u)",
        });
    }
    if metadata.mode() & 0o022 != 0 {
        let reason = format!("others may write it (mode {:04o})", metadata.mode() & 0o7777);
        return Err(SettingsError::Untrusted { path: path.to_owned(), reason, mend: "run: chmod go-w" });
    }
    Ok(())
}

/// Elsewhere the platform's own access control guards the user's configuration directory.
#[cfg(not(unix))]
fn trust(_: &Environment, _: &Path, _: &std::fs::Metadata) -> Result<(), SettingsError> {
    Ok(())
}
