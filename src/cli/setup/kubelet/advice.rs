//! What is left for people to do after `setup kubelet`: flags, restarts and rights, as each distribution wants them.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::config::{self, Plan};
use super::files::Configuration;
use super::paths::Distribution;
use super::version::KubeletVersion;
use crate::PROGRAM;
use crate::protocol::kubelet::PLUGIN;
use crate::text::printable::line_of;

/// Where a kubelet of kubeadm's takes flags from: RPM systems, then all others.
const EXTRA_ARGS: [(&str, &str); 2] = [("/etc/sysconfig", "/etc/sysconfig/kubelet"), ("/etc", "/etc/default/kubelet")];

/// All of it, but for rights.
pub(super) fn flags(
    distribution: Distribution,
    config: &Path,
    bin_dir: &Path,
    exists: impl Fn(&Path) -> bool,
) -> String {
    if distribution.knows(config, bin_dir) {
        return format!("\n{} starts its kubelet with these paths. {}\n", distribution.name(), restart(distribution));
    }
    let (config, bin_dir) = (line_of(config), line_of(bin_dir));
    let flags = [
        format!("--image-credential-provider-config={config}"),
        format!("--image-credential-provider-bin-dir={bin_dir}"),
    ];
    let [first, second] = &flags;
    match distribution {
        Distribution::Eks => format!(
            "\nGive the kubelet these two flags (spec.kubelet.flags of nodeadm's NodeConfig):\n  {first}\n  {second}\n{}\n",
            restart(distribution)
        ),
        Distribution::K3s | Distribution::Rke2 | Distribution::Rancher => {
            let folder = if distribution == Distribution::Rke2 { "rke2" } else { "k3s" };
            format!(
                "\nWrite into /etc/rancher/{folder}/config.yaml, which is the same as the flags {first} {second}:\n  \
                 image-credential-provider-config: {config}\n  image-credential-provider-bin-dir: {bin_dir}\n{}\n",
                restart(distribution)
            )
        }
        Distribution::Kubeadm => {
            let file =
                EXTRA_ARGS.into_iter().find(|(folder, _)| exists(Path::new(folder))).map_or("", |(_, file)| file);
            format!(
                "\nWrite into {file}, beside what KUBELET_EXTRA_ARGS has there:\n  KUBELET_EXTRA_ARGS={first} {second}\n{}\n\
                 For nodes that are still to join: the same two under nodeRegistration.kubeletExtraArgs.\n",
                restart(distribution)
            )
        }
        Distribution::Other => format!(
            "\nStart the kubelet with these two flags, and again after every change of the file:\n  {first}\n  {second}\n"
        ),
    }
}

/// How to try it, with the paths that were named.
pub(super) fn trial(config: &Option<PathBuf>, bin_dir: &Option<PathBuf>) -> String {
    let named = |option: &str, path: &Option<PathBuf>| match path {
        Some(path) => format!(" {option} {}", line_of(path)),
        None => String::new(),
    };
    let options = named("--config", config) + &named("--bin-dir", bin_dir);
    format!("To try it as the kubelet does: {PROGRAM} doctor{options} --image REGISTRY/IMAGE\n")
}

/// After which the kubelet has read the configuration.
pub(super) fn restart(distribution: Distribution) -> &'static str {
    match distribution {
        Distribution::Eks | Distribution::Kubeadm => {
            "Restart it, now and after every change: systemctl restart kubelet"
        }
        Distribution::K3s => "Restart it, now and after every change: systemctl restart k3s (on an agent: k3s-agent)",
        Distribution::Rke2 => {
            "Restart it, now and after every change: systemctl restart rke2-agent (on a server: rke2-server)"
        }
        Distribution::Rancher => {
            "Restart it, now and after every change: systemctl restart k3s, k3s-agent, rke2-server or rke2-agent"
        }
        Distribution::Other => "Restart the kubelet.",
    }
}

/// What service account tokens need beside the configuration.
pub(super) fn tokens(said: &mut String, plan: &Plan, configuration: &Configuration) {
    let audience = configuration.new.audience().unwrap_or_else(|| config::AUDIENCE.to_owned());
    let _ = writeln!(
        said,
        "\nLet the kubelets ask for service account tokens of this audience (kubectl apply -f -):\n\n{}",
        rbac(&audience)
    );
    if plan.version.is_none() {
        let _ = writeln!(
            said,
            "A kubelet from 1.34 on wants tokenAttributes.cacheType, which one of 1.33 refuses: \
             give --kubelet-version to have it written."
        );
    } else if plan.version.is_some_and(KubeletVersion::wants_feature_gate) {
        let _ = writeln!(
            said,
            "Kubernetes 1.33 needs the feature gate KubeletServiceAccountTokenForCredentialProviders=true, on the API \
             server too."
        );
    }
}

/// The rule for the audience (NodeRestriction's ServiceAccountNodeAudienceRestriction, Kubernetes 1.33).
fn rbac(audience: &str) -> String {
    let audience = serde_json::Value::from(audience);
    format!(
        "apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  name: {PLUGIN}-audience
rules:
  - apiGroups: [\"\"]
    resources: [{audience}]
    verbs: [\"request-serviceaccounts-token-audience\"]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata:
  name: {PLUGIN}-audience
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: ClusterRole
  name: {PLUGIN}-audience
subjects:
  - apiGroup: rbac.authorization.k8s.io
    kind: Group
    name: system:nodes
"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(distribution: Distribution, config: &str, there: &[&str]) -> String {
        flags(distribution, Path::new(config), Path::new("/b"), |path| {
            there.iter().any(|there| Path::new(there) == path)
        })
    }

    #[test]
    fn the_flags_are_printed_as_each_distribution_wants_them() {
        let k3s = flags(
            Distribution::K3s,
            Path::new(Distribution::K3s.config()),
            Path::new(Distribution::K3s.bin_dir()),
            |_| false,
        );
        assert!(k3s.contains("systemctl restart k3s") && !k3s.contains("--image"), "{k3s}");
        for (distribution, there, wanted) in [
            (Distribution::K3s, &[][..], "/etc/rancher/k3s/config.yaml"),
            (Distribution::Rke2, &[], "/etc/rancher/rke2/config.yaml"),
            (Distribution::Rke2, &[], "\n  image-credential-provider-bin-dir: /b\n"),
            (Distribution::Rke2, &[], "systemctl restart rke2-agent (on a server: rke2-server)"),
            (Distribution::Kubeadm, &["/etc"], "/etc/default/kubelet"),
            (Distribution::Kubeadm, &["/etc", "/etc/sysconfig"], "/etc/sysconfig/kubelet"),
            (
                Distribution::Kubeadm,
                &["/etc"],
                "KUBELET_EXTRA_ARGS=--image-credential-provider-config=/c --image-credential-provider-bin-dir=/b\n",
            ),
            (Distribution::Eks, &[], "NodeConfig"),
            (Distribution::Other, &[], "  --image-credential-provider-config=/c\n"),
        ] {
            let text = said(distribution, "/c", there);
            assert!(text.contains(wanted), "{wanted}: {text}");
        }
    }
}
