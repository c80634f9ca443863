#!/bin/bash
# The keychain of crane, cosign and flux asks "credsStore" although "credHelpers" names a helper for the registry.
#
# docker and its own libraries take the helper of "credHelpers" for a registry and never ask the store about it.
# go-containerregistry looks for REGISTRY/REPOSITORY first; "credHelpers" has no entry of that name, so the store is asked
# with it, and only then the helper with the registry alone. A store that knows any such name wins over the helper, and one
# that fails (a keychain that is locked, a program that is missing) ends the look-up, where docker pulls without it.
#
# Seen with github.com/google/go-containerregistry v0.21.6 and Go 1.26; the calls are printed below.
# Needs Go and its module proxy. Exits 0 while the library does this, 1 if it no longer does.
set -euo pipefail
scratch=$(mktemp -d)
trap 'rm -rf -- "$scratch"' EXIT
cd "$scratch"
cat >main.go <<'GO'
package main

import (
	"fmt"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
)

func main() {
	repository, err := name.NewRepository("registry.example.com/team/app")
	if err != nil {
		panic(err)
	}
	found, err := authn.DefaultKeychain.Resolve(repository)
	if err != nil {
		fmt.Println("error:", err)
		return
	}
	config, err := found.Authorization()
	fmt.Println("user:", config.Username, err)
}
GO
cat >go.mod <<'MOD'
module example.com/keychain

go 1.24

require github.com/google/go-containerregistry v0.21.6
MOD
export GOFLAGS=-mod=mod CGO_ENABLED=0
go build -o keychain . 2>"$scratch/build.log" || { cat "$scratch/build.log" >&2; exit 1; }
mkdir bin .docker
for helper in store helper; do
    cat >"bin/docker-credential-$helper" <<HELPER
#!/bin/sh
read -r name
echo "$helper \$1 \$name" >>"\$HOME/calls"
case $helper in
helper) echo '{"Username":"by-helper","Secret":"s"}' ;;
store) echo 'credentials not found in native keychain'; exit 1 ;;
esac
HELPER
    chmod +x "bin/docker-credential-$helper"
done
look_up() {
    printf '{"credsStore": "%s", "credHelpers": {"registry.example.com": "helper"}}' "$1" >.docker/config.json
    : >calls
    env -i PATH="$scratch/bin:/usr/bin:/bin" HOME="$scratch" ./keychain
    cat calls
}
both=$(look_up store)
missing=$(look_up missing)
printf 'with a store that knows nothing:\n%s\nwith a store that is not installed:\n%s\n' "$both" "$missing"
[ "$both" = "user: by-helper <nil>
store get registry.example.com/team/app
helper get registry.example.com" ] && grep -q '^error: ' <<<"$missing" && ! grep -q '^helper ' <<<"$missing"
