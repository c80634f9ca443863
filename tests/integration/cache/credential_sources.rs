//! Three `get`s for each kind of credential source: one call of each service for the first, none afterwards,
//! though each `get` would be given other temporary keys.

use crate::support::{FakeAws, Helper, REGISTRY, Running, Service};

const SECOND: &str = "210987654321.dkr.ecr.eu-west-1.amazonaws.com";

/// Runs three `get`s, one of them for a second registry; all calls are made by the first.
fn asks_once(aws: &FakeAws, helper: &Helper) {
    let first = helper.get(REGISTRY).token();
    let calls = aws.all_calls().len();
    assert_eq!(aws.calls(Service::Ecr), 1);
    for registry in [REGISTRY, SECOND] {
        assert_eq!(helper.get(registry).token(), first);
    }
    assert_eq!(aws.all_calls().len(), calls, "the first `get` made all the calls");
    // The token is made by the fake with keys of its own each time: a miss would be another call.
    assert_eq!(helper.run(["erase"], REGISTRY).code, Some(0));
    assert!(helper.get(REGISTRY).token().serial > first.serial);
    assert_eq!(aws.calls(Service::Ecr), 2);
}

#[test]
fn a_cached_token_is_served_without_any_service() {
    let aws = FakeAws::start();
    let helper = Helper::new().aws(&aws).keys("AKIAEXAMPLE");
    let first = helper.get(REGISTRY).token();
    drop(aws);
    for _ in 0..2 {
        assert_eq!(helper.get(REGISTRY).token(), first);
    }
}

#[test]
fn keys_in_the_environment() {
    let aws = FakeAws::start();
    asks_once(&aws, &Helper::new().aws(&aws).keys("AKIAEXAMPLE"));
}

#[test]
fn static_keys_of_a_profile() {
    let aws = FakeAws::start();
    let config = "[profile dev]\naws_access_key_id = AKIADEV\naws_secret_access_key = x\n";
    asks_once(&aws, &Helper::new().aws(&aws).aws_config(config).env("AWS_PROFILE", "dev"));
}

#[test]
fn a_role_assumed_with_a_source_profile() {
    let aws = FakeAws::start();
    let config = "[profile base]\naws_access_key_id = AKIABASE\naws_secret_access_key = x\n\
                  [profile pull]\nrole_arn = arn:aws:iam::123456789012:role/ecr-pull\nsource_profile = base\n";
    let helper = Helper::new().aws(&aws).aws_config(config).env("AWS_PROFILE", "pull").env("AWS_REGION", "eu-west-1");
    asks_once(&aws, &helper);
    assert_eq!(aws.calls(Service::Sts), 2, "one for each token");
}

#[test]
fn web_identity() {
    let aws = FakeAws::start();
    let helper = Helper::new().aws(&aws);
    let file = helper.write("token", "not-a-jwt");
    let helper = helper
        .env("AWS_WEB_IDENTITY_TOKEN_FILE", file)
        .env("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/ecr-pull")
        .env("AWS_REGION", "eu-west-1");
    asks_once(&aws, &helper);
    assert_eq!(aws.calls(Service::Sts), 2);
    // Another token, another identity.
    helper.write("token", "another-token");
    helper.get(REGISTRY).token();
    assert_eq!(aws.calls(Service::Ecr), 3);
}

#[cfg(unix)]
#[test]
fn a_process() {
    let aws = FakeAws::start();
    let helper = Helper::new().aws(&aws);
    let script = helper.script(
        "keys.sh",
        "echo run >> \"$HOME/runs\"\n\
         echo '{\"Version\":1,\"AccessKeyId\":\"AKIAPROCESS\",\"SecretAccessKey\":\"x\"}'",
    );
    let config = format!("[profile p]\ncredential_process = {}\n", script.display());
    let helper = helper.aws_config(&config).env("AWS_PROFILE", "p");
    asks_once(&aws, &helper);
    let runs = std::fs::read_to_string(helper.home().join("runs")).unwrap();
    assert_eq!(runs.lines().count(), 2, "one for each token");
}

#[cfg(unix)]
#[test]
fn a_process_that_reads_another_profile_is_another_identity() {
    let aws = FakeAws::start();
    let helper = Helper::new().aws(&aws);
    let script = helper.script(
        "keys.sh",
        "echo \"{\\\"Version\\\":1,\\\"AccessKeyId\\\":\\\"AKIA$AWS_PROFILE\\\",\\\"SecretAccessKey\\\":\\\"x\\\"}\"",
    );
    let process = format!("credential_process = {}\n", script.display());
    let helper = helper.aws_config(&format!("[profile DEV]\n{process}[profile PROD]\n{process}"));
    for _ in 0..2 {
        for profile in ["DEV", "PROD"] {
            let mut command = helper.command(["get"]);
            command.env("AWS_PROFILE", profile);
            assert_eq!(Running::start(command, REGISTRY.as_bytes()).wait().token().key, format!("AKIA{profile}"));
        }
    }
    assert_eq!(aws.calls(Service::Ecr), 2, "one for each");
}

#[cfg(not(windows))]
#[test]
fn container_credentials() {
    let aws = FakeAws::start();
    let helper =
        Helper::new().aws(&aws).env("AWS_CONTAINER_CREDENTIALS_FULL_URI", format!("{}/credentials", aws.url()));
    asks_once(&aws, &helper);
    assert_eq!(aws.calls(Service::Container), 2);
}

#[cfg(not(windows))]
#[test]
fn the_instance() {
    let aws = FakeAws::start();
    asks_once(&aws, &Helper::new().aws(&aws).imds(&aws));
}
