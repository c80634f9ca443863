//! Web identity: the token file of IRSA and of CI systems, by environment and by profile, and STS saying no to it.

use crate::support::{FakeAws, Fault, Helper, REGISTRY, Service, web_token};

const ROLE: &str = "arn:aws:iam::123456789012:role/ci";

fn helper(aws: &FakeAws) -> Helper {
    let helper = Helper::new().aws(aws);
    let file = helper.write("token", format!("{}\n", web_token()));
    helper.env("AWS_ROLE_ARN", ROLE).env("AWS_WEB_IDENTITY_TOKEN_FILE", file)
}

#[test]
fn the_token_file_of_the_environment_serves_with_one_unsigned_call() {
    let aws = FakeAws::start();
    let helper = helper(&aws);
    for _ in 0..3 {
        assert_eq!(helper.get(REGISTRY).token().identity, "web-ci-system:serviceaccount:ns:ci");
    }
    assert_eq!((aws.calls(Service::Sts), aws.calls(Service::Ecr)), (1, 1));
    let request = &aws.requests(Service::Sts)[0];
    assert_eq!(request.access_key(), None);
    assert_eq!(request.form("WebIdentityToken"), Some(web_token()));
    assert_eq!(request.form("RoleSessionName").as_deref(), Some("ecr-login"));
}

#[test]
fn the_token_file_of_a_profile_serves_with_its_session_name() {
    let aws = FakeAws::start();
    let helper = Helper::new().aws(&aws).env("AWS_PROFILE", "ci");
    let file = helper.write("token", web_token());
    let helper = helper.aws_config(&format!(
        "[profile ci]\nrole_arn = {ROLE}\nweb_identity_token_file = {}\nrole_session_name = build-7\n",
        file.display()
    ));
    assert_eq!(helper.get(REGISTRY).token().identity, "web-ci-system:serviceaccount:ns:ci");
    assert_eq!(aws.requests(Service::Sts)[0].form("RoleSessionName").as_deref(), Some("build-7"));
}

#[test]
fn an_unreadable_token_file_is_named() {
    let aws = FakeAws::start();
    let helper =
        Helper::new().aws(&aws).env("AWS_ROLE_ARN", ROLE).env("AWS_WEB_IDENTITY_TOKEN_FILE", "/does/not/exist/token");
    let outcome = helper.get(REGISTRY);
    let line = outcome.failure();
    assert!(line.contains("/does/not/exist/token") && line.contains("AWS_WEB_IDENTITY_TOKEN_FILE"), "{line}");
    assert_eq!(aws.all_calls().len(), 0);
}

#[test]
fn what_sts_rejects_is_reported_with_file_role_and_remedy() {
    for (status, code, reason, remedy) in [
        (400, "ExpiredTokenException", "has expired (ExpiredTokenException)", "see why it is not renewed"),
        (403, "AccessDenied", "may not assume arn:aws:iam::123456789012:role/ci: AccessDenied", "trust policy"),
        (400, "InvalidIdentityToken", "STS rejects", "create the IAM OIDC provider"),
        (403, "IDPRejectedClaim", "STS rejects", "create the IAM OIDC provider"),
        (403, "RegionDisabledException", "STS is not active in eu-west-1", "enable eu-west-1"),
    ] {
        let aws = FakeAws::start();
        aws.fail(Service::Sts, Fault::Error { status, code, message: "because".to_owned() });
        let helper = helper(&aws);
        let outcome = helper.get(REGISTRY);
        let line = outcome.failure();
        let file = format!("the web identity token in {}", helper.home().join("token").display());
        assert!(line.contains(reason) && line.contains(remedy) && line.contains(&file), "{line}");
        assert!(!line.contains("eyJ"), "{line}");
        assert_eq!((aws.calls(Service::Sts), aws.calls(Service::Ecr)), (1, 0));
    }
}
