//! The commands that people type, and what the program logs.

mod doctor;
mod help;
#[cfg(unix)]
mod install;
mod logs;
mod status;
mod warm;
