#!/bin/bash
# Runs a command with what it takes to build and to run this program for another platform.
#
#   scripts/cross.sh TARGET COMMAND [ARGUMENT]...      cargo's commands then build for TARGET, and run what they built
#   scripts/cross.sh --prepare TARGET...               only gets everything ready; needs a network the first time
#   scripts/cross.sh --list                            the targets
#
# Rust's standard library for TARGET is rustup's (`rustup target add TARGET`) where it is installed. Elsewhere it is
# compiled from the sources of the very same version, which Debian has, into a copy of the toolchain under target/ci/cross:
# the toolchain itself stays as it is. Linkers are Debian's (mingw, a cross compiler), and for macOS zig's, from PyPI.
# Windows programs run under Wine 10, which is unpacked from Debian 13 and never installed, and those of another processor
# under qemu-user. What is missing is said, with the package that has it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
top=$PWD
cross=$top/target/ci/cross
targets=(x86_64-unknown-linux-musl aarch64-unknown-linux-musl x86_64-pc-windows-gnu aarch64-apple-darwin x86_64-apple-darwin)

stop() {
    printf 'cross: %s\n' "$*" >&2
    exit 1
}
# needs PROGRAM PACKAGE
needs() {
    command -v "$1" >/dev/null || stop "$1 is missing; on Debian: apt-get install $2"
}

# --- Rust ----------------------------------------------------------------------------------------------------------
toolchain=$(rustc --print sysroot)
version=$(rustc --version | sed 's/^rustc \([0-9.]*\).*/\1/')

# The sources of the standard library, or nothing.
sources() {
    local found
    for found in "$toolchain/lib/rustlib/src/rust" "$cross/rust-src/usr/src/rustc-$version"; do
        if [ -d "$found/library/std" ]; then
            (cd "$found" && pwd -P)
            return
        fi
    done
}

fetch_sources() {
    [ -z "$(sources)" ] || return 0
    rm -rf "$cross/rust-src"
    local suite
    for suite in trixie-backports trixie sid; do
        ! tests/portability/unpack-debian.sh "$suite" "$cross/rust-src" "rust-src=$version*" >&2 || return 0
    done
    stop "no sources of Rust $version's standard library; rustup component add rust-src"
}

# A copy of the toolchain that may be added to: hard links, which take no room, where the file system allows them.
copy_toolchain() {
    local copy=$cross/toolchain part
    if [ "$(cat "$copy/version" 2>/dev/null)" != "$(rustc -vV)" ]; then
        rm -rf "$copy"
        mkdir -p "$copy"
        for part in bin lib; do
            cp -al "$toolchain/$part" "$copy/" 2>/dev/null || cp -a "$toolchain/$part" "$copy/"
        done
        rustc -vV >"$copy/version"
    fi
}

# standard_library TARGET: rustup's, or one of our own, compiled as rustup's is: with both kinds of panic, and with what
# link-time optimisation needs.
standard_library() {
    local target=$1 own=$cross/toolchain/lib/rustlib/$1/lib source build
    if compgen -G "$toolchain/lib/rustlib/$target/lib/libstd-*.rlib" >/dev/null; then
        return
    fi
    fetch_sources
    copy_toolchain
    source=$(sources)
    if ! compgen -G "$own/libstd-*.rlib" >/dev/null; then
        build=$cross/std
        mkdir -p "$build/src"
        printf '[package]\nname = "nothing"\nversion = "0.0.0"\nedition = "2024"\n[profile.release]\ndebug = false\n[workspace]\n' \
            >"$build/Cargo.toml"
        printf 'version = 4\n\n[[package]]\nname = "nothing"\nversion = "0.0.0"\n' >"$build/Cargo.lock"
        : >"$build/src/lib.rs"
        printf '#!/bin/sh\ncase " $* " in *" --crate-name panic_abort "*) set -- "$@" -Cpanic=abort ;; esac\nexec "$@"\n' \
            >"$build/rustc"
        chmod 755 "$build/rustc"
        mkdir -p "$cross/toolchain/lib/rustlib/src"
        ln -sfn "$source" "$cross/toolchain/lib/rustlib/src/rust"
        (
            cd "$build"
            env PATH="$cross/toolchain/bin:$PATH" RUSTC_WRAPPER="$build/rustc" RUSTC_BOOTSTRAP=1 \
                RUSTFLAGS="-Cembed-bitcode=yes --remap-path-prefix=$source=/rustc/$version" \
                cargo build --quiet --locked --release --target-dir "$build/target" --target "$target" \
                -Zbuild-std=std,panic_unwind,panic_abort,test
        )
        mkdir -p "$own.new"
        cp "$build/target/$target"/release/deps/*.rlib "$own.new/"
        rm -f "$own.new"/libnothing-*.rlib
        rm -rf "$own"
        mv "$own.new" "$own"
        rm -rf "$build/target"
    fi
    case $target in
    *-linux-musl) [ -e "$own/self-contained/libunwind.a" ] || musl "$target" "$own/self-contained" ;;
    esac
}

# musl_files PROCESSOR: Debian's musl for it, in $cross/musl-PROCESSOR.
musl_files() {
    case $1 in
    x86_64) tests/portability/unpack-debian.sh trixie "$cross/musl-x86_64" musl-dev:amd64 >&2 ;;
    aarch64) tests/portability/unpack-debian.sh trixie "$cross/musl-aarch64" musl-dev:arm64 >&2 ;;
    esac
}

# musl TARGET DIRECTORY: what rustup's musl targets bring with them: the C library, the objects that a program starts
# and ends with, an unwinder. Here they are Debian's.
musl() {
    local target=$1 directory=$2 processor=${1%%-*} compiler root own file
    compiler=$(linux_compiler "$target")
    root=$cross/musl-$processor
    own=$directory.new
    rm -rf "$own"
    mkdir -p "$own"
    musl_files "$processor"
    cp "$root/usr/lib/$processor-linux-musl"/{crt1.o,rcrt1.o,Scrt1.o,crti.o,crtn.o,libc.a} "$own/"
    for file in crtbegin.o crtbeginS.o crtend.o crtendS.o; do
        cp "$("$compiler" -print-file-name="$file")" "$own/"
    done
    cp "$("$compiler" -print-file-name=libgcc_eh.a)" "$own/libunwind.a"
    "$compiler" -O2 -c -isystem "$root/usr/include/$processor-linux-musl" -o "$own/unwind-musl.o" scripts/cross/unwind-musl.c
    ar rs "$own/libunwind.a" "$own/unwind-musl.o" 2>/dev/null
    rm "$own/unwind-musl.o"
    mv "$own" "$directory"
}

# --- C compilers, linkers --------------------------------------------------------------------------------------------
linux_compiler() {
    local processor=${1%%-*}
    if [ "$processor" = "$(uname -m)" ]; then
        echo cc
    else
        echo "$processor-linux-gnu-gcc"
    fi
}

# tools TARGET: what builds for it.
tools() {
    local target=$1
    case $target in
    *-linux-musl)
        needs "$(linux_compiler "$target")" "gcc-${target%%-*}-linux-gnu"
        [ "${target%%-*}" = "$(uname -m)" ] || musl_files "${target%%-*}"
        ;;
    *-windows-gnu) needs x86_64-w64-mingw32-gcc gcc-mingw-w64-x86-64 ;;
    *-apple-darwin)
        [ "$(uname -s)" != Darwin ] || return 0
        needs python3 python3-venv
        if [ ! -x "$cross/zig/bin/cargo-zigbuild" ]; then
            python3 -m venv "$cross/zig"
            "$cross/zig/bin/pip" install --quiet --disable-pip-version-check 'ziglang==0.17.*' 'cargo-zigbuild==0.24.*'
        fi
        frameworks
        ;;
    *) stop "no such target: $target (scripts/cross.sh --list)" ;;
    esac
}

# frameworks: zig brings Apple's libSystem, but not the two frameworks by which the keychain's certificates are read. What a
# linker has to know of them is written down here (a text-based stub): where they are on a Mac, and the names that the crates
# declare to be in them.
frameworks() {
    local crate framework directory
    for crate in security-framework-sys:Security core-foundation-sys:CoreFoundation; do
        framework=${crate#*:} crate=${crate%:*}
        directory=$cross/frameworks/$framework.framework
        mkdir -p "$directory"
        {
            printf -- '--- !tapi-tbd\ntbd-version: 4\ntargets: [ x86_64-macos, arm64-macos ]\n'
            printf "install-name: '/System/Library/Frameworks/%s.framework/Versions/A/%s'\n" "$framework" "$framework"
            printf 'exports:\n  - targets: [ x86_64-macos, arm64-macos ]\n    symbols: [ '
            cargo metadata --locked --format-version 1 | python3 -c '
import json, pathlib, re, sys

[crate] = [package for package in json.load(sys.stdin)["packages"] if package["name"] == sys.argv[1]]
names = set()
for file in pathlib.Path(crate["manifest_path"]).parent.glob("src/**/*.rs"):
    names.update(re.findall(r"\bpub (?:fn|static) (\w+)\s*[(:]", file.read_text()))
print(", ".join("_" + name for name in sorted(names)), end="")
' "$crate"
            printf ' ]\n...\n'
        } >"$directory/$framework.tbd"
    done
}

# runner TARGET: what runs its programs here.
runner() {
    case $1 in
    *-linux-musl) [ "${1%%-*}" = "$(uname -m)" ] || needs "qemu-${1%%-*}" qemu-user ;;
    *-windows-gnu) wine ;;
    *) ;;
    esac
}

# Wine in a root of its own, with no more of its packages' dependencies than a program without windows needs. FreeType is
# left out for more than its size: with it, and without a screen, Wine starts one desktop after the other for want of one.
wine() {
    local root=$cross/wine directory
    local packages=(wine64 libwine libz-mingw-w64 libc6 libunwind8 libgcc-s1 liblzma5 libgnutls30t64 libnettle8t64
        libhogweed6t64 libgmp10 libp11-kit0 libidn2-0 libunistring5 libtasn1-6 libffi8 zlib1g libzstd1 dash coreutils)
    if [ "$(cat "$root/ready" 2>/dev/null)" != "${packages[*]}" ]; then
        rm -rf "$root" "$cross/wine-prefix"
        tests/portability/unpack-debian.sh trixie "$root" "${packages[@]}" >&2
        for directory in bin lib lib64 sbin; do
            [ -e "$root/$directory" ] || ln -s "usr/$directory" "$root/$directory"
        done
        rm -rf "$root"/usr/lib/*/wine/i386-windows "$root/usr/share/doc"
        # Where Wine looks while it makes its drive C:; scripts/cross/wine.sh puts it there too.
        cp "$root/usr/x86_64-w64-mingw32/lib/zlib1.dll" "$root"/usr/lib/*/wine/x86_64-windows/
        printf '%s' "${packages[*]}" >"$root/ready"
    fi
    # Names that end in .localhost are the system resolver's there.
    printf '127.0.0.1 localhost ecr.localhost proxy.localhost\n::1 localhost\n' >"$root/etc/hosts"
    scripts/cross/wine.sh --prepare
}

# environment TARGET: what cargo, the cc crate and rustc are told by variables.
environment() {
    local target=$1 under upper lld
    under=${target//-/_}
    upper=$(tr '[:lower:]' '[:upper:]' <<<"$under")
    export CARGO_BUILD_TARGET=$target
    if [ -d "$cross/toolchain/lib/rustlib/$target/lib" ]; then
        export PATH=$cross/toolchain/bin:$PATH
    fi
    case $target in
    *-linux-musl)
        export "CC_$under=$(linux_compiler "$target")" "CARGO_TARGET_${upper}_LINKER=$(linux_compiler "$target")"
        # rustc's own linker, as on x86-64 with glibc.
        lld=$(rustc --print sysroot)/lib/rustlib/$(rustc -vV | sed -n 's/^host: //p')/bin/gcc-ld
        export "CARGO_TARGET_${upper}_RUSTFLAGS=-Clink-arg=-fuse-ld=lld -Clink-arg=-B$lld"
        if [ "${target%%-*}" != "$(uname -m)" ]; then
            # The cross compiler comes without headers of a C library.
            export "CFLAGS_$under=-isystem $cross/musl-${target%%-*}/usr/include/${target%%-*}-linux-musl"
            export "CARGO_TARGET_${upper}_RUNNER=$top/scripts/cross/qemu.sh"
        fi
        ;;
    *-windows-gnu) export "CARGO_TARGET_${upper}_RUNNER=$top/scripts/cross/wine.sh" ;;
    *-apple-darwin)
        [ "$(uname -s)" != Darwin ] || return 0
        export PATH=$cross/zig/bin:$PATH "CARGO_TARGET_${upper}_RUSTFLAGS=-Clink-arg=-F$cross/frameworks"
        ;;
    esac
}

case ${1-} in
--list) printf '%s\n' "${targets[@]}" ;;
--prepare)
    shift
    for target; do
        tools "$target"
        runner "$target"
        standard_library "$target"
    done
    ;;
-* | '') stop "usage: scripts/cross.sh TARGET COMMAND [ARGUMENT]..." ;;
*)
    target=$1
    shift
    tools "$target"
    standard_library "$target"
    environment "$target"
    exec "$@"
    ;;
esac
