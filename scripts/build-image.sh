#!/bin/bash
# Makes the container image of the Linux archives in DIRECTORY (scripts/build-archive.sh), for each processor that they are
# for, as one OCI archive in DIRECTORY, and prints its path.
#
#   scripts/build-image.sh DIRECTORY
#
# Needs buildah, whose storage for it is a temporary one. Nothing is pulled and nothing is run: packaging/Containerfile copies
# one static file. To have it in a registry: skopeo copy --all oci-archive:FILE docker://REGISTRY/NAME.
set -euo pipefail
directory=$(cd "${1:?usage: scripts/build-image.sh DIRECTORY}" && pwd)
cd "$(dirname "$0")/.."
name=docker-credential-ecr-login
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -n 1)
when=$(git log -1 --format=%ct)

work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
build() {
    buildah --root "$work/storage" --runroot "$work/run" --storage-driver vfs "$@" >&2
}
while IFS=$'\t' read -r target label archive _; do
    case $target in
    x86_64-*-linux-*) platform=linux/amd64 ;;
    aarch64-*-linux-*) platform=linux/arm64 ;;
    *) continue ;;
    esac
    files=$work/$label
    mkdir "$files"
    tar -xzf "$directory/$name-$version-$label.$archive" -C "$files" --strip-components=1
    # The same binary gives the same image: one time.
    build build --quiet --isolation chroot --timestamp "$when" --platform "$platform" --manifest "$name" \
        --file packaging/Containerfile "$files"
done <packaging/targets.tsv
made=$directory/$name-$version-image.tar
rm -f "$made"
build manifest push --quiet --all "$name" "oci-archive:$made"
echo "$made"
