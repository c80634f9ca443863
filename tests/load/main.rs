//! Many processes at once: over one cache with failures and kills, and as a fleet of nodes.

#![cfg(target_os = "linux")]

#[path = "../support/mod.rs"]
mod support;

mod fleet;
mod gets;
#[path = "../../examples/fleet/simulation.rs"]
mod simulation;
mod stress;
#[path = "../../examples/fleet/table.rs"]
mod table;

/// Held by what measures the machine: with another load beside it, its figures would be those of both.
fn alone() -> std::sync::MutexGuard<'static, ()> {
    static ALONE: std::sync::Mutex<()> = std::sync::Mutex::new(());
    ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
