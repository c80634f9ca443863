//! Every call of the system fails with every error: a valid answer or a stated failure, never another identity, never a
//! file half written.

use std::collections::BTreeMap;

use crate::assertions::keeps_to_the_protocol;
use crate::home::{Files, Home, each_is_old_or_new};
use crate::long;
use crate::scenario::Scenario;
use crate::support::FakeAws;
use crate::support::strace::has_strace;

/// What a file system, a disk and a full table of files say.
const ERRORS: [&str; 6] = ["ENOSPC", "EIO", "EACCES", "EROFS", "EMFILE", "ENOENT"];

/// The calls that touch files, and those on the standard streams.
const FILES: [&str; 40] = [
    "access",
    "chmod",
    "close",
    "copy_file_range",
    "faccessat",
    "faccessat2",
    "fchmod",
    "fchmodat",
    "fchown",
    "fcntl",
    "fdatasync",
    "flock",
    "fstat",
    "fsync",
    "ftruncate",
    "getcwd",
    "getdents64",
    "link",
    "linkat",
    "lseek",
    "lstat",
    "mkdir",
    "mkdirat",
    "newfstatat",
    "open",
    "openat",
    "poll",
    "pread64",
    "read",
    "readlink",
    "readlinkat",
    "rename",
    "renameat",
    "renameat2",
    "stat",
    "statx",
    "symlink",
    "unlink",
    "unlinkat",
    "utimensat",
];

/// Beside those: the same for writing, and what has no other name everywhere.
const WRITES: [&str; 5] = ["write", "writev", "sendfile", "symlinkat", "fchownat"];

/// Calls that POSIX gives no errors (an error in their place is another number, and another user's is refused), random
/// numbers (which the kernel has, or has no such call: the empty roots have that), whose failure is the end of the
/// process, or by which memory comes: that is for limits.
const NOT_THESE: [&str; 23] = [
    "getrandom",
    "getegid",
    "geteuid",
    "getgid",
    "getpid",
    "getppid",
    "gettid",
    "getuid",
    "umask",
    "brk",
    "execve",
    "exit",
    "exit_group",
    "futex",
    "mmap",
    "mprotect",
    "munmap",
    "mremap",
    "madvise",
    "rt_sigreturn",
    "rt_sigprocmask",
    "arch_prctl",
    "prctl",
];

/// What the cache alone is made with: none of these may cost a `get` its answer.
const OF_THE_CACHE: [&str; 11] = [
    "fchmod",
    "flock",
    "getdents64",
    "mkdir",
    "mkdirat",
    "rename",
    "renameat",
    "renameat2",
    "unlink",
    "unlinkat",
    "utimensat",
];

/// Where in the quick form, too, each single call fails, and not only all of a name.
const CLOSELY: [Scenario; 6] = [
    Scenario::ColdGet,
    Scenario::SsoRefresh,
    Scenario::Erase,
    Scenario::SetupDocker,
    Scenario::UndoDocker,
    Scenario::SetupKubelet,
];

/// With which errors all calls of a name fail.
fn errors(scenario: Scenario) -> &'static [&'static str] {
    match scenario {
        // What these do beside the others is done with the same code, but for the login's file.
        Scenario::OverTls | Scenario::StartsRefresh | Scenario::Warm | Scenario::Password if !long() => &["EIO"],
        Scenario::SsoRefresh | Scenario::LoginRenewal if !long() => &["ENOSPC", "EIO", "ENOENT"],
        _ => &ERRORS,
    }
}

struct Trial<'a> {
    aws: &'a FakeAws,
    scenario: Scenario,
    old: Files,
    new: Files,
}

impl Trial<'_> {
    fn with(&self, call: &str, error: &str, when: &str) {
        let scenario = self.scenario;
        let what = format!("{scenario:?} with {call}:error={error}:when={when}");
        let home = Home::before(self.aws, scenario);
        let outcome = home.injected(scenario, &format!("{call}:error={error}:when={when}"));
        // A file that is missing is absent, and another source may be used; one that cannot be read is not absent.
        let absent = error == "ENOENT";
        keeps_to_the_protocol(&home, scenario, &outcome, call, absent, &what);
        if OF_THE_CACHE.contains(&call) && scenario.answers_with_a_token() {
            assert_eq!(outcome.code, Some(0), "{what}: {outcome:?}");
        }
        each_is_old_or_new(&home.files(), &self.old, &self.new, &what);
        // A settings file that cannot be read keeps nobody from undoing the rest, and the report says so.
        let part = outcome.stdout.contains("is left as it is");
        if outcome.code == Some(0) && home.has_lost_its_login(self.aws) {
            assert!(home.says_how_to_log_in(&outcome.stderr), "{what}: {outcome:?}");
        } else if outcome.code == Some(0) && !absent && !part {
            assert_eq!(home.files(), self.new, "{what}: said to be done");
        }
        if outcome.code == Some(0) && matches!(scenario, Scenario::Erase | Scenario::Clear) && !absent {
            assert_eq!(crate::support::cache::entries(&home.helper), [], "{what}: said to be gone");
        }
        home.forget_failures();
        home.do_it_again(self.aws, scenario, &what);
        // A token that was kept serves on without the login.
        if scenario.changes_files() && !home.has_lost_its_login(self.aws) {
            assert_eq!(home.files(), self.new, "{what}: the next time");
        }
        if !scenario.is_setup() {
            home.do_it(scenario.get());
        }
    }
}

fn fails_well(scenarios: &[Scenario]) {
    if !has_strace() {
        return;
    }
    for scenario in scenarios {
        let aws = scenario.aws();
        let old = Home::before(&aws, *scenario).files();
        let home = Home::before(&aws, *scenario);
        let (calls, before) = home.traced(*scenario);
        let trial = Trial { aws: &aws, scenario: *scenario, old, new: home.files() };
        let mut of_ours: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for (place, call) in calls.iter().enumerate() {
            let name = call.trim_start_matches('!');
            let count = counts.entry(name).or_default();
            *count += 1;
            let of_files = FILES.contains(&name) || WRITES.contains(&name);
            let tried = of_files || (long() && !NOT_THESE.contains(&name));
            if place >= before && tried {
                // A counter of the kernel's own has no disk behind it and cannot fail.
                let numbers = of_ours.entry(name).or_default();
                numbers.extend(if call.starts_with('!') { None } else { Some(*count) });
            }
        }
        let mut trials = 0;
        for (call, numbers) in of_ours {
            let all = counts.get(call).copied().unwrap_or_default();
            for error in errors(*scenario) {
                // All of them, where all can fail.
                if let Some(first) = numbers.first().filter(|first| *first + numbers.len() == all + 1) {
                    trial.with(call, error, &format!("{first}+"));
                    trials += 1;
                }
                for when in &numbers {
                    if long() || (*error == "EIO" && CLOSELY.contains(scenario)) {
                        trial.with(call, error, &when.to_string());
                        trials += 1;
                    }
                }
            }
        }
        println!("{scenario:?}: {trials} faults");
    }
}

#[test]
fn whatever_call_fails_a_cold_get_answers_or_says_why_and_never_as_another_identity() {
    fails_well(&[Scenario::ColdGet]);
}

#[test]
fn whatever_call_fails_a_cached_get_answers_or_says_why_and_never_as_another_identity() {
    fails_well(&[Scenario::WarmGet]);
}

#[test]
fn whatever_call_fails_a_login_is_refreshed_and_kept_or_the_failure_is_reported() {
    fails_well(&[Scenario::SsoRefresh]);
}

#[test]
fn whatever_call_fails_a_renewal_of_an_aws_login_session_keeps_the_old_or_the_new_one() {
    fails_well(&[Scenario::LoginRenewal]);
}

#[test]
fn whatever_call_fails_a_get_over_tls_with_a_full_log_answers_or_says_why() {
    fails_well(&[Scenario::OverTls]);
}

#[test]
fn whatever_call_fails_a_get_that_starts_a_refresh_answers_or_says_why() {
    fails_well(&[Scenario::StartsRefresh]);
}

#[test]
fn whatever_call_fails_warm_and_password_answer_or_say_why() {
    fails_well(&[Scenario::Warm, Scenario::Password]);
}

#[test]
fn whatever_call_fails_the_kubelet_gets_the_right_answer_or_a_reason() {
    fails_well(&[Scenario::Kubelet]);
}

#[test]
fn whatever_call_fails_a_foreign_name_gets_the_protocols_not_found() {
    fails_well(&[Scenario::ForeignGet]);
}

#[test]
fn whatever_call_fails_nothing_is_reported_as_removed_that_is_not() {
    fails_well(&[Scenario::Erase, Scenario::Clear]);
}

#[test]
fn whatever_call_fails_store_list_status_and_refresh_end_by_themselves() {
    fails_well(&[Scenario::Store, Scenario::List, Scenario::Status, Scenario::Refresh]);
}

#[test]
fn whatever_call_fails_setup_for_docker_changes_all_or_says_what_it_did_not() {
    fails_well(&[Scenario::SetupDocker, Scenario::UndoDocker]);
}

#[test]
fn whatever_call_fails_setup_for_podman_changes_all_or_says_what_it_did_not() {
    fails_well(&[Scenario::SetupPodman, Scenario::UndoPodman]);
}

#[test]
fn whatever_call_fails_setup_for_the_kubelet_changes_all_or_says_what_it_did_not() {
    fails_well(&[Scenario::SetupKubelet, Scenario::UndoKubelet]);
}

#[test]
fn whatever_call_fails_the_plugin_is_replaced_and_restored_or_the_failure_is_reported() {
    fails_well(&[Scenario::SetupPlugin, Scenario::UndoPlugin]);
}
