#!/bin/bash
# Whole processes against each other, in turn, on this machine: an empty static C program ("no-op"), ours, Debian's
# amazon-ecr-credential-helper (if installed) and curl. Quote the ratios; the times are this machine's.
#
#   benches/processes.sh [ROUNDS]      as root; needs gcc, curl
set -euo pipefail
# shellcheck source=benches/world.sh
. "$(dirname "$0")/world.sh"
rounds=${1:-300}

gcc -O2 -o "$world/interleave" benches/interleave.c
echo 'int main(void) { return 0; }' | gcc -O2 -static -x c -o "$world/noop" -
go=/usr/bin/docker-credential-ecr-login

aws plain
warm_url=$url
home warm
warm="HOME=$home AWS_ENDPOINT_URL=$warm_url AWS_EC2_METADATA_DISABLED=true $ours"
for n in $(seq 9); do
    # shellcheck disable=SC2086 # a command line of assignments and words
    printf '3%011d.dkr.ecr.%s.amazonaws.com' "$n" "$region" | env -i $warm get >/dev/null
done
# shellcheck disable=SC2086
env -i $warm get <"$world/registry" >/dev/null

echo "## Warm: $rounds rounds"
rows=(no-op /dev/null "$world/noop"
    'get, cached' "$world/registry" "$warm get"
    'kubelet, cached' "$world/kubelet" "$warm kubelet"
    'get of a foreign name' "$world/foreign" "$warm get"
    'list of 10 entries' /dev/null "$warm list"
    'store' "$world/store" "$warm store"
    'erase' "$world/registry" "HOME=$world/empty $ours erase")
mkdir "$world/empty"
aws secure --tls --port 443 --ca "$world/ca.pem"
keys="AWS_ACCESS_KEY_ID=AKIABENCHMARK AWS_SECRET_ACCESS_KEY=benchmark AWS_EC2_METADATA_DISABLED=true"
keys="$keys SSL_CERT_FILE=$world/ca.pem SSL_CERT_DIR=/nonexistent"
"$world/interleave" "$rounds" "${rows[@]}"
if [ -x "$go" ]; then
    # In a table of its own: what runs after it finds the processor's caches empty.
    mkdir "$world/go" "$world/go-warm"
    # shellcheck disable=SC2086
    env -i HOME="$world/go-warm" $keys "$go" get <"$world/registry" >/dev/null
    echo
    "$world/interleave" "$rounds" 'ours: get, cached' "$world/registry" "$warm get" \
        'Go helper: get, cached' "$world/registry" "HOME=$world/go-warm $keys $go get"
fi

echo
echo "## Cold, over TLS, with keys in the environment: $((rounds / 3)) rounds"
cat >"$world/curl" <<END
silent
output = /dev/null
cacert = $world/ca.pem
request = POST
header = "X-Amz-Target: AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken"
header = "Content-Type: application/x-amz-json-1.1"
header = "Authorization: AWS4-HMAC-SHA256 Credential=AKIABENCHMARK/20260101/$region/ecr/aws4_request, SignedHeaders=host, Signature=00"
data = "{}"
url = "https://$api/"
END
mkdir "$world/cold"
rows=('ours: get, cold' "$world/registry" "HOME=$world/cold ECR_LOGIN_REFRESH=1 $keys $ours get"
    'curl, the same POST' /dev/null "HOME=$world/cold $(command -v curl) -q -K $world/curl")
if [ -x "$go" ]; then
    rows+=('Go helper: get, cold' "$world/registry" "HOME=$world/go AWS_ECR_DISABLE_CACHE=1 $keys $go get")
fi
"$world/interleave" $((rounds / 3)) "${rows[@]}"

echo
echo "## Cold by each source of credentials, against keys in the environment: $((rounds / 3)) rounds"
# STS and ECR over TLS under their own names, which lead to one loopback AWS; instance metadata and the container's
# agent in the clear, as they are.
aws nearby
base="HOME=$world/sources AWS_ECR_DISABLE_CACHE=1 SSL_CERT_FILE=$world/ca.pem SSL_CERT_DIR=/nonexistent"
off="AWS_EC2_METADATA_DISABLED=true"
mkdir -p "$world/sources/.aws"
cat >"$world/sources/.aws/config" <<END
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
} >"$world/web-token"
web="AWS_ROLE_ARN=arn:aws:iam::123456789012:role/web AWS_WEB_IDENTITY_TOKEN_FILE=$world/web-token"
imds="AWS_EC2_METADATA_SERVICE_ENDPOINT=$url"
container="AWS_CONTAINER_CREDENTIALS_FULL_URI=$url/v1/credentials"
keys_alone="AWS_ACCESS_KEY_ID=AKIABENCHMARK AWS_SECRET_ACCESS_KEY=benchmark"
"$world/interleave" $((rounds / 3)) \
    'keys in the environment' "$world/registry" "$base $off $keys_alone $ours get" \
    'role by a profile' "$world/registry" "$base $off AWS_PROFILE=one $ours get" \
    'role by a role' "$world/registry" "$base $off AWS_PROFILE=two $ours get" \
    'web identity' "$world/registry" "$base $off $web $ours get" \
    'IMDSv2' "$world/registry" "$base $imds $ours get" \
    'container' "$world/registry" "$base $off $container $ours get"

echo
echo "## 50 at once, cold, ECR answering after 200 ms"
aws slow --late 200
# at_once LABEL COMMAND...: the wall time and CPU time of 50 processes started together.
at_once() {
    local label=$1
    shift
    TIMEFORMAT="$label: %R s wall, %U s user, %S s system"
    time {
        for n in $(seq 50); do
            printf '%012d.dkr.ecr.%s.amazonaws.com' "$n" "$region" | "$@" >/dev/null &
            pids[n]=$!
        done
        for n in $(seq 50); do wait "${pids[n]}"; done
    }
}
mkdir "$world/fifty"
# shellcheck disable=SC2086
at_once 'ours, 50 registries' env -i HOME="$world/fifty" AWS_ENDPOINT_URL="$url" $keys "$ours" get
at_once 'no-op, 50 times' "$world/noop"
