#!/bin/sh
# Builds the Debian package of the release binary and prints its path. Needs cargo-deb (cargo install --locked cargo-deb).
#
#   scripts/build-deb.sh [BINARY]     packages BINARY, which was built before, instead of building it
set -eu
cd "$(dirname "$0")/.."

binary=${1-$(scripts/build-release.sh)}
case $binary in
/*) ;;
*) binary=$PWD/$binary ;;
esac
# What package.metadata.deb in Cargo.toml takes its files from.
stage=target/package-files
rm -rf "$stage" target/deb-files
mkdir -p "$stage" target/deb-files
cp "$binary" "$stage/docker-credential-ecr-login"
"$binary" man >"$stage/docker-credential-ecr-login.1"
"$binary" completions bash >"$stage/docker-credential-ecr-login.bash"
"$binary" completions zsh >"$stage/_docker-credential-ecr-login"
"$binary" completions fish >"$stage/docker-credential-ecr-login.fish"

# It prints the path too, on some versions even where it is told to be quiet.
cargo deb --quiet --locked --no-build --no-strip --output target/deb-files/ >&2
printf '%s\n' target/deb-files/*.deb
