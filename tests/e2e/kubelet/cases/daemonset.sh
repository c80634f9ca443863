# examples/node/daemonset.yaml on a node that runs: Kubernetes' plugin first, this helper in its place, and back. The kubelet is
# not restarted. Its registries are three, since it remembers what a registry's plugin answered.
# shellcheck shell=bash

# listing: names and contents of the plugins' directory.
listing() {
    (cd "$plugins" && find . -type l -printf '%p -> %l\n' -o -type f -exec sha256sum {} + | sort)
}

is_ours() {
    [ "$(readlink "$plugins/ecr-credential-provider")" = ecr-credential-provider.ecr-login ]
}

is_as_before() {
    [ "$(listing)" = "$as_before" ]
}

# put_in_place NAME PATTERN: setup plugin fails with the pattern, and the directory is as it was.
refused() {
    as_before=$(listing)
    check_fails "$1" "$2" docker-credential-ecr-login setup plugin --bin-dir "$plugins"
    same "$1: the node is as it was" "$as_before" "$(listing)"
}

if [ -x "$programs/ecr-credential-provider" ] && start_node; then
    python3 "$here/image.py" "$work/helper" "$work/bin/docker-credential-ecr-login" /docker-credential-ecr-login test >/dev/null
    load_image helper docker.io/local/ecr-login
    use_node fleet
    set_up "setup kubelet (a node of a fleet)"
    rm "$plugins/ecr-credential-provider"
    cp "$programs/ecr-credential-provider" "$plugins/"
    as_before=$(listing) before=$(calls ecr)
    pod fleet-before "$plain/team/app-31:1"
    start_kubelet
    check_pods "Kubernetes' own plugin serves the node" fleet-before

    # The DaemonSet's pod as a static one; without a network plugin it has the node's network.
    sed -n '/^  template:/,$p' "$top/examples/node/daemonset.yaml" | sed '1d; s/^    //' |
        sed "s|^metadata:|&\n  name: ecr-login\n  namespace: kube-system|; s|^spec:|&\n  hostNetwork: true|
            s|image: .*|image: docker.io/local/ecr-login:test|; s|path: /etc/eks.*|path: $plugins|" >"$work/daemonset-pod"
    { printf 'apiVersion: v1\nkind: Pod\n'; cat "$work/daemonset-pod"; } >"$pods/daemonset.yaml"
    if wait_for 60 is_ours; then
        pass "the DaemonSet's pod puts this helper in the plugin's place"
    else
        fail "the DaemonSet's pod puts this helper in the plugin's place"
        cat "$work"/podlogs/kube-system_ecr-login*/plugin/*.log
        grep ecr-login "$log/kubelet-fleet.log" | tail -n 5 | cut -c 1-400
    fi
    pod fleet-during "$dual_stack/team/app-32:1"
    check_pods "this helper serves the node, and the kubelet was not restarted" fleet-during
    same "one call by each" "$((before + 2))" "$(calls ecr)"
    check_says "the token is on the disk: it was this helper" . find "$cache" -type f -size +0
    rm "$pods/daemonset.yaml"
    if wait_for 60 is_as_before; then
        pass "the DaemonSet is removed: everything is as it was"
    else
        fail "the DaemonSet is removed: everything is as it was"
        diff <(echo "$as_before") <(listing)
    fi
    before=$(calls ecr)
    pod fleet-after "$fips/team/app-33:1"
    check_pods "Kubernetes' own plugin serves the node again" fleet-after
    same "it asked ECR itself" "$((before + 1))" "$(calls ecr)"
    stop_kubelet

    use_node full
    mount -t tmpfs -o size=2M,mode=755 tmpfs "$plugins"
    printf '#!/bin/sh\n' >"$plugins/ecr-credential-provider"
    refused "a full disk" "No space left on device"
    use_node read-only
    mount -t tmpfs -o mode=755 tmpfs "$plugins"
    printf '#!/bin/sh\n' >"$plugins/ecr-credential-provider"
    mount -o remount,ro "$plugins"
    refused "a read-only disk" "Read-only file system"
    use_node elsewhere
    echo "#!/bin/sh" >"$plugins/another-provider"
    refused "a directory without the plugin" "has no ecr-credential-provider"

    # What a kill leaves, at its worst: a piece of the copy, a second name of the plugin, no link yet.
    use_node half-done
    printf '#!/bin/sh\n' >"$plugins/ecr-credential-provider"
    as_before=$(listing)
    head -c 100000 "$work/bin/docker-credential-ecr-login" >"$plugins/.ecr-credential-provider.ecr-login.999999.tmp"
    cp "$work/bin/docker-credential-ecr-login" "$plugins/ecr-credential-provider.ecr-login"
    ln "$plugins/ecr-credential-provider" "$plugins/ecr-credential-provider.before-ecr-login"
    check "a node that is half done is done by the next pod" docker-credential-ecr-login setup plugin --bin-dir "$plugins"
    check "and by a pod after one that was killed" docker-credential-ecr-login setup plugin --bin-dir "$plugins"
    check_says "what is there now answers the kubelet" CredentialProviderResponse sh -c "echo '{\"kind\":\"CredentialProviderRequest\",\
\"apiVersion\":\"credentialprovider.kubelet.k8s.io/v1\",\"image\":\"nginx\"}' | '$plugins/ecr-credential-provider' get-credentials"
    check "setup plugin --undo" docker-credential-ecr-login setup plugin --bin-dir "$plugins" --undo
    same "the half-done node is as it was before" "$as_before" "$(listing)"
    umount "$work/full/plugins" "$work/read-only/plugins"
fi
