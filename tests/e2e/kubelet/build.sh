#!/bin/bash
# The kubelet, its plugin package in a program, Kubernetes' own plugin and the tests' AWS, from their Go modules.
#
#   tests/e2e/kubelet/build.sh [MODULES]     prints the directory of the programs
#
# MODULES names a file of versions: program/go.mod, or the oldest that is tried, program/oldest.mod. All versions are pinned
# there and in the .sum file beside it, and nowhere else (update.sh writes both). The first build takes about 13 minutes of
# CPU; Go's build cache is kept in target/ci, where the gate keeps its tools.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
top=$(cd "$here/../../.." && pwd)
modules=${1:-go.mod}

cd "$here/program"
version=$(sed -n 's|^\tk8s.io/kubernetes v||p' "$modules")
programs=$top/target/ci/kubelet/$version
mkdir -p "$programs"
export GOCACHE=${GOCACHE:-$top/target/ci/go/build} GOTOOLCHAIN=local CGO_ENABLED=0 GOFLAGS=-mod=readonly
# As Kubernetes builds what it releases: nothing but what runs, and no path of this machine.
build=(nice go build -modfile="$modules" -trimpath -ldflags "-s -w -X k8s.io/component-base/version.gitVersion=v$version")
"${build[@]}" -o "$programs/" ./keyring ./loopback-aws ./entry >&2
tools=$(sed -n 's/^tool \(.*\)/\1/p; /^tool (/,/^)/s/^\t//p' "$modules")
# shellcheck disable=SC2086 # one word for each
"${build[@]}" -o "$programs/" $tools >&2
echo "$programs"
