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
