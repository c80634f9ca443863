//! Tokens on the disk: where, for whom, how long, and who may read them.

#[cfg(unix)]
mod credential_sources;
#[cfg(unix)]
mod files;
#[cfg(unix)]
mod freshness;
#[cfg(target_os = "linux")]
mod location;
#[cfg(unix)]
mod single_flight;
