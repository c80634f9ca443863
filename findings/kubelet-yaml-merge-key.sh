#!/bin/bash
# A key beside a YAML merge key: which one wins depends on their order, and a kubelet does not start with either.
#
# `<<: *defaults` brings the keys of another map; by YAML's merge type a key that is written in the map itself wins, wherever it
# stands. In sigs.k8s.io/yaml, by which Kubernetes reads its configuration files, the later one wins: `name: b` before the merge
# is silently replaced by the merged name. Its strict form, YAMLToJSONStrict, which the kubelet uses for its
# CredentialProviderConfig, counts both as one key twice and fails, in either order.
#
# Seen with sigs.k8s.io/yaml v1.6.0 (Go 1.26): "name":"b" with the merge first, "name":"a" with the merge last; strict, both:
# key "name" already set in map.
# Needs Go and its module proxy. Exits 0 while the library does this, 1 if it no longer does.
set -euo pipefail
scratch=$(mktemp -d)
trap 'rm -rf -- "$scratch"' EXIT
cd "$scratch"
cat >main.go <<'GO'
package main

import (
	"fmt"
	"os"
	"strings"

	"sigs.k8s.io/yaml"
)

func main() {
	for text, wins := range map[string]string{
		"providers:\n- &d\n  name: a\n  life: 1h\n- <<: *d\n  name: b\n": `{"life":"1h","name":"b"}]}`,
		"providers:\n- &d\n  name: a\n  life: 1h\n- name: b\n  <<: *d\n": `{"life":"1h","name":"a"}]}`,
	} {
		lenient, err := yaml.YAMLToJSON([]byte(text))
		fmt.Printf("lenient: %s %v\n", lenient, err)
		strict, strictErr := yaml.YAMLToJSONStrict([]byte(text))
		fmt.Printf("strict:  %s %v\n", strict, strictErr)
		if err != nil || !strings.HasSuffix(string(lenient), wins) || strictErr == nil ||
			!strings.Contains(strictErr.Error(), `key "name" already set in map`) {
			fmt.Println("it behaves in another way now")
			os.Exit(1)
		}
	}
}
GO
go mod init finding >/dev/null 2>&1
go get sigs.k8s.io/yaml@v1.6.0 >/dev/null 2>&1
go run .
