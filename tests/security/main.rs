//! What an attacker would try: another user of the machine, names made to lead elsewhere, servers and files with words
//! that drive a terminal, and whoever could read what a process leaves behind. docs/security.md has the table.

#![cfg(target_os = "linux")]

#[path = "../support/mod.rs"]
mod support;

mod cache;
mod canaries;
mod leak_scan;
mod memory;
mod names;
mod namespaces;
mod process;
mod rights;
mod root_setup;
mod settings;
mod setup;
mod shell;
mod terminal;
mod users;
