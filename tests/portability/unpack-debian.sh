#!/bin/bash
# Another Debian's files, without installing anything: what its packages hold is unpacked into a directory.
#
#   tests/portability/unpack-debian.sh SUITE DIRECTORY PACKAGE...
#   tests/portability/unpack-debian.sh SUITE DIRECTORY --whole        a whole small system with mDNS, by debootstrap; takes
#                                                           minutes
#
# A package may be named with a version (NAME=1.2*) and with an architecture (NAME:arm64).
# The mirror is the one that this machine's apt is set up with, and the signatures are checked with Debian's own keys.
# Nothing is done if the directory is there.
set -euo pipefail

suite=$1 directory=$(realpath -m "$2")
shift 2
[ ! -d "$directory" ] || exit 0

# The source that this machine's own release comes from.
# shellcheck source=/dev/null
. /etc/os-release
# shellcheck disable=SC2016 # apt fills these in.
mirror=$(apt-get indextargets --format '$(RELEASE) $(REPO_URI)' 'Created-By: Packages' |
    awk -v release="$VERSION_CODENAME" '$1 == release { print $2; exit }')
[ -n "$mirror" ] || { echo "unpack-debian: apt has no source for $VERSION_CODENAME" >&2; exit 1; }

work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
if [ "$1" = --whole ]; then
    debootstrap --variant=minbase --include=libnss-mdns,libnss-myhostname "$suite" "$work/root" "$mirror"
    mkdir -p "$(dirname "$directory")"
    mv "$work/root" "$directory"
    exit
fi
mkdir -p "$work"/{lists/partial,cache/archives/partial,root}
architectures=$(dpkg --print-architecture)
for package; do
    case $package in
    *:*) architectures=$architectures,${package##*:} ;;
    esac
done
printf 'deb [arch=%s signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] %s %s main\n' "$architectures" "$mirror" "$suite" \
    >"$work/sources.list"
options=(
    -o Dir::Etc::SourceList="$work/sources.list" -o Dir::Etc::SourceParts=/dev/null -o Dir::Etc::Preferences=/dev/null
    -o Dir::Etc::PreferencesParts=/dev/null -o Dir::State::Lists="$work/lists" -o Dir::State::Status=/dev/null
    -o Dir::Cache="$work/cache" -o Acquire::Languages=none -o Acquire::Retries=3 -o APT::Sandbox::User=root
    -o Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false -o APT::Architectures="$architectures"
)
cd "$work"
apt-get -q "${options[@]}" update
apt-get -q "${options[@]}" download "$@"
for package in "$work"/*.deb; do
    dpkg-deb --extract "$package" "$work/root"
done
mkdir -p "$(dirname "$directory")"
mv "$work/root" "$directory"
