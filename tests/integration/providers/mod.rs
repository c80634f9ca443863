//! The credential sources, one module each, and how many requests each of them makes.

mod assume_role;
mod aws_login;
mod container;
#[cfg(target_os = "linux")]
mod credential_cases;
#[cfg(target_os = "linux")]
mod credential_process;
mod imds;
mod requests;
mod sso;
mod static_keys;
mod web_identity;
mod web_identity_settings;
