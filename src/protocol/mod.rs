//! What the callers define: the protocols of docker's credential helpers and of the kubelet's image credential providers, and
//! the registry clients' own configuration files.

pub(crate) mod clients;
pub mod docker;
pub mod kubelet;
