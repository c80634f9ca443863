//! A cold `get` by each source of credentials asks no more than the protocols need: every request counted, each host
//! connected to once.

use std::net::{IpAddr, Ipv4Addr};

use crate::support::hosts::{Hosts, NEEDED};
use crate::support::{Certificate, FakeAws, Helper, REGISTRY, Service, Source};

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
        source.set_up(Helper::new().aws(&aws), &near.url()).get(REGISTRY).token();
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
    let of_profile = Source::Keys.set_up(helper.without("AWS_ACCESS_KEY_ID"), &other.url());
    assert_eq!(of_profile.get(REGISTRY).token().key, "AKIDBASE");
    assert_eq!(other.connections(), 0);
}
