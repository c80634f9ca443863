//! The fuzz targets over their corpora: what the fuzzer once found interesting, and what it found wrong.
//!
//! A module is what a target checks, as a plain function over bytes; `fuzz/fuzz_targets` hands it to the fuzzer. The
//! program is one of its own since it counts what all of it allocates.

#![cfg(unix)]

mod aws_files;
mod cache_files;
mod client_files;
mod credential_answers;
mod dns_answers;
mod docker_stdin;
mod fixture;
mod kubelet_config;
mod kubelet_requests;
mod memory;
mod registry_names;
mod secrets;
mod settings;
mod settings_edits;
mod tree;

use std::collections::BTreeSet;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

/// Runs `check` over each file of the target's corpus. Its name is shown where it fails.
fn each(target: &str, mut check: impl FnMut(&[u8])) {
    // Memory is counted for the whole process.
    static ALONE: Mutex<()> = Mutex::new(());
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus").join(target);
    let mut files: Vec<_> = fs::read_dir(&corpus).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 5, "{} is a corpus", corpus.display());
    for file in files {
        println!("{}", file.display());
        let input = fs::read(&file).unwrap();
        let first = catch_unwind(AssertUnwindSafe(|| check(&input)));
        if let Err(panic) = first {
            // The harness's threads allocate too, as each test begins and ends: what they held is not held twice.
            let about_memory = panic.downcast_ref::<String>().is_some_and(|said| said.contains(memory::HELD));
            if !about_memory {
                resume_unwind(panic);
            }
            check(&input);
        }
    }
}

macro_rules! corpora {
    ($($test:ident: $target:ident;)*) => {
        $(#[test]
        fn $test() {
            each(stringify!($target), $target::check);
        })*
    };
}

corpora! {
    no_name_but_ecrs_is_taken_for_ecrs: registry_names;
    whatever_a_client_sends_gets_the_protocols_answer: docker_stdin;
    a_cache_file_is_the_entry_that_was_written_or_nothing: cache_files;
    the_settings_mean_the_same_to_both_readers: settings;
    whatever_the_kubelet_sends_gets_an_answer_that_it_can_read: kubelet_requests;
    an_edit_of_a_clients_file_adds_ours_and_undo_takes_it_out: client_files;
    an_edit_of_the_kubelets_file_keeps_every_other_provider: kubelet_config;
    an_edit_of_the_settings_keeps_what_people_wrote: settings_edits;
    a_name_servers_message_is_read_or_left: dns_answers;
    credentials_are_those_of_the_answer_or_none: credential_answers;
}

#[test]
fn comments_line_ends_and_other_sections_change_no_source_of_credentials() {
    let mut used = BTreeSet::new();
    each("aws_files", |input| used.extend(aws_files::used(input)));
    // The comparison is worth nothing if everything failed.
    let all = "a container,a login,a process,a role,an error,an instance,keys,nobody,SSO,web identity";
    assert_eq!(used, all.split(',').collect());
}
