# The kubelet's plugin package: what needs an API server, and more names than a node of these tests has registries for.
# shellcheck shell=bash

# look_up NAME LOOKUPS: the kubelet's look-ups, a JSON object on each line of LOOKUPS; the answers are in $log/answers as
# lines "IMAGE ACCOUNT PASSWORDS", what the kubelet logs is in $log/out. A process of its own each time: a kubelet that has
# just started.
look_up() {
    if env -i PATH="$PATH" AWS_ENDPOINT_URL="$aws" AWS_EC2_METADATA_DISABLED=true AWS_ECR_CACHE_DIR="$cache" \
        AWS_ACCESS_KEY_ID="$node_key" AWS_SECRET_ACCESS_KEY=secret ECR_LOGIN_TIMEOUT=5 \
        timeout 120 "$programs/keyring" -config "$config" -bin-dir "$plugins" "${gates[@]}" <<<"$2" >"$log/answers.json" 2>"$log/out"; then
        pass "$1"
    else
        fail "$1"
        show_output
    fi
    python3 -c '
import json, sys
for line in sys.stdin:
    answer = json.loads(line)
    print(answer["Image"], answer["Account"] or "-", " ".join(answer["Passwords"]) or "none")
' <"$log/answers.json" | sort >"$log/answers"
}

# key_of ROLE NAMESPACE ACCOUNT: the access key that STS hands out, as program/fakeaws has it.
key_of() {
    printf '%s\nsystem:serviceaccount:%s:%s' "$@" | sha256sum | sed 's/^\(.\{16\}\).*/\1/' | tr a-f A-F | sed 's/^/ASIA/'
}

# --- names ----------------------------------------------------------------------------------------------------------
names=(
    "$plain" "$fips" "$dual_stack" 123456789012.dkr-ecr-fips.us-gov-west-1.on.aws
    123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn 123456789012.dkr-ecr.cn-north-1.on.amazonwebservices.com.cn
    123456789012.dkr.ecr.eusc-de-east-1.amazonaws.eu 123456789012.dkr.ecr.us-iso-east-1.c2s.ic.gov
    123456789012.dkr.ecr.us-isob-east-1.sc2s.sgov.gov 123456789012.dkr.ecr.eu-isoe-west-1.cloud.adc-e.uk
    123456789012.dkr.ecr.us-isof-south-1.csp.hci.ic.gov "$public" ecr-public.aws.com
)
use_node names
# A pattern without a port matches no image with one: whoever names a port in an image has a pattern with it.
python3 -c '
import json, sys
providers = [{"name": "ecr-credential-provider", "apiVersion": "credentialprovider.kubelet.k8s.io/v1",
              "defaultCacheDuration": "1h", "matchImages": [host + ":8443" for host in sys.argv[1:]]}]
print(json.dumps({"apiVersion": "kubelet.config.k8s.io/v1", "kind": "CredentialProviderConfig", "providers": providers}))
' "${names[@]}" >"$config"
set_up "setup kubelet completes a provider of its own patterns"
# What the plugin is asked is written down on the way.
mkdir -p "$work/names/asked"
printf '#!/bin/sh\ntee -a "%s" | exec "%s/ecr-credential-provider"\n' "$work/names/requests" "$plugins" \
    >"$work/names/asked/ecr-credential-provider"
chmod 755 "$work/names/asked/ecr-credential-provider"
sum=$(printf '' | sha256sum | cut -d ' ' -f 1)
asked=() expected=()
for name in "${names[@]}"; do
    for image in "$name/team/app:1" "$name/team/app@sha256:$sum" "$name:8443/team/app:1" "$name:8443/app@sha256:$sum" "$name/app"; do
        asked+=("\"$image\"")
        expected+=("$image - AWS:$password")
    done
done
for image in nginx docker.io/library/nginx:1 registry.example/team/app:1 ghcr.io/team/app; do
    asked+=("\"$image\"")
    expected+=("$image - none")
done
joined=$(IFS=,; echo "${asked[*]}")
plugins_of_setup=$plugins
plugins=$work/names/asked
look_up "every name form, ${#asked[@]} images: the kubelet looks them up" "{\"Images\":[$joined]}"
same "every name form with a tag, a digest and a port is served, others are not" \
    "$(printf '%s\n' "${expected[@]}" | sort)" "$(cat "$log/answers")"
same "docker.io is never asked" 0 "$(grep -cE 'nginx|registry\.example|ghcr' "$work/names/requests")"

use_node broad
before="$(calls ecr) $(calls ecr_public)"
cat >"$config" <<END
apiVersion: kubelet.config.k8s.io/v1
kind: CredentialProviderConfig
providers:
- {name: ecr-credential-provider, matchImages: [docker.io, "*.io", "*.*"], defaultCacheDuration: 0s, apiVersion: credentialprovider.kubelet.k8s.io/v1}
END
plugins=$plugins_of_setup
look_up "a pattern that lets docker.io through: the kubelet looks it up" \
    '{"Images":["nginx","docker.io/library/nginx:1","ghcr.io/team/app"]}'
same "docker.io gets no credentials, and AWS is not asked" "3 $before" \
    "$(grep -c ' none$' "$log/answers") $(calls ecr) $(calls ecr_public)"

# --- service accounts -----------------------------------------------------------------------------------------------
use_node accounts config.yaml
set_up "setup kubelet for service accounts" --service-account-tokens
role=arn:aws:iam::123456789012:role
image="$plain/team/app:1"
pods_at_once=$(
    for pod in 1 2 3 4 5 6; do
        for account in a b; do
            echo "{\"Images\":[\"$image\",\"$fips/app:$pod\"],\"Namespace\":\"n\",\"Pod\":\"$account$pod\",\"Account\":\"$account\",\"Role\":\"$role/$account\",\"Life\":600}"
        done
        echo "{\"Images\":[\"$image\",\"$fips/app:$pod\"],\"Namespace\":\"n\",\"Pod\":\"plain$pod\",\"Account\":\"plain\",\"Life\":600}"
        echo "{\"Images\":[\"$image\",\"$fips/app:$pod\"],\"Namespace\":\"kube-system\",\"Pod\":\"static$pod\"}"
    done
)
key_a=$(key_of "$role/a" n a) key_b=$(key_of "$role/b" n b)
owners() {
    sed 's/.* \(.*\) AWS:token-of-/\1 /' "$log/answers" | sort -u
}
whose=$(printf '%s\n' "- $node_key" "a $key_a" "b $key_b" "plain $node_key" | sort)
look_up "two service accounts, one without the annotation and a static pod at once" "$pods_at_once"
same "each is served with its own identity, and no other" "$whose" "$(owners)"
same "all 48 look-ups were served" 48 "$(grep -c AWS: "$log/answers")"
before=$(calls ecr)
look_up "the same after a restart of the kubelet" "$pods_at_once"
same "each is served with its own identity from the disk" "$whose $before" "$(owners) $(calls ecr)"

line="{\"Images\":[\"$image\"],\"Namespace\":\"n\",\"Pod\":\"late\",\"Account\":\"a\",\"Role\":\"$role/a\",\"Life\":-30}"
look_up "a token past its exp: the kubelet looks the image up" "$line"
same "a token past its exp opens nothing, though the disk has what it once fetched" "$image a none" "$(cat "$log/answers")"
cp "$log/out" "$log/keyring"
check_says "the kubelet's log says that the token has expired" 'exit status 1: .*expired' cat "$log/keyring"

# --- the helper under its own name -----------------------------------------------------------------------------------
use_node own-name config.yaml
cp "$top/tests/data/kubelet/own-name.yaml" "$config"
ln -s "$work/bin/docker-credential-ecr-login" "$plugins/docker-credential-ecr-login"
look_up "a provider of the helper's own name, without arguments" "{\"Images\":[\"$image\"]}"
cp "$log/out" "$log/keyring"
check_says "the kubelet's log says what it needs" 'exit status 1: .*args: .kubelet.' cat "$log/keyring"
set_up "setup kubelet gives it its argument"
look_up "then it is looked up" "{\"Images\":[\"$image\"]}"
same "a provider of the helper's own name serves" "$image - AWS:$password" "$(cat "$log/answers")"
