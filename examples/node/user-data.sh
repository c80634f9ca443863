#!/bin/sh
# EC2 user data of a self-managed Kubernetes node: installs the helper as the kubelet's image credential provider and
# has the tokens fetched before the kubelet starts.
#
# It wants the binary on the image or under a URL, an instance role with AmazonEC2ContainerRegistryPullOnly, and a
# kubelet that systemd starts with $KUBELET_EXTRA_ARGS (as kubeadm's and most distributions' units do). Set:
#
#   ECR_REGISTRIES         the registries of the first images, separated by blanks
#   ECR_LOGIN_URL          where the binary is, if the image does not have it
#   ECR_LOGIN_SHA256       its checksum
#   KUBELET_VERSION        such as 1.34; setup asks the kubelet where it is not set
set -eu

: "${ECR_REGISTRIES:?the registries of the first images, separated by blanks}"
binary=/usr/local/bin/docker-credential-ecr-login
config=/etc/kubernetes/credential-provider/config.json
plugins=/usr/local/bin/credential-provider
# systemd starts the kubelet without HOME, and so does cloud-init with this script: both have root's cache.
unset HOME

if [ ! -x "$binary" ]; then
    download=$(mktemp)
    trap 'rm -f "$download"' EXIT
    curl --fail --silent --show-error --location --retry 5 --output "$download" "${ECR_LOGIN_URL:?}"
    printf '%s  %s\n' "${ECR_LOGIN_SHA256:?}" "$download" | sha256sum --check --status || {
        echo "user-data: the binary from $ECR_LOGIN_URL is not the one that was promised" >&2
        exit 1
    }
    install -m 0755 "$download" "$binary"
fi

install -d -m 0755 "$(dirname -- "$config")" "$plugins"
"$binary" setup kubelet --config "$config" --bin-dir "$plugins" ${KUBELET_VERSION:+--kubelet-version "$KUBELET_VERSION"}

install -d -m 0755 /etc/ecr-login
printf 'ECR_REGISTRIES=%s\n' "$ECR_REGISTRIES" >/etc/ecr-login/warm.env

# The unit beside this script, or the one that the image brought.
unit=/etc/systemd/system/ecr-login-warm.service
here=$(dirname -- "$0")
[ -e "$unit" ] || install -m 0644 "$here/ecr-login-warm.service" "$unit"

# kubeadm's unit reads KUBELET_EXTRA_ARGS from one of these two files, and an EnvironmentFile wins over every Environment=. So
# the flags go into a file too, which is read after theirs (of several files the last one wins) and has what they say.
extra=
for file in /etc/default/kubelet /etc/sysconfig/kubelet; do
    [ ! -r "$file" ] || extra=$(sed -n 's/^KUBELET_EXTRA_ARGS=//p' "$file" | tail -n 1 | sed "s/^[\"']//; s/[\"']\$//")
done
printf 'KUBELET_EXTRA_ARGS="%s"\n' \
    "${extra:+$extra }--image-credential-provider-config=$config --image-credential-provider-bin-dir=$plugins" \
    >/etc/ecr-login/kubelet.env
install -d -m 0755 /etc/systemd/system/kubelet.service.d
cat >/etc/systemd/system/kubelet.service.d/20-ecr-login.conf <<UNIT
[Service]
EnvironmentFile=/etc/ecr-login/kubelet.env
UNIT

systemctl daemon-reload
systemctl enable ecr-login-warm.service
# In vain it is no reason not to start the kubelet: pulls then ask for themselves.
systemctl start ecr-login-warm.service || true
systemctl restart kubelet.service
