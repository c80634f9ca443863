# AWS is away for good: whoever has a token that still lives goes on pulling.
# shellcheck shell=bash

new_home
set_up_docker
set_up_containers
echo "$registry" | env "${dated_aws[@]}" timeout 20 docker-credential-ecr-login get >/dev/null
kill "$dated_id" && wait "$dated_id" 2>/dev/null

if command -v skopeo >/dev/null; then
    check_says "skopeo: inspects with the cached token while AWS is away" '"Digest"' \
        env "${dated_aws[@]}" skopeo inspect "docker://$registry/skopeo/app:one"
fi
if [ -n "${DOCKER_HOST-}" ]; then
    docker rmi "$registry/docker/app:one" >/dev/null 2>&1
    check "docker: pulls with the cached token while AWS is away" \
        env "${dated_aws[@]}" docker pull "$registry/docker/app:one"
fi
