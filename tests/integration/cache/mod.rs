//! Tokens on the disk: where, for which identity, how long, and which users may read them.

mod credential_sources;
#[cfg(unix)]
mod files;
mod freshness;
#[cfg(target_os = "linux")]
mod one_input_changed;
#[cfg(unix)]
mod other_identity;
mod single_flight;
