//! Roles: `role_arn` with `source_profile` in chains, with `credential_source`, by web identity, from our settings;
//! and what is said when STS says no.

use crate::support::{FakeAws, Fault, Helper, REGISTRY, Request, Service};

const ROLE: &str = "arn:aws:iam::123456789012:role/ecr-pull";

fn chain(aws: &FakeAws) -> Helper {
    Helper::new().aws(aws).env("AWS_PROFILE", "third").aws_config(
        "[profile base]\naws_access_key_id = AKIDBASE\naws_secret_access_key = s\n\
         [profile first]\nrole_arn = arn:aws:iam::123456789012:role/one\nsource_profile = base\n\
         [profile second]\nrole_arn = arn:aws:iam::123456789012:role/two\nsource_profile = first\nexternal_id = e-2\n\
         [profile third]\nrole_arn = arn:aws:iam::123456789012:role/three\nsource_profile = second\n\
         role_session_name = laptop\nduration_seconds = 1800\n",
    )
}

fn one_role(aws: &FakeAws) -> Helper {
    Helper::new().aws(aws).env("AWS_PROFILE", "pull").aws_config(&format!(
        "[profile base]\naws_access_key_id = AKIDBASE\naws_secret_access_key = s\n\
         [profile pull]\nrole_arn = {ROLE}\nsource_profile = base\n",
    ))
}

fn error(status: u16, code: &'static str, message: &str) -> Fault {
    Fault::Error { status, code, message: message.to_owned() }
}

#[test]
fn a_chain_of_three_roles_is_three_calls_and_none_for_the_next_pulls() {
    let aws = FakeAws::start();
    let helper = chain(&aws);
    for _ in 0..3 {
        assert_eq!(helper.get(REGISTRY).token().identity, "role-three-by-role-two-by-role-one-by-AKIDBASE");
    }
    assert_eq!((aws.calls(Service::Sts), aws.calls(Service::Ecr)), (3, 1));
    let requests = aws.requests(Service::Sts);
    let forms = |name: &str| requests.iter().map(|request: &Request| request.form(name)).collect::<Vec<_>>();
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(forms("RoleSessionName"), [some("ecr-login"), some("ecr-login"), some("laptop")]);
    assert_eq!(forms("ExternalId"), [None, some("e-2"), None]);
    assert_eq!(forms("DurationSeconds"), [None, None, some("1800")]);
    // STS is that of the registry's region, and one connection carries everything.
    assert!(requests.iter().all(|request| request.region() == Some("eu-west-1")));
    assert_eq!(aws.connections(), 1);
}

#[test]
fn a_role_with_the_keys_of_the_environment() {
    let aws = FakeAws::start();
    let helper = Helper::new()
        .aws(&aws)
        .keys("AKIDENV")
        .settings("[[registry]]\nmatch = \"*.dkr.ecr.*.amazonaws.com\"\nprofile = \"pull\"\n")
        .aws_config(&format!("[profile pull]\nrole_arn = {ROLE}\ncredential_source = Environment\n"));
    assert_eq!(helper.get(REGISTRY).token().identity, "role-ecr-pull-by-AKIDENV");
}

// On Windows such tokens are not cached (docs/platforms.md).
#[cfg(unix)]
#[test]
fn a_role_with_the_instance_s_role() {
    let aws = FakeAws::start();
    let helper = Helper::new()
        .aws(&aws)
        .imds(&aws)
        .env("AWS_PROFILE", "pull")
        .aws_config(&format!("[profile pull]\nrole_arn = {ROLE}\ncredential_source = Ec2InstanceMetadata\n"));
    for _ in 0..3 {
        assert_eq!(helper.get(REGISTRY).token().identity, "role-ecr-pull-by-instance-node-role");
    }
    assert_eq!((aws.calls(Service::Imds), aws.calls(Service::Sts), aws.calls(Service::Ecr)), (3, 1, 1));
}

// On Windows such tokens are not cached (docs/platforms.md).
#[cfg(unix)]
#[test]
fn a_role_with_the_container_s_role() {
    let aws = FakeAws::start();
    let helper = Helper::new()
        .aws(&aws)
        .env("AWS_PROFILE", "pull")
        .env("AWS_CONTAINER_CREDENTIALS_FULL_URI", format!("{}/v1/credentials", aws.url()))
        .aws_config(&format!("[profile pull]\nrole_arn = {ROLE}\ncredential_source = EcsContainer\n"));
    for _ in 0..3 {
        assert_eq!(helper.get(REGISTRY).token().identity, "role-ecr-pull-by-container");
    }
    assert_eq!((aws.calls(Service::Container), aws.calls(Service::Sts), aws.calls(Service::Ecr)), (1, 1, 1));
}

#[test]
fn assume_role_denied_names_the_caller_and_the_role() {
    let aws = FakeAws::start();
    aws.fail(Service::Sts, Fault::assume_role_denied());
    let outcome = one_role(&aws).get(REGISTRY);
    let line = outcome.failure();
    let expected = format!("arn:aws:iam::123456789012:user/dev may not assume {ROLE}: AccessDenied");
    assert!(line.contains(&expected), "{line}");
    assert!(line.contains("sts:AssumeRole") && line.contains("trust policy"), "{line}");
    assert_eq!((aws.calls(Service::Sts), aws.calls(Service::Ecr)), (1, 0));
}

#[test]
fn in_a_chain_the_link_that_broke_is_named() {
    let aws = FakeAws::start();
    // The fake takes what was said last first: two right answers would need a pass, so the first link fails here.
    aws.fail(Service::Sts, error(403, "AccessDenied", "no"));
    let outcome = chain(&aws).get(REGISTRY);
    let line = outcome.failure();
    let expected = "the owner of the access key may not assume arn:aws:iam::123456789012:role/one: AccessDenied";
    assert!(line.contains(expected), "{line}");
    assert_eq!(aws.calls(Service::Sts), 1);
}

#[test]
fn refusals_that_have_nothing_to_do_with_the_role_say_so() {
    for (fault, reason, remedy) in [
        (error(403, "ExpiredToken", "expired"), "the session has expired (ExpiredToken)", "renew the credentials"),
        (error(403, "InvalidClientTokenId", "x"), "STS does not know the access key", "check that the key exists"),
        (
            error(403, "SignatureDoesNotMatch", "x"),
            "secret access key does not belong",
            "correct the secret access key",
        ),
        (
            error(403, "RegionDisabledException", "x"),
            "STS is not active in eu-west-1",
            "enable eu-west-1 for the account",
        ),
        (error(400, "ValidationError", "1 validation error"), "ValidationError: 1 validation error", ""),
    ] {
        let aws = FakeAws::start();
        aws.fail(Service::Sts, fault);
        let outcome = one_role(&aws).get(REGISTRY);
        let line = outcome.failure();
        assert!(line.contains(reason) && line.contains(remedy) && line.contains(ROLE), "{line}");
        assert_eq!(aws.calls(Service::Ecr), 0);
    }
}

#[test]
fn an_answer_without_credentials_is_a_reason_not_a_panic() {
    let aws = FakeAws::start();
    aws.fail(Service::Sts, Fault::NoData);
    let outcome = one_role(&aws).get(REGISTRY);
    let line = outcome.failure();
    assert!(line.contains("STS answered without credentials"), "{line}");
}

#[test]
fn a_failing_sts_is_retried_and_then_the_pull_succeeds() {
    let aws = FakeAws::start();
    aws.fail_times(Service::Sts, 2, Fault::unavailable());
    assert_eq!(one_role(&aws).get(REGISTRY).token().identity, "role-ecr-pull-by-AKIDBASE");
    assert_eq!(aws.calls(Service::Sts), 3);
}
