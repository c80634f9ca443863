//! The registry clients' own configuration: where each keeps it, how it reads it, and which registries it names.

pub(crate) mod config_file;
pub(super) mod docker_config;
pub(crate) mod paths;
pub(crate) mod registries_conf;
