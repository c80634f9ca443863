#!/bin/bash
# System calls and user instructions of a cached `get`, for each source of credentials: what it costs to tell whose token
# is in the cache. These repeat; a second binary is measured beside the first.
#
#   benches/sources.sh [OTHER]      as root; needs gcc, python3, strace, valgrind; OTHER is another build, say the last one
set -euo pipefail
# shellcheck source=benches/fixture.sh
. "$(dirname "$0")/fixture.sh"

other=${1-}
aws plain
role=arn:aws:iam::123456789012:role/pull

# token CLAIMS: a JWT of these claims, which nobody has signed.
token() {
    python3 - "$1" <<'END'
import base64, sys
part = lambda text: base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")
print(f'{part("{}")}.{part(sys.argv[1])}.{part("signature")}', end="")
END
}

mkdir -p "$fixture/bin"
# shellcheck disable=SC2016 # for that shell
printf '#!/bin/sh\necho %s\n' "'"'{"Version":1,"AccessKeyId":"AKIAPROCESS","SecretAccessKey":"s"}'"'" >"$fixture/bin/creds"
chmod 755 "$fixture/bin/creds"
token '{"iss":"https://token.actions.githubusercontent.com","aud":"sts.amazonaws.com","sub":"repo:a/b:ref:refs/heads/main","actor":"ana","actor_id":"1","environment":"prod","job_workflow_ref":"a/b/.github/workflows/x.yml@refs/heads/main","ref":"refs/heads/main","repository":"a/b","repository_id":"2","runner_environment":"github-hosted","sha":"0123456789012345678901234567890123456789","run_id":"1","exp":4102444800,"iat":1,"nbf":1,"jti":"a"}' >"$fixture/github"
token '{"iss":"https://oidc.eks.eu-west-1.amazonaws.com/id/A","aud":["sts.amazonaws.com"],"sub":"system:serviceaccount:ns:name","kubernetes.io":{"namespace":"ns","node":{"name":"n","uid":"u"},"pod":{"name":"p","uid":"u"},"serviceaccount":{"name":"name","uid":"u"},"warnafter":1},"exp":4102444800,"iat":1,"nbf":1,"jti":"a"}' >"$fixture/kubernetes"

# of NAME VARIABLE...: a home with one profile of each kind, and what is said of a cached get with these variables.
of() {
    local name=$1 binary answer calls
    shift
    printf '%-34s' "$name"
    for binary in ${other:+"$other"} "$ours"; do
        local home=$fixture/home-$RANDOM$RANDOM
        mkdir -p "$home/.aws/sso/cache"
        {
            printf '[profile base]\naws_access_key_id = AKIABASE\naws_secret_access_key = s\n'
            printf '[profile role]\nrole_arn = %s\nsource_profile = base\n' "$role"
            printf '[profile chain]\nrole_arn = %s-2\nsource_profile = role\n' "$role"
            printf '[profile web]\nrole_arn = %s\nweb_identity_token_file = %s\n' "$role" "$fixture/kubernetes"
            printf '[sso-session corp]\nsso_start_url = https://x.awsapps.com/start\nsso_region = eu-west-1\n'
            printf '[profile sso]\nsso_session = corp\nsso_account_id = 123456789012\nsso_role_name = Pull\n'
            printf '[profile process]\ncredential_process = %s --user ana\n' "$fixture/bin/creds"
            printf '[profile path]\ncredential_process = creds --user ana\n'
            printf '[profile relative]\ncredential_process = ./bin/creds --user ana\n'
        } >"$home/.aws/config"
        printf '{"startUrl":"https://x.awsapps.com/start","region":"eu-west-1","accessToken":"a","expiresAt":"2099-01-01T00:00:00Z"}' \
            >"$home/.aws/sso/cache/$(printf corp | sha1sum | cut -d' ' -f1).json"
        local run=(env -C "$fixture" -i HOME="$home" PATH="$fixture/bin:/usr/bin:/bin" AWS_ENDPOINT_URL="$url" "$@" "$binary" get)
        "${run[@]}" <"$fixture/registry" >/dev/null
        strace -f -o "$fixture/trace" "${run[@]}" <"$fixture/registry" >"$fixture/answer"
        answer=$(grep -c '"Secret":"' "$fixture/answer" || true)
        # env's own calls are not ours.
        calls=$(sed -n "/execve(\"${binary//\//\\/}\"/,\$p" "$fixture/trace" | grep -vc '+++ exited\|--- SIG' || true)
        if [ "$answer" != 1 ] || grep -q 'connect(' "$fixture/trace"; then
            echo "not answered from the cache"
            exit 1
        fi
        instructions=$(cd "$fixture" && "${run[@]:0:${#run[@]}-2}" valgrind --tool=callgrind --callgrind-out-file=/dev/null \
            "$binary" get <"$fixture/registry" 2>&1 >/dev/null | sed -n 's/.*Collected : //p')
        printf '%8s %10s' "$calls" "$instructions"
    done
    echo
}

[ -z "$other" ] || printf '%-34s%19s%19s\n' '' 'the other' 'this one'
[ -z "$other" ] || cp "$other" "$programs/other"
[ -z "$other" ] || other=$programs/other
printf '%-34s' source
for _ in ${other:+other} this; do printf '%8s %10s' calls instr.; done
echo
off=AWS_EC2_METADATA_DISABLED=true
of 'keys of the environment' "$off" AWS_ACCESS_KEY_ID=AKIABENCH AWS_SECRET_ACCESS_KEY=s
of 'keys of a profile' "$off" AWS_PROFILE=base
of 'role by keys' "$off" AWS_PROFILE=role
of 'role by role by keys' "$off" AWS_PROFILE=chain
of 'SSO session' "$off" AWS_PROFILE=sso
of 'web identity, GitHub' "$off" AWS_WEB_IDENTITY_TOKEN_FILE="$fixture/github" AWS_ROLE_ARN="$role"
of 'web identity, Kubernetes' "$off" AWS_PROFILE=web
of 'credential_process, absolute' "$off" AWS_PROFILE=process
of 'credential_process, by PATH' "$off" AWS_PROFILE=path
of 'credential_process, relative' "$off" AWS_PROFILE=relative
of 'container' "$off" AWS_CONTAINER_CREDENTIALS_FULL_URI="$url/v1/credentials"
of 'instance' AWS_EC2_METADATA_SERVICE_ENDPOINT="$url"
