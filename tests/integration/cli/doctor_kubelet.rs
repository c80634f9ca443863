//! `doctor` on a node: the kubelet's configuration, the plugin, its `matchImages`; and a kubelet's request played by hand.

#![cfg(unix)]

use serde_json::Value;

use crate::support::{FakeAws, Helper, Outcome, REGISTRY, Service, binary};

const PLUGIN: &str = "node/bin/ecr-credential-provider";

/// A node with its configuration and the plugin in the place where its kubelet looks.
struct Node(Helper);

impl Node {
    fn new(helper: Helper) -> Self {
        let node = Self(helper);
        node.config(r#"["*.dkr.ecr.*.amazonaws.com"]"#, "ecr-credential-provider", "");
        std::fs::create_dir_all(node.0.home().join("node/bin")).unwrap();
        std::os::unix::fs::symlink(binary(), node.0.home().join(PLUGIN)).unwrap();
        node
    }

    fn config(&self, images: &str, name: &str, more: &str) {
        let text = format!(
            "apiVersion: kubelet.config.k8s.io/v1\nkind: CredentialProviderConfig\nproviders:\n- name: {name}\n  matchImages: \
             {images}\n  defaultCacheDuration: 12h\n  apiVersion: credentialprovider.kubelet.k8s.io/v1\n{more}"
        );
        self.0.write("node/config.yaml", text);
    }

    fn doctor(&self, more: &[&str]) -> Outcome {
        let (config, bin) = (self.0.home().join("node/config.yaml"), self.0.home().join("node/bin"));
        let mut arguments =
            vec!["doctor", "--json", "--config", config.to_str().unwrap(), "--bin-dir", bin.to_str().unwrap()];
        arguments.extend(more);
        self.0.run(arguments, "")
    }

    fn step(&self, more: &[&str], name: &str) -> (String, String) {
        let outcome = self.doctor(more);
        let report: Value =
            serde_json::from_str(&outcome.stdout).unwrap_or_else(|error| panic!("{error}: {outcome:?}"));
        let steps = report["steps"].as_array().unwrap();
        let step = steps.iter().find(|step| step["name"] == name).unwrap_or_else(|| panic!("no {name}: {report:#}"));
        let text = |key: &str| step[key].as_str().unwrap_or_default().to_owned();
        (text("state"), format!("{} -> {}", text("found"), text("remedy")))
    }

    /// The kubelet's step is a note where no kubelet runs and no client serves: the state is of no interest here.
    #[track_caller]
    fn says(&self, said: &[&str]) {
        let (_, text) = self.step(&[REGISTRY], "kubelet");
        for said in said {
            assert!(text.contains(said), "{said:?}: {text}");
        }
    }
}

#[test]
fn the_configuration_the_plugin_and_match_images_are_looked_at() {
    let node = Node::new(Helper::new());
    let (state, text) = node.step(&[REGISTRY], "kubelet");
    assert!(state == "ok" && text.contains("node/config.yaml: matchImages matches"), "{state}: {text}");

    node.config(r#"["*.dkr.ecr.us-east-1.amazonaws.com"]"#, "ecr-credential-provider", "");
    node.says(&["no entry of matchImages matches", REGISTRY, "add \""]);
    node.config(r#"["*.dkr.ecr.*.amazonaws.com"]"#, "docker-credential-ecr-login", "");
    std::os::unix::fs::symlink(binary(), node.0.home().join("node/bin/docker-credential-ecr-login")).unwrap();
    node.says(&["lacks args: [kubelet]", "setup kubelet --config"]);
    node.config(r#"["*.dkr.ecr.*.amazonaws.com"]"#, "docker-credential-ecr-login", "  args: [kubelet]\n");
    node.says(&["matchImages matches"]);
    node.config("[]", "ecr-credential-provider", "");
    node.says(&["matchImages", "no kubelet starts"]);
    node.config(r#"["gcr.io"]"#, "gcr", "");
    node.says(&["names no provider ecr-credential-provider", "setup kubelet"]);
    node.config(r#"["*.dkr.ecr.*.amazonaws.com"]"#, "ecr-credential-provider", "");
    std::fs::remove_file(node.0.home().join(PLUGIN)).unwrap();
    node.says(&["is no executable", "setup kubelet --config"]);
    std::fs::remove_file(node.0.home().join("node/config.yaml")).unwrap();
    node.says(&["is not there", "setup kubelet --config"]);
}

#[test]
fn an_image_is_asked_for_as_the_kubelet_asks() {
    let aws = FakeAws::start();
    let helper = Helper::new().aws(&aws).keys("AKIASHELL");
    let ca = helper.write("ca.pem", aws.authority().pem());
    let node = Node::new(helper);
    let env = |pairs: &[(&str, &str)]| {
        let pair = |(name, value): &(&str, &str)| format!("  - name: {name}\n    value: \"{value}\"\n");
        let text = format!("  env:\n{}", pairs.iter().map(pair).collect::<String>());
        node.config(r#"["*.dkr.ecr.*.amazonaws.com"]"#, "ecr-credential-provider", &text);
    };
    // Without the shell's keys: a kubelet has not got them.
    env(&[("AWS_EC2_METADATA_DISABLED", "true")]);
    let (state, text) = node.step(&["--image", &format!("{REGISTRY}/team/app:1")], "image");
    assert!(
        state == "wrong" && text.contains("ecr-credential-provider failed: ") && text.contains("credentials"),
        "{text}"
    );
    env(&[
        ("AWS_ACCESS_KEY_ID", "AKIANODE"),
        ("AWS_SECRET_ACCESS_KEY", "MARKED"),
        ("AWS_EC2_METADATA_DISABLED", "true"),
        ("AWS_ENDPOINT_URL", &aws.url()),
        ("AWS_CA_BUNDLE", ca.to_str().unwrap()),
    ]);
    let before = aws.calls(Service::Ecr);
    let outcome = node.doctor(&["--image", &format!("{REGISTRY}/team/app:1")]);
    assert!(!outcome.stdout.contains("MARKED") && !outcome.stdout.contains("\"auth\""), "{outcome:?}");
    let (state, text) = node.step(&["--image", &format!("{REGISTRY}/team/app:1")], "image");
    assert!(
        state == "ok" && text.contains(&format!("answers with credentials for {REGISTRY}, which the kubelet")),
        "{text}"
    );
    assert!(aws.calls(Service::Ecr) > before);
    let (state, text) = node.step(&["--image", "ghcr.io/team/app"], "registry");
    assert!(state == "wrong" && text.contains("ghcr.io"), "{text}");
}

#[test]
fn without_a_registry_the_configuration_is_looked_at_and_no_setup_of_docker_is_asked_for() {
    let node = Node::new(Helper::new());
    let outcome = node.doctor(&[]);
    let reports: Value = serde_json::from_str(&outcome.stdout).unwrap();
    let steps = reports["registries"][0]["steps"].as_array().unwrap();
    let step = |name: &str| steps.iter().find(|step| step["name"] == name).unwrap().to_string();
    let text = step("kubelet");
    assert!(text.contains("\"ok\"") && text.contains("node/config.yaml: names it"), "{text}");
    let text = step("registry");
    assert!(text.contains("\"note\"") && text.contains("doctor --image IMAGE"), "{text}");
    assert!(!outcome.stdout.contains("setup docker"), "{outcome:?}");
}

#[test]
fn for_an_image_the_kubelet_counts_and_a_docker_that_is_not_set_up_does_not() {
    let helper = Helper::new();
    helper.script("bin/docker", "exit 1");
    let bin = helper.home().join("bin");
    let node = Node::new(helper.env("PATH", bin));
    let image = format!("{REGISTRY}/team/app:1");
    let (state, text) = node.step(&["--image", &image], "docker");
    assert_eq!(state, "note", "{text}");
    // What is missing is mended on the node, and not by a login of a person's.
    let (state, text) = node.step(&["--image", &image], "source");
    assert!(state == "wrong" && text.contains("give the node an instance profile"), "{state}: {text}");
    let report: Value = serde_json::from_str(&node.doctor(&["--image", &image]).stdout).unwrap();
    let verdict = report["clients"].as_array().unwrap().iter().find(|client| client["client"] == "kubelet").unwrap();
    assert!(verdict["works"] == false && verdict["because"].as_str().unwrap().starts_with("image: "), "{report:#}");
}

#[test]
fn without_a_configuration_the_program_itself_is_asked_for_the_image() {
    let aws = FakeAws::start();
    let helper = Helper::new().aws(&aws).keys("AKIASHELL");
    let image = format!("{REGISTRY}/app");
    let none = helper.home().join("none.yaml");
    let outcome = helper.run(["doctor", "--image", &image, "--config", none.to_str().unwrap()], "");
    assert!(outcome.stdout.contains("answers with credentials for"), "{outcome:?}");
    assert_eq!(helper.run(["doctor", "--image", &image, REGISTRY], "").code, Some(2), "one of both");
}
