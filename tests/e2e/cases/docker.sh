# docker with a dockerd of its own: push, pull, login, logout, classic builds.
# shellcheck shell=bash

if have docker && have dockerd && start_dockerd; then
    image=$registry/docker/app:one
    context=$work/docker-context
    mkdir -p "$context"
    printf 'FROM %s\nLABEL by=docker\n' "$image" >"$context/Dockerfile"

    new_home
    check "docker: makes an image from a tar" docker import "$work/rootfs.tar" "$image"
    made=$(docker images -q --no-trunc "$image")
    check_fails "docker: without the helper a push is refused" "no basic auth credentials" docker push "$image"

    set_up_docker
    check "docker: pushes" docker push "$image"
    check "docker: removes its own copy" docker rmi "$image"
    check "docker: pulls back" docker pull "$image"
    same "docker: what came back is what was pushed" "$made" "$(docker images -q --no-trunc "$image")"
    check_says "docker: reads a manifest" "$registry|digest" docker manifest inspect --verbose "$image"
    docker rmi "$image" >/dev/null
    check "docker: a classic build with credHelpers" env DOCKER_BUILDKIT=0 docker build --pull -q "$context"
    docker tag "$made" "$foreign/docker:one"
    check "docker: pushes to a registry that is not ECR" docker push "$foreign/docker:one"

    check_says "docker: login with a password" "Login Succeeded" \
        docker login --username AWS --password "$account-auth-token" "$registry"
    same "docker: login writes no secret into docker's file" 0 "$(grep -c '"auth":' "$HOME/.docker/config.json")"
    check_says "docker: login without a user takes the helper's" "Login Succeeded" docker login "$registry"
    check_says "docker: logout" "Removing login credentials" docker logout "$registry"
    docker rmi "$image" >/dev/null 2>&1
    check "docker: pulls after logout" docker pull "$image"

    stale=$(printf 'AWS:long-dead' | base64)
    sed "1s|{|{\"auths\":{\"$registry\":{\"auth\":\"$stale\"}},|" "$HOME/.docker/config.json" >"$work/stale.json"
    cp "$work/stale.json" "$HOME/.docker/config.json"
    same "docker: a stale entry is there" 1 "$(grep -c "$stale" "$HOME/.docker/config.json")"
    check_says "docker: logout with a stale entry" "Removing login credentials" docker logout "$registry"
    same "docker: logout cleared the stale entry" 0 "$(grep -c "$stale" "$HOME/.docker/config.json")"

    # A classic build with credsStore lists what the helper holds, so the token must be one that can be held.
    echo "$registry" | env "${dated_aws[@]}" timeout 20 docker-credential-ecr-login get >/dev/null
    new_home
    set_up_docker_store
    docker rmi "$image" >/dev/null 2>&1
    check "docker: a classic build with credsStore" env "${dated_aws[@]}" DOCKER_BUILDKIT=0 \
        docker build --pull -q "$context"
else
    [ "${CI-}" != true ] || fail "docker: dockerd runs"
fi
