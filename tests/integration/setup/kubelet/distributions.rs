//! Nodes of each distribution, by what lies on them: in a mount namespace of the test's own, where the system has them for
//! everybody.

use std::process::{Command, Output};

use crate::support::{binary, empty_home};

/// Runs `setup kubelet` on a node on which `there` are (folders end in a slash), and `also` beside it.
fn on_a_node(there: &[&str], options: &[&str], also: &str) -> Output {
    let home = empty_home();
    let mut script =
        "set -e; for place in /var/lib /etc /usr/local/bin /run; do mount -t tmpfs tmpfs $place; done\n".to_owned();
    for path in there {
        let folder = path.rsplit_once('/').unwrap().0;
        script.push_str(&format!("mkdir -p {folder}\n"));
        if !path.ends_with('/') {
            script.push_str(&format!(": >{path}\n"));
        }
    }
    script.push_str(&format!("\"$0\" setup kubelet \"$@\" || exit\n{also}\n"));
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--mount", "sh", "-c", &script]).arg(binary()).args(options);
    command.env("HOME", home.path()).env("AWS_EC2_METADATA_DISABLED", "true").output().unwrap()
}

/// Whether this system gives namespaces to its users.
fn has_namespaces() -> bool {
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--mount", "mount", "-t", "tmpfs", "tmpfs", "/var/lib"]);
    let has = command.output().is_ok_and(|output| output.status.success());
    if !has {
        eprintln!("no mount namespaces here: the distributions are not told apart in this run");
    }
    has
}

#[test]
fn each_distribution_is_found_where_it_is_and_told_what_is_left_to_do_as_it_wants_it() {
    if !has_namespaces() {
        return;
    }
    const RANCHER: &str = "/var/lib/rancher/credentialprovider";
    const USUAL: &str = "/etc/kubernetes/credential-provider/config.json";
    let file = format!("{RANCHER}/config.yaml");
    for (there, config, plugins, wanted) in [
        (
            &["/var/lib/rancher/k3s/"][..],
            &*file,
            format!("{RANCHER}/bin"),
            "systemctl restart k3s (on an agent: k3s-agent)",
        ),
        (
            &["/var/lib/rancher/rke2/"],
            &file,
            format!("{RANCHER}/bin"),
            "systemctl restart rke2-agent (on a server: rke2-server)",
        ),
        (
            &["/etc/eks/image-credential-provider/config.json"],
            "/etc/eks/image-credential-provider/config.json",
            "/etc/eks/image-credential-provider".to_owned(),
            "EKS starts its kubelet with these paths. Restart it, now and after every change: systemctl restart kubelet",
        ),
        (
            &["/var/lib/kubelet/kubeadm-flags.env"],
            USUAL,
            "/usr/local/bin/credential-provider".to_owned(),
            "Write into /etc/default/kubelet, beside what KUBELET_EXTRA_ARGS has there:\n  \
             KUBELET_EXTRA_ARGS=--image-credential-provider-config=/etc/kubernetes/credential-provider/config.json \
             --image-credential-provider-bin-dir=/usr/local/bin/credential-provider\n",
        ),
        (
            &["/var/lib/kubelet/kubeadm-flags.env", "/etc/sysconfig/"],
            USUAL,
            "/usr/local/bin/credential-provider".to_owned(),
            "Write into /etc/sysconfig/kubelet",
        ),
        (&[], USUAL, "/usr/local/bin/credential-provider".to_owned(), "Start the kubelet with these two flags"),
    ] {
        let log = match there.first() {
            Some(&"/var/lib/rancher/k3s/") => "journalctl -u k3s ",
            Some(&"/var/lib/rancher/rke2/") => "/var/lib/rancher/rke2/agent/logs/kubelet.log",
            _ => "journalctl -u kubelet",
        };
        let image = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/app";
        let doctor = format!("\"$0\" doctor --image {image} | grep -F 'in its log: {log}'");
        let look = format!("test -x {plugins}/ecr-credential-provider && cat {config} && {doctor}");
        let output = on_a_node(there, &["--kubelet-version", "1.34"], &look);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{there:?}: {output:?}");
        assert!(said.contains(&format!("wrote {config}")) && said.contains(wanted), "{there:?}: {said}");
        assert!(said.contains("CredentialProviderConfig"), "{said}");
        assert_eq!(said.contains("\nkind: CredentialProviderConfig\n"), config.ends_with(".yaml"), "{said}");
        // And back: nothing of it is left.
        let gone = format!("\"$0\" setup kubelet --undo && ! test -e {plugins}/ecr-credential-provider && echo back");
        let output = on_a_node(there, &["--kubelet-version", "1.34"], &gone);
        assert!(String::from_utf8_lossy(&output.stdout).ends_with("back\n"), "{there:?}: {output:?}");
    }
}

#[test]
fn k3s_with_paths_of_its_owner_s_own_is_told_them_as_its_configuration_file_has_them() {
    if !has_namespaces() {
        return;
    }
    for (data, file) in [("/var/lib/rancher/k3s/", "k3s"), ("/var/lib/rancher/rke2/", "rke2")] {
        let output = on_a_node(&[data, "/etc/plugins/"], &["--bin-dir", "/etc/plugins", "--config", "/etc/c.yaml"], "");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(said.contains(&format!("Write into /etc/rancher/{file}/config.yaml")), "{output:?}");
        assert!(
            said.contains(
                "\n  image-credential-provider-config: /etc/c.yaml\n  image-credential-provider-bin-dir: /etc/plugins\n"
            ),
            "{said}"
        );
    }
}
