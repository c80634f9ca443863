# The kubelet pulls what pods name, by a configuration that setup wrote: as JSON, as YAML edited in place, as a directory.
# shellcheck shell=bash

if start_node; then
    before=$(calls ecr)
    use_node json
    set_up "setup kubelet writes JSON"
    pod tag "$plain/team/app-1:1"
    pod digest "$plain/team/app-2@$(digest 2)"
    pod dual "$dual_stack/team/app-3:1"
    pod fips "$fips/team/app-4:1"
    pod fips-digest "$fips/team/app-5@$(digest 5)"
    start_kubelet
    check_pods "JSON: images by tag and by digest, of a plain, a dual-stack and a FIPS name" tag digest dual fips fips-digest
    same "JSON: one call to ECR for the three names" "$((before + 1))" "$(calls ecr)"

    use_node keyless
    set_up "setup kubelet for a node without credentials"
    pod public "$public/team/app-1:1"
    start_kubelet AWS_ACCESS_KEY_ID= AWS_SECRET_ACCESS_KEY=
    check_pods "public.ecr.aws without credentials" public

    before=$(calls ecr)
    use_node yaml config.yaml
    cat >"$config" <<END
# The node's own.
apiVersion: kubelet.config.k8s.io/v1
kind: CredentialProviderConfig
providers:
- name: ecr-credential-provider     # ECR
  matchImages:
  - "*.dkr.ecr.*.amazonaws.com"
  defaultCacheDuration: "12h"
  apiVersion: credentialprovider.kubelet.k8s.io/v1
  args: [get-credentials]
  env:
  - {name: ECR_LOGIN_TIMEOUT, value: "30"}
END
    set_up "setup kubelet edits YAML in place"
    pod yaml "$dual_stack/team/app-6:1"
    start_kubelet
    check_pods "YAML edited in place: the node pulls by it" yaml
    same "YAML: one call to ECR" "$((before + 1))" "$(calls ecr)"
    check_says "YAML: comments, args and env stay" 'name: ECR_LOGIN_TIMEOUT' \
        grep -A 60 'name: ecr-credential-provider     # ECR' "$config"

    if [ "$kubelet_version" != 1.33 ]; then
        use_node directory parts/10-other.yaml
        mkdir -p "$(dirname "$config")"
        cat >"$config" <<END
apiVersion: kubelet.config.k8s.io/v1
kind: CredentialProviderConfig
providers: [{name: other, matchImages: [registry.example], defaultCacheDuration: 1h, apiVersion: credentialprovider.kubelet.k8s.io/v1}]
END
        printf '#!/bin/sh\nexit 1\n' >"$plugins/other"
        chmod 755 "$plugins/other"
        other=$(sha256sum <"$config")
        config_is_directory=yes
        config=$(dirname "$config") set_up "setup kubelet adds a file to a directory"
        pod directory "$plain/team/app-7:1"
        start_kubelet
        check_pods "a directory with another provider's file: the node pulls by it" directory
        same "the other provider's file is as it was" "$other" "$(sha256sum <"$config")"
        config_is_directory=
    fi

    # The paths of k3s and RKE2, on a /var/lib of this run's own.
    mount -t tmpfs -o mode=755 tmpfs /var/lib
    mkdir -p /var/lib/rancher/k3s/agent
    use_node k3s
    config=/var/lib/rancher/credentialprovider/config.yaml plugins=/var/lib/rancher/credentialprovider/bin
    check_says "k3s: setup kubelet finds its paths" "wrote $config" \
        docker-credential-ecr-login setup kubelet --kubelet-version "$kubelet_version"
    pod k3s "$plain/team/app-34:1"
    start_kubelet
    check_pods "k3s: the node pulls by it" k3s
    stop_kubelet
    umount /var/lib
fi
