//! A credential helper for Amazon ECR.
//!
//! The binary answers docker's credential-helper protocol and the kubelet's image credential provider
//! protocol. Both ask [`token`] for the credentials of one registry, which come from the [`cache`] or from one call
//! to ECR. `docs/architecture.md` says what each module is for and what it may use.

#![forbid(unsafe_code)]
// What is `pub` has a caller outside the library: the program, a test, a benchmark.
#![warn(unreachable_pub)]
// What comes from input, files, environment or network must never end in a panic.
#![warn(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::todo, clippy::dbg_macro)]

/// The name of the program, as docker's `credHelpers` makes it of `HELPER`, and under which it calls itself in messages.
pub const PROGRAM: &str = "docker-credential-ecr-login";

/// What the clients' files call the program.
const HELPER: &str = "ecr-login";

pub mod aws;
pub mod cache;
pub mod cli;
pub mod credentials;
pub mod os;
pub mod protocol;
pub mod registry;
pub mod settings;
pub mod text;
pub mod token;
