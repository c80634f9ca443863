//! Tokens on the disk: where, for whom, how long, and who may read them.

mod credential_sources;
#[cfg(unix)]
mod files;
mod freshness;
mod single_flight;
