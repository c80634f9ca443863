#!/bin/bash
# Makes the packages that packaging/targets.tsv has for a target from what scripts/build-archive.sh made for it, in
# target/dist, and prints their paths: a Debian package and an RPM.
#
#   scripts/build-packages.sh TARGET
#
# Needs cargo-deb and cargo-generate-rpm (cargo install --locked).
set -euo pipefail
cd "$(dirname "$0")/.."
name=docker-credential-ecr-login

target=${1:?usage: scripts/build-packages.sh TARGET}
row=$(awk -F '\t' -v target="$target" '$1 == target' packaging/targets.tsv)
[ -n "$row" ] || { echo "build-packages: $target is not in packaging/targets.tsv" >&2; exit 2; }
IFS=$'\t' read -r _ label archive packages <<<"$row"
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -n 1)

# What the metadata in Cargo.toml takes its files from.
files=target/package-files
rm -rf "$files"
mkdir -p "$files"
tar -xzf "target/dist/$name-$version-$label.$archive" -C "$files" --strip-components=1

case ,$packages, in
*,deb,*)
    rm -rf target/deb-files
    mkdir target/deb-files
    # It prints the path too, on some versions even where it is told to be quiet.
    cargo deb --quiet --locked --no-build --no-strip --target "$target" --output target/deb-files/ >&2
    cp target/deb-files/*.deb target/dist/
    for package in target/deb-files/*.deb; do echo "target/dist/${package##*/}"; done
    ;;
esac
case ,$packages, in
*,rpm,*)
    package=target/dist/$name-$version-1.${target%%-*}.rpm
    cargo generate-rpm --auto-req disabled --arch "${target%%-*}" --output "$package" >&2
    echo "$package"
    ;;
esac
