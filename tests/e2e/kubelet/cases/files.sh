# Configurations as nodes have them: the kubelet starts with each after setup has edited it, and a second setup changes
# nothing.
# shellcheck shell=bash

edit_all() {
    local file name options=("$@") edited=0
    for file in "$top"/tests/data/kubelet/*; do
        name=${file##*/}
        use_node "files/$name${options[0]-}" "$name"
        cp "$file" "$config"
        for other in acr-credential-provider gcr-credential-provider other; do
            printf '#!/bin/sh\nexit 1\n' >"$plugins/$other"
            chmod 755 "$plugins/$other"
        done
        if [ "$kubelet_version" = 1.33 ] && grep -q cacheType "$file"; then
            check_fails "$name: setup refuses what came with 1.34" "cacheType is a field that this kubelet does not know" \
                docker-credential-ecr-login setup kubelet --config "$config" --bin-dir "$plugins" \
                --kubelet-version "$kubelet_version" "${options[@]}"
            check_fails "$name: so does the kubelet" 'unknown field.*cacheType' \
                "$programs/keyring" -config "$config" -bin-dir "$plugins" "${gates[@]}"
            continue
        fi
        if ! bounded docker-credential-ecr-login setup kubelet --config "$config" --bin-dir "$plugins" \
            --kubelet-version "$kubelet_version" "${options[@]}"; then
            fail "setup edits $name ${options[*]}"
            show_output
            continue
        fi
        if ! bounded "$programs/keyring" -config "$config" -bin-dir "$plugins" "${gates[@]}"; then
            fail "the kubelet starts with $name ${options[*]}"
            show_output
            diff -u "$file" "$config"
            continue
        fi
        edited=$((edited + 1))
        sha256sum "$config" >"$log/first"
        bounded docker-credential-ecr-login setup kubelet --config "$config" --bin-dir "$plugins" \
            --kubelet-version "$kubelet_version" "${options[@]}"
        if ! sha256sum --check --status "$log/first" || ! grep -q already "$log/out"; then
            fail "a second setup changes nothing in $name"
            diff -u "$file" "$config"
        fi
    done
    pass "the kubelet's decoder takes $edited files that setup edited ${options[*]}"
}

edit_all
edit_all --service-account-tokens
