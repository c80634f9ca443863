//! The registry clients' own configuration: where each keeps it, how it reads it, and which registries it names.

pub mod config_file;
pub mod docker_config;
pub mod paths;
pub mod registries_conf;
