#!/bin/bash
# Runs under Miri, which finds undefined behaviour, rules that touch neither files nor C code.
#
#   scripts/miri.sh [MODULE]...      needs a nightly toolchain with its components miri and rust-src
#
# The library has no `unsafe` of its own; what is looked at is the unsafe code of the standard library and of the crates
# that it calls there. Miri cannot run src/start.rs (system calls that it does not know), ring (C and assembly), or a file
# opened without blocking; random tests of much text take it hours.
set -euo pipefail
cd "$(dirname "$0")/.."

[ $# -gt 0 ] || set -- broker::policy cache::names cache::place registry::
# A few cases of each random test; none is written down.
export PROPTEST_CASES=${PROPTEST_CASES-8} PROPTEST_DISABLE_FAILURE_PERSISTENCE=true
MIRIFLAGS=-Zmiri-disable-isolation cargo +nightly miri test --locked --lib -- "$@"
