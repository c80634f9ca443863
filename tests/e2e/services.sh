# Sourced by run.sh: the namespaces' own files, the registries, the AWS, dockerd. What starts here is stopped by its id.
# shellcheck shell=bash

account=123456789012
registry=$account.dkr.ecr.us-east-1.amazonaws.com
# Of another account; the same registry answers under both names.
second_registry=210987654321.dkr.ecr.us-east-1.amazonaws.com
foreign=registry.example.test
# Not 127/8: docker takes that range for insecure registries and would not show whether TLS works.
registry_address=10.77.0.1
foreign_address=10.77.0.2
moto_port=5001
dated_port=5002
service_ids=()

private_namespaces() {
    ip link set lo up && ip address add "$registry_address/32" dev lo && ip address add "$foreign_address/32" dev lo &&
        printf '%s\n' "127.0.0.1 localhost" "$registry_address $registry $second_registry" \
            "$foreign_address $foreign index.docker.io registry-1.docker.io auth.docker.io" >"$work/hosts" &&
        mount --bind "$work/hosts" /etc/hosts &&
        mount -t tmpfs -o mode=755 tmpfs /run || return 1
    mkdir -p /etc/docker /etc/containers
    mount -t tmpfs -o mode=755 tmpfs /etc/docker && mount -t tmpfs -o mode=755 tmpfs /etc/containers || return 1
    echo '{"default":[{"type":"insecureAcceptAnything"}]}' >/etc/containers/policy.json
    echo 'unqualified-search-registries = []' >/etc/containers/registries.conf
    cat >/etc/containers/storage.conf <<END
[storage]
driver = "vfs"
graphroot = "$work/containers"
runroot = "/run/containers"
END
    export XDG_RUNTIME_DIR=/run/user/0
    mkdir /run/user && mkdir -m 700 "$XDG_RUNTIME_DIR"
}

# wait_for WHAT COMMAND...: until the command succeeds, at most 60 s.
wait_for() {
    local what=$1 tries=300
    shift
    until timeout 5 "$@" >/dev/null 2>&1; do
        tries=$((tries - 1))
        [ "$tries" -gt 0 ] || { echo "e2e: $what did not come up" >&2; return 1; }
        sleep 0.2
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

# authority: the certificate authority of this run.
authority() {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=e2e authority" \
        -keyout "$work/ca.key" -out "$work/ca.crt" 2>"$log/openssl.log"
}

# certificate NAME [OTHER]...: a certificate of the authority's, which every client looks for under /etc/docker/certs.d.
certificate() {
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$1" \
        -keyout "$work/$1.key" -out "$work/$1.csr" 2>>"$log/openssl.log" &&
        printf 'subjectAltName=DNS:%s\nextendedKeyUsage=serverAuth\n' "$(printf '%s,DNS:' "$@" | sed 's/,DNS:$//')" >"$work/$1.ext" &&
        openssl x509 -req -in "$work/$1.csr" -CA "$work/ca.crt" -CAkey "$work/ca.key" -CAcreateserial -days 2 \
            -extfile "$work/$1.ext" -out "$work/$1.crt" 2>>"$log/openssl.log" || return 1
    local name
    for name; do
        mkdir -p "/etc/docker/certs.d/$name"
        cp "$work/ca.crt" "/etc/docker/certs.d/$name/ca.crt"
    done
}

# start_registry NAME ADDRESS [AUTH [OTHER-NAME]]
start_registry() {
    certificate "$1" ${4:+"$4"} || return 1
    cat >"$work/$1.yml" <<END
version: 0.1
storage: {filesystem: {rootdirectory: $work/storage-$1}}
http: {addr: "$2:443", secret: e2e, tls: {certificate: $work/$1.crt, key: $work/$1.key}}
${3-}
END
    start_service "$1" docker-registry serve "$work/$1.yml"
}

# The ECR registry wants the password that moto hands out; the foreign one wants none.
start_registries() {
    authority || return 1
    htpasswd -Bbn AWS "$account-auth-token" >"$work/htpasswd" 2>>"$log/openssl.log" || return 1
    start_registry "$registry" "$registry_address" \
        "auth: {htpasswd: {realm: e2e, path: $work/htpasswd}}" "$second_registry" || return 1
    start_registry "$foreign" "$foreign_address" || return 1
    wait_for "the registry" curl -s --cacert "$work/ca.crt" "https://$registry/v2/" &&
        wait_for "the foreign registry" curl -sf --cacert "$work/ca.crt" "https://$foreign/v2/"
}

start_aws() {
    start_service moto "$E2E_MOTO/bin/python" "$here/aws.py" serve "$moto_port"
    start_service dated "$E2E_MOTO/bin/python" "$here/aws.py" serve-dated "$dated_port"
    # shellcheck disable=SC2034 # the cases stop it
    dated_id=$!
    wait_for moto curl -s "http://127.0.0.1:$moto_port/moto-api/" &&
        wait_for "moto with dates" curl -s "http://127.0.0.1:$dated_port/moto-api/"
}

# use_aws: the environment of somebody who has keys; the AWS is moto.
use_aws() {
    export AWS_ACCESS_KEY_ID=AKIAE2EE2EE2EE2EE2EE AWS_SECRET_ACCESS_KEY=e2e-secret AWS_EC2_METADATA_DISABLED=true
    export AWS_ENDPOINT_URL=http://127.0.0.1:$moto_port AWS_ECR_CACHE_DIR=$work/cache
}

# For env: the AWS whose tokens live for 12 hours, with a cache of its own.
# shellcheck disable=SC2034 # the cases use it
dated_aws=(AWS_ENDPOINT_URL="http://127.0.0.1:$dated_port" AWS_ECR_CACHE_DIR="$work/cache-dated")

start_dockerd() {
    export DOCKER_HOST=unix:///run/docker.sock
    start_service dockerd dockerd --data-root "$work/docker" --exec-root /run/docker --pidfile /run/docker.pid \
        -H "$DOCKER_HOST" --iptables=false --ip6tables=false --bridge=none --storage-driver=vfs --ip-forward=false
    wait_for dockerd docker version
}

# new_home: a person's home with nothing in it, so nobody is logged in anywhere.
homes=0
new_home() {
    homes=$((homes + 1))
    export HOME=$work/home/$homes
    mkdir -p "$HOME"
    rm -rf "$XDG_RUNTIME_DIR/containers"
}

# The clients' files are written by the helper's own setup, as people would.
set_up_docker() {
    check "setup docker" docker-credential-ecr-login setup docker --registry "$registry"
}

set_up_docker_store() {
    check "setup docker --store" docker-credential-ecr-login setup docker --store
}

set_up_containers() {
    check "setup podman" docker-credential-ecr-login setup podman --registry "$registry"
}
