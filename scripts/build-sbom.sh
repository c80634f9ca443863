#!/bin/sh
# Writes the bill of materials of the release binary (CycloneDX 1.5, JSON) and prints its path: every crate of Cargo.lock
# that can become part of it on a platform, with version, licence and checksum. The same commit gives the same file.
#
#   scripts/build-sbom.sh [TARGET]      the target of the release binary that is built here, or another
#
# Needs cargo-cyclonedx (cargo install --locked cargo-cyclonedx).
set -eu
cd "$(dirname "$0")/.."

target=${1-$(rustc -vV | sed -n 's/^host: //p')}
name=docker-credential-ecr-login-$target
stage=${CARGO_TARGET_DIR:-target}/sbom
mkdir -p "$stage"
# It has no --locked of its own: this fails where Cargo.lock does not fit Cargo.toml.
cargo metadata --locked --format-version 1 >"$stage/metadata"
rm "$stage/metadata"

SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH-$(git log -1 --format=%ct)}
export SOURCE_DATE_EPOCH
# It writes beside the Cargo.toml of each package of the workspace whatever it is told.
trap 'rm -f "$name.json" "benches/pieces/$name.json"' EXIT
cargo cyclonedx --quiet --format json --spec-version 1.5 --target "$target" --no-build-deps --override-filename "$name" >&2
# The directory in which it was built is nobody's business.
sed "s|path+file://$PWD#|path+file:///#|g" "$name.json" >"$stage/$name.cdx.json"
printf '%s\n' "$stage/$name.cdx.json"
