//! Killed at any system call: the old or the new, nothing lost, nothing left behind, and the next call succeeds.

use std::collections::BTreeMap;

use crate::deeds::{Deed, Home, each_is_old_or_new, is_temporary};
use crate::long;
use crate::on_disk::{cache, entries, names};
use crate::strace::has_strace;
use crate::support::FakeAws;

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

/// By which processes are ended.
const SIGNALS: [&str; 4] = ["KILL", "TERM", "INT", "HUP"];

/// More than any deed makes of one call.
const MOST: usize = 1_000;

/// Kills `deed` at each call in turn, by every name that it has; `chosen` says of which names.
fn kill_at_each(deed: Deed, signal: &str, chosen: impl Fn(&str) -> bool) -> usize {
    let aws = FakeAws::start();
    let old = Home::before(&aws, deed).files();
    let (new, calls) = {
        let home = Home::before(&aws, deed);
        let (calls, before) = home.traced(deed);
        let mut of_loader = BTreeMap::new();
        let calls = calls.iter().map(|call| call.trim_start_matches('!').to_owned()).enumerate();
        for (place, call) in calls.filter(|(_, call)| chosen(call)) {
            *of_loader.entry(call).or_insert(0) += usize::from(place < before);
        }
        (home.files(), of_loader)
    };
    let mut killed = 0;
    for (call, of_loader) in calls {
        // As many times as the call is made; after the last one nobody is killed.
        for when in 1 + of_loader..MOST {
            let what = format!("{deed:?} killed by {signal} at {call} {when}");
            let home = Home::before(&aws, deed);
            let dead = home.injected(deed, &format!("{call}:signal={signal}:when={when}"));
            each_is_old_or_new(&home.files(), &old, &new, &what);
            the_next_call_succeeds(&home, deed, &what);
            assert_eq!(home.files(), if deed.is_setup() { new.clone() } else { old.clone() }, "{what}");
            if let Some(undo) = deed.undo() {
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
    killed
}

fn the_next_call_succeeds(home: &Home, deed: Deed, what: &str) {
    let left = names(&home.helper.cache());
    let temporary = left.iter().filter(|name| is_temporary(name)).count();
    assert!(temporary <= 1 && entries(&home.helper).len() <= 1, "{what}: {left:?}");
    home.do_it(if deed == Deed::ForeignGet { Deed::ColdGet } else { deed });
    home.do_it(Deed::ColdGet);
    assert_eq!(entries(&home.helper).len(), 1, "{what}");
    // The next write sweeps.
    let entry = entries(&home.helper).remove(0);
    cache(&home.helper).write(&entry, cache(&home.helper).erasures());
    let left = names(&home.helper.cache());
    assert!(!left.iter().any(|name| is_temporary(name)), "{what}: {left:?}");
    let mine = home.files();
    assert!(!mine.keys().any(|name| is_temporary(name)), "{what}: {:?}", mine.keys());
}

fn killed_everywhere(deeds: &[Deed]) {
    if !has_strace() {
        return;
    }
    for deed in deeds {
        for signal in if long() { &SIGNALS[..] } else { &SIGNALS[..1] } {
            let killed = kill_at_each(*deed, signal, |call| long() || FILES.contains(&call));
            assert!(killed > 3, "{deed:?} was killed {killed} times only");
            println!("{deed:?}: ended by {signal} {killed} times");
        }
    }
}

#[test]
fn a_get_an_erase_and_a_clear_killed_anywhere_leave_the_old_or_the_new_and_the_next_get_succeeds() {
    killed_everywhere(&[Deed::ColdGet, Deed::WarmGet, Deed::Erase, Deed::Clear]);
}

#[test]
fn a_background_refresh_killed_anywhere_leaves_the_old_or_the_new_token() {
    killed_everywhere(&[Deed::Refresh]);
}

#[test]
fn a_setup_for_docker_killed_anywhere_loses_nothing_and_is_undone() {
    killed_everywhere(&[Deed::SetupDocker, Deed::UndoDocker]);
}

#[test]
fn a_setup_for_podman_killed_anywhere_loses_nothing_and_is_undone() {
    killed_everywhere(&[Deed::SetupPodman, Deed::UndoPodman]);
}

#[test]
fn a_setup_for_the_kubelet_killed_anywhere_loses_no_binary_and_no_configuration() {
    killed_everywhere(&[Deed::SetupKubelet]);
}
