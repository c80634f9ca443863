#!/bin/bash
# Packs the binary of a target of packaging/targets.tsv into the archive that a release publishes, target/dist/NAME, and
# prints its path.
#
#   scripts/build-archive.sh TARGET             builds the release binary first (scripts/cross.sh)
#   scripts/build-archive.sh TARGET BINARY      takes this one
set -euo pipefail
cd "$(dirname "$0")/.."
name=docker-credential-ecr-login

target=${1:?usage: scripts/build-archive.sh TARGET [BINARY]}
row=$(awk -F '\t' -v target="$target" '$1 == target' packaging/targets.tsv)
[ -n "$row" ] || { echo "build-archive: $target is not in packaging/targets.tsv" >&2; exit 2; }
IFS=$'\t' read -r _ label archive _ <<<"$row"
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -n 1)
binary=${2-}
[ -n "$binary" ] || binary=$(scripts/cross.sh "$target" scripts/build-release.sh)

# The man page and the completions are the same on every platform, so a binary of this machine's writes them.
cargo build --quiet --locked --bin "$name" >&2
here=${CARGO_TARGET_DIR:-target}/debug/$name

files=target/archive-files
rm -rf "$files"
mkdir -p "$files" target/dist
case $target in
*-windows-*) program=$name.exe ;;
*) program=$name ;;
esac
install -m 755 "$binary" "$files/$program"
"$here" man >"$files/$name.1"
"$here" completions bash >"$files/$name.bash"
"$here" completions zsh >"$files/_$name"
"$here" completions fish >"$files/$name.fish"

directory=$name-$version-$label
mkdir -p "$files/$directory"
cp "$files/$program" LICENSE-APACHE LICENSE-MIT README.md CHANGELOG.md "$files/$directory/"
case $target in
*-windows-*) ;;
*) cp "$files/$name.1" "$files/$name.bash" "$files/_$name" "$files/$name.fish" "$files/$directory/" ;;
esac
# The same files give the same archive: names in order, one time, nobody's user.
when=$(git log -1 --format=%ct)
made=target/dist/$directory.$archive
rm -f "$made"
case $archive in
tar.gz)
    # GNU tar, which has another name where it is not the system's (macOS).
    gnu_tar=$(command -v gtar || echo tar)
    "$gnu_tar" --sort=name --mtime="@$when" --owner=0 --group=0 --numeric-owner -C "$files" -cf - "$directory" | gzip -n >"$made"
    ;;
zip)
    (cd "$files" && python3 - "$directory" "$OLDPWD/$made" "$when" <<'END')
import pathlib, sys, time, zipfile

directory, made, when = sys.argv[1:]
with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
    for file in sorted(pathlib.Path(directory).iterdir()):
        entry = zipfile.ZipInfo(str(file), time.gmtime(int(when))[:6])
        entry.external_attr = (0o755 if file.suffix == ".exe" else 0o644) << 16
        archive.writestr(entry, file.read_bytes(), zipfile.ZIP_DEFLATED)
END
    ;;
esac
echo "$made"
