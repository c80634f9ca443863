# The kubelet's request, answered under the provider's own name; what it answers opens the registry.
# shellcheck shell=bash

new_home
ln -sf docker-credential-ecr-login "$work/bin/ecr-credential-provider"
cat >"$work/request.json" <<END
{"apiVersion":"credentialprovider.kubelet.k8s.io/v1","kind":"CredentialProviderRequest","image":"$registry/skopeo/app:one"}
END
timeout 60 ecr-credential-provider <"$work/request.json" >"$work/answer.json"
password=$("$E2E_MOTO/bin/python" -c '
import json, sys
answer = json.load(open(sys.argv[1]))
assert answer["kind"] == "CredentialProviderResponse" and answer["cacheKeyType"] == "Registry", answer
auth = answer["auth"][sys.argv[2]]
print(auth["username"] + ":" + auth["password"])' "$work/answer.json" "$registry")
same "kubelet: the answer names ECR's user and token" "AWS:$account-auth-token" "$password"
same "kubelet: the answer opens the registry" 200 "$(status_of -u "$password")"
