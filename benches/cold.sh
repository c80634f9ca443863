#!/bin/bash
# A cold get over a network: by each source of credentials, with round trips of 1, 30 and 150 ms (or those of
# ECR_LOGIN_ROUND_TRIPS). Name servers, TCP, TLS and HTTP all pay for them: client and AWS are in two network namespaces with
# a wire between them that holds each packet (benches/wire.c). Instance metadata and the container's agent are next door, as
# they are in life, so without a round trip.
#
#   benches/cold.sh [ROUNDS] [NAME=BINARY]...      as root, with /dev/net/tun; needs gcc, ip, nsenter
#
# Each NAME=BINARY is another helper that is measured in turn with this build; the first is what ratios are to. Before each
# row one get of each binary is run alone, and its DNS questions and TCP connections over the wire are counted. With
# ECR_LOGIN_TRACE=FILE its packets are written there: microseconds, direction, protocol, ports, flags, bytes.
set -euo pipefail
# shellcheck source=benches/fixture.sh
. "$(dirname "$0")/fixture.sh"
rounds=${1:-15}
shift $(($# > 0 ? 1 : 0))

gcc -O2 -o "$fixture/interleave" benches/interleave.c
gcc -O2 -o "$fixture/wire" benches/wire.c
names=() binaries=()
for helper in "$@"; do
    names+=("${helper%%=*}")
    cp "${helper#*=}" "$programs/${#names[@]}"
    binaries+=("$programs/${#names[@]}")
done
names+=(ours)
binaries+=("$ours")

# AWS is far away. RFC 2544 keeps 198.18.0.0/15 for benchmarks.
near_end=198.18.0.1 far_end=198.18.0.2
mount -t tmpfs tmpfs /run
mkdir -p /run/netns
ip netns add far
ip -n far link set lo up
printf '127.0.0.1 localhost\n' >"$fixture/hosts"
printf 'nameserver %s\n' "$far_end" >"$fixture/resolv.conf"
mount --bind "$fixture/resolv.conf" /etc/resolv.conf

# connect MILLISECONDS: a wire of this round-trip time to the other namespace.
connect() {
    : >"$fixture/wire.out"
    "$fixture/wire" /run/netns/far "$(awk "BEGIN { printf \"%d\", $1 * 1000 }")" "$fixture/packets" >"$fixture/wire.out" &
    wire=$!
    started+=("$wire")
    for _ in $(seq 100); do
        ! grep -q ready "$fixture/wire.out" || break
        sleep 0.1
    done
    ip addr add $near_end peer $far_end dev tun0
    ip link set tun0 up
    ip -n far addr add $far_end peer $near_end dev tun0
    ip -n far link set tun0 up
}
disconnect() {
    kill "$wire"
    wait "$wire" 2>/dev/null || true
}

# Instance metadata and the container's agent, with keys that the AWS over there takes.
cat >"$fixture/near.py" <<'END'
import http.server, json, time
class Near(http.server.BaseHTTPRequestHandler):
    protocol_version, wbufsize = "HTTP/1.1", -1
    def log_message(self, *_): pass
    def answer(self, text):
        self.send_response(200)
        self.send_header("content-length", str(len(text)))
        self.send_header("x-aws-ec2-metadata-token-ttl-seconds", "60")
        self.end_headers()
        self.wfile.write(text.encode())
    def do_PUT(self): self.answer("session")
    def do_GET(self):
        if self.path.endswith("security-credentials/"): return self.answer("bench")
        self.answer(json.dumps({"Code": "Success", "AccessKeyId": "AKIANEAR", "SecretAccessKey": "benchmark", "Token": "session",
            "Expiration": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600))}))
server = http.server.ThreadingHTTPServer(("127.0.0.1", 8099), Near)
print("ready", flush=True)
server.serve_forever()
END
near=http://127.0.0.1:8099
: >"$fixture/near.out"
python3 "$fixture/near.py" >"$fixture/near.out" &
started+=("$!")
connect 0
printf '#!/bin/sh\nexec nsenter --net=/run/netns/far "%s" "$@"\n' "$(realpath "$loopback_aws")" >"$fixture/far-aws"
chmod 755 "$fixture/far-aws"
loopback_aws=$fixture/far-aws
aws far --tls --address $far_end --port 443 --ca "$fixture/ca.pem" \
    --names "$api,sts.$region.amazonaws.com,sts.amazonaws.com,portal.sso.$region.amazonaws.com"

mkdir -p "$fixture/home/.aws/sso/cache"
cat >"$fixture/home/.aws/config" <<END
[profile base]
aws_access_key_id = AKIABENCHMARK
aws_secret_access_key = benchmark
[profile one]
role_arn = arn:aws:iam::123456789012:role/one
source_profile = base
[profile two]
role_arn = arn:aws:iam::123456789012:role/two
source_profile = one
[sso-session corp]
sso_region = $region
sso_start_url = https://corp.awsapps.com/start
[profile sso]
sso_session = corp
sso_account_id = 123456789012
sso_role_name = Pull
END
printf '{"startUrl":"https://corp.awsapps.com/start","region":"%s","accessToken":"bearer","expiresAt":"%s"}' "$region" \
    "$(date -u -d '+8 hours' +%Y-%m-%dT%H:%M:%SZ)" \
    >"$fixture/home/.aws/sso/cache/$(printf corp | sha1sum | cut -d' ' -f1).json"
# {"alg":"RS256"} and {"iss":"https://oidc.example","aud":["sts.amazonaws.com"],"sub":"bench","exp":4102444800}
{
    printf 'eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJodHRwczovL29pZGMuZXhhbXBsZSIsImF1ZCI6WyJzdHMuYW1hem9uYXdzLmNvbSJd'
    printf 'LCJzdWIiOiJiZW5jaCIsImV4cCI6NDEwMjQ0NDgwMH0.c2ln'
} >"$fixture/web-token"

base="HOME=$fixture/home AWS_ECR_DISABLE_CACHE=1 AWS_REGION=$region"
base="$base SSL_CERT_FILE=$fixture/ca.pem SSL_CERT_DIR=/nonexistent AWS_CA_BUNDLE=$fixture/ca.pem"
off="AWS_EC2_METADATA_DISABLED=true"
declare -A source=(
    [keys in the environment]="$off AWS_ACCESS_KEY_ID=AKIABENCHMARK AWS_SECRET_ACCESS_KEY=benchmark"
    [web identity]="$off AWS_ROLE_ARN=arn:aws:iam::123456789012:role/web AWS_WEB_IDENTITY_TOKEN_FILE=$fixture/web-token"
    [role of a profile]="$off AWS_PROFILE=one"
    [role by a role]="$off AWS_PROFILE=two"
    [SSO]="$off AWS_PROFILE=sso"
    [IMDSv2]="AWS_EC2_METADATA_SERVICE_ENDPOINT=$near"
    [container]="$off AWS_CONTAINER_CREDENTIALS_FULL_URI=$near/v1/credentials"
)
order=('keys in the environment' 'web identity' 'role of a profile' 'role by a role' SSO IMDSv2 container)

# alone LABEL COMMAND: runs it once; then $asked and $connections are what went over the wire for it.
alone() {
    local before
    before=$(wc -l <"$fixture/packets")
    # shellcheck disable=SC2086 # a command line of assignments and words
    env -i $2 <"$fixture/registry" >/dev/null || echo "$1: failed" >&2
    sleep 0.4
    tail -n +$((before + 1)) "$fixture/packets" >"$fixture/alone"
    asked=$(grep -c '> udp [0-9]* 53 ' "$fixture/alone" || true)
    connections=$(grep -c '> tcp [0-9]* [0-9]* SYN' "$fixture/alone" || true)
    [ -z "${ECR_LOGIN_TRACE-}" ] || { echo "# $1" && cat "$fixture/alone"; } >>"$ECR_LOGIN_TRACE"
}

failed=0
for _ in $(seq 100); do
    ! grep -q ready "$fixture/near.out" || break
    sleep 0.1
done
disconnect
for round_trip in ${ECR_LOGIN_ROUND_TRIPS-1 30 150}; do
    connect "$round_trip"
    echo
    echo "## Round trip of $round_trip ms: $rounds rounds"
    for name in "${order[@]}"; do
        rows=()
        for n in "${!names[@]}"; do
            command="$base ${source[$name]} ${binaries[$n]} get"
            alone "$round_trip ms, $name, ${names[$n]}" "$command"
            rows+=("$name, ${names[$n]}|$asked DNS questions, $connections connections" "$fixture/registry" "$command")
        done
        "$fixture/interleave" --round-trip "$round_trip" "$rounds" "${rows[@]}" |
            if [ "$name" = "${order[0]}" ]; then sed '1s/asked for/over the wire/'; else tail -n +2; fi || failed=1
    done
    disconnect
done
exit "$failed"
