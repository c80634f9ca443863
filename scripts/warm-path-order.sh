#!/bin/bash
# Writes packaging/warm-path.order: the functions that a cached answer runs, in the order in which they are first
# called. The linker lays them side by side (scripts/build-release.sh), which halves the memory that a cached get
# touches. Names carry hashes of the compiler and the crates: run this after an update of either. Names that no longer
# exist are passed over by the linker; the peak memory that benches/counts.sh prints shows when too many are.
#
#   scripts/warm-path-order.sh      as root; needs valgrind
set -euo pipefail
host=$(rustc -vV | sed -n 's/^host: //p')
if [ -z "${ECR_LOGIN_BENCH_INSIDE-}" ]; then
    # The same build, its symbols kept.
    cargo build --release --locked --bin docker-credential-ecr-login --target "$host" \
        --config profile.release.strip=false --config \
        "target.$host.rustflags=['-Ctarget-feature=+crt-static', '-Crelocation-model=static', '-Clink-arg=-Wl,--icf=all']"
    ECR_LOGIN_BINARY=$(realpath "${CARGO_TARGET_DIR:-target}/$host/release/docker-credential-ecr-login")
    export ECR_LOGIN_BINARY
fi
# shellcheck source=benches/world.sh
. "$(dirname "$0")/../benches/world.sh"

aws plain
home warm
environment=(env -i HOME="$home" AWS_ENDPOINT_URL="$url" AWS_EC2_METADATA_DISABLED=true)
"${environment[@]}" "$ours" get <"$world/registry" >/dev/null

# order STDIN ARGUMENT...: the functions of one run.
order() {
    local input=$1
    shift
    "${environment[@]}" valgrind --tool=callgrind --demangle=no --callgrind-out-file="$world/calls" "$ours" "$@" \
        <"$input" >/dev/null 2>&1 || true
    sed -nE "s/^c?fn=\([0-9]+\) ([A-Za-z_][^ ']*).*/\1/p" "$world/calls"
}
{
    order "$world/registry" get
    order "$world/kubelet" kubelet
    order "$world/foreign" get
    order /dev/null list
} | awk '!seen[$0]++' >"$world/order"
[ "$(wc -l <"$world/order")" -gt 100 ]
cp "$world/order" packaging/warm-path.order
# cargo does not know of the linker's input: the next build must link again.
touch src/main.rs
