//! The registry clients' own configuration: where each keeps it, and which registries it names.

pub mod docker_config;
pub mod paths;
