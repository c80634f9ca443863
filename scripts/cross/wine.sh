#!/bin/bash
# Runs a Windows program under Wine. cargo calls it in the place of the programs that it has built (scripts/cross.sh).
#
#   scripts/cross/wine.sh PROGRAM [ARGUMENT]...      as root: Wine's own root needs mounts, in a namespace of its own
#   scripts/cross/wine.sh --prepare                  only makes what every run begins with
#
# The Unix file system is the drive Z:, and the working directory is kept. Each run has a drive C:, a registry and a
# certificate store of its own, copied by links from target/ci/cross/wine-prefix, and a server of Wine's in the caller's
# network namespace; nothing that was started outlives the program, and nothing that was written on C: does.
set -euo pipefail
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# target/ci may be a link to what all checkouts share.
cross=$(cd "$top/target/ci/cross" && pwd -P)
prefix=$cross/wine-prefix
[ -e "$cross/wine/ready" ] || { echo "wine.sh: first: scripts/cross.sh --prepare x86_64-pc-windows-gnu" >&2; exit 1; }
export WINEDEBUG=${WINEDEBUG--all}
# No window, no mono, no gecko: nobody looks.
export WINEDLLOVERRIDES="mscoree,mshtml=;winemenubuilder.exe=" DISPLAY=

# run PREFIX PROGRAM [ARGUMENT]...: when the program has ended, the kernel ends all that it and Wine started.
run() {
    # shellcheck disable=SC2016 # The inner shells expand these.
    WINEPREFIX=$1 unshare --mount --propagation private --pid --fork --kill-child -- bash -euo pipefail -c '
        root=$1 top=$2 cross=$3 directory=$4
        shift 4
        for place in /sys /dev /tmp "$top" "$cross" "$directory"; do
            mkdir -p "$root$place"
            mount --rbind "$place" "$root$place"
        done
        mkdir -p "$root/proc"
        mount -t proc proc "$root/proc"
        chroot "$root" /bin/sh -euc "cd \"\$1\"; shift; \"\$@\" || exit \$?" - "$directory" "$@"
    ' - "$cross/wine" "$top" "$cross" "$PWD" "${@:2}"
}

if [ "${1-}" = --in ]; then
    shift
    run "$@"
    exit
fi
if [ ! -e "$prefix/ready" ]; then
    rm -rf "$prefix"
    # shellcheck disable=SC2016 # The inner shell expands it.
    timeout --kill-after=5 120 "$BASH" "$0" --in "$prefix" \
        sh -c '/usr/lib/wine/wine64 wineboot --init || true; /usr/lib/wine/wineserver64 -k' \
        >"$cross/wine-prefix.log" 2>&1 || { cat "$cross/wine-prefix.log" >&2; exit 1; }
    # Wine's own libraries want it, and look for it where a program of anybody's would be.
    cp "$cross/wine/usr/x86_64-w64-mingw32/lib/zlib1.dll" "$prefix/drive_c/windows/system32/"
    touch "$prefix/ready"
fi
[ "${1-}" != --prepare ] || exit 0

# What runs that were killed have left.
find "$cross" -maxdepth 1 -name 'wine-run.*' -mmin +120 -exec rm -rf -- {} +
scratch=$(mktemp -d "$cross/wine-run.XXXXXX")
trap 'rm -rf -- "$scratch"' EXIT
cp -al "$prefix/." "$scratch/"
# The registry is written in place where a file has two names.
for file in "$prefix"/*.reg; do
    cp --remove-destination "$file" "$scratch/"
done
run "$scratch" /usr/lib/wine/wine64 "$@"
