//! The fleets of docs/kubernetes.md, one row for each.

use crate::simulation::{Fleet, Plugin, Result, run};

const HOUR: i64 = 3_600_000;

/// The sizes of the table.
pub const SIZES: [usize; 4] = [10, 100, 1_000, 10_000];

/// What stands above the rows.
pub const HEAD: &str = "\
| nodes | plugin, images | calls | throttled | failed pulls, first hour | later | last node served | peaks |
|---:|---|---:|---:|---:|---:|---:|---|";

/// A fleet that boots within a second and pulls 30 images at once on each node, then one a minute, for 48 hours,
/// against Amazon ECR's documented limit of GetAuthorizationToken for an account and region.
pub fn fleet(nodes: usize) -> Fleet {
    Fleet {
        nodes,
        images: 30,
        parallel: true,
        boot: 1000,
        life: 48 * HOUR,
        pull_every: 60_000,
        token: 12 * 3600,
        latency: 50,
        warm: None,
        rate: 20.0,
        burst: 200.0,
    }
}

/// The rows for fleets of so many nodes, and whether ours held what is promised of it.
pub fn rows(nodes: usize) -> Vec<(String, bool)> {
    let (parallel, warm) = (fleet(nodes), Fleet { warm: Some(600_000), ..fleet(nodes) });
    let serial = Fleet { parallel: false, ..parallel };
    let mut kinds = vec![("ours, in parallel", Plugin::Ours, parallel), ("ours, one by one", Plugin::Ours, serial)];
    if nodes > 1_000 {
        kinds.push(("ours, after `warm --timeout 600`", Plugin::Ours, warm));
    }
    kinds.push(("peer, in parallel", Plugin::Peer, parallel));
    kinds.push(("peer, one by one", Plugin::Peer, serial));
    let row = |(name, plugin, fleet): (&str, Plugin, Fleet)| {
        let result = run(plugin, fleet, 1);
        let promised = plugin == Plugin::Ours && (nodes <= 1_000 || fleet.warm.is_some());
        (row(nodes, name, &result), !promised || result.failed_at_boot + result.failed_later == 0)
    };
    kinds.into_iter().map(row).collect()
}

fn row(nodes: usize, name: &str, result: &Result) -> String {
    let Result { calls, throttled, failed_at_boot, failed_later, last, peaks, .. } = result;
    let last = *last as f64 / 1000.0;
    let peaks = peaks.iter().map(u32::to_string).collect::<Vec<_>>().join(", ");
    format!("| {nodes} | {name} | {calls} | {throttled} | {failed_at_boot} | {failed_later} | {last:.1} s | {peaks} |")
}
