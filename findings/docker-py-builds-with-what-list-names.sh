#!/bin/bash
# docker-py's build does not ask the credential store for the registry of the image that it builds from.
#
# With "credsStore" pull and push ask the helper "get" for the registry, whatever the store lists. images.build asks "list",
# and then "get" for each name that came back: all of these go to the daemon, and nothing else does. A helper that can
# answer for every registry of a service, but has no list of them, makes pulls work and the same machine's builds fail.
# "credHelpers" are asked for in a build as well, each by its name in the file.
#
# Seen with docker 7.2.0 (PyPI) on Python 3.11; the calls are printed below. No daemon is needed.
# Needs python3 with venv and its package index. Exits 0 while the library does this, 1 if it no longer does.
set -euo pipefail
scratch=$(mktemp -d)
trap 'rm -rf -- "$scratch"' EXIT
python3 -m venv "$scratch/venv"
"$scratch/venv/bin/pip" install --quiet docker==7.2.0
mkdir "$scratch/bin" "$scratch/.docker"
cat >"$scratch/bin/docker-credential-demo" <<'HELPER'
#!/bin/sh
read -r name
echo "$1 $name" >>"$HOME/calls"
case $1 in
list) echo '{"listed.example.com":"someone"}' ;;
get) printf '{"ServerURL":"%s","Username":"someone","Secret":"of-%s"}\n' "$name" "$name" ;;
esac
HELPER
chmod +x "$scratch/bin/docker-credential-demo"
# seen CONFIGURATION EXPRESSION: what the library knows, and the calls of the helper.
seen() {
    printf '%s' "$1" >"$scratch/.docker/config.json"
    : >"$scratch/calls"
    env -i PATH="$scratch/bin:$PATH" HOME="$scratch" "$scratch/venv/bin/python" -c "
import docker.auth
auth = docker.auth.load_config()
print(sorted($2))"
    tr '\n' ';' <"$scratch/calls"
    echo
}
pull=$(seen '{"credsStore": "demo"}' "auth.resolve_authconfig('other.example.com').items()")
build=$(seen '{"credsStore": "demo"}' "auth.get_all_credentials()")
named=$(seen '{"credHelpers": {"other.example.com": "demo"}}' "auth.get_all_credentials()")
printf 'a pull from other.example.com: %s\na build, credsStore: %s\na build, credHelpers: %s\n' "$pull" "$build" "$named"
grep -q '^get other.example.com;$' <<<"$pull" && grep -q '^list.*;get listed.example.com;$' <<<"$build" &&
    ! grep -q other.example.com <<<"$build" && grep -q '^get other.example.com;$' <<<"$named"
