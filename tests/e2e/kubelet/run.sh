#!/bin/bash
# A real kubelet judges the plugin: in standalone mode, with containerd and a registry that wants an ECR token.
#
#   tests/e2e/kubelet/run.sh PROGRAMS [BINARY]      PROGRAMS is what build.sh printed; BINARY defaults to the release build
#
# The kubelet starts static pods; its plugin package, in a program of its own (program/keyring), does what needs an API
# server. Nothing leaves the machine: the network namespace has the loopback interface alone, mounts and processes are those
# of namespaces that end with the run.
#
# Needs root, and Debian's containerd, runc, docker-registry, apache2-utils and skopeo. Exit 0 only if nothing failed.
# What was measured is in target/ci/kubelet/table.md.
set -u

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd) || exit 2
top=$(cd "$here/../../.." && pwd) || exit 2

# --- outside: find what is needed, then start again inside namespaces of our own ---------------------------------
if [ "${1-}" != --inside ]; then
    [ "$(id -u)" = 0 ] || { echo "kubelet: needs root, for namespaces and containerd: sudo $0" >&2; exit 2; }
    programs=$(realpath "${1:?the directory that build.sh printed}")
    binary=${2-}
    if [ -z "$binary" ]; then
        for binary in "$top/target/$(uname -m)"-*-linux-*/release/docker-credential-ecr-login \
            "$top/target/release/docker-credential-ecr-login"; do
            [ -x "$binary" ] && break
        done
    fi
    [ -x "$binary" ] || { echo "kubelet: no release binary; build it: ./scripts/build-release.sh" >&2; exit 2; }
    binary=$(realpath "$binary")
    for tool in unshare ip mount openssl curl htpasswd docker-registry containerd runc ctr skopeo python3 timeout; do
        command -v "$tool" >/dev/null || { echo "kubelet: $tool is missing; .ci/run installs it" >&2; exit 2; }
    done

    work=$(mktemp -d "${TMPDIR:-/tmp}/ecr-login-kubelet.XXXXXX") || exit 2
    trap 'rm -rf -- "$work"' EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
    mkdir -p "$work/bin" "$work/log"
    cp "$binary" "$work/bin/docker-credential-ecr-login"
    timeout --kill-after=10 900 \
        unshare --net --mount --propagation private --pid --fork --mount-proc --kill-child=SIGKILL \
        env -i PATH="$work/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin" LANG=C.UTF-8 TMPDIR="$work" \
        E2E_WORK="$work" E2E_PROGRAMS="$programs" E2E_CASES="${E2E_CASES-}" \
        bash "$here/run.sh" --inside </dev/null
    status=$?
    [ ! -e "$work/table.md" ] || cp "$work/table.md" "$programs/../table.md"
    exit "$status"
fi

# --- inside -----------------------------------------------------------------------------------------------------
work=$E2E_WORK programs=$E2E_PROGRAMS
# shellcheck source=tests/e2e/report.sh
. "$here/../report.sh"
# shellcheck source=tests/e2e/kubelet/node.sh
. "$here/node.sh"

private_namespaces || { echo "kubelet: the namespaces could not be set up" >&2; exit 2; }
start_aws || { show_service_logs; exit 2; }

# chosen CASE: whether it is to run. E2E_CASES names cases by parts of their names; empty: all of them.
chosen() {
    local part
    for part in ${E2E_CASES:-$1}; do
        [[ $1 != *"$part"* ]] || return 0
    done
    return 1
}

# shellcheck source=tests/e2e/kubelet/cases/plugin-package.sh
! chosen plugin-package || . "$here/cases/plugin-package.sh"
# shellcheck source=tests/e2e/kubelet/cases/files.sh
! chosen files || . "$here/cases/files.sh"
# shellcheck source=tests/e2e/kubelet/cases/node.sh
! chosen node || . "$here/cases/node.sh"
# shellcheck source=tests/e2e/kubelet/cases/trouble.sh
! chosen trouble || . "$here/cases/trouble.sh"
# shellcheck source=tests/e2e/kubelet/cases/daemonset.sh
! chosen daemonset || . "$here/cases/daemonset.sh"
# shellcheck source=tests/e2e/kubelet/cases/table.sh
! chosen table || . "$here/cases/table.sh"

stop_kubelet
stop_services
closing_line
