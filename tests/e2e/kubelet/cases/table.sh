# Kubernetes' own plugin beside this one, under the kubelet's own code: the table of docs/kubernetes.md. Times are shown, not
# judged; the calls are.
# shellcheck shell=bash

if [ -x "$programs/ecr-credential-provider" ]; then
    runs=5
    tls_aws=https://127.0.0.1:8098
    certificate aws IP:127.0.0.1
    start_service tls-aws "$programs/loopback-aws" "${tls_aws#https://}" "$work/aws.crt" "$work/aws.key"
    wait_for 20 curl -sf --cacert "$work/aws-ca.crt" "$tls_aws/control/calls"

    ln -sf docker-credential-ecr-login "$work/bin/ecr-credential-provider"
    images_at_once=$(seq 30 | sed "s|.*|\"$plain/team/app-&\"|" | paste -sd ,)
    account='"Namespace":"n","Pod":"p","Account":"a","Role":"arn:aws:iam::123456789012:role/a","Life":600'

    node_environment=(PATH="$PATH" AWS_ENDPOINT_URL="$tls_aws" AWS_CA_BUNDLE="$work/aws-ca.crt"
        AWS_EC2_METADATA_DISABLED=true AWS_ACCESS_KEY_ID="$node_key" AWS_SECRET_ACCESS_KEY=secret)

    # measured NAME LOOKUPS: runs the look-ups of a kubelet that has just started; adds "cpu wall ecr sts" to a file.
    measured() {
        local before after
        before=$(curl -sf --cacert "$work/aws-ca.crt" "$tls_aws/control/calls")
        env -i "${node_environment[@]}" AWS_ECR_CACHE_DIR="$cache" timeout 120 "$programs/keyring" \
            -config "$config" -bin-dir "$plugins" <<<"$2" >"$log/answers.json" 2>"$log/keyring"
        if ! grep -q AWS: "$log/answers.json" || grep -q '"Passwords":\[\]' "$log/answers.json"; then
            fail "the look-ups of $1 are answered"
            tail -n 3 "$log/keyring"
        fi
        after=$(curl -sf --cacert "$work/aws-ca.crt" "$tls_aws/control/calls")
        sed -n 's/^cost cpu=\(.*\) wall=\(.*\)/\1 \2/p' "$log/keyring" |
            tr '\n' ' ' >>"$work/measured-$1"
        echo "$before $after" | sed 's/ecr=\([0-9]*\) ecr_public=[0-9]* sts=\([0-9]*\)/\1 \2/g' |
            awk '{print $3 - $1, $4 - $2}' >>"$work/measured-$1"
    }

    for _ in $(seq "$runs"); do
        for which in ours theirs; do
            for mode in node accounts; do
                use_node "table-$which-$mode"
                pods_of=
                options=()
                [ "$mode" = node ] || pods_of=",$account" options=(--service-account-tokens)
                rm -rf "$cache"
                bounded docker-credential-ecr-login setup kubelet --config "$config" --bin-dir "$plugins" \
                    --kubelet-version "$kubelet_version" "${options[@]}"
                if [ "$which" = theirs ]; then
                    rm "$plugins/ecr-credential-provider"
                    cp "$programs/ecr-credential-provider" "$plugins/"
                fi
                measured "$which-$mode-cold" "{\"Images\":[$images_at_once]$pods_of}"
                measured "$which-$mode-restart" "{\"Images\":[\"$plain/team/other:1\"]$pods_of}"
            done
        done
    done

    # median FILE COLUMN
    median() {
        cut -d ' ' -f "$2" "$work/measured-$1" | sort -n | sed -n "$(((runs + 1) / 2))p"
    }
    # peak PLUGIN: the memory of one process that asks ECR, in MiB. Measured apart: a process that the kubelet's code starts
    # is charged with the kubelet's own memory of the moment before.
    peak() {
        cc -O2 -o "$work/interleave" "$top/benches/interleave.c" && mkdir -p "$work/peak"
        echo '{"kind":"CredentialProviderRequest","apiVersion":"credentialprovider.kubelet.k8s.io/v1","image":"'"$plain"'/a"}' \
            >"$work/peak.json"
        "$work/interleave" 3 plugin "$work/peak.json" \
            "@empty:$work/peak ${node_environment[*]} AWS_ECR_CACHE_DIR=$work/peak $1" | sed -n 's/.* \([0-9.]*\) MiB.*/\1/p'
    }
    size() {
        stat -c %s "$1"
    }
    {
        echo "| | calls to ECR | calls to STS | wall | CPU |"
        echo "|---|---:|---:|---:|---:|"
        for row in "node-cold:30 images at once, cold" "node-restart:one look-up after a restart" \
            "accounts-cold:30 images at once of one service account, cold" \
            "accounts-restart:one look-up of that account after a restart"; do
            for which in theirs ours; do
                part=$which-${row%%:*}
                label=ecr-credential-provider
                [ "$which" = theirs ] || label="this one"
                awk -v label="$label, ${row#*:}" -v cpu="$(median "$part" 1)" -v wall="$(median "$part" 2)" \
                    -v ecr="$(median "$part" 3)" -v sts="$(median "$part" 4)" \
                    'BEGIN {printf "| %s | %d | %d | %.1f ms | %.1f ms |\n", label, ecr, sts, wall * 1000, cpu * 1000}'
            done
            awk -v a="$(median "ours-${row%%:*}" 1)" -v b="$(median "theirs-${row%%:*}" 1)" -v c="$(median "ours-${row%%:*}" 2)" \
                -v d="$(median "theirs-${row%%:*}" 2)" 'BEGIN {printf "| ours / theirs | | | %.3f | %.3f |\n", c / d, a / b}'
        done
        awk -v a="$(size "$programs/ecr-credential-provider")" -v b="$(size "$work/bin/docker-credential-ecr-login")" \
            -v c="$(peak "$programs/ecr-credential-provider")" -v d="$(peak "$work/bin/ecr-credential-provider")" \
            'BEGIN {printf "\nOne process: %.1f MB of file and %.1f MiB of memory; ours %.1f MB and %.1f MiB.\n", a / 1e6, c, b / 1e6, d}'
    } >"$work/table.md"
    cat "$work/table.md"
    # The kubelet's code keeps what the first of theirs answered, so that the last of the 30 may not be asked any more.
    many() {
        [ "$(median "$1" "$2")" -gt 20 ] && echo many
    }
    same "30 images at once: one call to ECR by ours, more than 20 by theirs" "1 many" \
        "$(median ours-node-cold 3) $(many theirs-node-cold 3)"
    same "30 images of a service account at once: one call to STS and one to ECR by ours, more than 20 by theirs" \
        "1 1 many many" \
        "$(median ours-accounts-cold 4) $(median ours-accounts-cold 3) $(many theirs-accounts-cold 4) $(many theirs-accounts-cold 3)"
    same "after a restart: no call by ours, one by theirs" "0 1" \
        "$(median ours-node-restart 3) $(median theirs-node-restart 3)"
fi
