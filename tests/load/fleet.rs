//! What the documents promise of a fleet, by the simulation behind their numbers; and a fleet of real processes that
//! agrees with it.

use std::time::{Duration, Instant};

use crate::simulation::{Fleet, Plugin as Policy, run};
use crate::support::kubelet::{self, Plugin, V1};
use crate::support::{FakeAws, REGISTRY, Service};
use crate::table::{self, fleet};

const HOUR: i64 = 3_600_000;

#[test]
fn a_thousand_nodes_boot_together_and_no_pull_fails_then_or_later() {
    for seed in 1..=5 {
        let result = run(Policy::Ours, fleet(1_000), seed);
        assert_eq!((result.served, result.failed_at_boot, result.failed_later), (1_000, 0, 0), "{result:?}");
    }
}

#[test]
fn ten_thousand_nodes_that_warm_first_boot_as_fast_as_the_bucket_allows() {
    let warmed = Fleet { warm: Some(600_000), life: HOUR, ..fleet(10_000) };
    let result = run(Policy::Ours, warmed, 1);
    assert_eq!((result.served, result.failed_at_boot), (10_000, 0), "{result:?}");
    // (10,000 - 200) / 20 a second.
    assert!(result.last < 500_000, "{result:?}");
}

#[test]
fn refreshes_do_not_come_in_a_wave() {
    let result = run(Policy::Ours, fleet(1_000), 1);
    let peer = run(Policy::Peer, Fleet { parallel: false, ..fleet(1_000) }, 1);
    assert!(result.peaks.len() > 4, "{result:?}");
    for (refresh, peak) in result.peaks.iter().enumerate().skip(1) {
        assert!(*peak <= 10, "refresh {refresh}: {peak} calls in a second of 20 that the bucket allows");
    }
    assert!(result.peaks[1] < peer.peaks[1], "{result:?} {peer:?}");
    assert!(result.calls - result.throttled < peer.calls - peer.throttled, "{result:?} {peer:?}");
}

/// A thousand nodes scaled down to what one machine can run: 300, and a bucket of three tenths, rounded up.
#[test]
fn three_hundred_real_processes_agree_with_the_simulation() {
    let _alone = crate::alone();
    const NODES: usize = 300;
    const RATE: f64 = 8.0;
    const BURST: f64 = 60.0;
    let aws = FakeAws::start();
    let nodes: Vec<Plugin> = (0..NODES).map(|_| Plugin::new(&aws)).collect();
    let request = kubelet::request(V1, &format!("{REGISTRY}/app"));
    aws.limit(RATE, BURST);
    let begun = Instant::now();
    let running: Vec<_> = nodes.iter().map(|node| node.start(&request)).collect();
    let boot = begun.elapsed();
    let outcomes: Vec<kubelet::Outcome> = running.into_iter().map(|node| node.wait().into()).collect();
    let last = begun.elapsed();
    for outcome in &outcomes {
        assert_eq!((outcome.response().auth.len(), outcome.stderr.as_str()), (1, ""));
    }
    let calls = aws.calls(Service::Ecr) as f64;

    let scaled = Fleet {
        images: 1,
        boot: i64::try_from(boot.as_millis()).unwrap(),
        life: HOUR,
        rate: RATE,
        burst: BURST,
        ..fleet(NODES)
    };
    let simulated = run(Policy::Ours, scaled, 1);
    assert_eq!((simulated.served, simulated.failed_at_boot), (NODES, 0));
    let expected = Duration::from_millis(simulated.last.unsigned_abs());
    let said = format!("{calls} calls in {last:?}, simulated: {simulated:?}, started within {boot:?}");
    eprintln!("{said}");
    // A loaded machine is slower, never faster: the bucket is the same.
    assert!(last > expected.mul_f64(0.8) && last < expected.mul_f64(1.3) + Duration::from_secs(5), "{said}");
    assert!(calls > simulated.calls as f64 * 0.6 && calls < simulated.calls as f64 * 1.5, "{said}");
}

#[test]
fn the_table_of_the_documents_is_what_the_simulation_prints() {
    let document = include_str!("../../docs/kubernetes.md");
    assert!(document.contains(table::HEAD));
    for nodes in table::SIZES {
        // The largest fleet takes a minute without optimisation; the example makes its rows.
        if nodes > 1_000 {
            continue;
        }
        for (row, as_promised) in table::rows(nodes) {
            assert!(as_promised, "{row}");
            assert!(document.contains(&row), "docs/kubernetes.md lacks {row}");
        }
    }
}
