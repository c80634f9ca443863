//! The kubelet asks for an image's credentials and is answered in the API version of its request.

use crate::support::kubelet::{self, Plugin, V1, V1ALPHA1, V1BETA1, seconds};
use crate::support::{FakeAws, Fault, Helper, REGISTRY, Service, Token};

#[test]
fn request_and_response_are_these_bytes_in_all_three_versions() {
    for version in [V1, V1BETA1, V1ALPHA1] {
        let aws = FakeAws::start();
        let plugin = Plugin::new(&aws);
        let request = format!(
            "{{\"kind\":\"CredentialProviderRequest\",\"apiVersion\":\"credentialprovider.kubelet.k8s.io/{version}\",\
             \"image\":\"{REGISTRY}/team/app\"}}\n"
        );
        let outcome = plugin.send(&request);
        let response = outcome.response();
        let (password, duration) = (&response.auth[REGISTRY].password, &response.cache_duration);
        let expected = format!(
            "{{\"kind\":\"CredentialProviderResponse\",\"apiVersion\":\"credentialprovider.kubelet.k8s.io/{version}\",\
             \"cacheKeyType\":\"Registry\",\"cacheDuration\":\"{duration}\",\
             \"auth\":{{\"{REGISTRY}\":{{\"username\":\"AWS\",\"password\":\"{password}\"}}}}}}\n"
        );
        assert_eq!(outcome.stdout, expected);
        assert_eq!(outcome.stderr, "");
        assert_eq!(Token::of_password(password).key, "AKIANODE");
    }
}

#[test]
fn the_image_may_have_a_tag_a_digest_a_port_a_long_path_or_be_the_host_alone() {
    let aws = FakeAws::start();
    let plugin = Plugin::new(&aws);
    let digest = "sha256:0123456789012345678901234567890123456789012345678901234567890123";
    let with_port = format!("{REGISTRY}:443");
    for (image, key) in [
        (format!("{REGISTRY}/app"), REGISTRY),
        (format!("{REGISTRY}/app:1.2.3"), REGISTRY),
        (format!("{REGISTRY}/app@{digest}"), REGISTRY),
        (format!("{REGISTRY}/app:1@{digest}"), REGISTRY),
        (format!("{REGISTRY}/a/b/c/d/e/f"), REGISTRY),
        (REGISTRY.to_owned(), REGISTRY),
        (format!("{REGISTRY}:443/app:1"), &with_port),
        (with_port.clone(), &with_port),
    ] {
        let response = plugin.ask(V1, &image).response();
        assert_eq!(response.auth.keys().collect::<Vec<_>>(), [key], "{image}");
    }
    assert_eq!(aws.calls(Service::Ecr), 1, "one token opens them all");
}

#[test]
fn an_image_of_another_registry_gets_an_empty_answer_and_never_aws_credentials() {
    let aws = FakeAws::start();
    let plugin = Plugin::new(&aws);
    let empty = "{\"kind\":\"CredentialProviderResponse\",\"apiVersion\":\"credentialprovider.kubelet.k8s.io/v1\",\
                 \"cacheKeyType\":\"Registry\",\"cacheDuration\":\"0s\",\"auth\":{}}\n";
    for image in [
        "nginx",
        "library/nginx:1.29",
        "gcr.io/app",
        "registry.example.com:5000/team/app@sha256:00",
        "123456789012.dkr.ecr.eu-west-1.amazonaws.com.evil.example/app",
        "evil-123456789012.dkr.ecr.eu-west-1.amazonaws.com/app",
        "evil.example/123456789012.dkr.ecr.eu-west-1.amazonaws.com/app",
        "123456789012.dkr.ecr.eu-west-1.amazonaws.com@evil.example/app",
        "123456789012.dkr.ecr.eu-west-1.amazonaws.com:x@evil.example/app",
        "evil.example?123456789012.dkr.ecr.eu-west-1.amazonaws.com/app",
        "169.254.169.254/latest",
        "localhost:5000/app",
        "[::1]:5000/app",
        "/",
        "*.dkr.ecr.*.amazonaws.com/app",
        "a b/c",
        "\u{1F980}/app",
    ] {
        let outcome = plugin.ask(V1, image);
        assert_eq!((outcome.code, outcome.stdout.as_str(), outcome.stderr.as_str()), (Some(0), empty, ""), "{image}");
    }
    assert!(aws.all_calls().is_empty());
    assert!(!plugin.made_a_cache(), "the cache is not touched");
}

#[test]
fn under_its_own_name_the_action_is_kubelet() {
    let aws = FakeAws::start();
    let helper = Helper::new().aws(&aws).keys("AKIANODE");
    let outcome = helper.run(["kubelet"], kubelet::request(V1, &format!("{REGISTRY}/app")));
    assert_eq!(kubelet::Outcome::from(outcome).response().auth.len(), 1);
}

#[test]
fn arguments_are_of_no_interest() {
    let aws = FakeAws::start();
    let plugin = Plugin::new(&aws);
    for arguments in [&["get-credentials"][..], &["get"], &["-v=5", "--logtostderr"], &["status"]] {
        let request = kubelet::request(V1, &format!("{REGISTRY}/app"));
        assert_eq!(plugin.run(arguments, &request).response().auth.len(), 1, "{arguments:?}");
    }
}

#[test]
fn a_kubelet_that_restarts_asks_ecr_for_nothing() {
    let aws = FakeAws::start();
    let plugin = Plugin::new(&aws);
    let first = plugin.ask(V1, &format!("{REGISTRY}/app")).response();
    let again = plugin.ask(V1, &format!("{REGISTRY}/other")).response();
    assert_eq!(first.auth[REGISTRY].password, again.auth[REGISTRY].password);
    assert_eq!(aws.all_calls().len(), 1);
}

#[test]
fn a_unit_without_home_has_its_cache() {
    let aws = FakeAws::start();
    let plugin = Plugin::new(&aws).with(|helper| {
        let cache = helper.home().join("node-cache");
        helper.env("AWS_ECR_CACHE_DIR", cache).without("HOME")
    });
    for _ in 0..2 {
        plugin.ask(V1, &format!("{REGISTRY}/app")).response();
    }
    assert_eq!(aws.calls(Service::Ecr), 1);
}

#[test]
fn the_kubelet_remembers_a_token_for_half_of_its_life_less_a_little() {
    let aws = FakeAws::start();
    let plugin = Plugin::new(&aws).with(|helper| helper.env("AWS_ECR_DISABLE_CACHE", "1"));
    for (life, least, most) in [(43_200, 21_058, 21_600), (600, 288, 300), (4, 1, 2), (0, 0, 0), (-100_000, 0, 0)] {
        aws.token_life(life);
        let response = plugin.ask(V1, &format!("{REGISTRY}/app")).response();
        let remembered = seconds(&response.cache_duration);
        assert!((least..=most).contains(&remembered), "{life}: {remembered}");
        assert_eq!(response.auth.len(), 1, "a token just issued is handed over whatever our clock says");
    }
}

#[test]
fn nodes_do_not_come_back_in_the_same_second_and_one_node_always_in_its_own() {
    let aws = FakeAws::start();
    let plugin = Plugin::new(&aws);
    let mut shares = std::collections::BTreeSet::new();
    for account in 0..8 {
        let host = format!("00000000000{account}.dkr.ecr.eu-west-1.amazonaws.com");
        let remembered = seconds(&plugin.ask(V1, &format!("{host}/app")).response().cache_duration);
        shares.insert(remembered / 30);
    }
    assert!(shares.len() > 2, "registries of one node stand for nodes here: {shares:?}");
}

#[test]
fn ecr_public_without_credentials_is_pulled_anonymously() {
    let aws = FakeAws::start();
    let plugin = Plugin::new(&aws).with(|helper| helper.without("AWS_ACCESS_KEY_ID").without("AWS_SECRET_ACCESS_KEY"));
    let outcome = plugin.ask(V1, "public.ecr.aws/nginx/nginx:latest");
    assert_eq!((outcome.response().auth.len(), outcome.stderr.as_str()), (0, ""));
    assert_eq!(outcome.response().cache_duration, "0s");
}

#[test]
fn ecr_public_that_refuses_is_pulled_anonymously_and_says_why() {
    let aws = FakeAws::start();
    aws.fail(Service::EcrPublic, Fault::access_denied());
    let outcome = Plugin::new(&aws).ask(V1, "public.ecr.aws/nginx/nginx:latest");
    assert_eq!(outcome.response().auth.len(), 0);
    assert!(outcome.line().contains("AccessDeniedException") && outcome.line().contains("public.ecr.aws"));
}

#[test]
fn ecr_public_with_credentials_is_pulled_with_them() {
    let aws = FakeAws::start();
    let response = Plugin::new(&aws).ask(V1, "public.ecr.aws/nginx/nginx:latest").response();
    let token = Token::of_password(&response.auth["public.ecr.aws"].password);
    assert_eq!((token.service.as_str(), token.region.as_str()), ("ecr-public", "us-east-1"));
}

#[test]
fn the_settings_hold_for_nodes_too() {
    let aws = FakeAws::start();
    let plugin = Plugin::new(&aws).with(|helper| {
        helper
            .settings(&format!(
                "[[registry]]\nmatch = \"images.example.com\"\nalias_of = \"{REGISTRY}\"\n\
                 [[registry]]\nmatch = \"*.dkr.ecr.us-east-1.amazonaws.com\"\nanonymous = true\n\
                 [[registry]]\nmatch = \"{REGISTRY}\"\nprofile = \"pull\"\n"
            ))
            .aws_config("[profile pull]\naws_access_key_id = AKIAPULL\naws_secret_access_key = x\n")
    });
    let response = plugin.ask(V1, "images.example.com:8443/app").response();
    let token = Token::of_password(&response.auth["images.example.com:8443"].password);
    assert_eq!((token.key.as_str(), token.region.as_str()), ("AKIAPULL", "eu-west-1"));
    let response = plugin.ask(V1, "123456789012.dkr.ecr.us-east-1.amazonaws.com/app").response();
    assert!(response.auth.is_empty());
}
