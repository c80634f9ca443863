//! What each fuzz target checks, as plain functions over bytes: `tests/corpora.rs` runs them over their corpora, and
//! `fuzz/fuzz_targets` hands them to the fuzzer.

pub mod aws_files;
pub mod cache_files;
pub mod client_files;
pub mod credential_answers;
pub mod dns_answers;
pub mod docker_stdin;
pub mod kubelet_config;
pub mod kubelet_requests;
mod memory;
pub mod registry_names;
mod secrets;
pub mod settings;
pub mod settings_edits;
mod tree;
mod world;
