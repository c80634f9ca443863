//! The way to ECR and back, against loopback servers that fail in every way.

mod answers;
mod call;
mod deadline;
mod faults;
#[cfg(target_os = "linux")]
#[allow(dead_code, reason = "which names were asked for is of interest elsewhere")]
#[path = "../support/name_server.rs"]
mod name_server;
#[cfg(target_os = "linux")]
mod namespace;
mod proxy;
mod refusals;
mod server;
#[cfg(target_os = "linux")]
#[path = "../strace/mod.rs"]
mod strace;
#[path = "../support/mod.rs"]
mod support;
mod table;
mod tls;
