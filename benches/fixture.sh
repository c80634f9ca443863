# What the measurements run in: sourced by counts.sh and processes.sh.
# shellcheck shell=bash
#
# A network namespace in which loopback is all there is, a mount namespace in which the name of ECR's API leads to
# loopback, and a home as a busy developer has it: a settings file with 20 registries, an AWS config with 50 profiles,
# and a role that is assumed.

if [ -z "${ECR_LOGIN_BENCH_INSIDE-}" ]; then
    exec unshare --net --mount --propagation private -- env ECR_LOGIN_BENCH_INSIDE=1 bash "$0" "$@"
fi
ip link set lo up
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit

fixture=$(mktemp -d)
programs=$(mktemp -d)
started=()
leave() {
    for pid in "${started[@]}"; do kill "$pid" 2>/dev/null || true; done
    umount --lazy "$fixture" 2>/dev/null || true
    rm -rf -- "$fixture" "$programs"
}
trap leave EXIT
# A file system of its own, where one can be had: ext4 does not use the number of a file again that went within the last
# minutes, and after a build it searches for another for as long as everything else takes. The binary stays where
# binaries are: how much of it a page fault brings in is the file system's choice.
disk=$(mktemp)
if truncate --size 512M "$disk" && mkfs.ext4 -q "$disk" && mount -o loop "$disk" "$fixture"; then :; fi 2>/dev/null
rm -f -- "$disk"
chmod 700 "$fixture"

region=eu-west-1
registry=123456789012.dkr.ecr.$region.amazonaws.com
api=api.ecr.$region.amazonaws.com
printf '127.0.0.1 localhost %s sts.%s.amazonaws.com\n' "$api" "$region" >"$fixture/hosts"
mount --bind "$fixture/hosts" /etc/hosts
printf '%s' "$registry" >"$fixture/registry"
printf 'registry.example.com' >"$fixture/foreign"
printf '{"ServerURL":"%s","Username":"AWS","Secret":"x"}' "$registry" >"$fixture/store"
printf '{"kind":"CredentialProviderRequest","apiVersion":"credentialprovider.kubelet.k8s.io/v1","image":"%s/app"}' \
    "$registry" >"$fixture/kubelet"

ours=${ECR_LOGIN_BINARY-$(scripts/build-release.sh 2>/dev/null)}
cp "$ours" "$programs/docker-credential-ecr-login"
ours=$programs/docker-credential-ecr-login

cargo build --quiet --locked --example loopback_aws
loopback_aws=${CARGO_TARGET_DIR:-target}/debug/examples/loopback_aws

# aws NAME ARGUMENT...: starts a loopback AWS; its URL is then in $url.
declare -A kept process
aws() {
    local name=$1
    shift
    mkfifo "$fixture/$name.end"
    # The read end keeps it alive until we go; opened for both so that nobody waits for anybody.
    exec {keep}<>"$fixture/$name.end"
    kept[$name]=$keep
    : >"$fixture/$name.out"
    (
        for fd in "${kept[@]}"; do exec {fd}>&-; done
        exec "$loopback_aws" "$@" <"$fixture/$name.end" >"$fixture/$name.out"
    ) &
    process[$name]=$!
    started+=($!)
    for _ in $(seq 100); do
        url=$(head -n 1 "$fixture/$name.out")
        [ -z "$url" ] || return 0
        sleep 0.1
    done
    echo "the loopback AWS did not start" >&2
    return 1
}

# end NAME: ends a loopback AWS; how many calls of ECR there were is then in $calls.
end() {
    local fd=${kept[$1]}
    exec {fd}>&-
    unset "kept[$1]"
    wait "${process[$1]}"
    # shellcheck disable=SC2034 # for whoever asks
    calls=$(sed -n 's/^Ecr //p' "$fixture/$1.out")
}

# middle_aged DIRECTORY: writes the times of the cached tokens in it back by eight of their twelve hours, so that they
# are in their second half (docs/cache.md has the layout; the checksum is over what the fields mean).
middle_aged() {
    python3 - "$1" <<'END'
import json, os, re, struct, sys, zlib
for name in os.listdir(sys.argv[1]):
    if not re.fullmatch(r"[0-9a-f]{64}-.*", name):
        continue
    path = os.path.join(sys.argv[1], name)
    with open(path) as file:
        entry = json.load(file)
    times = ["issued_at", "refresh_at", "expires_at"]
    for key in times:
        entry[key] -= 8 * 3600
    meaning = struct.pack("<I", entry["version"])
    # 0.1.0, which may stand beside this build, calls the cache key so.
    cache_key = "cache_key" if "cache_key" in entry else "fingerprint"
    for text in (entry[key].encode() for key in ["registry", cache_key, "label", "username", "password"]):
        meaning += struct.pack("<Q", len(text)) + text
    entry["crc32"] = zlib.crc32(meaning + struct.pack("<3q", *(entry[key] for key in times)))
    with open(path, "w") as file:
        json.dump(entry, file, separators=(",", ":"))
    os.utime(path, (entry["expires_at"], entry["expires_at"]))
END
}

# home NAME: a home with settings and profiles; its path is then in $home.
home() {
    home=$fixture/$1
    mkdir -p "$home/.config/ecr-login" "$home/.aws"
    {
        echo 'timeout = 10'
        for n in $(seq 19); do
            printf '\n[[registry]]\nmatch = "2100000000%02d.dkr.ecr.*.amazonaws.com"\nprofile = "team-%s"\n' "$n" "$n"
        done
        printf '\n[[registry]]\nmatch = "*.dkr.ecr.%s.amazonaws.com"\nprofile = "role"\n' "$region"
    } >"$home/.config/ecr-login/config.toml"
    {
        for n in $(seq 48); do
            printf '[profile team-%s]\nregion = eu-west-1\noutput = json\n' "$n"
            printf 'role_arn = arn:aws:iam::2100000000%02d:role/developer\nsource_profile = base\n\n' "$n"
        done
        printf '[profile role]\nrole_arn = arn:aws:iam::123456789012:role/ecr-pull\nsource_profile = base\n\n'
        printf '[profile base]\nregion = eu-west-1\n'
    } >"$home/.aws/config"
    printf '[base]\naws_access_key_id = AKIABENCHMARK\naws_secret_access_key = benchmark\n' >"$home/.aws/credentials"
}
