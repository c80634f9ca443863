//! The kubelet's credential provider protocol.

mod answers;
mod failures;
mod service_accounts;
