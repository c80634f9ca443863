//! Tokens on the disk: where, for whom, how long, and who may read them.

#[cfg(unix)]
mod credential_sources;
#[cfg(unix)]
mod files;
#[cfg(unix)]
mod freshness;
#[cfg(unix)]
mod single_flight;
