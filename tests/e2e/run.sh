#!/bin/bash
# Real clients against a real registry and an AWS that others wrote (moto), through the helper.
#
#   tests/e2e/run.sh [BINARY]       run everything; BINARY defaults to the release build
#
# docker, podman, buildah and skopeo push to and pull from 123456789012.dkr.ecr.us-east-1.amazonaws.com, a name
# that only this script's own namespaces resolve, to docker-registry with TLS and a password. Nothing leaves the
# machine: the network namespace has the loopback interface alone. Nothing on the host changes: /etc/hosts,
# /etc/docker, /etc/containers and /run are mounts of a mount namespace, and the process namespace takes every
# process with it when it ends.
#
# Needs root. With CI=true a missing client is a failure; by hand it is skipped. Exit 0 only if nothing failed.
set -u

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd) || exit 2
top=$(cd "$here/../.." && pwd) || exit 2

# --- outside: find what is needed, then start again inside namespaces of our own ---------------------------------
if [ "${1-}" != --inside ]; then
    [ "$(id -u)" = 0 ] || { echo "e2e: needs root, for namespaces and dockerd: sudo $0" >&2; exit 2; }
    binary=${1-}
    if [ -z "$binary" ]; then
        for binary in "$top/target/$(uname -m)"-*-linux-*/release/docker-credential-ecr-login \
            "$top/target/release/docker-credential-ecr-login"; do
            [ -x "$binary" ] && break
        done
    fi
    [ -x "$binary" ] || { echo "e2e: no release binary; build it: ./scripts/build-release.sh" >&2; exit 2; }
    binary=$(realpath "$binary")
    moto=${MOTO_VENV:-$top/target/ci/moto}
    for tool in unshare ip mount openssl curl htpasswd docker-registry sha256sum timeout "$moto/bin/python"; do
        command -v "$tool" >/dev/null || { echo "e2e: $tool is missing; .ci/run installs it" >&2; exit 2; }
    done

    work=$(mktemp -d "${TMPDIR:-/tmp}/ecr-login-e2e.XXXXXX") || exit 2
    trap 'rm -rf -- "$work"' EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
    mkdir -p "$work/bin" "$work/home" "$work/log"
    cp "$binary" "$work/bin/docker-credential-ecr-login"
    # The environment is ours alone: no proxy, no certificate file, no AWS variable of the machine reaches a client.
    timeout --kill-after=10 900 \
        unshare --net --mount --propagation private --pid --fork --mount-proc --kill-child=SIGKILL \
        env -i PATH="$work/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin" HOME="$work/home" LANG=C.UTF-8 \
        CI="${CI-}" E2E_WORK="$work" E2E_MOTO="$moto" E2E_PICTURES="${E2E_PICTURES-}" \
        TMPDIR="$work" \
        bash "$here/run.sh" --inside </dev/null
    exit
fi

# --- inside -----------------------------------------------------------------------------------------------------
work=$E2E_WORK
# shellcheck source=tests/e2e/report.sh
. "$here/report.sh"
# shellcheck source=tests/e2e/services.sh
. "$here/services.sh"
# shellcheck source=tests/e2e/image.sh
. "$here/image.sh"

private_namespaces || { echo "e2e: the namespaces could not be set up" >&2; exit 2; }
if ! start_registries || ! start_aws; then
    show_service_logs
    echo "e2e: a service did not start" >&2
    exit 2
fi
make_oci_image "$work/image" "an image of the end-to-end run"
use_aws

have() {
    command -v "$1" >/dev/null && return 0
    if [ "${CI-}" = true ]; then
        fail "$1 is installed"
    else
        skip "$1 is not installed"
    fi
    return 1
}

# shellcheck source=tests/e2e/cases/registry.sh
. "$here/cases/registry.sh"
# shellcheck source=tests/e2e/cases/skopeo.sh
. "$here/cases/skopeo.sh"
# shellcheck source=tests/e2e/cases/buildah.sh
. "$here/cases/buildah.sh"
# shellcheck source=tests/e2e/cases/podman.sh
. "$here/cases/podman.sh"
# shellcheck source=tests/e2e/cases/docker.sh
. "$here/cases/docker.sh"
# shellcheck source=tests/e2e/cases/container.sh
. "$here/cases/container.sh"
# shellcheck source=tests/e2e/cases/cli.sh
. "$here/cases/cli.sh"
# shellcheck source=tests/e2e/cases/login.sh
. "$here/cases/login.sh"
# shellcheck source=tests/e2e/cases/kubelet.sh
. "$here/cases/kubelet.sh"
# shellcheck source=tests/e2e/cases/offline.sh
. "$here/cases/offline.sh"
# shellcheck source=tests/e2e/cases/failures.sh
. "$here/cases/failures.sh"

stop_services
closing_line
