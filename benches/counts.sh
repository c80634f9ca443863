#!/bin/bash
# Instructions, system calls and memory of the warm path, held against their bounds. These repeat, so CI fails past them;
# times are for benches/processes.sh.
#
#   benches/counts.sh      as root; needs gcc, python3, strace, valgrind
set -euo pipefail
# shellcheck source=benches/fixture.sh
. "$(dirname "$0")/fixture.sh"

max_instructions=280000 max_calls=70 max_memory=2000 # KiB

aws plain
home warm
environment=(env -i HOME="$home" AWS_ENDPOINT_URL="$url" AWS_EC2_METADATA_DISABLED=true)
"${environment[@]}" "$ours" get <"$fixture/registry" >/dev/null

failed=0
# bound WHAT VALUE LIMIT
bound() {
    if [ "$2" -le "$3" ]; then
        printf 'ok      %-52s %8s (at most %s)\n' "$1" "$2" "$3"
    else
        printf 'FAILED  %-52s %8s (at most %s)\n' "$1" "$2" "$3"
        failed=$((failed + 1))
    fi
}

# exactly WHAT VALUE WANTED
exactly() {
    bound "$1" "$2" "$3"
    [ "$2" -ge "$3" ] || { echo "FAILED  $1: fewer than $3"; failed=$((failed + 1)); }
}

# answered PATTERN [TIMES]: what the last run wrote to stdout, without which its count is one of something else.
answered() {
    local times
    times=$(grep -o -- "$1" "$fixture/answer" | wc -l || true)
    [ "$times" -eq "${2-1}" ] || { echo "FAILED  the answer has $1 $times times, not ${2-1}"; failed=$((failed + 1)); }
}

# instructions STDIN ARGUMENT...: user instructions of one run; its answer is then in $fixture/answer.
instructions() {
    local input=$1
    shift
    "${environment[@]}" valgrind --tool=callgrind --callgrind-out-file=/dev/null "$ours" "$@" \
        <"$input" 2>&1 >"$fixture/answer" | sed -n 's/.*Collected : //p'
}

# calls STDIN ARGUMENT...: writes each system call of one run to $fixture/trace, those of children too, unless ${alone} is
# set, and its answer to $fixture/answer.
calls() {
    local input=$1
    shift
    # shellcheck disable=SC2086 # an option or none
    "${environment[@]}" strace ${alone--f} -o "$fixture/trace" "$ours" "$@" <"$input" >"$fixture/answer" || true
    sed -i '/+++ exited\|--- SIG/d' "$fixture/trace"
}

calls "$fixture/registry" get
answered '"Secret":"'
bound 'warm get: system calls' "$(wc -l <"$fixture/trace")" $max_calls
bound 'warm get: threads, children and sockets' "$(grep -cE ' (clone3?|v?fork|socket)\(' "$fixture/trace" || true)" 0
ten=$(instructions "$fixture/registry" get)
answered '"Secret":"'
bound 'warm get: user instructions' "$ten" $max_instructions
calls "$fixture/kubelet" kubelet
answered '"password":"'
bound 'kubelet, cached: system calls' "$(wc -l <"$fixture/trace")" $max_calls
bound 'kubelet, cached: user instructions' "$(instructions "$fixture/kubelet" kubelet)" $max_instructions
answered '"password":"'
calls "$fixture/foreign" get
answered 'credentials not found in native keychain'
bound 'get of a foreign name: files of AWS or the cache' "$(grep -cE '\.aws/|ecr-login/[0-9a-f]{16}' "$fixture/trace" || true)" 0

gcc -O2 -o "$fixture/interleave" benches/interleave.c
memory=$("$fixture/interleave" 20 warm "$fixture/registry" \
    "HOME=$home AWS_ENDPOINT_URL=$url AWS_EC2_METADATA_DISABLED=true $ours get" | tail -n 1 |
    sed -n 's/.* \([0-9.]*\) MiB.*/\1/p' | awk '{ printf "%d", $1 * 1024 }')
# The kernel maps some pages around each that is touched. Far more than the figure of docs/performance.md says that what a
# cached get runs no longer matches the patterns of packaging/warm-path.ld.
bound 'warm get: peak memory, KiB' "$memory" $max_memory

# The same with 10 and with nearly 1,000 cached registries.
fill() {
    for n in $(seq "$1" "$2"); do
        printf '3%011d.dkr.ecr.%s.amazonaws.com' "$n" "$region" | "${environment[@]}" "$ours" get >/dev/null
    done
}
fill 1 9
ten=$(instructions "$fixture/registry" get)
bound 'list of 10 entries: user instructions' "$(instructions /dev/null list)" 450000
answered '"AWS"' 10
fill 10 990
many=$(instructions "$fixture/registry" get)
answered '"Secret":"'
echo "        warm get with 10 cached registries: $ten instructions, with 991: $many"
difference=$((many > ten ? many - ten : ten - many))
bound 'difference between 10 and 991 registries, per mille' $((difference * 1000 / ten)) 20

# A token in its second half: the process that refreshes it is not waited for.
home second-half
environment=(env -i HOME="$home" AWS_ENDPOINT_URL="$url" AWS_EC2_METADATA_DISABLED=true)
"${environment[@]}" "$ours" get <"$fixture/registry" >/dev/null
middle_aged "$home/.cache/ecr-login"
alone='' calls "$fixture/registry" get
answered '"Secret":"'
bound 'get that starts a refresh: system calls' "$(wc -l <"$fixture/trace")" $((2 * max_calls))
bound 'get that starts a refresh: waits for it, sockets' "$(grep -cE '(wait4|waitid|socket)\(' "$fixture/trace" || true)" 0
exactly 'get that starts a refresh: processes started' "$(grep -cE '(clone3?|v?fork)\(' "$fixture/trace" || true)" 1
[ "$failed" = 0 ] || { echo "$failed past their bounds"; exit 1; }
