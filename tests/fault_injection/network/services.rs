//! Every service that a `get` may have to ask, and a setup in which exactly one of them fails.

use crate::support::{FakeAws, Fault, Helper, REGISTRY, Service, Source};

/// A service, or one of the requests of a service that takes several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    Ecr,
    /// On the connection that was made while STS was asked.
    EcrByRole,
    EcrPublic,
    AssumeRole,
    WebIdentity,
    SsoPortal,
    SsoOidc,
    ImdsToken,
    ImdsRole,
    ImdsKeys,
    Container,
    Proxy,
    /// The way of the connection that was made while STS was asked.
    ProxyByRole,
}

impl Asked {
    pub const ALL: [Self; 13] = [
        Self::Ecr,
        Self::EcrByRole,
        Self::EcrPublic,
        Self::AssumeRole,
        Self::WebIdentity,
        Self::SsoPortal,
        Self::SsoOidc,
        Self::ImdsToken,
        Self::ImdsRole,
        Self::ImdsKeys,
        Self::Container,
        Self::Proxy,
        Self::ProxyByRole,
    ];

    pub fn service(self) -> Service {
        match self {
            Self::Ecr | Self::EcrByRole => Service::Ecr,
            Self::EcrPublic => Service::EcrPublic,
            Self::AssumeRole | Self::WebIdentity => Service::Sts,
            Self::SsoPortal => Service::Sso,
            Self::SsoOidc => Service::SsoOidc,
            Self::ImdsToken | Self::ImdsRole | Self::ImdsKeys => Service::Imds,
            Self::Container => Service::Container,
            Self::Proxy | Self::ProxyByRole => Service::Proxy,
        }
    }

    pub fn source(self) -> Source {
        match self {
            Self::Ecr | Self::EcrPublic | Self::Proxy => Source::Keys,
            Self::AssumeRole | Self::EcrByRole | Self::ProxyByRole => Source::Role,
            Self::WebIdentity => Source::WebIdentity,
            Self::SsoPortal => Source::Sso,
            Self::SsoOidc => Source::EndedSso,
            Self::ImdsToken | Self::ImdsRole | Self::ImdsKeys => Source::Instance,
            Self::Container => Source::Container,
        }
    }

    pub fn registry(self) -> &'static str {
        if self == Self::EcrPublic { "public.ecr.aws" } else { REGISTRY }
    }

    /// How a message calls who did not answer.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ecr | Self::EcrByRole | Self::Proxy | Self::ProxyByRole => "ECR",
            Self::EcrPublic => "ECR Public",
            Self::AssumeRole | Self::WebIdentity => "STS",
            Self::SsoPortal => "the SSO portal",
            Self::SsoOidc => "SSO OIDC",
            Self::ImdsToken | Self::ImdsRole | Self::ImdsKeys => "the instance metadata service",
            Self::Container => "the container credentials endpoint",
        }
    }

    /// How often it is asked where another try may help.
    pub fn tries(self) -> usize {
        if self.is_imds() { 1 } else { 3 }
    }

    /// How many of the service's requests are answered well before the one in trouble.
    fn passes(self) -> usize {
        match self {
            Self::ImdsRole => 1,
            Self::ImdsKeys => 2,
            _ => 0,
        }
    }

    pub fn is_imds(self) -> bool {
        self.service() == Service::Imds
    }

    /// Whether it uses TLS in real life.
    pub fn is_secure(self) -> bool {
        !self.is_imds() && !matches!(self, Self::Container | Self::Proxy | Self::ProxyByRole)
    }

    /// A helper for which this service, and no other, is at `url`.
    pub fn helper(self, aws: &FakeAws, url: &str) -> Helper {
        let helper = Helper::new().aws(aws).env("AWS_ECR_DISABLE_CACHE", "1");
        let helper = match self {
            Self::Ecr | Self::EcrByRole => helper.env("AWS_ENDPOINT_URL_ECR", url),
            Self::EcrPublic => helper.env("AWS_ENDPOINT_URL_ECR_PUBLIC", url),
            Self::AssumeRole | Self::WebIdentity => helper.env("AWS_ENDPOINT_URL_STS", url),
            Self::SsoPortal => helper.env("AWS_ENDPOINT_URL_SSO", url),
            Self::SsoOidc => helper.env("AWS_ENDPOINT_URL_SSO_OIDC", url),
            Self::ImdsToken | Self::ImdsRole | Self::ImdsKeys | Self::Container => helper,
            Self::Proxy | Self::ProxyByRole => {
                helper.env("AWS_ENDPOINT_URL_ECR", "https://ecr.example").env("HTTPS_PROXY", url)
            }
        };
        self.source().set_up(helper, url)
    }

    /// From now on this request is answered so, however often it is tried.
    pub fn answer(self, aws: &FakeAws, fault: Fault) {
        let times = if self.is_imds() { 1 } else { usize::MAX };
        aws.fail_times(self.service(), times, fault);
        aws.fail_times(self.service(), self.passes(), Fault::Right);
    }
}
