#!/bin/bash
# Runs an arm64 program, and what it starts in its turn, under qemu-user. cargo calls it in the place of the programs that
# it has built (scripts/cross.sh).
#
#   scripts/cross/qemu.sh PROGRAM [ARGUMENT]...      needs Linux 6.7 or later
#
# The kernel is told of qemu in a user namespace of its own, so that nothing of the machine is changed. Root has all of its
# users there, so that tests can give files to others; whoever else runs this is root there, and alone.
set -euo pipefail
qemu=$(command -v qemu-aarch64)
# An ELF file of 64 bits, little-endian, executable or position independent, for machine 183 (binfmt-misc of the kernel's
# documentation; the numbers are of elf.h). F: the interpreter is opened now; P: it is told argv[0].
magic='\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00'
mask='\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff'

if [ "$(id -u)" = 0 ]; then
    users=()
    # Only a process outside can hand over more than one user; this one becomes the program.
    (
        for _ in $(seq 500); do
            if [ "$(readlink /proc/$$/ns/user)" != "$(readlink /proc/self/ns/user)" ]; then
                cat /proc/self/gid_map >/proc/$$/gid_map
                cat /proc/self/uid_map >/proc/$$/uid_map
                exit
            fi
            sleep 0.02
        done
    ) </dev/null >/dev/null &
else
    users=(--map-root-user)
fi
# shellcheck disable=SC2016 # The inner shell expands these.
exec unshare --user "${users[@]}" --mount -- bash -euo pipefail -c '
    for _ in $(seq 500); do
        [ "$(wc -l </proc/self/uid_map)" = 0 ] || break
        sleep 0.02
    done
    if ! mount -t binfmt_misc none /proc/sys/fs/binfmt_misc; then
        echo "qemu.sh: the kernel has no binfmt_misc for a user namespace; Linux 6.7 and later have" >&2
        exit 1
    fi
    printf "%s" ":qemu-aarch64:M::$1:$2:$3:FPC" >/proc/sys/fs/binfmt_misc/register
    shift 3
    exec "$@"
' - "$magic" "$mask" "$qemu" "$@"
