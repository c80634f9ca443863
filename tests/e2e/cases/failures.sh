# The helper fails: the reason reaches the person, in the client's own output.
# shellcheck shell=bash

# each_client_says NAME PATTERN: every client's pull fails and shows the pattern.
each_client_says() {
    local name=$1 pattern=$2
    command -v skopeo >/dev/null &&
        check_fails "skopeo: $name" "$pattern" skopeo inspect "docker://$registry/skopeo/app:one"
    command -v buildah >/dev/null &&
        check_fails "buildah: $name" "$pattern" buildah pull --policy always "$registry/skopeo/app:one"
    command -v podman >/dev/null &&
        check_fails "podman: $name" "$pattern" podman pull "$registry/skopeo/app:one"
    [ -z "${DOCKER_HOST-}" ] ||
        check_fails "docker: $name" "$pattern" docker pull "$registry/skopeo/app:one"
}

new_home
set_up_docker
set_up_containers

no_keys_before=$AWS_ACCESS_KEY_ID
unset AWS_ACCESS_KEY_ID
each_client_says "nobody's keys, and the reason is seen" "$registry.*AWS credentials"
export AWS_ACCESS_KEY_ID=$no_keys_before

read -r powerless_id powerless_secret < <("$E2E_MOTO/bin/python" "$here/aws.py" enforce "$moto_port" 2>"$log/enforce.log")
each_client_says "keys that AWS does not know, and the reason is seen" "$registry.*UnrecognizedClient"

export AWS_ACCESS_KEY_ID=$powerless_id AWS_SECRET_ACCESS_KEY=$powerless_secret
each_client_says "access denied, and the reason and the missing action are seen" \
    "$registry.*AccessDenied.*ecr:GetAuthorizationToken"

[ -z "${DOCKER_HOST-}" ] ||
    check_says "docker: a failing helper breaks nobody else's registry" "$foreign" \
        bash -c "docker rmi $foreign/docker:one; docker pull $foreign/docker:one"
