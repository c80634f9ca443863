//! Keys in the environment and in the shared files, which file is read, and what a profile cannot do here.

use crate::support::{FakeAws, Helper, REGISTRY, Service};

#[test]
fn keys_of_the_environment_serve_and_come_before_a_profile() {
    let aws = FakeAws::start();
    let helper = Helper::new()
        .aws(&aws)
        .keys("AKIDENV")
        .env("AWS_SESSION_TOKEN", "session")
        .aws_config("[default]\naws_access_key_id = AKIDFILE\naws_secret_access_key = s\n");
    for _ in 0..3 {
        assert_eq!(helper.get(REGISTRY).token().key, "AKIDENV");
    }
    let requests = aws.requests(Service::Ecr);
    assert_eq!(requests.len(), 1);
    assert_eq!(requests[0].header("x-amz-security-token"), Some("session"));
}

#[test]
fn the_shared_files_serve_where_the_environment_says_they_are() {
    let aws = FakeAws::start();
    let helper = Helper::new().aws(&aws);
    let config =
        helper.write("elsewhere/config", "[profile dev]\naws_access_key_id = AKIDCONFIG\naws_secret_access_key = s\n");
    let credentials =
        helper.write("elsewhere/keys", "[dev]\naws_access_key_id = AKIDKEYS\naws_secret_access_key = s\n");
    let helper = helper.env("AWS_PROFILE", "dev").env("AWS_CONFIG_FILE", config);
    assert_eq!(helper.get(REGISTRY).token().key, "AKIDCONFIG");
    let helper = helper.env("AWS_SHARED_CREDENTIALS_FILE", credentials);
    assert_eq!(helper.get(REGISTRY).token().key, "AKIDKEYS");
    assert_eq!(aws.calls(Service::Ecr), 2);
}

#[test]
fn a_profile_that_is_named_and_does_not_exist_is_an_error_and_no_other_source_is_tried() {
    let aws = FakeAws::start();
    let helper = Helper::new()
        .aws(&aws)
        .imds(&aws)
        .env("AWS_PROFILE", "prod")
        .aws_config("[profile dev]\naws_access_key_id = AKIDDEV\naws_secret_access_key = s\n");
    let outcome = helper.get(REGISTRY);
    let line = outcome.failure();
    assert!(line.contains("profile prod, named by AWS_PROFILE") && line.contains("dev"), "{line}");
    assert_eq!(aws.all_calls().len(), 0);
}

#[test]
fn a_role_that_wants_a_code_names_the_command() {
    let aws = FakeAws::start();
    let helper = Helper::new().aws(&aws).env("AWS_PROFILE", "admin").aws_config(
        "[profile base]\naws_access_key_id = AKIDBASE\naws_secret_access_key = s\n\
         [profile admin]\nrole_arn = arn:aws:iam::123456789012:role/admin\nsource_profile = base\n\
         mfa_serial = arn:aws:iam::123456789012:mfa/ana\n",
    );
    let outcome = helper.get(REGISTRY);
    let line = outcome.failure();
    assert!(
        line.contains("wants a code from the MFA device") && line.contains("docker-credential-ecr-login login"),
        "{line}"
    );
    assert_eq!(aws.all_calls().len(), 0);
}

#[test]
fn keys_that_no_request_can_carry_are_refused_and_reported() {
    let aws = FakeAws::start();
    for (part, lines) in [
        ("access key id", "aws_access_key_id = AKID\u{7f}\naws_secret_access_key = s\n"),
        ("access key id", "aws_access_key_id = AKID\u{2011}X\naws_secret_access_key = s\n"),
        ("session token", "aws_access_key_id = AKID\naws_secret_access_key = s\naws_session_token = t\u{e9}\n"),
    ] {
        let roles = format!(
            "[default]\n{lines}[profile role]\nrole_arn = arn:aws:iam::123456789012:role/r\nsource_profile = default\n"
        );
        for profile in ["default", "role"] {
            let helper = Helper::new().aws(&aws).aws_config(&roles).env("AWS_PROFILE", profile);
            let outcome = helper.get(REGISTRY);
            let line = outcome.failure();
            assert!(line.contains(&format!("the {part} holds a line end")) && line.contains("copy it anew"), "{line}");
            assert!(!line.contains("AKID") && !line.contains('\u{e9}'), "{line}");
        }
    }
    assert_eq!(aws.all_calls().len(), 0);
}
