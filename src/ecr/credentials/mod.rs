//! From a [`Source`] to AWS credentials: one file for each kind of source.

pub mod expiry;
pub mod process;
pub mod said;
pub mod sso_file;
pub mod words;
