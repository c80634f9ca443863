//! A fleet of nodes that boot within the same second and live for 48 hours, in virtual time:
//! `cargo run --release --example fleet`.

mod simulation;

use std::process::ExitCode;

use simulation::{Fleet, Plugin, Result, run};

const HOUR: i64 = 3_600_000;

/// Amazon ECR's documented limit of GetAuthorizationToken for an account and region, and the fleet of the docs.
fn fleet(nodes: usize, parallel: bool, warm: Option<i64>) -> Fleet {
    Fleet {
        nodes,
        images: 30,
        parallel,
        boot: 1000,
        life: 48 * HOUR,
        pull_every: 60_000,
        token: 12 * 3600,
        latency: 50,
        warm,
        rate: 20.0,
        burst: 200.0,
    }
}

fn main() -> ExitCode {
    println!("| nodes | plugin | calls | throttled | failed pulls, first hour | later | last node served | peaks |");
    println!("|---:|---|---:|---:|---:|---:|---:|---|");
    let mut held = true;
    for nodes in [10, 100, 1_000, 10_000] {
        for (name, plugin, parallel, warm) in [
            ("ours", Plugin::Ours, true, None),
            ("ours, after `warm --timeout 600`", Plugin::Ours, true, Some(600_000)),
            ("peer, images one by one", Plugin::Peer, false, None),
            ("peer, images in parallel", Plugin::Peer, true, None),
        ] {
            let result = run(plugin, fleet(nodes, parallel, warm), 1);
            println!("{}", row(nodes, name, &result));
            let failed = result.failed_at_boot + result.failed_later;
            held &= plugin == Plugin::Peer || (nodes > 1_000 && warm.is_none()) || failed == 0;
        }
    }
    if held { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn row(nodes: usize, name: &str, result: &Result) -> String {
    let Result { calls, throttled, failed_at_boot, failed_later, last, peaks, .. } = result;
    let last = *last as f64 / 1000.0;
    let peaks = peaks.iter().map(u32::to_string).collect::<Vec<_>>().join(", ");
    format!("| {nodes} | {name} | {calls} | {throttled} | {failed_at_boot} | {failed_later} | {last:.1} s | {peaks} |")
}
