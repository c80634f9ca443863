//! `setup`: makes docker, podman or the kubelet use this helper, and takes it out again.

pub mod backup;
mod chosen;
mod client;
pub mod client_file;
pub(crate) use crate::protocol::clients::paths as client_paths;
mod diff;
mod discovery;
mod identities;
pub mod json;
pub mod kubelet;
mod report;
pub mod settings_file;
mod undo;
mod way_out;

use std::path::PathBuf;

use crate::os::fs::user_file::FileError;
use crate::settings::SettingsError;

pub(super) use client::{docker, podman};
use diff::difference;
pub(super) use identities::check_profile;

/// Why nothing was set up. Nothing has been changed then, unless the text says so.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// A file could not be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The client's file is not JSON.
    #[error("{} is not JSON and is left as it is: {source}; correct it, or name another file with --file", .path.display())]
    NotJson {
        /// The file.
        path: PathBuf,
        /// Where and why.
        source: json::NotJson,
    },
    /// Our own settings file is broken, or would be.
    #[error("{0}; correct the settings file first")]
    Settings(#[from] SettingsError),
    /// Our own settings file is not TOML.
    #[error("{}: {reason}; correct it first", .path.display())]
    NotToml {
        /// The file.
        path: PathBuf,
        /// Where and why.
        reason: String,
    },
    /// `registry = [...]` instead of `[[registry]]`.
    #[error("{}: \"registry\" is not written as [[registry]] tables, so setup cannot add one", .path.display())]
    Inline {
        /// The file.
        path: PathBuf,
    },
    /// Another entry matches first.
    #[error("{}: an earlier entry matches {registry}: move or change that one", .path.display())]
    Hidden {
        /// The file.
        path: PathBuf,
        /// The registry's host.
        registry: String,
    },
    /// There is no home directory.
    #[error("there is no home directory: set HOME, or name the file with --file")]
    NoHome,
    /// A name that this helper would never answer for.
    #[error("{0} is not the name of an Amazon ECR registry (ACCOUNT.dkr.ecr.REGION.amazonaws.com or public.ecr.aws)")]
    NotEcr(String),
    /// An empty name.
    #[error("the registry's name is empty: if a variable was to give it, that is not set; nothing was changed")]
    NoName,
    /// An argument that could not be used.
    #[error("{argument}: {reason}; nothing was changed")]
    Argument {
        /// Its name and value.
        argument: String,
        /// Why, and what to do.
        reason: String,
    },
    /// `--file` in a folder that is not there.
    #[error("--file {}: there is no folder {}; make it first, or correct the path", .file.display(), .folder.display())]
    NoFolder {
        /// The file.
        file: PathBuf,
        /// Where it would be.
        folder: PathBuf,
    },
    /// Nothing was named and nothing was found.
    #[error(
        "no registry was found in your AWS profiles, in the settings or among the images here: name one, such as \
         --registry ACCOUNT.dkr.ecr.REGION.amazonaws.com"
    )]
    NothingFound,
    /// `--store` would hide logins.
    #[error(
        "{} holds logins to other registries ({registries}), which docker would not see behind a credsStore: name \
         registries with --registry instead of --store, or move those logins to a store of their own first",
        .path.display()
    )]
    HidesLogins {
        /// The file.
        path: PathBuf,
        /// The hosts.
        registries: String,
    },
    /// stdout is closed or full.
    #[error("the changes cannot be shown on stdout: {0}")]
    Output(#[from] std::io::Error),
}
