//! Tokens on the disk: where, for whom, how long, and who may read them.

#[cfg(unix)]
mod credential_sources;
#[cfg(unix)]
mod files;
#[cfg(unix)]
mod freshness;
#[cfg(target_os = "linux")]
mod one_input_changed;
#[cfg(unix)]
mod other_identity;
#[cfg(unix)]
mod single_flight;
