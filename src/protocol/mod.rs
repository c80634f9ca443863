//! The bytes of each protocol, each protocol string written once.

pub mod docker;
pub mod kubelet;
pub mod output;
pub mod stdin;
