//! Killed at any system call: the old or the new, nothing lost, nothing left behind, and the next call succeeds.

use std::collections::BTreeMap;

use crate::home::{Home, each_is_old_or_new, is_temporary};
use crate::long;
use crate::scenario::Scenario;
use crate::support::FakeAws;
use crate::support::cache::{cache, entries, names};
use crate::support::strace::has_strace;

/// The calls by which files are changed, or that stand between two of those.
const FILES: [&str; 24] = [
    "openat",
    "mkdir",
    "mkdirat",
    "flock",
    "write",
    "utimensat",
    "rename",
    "renameat",
    "renameat2",
    "unlink",
    "unlinkat",
    "fsync",
    "fchmod",
    "fchown",
    "chmod",
    "fchmodat",
    "link",
    "linkat",
    "symlink",
    "symlinkat",
    "copy_file_range",
    "sendfile",
    "getdents64",
    "ftruncate",
];

/// Those of them by which a file takes another's place, is locked and is gone.
const REPLACING: [&str; 8] = ["flock", "write", "rename", "renameat", "renameat2", "unlink", "unlinkat", "ftruncate"];

/// By which processes are ended.
const SIGNALS: [&str; 4] = ["KILL", "TERM", "INT", "HUP"];

/// More than any scenario makes of one call.
const MOST: usize = 1_000;

/// Kills `scenario` at each call in turn, by every name that it has; `chosen` says of which names.
fn kill_at_each(scenario: Scenario, signal: &str, chosen: impl Fn(&str) -> bool) -> (usize, usize) {
    let aws = scenario.aws();
    let old = Home::before(&aws, scenario).files();
    let (new, calls) = {
        let home = Home::before(&aws, scenario);
        let (calls, before) = home.traced(scenario);
        let mut of_loader = BTreeMap::new();
        let calls = calls.iter().map(|call| call.trim_start_matches('!').to_owned()).enumerate();
        for (place, call) in calls.filter(|(_, call)| chosen(call)) {
            *of_loader.entry(call).or_insert(0) += usize::from(place < before);
        }
        (home.files(), of_loader)
    };
    let (mut killed, mut lost) = (0, 0);
    for (call, of_loader) in calls {
        // As many times as the call is made; after the last one nobody is killed.
        for when in 1 + of_loader..MOST {
            let what = format!("{scenario:?} killed by {signal} at {call} {when}");
            let home = Home::before(&aws, scenario);
            let dead = home.injected(scenario, &format!("{call}:signal={signal}:when={when}"));
            each_is_old_or_new(&home.files(), &old, &new, &what);
            lost += usize::from(the_next_call_succeeds(&aws, &home, scenario, &what));
            assert_eq!(home.files(), if scenario.changes_files() { new.clone() } else { old.clone() }, "{what}");
            if let Some(undo) = scenario.undo() {
                home.do_it(undo);
                assert_eq!(home.files(), old, "{what}: undo gives it all back");
            }
            if dead.code == Some(0) {
                break;
            }
            assert_eq!(dead.code, None, "{what}: {dead:?}");
            killed += 1;
        }
    }
    println!("{scenario:?}: ended by {signal} {killed} times, {lost} logins lost");
    (killed, lost)
}

/// True if it had to be told first to log in again.
fn the_next_call_succeeds(aws: &FakeAws, home: &Home, scenario: Scenario, what: &str) -> bool {
    let left = names(&home.helper.cache());
    let temporary = left.iter().filter(|name| is_temporary(name)).count();
    assert!(temporary <= 1 && entries(&home.helper).len() <= 1, "{what}: {left:?}");
    let lost = home.do_it_again(aws, scenario, what);
    home.do_it(scenario.get());
    assert_eq!(entries(&home.helper).len(), 1, "{what}");
    // The next write sweeps.
    let entry = entries(&home.helper).remove(0);
    cache(&home.helper).write(&entry, cache(&home.helper).invalidation_epoch());
    let left = names(&home.helper.cache());
    assert!(!left.iter().any(|name| is_temporary(name)), "{what}: {left:?}");
    let mine = home.files();
    assert!(!mine.keys().any(|name| is_temporary(name)), "{what}: {:?}", mine.keys());
    lost
}

fn killed_everywhere(scenarios: &[Scenario]) {
    killed_at(&FILES, scenarios);
}

/// At these calls in the quick form, by SIGKILL; at all and by all signals in the long one.
fn killed_at(calls: &[&str], scenarios: &[Scenario]) {
    if !has_strace() {
        return;
    }
    for scenario in scenarios {
        for signal in if long() { &SIGNALS[..] } else { &SIGNALS[..1] } {
            let (killed, lost) = kill_at_each(*scenario, signal, |call| long() || calls.contains(&call));
            assert!(killed >= 3, "{scenario:?} was killed {killed} times only");
            // Between the service's answer and the new file in its place there is no way out, and it is a short one.
            let may_be_lost = if scenario.renews_a_login() { killed / 2 } else { 0 };
            assert!(lost <= may_be_lost, "{scenario:?}: {lost} of {killed} lost the login");
        }
    }
}

#[test]
fn a_get_an_erase_and_a_clear_killed_anywhere_leave_the_old_or_the_new_and_the_next_get_succeeds() {
    killed_everywhere(&[Scenario::ColdGet, Scenario::WarmGet, Scenario::Erase, Scenario::Clear]);
}

#[test]
fn a_refresh_of_an_sso_login_killed_anywhere_leaves_the_old_or_the_new_one_or_asks_for_another() {
    killed_everywhere(&[Scenario::SsoRefresh]);
}

#[test]
fn a_renewal_of_an_aws_login_session_killed_anywhere_leaves_the_old_or_the_new_one_or_asks_for_another() {
    killed_everywhere(&[Scenario::LoginRenewal]);
}

#[test]
fn a_get_over_tls_one_that_starts_a_refresh_a_warm_and_a_password_killed_anywhere_are_repeated_with_success() {
    killed_at(&REPLACING, &[Scenario::OverTls, Scenario::StartsRefresh, Scenario::Warm, Scenario::Password]);
}

#[test]
fn a_background_refresh_killed_anywhere_leaves_the_old_or_the_new_token() {
    killed_everywhere(&[Scenario::Refresh]);
}

#[test]
fn a_setup_for_docker_killed_anywhere_loses_nothing_and_is_undone() {
    killed_everywhere(&[Scenario::SetupDocker, Scenario::UndoDocker]);
}

#[test]
fn a_setup_for_podman_killed_anywhere_loses_nothing_and_is_undone() {
    killed_everywhere(&[Scenario::SetupPodman, Scenario::UndoPodman]);
}

#[test]
fn a_setup_for_the_kubelet_killed_anywhere_loses_no_binary_and_no_configuration() {
    killed_everywhere(&[Scenario::SetupKubelet, Scenario::UndoKubelet]);
}

#[test]
fn a_setup_of_the_plugin_killed_anywhere_leaves_a_plugin_and_is_undone() {
    killed_everywhere(&[Scenario::SetupPlugin, Scenario::UndoPlugin]);
}
