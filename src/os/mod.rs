//! The process and the operating system: environment, time, user, files, child processes, standard streams, the log.

pub(crate) mod boot_id;
pub(crate) mod clock;
pub mod deadline;
pub mod environment;
pub(crate) mod executable;
pub mod fs;
pub mod hardening;
pub mod logging;
pub mod network_namespace;
#[cfg(windows)]
pub mod private_directory;
pub(crate) mod program;
#[cfg(test)]
pub(crate) mod proptest_config;
pub mod secret;
pub(crate) mod stdin;
pub mod stdio;
pub mod subprocess;
pub(crate) mod tty;
pub(crate) mod user;
