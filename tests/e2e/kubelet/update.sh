#!/bin/bash
# Writes the files of pinned versions anew.
#
#   tests/e2e/kubelet/update.sh go.mod KUBERNETES CLOUD_PROVIDER_AWS     such as 1.37.2 1.37.1
#   tests/e2e/kubelet/update.sh oldest.mod KUBERNETES                    such as 1.33.5; without Kubernetes' own plugin
#
# The go.mod of k8s.io/kubernetes replaces its staging modules by folders that its archive does not have. They are modules
# of their own, of version 0.37.2 where Kubernetes has 1.37.2. (The last replacement is for cloud-provider-aws: it requires a
# version of cel-go under a name that not every proxy serves, and its plugin does not use it.)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/program"
file=$1 kubernetes=$2 plugin=${3-}
export GOTOOLCHAIN=local

scratch=$(mktemp -d)
trap 'rm -rf -- "$scratch"' EXIT
theirs=$(cd "$scratch" && go mod download -json "k8s.io/kubernetes@v$kubernetes" | sed -n 's/^\t"GoMod": "\(.*\)",$/\1/p')
{
    printf 'module kubeletcases\n\n'
    grep -m 1 '^go ' "$theirs"
    grep '^godebug ' "$theirs" || true
    echo "tool k8s.io/kubernetes/cmd/kubelet"
    [ -z "$plugin" ] || echo "tool k8s.io/cloud-provider-aws/cmd/ecr-credential-provider"
    echo "require k8s.io/kubernetes v$kubernetes"
    [ -z "$plugin" ] || echo "require k8s.io/cloud-provider-aws v$plugin"
    sed -n 's|^\t\(k8s.io/[^ ]*\) => ./staging/.*|\1|p' "$theirs" | while read -r module; do
        echo "replace $module => $module v0.${kubernetes#1.}"
    done
    version=$(sed -n 's|^\tgithub.com/google/cel-go \(v[^ ]*\).*|\1|p' "$theirs")
    echo "replace github.com/google/cel-go => github.com/google/cel-go $version"
} >"$file"
rm -f "${file%.mod}.sum"
go mod tidy -modfile="$file"
