//! Registry names: text in, service, account, region and API host out.

/// Which of the two ECR services a registry belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Service {
    /// Amazon ECR, `ACCOUNT.dkr.ecr.REGION.SUFFIX`.
    Private,
    /// Amazon ECR Public, `public.ecr.aws`.
    Public,
}

/// A registry that is Amazon ECR's.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Registry {
    host: String,
    service: Service,
    account: Option<String>,
    region: String,
    fips: bool,
    dual_stack: bool,
}

impl Registry {
    /// Reads what a client sent: a host, with or without scheme, port and path, in any case, with blanks
    /// around. `None` for a name that is not ECR's.
    pub fn parse(_text: &str) -> Option<Self> {
        None
    }

    /// The host in lower case, without scheme, port and path: the name under which the cache knows it.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Which service's API hands out its tokens.
    pub fn service(&self) -> Service {
        self.service
    }

    /// The twelve digits of the account; `None` for ECR Public.
    pub fn account(&self) -> Option<&str> {
        self.account.as_deref()
    }

    /// The region whose API is asked, and with which the request is signed.
    pub fn region(&self) -> &str {
        &self.region
    }

    /// The host of the service's API endpoint, by AWS's documented tables. The name's own `-fips` and
    /// `on.aws` count, and so do the caller's wishes (`AWS_USE_FIPS_ENDPOINT`, `AWS_USE_DUALSTACK_ENDPOINT`).
    pub fn api_host(&self, _use_fips: bool, _use_dual_stack: bool) -> String {
        String::new()
    }

    /// The AWS partition's identifier: `aws`, `aws-cn`, `aws-us-gov`, `aws-eusc`, `aws-iso`, ...
    pub fn partition(&self) -> &'static str {
        "aws"
    }
}
