//! A fleet of nodes that boot within the same second and live for 48 hours, in virtual time, beside Kubernetes' own
//! plugin: the table of docs/kubernetes.md.
//!
//! `cargo run --locked --release --example fleet`; the exit code is 0 if ours held what the documents promise.

mod simulation;
mod table;

use std::process::ExitCode;

fn main() -> ExitCode {
    println!("{}", table::HEAD);
    let mut held = true;
    for nodes in table::SIZES {
        for (row, as_promised) in table::rows(nodes) {
            println!("{row}");
            held &= as_promised;
        }
    }
    if held { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
