//! What each source of credentials must ask, and AWS with a host for each service.

use super::{Certificate, FakeAws, Helper, Server, Service, Source};

/// What each source must ask before ECR, in order.
pub const NEEDED: [(Source, &[Service]); 8] = [
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
pub struct Hosts {
    pub aws: FakeAws,
    sts: Server,
    sso: Server,
    oidc: Server,
    near: Server,
}

impl Hosts {
    pub fn new() -> Self {
        let aws = FakeAws::over_tls(Certificate::Good);
        let host = || aws.host_of_its_own(Some(Certificate::Good));
        let (sts, sso, oidc, near) = (host(), host(), host(), aws.host_of_its_own(None));
        Self { aws, sts, sso, oidc, near }
    }

    pub fn helper(&self, source: Source) -> Helper {
        let helper = Helper::new().aws(&self.aws);
        let helper = helper.env("AWS_ENDPOINT_URL_STS", self.sts.url()).env("AWS_ENDPOINT_URL_SSO", self.sso.url());
        source.set_up(helper.env("AWS_ENDPOINT_URL_SSO_OIDC", self.oidc.url()), &self.near.url())
    }

    pub fn of(&self, service: Service) -> &Server {
        match service {
            Service::Sts => &self.sts,
            Service::Sso => &self.sso,
            Service::SsoOidc => &self.oidc,
            _ => &self.near,
        }
    }
}
