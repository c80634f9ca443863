//! examples/node as a node runs it: in a root of its own, with a systemctl that only writes down what it is told.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::support::{copy_binary, empty_home, on_our_path};

fn example(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/node").join(name)).unwrap()
}

/// Every absolute path of the example, below `root`.
fn below(root: &Path, text: &str) -> String {
    let root = root.display();
    text.replace("/etc/", &format!("{root}/etc/")).replace("/usr/local/bin", &format!("{root}/usr/local/bin"))
}

#[test]
fn user_data_sets_the_node_up_and_what_the_node_s_own_files_say_does_not_undo_the_flags() {
    for there in ["", "KUBELET_EXTRA_ARGS=", "# x\nKUBELET_EXTRA_ARGS=\"--node-ip=10.0.0.1 --v=2\"\n"] {
        let home = empty_home();
        let root = home.path();
        let at = |path: &str| root.join(path);
        for folder in ["usr/local/bin", "etc/default", "etc/systemd/system", "tools", "example"] {
            fs::create_dir_all(at(folder)).unwrap();
        }
        copy_binary(&at("usr/local/bin/docker-credential-ecr-login"));
        if !there.is_empty() {
            fs::write(at("etc/default/kubelet"), there).unwrap();
        }
        for (name, script) in [
            ("kubelet", "echo Kubernetes v1.34.2".to_owned()),
            ("systemctl", format!("echo \"$@\" >>{}", at("told").display())),
        ] {
            fs::write(at("tools").join(name), format!("#!/bin/sh\n{script}\n")).unwrap();
            fs::set_permissions(at("tools").join(name), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        }
        for name in ["cat", "dirname", "install", "sed", "tail"] {
            std::os::unix::fs::symlink(on_our_path(name), at("tools").join(name)).unwrap();
        }
        fs::write(at("example/user-data.sh"), below(root, &example("user-data.sh"))).unwrap();
        fs::write(at("example/ecr-login-warm.service"), example("ecr-login-warm.service")).unwrap();
        for _ in 0..2 {
            let mut command = Command::new("/bin/sh");
            command.arg(at("example/user-data.sh")).env_clear().env("PATH", at("tools"));
            let output = command.env("ECR_REGISTRIES", "public.ecr.aws").output().unwrap();
            assert!(output.status.success(), "{output:?}");
        }
        let flags = format!(
            "--image-credential-provider-config={}/etc/kubernetes/credential-provider/config.json \
             --image-credential-provider-bin-dir={}/usr/local/bin/credential-provider",
            root.display(),
            root.display()
        );
        let own = if there.contains("node-ip") { "--node-ip=10.0.0.1 --v=2 " } else { "" };
        let environment = fs::read_to_string(at("etc/ecr-login/kubelet.env")).unwrap();
        assert_eq!(environment, format!("KUBELET_EXTRA_ARGS=\"{own}{flags}\"\n"));
        let drop_in = fs::read_to_string(at("etc/systemd/system/kubelet.service.d/20-ecr-login.conf")).unwrap();
        assert_eq!(drop_in, format!("[Service]\nEnvironmentFile={}/etc/ecr-login/kubelet.env\n", root.display()));
        assert_eq!(fs::read_to_string(at("etc/ecr-login/warm.env")).unwrap(), "ECR_REGISTRIES=public.ecr.aws\n");
        assert!(at("usr/local/bin/credential-provider/ecr-credential-provider").exists());
        assert!(fs::read_to_string(at("etc/kubernetes/credential-provider/config.json")).unwrap().contains("ecr"));
        let told = fs::read_to_string(at("told")).unwrap();
        assert!(told.ends_with("restart kubelet.service\n"), "{told}");
    }
}

#[test]
fn the_unit_makes_its_directory_and_needs_no_file_in_it() {
    let unit = example("ecr-login-warm.service");
    for line in ["ConfigurationDirectory=ecr-login", "EnvironmentFile=-/etc/ecr-login/warm.env"] {
        assert!(unit.lines().any(|found| found == line), "{line}");
    }
    assert!(unit.find("install -d -m 0755 /etc/ecr-login").unwrap() < unit.find(">/etc/ecr-login/warm.env").unwrap());
    // What it runs is a command of this program.
    let (_, line) = unit.split_once("ExecStart=/usr/local/bin/docker-credential-ecr-login ").unwrap();
    let words: Vec<&str> = line.lines().next().unwrap().split(' ').filter(|word| !word.starts_with('$')).collect();
    let mut command = Command::new(crate::support::binary());
    let output = command.args(&words).arg("--help").env_clear().output().unwrap();
    assert!(output.status.success(), "{output:?}");
}
