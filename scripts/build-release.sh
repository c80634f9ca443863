#!/bin/sh
# Builds the release binary and prints its path.
#
#   scripts/build-release.sh [OPTION]...              options are cargo's
#   scripts/build-release.sh --symbols [OPTION]...    the same binary, its functions' names kept: for profiles
#
# On Linux with glibc it is static and not position independent: starting it costs no dynamic linker and no
# relocations, which is most of a warm call's time, and it runs on a host with any libc or none. What that gives up
# (address randomisation of the image itself) is in docs/security.md. The explicit --target keeps the flags away from
# build scripts and procedural macros, which must stay dynamic.
#
#   ECR_LOGIN_BUILD=dynamic scripts/build-release.sh    the platform's ordinary build: PIE, linked to its libc
set -eu
cd "$(dirname "$0")/.."

# build OPTION...: names are kept by an option of the last step alone, so that everything else is as it is released.
case ${1-} in
--symbols)
    shift
    build() {
        cargo rustc --release --locked --bin docker-credential-ecr-login "$@" -- -Cstrip=none >&2
    }
    ;;
*)
    build() {
        cargo build --release --locked --bin docker-credential-ecr-login "$@" >&2
    }
    ;;
esac

host=$(rustc -vV | sed -n 's/^host: //p')
target=${CARGO_TARGET_DIR:-$PWD/target}
case ${ECR_LOGIN_BUILD-static}:$host in
static:*-linux-gnu)
    # --config instead of RUSTFLAGS: the user's own RUSTFLAGS must not silently replace ours.
    unset RUSTFLAGS CARGO_ENCODED_RUSTFLAGS
    # sha2 in portable code: the other kind asks the processor first what it can do (src/text/scan.rs).
    flags="'-Ctarget-feature=+crt-static', '-Crelocation-model=static', '--cfg=sha2_256_backend=\"soft\"'"
    # Where rustc links with lld, functions with the same code are kept once, and those that a cached get runs lie
    # side by side, so that few pages are touched (packaging/warm-path.ld). The unwind tables and their index are
    # left out: a panic aborts, and nothing else unwinds.
    case $host in
    x86_64-unknown-linux-gnu)
        flags="$flags, '-Clink-arg=-Wl,--icf=all', '-Clink-arg=-Wl,--no-eh-frame-hdr'"
        flags="$flags, '-Clink-arg=-Wl,-T,$PWD/packaging/no-unwind-tables.ld'"
        flags="$flags, '-Clink-arg=-Wl,-T,$PWD/packaging/warm-path.ld'"
        ;;
    esac
    build --target "$host" --config "target.$host.rustflags=[$flags]" "$@"
    binary=$target/$host/release/docker-credential-ecr-login
    ;;
static:* | dynamic:*)
    build "$@"
    binary=$target/release/docker-credential-ecr-login
    ;;
*)
    echo "build-release: ECR_LOGIN_BUILD is \"static\" or \"dynamic\", not \"$ECR_LOGIN_BUILD\"" >&2
    exit 2
    ;;
esac
[ -x "$binary" ] || binary=$binary.exe
printf '%s\n' "$binary"
