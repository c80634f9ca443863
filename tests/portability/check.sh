#!/bin/bash
# The release binary in another root: what a client asks of it works there, names resolve, and nothing of that root's
# C library is loaded.
#
#   tests/portability/check.sh BINARY [ROOT]      as root; needs unshare, ip, strace, setpriv. Without ROOT an empty one
#
# The empty root has the binary, /etc/hosts and /etc/resolv.conf: no /dev, /proc, /tmp or /etc/passwd. ROOT is a directory
# with a system's files (tests/portability/unpack-debian.sh or debootstrap makes one); it is covered by an overlay, so nothing in it changes,
# and has /proc and /dev as a host has them. The network is loopback alone, with a DNS server and an AWS with TLS
# on the ports that the real ones have; so the names, the ports and the certificate check are those of a real pull.
set -euo pipefail

[ "$(id -u)" = 0 ] || { echo "check: needs root, for namespaces" >&2; exit 2; }
if [ -z "${ECR_LOGIN_ROOTS_INSIDE-}" ]; then
    exec unshare --net --mount --propagation private -- env ECR_LOGIN_ROOTS_INSIDE=1 bash "$0" "$@"
fi
binary=$(realpath "$1") lower=${2:+$(realpath "$2")}
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
cargo build --quiet --locked --example loopback_aws
loopback_aws=$(realpath "${CARGO_TARGET_DIR:-target}/debug/examples/loopback_aws")

ip link set lo up
fixture=$(mktemp -d)
aws=
leave() {
    [ -z "$aws" ] || kill "$aws" 2>/dev/null || true
    umount --recursive --lazy "$fixture"
    rmdir "$fixture"
}
trap leave EXIT
mount -t tmpfs tmpfs "$fixture"
mkdir "$fixture"/{root,upper,work}
root=$fixture/root
if [ -n "$lower" ]; then
    mount -t overlay overlay -o "lowerdir=$lower,upperdir=$fixture/upper,workdir=$fixture/work" "$root"
    mkdir -p "$root"/{proc,dev}
    mount -t proc proc "$root/proc"
    mount --rbind /dev "$root/dev"
else
    # A mount of its own, to be made read-only.
    mount -t tmpfs tmpfs "$root"
fi
mkdir -p "$root/etc/ssl/certs" "$root/home"
cp "$binary" "$root/docker-credential-ecr-login"

region=eu-west-1.amazonaws.com
registry=123456789012.dkr.ecr.$region
bundle=$root/etc/ssl/certs/ca-certificates.crt
printf '%s' "$registry" >"$fixture/registry"
printf 'registry.example.com' >"$fixture/foreign"
printf '{"kind":"CredentialProviderRequest","apiVersion":"credentialprovider.kubelet.k8s.io/v1","image":"%s/app"}' \
    "$registry" >"$fixture/request"
printf '{"ServerURL":"%s","Username":"AWS","Secret":"x"}' "$registry" >"$fixture/stored"
: >"$fixture/nothing"
printf '127.0.0.1 localhost in-hosts.amazonaws.com\n' >"$root/etc/hosts"
printf 'nameserver 127.0.0.1\nsearch default.svc.cluster.local eu-west-1.amazonaws.com\noptions ndots:5 timeout:1\n' \
    >"$root/etc/resolv.conf"
# Whoever goes by this file finds no name in the DNS.
[ -z "$lower" ] || printf 'passwd: files systemd\nhosts: mdns4_minimal [NOTFOUND=return] myhostname files\n' \
    >"$root/etc/nsswitch.conf"

mkfifo "$fixture/end"
exec {end}<>"$fixture/end"
"$loopback_aws" --tls --port 443 --ca "$bundle" \
    --names "$registry,api.ecr.$region,sts.$region,search-me.$region" \
    <"$fixture/end" >"$fixture/aws.out" {end}>&- &
aws=$!
for _ in $(seq 100); do
    [ ! -s "$fixture/aws.out" ] || break
    sleep 0.1
done
cp "$bundle" "$fixture/bundle"

failed=0 count=0
environment=(PATH=/ AWS_EC2_METADATA_DISABLED=true AWS_ACCESS_KEY_ID=AKIAROOTS AWS_SECRET_ACCESS_KEY=roots)
chroot=$(command -v chroot)

bad() {
    failed=$((failed + 1))
    echo "FAILED  $what: $1"
    head -q -n 20 "$fixture/stdout" "$fixture/stderr" | cut -c 1-300 | sed 's/^/    | /'
}

# The caller's, for the next `runs`: a command that runs it, options of chroot, options of strace.
within=() as=() faults=()

# runs WHAT CODE STDIN [NAME=VALUE]... ARGUMENT...: runs the binary in the root with these variables added, and holds its
# exit code against CODE. Whatever it does, it must not look at what belongs to another program's libc.
runs() {
    local variables=() wanted=$2 input=$fixture/$3 code=0
    what=$1 count=$((count + 1))
    shift 3
    while [[ $1 == [A-Z]*=* ]]; do
        variables+=("$1")
        shift
    done
    timeout --kill-after=5 60 strace -f -qq -e signal=none -o "$fixture/whole" "${faults[@]}" "${within[@]}" \
        env -i "${environment[@]}" "${variables[@]}" "$chroot" "${as[@]}" "$root" /docker-credential-ecr-login "$@" \
        <"$input" >"$fixture/stdout" 2>"$fixture/stderr" || code=$?
    # From the call that starts us; before it are chroot's own libraries.
    sed -n '/execve("\/docker-credential-ecr-login"/,$p' "$fixture/whole" >"$fixture/trace"
    [ -s "$fixture/trace" ] || bad "it was not started"
    [ "$code" = "$wanted" ] || bad "exit code $code, not $wanted"
    ! grep -E '\.so[".]|nsswitch|ld\.so|/gconv|/locale' "$fixture/trace" >>"$fixture/stderr" || bad "it looked for a library"
}

says() {
    grep -qE -- "$1" "$fixture/stdout" || bad "no \"$1\" on stdout"
}

complains() {
    grep -qE -- "$1" "$fixture/stderr" || bad "no \"$1\" on stderr"
}

is_silent() {
    [ ! -s "$fixture/stderr" ] || bad "something on stderr"
}

# No cache of root's or of anybody else's.
forget() {
    rm -rf -- "$root/run/ecr-login" "$root/root/.cache" "$root"/home/*/.cache
}

token="\"Username\":\"AWS\",\"Secret\":\"fake.ecr.eu-west-1.AKIAROOTS"

# --- what clients ask ---------------------------------------------------------------------------------------------
runs 'a cold get, names by DNS, certificates of the root' 0 registry get && says "$token" && is_silent
cp "$fixture/stdout" "$fixture/first"
runs 'a warm get' 0 registry get && is_silent
cmp -s "$fixture/first" "$fixture/stdout" || bad 'another token'
! grep -q 'socket(' "$fixture/trace" || bad 'it used the network'
runs 'a kubelet' 0 request kubelet && says '"cacheKeyType":"Registry"' && is_silent
runs 'a foreign get' 1 foreign get && says '^credentials not found in native keychain$' && is_silent
runs 'store' 0 stored store && complains 'nothing was stored'
runs 'list' 0 nothing list && says "\"$registry\":\"AWS\"" && is_silent
runs 'status' 0 nothing status && says 'keys in the environment, region eu-west-1' && is_silent
mkdir -p "$root/home/docker"
runs 'setup docker' 0 nothing HOME=/home/docker setup docker --registry "$registry"
[ -s "$root/home/docker/.docker/config.json" ] || bad 'no config.json'
runs 'doctor' 0 nothing HOME=/home/docker doctor "$registry" && is_silent
for step in helper docker source network caller token registry cache; do says "^  ok +$step"; done
runs 'doctor where the helper is not on PATH' 1 nothing PATH=/bin HOME=/home/docker doctor "$registry"
says 'add / to PATH'
runs 'erase' 0 registry erase && is_silent
for shell in bash zsh fish; do runs "completions $shell" 0 nothing completions "$shell"; done

# --- names ------------------------------------------------------------------------------------------------------------
runs '/etc/hosts before the DNS' 0 registry AWS_ENDPOINT_URL=https://in-hosts.amazonaws.com get
! grep -q 'connect(.*htons(53)' "$fixture/trace" || bad 'it asked the DNS'
# The name is found by the search list, so there is an answer: a certificate, which is for no name without a dot.
runs 'the search list' 1 registry AWS_ENDPOINT_URL=https://search-me get
complains 'search-me.*certificate'
runs 'a name that is none' 1 registry AWS_ENDPOINT_URL=https://ecr.example.com get
complains 'the name ecr.example.com does not resolve: there is no such name'

# --- certificates -----------------------------------------------------------------------------------------------------
for place in /etc/pki/tls/certs/ca-bundle.crt /etc/ssl/cert.pem; do
    forget
    mkdir -p "$root${place%/*}"
    mv "$bundle" "$root$place"
    runs "certificates in $place" 0 registry get && says "$token"
    mv "$root$place" "$bundle"
done
forget
rm "$bundle"
runs 'no certificates in the root: those that are built in, which have not signed this server' 1 registry get
complains 'not signed by a trusted CA'
cp "$fixture/bundle" "$bundle"

# --- users and homes ------------------------------------------------------------------------------------------------------
as=(--userspec=+1234:+1234 --groups=)
mkdir -p "$root/home/known"
chown 1234:1234 "$root/home/known"
runs 'HOME unset, a user without a line in /etc/passwd' 0 registry get && says "$token" && is_silent
printf 'root:x:0:0:root:/root:/bin/sh\nknown:x:1234:1234::/home/known:/bin/sh\n' >"$root/etc/passwd"
runs 'HOME unset, the home of /etc/passwd' 0 registry get && says "$token" && is_silent
[ -d "$root/home/known/.cache/ecr-login" ] || bad 'no cache in /home/known'
runs 'HOME unset, warm' 0 registry get && is_silent
! grep -q 'socket(' "$fixture/trace" || bad 'it used the network'
forget
{ head -c 2000000 /dev/zero | tr '\0' '\n'; cat "$root/etc/passwd"; } >"$fixture/passwd"
cp "$fixture/passwd" "$root/etc/passwd"
runs 'a passwd without end' 0 registry get && says "$token" && is_silent
[ ! -d "$root/home/known/.cache" ] || bad 'it read all of it'
rm "$root/etc/passwd"
runs 'a HOME that is not there' 0 registry HOME=/none get && says "$token" && is_silent
as=()

# --- a system that has less -------------------------------------------------------------------------------------------
within=(unshare --pid --fork)
forget
runs 'as process 1' 0 registry get && says "$token" && is_silent
within=()
forget
mount -o remount,ro "$root"
runs 'a root that is read-only' 0 registry get && says "$token" && is_silent
runs 'doctor in a root that is read-only' 0 nothing HOME=/home/docker doctor "$registry" && says '^  ok +token'
mount -o remount,rw "$root"

# Calls that came after Linux 3.2, and those that a sandbox may not know: each, then all.
newer=(clone3 close_range copy_file_range epoll_pwait2 faccessat2 membarrier memfd_create openat2 pidfd_open
    pidfd_send_signal renameat2 rseq sendmmsg statx)
for call in "${newer[@]}" "$(IFS=,; echo "${newer[*]}")"; do
    forget
    faults=(-e "inject=$call:error=ENOSYS")
    runs "without ${call//,/, }" 0 registry get && says "$token" && is_silent
done
forget
faults=(-e 'inject=prctl,flock,prlimit64,madvise,set_robust_list,sigaltstack:error=EPERM')
runs 'a sandbox that refuses prctl, flock, prlimit, madvise' 0 registry get && says "$token" && is_silent
forget
faults=(-e inject=getrandom:error=ENOSYS)
if [ -n "$lower" ]; then
    runs 'without getrandom: /dev/urandom' 0 registry get && says "$token" && is_silent
else
    runs 'without getrandom and /dev/urandom' 1 registry get && complains "$registry: .*random numbers"
fi
faults=()

# --- the control: this root's own programs do load, and go by nsswitch.conf ------------------------------------------------
if [ -x "$root/usr/bin/getent" ]; then
    what='the control: getent of the root'
    strace -f -qq -e trace=open,openat -o "$fixture/trace" "$chroot" "$root" /usr/bin/getent hosts localhost >"$fixture/stdout"
    grep -q "\"/etc/nsswitch.conf\".* = [0-9]" "$fixture/trace" || bad 'it does not go by nsswitch.conf'
    ! "$chroot" "$root" /usr/bin/getent hosts "api.ecr.eu-west-1.amazonaws.com" || bad 'it found a name in the DNS'
    libc=$("$chroot" "$root" /usr/bin/getent --version | sed -n '1s/.* //p')
fi

exec {end}>&-
wait "$aws" || true
aws=
what='the names that were asked for'
grep '^asked ' "$fixture/aws.out" >"$fixture/stdout"
says "^asked api.ecr.eu-west-1.amazonaws.com$"
says '^asked search-me.default.svc.cluster.local$'
says '^asked search-me.eu-west-1.amazonaws.com$'
# (A complete name that the DNS does not know may be tried there last, as the C library does.)
! grep -q 'eu-west-1.amazonaws.com.default' "$fixture/stdout" || bad 'a complete name went through the search list'

[ "$failed" = 0 ] || { echo "$failed did not hold"; exit 1; }
echo "${lower:-an empty root}${libc:+, glibc $libc}: $count runs, all held"
