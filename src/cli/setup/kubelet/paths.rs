//! Where distributions keep the kubelet's configuration and its plugins.

use std::path::Path;

/// EKS images: both in one directory.
const EKS: &str = "/etc/eks/image-credential-provider";
const EKS_CONFIG: &str = "/etc/eks/image-credential-provider/config.json";
/// k3s and RKE2: the defaults of their flags `--image-credential-provider-config` and `--image-credential-provider-bin-dir`.
const RANCHER: &str = "/var/lib/rancher/credentialprovider";
const RANCHER_CONFIG: &str = "/var/lib/rancher/credentialprovider/config.yaml";
const RANCHER_BIN_DIR: &str = "/var/lib/rancher/credentialprovider/bin";
/// What is there as soon as one of the two is installed.
const RANCHER_DATA: [&str; 3] = [RANCHER, "/var/lib/rancher/k3s", "/var/lib/rancher/rke2"];
const CONFIG: &str = "/etc/kubernetes/credential-provider/config.json";
const BIN_DIR: &str = "/usr/local/bin/credential-provider";

/// The configuration and the directory of plugins of this node, as far as it can be told from what `exists`.
pub(super) fn usual(exists: impl Fn(&Path) -> bool) -> (&'static str, &'static str) {
    if exists(Path::new(EKS_CONFIG)) {
        (EKS_CONFIG, EKS)
    } else if RANCHER_DATA.iter().any(|path| exists(Path::new(path))) {
        (RANCHER_CONFIG, RANCHER_BIN_DIR)
    } else {
        (CONFIG, BIN_DIR)
    }
}

/// Whether k3s or RKE2 look for both here without being told.
pub(super) fn is_rancher(config: &Path, bin_dir: &Path) -> bool {
    config == Path::new(RANCHER_CONFIG) && bin_dir == Path::new(RANCHER_BIN_DIR)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(there: &[&str]) -> (&'static str, &'static str) {
        usual(|path| there.iter().any(|there| Path::new(there) == path))
    }

    #[test]
    fn the_paths_of_eks_images_of_k3s_and_of_rke2_are_found() {
        assert_eq!(of(&[]), (CONFIG, BIN_DIR));
        assert_eq!(of(&[EKS_CONFIG]), (EKS_CONFIG, EKS));
        for data in ["/var/lib/rancher/k3s", "/var/lib/rancher/rke2", RANCHER] {
            assert_eq!(of(&[data]), (RANCHER_CONFIG, RANCHER_BIN_DIR), "{data}");
        }
        assert!(is_rancher(Path::new(RANCHER_CONFIG), Path::new(RANCHER_BIN_DIR)));
        assert!(!is_rancher(Path::new("/etc/config.yaml"), Path::new(RANCHER_BIN_DIR)));
    }
}
