# buildah: an image made from nothing, pushed, removed, pulled back.
# shellcheck shell=bash

if have buildah; then
    image=$registry/buildah/app:one

    new_home
    set_up_containers
    # shellcheck disable=SC2016 # expanded by the inner shell
    check "buildah: makes an image from scratch" bash -ec '
        container=$(buildah from scratch)
        buildah add -q "$container" "$1" /
        buildah commit -q "$container" "$2"
        buildah rm "$container"' - "$work/rootfs.tar" "$image"
    made=$(buildah images -q --no-trunc "$image")
    check "buildah: pushes" buildah push "$image"
    check "buildah: removes its own copy" buildah rmi "$image"
    check "buildah: pulls back" buildah pull "$image"
    same "buildah: what came back is what was pushed" "$made" "$(buildah images -q --no-trunc "$image")"

    mkdir -p "$work/buildah-context"
    printf 'FROM %s\nLABEL by=buildah\n' "$image" >"$work/buildah-context/Dockerfile"
    buildah rmi "$image" >/dev/null
    check "buildah: builds on an image that it has to pull" buildah bud -q -t built "$work/buildah-context"
fi
