#!/bin/bash
# Runs a Windows program under Wine. cargo calls it in the place of the programs that it has built (scripts/cross.sh).
#
#   scripts/cross/wine.sh PROGRAM [ARGUMENT]...      as root: Wine's own root needs mounts, in a namespace of its own
#
# The Unix file system is the drive Z:, and the working directory is kept. What Wine keeps (drive C:, registry,
# certificates) is in target/ci/cross/wine-prefix and is made anew when that is missing.
set -euo pipefail
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cross=$top/target/ci/cross
[ -e "$cross/wine/ready" ] || { echo "wine.sh: first: scripts/cross.sh --prepare x86_64-pc-windows-gnu" >&2; exit 1; }
export WINEPREFIX=$cross/wine-prefix WINEDEBUG=${WINEDEBUG--all}
# No window, no mono, no gecko: nobody looks.
export WINEDLLOVERRIDES="mscoree,mshtml=;winemenubuilder.exe=" DISPLAY=

# run PROGRAM [ARGUMENT]...
run() {
    # shellcheck disable=SC2016 # The inner shells expand these.
    unshare --mount --propagation private -- bash -euo pipefail -c '
        root=$1 top=$2 directory=$3
        shift 3
        for place in /proc /sys /dev /tmp "$top" "$directory"; do
            mkdir -p "$root$place"
            mount --rbind "$place" "$root$place"
        done
        exec chroot "$root" /bin/sh -euc "cd \"\$1\"; shift; exec /usr/lib/wine/wine64 \"\$@\"" - "$directory" "$@"
    ' - "$cross/wine" "$top" "$PWD" "$@"
}

if [ ! -e "$WINEPREFIX/ready" ]; then
    rm -rf "$WINEPREFIX"
    run wineboot --init >"$cross/wine-prefix.log" 2>&1 || true
    # Wine's own libraries want it, and look for it where a program of anybody's would be.
    cp "$cross/wine/usr/x86_64-w64-mingw32/lib/zlib1.dll" "$WINEPREFIX/drive_c/windows/system32/"
    touch "$WINEPREFIX/ready"
fi
run "$@"
