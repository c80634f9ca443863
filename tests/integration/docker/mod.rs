//! The protocol of docker's credential helpers.

#[cfg(unix)]
mod delegate;
mod get;
mod missing_credentials;
mod mistyped;
mod one_stream;
mod protocol;
