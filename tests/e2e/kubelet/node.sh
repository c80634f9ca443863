# Sourced by run.sh: the node (kubelet, containerd), the registries and the AWS. What starts here is stopped by its id.
# shellcheck shell=bash

private_address=10.77.0.1
public_address=10.77.0.2
plain=123456789012.dkr.ecr.us-east-1.amazonaws.com
fips=123456789012.dkr.ecr-fips.us-east-1.amazonaws.com
dual_stack=123456789012.dkr-ecr.us-east-1.on.aws
public=public.ecr.aws
hosts=("$plain" "$fips" "$dual_stack" "$public")
aws=http://127.0.0.1:8099
node_key=AKIANODENODENODENODE
password=token-of-$node_key
image_count=40
service_ids=()
kubelet_id=

private_namespaces() {
    ip link set lo up && ip address add "$private_address/32" dev lo && ip address add "$public_address/32" dev lo &&
        printf '%s\n' "127.0.0.1 localhost" "$private_address $plain $fips $dual_stack" "$public_address $public" \
            >"$work/hosts" &&
        mount --bind "$work/hosts" /etc/hosts &&
        mount -t tmpfs -o mode=755 tmpfs /run
}

# wait_for SECONDS COMMAND...: until the command succeeds.
wait_for() {
    local tries=$(($1 * 10))
    shift
    until "$@" >/dev/null 2>&1; do
        tries=$((tries - 1))
        [ "$tries" -gt 0 ] || return 1
        sleep 0.1
    done
}

# start_service NAME COMMAND...
start_service() {
    local name=$1
    shift
    "$@" >"$log/$name.log" 2>&1 </dev/null &
    service_ids+=("$!")
}

stop_services() {
    local id
    for id in "${service_ids[@]}"; do
        kill "$id" 2>/dev/null
    done
    for id in "${service_ids[@]}"; do
        timeout 20 tail --pid="$id" -f /dev/null || kill -KILL "$id" 2>/dev/null
    done
}

show_service_logs() {
    local file
    for file in "$log"/*.log; do
        echo "--- ${file##*/}"
        tail -n 15 "$file"
    done
}

start_aws() {
    start_service aws "$programs/loopback-aws" "${aws#http://}"
    wait_for 20 curl -sf "$aws/control/calls"
}

# aws_mode SERVICE MODE: see program/fakeaws.
aws_mode() {
    curl -sf "$aws/control?service=$1&mode=$2" >/dev/null
}

# calls SERVICE: how often it was called so far.
calls() {
    curl -sf "$aws/control/calls" | sed -n "s/.*$1=\([0-9]*\).*/\1/p"
}

# start_node: the registries with their images, and containerd with the sandbox image; once, when a case needs them.
start_node() {
    [ ! -e "$work/node-is-up" ] || return 0
    local subjects
    subjects=$(printf 'DNS:%s,' "${hosts[@]}")
    if certificate registries "${subjects%,}" && make_images && start_registries && start_containerd && fill_registries; then
        : >"$work/node-is-up"
    else
        show_service_logs
        fail "the node comes up"
        return 1
    fi
}

# certificate NAME SUBJECTS: $work/NAME.crt and .key, of an authority of its own, $work/NAME-ca.crt.
certificate() {
    local new=(openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$1")
    "${new[@]}" -x509 -days 2 -keyout "$work/$1-ca.key" -out "$work/$1-ca.crt" 2>>"$log/openssl.log" &&
        "${new[@]}" -keyout "$work/$1.key" -out "$work/$1.csr" 2>>"$log/openssl.log" &&
        printf 'subjectAltName=%s\nextendedKeyUsage=serverAuth\n' "$2" >"$work/$1.ext" &&
        openssl x509 -req -in "$work/$1.csr" -CA "$work/$1-ca.crt" -CAkey "$work/$1-ca.key" -CAcreateserial -days 2 \
            -extfile "$work/$1.ext" -out "$work/$1.crt" 2>>"$log/openssl.log"
}

make_images() {
    # shellcheck disable=SC2046 # one word for each
    python3 "$here/image.py" "$work/layout" "$programs/entry" /entry $(seq "$image_count") >"$work/digests" &&
        python3 "$here/image.py" "$work/pause" "$programs/entry" /entry 1 >/dev/null
}

# registry NAME ADDRESS [AUTH]
registry() {
    cat >"$work/$1.yml" <<END
version: 0.1
log: {level: warn}
storage: {filesystem: {rootdirectory: $work/storage-$1}}
http: {addr: "$2:443", secret: e2e, tls: {certificate: $work/registries.crt, key: $work/registries.key}}
${3-}
END
    start_service "$1" docker-registry serve "$work/$1.yml"
}

start_registries() {
    htpasswd -Bbn AWS "$password" >"$work/htpasswd" 2>>"$log/openssl.log" || return 1
    registry private "$private_address" "auth: {htpasswd: {realm: e2e, path: $work/htpasswd}}"
    registry public "$public_address"
    wait_for 20 curl -s --cacert "$work/registries-ca.crt" "https://$plain/v2/" &&
        wait_for 20 curl -s --cacert "$work/registries-ca.crt" "https://$public/v2/"
}

fill_registries() {
    # Repositories of their own: the kubelet asks the plugin for a repository, whatever the tag.
    seq "$image_count" | xargs -P 4 -I '{}' skopeo copy -q --dest-tls-verify=false --dest-creds "AWS:$password" \
        "oci:$work/layout:{}" "docker://$plain/team/app-{}:1" &&
        skopeo copy -q --dest-tls-verify=false "oci:$work/layout:1" "docker://$public/team/app-1:1"
}

start_containerd() {
    local host
    for host in "${hosts[@]}"; do
        mkdir -p "$work/certs.d/$host"
        printf 'server = "https://%s"\n[host."https://%s"]\n  ca = "%s"\n' "$host" "$host" "$work/registries-ca.crt" \
            >"$work/certs.d/$host/hosts.toml"
    done
    cat >"$work/containerd.toml" <<END
version = 2
root = "$work/containerd"
state = "/run/containerd"
[grpc]
  address = "/run/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "local/pause:1"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".registry]
    config_path = "$work/certs.d"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "native"
END
    start_service containerd containerd -c "$work/containerd.toml"
    wait_for 30 containers version && load_image pause docker.io/local/pause
}

containers() {
    ctr -a /run/containerd.sock -n k8s.io "$@"
}

# load_image LAYOUT NAME: the images of $work/LAYOUT by a name, without a registry; the layout's tags are NAME's.
load_image() {
    tar -C "$work/$1" -cf - . | containers images import --base-name "$2" - >/dev/null
}

# set_up NAME [OPTION]...: $config and $plugins of a node called NAME, by the helper's own setup. The configuration is
# what the case put into $config before, if it did.
set_up() {
    local name=$1
    shift
    mkdir -p "$work/$node/etc"
    check "$name" docker-credential-ecr-login setup kubelet --config "$config" --bin-dir "$plugins" \
        --kubelet-version "$kubelet_version" "$@"
}

# use_node NAME [FILE]: the node that the next commands are about; its configuration is FILE of its etc.
use_node() {
    node=$1
    config=$work/$node/etc/${2:-config.json}
    plugins=$work/$node/plugins
    cache=$work/$node/cache
    pods=$work/$node/pods
    mkdir -p "$work/$node/etc" "$plugins" "$pods"
}

# start_kubelet [VARIABLE=VALUE]...: with the variables, and with the node's keys unless there is one of AWS_ACCESS_KEY_ID.
start_kubelet() {
    stop_kubelet
    cat >"$work/$node/kubelet.yaml" <<END
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
authentication: {anonymous: {enabled: true}, webhook: {enabled: false}}
authorization: {mode: AlwaysAllow}
enableServer: false
healthzPort: 0
staticPodPath: $pods
fileCheckFrequency: 1s
syncFrequency: 1s
failSwapOn: false
failCgroupV1: false
cgroupDriver: cgroupfs
cgroupsPerQOS: false
enforceNodeAllocatable: []
containerRuntimeEndpoint: unix:///run/containerd.sock
podLogsDir: $work/podlogs
localStorageCapacityIsolation: false
serializeImagePulls: false
maxParallelImagePulls: 30
registryPullQPS: 0
imageMinimumGCAge: 1h
evictionHard: {memory.available: 1Mi}
END
    # A file that is only read as a file is given as one; a directory as such.
    local flag=$config
    [ "${config_is_directory-}" != yes ] || flag=$(dirname "$config")
    env -i PATH="$PATH" AWS_ENDPOINT_URL="$aws" AWS_EC2_METADATA_DISABLED=true AWS_ECR_CACHE_DIR="$cache" \
        AWS_ACCESS_KEY_ID="$node_key" AWS_SECRET_ACCESS_KEY=secret "$@" \
        "$programs/kubelet" --config "$work/$node/kubelet.yaml" --root-dir "$work/kubelet" --hostname-override node1 -v 2 \
        --image-credential-provider-config "$flag" --image-credential-provider-bin-dir "$plugins" \
        >"$log/kubelet-$node.log" 2>&1 </dev/null &
    kubelet_id=$!
}

stop_kubelet() {
    [ -n "$kubelet_id" ] || return 0
    kill "$kubelet_id" 2>/dev/null
    timeout 20 tail --pid="$kubelet_id" -f /dev/null || kill -KILL "$kubelet_id" 2>/dev/null
    kubelet_id=
}

# pod NAME IMAGE: a static pod of the node.
pod() {
    cat >"$pods/$1.yaml" <<END
apiVersion: v1
kind: Pod
metadata: {name: $1, namespace: default}
spec:
  hostNetwork: true
  terminationGracePeriodSeconds: 1
  containers: [{name: app, image: "$2", imagePullPolicy: Always}]
END
}

pod_runs() {
    grep -qs "the pulled image runs" "$work/podlogs/default_$1-node1_"*/app/*.log
}

# check_pods NAME POD...: all of them run, within a minute.
check_pods() {
    local name=$1 pod
    shift
    for pod in "$@"; do
        if ! wait_for 60 pod_runs "$pod"; then
            fail "$name ($pod does not run)"
            grep -E 'credential|Failed to pull|ErrImagePull|error' "$log/kubelet-$node.log" | tail -n 8 | cut -c 1-600
            return 1
        fi
    done
    pass "$name"
}

# kubelet_says NAME PATTERN: a line of the kubelet's log, within 40 s.
kubelet_says() {
    if wait_for 40 grep -qE -- "$2" "$log/kubelet-$node.log"; then
        pass "$1"
    else
        fail "$1 (wanted in the kubelet's log: $2)"
        tail -n 8 "$log/kubelet-$node.log" | cut -c 1-600
    fi
}

# digest TAG: of an image of the registries.
digest() {
    sed -n "s/^$1 //p" "$work/digests"
}

kubelet_version=$("$programs/kubelet" --version | sed 's/.* v//; s/\.[0-9]*$//')
# Pods that pull with their own role are behind a gate in 1.33.
gates=()
[ "$kubelet_version" != 1.33 ] || gates=(-gates KubeletServiceAccountTokenForCredentialProviders=true)
