#!/bin/bash
# The long form of what docs/reliability.md promises. `.ci/run` has the quick form of the same.
#
#   scripts/prove.sh [PROOF]...      as root on Linux; the proofs named (part of a name is enough), or all of them
#
# Each file of scripts/proofs is a proof, run in the order of its number; what it prints are the figures for the table.
# The exit code is 0 only if every proof held.
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 2
# A proof of which the tests skip a part for want of strace or root is none.
export CI=${CI:-true}

failed=()
for proof in scripts/proofs/[0-9]*; do
    name=${proof##*/}
    if [ $# -gt 0 ]; then
        chosen=no
        for part in "$@"; do
            [[ $name != *"$part"* ]] || chosen=yes
        done
        [ "$chosen" = yes ] || continue
    fi
    echo "== $name"
    start=$SECONDS
    if bash -euo pipefail "$proof" </dev/null; then
        echo "== $name: held, $((SECONDS - start)) s"
    else
        echo "== $name: DID NOT HOLD, $((SECONDS - start)) s"
        failed+=("$name")
    fi
done
if [ ${#failed[@]} -gt 0 ]; then
    echo "did not hold: ${failed[*]}"
    exit 1
fi
