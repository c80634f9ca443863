#!/bin/sh
# Builds the release binary and prints its path.
#
#   scripts/build-release.sh [OPTION]...              options are cargo's
#   scripts/build-release.sh --symbols [OPTION]...    the same binary, its functions' names kept: for profiles
#
# On Linux it is static and not position independent: starting it costs no dynamic linker and no relocations, which is
# most of a warm call's time, and it runs on a host with any libc or none. What that gives up (address randomisation of
# the image itself) is in docs/security.md. The explicit --target keeps the flags away from build scripts and procedural
# macros, which must stay dynamic.
#
# The C library is musl where Rust has its standard library for it (`rustup target add x86_64-unknown-linux-musl`, or
# scripts/cross.sh), as in the published binaries, and else the host's glibc: that one asks the processor some sixty
# questions before `main`, each of which a virtual machine's host has to answer (docs/performance.md).
#
#   CARGO_BUILD_TARGET=TARGET            for another target than the host's (scripts/cross.sh sets it)
#   ECR_LOGIN_BUILD=glibc                with the host's glibc in any case
#   ECR_LOGIN_BUILD=dynamic              the platform's ordinary build: PIE, linked to its libc
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
kind=${ECR_LOGIN_BUILD-static}
musl=${host%-gnu}-musl
if [ -n "${CARGO_BUILD_TARGET-}" ]; then
    target=$CARGO_BUILD_TARGET
elif [ "$kind" = static ] && [ -e "$(rustc --print target-libdir --target "$musl" 2>/dev/null)/self-contained/libc.a" ]; then
    target=$musl
else
    target=$host
fi
unset CARGO_BUILD_TARGET

directory=${CARGO_TARGET_DIR:-$PWD/target}
case $kind:$target in
static:*-linux-gnu | static:*-linux-musl | glibc:*-linux-gnu)
    # --config instead of RUSTFLAGS: the user's own RUSTFLAGS must not silently replace ours.
    unset RUSTFLAGS CARGO_ENCODED_RUSTFLAGS
    # sha2 in portable code: the other kind asks the processor first what it can do.
    flags="'-Ctarget-feature=+crt-static', '-Crelocation-model=static', '--cfg=sha2_256_backend=\"soft\"'"
    # With rustc's own linker functions with the same code are kept once, and those that a cached get runs lie side by
    # side, so that few pages are touched (packaging/warm-path.ld). The unwind tables and their index are left out: a
    # panic aborts, and nothing else unwinds.
    case $target in
    *-linux-musl)
        lld=$(rustc --print sysroot)/lib/rustlib/$host/bin/gcc-ld
        flags="$flags, '-Clink-arg=-fuse-ld=lld', '-Clink-arg=-B$lld'"
        ;;
    esac
    case $target in
    x86_64-unknown-linux-gnu | *-linux-musl)
        flags="$flags, '-Clink-arg=-Wl,--icf=all', '-Clink-arg=-Wl,--no-eh-frame-hdr'"
        flags="$flags, '-Clink-arg=-Wl,-T,$PWD/packaging/no-unwind-tables.ld'"
        flags="$flags, '-Clink-arg=-Wl,-T,$PWD/packaging/warm-path.ld'"
        ;;
    esac
    binary=$directory/$target/release/docker-credential-ecr-login
    # cargo does not know that the program is made of these, too.
    if [ -e "$binary" ] && [ -n "$(find packaging -name '*.ld' -newer "$binary")" ]; then
        rm -f "$directory/$target/release/deps/docker_credential_ecr_login-"*
    fi
    # cargo takes the flags of the variable in their place.
    unset CARGO_TARGET_X86_64_UNKNOWN_LINUX_MUSL_RUSTFLAGS CARGO_TARGET_AARCH64_UNKNOWN_LINUX_MUSL_RUSTFLAGS
    build --target "$target" --config "target.$target.rustflags=[$flags]" "$@"
    ;;
static:"$host" | dynamic:*)
    build "$@"
    binary=$directory/release/docker-credential-ecr-login
    ;;
static:*-apple-darwin)
    case $host in
    *-apple-darwin) build --target "$target" "$@" ;;
    # Another system builds for it with zig (scripts/cross.sh).
    *) cargo zigbuild --release --locked --bin docker-credential-ecr-login --target "$target" "$@" >&2 ;;
    esac
    binary=$directory/$target/release/docker-credential-ecr-login
    ;;
static:*)
    build --target "$target" "$@"
    binary=$directory/$target/release/docker-credential-ecr-login
    ;;
*)
    echo "build-release: ECR_LOGIN_BUILD is \"static\", \"glibc\" or \"dynamic\", not \"$kind\"" >&2
    exit 2
    ;;
esac
[ -x "$binary" ] || binary=$binary.exe
printf '%s\n' "$binary"
