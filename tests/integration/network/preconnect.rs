//! The connection to ECR is made while STS or the SSO portal is asked, and only where credentials are sure to come from
//! there: what it saves is in docs/performance.md, what it must never cost is here. Every fault of ECR on such a connection
//! is in the table of `fault_injection::network`.

use std::time::Duration;

use crate::support::{Certificate, FakeAws, Fault, Helper, Opening, REGISTRY, Server, Service, Source};

/// The sources that ask a service for credentials, and which.
const ASKING: [(Source, Service); 5] = [
    (Source::Role, Service::Sts),
    (Source::Chain, Service::Sts),
    (Source::WebIdentity, Service::Sts),
    (Source::Sso, Service::Sso),
    (Source::EndedSso, Service::SsoOidc),
];

/// ECR at `aws`, whatever gives credentials at another host.
fn apart(source: Source, aws: &FakeAws, others: &Server) -> Helper {
    let helper = Helper::new().aws(aws);
    let helper = ["STS", "SSO", "SSO_OIDC"]
        .iter()
        .fold(helper, |helper, service| helper.env(&format!("AWS_ENDPOINT_URL_{service}"), others.url()));
    source.set_up(helper, &others.url())
}

fn over_tls() -> (FakeAws, Server) {
    let aws = FakeAws::over_tls(Certificate::Good);
    let others = aws.host_of_its_own(Some(Certificate::Good));
    (aws, others)
}

#[test]
fn ecr_is_connected_to_before_the_credentials_have_come() {
    for (source, service) in ASKING {
        let (aws, others) = over_tls();
        // Without the connection there would be no answer before the deadline.
        aws.fail(service, Fault::Once(aws.server().is_connected()));
        apart(source, &aws, &others).get(REGISTRY).token();
        assert_eq!((aws.connections(), others.connections()), (1, 1), "{source:?}");
    }
}

#[test]
fn ecr_is_connected_to_once_an_instance_has_named_its_role() {
    let (aws, others) = over_tls();
    let near = aws.host_of_its_own(None);
    // Of the three requests the last is for the keys.
    aws.fail_times(Service::Imds, 1, Fault::Once(aws.server().is_connected()));
    aws.fail_times(Service::Imds, 2, Fault::Right);
    Source::Instance.set_up(Helper::new().aws(&aws), &near.url()).get(REGISTRY).token();
    assert_eq!((aws.connections(), near.connections(), others.connections()), (1, 1, 0));
}

#[test]
fn for_an_instance_without_a_role_no_connection_is_made() {
    let (aws, _) = over_tls();
    let near = aws.host_of_its_own(None);
    aws.fail_times(Service::Imds, 1, Fault::status(404));
    aws.fail_times(Service::Imds, 1, Fault::Right);
    let outcome = Source::Instance.set_up(Helper::new().aws(&aws), &near.url()).get(REGISTRY);
    assert!(outcome.failure().contains("no IAM role"), "{outcome:?}");
    assert_eq!(aws.connections(), 0);
}

#[test]
fn ecr_is_connected_to_after_whoever_gives_the_credentials() {
    for (source, _) in ASKING {
        let (aws, others) = over_tls();
        others.open(Opening::Silence);
        let outcome = apart(source, &aws, &others).env("ECR_LOGIN_TIMEOUT", "1").get(REGISTRY);
        let line = outcome.failure();
        // What is said is what the call waited for.
        assert!(line.contains(&others.host()) && !line.contains(&aws.server().host()), "{source:?}: {line}");
        assert_eq!(aws.calls(Service::Ecr), 0, "{source:?}");
    }
}

#[test]
fn a_connection_that_is_closed_while_credentials_are_asked_for_costs_one_more_and_no_failure() {
    for (source, service) in ASKING {
        for opening in [Opening::Reset, Opening::HangUp, Opening::HangUpAfterTls, Opening::ResetAfterTls] {
            let (aws, others) = over_tls();
            aws.server().open_next(opening);
            aws.fail(service, Fault::Once(aws.server().has_hung_up()));
            apart(source, &aws, &others).get(REGISTRY).token();
            assert_eq!((aws.connections(), aws.calls(Service::Ecr)), (2, 1), "{source:?}, {opening:?}");
        }
    }
}

#[test]
fn a_plain_connection_that_is_closed_meanwhile_costs_one_more_and_no_failure() {
    let aws = FakeAws::start();
    let others = aws.host_of_its_own(None);
    aws.server().open_next(Opening::HangUp);
    aws.fail(Service::Sts, Fault::Once(aws.server().has_hung_up()));
    apart(Source::Role, &aws, &others).get(REGISTRY).token();
    assert_eq!((aws.connections(), aws.calls(Service::Ecr)), (2, 1));
}

#[test]
fn where_credentials_are_refused_the_failure_of_an_unused_connection_is_not_reported() {
    for opening in [Opening::Reset, Opening::HangUp, Opening::Garbage, Opening::Silence] {
        for certificate in [Certificate::Good, Certificate::Untrusted, Certificate::Expired] {
            let aws = FakeAws::over_tls(certificate);
            let others = aws.host_of_its_own(Some(Certificate::Good));
            if certificate == Certificate::Good {
                aws.server().open(opening);
            }
            aws.fail(Service::Sts, Fault::ErrorOnce(aws.server().has_connections(1), "AccessDenied"));
            let outcome = apart(Source::WebIdentity, &aws, &others).get(REGISTRY);
            let line = outcome.failure();
            assert!(line.contains("AccessDenied") && line.contains("role/web"), "{opening:?}: {line}");
            assert!(!line.contains(&aws.server().host()) && !line.contains("TLS"), "{opening:?}: {line}");
            // Nor is it waited for.
            assert!(outcome.duration < Duration::from_secs(10), "{opening:?}: {outcome:?}");
        }
    }
}

#[test]
fn keys_that_are_refused_here_make_no_connection() {
    let (aws, others) = over_tls();
    let config = "[profile base]\naws_access_key_id = AKIDB\u{e4}SE\naws_secret_access_key = hunter2\n\
                  [profile role]\nrole_arn = arn:aws:iam::123456789012:role/one\nsource_profile = base\n";
    for profile in ["base", "role"] {
        let helper = Helper::new().aws(&aws).env("AWS_ENDPOINT_URL_STS", others.url());
        let outcome = helper.aws_config(config).env("AWS_PROFILE", profile).get(REGISTRY);
        assert!(outcome.failure().contains("no request to AWS can carry"), "{outcome:?}");
    }
    assert_eq!((aws.connections(), others.connections()), (0, 0));
}

#[test]
fn without_credentials_no_connection_is_made() {
    let (aws, others) = over_tls();
    let nobody = Helper::new().aws(&aws).env("AWS_ENDPOINT_URL_STS", others.url());
    assert!(nobody.get(REGISTRY).failure().contains("no AWS credentials"));
    // A login that is missing, and a role that rests on an instance which is none.
    let config = "[profile sso]\nsso_account_id = 123456789012\nsso_role_name = Pull\nsso_region = eu-west-1\n\
                  sso_start_url = https://corp.awsapps.com/start\n\
                  [profile role]\nrole_arn = arn:aws:iam::123456789012:role/one\n\
                  credential_source = Ec2InstanceMetadata\n";
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for profile in ["sso", "role"] {
        let helper = Helper::new().aws(&aws).aws_config(config).env("AWS_PROFILE", profile);
        let helper = helper.env("AWS_ENDPOINT_URL_STS", others.url()).env("AWS_ENDPOINT_URL_SSO", others.url());
        let helper = helper.without("AWS_EC2_METADATA_DISABLED");
        helper.env("AWS_EC2_METADATA_SERVICE_ENDPOINT", format!("http://{closed}")).get(REGISTRY).failure();
    }
    assert_eq!((aws.connections(), others.connections()), (0, 0));
}

#[test]
fn keys_of_a_profile_open_one_connection() {
    let (aws, others) = over_tls();
    apart(Source::Keys, &aws, &others).get(REGISTRY).token();
    assert_eq!((aws.connections(), others.connections()), (1, 0));
}
