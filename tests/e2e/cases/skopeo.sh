# skopeo: credHelpers, and registries.conf, where the helper is asked for every registry there is.
# shellcheck shell=bash

if have skopeo; then
    repository=$registry/skopeo/app

    new_home
    check_fails "skopeo: without the helper a push is refused" "unauthorized|authentication required|no basic auth" \
        skopeo copy "oci:$work/image:one" "docker://$repository:one"

    set_up_containers
    check "skopeo: pushes" skopeo copy "oci:$work/image:one" "docker://$repository:one"
    check "skopeo: pulls back" skopeo copy "docker://$repository:one" "oci:$work/skopeo-back:one"
    same "skopeo: what came back is what was pushed" \
        "$(skopeo inspect --config --raw "oci:$work/image:one" | sha256sum)" \
        "$(skopeo inspect --config --raw "oci:$work/skopeo-back:one" | sha256sum)"
    check_says "skopeo: inspects" '"Digest"' skopeo inspect "docker://$repository:one"

    new_home
    printf '%s\n' 'credential-helpers = ["ecr-login"]' >"$work/registries.conf"
    by_registries_conf="--registries-conf=$work/registries.conf"
    check "skopeo by registries.conf: pushes" \
        skopeo "$by_registries_conf" copy "oci:$work/image:one" "docker://$repository:two"
    check "skopeo by registries.conf: pulls back" \
        skopeo "$by_registries_conf" copy "docker://$repository:two" "dir:$work/skopeo-two"
    check "skopeo by registries.conf: pushes to a registry that is not ECR" \
        skopeo "$by_registries_conf" copy "oci:$work/image:one" "docker://$foreign/app:one"
    check "skopeo by registries.conf: pulls from a registry that is not ECR" \
        skopeo "$by_registries_conf" copy "docker://$foreign/app:one" "dir:$work/skopeo-foreign"
    same "skopeo by registries.conf: the helper is silent on a registry that is not ECR" \
        0 "$(grep -ci 'ecr\|credential' "$log/out")"
fi
