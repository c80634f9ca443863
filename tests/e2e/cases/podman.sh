# podman: push, pull, login and logout.
# shellcheck shell=bash

if have podman; then
    image=$registry/podman/app:one

    new_home
    set_up_containers
    check "podman: makes an image from a tar" podman import -q "$work/rootfs.tar" "$image"
    made=$(podman images -q --no-trunc "$image")
    check "podman: pushes" podman push "$image"
    check "podman: removes its own copy" podman rmi "$image"
    check "podman: pulls back" podman pull "$image"
    same "podman: what came back is what was pushed" "$made" "$(podman images -q --no-trunc "$image")"
    check_says "podman: an image of a registry that is not ECR" "Writing manifest|Storing signatures" \
        podman push "$image" "docker://$foreign/podman:one"

    check_says "podman: login with the token" "Login Succeeded" \
        podman login --username AWS --password "$account-auth-token" "$registry"
    check "podman: logout" podman logout "$registry"
    podman rmi "$image" >/dev/null 2>&1
    check "podman: pulls after logout" podman pull "$image"
fi
