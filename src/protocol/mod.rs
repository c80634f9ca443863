//! The protocols of docker's credential helpers and of the kubelet's image credential providers.

pub mod docker;
pub mod kubelet;
