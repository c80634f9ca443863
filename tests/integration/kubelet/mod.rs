//! The kubelet's credential provider protocol.

mod answers;
mod failures;
#[cfg(target_os = "linux")]
mod home;
mod service_accounts;
