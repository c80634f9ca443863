//! What users see: the real binary against a fake AWS in this process, a module for each room of the program.
//!
//! Every test has a home, an environment and servers of its own, so that all of them can run at once. What needs root,
//! strace, namespaces or minutes is in the programs beside this one; CONTRIBUTING.md has the table.

#![cfg_attr(windows, allow(unused_imports, dead_code, reason = "some modules have tests about Unix beside the others"))]

#[path = "../support/mod.rs"]
mod support;

mod cache;
mod cli;
mod config;
mod docker;
mod fake_aws;
mod kubelet;
mod network;
mod providers;
mod registry;
mod setup;
#[cfg(windows)]
mod windows;
