#!/bin/bash
# Whole processes against each other, in turn, on this machine: an empty static C program ("no-op"), ours, Debian's
# amazon-ecr-credential-helper (if installed) and curl; beside each figure the one that is asked for. Quote the ratios;
# the times are this machine's.
#
#   benches/processes.sh [ROUNDS]      as root; needs gcc, python3, curl
set -euo pipefail
# shellcheck source=benches/world.sh
. "$(dirname "$0")/world.sh"
rounds=${1:-300}

gcc -O2 -o "$world/interleave" benches/interleave.c
echo 'int main(void) { return 0; }' | gcc -O2 -static -x c -o "$world/noop" -
go=/usr/bin/docker-credential-ecr-login
mkdir "$world/go"

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
# In a home of its own: what starts a refresh changes the cache. Its own background process is no part of its time.
home second-half
second="HOME=$home AWS_ENDPOINT_URL=$warm_url AWS_EC2_METADATA_DISABLED=true $ours"
# shellcheck disable=SC2086
env -i $second get <"$world/registry" >/dev/null
middle_aged "$home/.cache/ecr-login"
entry=$(echo "$home"/.cache/ecr-login/*-"$registry")
cp "$entry" "$world/old-entry"
rows=(no-op /dev/null "$world/noop"
    'get, cached|1.5, goal 1.3; 2.6 MB' "$world/registry" "$warm get"
    'kubelet, cached|as get' "$world/kubelet" "$warm kubelet"
    'get of a foreign name|1.5' "$world/foreign" "@exit:1 $warm get"
    'list of 10 entries|1.5' /dev/null "$warm list"
    'store|1.5' "$world/store" "$warm store"
    'erase with nothing cached|1.5' "$world/registry" "HOME=$world/empty $ours erase"
    'erase of an entry|1.5' "$world/registry" "@copy:$world/old-entry:$entry $second erase"
    'get that starts a refresh|2.2' "$world/registry" "@copy:$world/old-entry:$entry $second get")
mkdir "$world/empty"
aws secure --tls --port 443 --ca "$world/ca.pem" --plain
nearby=$(sed -n 2p "$world/secure.out")
keys="AWS_ACCESS_KEY_ID=AKIABENCHMARK AWS_SECRET_ACCESS_KEY=benchmark AWS_EC2_METADATA_DISABLED=true"
keys="$keys SSL_CERT_FILE=$world/ca.pem SSL_CERT_DIR=/nonexistent"
"$world/interleave" "$rounds" "${rows[@]}"
if [ -x "$go" ]; then
    # In a table of its own: what runs after it finds the processor's caches empty.
    mkdir "$world/go-warm"
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
# Both begin without a token and keep the one that they get.
mkdir "$world/cold"
cold="@empty:$world/cold/.cache/ecr-login HOME=$world/cold"
cat /etc/ssl/certs/ca-certificates.crt "$world/ca.pem" >"$world/bundle.pem"
rows=()
if [ -x "$go" ]; then
    rows=('Go helper: get, cold' "$world/registry" "@empty:$world/go/.ecr HOME=$world/go $keys $go get")
fi
rows+=('ours: get, cold|0.6, goal 0.4; CPU 0.5; 7 MB' "$world/registry" "$cold $keys $ours get"
    'curl, the same POST' /dev/null "HOME=$world/cold $(command -v curl) -q -K $world/curl")
"$world/interleave" $((rounds / 3)) "${rows[@]}"
sed 's/ca\.pem/bundle.pem/' "$world/curl" >"$world/curl-bundle"
rows=("${rows[@]//ca.pem/bundle.pem}")
echo
echo "The same with Debian's bundle of roots before the loopback ECR's own:"
"$world/interleave" $((rounds / 3)) "${rows[@]//-K $world\/curl/-K $world\/curl-bundle}"

echo
echo "## Cold by each source of credentials, against keys in the environment: $((rounds / 3)) rounds"
# STS and ECR over TLS under their own names, which lead to one loopback AWS; instance metadata and the container's
# agent in the clear, as they are.
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
imds="AWS_EC2_METADATA_SERVICE_ENDPOINT=$nearby"
container="AWS_CONTAINER_CREDENTIALS_FULL_URI=$nearby/v1/credentials"
keys_alone="AWS_ACCESS_KEY_ID=AKIABENCHMARK AWS_SECRET_ACCESS_KEY=benchmark"
"$world/interleave" $((rounds / 3)) \
    'keys in the environment' "$world/registry" "$base $off $keys_alone $ours get" \
    'role by a profile' "$world/registry" "$base $off AWS_PROFILE=one $ours get" \
    'role by a role' "$world/registry" "$base $off AWS_PROFILE=two $ours get" \
    'web identity' "$world/registry" "$base $off $web $ours get" \
    'IMDSv2' "$world/registry" "$base $imds $ours get" \
    'container' "$world/registry" "$base $off $container $ours get"

echo
echo "## 50 at once, cold, ECR answering after 200 ms: 5 rounds"
# The same port, since the Go helper knows no other endpoint.
end secure
mkdir "$world/fifty" "$world/names"
for n in $(seq 50); do printf '%012d.dkr.ecr.%s.amazonaws.com' "$n" "$region" >"$world/names/$n"; done
ours_at_once="@empty:$world/fifty/.cache/ecr-login HOME=$world/fifty $keys $ours get"
# at_once LABEL COUNT STDIN COMMAND
at_once() {
    aws "$1" --late 200 --tls --port 443 --ca "$world/ca.pem"
    "$world/interleave" --at-once "$2" 5 "$1" "$3" "$4" | sed 1d
    end "$1"
    printf '%-34s %s calls in 5 rounds\n' '' "$calls"
}
at_once 'ours, one alone' 1 "$world/registry" "$ours_at_once"
"$world/interleave" --at-once 50 5 'no-op, 50 times' /dev/null "$world/noop" | sed 1d
echo '(asked of ours: a call a round, the wall time of these two together, half of the CPU of the Go helper)'
at_once 'ours, 50 registries' 50 "$world/names/%" "$ours_at_once"
at_once 'ours, 50 times one registry' 50 "$world/registry" "$ours_at_once"
if [ -x "$go" ]; then
    go_at_once="@empty:$world/go/.ecr HOME=$world/go $keys $go get"
    at_once 'Go helper, 50 registries' 50 "$world/names/%" "$go_at_once"
    at_once 'Go helper, 50 times one registry' 50 "$world/registry" "$go_at_once"
fi
