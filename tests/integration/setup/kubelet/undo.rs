//! `setup kubelet --undo`, and a setup that fails half-way.

use std::fs;

use super::{EKS, Node, OTHER, done, is_the_binary};

#[test]
fn undo_says_of_what_is_not_there_that_it_is_not() {
    let node = Node::new("config.json");
    let said = done(&node.set_up(&["--undo"])).to_owned();
    assert_eq!(said, format!("{} is not there\n", node.config.display()));
    let plugins = node.plugins.to_str().unwrap();
    let outcome = node.helper.run(["setup", "plugin", "--undo", "--bin-dir", plugins], "");
    assert_eq!(done(&outcome), format!("{} is not there\n", node.plugin().display()));
}

#[test]
fn undo_gives_back_the_bytes_of_the_configuration_and_the_plugin_that_was_there() {
    let yaml = format!(
        "# mine\n{OTHER}- name: ecr-credential-provider\n  matchImages: ['*.dkr.ecr.*.amazonaws.com']\n  defaultCacheDuration: 12h\n  apiVersion: credentialprovider.kubelet.k8s.io/v1\n"
    );
    for (name, text) in [("config.json", EKS), ("config.yaml", &yaml)] {
        for options in [&[][..], &["--service-account-tokens", "--kubelet-version", "1.34"]] {
            let node = Node::with(name, text);
            node.helper.write("plugins/ecr-credential-provider", "the old one");
            done(&node.set_up(options));
            let changed = node.text();
            let shown = node.set_up(&["--undo", "--dry-run"]);
            assert!(done(&shown).contains("would write") && node.text() == changed, "{shown:?}");
            let undone = node.set_up(&["--undo"]);
            let said = done(&undone);
            assert!(said.contains("config.") && said.contains(": as it was before\n"), "{said}");
            assert!(said.contains("ecr-credential-provider: what it was before\n"), "{said}");
            assert_eq!(node.text(), text);
            assert_eq!(fs::read_to_string(node.plugin()).unwrap(), "the old one");
            let mut left: Vec<_> = fs::read_dir(&node.plugins).unwrap().map(|file| file.unwrap().file_name()).collect();
            left.sort();
            assert_eq!(left, ["ecr-credential-provider", "other"]);
            assert_eq!(fs::read_dir(node.config.parent().unwrap()).unwrap().count(), 1);
            let again = node.set_up(&["--undo"]);
            assert!(done(&again).contains("is not this program, and stays"), "{again:?}");
            assert_eq!(node.text(), text);
        }
    }
}

#[test]
fn undo_removes_what_was_not_there_before_and_says_which_flags_go() {
    for name in ["config.json", "config.yaml"] {
        let node = Node::new(name);
        done(&node.set_up(&["--kubelet-version", "1.34"]));
        let undone = node.set_up(&["--undo"]);
        let said = done(&undone);
        assert!(said.contains("removed, as there was none before"), "{said}");
        assert!(said.contains("Take --image-credential-provider-config") || said.contains("estart"), "{said}");
        assert!(!node.config.exists() && !node.plugin().exists());
    }
    // Of a directory, the file that setup added.
    let node = Node::with("parts/10.yml", OTHER);
    let node = Node { config: node.config.parent().unwrap().to_owned(), ..node };
    done(&node.set_up(&[]));
    done(&node.set_up(&["--undo"]));
    assert_eq!(fs::read_dir(&node.config).unwrap().count(), 1);
    assert!(node.nothing_is_linked());
}

#[test]
fn what_was_changed_since_is_not_undone_and_nothing_is_half_done() {
    let node = Node::with("config.json", EKS);
    done(&node.set_up(&[]));
    let changed = node.text().replace("x.example", "y.example");
    fs::write(&node.config, &changed).unwrap();
    let outcome = node.set_up(&["--undo"]);
    assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(1), ""), "{outcome:?}");
    assert!(outcome.line().contains("is not what setup made of"), "{outcome:?}");
    assert_eq!(node.text(), changed);
    is_the_binary(&node.plugin());
}

#[test]
fn a_provider_that_was_there_before_keeps_its_executable() {
    let node = Node::with("config.json", EKS);
    done(&node.set_up(&[]));
    fs::remove_file(node.config.with_file_name("config.json.before-ecr-login")).unwrap();
    let outcome = node.set_up(&["--undo"]);
    let said = done(&outcome);
    assert!(said.contains("stays as it is") && said.contains("as the configuration names it"), "{said}");
    is_the_binary(&node.plugin());
}

/// A folder in which no file can be made, not even by root.
#[cfg(target_os = "linux")]
#[test]
fn a_configuration_that_cannot_be_written_leaves_the_plugin_as_it_was() {
    for there in [true, false] {
        let node = Node { config: "/proc/config.yaml".into(), ..Node::new("config.json") };
        if there {
            node.helper.write("plugins/ecr-credential-provider", "the old one");
        }
        let outcome = node.set_up(&[]);
        assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(1), ""), "{outcome:?}");
        assert!(outcome.line().contains("/proc/config.yaml cannot be written"), "{outcome:?}");
        let left: Vec<_> = fs::read_dir(&node.plugins).unwrap().map(|file| file.unwrap().file_name()).collect();
        assert_eq!(left.len(), usize::from(there), "{left:?}");
        assert!(!there || fs::read_to_string(node.plugin()).unwrap() == "the old one");
    }
}

#[test]
fn the_kubelet_s_version_is_asked_of_the_kubelet() {
    let node = Node::with("config.json", EKS);
    let kubelet = |script: &str| node.helper.script("bin/kubelet", script);
    kubelet("[ \"$*\" = --version ] && echo Kubernetes v1.19.3");
    let outcome = node.set_up(&[]);
    assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(1), ""), "{outcome:?}");
    assert!(outcome.line().contains("bin/kubelet is this node's kubelet: a kubelet of version 1.19"), "{outcome:?}");
    assert_eq!(node.text(), EKS);
    kubelet("echo Kubernetes v1.32.9");
    let outcome = node.set_up(&["--service-account-tokens"]);
    assert!(outcome.line().contains("gives plugins no service account tokens"), "{outcome:?}");
    kubelet("echo Kubernetes v1.34.2-eks-1");
    let outcome = node.set_up(&["--service-account-tokens"]);
    assert!(done(&outcome).contains("bin/kubelet is version 1.34\n"), "{outcome:?}");
    assert_eq!(node.provider()["tokenAttributes"]["cacheType"], "ServiceAccount");
    // What it says wins over nothing, and what was given wins over it.
    assert!(done(&node.set_up(&["--kubelet-version", "1.35"])).contains("already"));
    kubelet("echo nonsense; exit 3");
    assert!(done(&node.set_up(&[])).contains("already"));
}
