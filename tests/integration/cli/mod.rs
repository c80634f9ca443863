//! The commands that people type, and what the program logs.

#[cfg(unix)]
mod completions;
mod doctor;
mod doctor_clients;
mod doctor_kubelet;
mod doctor_steps;
mod help;
#[cfg(unix)]
mod install;
#[cfg(unix)]
mod login_mfa;
#[cfg(unix)]
mod login_sso;
mod logs;
mod status;
#[cfg(unix)]
mod terminal;
mod warm;
