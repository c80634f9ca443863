#!/bin/bash
# The clients of today against a registry with a password, one probe after the other: which files they read, how often and
# with which bytes they call a credential helper, and what they make of its answer.
#
#   tests/e2e/clients/run.sh [--write] [CLIENT]...
#
# What is seen is held against tests/e2e/clients/table.json; with --write it is written there, and docs/clients.md is
# made from it. tests/e2e/clients/install.sh brings the clients; one that is not there is a line, and no failure.
# Everything runs in namespaces of its own with the loopback interface alone. Needs root.
set -u

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd) || exit 2
top=$(cd "$here/../../.." && pwd) || exit 2

if [ "${1-}" != --inside ]; then
    [ "$(id -u)" = 0 ] || { echo "clients: needs root, for namespaces and dockerd" >&2; exit 2; }
    binary=${ECR_LOGIN_BINARY-}
    if [ -z "$binary" ]; then
        for binary in "$top/target/$(uname -m)"-*-linux-*/release/docker-credential-ecr-login \
            "$top/target/release/docker-credential-ecr-login"; do
            [ -x "$binary" ] && break
        done
    fi
    [ -x "$binary" ] || { echo "clients: no release binary; build it: ./scripts/build-release.sh" >&2; exit 2; }
    moto=${MOTO_VENV:-$top/target/ci/moto}
    work=$(mktemp -d "${TMPDIR:-/tmp}/ecr-login-clients.XXXXXX") || exit 2
    trap 'rm -rf -- "$work"' EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
    mkdir -p "$work/bin" "$work/home" "$work/log"
    cp "$binary" "$work/bin/docker-credential-ecr-login"
    timeout --kill-after=10 1800 \
        unshare --net --mount --propagation private --pid --fork --mount-proc --kill-child=SIGKILL \
        env -i PYTHONDONTWRITEBYTECODE=1 PATH="/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin" HOME="$work/home" LANG=C.UTF-8 \
        E2E_WORK="$work" E2E_MOTO="$moto" CLIENTS_KEEP="${CLIENTS_KEEP-}" CLIENTS="${CLIENTS_DIR:-$top/target/ci/clients}" \
        CLIENTS_ROOT="${CLIENTS_ROOT:-$top/target/ci/roots/sid}" TMPDIR="$work" \
        bash "$here/run.sh" --inside "$@" </dev/null
    exit
fi
shift

clients=$here here=$top/tests/e2e
work=$E2E_WORK
log=$work/log
# shellcheck source=tests/e2e/services.sh
. "$here/services.sh"
# shellcheck source=tests/e2e/image.sh
. "$here/image.sh"

# unpacked_root: what the clients see as /: the unpacked suite, with this run's own files over it.
unpacked_root() {
    root=$work/root
    mkdir -p "$root" "$work/layers"
    mount -t tmpfs tmpfs "$work/layers" && mkdir "$work/layers/upper" "$work/layers/work" &&
        mount -t overlay overlay -o "lowerdir=$CLIENTS_ROOT,upperdir=$work/layers/upper,workdir=$work/layers/work" "$root" || return 1
    mkdir -p "$root"/{etc/docker,etc/containers,etc/ssl/certs,root} "$root$work"
    : >"$root/etc/hosts"
    : >"$root/etc/resolv.conf"
    printf 'root:x:0:0:root:/root:/bin/sh\n' >"$root/etc/passwd"
    printf 'root:x:0:\n' >"$root/etc/group"
    local path
    for path in /proc /dev /sys /run /etc/docker /etc/containers /etc/hosts "$work/bin" "$work/home" "$work/log" "$work/probe" "$work/state"; do
        [ -e "$root$path" ] || mkdir -p "$root$path"
        mount --rbind "$path" "$root$path" || return 1
    done
}

private_namespaces || { echo "clients: the namespaces could not be set up" >&2; exit 2; }
mkdir -p "$work/probe/calls" "$work/probe/answers" "$work/state"
authority && certificate "$registry" "$second_registry" &&
    certificate "$foreign" registry-1.docker.io index.docker.io auth.docker.io || exit 2
# The users that the probes give, so that the registry's log says which place a client took its password from.
for user in AWS via-h via-auths via-docker-auth-config via-docker-config via-registry-auth-file via-user-registries-d \
    via-registries-d via-registries via-runtime via-containers via-helm via-regctl via-notation via-apptainer via-docker; do
    htpasswd -nbBC 4 "$user" "$account-auth-token" 2>>"$log/openssl.log"
done >"$work/htpasswd"
cat >"$work/registry.yml" <<END
version: 0.1
storage: {filesystem: {rootdirectory: $work/storage}}
http: {addr: "127.0.0.1:5010", secret: e2e, relativeurls: true}
auth: {htpasswd: {realm: e2e, path: $work/htpasswd}}
END
cat >"$work/foreign.yml" <<END
version: 0.1
storage: {filesystem: {rootdirectory: $work/storage-foreign}}
http: {addr: "127.0.0.1:5011", secret: e2e, relativeurls: true}
END
: >"$log/users"
# The foreign one hands out tokens to everybody, as Docker Hub and ECR Public do: only so does each client ask for credentials.
start_service foreign-registry docker-registry serve "$work/foreign.yml"
start_service foreign "$E2E_MOTO/bin/python" "$clients/front.py" "$foreign_address" 5011 \
    "$work/$foreign.crt" "$work/$foreign.key" /dev/null "https://$foreign:8443/token"
start_service registry docker-registry serve "$work/registry.yml"
start_service front "$E2E_MOTO/bin/python" "$clients/front.py" "$registry_address" 5010 \
    "$work/$registry.crt" "$work/$registry.key" "$log/users"
if ! wait_for "the registry" curl -s --cacert "$work/ca.crt" "https://$registry/v2/" ||
    ! wait_for "the foreign registry" curl -s --cacert "$work/ca.crt" "https://$foreign/v2/"; then
    show_service_logs
    exit 2
fi
start_aws || { show_service_logs; exit 2; }
use_aws
cp "$work/ca.crt" "$work/state/ca.crt"
make_oci_image "$work/state/image" "an image of the clients' run"
cp "$work/rootfs.tar" "$work/state/rootfs.tar"
unpacked_root || { echo "clients: the unpacked root could not be mounted" >&2; exit 2; }

export DOCKER_HOST=unix:///run/docker.sock
if [ -x "$root/usr/sbin/dockerd" ]; then
    start_service dockerd chroot "$root" env SSL_CERT_FILE="$work/state/ca.crt" PATH=/usr/sbin:/usr/bin:/sbin:/bin \
        dockerd --data-root "$work/state/docker" --exec-root /run/docker --pidfile /run/docker.pid -H "$DOCKER_HOST" \
        --iptables=false --ip6tables=false --bridge=none --storage-driver=vfs --ip-forward=false
    wait_for dockerd curl -sf --unix-socket /run/docker.sock http://docker/_ping || show_service_logs
fi

# shellcheck disable=SC2153 # clients is where, CLIENTS which
"$E2E_MOTO/bin/python" "$clients/probe.py" --root "$root" --work "$work" --clients "$CLIENTS" --registry "$registry" \
    --second "$second_registry" --foreign "$foreign" --table "$clients/table.json" "$@"
status=$?
stop_services
[ -z "${CLIENTS_KEEP-}" ] || cp "$log"/* "$CLIENTS_KEEP"
exit "$status"
