//! What an attacker would try: another user of the machine, names made to lead elsewhere, servers and files with words
//! that drive a terminal, and whoever could read what a process leaves behind. docs/security.md has the table.

#![cfg(target_os = "linux")]

mod cache;
#[path = "../kubelet/mod.rs"]
mod kubelet;
mod marked;
mod memory;
mod names;
#[path = "../on_disk/mod.rs"]
mod on_disk;
mod process;
mod rights;
mod settings;
mod setup;
mod shell;
#[path = "../strace/mod.rs"]
mod strace;
#[path = "../support/mod.rs"]
mod support;
mod terminal;
mod traces;
mod users;
