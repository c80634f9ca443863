# Loaded into every step of the gate.
# shellcheck shell=bash

export CI_VENV=$PWD/target/ci/moto

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
