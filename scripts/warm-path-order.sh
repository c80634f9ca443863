#!/bin/bash
# Writes packaging/warm-path.order: the functions that a cached answer runs, in the order in which they are first
# called, and after them those of a cold one. The linker lays them side by side (scripts/build-release.sh), which halves
# the memory that a cached get touches. Names carry hashes of the compiler, the crates and the profile: run this after a
# change of any of these. Names that no longer exist are passed over by the linker; benches/counts.sh says how many do.
#
# It also refuses a cached answer that asks the processor what it can do (src/text/scan.rs).
#
#   scripts/warm-path-order.sh      as root; needs valgrind
set -euo pipefail
if [ -z "${ECR_LOGIN_BENCH_INSIDE-}" ]; then
    ECR_LOGIN_BINARY=$(realpath "$(scripts/build-release.sh --symbols)")
    export ECR_LOGIN_BINARY
fi
# shellcheck source=benches/fixture.sh
. "$(dirname "$0")/../benches/fixture.sh"

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
# The C library chooses among several of its string functions by the processor, and not the same ones under valgrind.
chosen() {
    nm "$ours" | awk '{ print $3 }' | grep -E '^__(memmove|memset|memcmp|memchr|memrchr|strlen|strchr|strrchr)_(avx|evex)' |
        grep -v '_rtm\|wmem' | sort
}
{
    order "$world/registry" get
    order "$world/kubelet" kubelet
    order "$world/foreign" get
    order /dev/null list
    order "$world/store" store
    chosen
} >"$world/order-warm"
if grep -E 'std_detect|OPENSSL_cpuid|cpufeatures' "$world/order-warm"; then
    echo "warm-path-order: a cached answer asks the processor what it can do" >&2
    exit 1
fi

aws secure --tls --port 443 --ca "$world/ca.pem"
{
    cat "$world/order-warm"
    environment=(env -i HOME="$home" ECR_LOGIN_REFRESH=1 SSL_CERT_FILE="$world/ca.pem" AWS_EC2_METADATA_DISABLED=true)
    order "$world/registry" get
    environment+=(AWS_ACCESS_KEY_ID=AKIABENCHMARK AWS_SECRET_ACCESS_KEY=benchmark HOME="$world")
    order "$world/registry" get
} | awk '!seen[$0]++' >"$world/order"
[ "$(wc -l <"$world/order")" -gt 1000 ]
cp "$world/order" packaging/warm-path.order
# cargo does not know of the linker's input: the next build must link again.
touch src/bin/docker-credential-ecr-login/main.rs
