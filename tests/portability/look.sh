#!/bin/bash
# What a build of the binary does with a name in another root: whether it resolves, and which libraries it opens there.
# Nothing is judged: it is for builds that do not promise to run anywhere.
#
#   tests/portability/look.sh BINARY ROOT LABEL       as root; needs unshare, strace
#
# The name is in /etc/hosts and nothing answers at its address, so a name that resolved is told by the refused connection.
set -euo pipefail

if [ -z "${ECR_LOGIN_ROOTS_INSIDE-}" ]; then
    exec unshare --net --mount --propagation private -- env ECR_LOGIN_ROOTS_INSIDE=1 bash "$0" "$@"
fi
ip link set lo up
fixture=$(mktemp -d)
trap 'umount --recursive --lazy "$fixture"; rmdir "$fixture"' EXIT
mount -t tmpfs tmpfs "$fixture"
mkdir "$fixture"/{root,upper,work}
mount -t overlay overlay -o "lowerdir=$2,upperdir=$fixture/upper,workdir=$fixture/work" "$fixture/root"
mkdir -p "$fixture/root/etc"
cp "$1" "$fixture/root/docker-credential-ecr-login"
# As systems with mDNS and systemd have it.
echo 'hosts: mdns4 myhostname files dns' >"$fixture/root/etc/nsswitch.conf"
echo '127.0.0.1 api.ecr.eu-west-1.amazonaws.com' >"$fixture/root/etc/hosts"

code=0
# The braces keep the shell's own word on a signal off stderr.
{
    printf 123456789012.dkr.ecr.eu-west-1.amazonaws.com |
        timeout 60 strace -f -qq -o "$fixture/trace" env -i AWS_EC2_METADATA_DISABLED=true AWS_ACCESS_KEY_ID=AKIALOOK \
            AWS_SECRET_ACCESS_KEY=look "$(command -v chroot)" "$fixture/root" /docker-credential-ecr-login get \
            >"$fixture/stdout" 2>"$fixture/stderr" || code=$?
} 2>/dev/null
sed -n '/execve("\/docker-credential-ecr-login"/,$p' "$fixture/trace" >"$fixture/ours"
libraries=$(sed -nE 's/.*open(at)?\(.*"[^"]*\/([^"\/]+\.so[^"]*)".* = [0-9]+$/\2/p' "$fixture/ours" | sort -u | tr '\n' ' ')
printf '%s: exit %s; opened: %s; %s\n' "$3" "$code" "${libraries:-no library}" \
    "$(tail -n 1 "$fixture/stderr" | sed 's/.*amazonaws.com: //' | cut -c 1-160)"
