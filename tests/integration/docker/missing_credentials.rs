//! No credentials: the one line leads with what is half configured, and its remedy fits where it runs. The list of all that was
//! looked for is `doctor`'s.

use std::path::Path;

use crate::support::{FakeAws, Helper, REGISTRY};

const LIST: &str = "docker-credential-ecr-login doctor lists what was looked for";

/// The reason after the program's and the registry's name.
fn reason(helper: &Helper) -> String {
    let outcome = helper.get(REGISTRY);
    let line = outcome.failure();
    let head = format!("docker-credential-ecr-login: {REGISTRY}: ");
    line.strip_prefix(&head).unwrap_or_else(|| panic!("{line}")).to_owned()
}

#[test]
fn a_source_that_is_half_configured_comes_first_with_what_it_lacks() {
    for (variable, value, first, remedy) in [
        (
            "AWS_SECRET_ACCESS_KEY",
            "MARKED",
            "AWS_SECRET_ACCESS_KEY is set, but AWS_ACCESS_KEY_ID is not",
            "set AWS_ACCESS_KEY_ID too",
        ),
        (
            "AWS_ROLE_ARN",
            "arn:aws:iam::123456789012:role/pull",
            "AWS_ROLE_ARN is set, but AWS_WEB_IDENTITY_TOKEN_FILE is not",
            "set AWS_WEB_IDENTITY_TOKEN_FILE too",
        ),
        (
            "AWS_CONTAINER_AUTHORIZATION_TOKEN",
            "MARKED",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN is set, but AWS_CONTAINER_CREDENTIALS_FULL_URI is not",
            "unset AWS_CONTAINER_AUTHORIZATION_TOKEN",
        ),
        (
            "AWS_PROFILE",
            "dev",
            "profile dev, named by AWS_PROFILE, has no credentials",
            "aws configure sso --profile dev",
        ),
    ] {
        let helper = Helper::new().aws_config("[profile dev]\nregion = eu-west-1\n").env(variable, value);
        let said = reason(&helper);
        assert!(said.starts_with(first), "{said}");
        assert!(said.contains(remedy) && said.ends_with(LIST) && !said.contains("MARKED"), "{said}");
        assert!(!said.contains("tried") && said.matches("is not set").count() == 0, "no list: {said}");
    }
    let key_alone = Helper::new().env("AWS_ACCESS_KEY_ID", "AKIAHALF");
    assert!(reason(&key_alone).starts_with("AWS_SECRET_ACCESS_KEY is not set, but AWS_ACCESS_KEY_ID is"));
}

#[test]
fn a_half_configured_source_comes_first_where_the_instance_metadata_service_is_asked_in_vain_too() {
    let nowhere = || {
        let helper = Helper::new().without("AWS_EC2_METADATA_DISABLED");
        helper.env("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://127.0.0.1:1")
    };
    let said = reason(&nowhere().env("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/pull"));
    assert!(said.starts_with("AWS_ROLE_ARN is set, but AWS_WEB_IDENTITY_TOKEN_FILE is not"), "{said}");
    assert!(!said.contains("instance"), "{said}");
    let said = reason(&nowhere());
    assert!(said.starts_with("no AWS credentials found: no instance metadata service answers"), "{said}");
    assert_eq!((said.matches("127.0.0.1").count(), said.contains("os error")), (1, false), "{said}");
}

#[test]
fn the_remedy_fits_a_laptop_a_ci_job_and_a_container() {
    let in_container = ["/.dockerenv", "/run/.containerenv"].iter().any(|mark| Path::new(mark).exists());
    let here = if in_container { "mount ~/.aws into it" } else { "run: aws configure sso (or aws configure)" };
    let said = reason(&Helper::new());
    assert!(said.starts_with("no AWS credentials found; ") && said.contains(here), "{said}");
    assert!(said.ends_with(LIST), "{said}");
    for (variables, remedy) in [
        (&[("GITHUB_ACTIONS", "true"), ("CI", "true")][..], "permissions: id-token: write"),
        (&[("GITHUB_ACTIONS", "true"), ("ACTIONS_ID_TOKEN_REQUEST_URL", "https://x")], "--web-identity github-actions"),
        (&[("GITLAB_CI", "true"), ("CI", "true")], "id_tokens"),
        (&[("CI", "true")], "give the job AWS_ACCESS_KEY_ID"),
        (&[("KUBERNETES_SERVICE_HOST", "10.0.0.1")], "mount ~/.aws into it"),
    ] {
        let helper = variables.iter().fold(Helper::new(), |helper, (name, value)| helper.env(name, *value));
        let said = reason(&helper);
        assert!(said.contains(remedy), "{variables:?}: {said}");
    }
}

#[test]
fn where_profiles_exist_the_remedy_is_to_name_one_of_them() {
    let profiles =
        "[default]\nregion = us-east-1\n[profile dev]\nsso_session = corp\n[profile prod]\nregion = eu-west-1\n";
    for helper in [
        Helper::new(),
        Helper::new()
            .without("AWS_EC2_METADATA_DISABLED")
            .env("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://127.0.0.1:1"),
    ] {
        let said = reason(&helper.aws_config(profiles));
        assert!(
            said.contains("name one of your profiles (dev, prod) in AWS_PROFILE, or for this registry: "),
            "{said}"
        );
        assert!(said.contains("setup docker REGISTRY --profile PROFILE"), "{said}");
    }
    let said = reason(&Helper::new().aws_config("[default]\nregion = us-east-1\n"));
    assert!(!said.contains("your profiles"), "{said}");
}

#[test]
fn the_kubelet_gets_the_remedy_for_a_node() {
    let request = format!(
        "{{\"kind\":\"CredentialProviderRequest\",\"apiVersion\":\"credentialprovider.kubelet.k8s.io/v1\",\
         \"image\":\"{REGISTRY}/app\"}}"
    );
    let outcome = Helper::new().run(["kubelet"], request);
    let line = outcome.line();
    assert!(line.starts_with(&format!("ecr-credential-provider: {REGISTRY}: no AWS credentials found; ")), "{line}");
    assert!(line.contains("instance profile") && !line.contains("aws configure"), "{line}");
}

#[test]
fn doctor_has_the_whole_list() {
    let outcome = Helper::new().run(["doctor", REGISTRY], "");
    for source in
        ["AWS_ACCESS_KEY_ID is not set", "web identity", "profile default", "container credentials", "metadata"]
    {
        assert!(outcome.stdout.contains(source), "{source}: {}", outcome.stdout);
    }
    assert!(!outcome.stdout.contains("lists what was looked for"), "{}", outcome.stdout);
}

#[test]
fn every_line_of_every_command_begins_with_the_programs_name_and_has_no_error_number() {
    let aws = FakeAws::start();
    let helper = Helper::new().aws(&aws).keys("AKIALINES").env("AWS_ENDPOINT_URL", "http://127.0.0.1:1");
    for arguments in [
        &["warm", REGISTRY][..],
        &["password", REGISTRY],
        &["clear", "ghcr.io"],
        &["password", "ghcr.io"],
        &["status", "--no-such"],
        &["warm", "--timeout", "x", REGISTRY],
        &["setup", "docker", "--registry", "ghcr.io"],
        &["login", "ghcr.io"],
    ] {
        let outcome = helper.run(arguments, "");
        assert_ne!(outcome.code, Some(0), "{arguments:?}");
        let first = outcome.stderr.lines().next().unwrap_or_default();
        assert!(first.starts_with("docker-credential-ecr-login: "), "{arguments:?}: {outcome:?}");
        assert!(!outcome.stderr.contains("os error"), "{arguments:?}: {outcome:?}");
    }
}
