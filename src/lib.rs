//! A credential helper for Amazon ECR.
//!
//! The binary answers docker's credential-helper protocol and the kubelet's image credential provider
//! protocol. Both ask the [`broker`] one question, "a token for this registry", and the broker answers it
//! from the [`cache`] or by one call to ECR. `docs/architecture.md` says what each room may touch.

#![forbid(unsafe_code)]
// What comes from input, files, environment or network must never end in a panic.
#![warn(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::todo, clippy::dbg_macro)]

/// The name of the program, as docker's `credHelpers` makes it of [`HELPER`], and under which it calls itself in messages.
pub const PROGRAM: &str = "docker-credential-ecr-login";

/// What the clients' files call the program.
pub const HELPER: &str = "ecr-login";

pub mod boot;
pub mod broker;
pub mod cache;
pub mod child;
pub mod cli;
pub mod clock;
pub mod crc32;
pub mod deadline;
pub mod ecr;
pub mod environment;
pub mod failure;
pub mod hardening;
pub mod identity;
pub mod log;
pub mod printable;
#[cfg(test)]
mod properties;
pub mod protocol;
pub mod registry;
pub mod scan;
pub mod secret;
pub mod settings;
pub mod user;
