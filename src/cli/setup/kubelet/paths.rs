//! The distributions of Kubernetes: where each keeps the kubelet's configuration and its plugins.

use std::path::Path;

/// EKS images: both in one directory, which the flags of their kubelet name.
const EKS: &str = "/etc/eks/image-credential-provider";
const EKS_CONFIG: &str = "/etc/eks/image-credential-provider/config.json";
/// k3s and RKE2: the defaults of their flags `--image-credential-provider-config` and `--image-credential-provider-bin-dir`.
const RANCHER: &str = "/var/lib/rancher/credentialprovider";
const RANCHER_CONFIG: &str = "/var/lib/rancher/credentialprovider/config.yaml";
const RANCHER_BIN_DIR: &str = "/var/lib/rancher/credentialprovider/bin";
/// What is there as soon as one of the two is installed.
const K3S_DATA: &str = "/var/lib/rancher/k3s";
const RKE2_DATA: &str = "/var/lib/rancher/rke2";
/// What kubeadm's packages, and `kubeadm join`, put on a node.
const KUBEADM: [&str; 4] = [
    "/var/lib/kubelet/kubeadm-flags.env",
    "/etc/kubernetes/kubelet.conf",
    "/usr/lib/systemd/system/kubelet.service.d/10-kubeadm.conf",
    "/etc/systemd/system/kubelet.service.d/10-kubeadm.conf",
];
const CONFIG: &str = "/etc/kubernetes/credential-provider/config.json";
const BIN_DIR: &str = "/usr/local/bin/credential-provider";

/// What starts the kubelet of a node, as far as it can be told from its files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Distribution {
    /// An image of Amazon EKS.
    Eks,
    /// k3s.
    K3s,
    /// RKE2.
    Rke2,
    /// One of k3s and RKE2.
    Rancher,
    /// kubeadm.
    Kubeadm,
    /// None of these.
    Other,
}

impl Distribution {
    /// That of this node, by what `exists`.
    pub(super) fn of_node(exists: impl Fn(&Path) -> bool) -> Self {
        let there = |path: &str| exists(Path::new(path));
        match () {
            () if there(EKS_CONFIG) => Self::Eks,
            () if there(RKE2_DATA) => Self::Rke2,
            () if there(K3S_DATA) => Self::K3s,
            () if there(RANCHER) => Self::Rancher,
            () if KUBEADM.into_iter().any(there) => Self::Kubeadm,
            () => Self::Other,
        }
    }

    /// Its name.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Eks => "EKS",
            Self::K3s => "k3s",
            Self::Rke2 => "RKE2",
            Self::Rancher => "k3s or RKE2",
            Self::Kubeadm => "kubeadm",
            Self::Other => "the kubelet",
        }
    }

    /// The kubelet's configuration of credential providers.
    pub(super) fn config(self) -> &'static str {
        match self {
            Self::Eks => EKS_CONFIG,
            Self::K3s | Self::Rke2 | Self::Rancher => RANCHER_CONFIG,
            Self::Kubeadm | Self::Other => CONFIG,
        }
    }

    /// The directory of its plugins.
    pub(super) fn bin_dir(self) -> &'static str {
        match self {
            Self::Eks => EKS,
            Self::K3s | Self::Rke2 | Self::Rancher => RANCHER_BIN_DIR,
            Self::Kubeadm | Self::Other => BIN_DIR,
        }
    }

    /// Whether its kubelet looks for both here without a flag.
    pub(super) fn knows(self, config: &Path, bin_dir: &Path) -> bool {
        let has_defaults = !matches!(self, Self::Kubeadm | Self::Other);
        has_defaults && config == Path::new(self.config()) && bin_dir == Path::new(self.bin_dir())
    }

    /// Whether any distribution has its configuration here.
    pub(super) fn is_config(path: &Path) -> bool {
        [EKS_CONFIG, RANCHER_CONFIG, CONFIG].into_iter().any(|known| path == Path::new(known))
    }

    /// Whether any distribution has its plugins here.
    pub(super) fn is_bin_dir(path: &Path) -> bool {
        [EKS, RANCHER_BIN_DIR, BIN_DIR].into_iter().any(|known| path == Path::new(known))
    }

    /// Where the kubelet's log is.
    pub(super) fn log(self) -> &'static str {
        match self {
            Self::K3s => "journalctl -u k3s (on an agent: k3s-agent)",
            Self::Rke2 => "/var/lib/rancher/rke2/agent/logs/kubelet.log",
            Self::Rancher => "journalctl -u k3s or k3s-agent, or /var/lib/rancher/rke2/agent/logs/kubelet.log",
            Self::Eks | Self::Kubeadm | Self::Other => "journalctl -u kubelet",
        }
    }

    /// The program that tells the kubelet's version.
    pub(super) fn program(self) -> &'static str {
        match self {
            Self::K3s => "k3s",
            Self::Rke2 => "rke2",
            _ => "kubelet",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(there: &[&str]) -> Distribution {
        Distribution::of_node(|path| there.iter().any(|there| Path::new(there) == path))
    }

    #[test]
    fn eks_images_k3s_rke2_and_kubeadm_are_told_apart() {
        for (there, distribution) in [
            (&[][..], Distribution::Other),
            (&[EKS_CONFIG], Distribution::Eks),
            (&[K3S_DATA], Distribution::K3s),
            (&[RKE2_DATA, RANCHER], Distribution::Rke2),
            (&[RANCHER], Distribution::Rancher),
            (&["/etc/kubernetes/kubelet.conf"], Distribution::Kubeadm),
            (&["/usr/lib/systemd/system/kubelet.service.d/10-kubeadm.conf"], Distribution::Kubeadm),
        ] {
            assert_eq!(of(there), distribution, "{there:?}");
        }
    }

    #[test]
    fn the_paths_of_eks_images_of_k3s_and_of_rke2_are_found() {
        let paths = |there: &[&str]| (of(there).config(), of(there).bin_dir());
        assert_eq!(paths(&[]), (CONFIG, BIN_DIR));
        assert_eq!(paths(&[EKS_CONFIG]), (EKS_CONFIG, EKS));
        for data in [K3S_DATA, RKE2_DATA, RANCHER] {
            assert_eq!(paths(&[data]), (RANCHER_CONFIG, RANCHER_BIN_DIR), "{data}");
        }
        let rancher = [RANCHER_CONFIG, RANCHER_BIN_DIR].map(Path::new);
        assert!(Distribution::K3s.knows(rancher[0], rancher[1]));
        assert!(!Distribution::K3s.knows(Path::new("/etc/config.yaml"), rancher[1]));
        assert!(!Distribution::Kubeadm.knows(Path::new(CONFIG), Path::new(BIN_DIR)), "its flags name no default");
    }
}
