//! `setup kubelet` makes a node's kubelet use this binary, and loses nothing that was there.

#[cfg(target_os = "linux")]
mod distributions;
mod undo;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use crate::support::{Helper, Outcome, binary};

/// A node whose files lie in the helper's home.
struct Node {
    helper: Helper,
    config: PathBuf,
    plugins: PathBuf,
}

impl Node {
    fn new(config: &str) -> Self {
        let helper = Helper::new();
        let (config, plugins) = (helper.home().join("etc").join(config), helper.home().join("plugins"));
        fs::create_dir_all(config.parent().unwrap()).unwrap();
        fs::create_dir_all(&plugins).unwrap();
        Self { helper, config, plugins }
    }

    fn with(config: &str, text: &str) -> Self {
        let node = Self::new(config);
        // The kubelet does not start without the executables of all providers.
        node.executable("other");
        node.helper.write(&format!("etc/{config}"), text);
        node
    }

    fn set_up(&self, more: &[&str]) -> Outcome {
        let paths = ["--config", self.config.to_str().unwrap(), "--bin-dir", self.plugins.to_str().unwrap()];
        self.helper.run(["setup", "kubelet"].iter().chain(&paths).chain(more), "")
    }

    /// Of another provider.
    fn executable(&self, name: &str) {
        self.helper.write(&format!("plugins/{name}"), "#!/bin/sh\n");
        fs::set_permissions(self.plugins.join(name), fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Nothing was linked: the directory has what the test put there.
    fn nothing_is_linked(&self) -> bool {
        fs::read_dir(&self.plugins)
            .map_or(0, |there| there.filter(|file| file.as_ref().unwrap().file_name() != "other").count())
            == 0
    }

    fn plugin(&self) -> PathBuf {
        self.plugins.join("ecr-credential-provider")
    }

    fn text(&self) -> String {
        fs::read_to_string(&self.config).unwrap()
    }

    fn provider(&self) -> serde_json::Value {
        let config: serde_json::Value = serde_json::from_str(&self.text()).unwrap();
        let providers = config["providers"].as_array().unwrap();
        let ours: Vec<_> = providers.iter().filter(|provider| provider["name"] == "ecr-credential-provider").collect();
        assert_eq!(ours.len(), 1, "names are unique");
        ours[0].clone()
    }
}

fn done(outcome: &Outcome) -> &str {
    assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""), "{outcome:?}");
    &outcome.stdout
}

/// By a link, or by a copy where root runs this and the build is another user's.
fn is_the_binary(plugin: &Path) {
    assert!(fs::read(plugin).unwrap() == fs::read(binary()).unwrap(), "{}", plugin.display());
}

#[test]
fn an_empty_node_gets_configuration_link_and_the_two_flags() {
    let node = Node::new("config.json");
    let outcome = node.set_up(&[]);
    let said = done(&outcome);
    assert!(said.contains(&format!("--image-credential-provider-config={}", node.config.display())), "{said}");
    assert!(said.contains(&format!("--image-credential-provider-bin-dir={}", node.plugins.display())), "{said}");
    is_the_binary(&node.plugin());
    let provider = node.provider();
    assert_eq!(provider["apiVersion"], "credentialprovider.kubelet.k8s.io/v1");
    let images: Vec<&str> = provider["matchImages"].as_array().unwrap().iter().map(|i| i.as_str().unwrap()).collect();
    for image in [
        "*.dkr.ecr.*.amazonaws.com",
        "*.dkr.ecr-fips.*.amazonaws.com",
        "*.dkr.ecr.*.amazonaws.com.cn",
        "*.dkr.ecr.*.amazonaws.eu",
        "*.dkr.ecr.*.c2s.ic.gov",
        "*.dkr.ecr.*.sc2s.sgov.gov",
        "*.dkr.ecr.*.cloud.adc-e.uk",
        "*.dkr.ecr.*.csp.hci.ic.gov",
        "*.dkr-ecr.*.on.aws",
        "*.dkr-ecr-fips.*.on.aws",
        "*.dkr-ecr.*.on.amazonwebservices.com.cn",
        "*.dkr-ecr.*.on.amazonwebservices.eu",
        "public.ecr.aws",
        "ecr-public.aws.com",
    ] {
        assert!(images.contains(&image), "{image}");
    }
    // What was linked is the plugin.
    let answer = Helper::new().program(node.plugin()).run(
        [""; 0],
        r#"{"kind":"CredentialProviderRequest","apiVersion":"credentialprovider.kubelet.k8s.io/v1","image":"nginx"}"#,
    );
    assert!(answer.stdout.contains("CredentialProviderResponse"), "{answer:?}");
}

#[test]
fn a_mistyped_path_makes_no_directories() {
    let node = Node::new("config.json");
    let place = |name: &str| node.helper.home().join(name);
    fs::create_dir_all(&node.plugins).unwrap();
    let set_up = |config: &str, plugins: &str| {
        let (config, plugins) = (place(config), place(plugins));
        let paths = ["--config", config.to_str().unwrap(), "--bin-dir", plugins.to_str().unwrap()];
        let outcome = node.helper.run(["setup", "kubelet"].iter().chain(&paths), "");
        assert_eq!(outcome.code, Some(1), "{outcome:?}");
        assert!(!config.exists() && node.nothing_is_linked(), "{outcome:?}");
        outcome.line().to_owned()
    };
    let line = set_up("ect/config.json", "plugins");
    let named =
        format!("--config {}: there is no folder {};", place("ect/config.json").display(), place("ect").display());
    assert!(line.contains(&named) && line.contains("mkdir -p") && !place("ect").exists(), "{line}");
    let line = set_up("etc/config.json", "plugnis");
    assert!(line.contains("--bin-dir") && line.contains("there is no folder") && !place("plugnis").exists(), "{line}");
    // A directory of configurations that has still to be made is no name of a file.
    let line = set_up("etc/providers", "plugins");
    assert!(
        line.contains("is not there: a new file ends in .json, .yaml or .yml, and a directory has to be made"),
        "{line}"
    );
}

#[test]
fn a_second_time_changes_nothing() {
    let node = Node::new("config.json");
    node.set_up(&[]);
    let (before, modified) = (node.text(), fs::metadata(&node.config).unwrap().modified().unwrap());
    let outcome = node.set_up(&[]);
    assert!(done(&outcome).contains("already"), "{outcome:?}");
    assert_eq!((node.text(), fs::metadata(&node.config).unwrap().modified().unwrap()), (before, modified));
    assert_eq!(fs::read_dir(&node.plugins).unwrap().count(), 1);
    assert_eq!(fs::read_dir(node.config.parent().unwrap()).unwrap().count(), 1);
}

const EKS: &str = r#"{
    "apiVersion": "kubelet.config.k8s.io/v1",
    "kind": "CredentialProviderConfig",
    "providers": [
        {"name": "other", "apiVersion": "credentialprovider.kubelet.k8s.io/v1", "matchImages": ["x.example"], "defaultCacheDuration": "1h"},
        {
            "name": "ecr-credential-provider",
            "matchImages": [
                "*.dkr.ecr.*.amazonaws.com"
            ],
            "defaultCacheDuration": "12h0m0s",
            "apiVersion": "credentialprovider.kubelet.k8s.io/v1"
        }
    ]
}
"#;

#[test]
fn the_provider_of_an_eks_image_is_edited_and_its_binary_kept() {
    let node = Node::with("config.json", EKS);
    node.helper.write("plugins/ecr-credential-provider", "the old one");
    let outcome = node.set_up(&[]);
    done(&outcome);
    let text = node.text();
    let (head, tail) = EKS.split_once("amazonaws.com\"\n").unwrap();
    assert!(text.starts_with(&format!("{head}amazonaws.com\",\n                \"*.dkr.ecr-fips")), "{text}");
    assert!(text.ends_with(tail), "{text}");
    assert_eq!(node.provider()["defaultCacheDuration"], "12h0m0s");
    let kept = node.plugins.join("ecr-credential-provider.before-ecr-login");
    assert_eq!(fs::read_to_string(&kept).unwrap(), "the old one");
    assert!(outcome.stdout.contains(kept.to_str().unwrap()));
    let copy = node.config.with_file_name("config.json.before-ecr-login");
    assert_eq!(fs::read_to_string(copy).unwrap(), EKS);
}

#[test]
fn dry_run_shows_the_difference_and_changes_nothing() {
    let node = Node::with("config.json", EKS);
    let outcome = node.set_up(&["--dry-run"]);
    let said = done(&outcome);
    assert!(said.contains("\n+                \"public.ecr.aws\","), "{said}");
    assert!(said.contains("would link"), "{said}");
    assert_eq!(node.text(), EKS);
    assert!(node.nothing_is_linked());
}

#[test]
fn service_account_tokens_come_with_attributes_and_the_rule_for_the_audience() {
    let node = Node::with("config.json", EKS);
    let outcome = node.set_up(&["--service-account-tokens", "--kubelet-version", "v1.34.1-eks-0123456"]);
    let said = done(&outcome);
    assert!(said.contains("verbs: [\"request-serviceaccounts-token-audience\"]"), "{said}");
    assert!(said.contains("resources: [\"sts.amazonaws.com\"]"), "{said}");
    let expected = serde_json::json!({
        "serviceAccountTokenAudience": "sts.amazonaws.com",
        "cacheType": "ServiceAccount",
        "requireServiceAccount": false,
        "optionalServiceAccountAnnotationKeys": ["eks.amazonaws.com/ecr-role-arn"],
    });
    assert_eq!(node.provider()["tokenAttributes"], expected);

    let node = Node::with("config.json", EKS);
    done(&node.set_up(&["--service-account-tokens", "--kubelet-version", "1.33"]));
    assert!(node.provider()["tokenAttributes"].get("cacheType").is_none());
}

#[test]
fn versions_that_cannot_are_refused_before_anything_is_changed() {
    let node = Node::with("config.json", EKS);
    for (arguments, said) in [
        (&["--service-account-tokens", "--kubelet-version", "1.32"][..], "1.33"),
        (&["--kubelet-version", "1.19"], "1.20"),
        (&["--kubelet-version", "new"], "new"),
    ] {
        let outcome = node.set_up(arguments);
        assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(1), ""), "{outcome:?}");
        assert!(outcome.line().contains(said), "{outcome:?}");
    }
    assert_eq!(node.text(), EKS);
    assert!(node.nothing_is_linked());
}

#[test]
fn yaml_is_edited_in_place_and_args_and_env_stay() {
    let yaml = "# mine\napiVersion: kubelet.config.k8s.io/v1\nkind: CredentialProviderConfig\nproviders: # two\n- name: \
                ecr-credential-provider\n  matchImages: ['*.dkr.ecr.*.amazonaws.com']\n  defaultCacheDuration: 12h\n  apiVersion: \
                credentialprovider.kubelet.k8s.io/v1\n  args: [get-credentials]\n  env: [{name: AWS_PROFILE, value: node}] # keep\n";
    for name in ["config.yaml", "config.yml", "config"] {
        let node = Node::with(name, yaml);
        let outcome = node.set_up(&["--service-account-tokens", "--kubelet-version", "1.34"]);
        done(&outcome);
        let text = node.text();
        let (head, tail) = yaml.split_once("']\n").unwrap();
        assert!(text.starts_with(&format!("{head}', ")) && text.contains(tail), "{text}");
        assert!(text.contains("'public.ecr.aws'") && text.ends_with("eks.amazonaws.com/ecr-role-arn\"\n"), "{text}");
        assert!(node.plugin().exists());
        assert_eq!(fs::read_to_string(node.config.with_file_name(format!("{name}.before-ecr-login"))).unwrap(), yaml);
        assert!(done(&node.set_up(&["--service-account-tokens", "--kubelet-version", "1.34"])).contains("already"));
        assert_eq!(node.text(), text);
    }
}

#[test]
fn a_new_file_is_yaml_where_its_name_says_so() {
    let node = Node::new("config.yaml");
    done(&node.set_up(&[]));
    assert!(
        node.text().starts_with("apiVersion: kubelet.config.k8s.io/v1\nkind: CredentialProviderConfig\n"),
        "{}",
        node.text()
    );
}

const OTHER: &str = "apiVersion: kubelet.config.k8s.io/v1\nkind: CredentialProviderConfig\nproviders:\n- {name: other, matchImages: [x.example], \
                     defaultCacheDuration: 1h, apiVersion: credentialprovider.kubelet.k8s.io/v1}\n";

#[test]
fn in_a_directory_the_file_with_the_provider_is_edited_or_one_is_added() {
    let node = Node::with("parts/10-other.yml", OTHER);
    let directory = node.config.parent().unwrap().to_owned();
    let node = Node { config: directory.clone(), ..node };
    node.helper.write("etc/parts/README", "Nothing of the kubelet's.");
    let outcome = node.set_up(&["--kubelet-version", "1.34", "--dry-run"]);
    assert!(done(&outcome).contains("would write"), "{outcome:?}");
    assert_eq!(fs::read_dir(&directory).unwrap().count(), 2);
    done(&node.set_up(&["--kubelet-version", "1.34"]));
    let ours = directory.join("ecr-credential-provider.yaml");
    assert!(fs::read_to_string(&ours).unwrap().contains("name: ecr-credential-provider"));
    assert_eq!(fs::read_to_string(directory.join("10-other.yml")).unwrap(), OTHER);
    assert!(done(&node.set_up(&["--kubelet-version", "1.34"])).contains("already"));

    // The file that has the provider, whatever its name.
    fs::remove_file(&ours).unwrap();
    node.helper.write("etc/parts/20.json", EKS);
    node.helper.write("etc/parts/10-other.yml", OTHER.replace("other", "another"));
    node.executable("another");
    done(&node.set_up(&["--kubelet-version", "1.34"]));
    assert!(!ours.exists());
    assert!(fs::read_to_string(directory.join("20.json")).unwrap().contains("public.ecr.aws"));
    assert_eq!(fs::read_to_string(directory.join("20.json.before-ecr-login")).unwrap(), EKS);
}

#[test]
fn a_directory_with_which_the_kubelet_would_not_start_stays_as_it_is() {
    let node = Node::with("parts/10.yml", OTHER);
    let directory = node.config.parent().unwrap().to_owned();
    let node = Node { config: directory.clone(), ..node };
    let refused = |said: &str, options: &[&str]| {
        let outcome = node.set_up(options);
        assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(1), ""), "{outcome:?}");
        assert!(outcome.line().contains(said), "{outcome:?}");
        assert!(node.nothing_is_linked(), "nothing is half done");
    };
    refused("a kubelet of version 1.33 reads one file and no directory", &["--kubelet-version", "1.33"]);
    node.helper.write("etc/parts/20.yaml", OTHER);
    refused("both name the provider other", &[]);
    node.helper.write("etc/parts/20.yaml", OTHER.replace("x.example]", "x.example], note: mine").replace("other", "b"));
    refused("20.yaml is left as it is, and the kubelet would not start with it: providers[0].note", &[]);
    node.helper.write("etc/parts/20.yaml", OTHER.replace("other", "missing"));
    refused("has no executable missing", &[]);
    node.helper.write("etc/parts/20.yaml", "kind: [\n");
    refused("20.yaml is left as it is: line", &[]);
    assert_eq!(fs::read_dir(&directory).unwrap().count(), 2);
}

#[test]
fn a_file_of_a_directory_that_the_kubelet_does_not_read_is_named() {
    let node = Node::with("parts/10.yml", OTHER);
    let node = Node { config: node.config.parent().unwrap().to_owned(), ..node };
    node.helper.write("etc/parts/ecr.conf", EKS);
    let outcome = node.set_up(&["--kubelet-version", "1.37"]);
    let said = done(&outcome);
    assert!(said.contains("ecr.conf is not read by the kubelet"), "{said}");
    assert!(node.config.join("ecr-credential-provider.yaml").exists());
}

#[test]
fn what_would_keep_the_kubelet_from_starting_is_an_error_before_anything_is_changed() {
    for (old, new, said) in [
        ("\"1h\"", "\"an hour\"", "providers[0].defaultCacheDuration"),
        ("\"name\": \"other\"", "\"name\": \"ecr-credential-provider\"", "twice"),
        ("\"name\": \"other\"", "\"name\": \"gone\"", "has no executable gone"),
        ("\"name\": \"other\"", "\"name\": \"other\", \"command\": \"x\"", "providers[0].command"),
    ] {
        let text = EKS.replace(old, new);
        let node = Node::with("config.json", &text);
        let outcome = node.set_up(&[]);
        assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(1), ""), "{outcome:?}");
        assert!(outcome.line().contains(said), "{outcome:?}");
        assert!(node.nothing_is_linked() && node.text() == text);
    }
}

#[test]
fn a_provider_of_the_helper_s_own_name_is_linked_and_gets_its_action() {
    let node = Node::with("config.json", &EKS.replace("ecr-credential-provider", "docker-credential-ecr-login"));
    done(&node.set_up(&[]));
    assert!(!node.plugin().exists());
    let link = node.plugins.join("docker-credential-ecr-login");
    is_the_binary(&link);
    let config: serde_json::Value = serde_json::from_str(&node.text()).unwrap();
    assert_eq!(config["providers"][1]["args"], serde_json::json!(["kubelet"]));
}

#[test]
fn a_file_that_is_no_such_configuration_is_left_alone() {
    for (text, said) in [("{\"providers\": [}", "line 1"), ("{\"kind\": \"KubeletConfiguration\"}", "kind"), ("[]", "")]
    {
        let node = Node::with("config.json", text);
        let outcome = node.set_up(&[]);
        assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(1), ""), "{outcome:?}");
        let line = outcome.line();
        assert!(line.contains(node.config.to_str().unwrap()) && line.contains(said), "{line}");
        assert_eq!(node.text(), text);
        assert!(node.nothing_is_linked(), "nothing is half done");
    }
}

#[test]
fn aliases_of_the_settings_are_images_of_ours_too() {
    let node = Node::new("config.json");
    node.helper.write(
        ".config/ecr-login/config.toml",
        "[[registry]]\nmatch = \"images.example.com\"\nalias_of = \"123456789012.dkr.ecr.eu-west-1.amazonaws.com\"\n",
    );
    done(&node.set_up(&[]));
    let images = node.provider()["matchImages"].clone();
    assert!(images.as_array().unwrap().contains(&"images.example.com".into()), "{images}");
}

#[test]
fn a_file_that_is_not_utf_8_is_left_as_it_is() {
    let node = Node::with("config.json", "");
    // Latin-1, as an editor of long ago writes it.
    let text = b"{\"apiVersion\": \"kubelet.config.k8s.io/v1\", \"note\": \"caf\xe9\", \"providers\": []}";
    fs::write(&node.config, text).unwrap();
    let outcome = node.set_up(&[]);
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    assert!(outcome.stderr.contains("is left as it is: line 1, column 56: not UTF-8"), "{outcome:?}");
    assert_eq!(fs::read(&node.config).unwrap(), text);
}
