//! What happens to the helper when it is killed, when every call of the system fails, when memory, files and time are
//! not as they should be: everything of the user's is what it was or what it was to become, and the answer is valid
//! or its want is stated.
//!
//! `ECR_LOGIN_FAULT_INJECTION=long` tries every system call and every error; without it, those that touch files.
//! `ECR_LOGIN_BINARY` names another binary than cargo's: the release build.

#![cfg(target_os = "linux")]

#[path = "../support/mod.rs"]
mod support;

mod assertions;
mod cache;
mod cache_location;
mod clock;
mod home;
mod kill_points;
mod kubelet_home;
mod limits;
mod login;
mod network;
mod scenario;
mod signals;
mod sso;
mod streams;
mod syscall_errors;
mod system_calls;

/// Whether everything is to be tried.
fn long() -> bool {
    std::env::var_os("ECR_LOGIN_FAULT_INJECTION").is_some_and(|form| form == "long")
}
