//! Where credentials and ECR are asked for: container, instance, endpoints, switches.

use super::*;

#[test]
fn container_credentials_go_nowhere_but_to_this_host_ecs_eks_or_over_tls() {
    for uri in [
        "http://127.0.0.1:80/x",
        "http://127.1.2.3/x",
        "http://localhost:51679/creds",
        "http://[::1]:8080/x",
        "http://169.254.170.2/v2",
        "http://169.254.170.23/v1/credentials",
        "http://[fd00:ec2::23]/v1/credentials",
        "https://anywhere.example/x",
    ] {
        let home = Home::empty().with([("AWS_CONTAINER_CREDENTIALS_FULL_URI", uri)]);
        assert!(matches!(home.find().unwrap().source, CredentialSource::Container { uri: found, .. } if found == uri));
    }
    for uri in
        ["http://192.0.2.1/x", "http://evil.example/x", "http://127.0.0.1@evil.example/", "ftp://127.0.0.1/", "x"]
    {
        let home = Home::empty().with([("AWS_CONTAINER_CREDENTIALS_FULL_URI", uri)]);
        assert!(home.error().starts_with("AWS_CONTAINER_CREDENTIALS_FULL_URI is neither"), "{uri}");
    }
    let home = Home::empty().with([("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "no-slash")]);
    assert!(home.error().starts_with("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"));
}

#[test]
fn the_containers_token_file_comes_before_its_token_and_loses_its_line_end() {
    let home = Home::empty().file("token", "from-file\r\n");
    let token = home.path().join("token").to_str().unwrap().to_owned();
    let home = home.with([
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1/x"),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN", "from-environment"),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", &token),
    ]);
    assert!(
        matches!(home.find().unwrap().source, CredentialSource::Container { authorization: Some(a), .. } if a.expose() == "from-file")
    );
    let home = home.file("token", "a\nb");
    assert!(home.error().contains("control characters"));
}

#[test]
fn the_instance_endpoint_follows_variable_profile_and_mode() {
    let endpoint = |home: Home| match home.find().unwrap().source {
        CredentialSource::Imds { endpoint } => endpoint,
        source => panic!("{source:?}"),
    };
    assert_eq!(endpoint(Home::empty()), "http://169.254.169.254");
    let six = "[default]\nec2_metadata_service_endpoint_mode = IPv6\n";
    assert_eq!(endpoint(Home::new(six, "")), "http://[fd00:ec2::254]");
    let of_profile = format!("{six}ec2_metadata_service_endpoint = http://127.0.0.1:1\n");
    assert_eq!(endpoint(Home::new(&of_profile, "")), "http://127.0.0.1:1");
    let home = Home::new(&of_profile, "").with([("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://127.0.0.1:2")]);
    assert_eq!(endpoint(home), "http://127.0.0.1:2");
    let home = Home::empty().with([("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", "IPv5")]);
    assert!(home.error().starts_with("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE"));
}

#[test]
fn endpoints_variable_before_profile_and_the_services_own_before_the_common_one() {
    let config = "[default]\nservices = local\nendpoint_url = http://common.profile\nca_bundle = ~/ca.pem\n\
                  use_fips_endpoint = true\nuse_dualstack_endpoint = TRUE\n\
                  [services local]\necr =\n  endpoint_url = http://ecr.profile\nsso-oidc =\n  endpoint_url = http://oidc.profile\n\
                  ecr-public =\n  endpoint_url = http://public.profile\n";
    let home = Home::new(config, STATIC);
    let network = home.find().unwrap().network;
    assert_eq!(network.ecr_endpoint.as_deref(), Some("http://ecr.profile"));
    assert_eq!(network.sts_endpoint.as_deref(), Some("http://common.profile"));
    assert_eq!(network.sso_oidc_endpoint.as_deref(), Some("http://oidc.profile"));
    assert_eq!(network.ca_bundle.unwrap(), home.path().join("ca.pem"));
    assert!(network.use_fips && network.use_dual_stack);
    let public = Registry::parse("public.ecr.aws").unwrap();
    let network =
        Identity::resolve(&home.environment(), CredentialSelector::Settings(&CredentialSettings::default()), &public)
            .unwrap()
            .network;
    assert_eq!(network.ecr_endpoint.as_deref(), Some("http://public.profile"));

    let home = home.with([("AWS_ENDPOINT_URL", "http://common.env"), ("AWS_USE_FIPS_ENDPOINT", "false")]);
    let network = home.find().unwrap().network;
    assert_eq!(network.ecr_endpoint.as_deref(), Some("http://common.env"));
    assert!(!network.use_fips);
    let home = home.with([("AWS_ENDPOINT_URL_ECR", "http://ecr.env")]);
    assert_eq!(home.find().unwrap().network.ecr_endpoint.as_deref(), Some("http://ecr.env"));
    let home = home.with([("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true")]);
    let network = home.find().unwrap().network;
    assert_eq!((network.ecr_endpoint, network.sts_endpoint, network.sso_endpoint), (None, None, None));
}

#[test]
fn the_network_is_that_of_the_profile_in_force_not_of_its_source() {
    let home = Home::new(
        "[profile a]\nrole_arn = r\nsource_profile = default\nendpoint_url = http://a\n[default]\nendpoint_url = http://d\n",
        STATIC,
    );
    assert_eq!(home.find().unwrap().network.ecr_endpoint.as_deref(), Some("http://d"));
    assert_eq!(home.find_as(&profile("a")).unwrap().network.ecr_endpoint.as_deref(), Some("http://a"));
}

#[test]
fn an_endpoint_that_is_no_url_is_an_error_without_its_value() {
    let home = Home::new("", STATIC).with([("AWS_ENDPOINT_URL_ECR", "localhost:4566")]);
    assert_eq!(home.error(), "AWS_ENDPOINT_URL_ECR is not an http or https URL");
    for port in ["65536", "99999999999", "-1", "+1", "http"] {
        let home = Home::new("", STATIC).with([("AWS_ENDPOINT_URL", &*format!("http://localhost:{port}/"))]);
        assert_eq!(home.error(), "AWS_ENDPOINT_URL is not an http or https URL", "{port}");
    }
    let home = Home::new("", STATIC).with([("AWS_ENDPOINT_URL", "http://localhost:65535")]);
    assert_eq!(home.find().unwrap().network.ecr_endpoint.as_deref(), Some("http://localhost:65535"));
    let home = Home::new("[default]\nendpoint_url = http://u:secret@h\n", STATIC);
    assert_eq!(home.error(), "endpoint_url of profile default is not an http or https URL");
}
