# The image made from nothing but the binary: it runs, and its answer opens the registry.
# shellcheck shell=bash

if have buildah && have runc; then
    new_home
    check "container: builds from scratch" buildah bud -q -f "$top/packaging/Containerfile" -t ecr-login "$work/bin"
    same "container: it runs as a user of its own" 65532:65532 \
        "$(buildah inspect --type image --format '{{.OCIv1.Config.User}}' ecr-login)"
    container=$(buildah from ecr-login)
    answer=$(echo "$registry" | timeout 60 buildah run --runtime runc --network host --isolation oci \
        --env "AWS_ACCESS_KEY_ID=$AWS_ACCESS_KEY_ID" --env "AWS_SECRET_ACCESS_KEY=$AWS_SECRET_ACCESS_KEY" \
        --env "AWS_ENDPOINT_URL=$AWS_ENDPOINT_URL" --env AWS_EC2_METADATA_DISABLED=true \
        "$container" /docker-credential-ecr-login get 2>"$log/out")
    same "container: get answers in an image that holds nothing else" "$account-auth-token" \
        "$(sed -n 's/.*"Secret":"\([^"]*\)".*/\1/p' <<<"$answer")"
    [ -n "$answer" ] || show_output
    buildah rm "$container" >/dev/null
fi
