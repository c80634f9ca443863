# Loaded into every step of the gate.
# shellcheck shell=bash

# Tests that skip what a machine lacks fail here instead.
export CI=${CI:-true}
# By its own path: target/ci may be a link to what all checkouts of the machine share (.ci/run).
CI_KEPT=$(cd target/ci && pwd -P)
export CI_VENV=$CI_KEPT/moto

say() {
    echo "        $*" >&3
}

# isolated HOME COMMAND...: runs with a cleared environment, in namespaces of its own: the network is the loopback
# interface, mounts stay inside. Rust's own homes stay what they are, so the toolchain and the fetched crates are
# there; no variable of the machine (proxies, certificates, AWS) is.
isolated() {
    local home=$1
    shift
    unshare --net --mount --propagation private -- bash -c 'ip link set lo up && exec "$@"' - \
        env -i HOME="$home" PATH="$PATH" LANG=C.UTF-8 CI="${CI-}" CARGO_NET_OFFLINE=true CARGO_TERM_COLOR=never \
        CARGO_HOME="${CARGO_HOME:-$HOME/.cargo}" RUSTUP_HOME="${RUSTUP_HOME:-$HOME/.rustup}" "$@"
}

# fresh_copy DIRECTORY: what a clone of the working tree as it is now would hold.
fresh_copy() {
    git ls-files -z --cached --others --exclude-standard | while IFS= read -r -d '' file; do
        [ ! -e "$file" ] || printf '%s\0' "$file"
    done | tar --null --files-from=- -cf - | tar -xf - -C "$1"
}

# cargo_tool CRATE VERSION [OPTION]...: a tool for developers, from its own lock file; compiled once, without optimising,
# which takes half the time and is fast enough for what it does here.
cargo_tool() {
    local tools=$CI_KEPT/tools/$1-$2 crate=$1 version=$2
    shift 2
    PATH=$tools/bin:$PATH
    [ -x "$tools/bin/$crate" ] ||
        CARGO_PROFILE_DEV_DEBUG=0 CARGO_TARGET_DIR=target/ci/build cargo install --quiet --locked --debug \
            --root "$tools" --version "$version" "$@" "$crate"
}

# LINTED: with these variables cargo compiles our own code by clippy's compiler, and a warning is an error. So one build of
# another target is its clippy too; the crates of others would be compiled twice by `cargo clippy` and a build.
# shellcheck disable=SC2034 # the steps use it
LINTED=(RUSTC_WORKSPACE_WRAPPER=clippy-driver CLIPPY_ARGS=-Dwarnings__CLIPPY_HACKERY__)

# tested NAME COMMAND... [-- OPTION...]: tests of another platform, by cargo's COMMAND. Under an emulator, beside hundreds of other
# processes, deadlines of seconds pass: up to ten that fail are run once more, alone, where they have to pass, and are named.
tested() {
    local name=$1 output command=() failed
    shift
    while [ $# -gt 0 ] && [ "$1" != -- ]; do
        command+=("$1")
        shift
    done
    if output=$("${command[@]}" "$@" 2>&1); then
        say "$name: $(grep -F 'test result: ' <<<"$output")"
        return
    fi
    echo "$output"
    mapfile -t failed < <(sed -n 's/^test \([^ ]*\) \.\.\. FAILED$/\1/p' <<<"$output")
    [ ${#failed[@]} -gt 0 ] && [ ${#failed[@]} -le 10 ] || return 1
    "${command[@]}" -- --exact --test-threads=1 "${failed[@]}" || return 1
    say "$name: $(grep -F 'test result: ' <<<"$output")"
    say "alone, those passed: ${failed[*]}"
}
