#!/bin/sh
# Builds docker-credential-ecr-login and installs it.
#
#   ./install.sh [--prefix DIR] [--demo]     build, install; with --demo show a pull's three cases, no AWS account needed
#   ./install.sh [--prefix DIR] --uninstall  remove what was installed, and say what still names it and what stays
#
# DIR is ~/.local, or /usr/local for root. Nothing is written outside DIR and the build directory.
set -eu

name=docker-credential-ecr-login

say() { printf '%s\n' "$*"; }
stop() {
    printf 'install.sh: %s\n' "$*" >&2
    exit 1
}
usage() { sed -n '2,8s/^# \{0,1\}//p' "$top/install.sh"; }

top=$(cd "$(dirname "$0")" && pwd)
prefix='' demo=no uninstall=no
while [ $# -gt 0 ]; do
    case $1 in
    --prefix)
        [ $# -ge 2 ] || stop "--prefix needs a directory"
        prefix=$2
        shift
        ;;
    --prefix=*) prefix=${1#--prefix=} ;;
    --demo) demo=yes ;;
    --uninstall) uninstall=yes ;;
    -h | --help)
        usage
        exit 0
        ;;
    *) stop "unknown option $1; see ./install.sh --help" ;;
    esac
    shift
done

if [ -z "$prefix" ]; then
    if [ "$(id -u)" = 0 ]; then
        prefix=/usr/local
    else
        prefix=${HOME:?install.sh: HOME is not set; say where with --prefix}/.local
    fi
fi
case $prefix in
/*) ;;
*) prefix=$PWD/$prefix ;;
esac

bin=$prefix/bin
man=$prefix/share/man/man1/$name.1
bash_completion=$prefix/share/bash-completion/completions/$name
zsh_completion=$prefix/share/zsh/site-functions/_$name
fish_completion=$prefix/share/fish/vendor_completions.d/$name.fish

# what_is_left: files that name a helper which is not there any more, and those of its own.
what_is_left() {
    # Another place may have it still.
    if other=$(command -v "$name") && [ -e "$other" ]; then
        say "$other is there still, and clients go on using it."
        return
    fi
    home=${HOME:-}
    settings=${XDG_CONFIG_HOME:-$home/.config}
    in_home=$home/.cache
    [ "$(uname -s)" != Darwin ] || in_home=$home/Library/Caches
    names_it docker "${DOCKER_CONFIG:-$home/.docker}/config.json"
    names_it podman "${REGISTRY_AUTH_FILE:-$settings/containers/auth.json}"
    for plugins in /etc/eks/image-credential-provider /var/lib/rancher/credentialprovider/bin /usr/local/bin/credential-provider; do
        plugin=$plugins/ecr-credential-provider
        if [ -L "$plugin" ] && [ ! -e "$plugin" ]; then
            say "$plugin leads nowhere now, and the kubelet does not start without it. Install again and run:"
            say "    $name setup kubelet --undo"
        fi
    done
    for place in "${AWS_ECR_CACHE_DIR:-${XDG_CACHE_HOME:-$in_home}}/ecr-login" /run/ecr-login; do
        [ ! -d "$place" ] || say "$place stays (cached tokens); remove it where nobody needs it any more."
    done
    for place in "$settings/ecr-login" /etc/ecr-login; do
        [ ! -d "$place" ] || say "$place stays (settings); remove it where nobody needs it any more."
    done
}

# names_it CLIENT FILE: says so where the client's file names the helper.
names_it() {
    grep -q '"ecr-login"' "$2" 2>/dev/null || return 0
    say "$2 still names the helper, so that $1 fails for these registries. To undo that, take out each"
    say "    \"REGISTRY\": \"ecr-login\" of credHelpers (and \"credsStore\": \"ecr-login\"), or install again and run:"
    say "    $name setup $1 --undo"
    say "    (what setup did not write stays with that: $name setup $1 --undo REGISTRY)"
    [ ! -e "$2.before-ecr-login" ] || say "    $2.before-ecr-login is what it was before setup."
}

if [ "$uninstall" = yes ]; then
    found=no
    for file in "$bin/$name" "$man" "$bash_completion" "$zsh_completion" "$fish_completion"; do
        if [ -e "$file" ]; then
            rm -- "$file"
            say "removed $file"
            found=yes
        fi
    done
    [ "$found" = yes ] || say "nothing is installed under $prefix"
    what_is_left
    exit 0
fi

# --- the toolchain ----------------------------------------------------------------------------------------------
wanted=$(sed -n 's/^rust-version = "\(.*\)"$/\1/p' "$top/Cargo.toml")
how="get it with https://rustup.rs (then: rustup update stable)"
for tool in cargo rustc; do
    command -v "$tool" >/dev/null || stop "no Rust toolchain found ($tool); this needs Rust $wanted or later; $how"
done
present=$(cd "$top" && rustc --version | sed 's/^rustc \([0-9.]*\).*/\1/')
oldest=$(printf '%s\n%s\n' "$wanted" "$present" | sort -t. -k1,1n -k2,2n -k3,3n | head -n 1)
[ "$oldest" = "$wanted" ] || stop "Rust $present is too old; this needs $wanted or later; $how"
command -v cc >/dev/null || stop "no C compiler (cc) found, which Rust needs to link; on Debian: apt install build-essential"

# --- build, install ---------------------------------------------------------------------------------------------
say "Building the release binary (a few minutes the first time) ..."
built=$("$top/scripts/build-release.sh") || stop "the build failed; its reason is above"

# place FILE MODE COMMAND...: what the command prints becomes FILE, in one step, so that nobody ever meets half of it. It is
# written in a new directory that is ours alone: under a name that others could know, it would go wherever a link of theirs
# leads.
place() {
    file=$1 mode=$2
    shift 2
    directory=$(dirname "$file")
    if ! { mkdir -p "$directory" && making=$(mktemp -d "$directory/.ecr-login.XXXXXXXX"); }; then
        stop "$file cannot be written; choose another place with --prefix"
    fi
    # mv would put the new file into a directory, also into one that a link leads to.
    if [ -d "$file" ]; then
        rm -f "$file" 2>/dev/null || stop "$file is a directory"
    fi
    if ! { "$@" >"$making/new" && chmod "$mode" "$making/new" && mv -f "$making/new" "$file"; }; then
        stop "$file could not be made"
    fi
    rm -rf "$making"
}
making=
trap '[ -z "$making" ] || rm -rf "$making"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

place "$bin/$name" 755 cat "$built"
place "$man" 644 "$built" man
place "$bash_completion" 644 "$built" completions bash
place "$zsh_completion" 644 "$built" completions zsh
place "$fish_completion" 644 "$built" completions fish
say "Installed $bin/$name ($("$bin/$name" --version)), its man page and shell completions."

# --- what a pull does, shown without AWS ------------------------------------------------------------------------
if [ "$demo" = yes ]; then
    # One file without dependencies: the compiler alone builds it in a second.
    making=$(mktemp -d "${CARGO_TARGET_DIR:-$top/target}/ecr-login-demo.XXXXXXXX") || stop "the demo could not be built"
    rustc --edition 2024 -o "$making/demo" "$top/examples/demo.rs" || stop "the demo could not be built"
    say
    "$making/demo" "$bin/$name" || stop "the demo did not go as it should"
    rm -rf "$making"
fi

# --- what is left to do -----------------------------------------------------------------------------------------
say
command=$name
case :$PATH: in
*":$bin:"*)
    first=$(command -v "$name" || true)
    [ "$first" = "$bin/$name" ] || say "Note: $first comes first on your PATH, so docker would run that one."
    ;;
*)
    say "$bin is not on your PATH, where docker looks for the helper. Add it, in your shell's profile:"
    say "    export PATH=\"$bin:\$PATH\""
    command=$bin/$name
    ;;
esac
if command -v kubelet >/dev/null; then
    setup="setup kubelet"
elif command -v docker >/dev/null; then
    setup="setup docker"
elif command -v podman >/dev/null || command -v buildah >/dev/null || command -v skopeo >/dev/null; then
    setup="setup podman"
else
    setup="setup docker"
fi
say "Next, tell your client about it:"
say "    $command $setup"
