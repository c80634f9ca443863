//! A cold `get` by each source of credentials asks no more than the protocols need: every request counted, each host
//! connected to once, the certificates loaded once.

use std::net::{IpAddr, Ipv4Addr};

use crate::support::{Certificate, FakeAws, Helper, REGISTRY, Server, Service, Source};

/// What each source must ask before ECR, in order.
const NEEDED: [(Source, &[Service]); 8] = [
    (Source::Keys, &[]),
    (Source::Role, &[Service::Sts]),
    (Source::Chain, &[Service::Sts, Service::Sts]),
    (Source::WebIdentity, &[Service::Sts]),
    (Source::Sso, &[Service::Sso]),
    (Source::EndedSso, &[Service::SsoOidc, Service::Sso]),
    // A session token, the role's name, its keys.
    (Source::Instance, &[Service::Imds, Service::Imds, Service::Imds]),
    (Source::Container, &[Service::Container]),
];

/// AWS with a host for each service, over TLS; instance metadata and container credentials in the clear.
struct Hosts {
    aws: FakeAws,
    sts: Server,
    sso: Server,
    oidc: Server,
    near: Server,
}

impl Hosts {
    fn new() -> Self {
        let aws = FakeAws::over_tls(Certificate::Good);
        let host = || aws.host_of_its_own(Some(Certificate::Good));
        let (sts, sso, oidc, near) = (host(), host(), host(), aws.host_of_its_own(None));
        Self { aws, sts, sso, oidc, near }
    }

    fn helper(&self, source: Source) -> Helper {
        let helper = Helper::new().aws(&self.aws);
        let helper = helper.env("AWS_ENDPOINT_URL_STS", self.sts.url()).env("AWS_ENDPOINT_URL_SSO", self.sso.url());
        source.speak(helper.env("AWS_ENDPOINT_URL_SSO_OIDC", self.oidc.url()), &self.near.url())
    }

    fn of(&self, service: Service) -> &Server {
        match service {
            Service::Sts => &self.sts,
            Service::Sso => &self.sso,
            Service::SsoOidc => &self.oidc,
            _ => &self.near,
        }
    }
}

fn asked(aws: &FakeAws) -> Vec<Service> {
    aws.all_calls().into_iter().map(|call| call.service).collect()
}

#[test]
fn each_source_costs_the_requests_of_its_protocol_and_one_connection_a_host() {
    for (source, needed) in NEEDED {
        let hosts = Hosts::new();
        hosts.helper(source).get(REGISTRY).token();
        assert_eq!(asked(&hosts.aws), [needed, &[Service::Ecr]].concat(), "{source:?}");
        assert_eq!(hosts.aws.connections(), 1, "{source:?}");
        for service in [Service::Sts, Service::Sso, Service::SsoOidc, Service::Imds] {
            let wanted = usize::from(needed.iter().any(|n| std::ptr::eq(hosts.of(*n), hosts.of(service))));
            assert_eq!(hosts.of(service).connections(), wanted, "{source:?} to {service:?}");
        }
    }
}

#[test]
fn services_behind_one_endpoint_share_one_connection() {
    for (source, needed) in NEEDED {
        let aws = FakeAws::over_tls(Certificate::Good);
        let near = aws.host_of_its_own(None);
        source.speak(Helper::new().aws(&aws), &near.url()).get(REGISTRY).token();
        assert_eq!((aws.connections(), aws.all_calls().len()), (1, needed.len() + 1), "{source:?}");
    }
}

#[test]
fn a_source_that_was_passed_over_is_never_asked() {
    let aws = FakeAws::start();
    let other = FakeAws::on(IpAddr::V4(Ipv4Addr::LOCALHOST), None);
    for service in [Service::Imds, Service::Container] {
        other.fail(service, crate::support::Fault::Hang);
    }
    let helper = Helper::new().aws(&aws).keys("AKIAFIRST").without("AWS_EC2_METADATA_DISABLED");
    let helper = helper.env("AWS_CONTAINER_CREDENTIALS_FULL_URI", format!("{}/v1/credentials", other.url()));
    let helper = helper.env("AWS_EC2_METADATA_SERVICE_ENDPOINT", other.url());
    assert_eq!(helper.get(REGISTRY).token().key, "AKIAFIRST");
    let of_profile = Source::Keys.speak(helper.without("AWS_ACCESS_KEY_ID"), &other.url());
    assert_eq!(of_profile.get(REGISTRY).token().key, "AKIDBASE");
    assert_eq!(other.connections(), 0);
}

#[cfg(target_os = "linux")]
mod by_system_calls {
    use std::process::{Command, Stdio};

    use super::*;
    use crate::support::{Running, binary};

    /// The system calls of these names of a `get`, one a line.
    fn traced(helper: &Helper, calls: &str) -> String {
        let log = helper.home().join("strace");
        let mut command = Command::new("strace");
        command.args(["-f", "-qq", "-s", "200", "-e", &format!("trace={calls}"), "-o"]).arg(&log);
        command.arg(binary()).arg("get").env_clear();
        let ours = helper.command(Vec::<String>::new());
        command.envs(ours.get_envs().filter_map(|(key, value)| Some((key, value?)))).current_dir(helper.home());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Running::start(command, REGISTRY.as_bytes()).wait().token();
        std::fs::read_to_string(log).unwrap()
    }

    #[test]
    fn certificates_are_read_once_whoever_is_asked_and_no_name_is_resolved_that_needs_none() {
        let has = Command::new("strace").arg("-V").stdout(Stdio::null()).status().is_ok_and(|status| status.success());
        if !has {
            println!("skipped: there is no strace");
            assert!(std::env::var_os("CI").is_none_or(|ci| ci.is_empty()), "CI has it");
            return;
        }
        for (source, needed) in NEEDED {
            let hosts = Hosts::new();
            let trace = traced(&hosts.helper(source), "openat,connect");
            let count = |word: &str| trace.lines().filter(|line| line.contains(word)).count();
            assert_eq!(count("fake-aws-ca.pem"), 1, "{source:?}: {trace}");
            let mut distinct: Vec<_> = needed.iter().map(|service| hosts.of(*service).port()).collect();
            distinct.dedup();
            assert_eq!(count("connect("), distinct.len() + 1, "{source:?}: {trace}");
            assert_eq!(count("resolv.conf") + count("/etc/hosts"), 0, "{source:?}: {trace}");
        }
    }
}
