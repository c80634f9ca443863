#!/bin/bash
# Runs under Miri, which finds undefined behaviour, rules and readers that touch neither files nor C code.
#
#   scripts/miri.sh [TEST]...        needs a nightly toolchain with its components miri and rust-src
#
# The library has no `unsafe` of its own; what is looked at is the unsafe code of the standard library and of the crates
# that it calls there. Miri cannot run src/bin/docker-credential-ecr-login/entry.rs (system calls that it does not know), ring (C and assembly), sockets of
# UDP, or a file opened without blocking, as those of settings, AWS and the cache are. Tests of much text take it minutes to
# hours: they are left out, and of whole files' readers the tests that take them whole.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ $# = 0 ]; then
    rules=(token::freshness cache::file_names cache::location registry:: settings::timeout settings::pattern aws::retry
        protocol::kubelet::image protocol::kubelet::response)
    readers=(text:: aws::error:: aws::providers::timestamp aws::dns::exchange
        aws::dns::tests::resolv_conf protocol::kubelet::request cli::setup::json::tests::no_bytes
        credentials::profile_parser::tests::a_ credentials::profile_parser::tests::no_text cache::codec::tests::any_bytes
        cache::codec::tests::what_was_written settings::tests::what_is_wrong)
    # A request of a megabyte.
    set -- "${rules[@]}" "${readers[@]}" --skip what_is_no_request_is_refused_with_its_reason
fi
# A few cases of each random test; none is written down.
export PROPTEST_CASES=${PROPTEST_CASES-2} PROPTEST_DISABLE_FAILURE_PERSISTENCE=true
MIRIFLAGS=-Zmiri-disable-isolation cargo +nightly miri test --locked --lib -- "$@"
