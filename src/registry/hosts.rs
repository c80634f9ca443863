//! The one table of ECR's host names: which suffix belongs to which partition, and which API host answers.
//!
//! Sources, looked up in November 2026:
//! - registry names: "Amazon ECR private registry" and "IPv6 and dual-stack endpoints" in the ECR user guide,
//!   the release notes of the European Sovereign Cloud, and the registry pattern of Kubernetes'
//!   `cloud-provider-aws` for the isolated partitions; for the dual-stack names of these and of the European Sovereign
//!   Cloud the list in `amazon-ecs-agent` (`ecs-agent/utils/uri`). `on.amazonwebservices.eu` is as Renovate's list of ECR
//!   hosts and the Public Suffix List's entry for Cognito have it;
//! - API hosts: the endpoint rule sets of `ecr` (2015-09-21) and `ecr-public` (2020-10-30), `partitions.json` and
//!   `endpoints.json`, all of which botocore ships;
//! - FIPS hosts: "Amazon ECR endpoints and quotas" in the AWS general reference, which `endpoints.json` repeats.

/// An AWS partition, as `partitions.json` has it.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Partition {
    /// Its identifier.
    pub(super) id: &'static str,
    /// What its regions' names begin with; empty for the one that every other region belongs to.
    region_prefix: &'static str,
    /// The domain of its API endpoints.
    dns_suffix: &'static str,
    /// The domain of its dual-stack API endpoints.
    dual_stack_dns_suffix: &'static str,
    /// Whether the general reference documents `ecr-fips.REGION` here, where the rule set says
    /// `api.ecr-fips.REGION`.
    documents_fips: bool,
}

macro_rules! partitions {
    ($($name:ident: $id:literal, $prefix:literal, $dns:literal, $dual:literal, $fips:literal;)*) => {
        $(static $name: Partition = Partition {
            id: $id, region_prefix: $prefix, dns_suffix: $dns, dual_stack_dns_suffix: $dual, documents_fips: $fips,
        };)*
    };
}

partitions! {
    AWS: "aws", "", "amazonaws.com", "api.aws", true;
    CN: "aws-cn", "cn-", "amazonaws.com.cn", "api.amazonwebservices.com.cn", false;
    GOV: "aws-us-gov", "us-gov-", "amazonaws.com", "api.aws", true;
    EUSC: "aws-eusc", "eusc-", "amazonaws.eu", "api.amazonwebservices.eu", false;
    ISO: "aws-iso", "us-iso-", "c2s.ic.gov", "api.aws.ic.gov", false;
    ISO_B: "aws-iso-b", "us-isob-", "sc2s.sgov.gov", "api.aws.scloud", false;
    ISO_E: "aws-iso-e", "eu-isoe-", "cloud.adc-e.uk", "api.cloud-aws.adc-e.uk", false;
    ISO_F: "aws-iso-f", "us-isof-", "csp.hci.ic.gov", "api.aws.hci.ic.gov", false;
}

/// The partitions that have a prefix of their own; every other region is `aws`.
static PREFIXED: [&Partition; 7] = [&CN, &GOV, &EUSC, &ISO, &ISO_B, &ISO_E, &ISO_F];

/// A suffix of private registry names.
pub(super) struct Suffix {
    /// What follows `REGION.`.
    pub(super) text: &'static str,
    /// Whether it is a dual-stack one: the service label is then `dkr-ecr`, else `dkr.ecr`.
    pub(super) dual_stack: bool,
    /// The partitions whose regions may stand before it.
    pub(super) partitions: &'static [&'static Partition],
}

/// Every suffix of private registry names.
pub(super) static SUFFIXES: [Suffix; 14] = [
    Suffix { text: "amazonaws.com", dual_stack: false, partitions: &[&AWS, &GOV] },
    Suffix { text: "amazonaws.com.cn", dual_stack: false, partitions: &[&CN] },
    Suffix { text: "amazonaws.eu", dual_stack: false, partitions: &[&EUSC] },
    Suffix { text: "c2s.ic.gov", dual_stack: false, partitions: &[&ISO] },
    Suffix { text: "sc2s.sgov.gov", dual_stack: false, partitions: &[&ISO_B] },
    Suffix { text: "cloud.adc-e.uk", dual_stack: false, partitions: &[&ISO_E] },
    Suffix { text: "csp.hci.ic.gov", dual_stack: false, partitions: &[&ISO_F] },
    Suffix { text: "on.aws", dual_stack: true, partitions: &[&AWS, &GOV] },
    Suffix { text: "on.amazonwebservices.com.cn", dual_stack: true, partitions: &[&CN] },
    Suffix { text: "on.amazonwebservices.eu", dual_stack: true, partitions: &[&EUSC] },
    Suffix { text: "on.aws.ic.gov", dual_stack: true, partitions: &[&ISO] },
    Suffix { text: "on.aws.scloud", dual_stack: true, partitions: &[&ISO_B] },
    Suffix { text: "on.cloud-aws.adc-e.uk", dual_stack: true, partitions: &[&ISO_E] },
    Suffix { text: "on.aws.hci.ic.gov", dual_stack: true, partitions: &[&ISO_F] },
];

/// ECR Public's hosts, and whether the name is the dual-stack one.
pub(super) static PUBLIC: [(&str, bool); 2] = [("public.ecr.aws", false), ("ecr-public.aws.com", true)];

/// The only region of ECR Public's API.
pub(super) const PUBLIC_REGION: &str = "us-east-1";

/// The partition of a region, by the beginning of its name; `None` for what is no region's name.
pub(super) fn partition_of(region: &str) -> Option<&'static Partition> {
    let (stem, number) = region.rsplit_once('-')?;
    let words = stem.split('-');
    let well_formed = !number.is_empty()
        && number.len() <= 2
        && number.bytes().all(|b| b.is_ascii_digit())
        && words.clone().count() >= 2
        && words.clone().all(|word| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase()));
    if !well_formed || region.len() > 32 {
        return None;
    }
    Some(PREFIXED.into_iter().find(|p| region.starts_with(p.region_prefix)).unwrap_or(&AWS))
}

/// The API host of ECR in a region.
pub(super) fn api_host(partition: &Partition, region: &str, fips: bool, dual_stack: bool) -> String {
    let dns = if dual_stack { partition.dual_stack_dns_suffix } else { partition.dns_suffix };
    let service = match (fips, dual_stack) {
        (false, false) => "api.ecr",
        (false, true) => "ecr",
        (true, false) if !partition.documents_fips => "api.ecr-fips",
        (true, _) => "ecr-fips",
    };
    format!("{service}.{region}.{dns}")
}

/// The API host of ECR Public: one region, and no FIPS endpoint.
pub(super) fn public_api_host(dual_stack: bool) -> String {
    let (service, dns) = if dual_stack { ("ecr-public", "api.aws") } else { ("api.ecr-public", "amazonaws.com") };
    format!("{service}.{PUBLIC_REGION}.{dns}")
}
