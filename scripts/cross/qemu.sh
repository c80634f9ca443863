#!/bin/bash
# Runs an arm64 program, and what it starts in its turn, under qemu-user. cargo calls it in the place of the programs that
# it has built (scripts/cross.sh).
#
#   scripts/cross/qemu.sh PROGRAM [ARGUMENT]...      needs Linux 6.7 or later
#
# The kernel is told of qemu in a user namespace of its own, so that nothing of the machine is changed.
set -euo pipefail
qemu=$(command -v qemu-aarch64)
# An ELF file of 64 bits, little-endian, executable or position independent, for machine 183 (binfmt-misc of the kernel's
# documentation; the numbers are of elf.h). F: the interpreter is opened now.
magic='\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00'
mask='\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff'
# shellcheck disable=SC2016 # The inner shell expands these.
exec unshare --user --map-root-user --mount -- bash -euo pipefail -c '
    mount -t binfmt_misc none /proc/sys/fs/binfmt_misc
    printf "%s" ":qemu-aarch64:M::$1:$2:$3:F" >/proc/sys/fs/binfmt_misc/register
    shift 3
    exec "$@"
' - "$magic" "$mask" "$qemu" "$@"
