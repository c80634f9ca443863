//! The protocol of docker's credential helpers.

#[cfg(unix)]
mod delegate;
mod get;
mod mistyped;
mod one_stream;
mod protocol;
