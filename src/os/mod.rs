//! The process and the operating system: environment, time, user, files, child processes, standard streams, the log.

pub mod boot_id;
pub mod clock;
pub mod deadline;
pub mod environment;
pub mod executable;
pub mod fs;
pub mod hardening;
pub mod logging;
pub mod network_namespace;
#[cfg(windows)]
pub mod private_directory;
pub mod program;
#[cfg(test)]
pub mod proptest_config;
pub mod secret;
pub mod stdin;
pub mod stdio;
pub mod subprocess;
pub(crate) mod tty;
pub mod user;
