//! Tokens on the disk: where, for whom, how long, and who may read them.

mod credential_sources;
#[cfg(unix)]
mod files;
mod freshness;
#[cfg(target_os = "linux")]
mod one_input_changed;
#[cfg(unix)]
mod other_identity;
mod single_flight;
