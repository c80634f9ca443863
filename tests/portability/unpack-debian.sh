#!/bin/bash
# Another Debian's files, without installing anything: what its packages hold is unpacked into a directory.
#
#   tests/portability/unpack-debian.sh SUITE DIRECTORY PACKAGE...
#   tests/portability/unpack-debian.sh SUITE DIRECTORY --closure PACKAGE...
#                                                           with all that the packages depend on; a package that the
#                                                           mirror does not have is named on stdout and left out
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
closure=
[ "$1" != --closure ] || { closure=yes; shift; }
mkdir -p "$work"/{lists/partial,cache/archives/partial,root}
: >"$work/status"
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
    -o Dir::Etc::PreferencesParts=/dev/null -o Dir::State::Lists="$work/lists" -o Dir::State::Status="$work/status"
    -o Dir::Cache="$work/cache" -o Acquire::Languages=none -o Acquire::Retries=3 -o APT::Sandbox::User=root
    -o Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false
    -o APT::Architectures="$architectures"
    # The release file of a suite that moves every day may be past its date on a mirror that is not made every day.
    -o Acquire::Check-Valid-Until=false
)
cd "$work"
apt-get -q "${options[@]}" update
if [ -n "$closure" ]; then
    wanted=()
    for package; do
        if apt-cache "${options[@]}" show --no-all-versions "$package" >/dev/null 2>&1; then
            wanted+=("$package")
        else
            echo "$suite: $package is not on this mirror"
        fi
    done
    apt-get -q "${options[@]}" install --yes --no-install-recommends --download-only "${wanted[@]}" >&2
    mv "$work"/cache/archives/*.deb "$work"
else
    apt-get -q "${options[@]}" download "$@"
fi
for package in "$work"/*.deb; do
    dpkg-deb --extract "$package" "$work/root"
    # shellcheck disable=SC2016 # dpkg's variables
    dpkg-deb --show --showformat '${Package} ${Version}\n' "$package" >>"$work/versions"
done
mkdir -p "$work/root/var/lib"
mv "$work/versions" "$work/root/var/lib/unpacked-versions"
mkdir -p "$(dirname "$directory")"
mv "$work/root" "$directory"
