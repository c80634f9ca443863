#!/bin/bash
# Whole processes against each other, in turn, on this machine: an empty static C program ("no-op"), ours, Debian's
# amazon-ecr-credential-helper (if installed) and curl; beside each figure the one that is asked for. Quote the ratios;
# the times are this machine's.
#
#   benches/processes.sh [ROUNDS] [NAME=BINARY]...      as root; needs gcc, python3, curl
#
# Each NAME=BINARY is another build of ours, whose rows stand beside those of this one. ECR_LOGIN_GO_HELPER names another Go
# helper than Debian's.
set -euo pipefail
# shellcheck source=benches/fixture.sh
. "$(dirname "$0")/fixture.sh"
rounds=${1:-300}
shift $(($# > 0 ? 1 : 0))

gcc -O2 -o "$fixture/interleave" benches/interleave.c
# Copied as ours is: a file as the linker wrote it lies in the page cache in small pieces, and starts a fifth slower.
echo 'int main(void) { return 0; }' | gcc -O2 -static -x c -o "$fixture/noop" -
cp "$fixture/noop" "$programs/noop"
noop=$programs/noop
go=${ECR_LOGIN_GO_HELPER-/usr/bin/docker-credential-ecr-login}
mkdir "$fixture/go"
labels=(ours) builds=("$ours")
for helper in "$@"; do
    labels+=("${helper%%=*}")
    cp "${helper#*=}" "$programs/${#labels[@]}"
    builds+=("$programs/${#labels[@]}")
done

# A home for each build: another one's entries may be of another format.
aws plain
homes=()
for build in "${!builds[@]}"; do
    home "warm-$build"
    homes+=("HOME=$home AWS_ENDPOINT_URL=$url AWS_EC2_METADATA_DISABLED=true")
    for other in $(seq 9); do
        # shellcheck disable=SC2086 # a command line of assignments and words
        printf '3%011d.dkr.ecr.%s.amazonaws.com' "$other" "$region" | env -i ${homes[build]} "${builds[build]}" get >/dev/null
    done
    # shellcheck disable=SC2086
    env -i ${homes[build]} "${builds[build]}" get <"$fixture/registry" >/dev/null
done
mkdir "$fixture/empty"
warm="${homes[0]} $ours"

# Each row follows the same row of another build, which has left the processor's caches alike.
echo "## Warm: $rounds rounds"
rows=(no-op /dev/null "$noop")
for build in "${!builds[@]}"; do
    of=${labels[build]} command="${homes[build]} ${builds[build]}"
    rows+=("get, cached: $of|1.15" "$fixture/registry" "$command get"
        "kubelet, cached: $of|as get" "$fixture/kubelet" "$command kubelet"
        "get of a foreign name: $of|1.05" "$fixture/foreign" "@exit:1 $command get")
done
"$fixture/interleave" "$rounds" "${rows[@]}"

echo
echo "## The other actions: $rounds rounds"
rows=(no-op /dev/null "$noop")
for build in "${!builds[@]}"; do
    of=${labels[build]} command="${homes[build]} ${builds[build]}"
    rows+=("list of 10 entries: $of|1.5" /dev/null "$command list"
        "store: $of|1.5" "$fixture/store" "$command store"
        "erase with nothing cached: $of|1.5" "$fixture/registry" "HOME=$fixture/empty ${builds[build]} erase")
done
"$fixture/interleave" "$rounds" "${rows[@]}"

# In tables and homes of their own: these change the cache, and what is left behind leaves other caches cold.
for build in "${!builds[@]}"; do
    of=${labels[build]}
    home "second-half-$build"
    second="HOME=$home AWS_ENDPOINT_URL=$url AWS_EC2_METADATA_DISABLED=true ${builds[build]}"
    # shellcheck disable=SC2086
    env -i $second get <"$fixture/registry" >/dev/null
    middle_aged "$home/.cache/ecr-login"
    entry=$(echo "$home"/.cache/ecr-login/*-"$registry")
    cp "$entry" "$fixture/old-entry-$build"
    echo
    "$fixture/interleave" "$rounds" no-op /dev/null "$noop" \
        "erase of an entry: $of|1.5" "$fixture/registry" "@copy:$fixture/old-entry-$build:$entry $second erase"
    echo
    "$fixture/interleave" "$rounds" no-op /dev/null "$noop" \
        "get that starts a refresh: $of|2.2" "$fixture/registry" "@copy:$fixture/old-entry-$build:$entry $second get"
done

aws secure --tls --port 443 --ca "$fixture/ca.pem" --plain
nearby=$(sed -n 2p "$fixture/secure.out")
keys="AWS_ACCESS_KEY_ID=AKIABENCHMARK AWS_SECRET_ACCESS_KEY=benchmark AWS_EC2_METADATA_DISABLED=true"
keys="$keys SSL_CERT_FILE=$fixture/ca.pem SSL_CERT_DIR=/nonexistent"
if [ -x "$go" ]; then
    mkdir "$fixture/go-warm"
    # shellcheck disable=SC2086
    env -i HOME="$fixture/go-warm" $keys "$go" get <"$fixture/registry" >/dev/null
    echo
    "$fixture/interleave" "$rounds" 'ours: get, cached' "$fixture/registry" "$warm get" \
        'Go helper: get, cached' "$fixture/registry" "HOME=$fixture/go-warm $keys $go get"
fi

echo
echo "## Cold, over TLS, with keys in the environment: $((rounds / 3)) rounds"
cat >"$fixture/curl" <<END
silent
output = /dev/null
cacert = $fixture/ca.pem
request = POST
header = "X-Amz-Target: AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken"
header = "Content-Type: application/x-amz-json-1.1"
header = "Authorization: AWS4-HMAC-SHA256 Credential=AKIABENCHMARK/20260101/$region/ecr/aws4_request, SignedHeaders=host, Signature=00"
data = "{}"
url = "https://$api/"
END
# All begin without a token and keep the one that they get.
for build in "${!builds[@]}"; do mkdir "$fixture/cold-$build"; done
cat /etc/ssl/certs/ca-certificates.crt "$fixture/ca.pem" >"$fixture/bundle.pem"
rows=()
if [ -x "$go" ]; then
    rows=('Go helper: get, cold' "$fixture/registry" "@empty:$fixture/go/.ecr HOME=$fixture/go $keys $go get")
fi
for build in "${!builds[@]}"; do
    cold="@empty:$fixture/cold-$build/.cache/ecr-login HOME=$fixture/cold-$build"
    rows+=("get, cold: ${labels[build]}|0.6, goal 0.4; CPU 0.5; 4.2 MiB" "$fixture/registry" "$cold $keys ${builds[build]} get")
done
rows+=('curl, the same POST' /dev/null "HOME=$fixture/cold-0 $(command -v curl) -q -K $fixture/curl")
"$fixture/interleave" $((rounds / 3)) "${rows[@]}"
sed 's/ca\.pem/bundle.pem/' "$fixture/curl" >"$fixture/curl-bundle"
rows=("${rows[@]//ca.pem/bundle.pem}")
echo
echo "The same with Debian's bundle of roots before the loopback ECR's own:"
"$fixture/interleave" $((rounds / 3)) "${rows[@]//-K $fixture\/curl/-K $fixture\/curl-bundle}"

echo
echo "## Cold by each source of credentials, against keys in the environment: $((rounds / 3)) rounds"
# STS and ECR over TLS under their own names, which lead to one loopback AWS; instance metadata and the container's
# agent in the clear, as they are.
base="HOME=$fixture/sources AWS_ECR_DISABLE_CACHE=1 SSL_CERT_FILE=$fixture/ca.pem SSL_CERT_DIR=/nonexistent"
off="AWS_EC2_METADATA_DISABLED=true"
mkdir -p "$fixture/sources/.aws"
cat >"$fixture/sources/.aws/config" <<END
[profile base]
aws_access_key_id = AKIABENCHMARK
aws_secret_access_key = benchmark
[profile one]
role_arn = arn:aws:iam::123456789012:role/one
source_profile = base
[profile two]
role_arn = arn:aws:iam::123456789012:role/two
source_profile = one
END
# {"alg":"RS256"} and {"iss":"https://oidc.example","aud":["sts.amazonaws.com"],"sub":"bench","exp":4102444800}
{
    printf 'eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJodHRwczovL29pZGMuZXhhbXBsZSIsImF1ZCI6WyJzdHMuYW1hem9uYXdzLmNvbSJd'
    printf 'LCJzdWIiOiJiZW5jaCIsImV4cCI6NDEwMjQ0NDgwMH0.c2ln'
} >"$fixture/web-token"
web="AWS_ROLE_ARN=arn:aws:iam::123456789012:role/web AWS_WEB_IDENTITY_TOKEN_FILE=$fixture/web-token"
imds="AWS_EC2_METADATA_SERVICE_ENDPOINT=$nearby"
container="AWS_CONTAINER_CREDENTIALS_FULL_URI=$nearby/v1/credentials"
keys_alone="AWS_ACCESS_KEY_ID=AKIABENCHMARK AWS_SECRET_ACCESS_KEY=benchmark"
rows=()
# sources NAME VARIABLES: its row for each build.
sources() {
    local build
    for build in "${!builds[@]}"; do
        rows+=("$1: ${labels[build]}" "$fixture/registry" "$base $2 ${builds[build]} get")
    done
}
sources 'keys in the environment' "$off $keys_alone"
sources 'role by a profile' "$off AWS_PROFILE=one"
sources 'role by a role' "$off AWS_PROFILE=two"
sources 'web identity' "$off $web"
sources 'IMDSv2' "$imds"
sources 'container' "$off $container"
"$fixture/interleave" $((rounds / 3)) "${rows[@]}"

echo
echo "## 50 at once, cold, ECR answering after 200 ms: 5 rounds"
# The same port, since the Go helper knows no other endpoint.
end secure
mkdir "$fixture/fifty" "$fixture/names"
for n in $(seq 50); do printf '%012d.dkr.ecr.%s.amazonaws.com' "$n" "$region" >"$fixture/names/$n"; done
ours_at_once="@empty:$fixture/fifty/.cache/ecr-login HOME=$fixture/fifty $keys $ours get"
# at_once LABEL COUNT STDIN COMMAND
at_once() {
    aws "$1" --late 200 --tls --port 443 --ca "$fixture/ca.pem"
    "$fixture/interleave" --at-once "$2" 5 "$1" "$3" "$4" | sed 1d
    end "$1"
    printf '%-34s %s calls in 5 rounds\n' '' "$calls"
}
at_once 'ours, one alone' 1 "$fixture/registry" "$ours_at_once"
"$fixture/interleave" --at-once 50 5 'no-op, 50 times' /dev/null "$noop" | sed 1d
echo '(asked of ours: a call a round, the wall time of these two together, half of the CPU of the Go helper)'
at_once 'ours, 50 registries' 50 "$fixture/names/%" "$ours_at_once"
at_once 'ours, 50 times one registry' 50 "$fixture/registry" "$ours_at_once"
if [ -x "$go" ]; then
    go_at_once="@empty:$fixture/go/.ecr HOME=$fixture/go $keys $go get"
    at_once 'Go helper, 50 registries' 50 "$fixture/names/%" "$go_at_once"
    at_once 'Go helper, 50 times one registry' 50 "$fixture/registry" "$go_at_once"
fi
