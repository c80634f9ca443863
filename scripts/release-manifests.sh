#!/bin/bash
# Writes what names all archives of a release with their checksums into DIRECTORY, where these are
# (scripts/build-archive.sh): a Homebrew formula and a Scoop manifest. Prints what it made.
#
#   scripts/release-manifests.sh DIRECTORY URL       URL: where the files will be, without the last slash
#
# Fails where an archive of packaging/targets.tsv is missing.
set -euo pipefail
directory=$(cd "${1:?usage: scripts/release-manifests.sh DIRECTORY URL}" && pwd)
url=${2:?usage: scripts/release-manifests.sh DIRECTORY URL}
cd "$(dirname "$0")/.."
name=docker-credential-ecr-login
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -n 1)
description=$(sed -n 's/^description = "\(.*\)"$/\1/p' Cargo.toml)

declare -A file sum
while IFS=$'\t' read -r target label archive _; do
    [[ $target != \#* ]] || continue
    file[$label]=$name-$version-$label.$archive
    [ -s "$directory/${file[$label]}" ] || { echo "release-manifests: ${file[$label]} is missing" >&2; exit 1; }
    sum[$label]=$(sha256sum "$directory/${file[$label]}" | cut -d ' ' -f 1)
done <packaging/targets.tsv

# part LABEL: where a formula has one platform's archive.
part() {
    printf '      url "%s/%s"\n      sha256 "%s"\n' "$url" "${file[$1]}" "${sum[$1]}"
}

cat >"$directory/$name.rb" <<END
class DockerCredentialEcrLogin < Formula
  desc "${description%%:*}"
  homepage "${url%%/releases/*}"
  version "$version"
  license any_of: ["Apache-2.0", "MIT"]

  on_macos do
    on_arm do
$(part macos-aarch64)
    end
    on_intel do
$(part macos-x86_64)
    end
  end

  on_linux do
    on_arm do
$(part linux-aarch64)
    end
    on_intel do
$(part linux-x86_64)
    end
  end

  conflicts_with "docker-credential-helper-ecr", because: "both install a docker-credential-ecr-login binary"

  def install
    bin.install "$name"
    man1.install "$name.1"
    bash_completion.install "$name.bash" => "$name"
    zsh_completion.install "_$name"
    fish_completion.install "$name.fish"
  end

  test do
    assert_match version.to_s, shell_output("#{bin}/$name --version")
  end
end
END

python3 - "$directory/$name.json" "$version" "$description" "$url" "${file[windows-x86_64]}" "${sum[windows-x86_64]}" <<'END'
import json, sys

made, version, description, url, file, checksum = sys.argv[1:]
manifest = {
    "version": version,
    "description": description,
    "homepage": url.split("/releases/")[0],
    "license": "Apache-2.0|MIT",
    "architecture": {"64bit": {"url": f"{url}/{file}", "hash": checksum, "extract_dir": file.removesuffix(".zip")}},
    "bin": "docker-credential-ecr-login.exe",
}
with open(made, "w") as out:
    json.dump(manifest, out, indent=4)
    out.write("\n")
END

printf '%s\n' "$directory/$name.rb" "$directory/$name.json"
