//! Names in AWS's own domains that are nearly a private registry's: what is wrong with them.
//!
//! Only names under a suffix of ECR are looked at. Any other name may be another operator's registry, which must not
//! be disturbed by a line on stderr.

use super::hosts::{self, SUFFIXES};

/// Why a name that looks like a private registry's is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NearMiss {
    /// The first label is digits, but not twelve of them.
    #[error("the account ID {account} has {} digits, and an account ID has 12", .account.len())]
    AccountDigits {
        /// The label.
        account: String,
    },
    /// The first label is no account ID at all.
    #[error("{label} stands where the 12 digits of an account ID belong")]
    NoAccount {
        /// Everything before `dkr`.
        label: String,
    },
    /// `ACCOUNT.ecr.REGION` without `dkr`.
    #[error("a registry's name has .dkr.ecr. after the account ID")]
    NoDkr,
    /// What stands for the region is no region's name.
    #[error("{region:?} is not the name of a region")]
    NoRegion {
        /// What stands there.
        region: String,
    },
    /// The region belongs to a partition whose registries end differently.
    #[error("registries of {region} end in {expected}, not in {found}")]
    OtherSuffix {
        /// The region.
        region: String,
        /// The suffix of its partition.
        expected: &'static str,
        /// The suffix of the name.
        found: &'static str,
    },
}

/// What is wrong with `host` (as [`super::host_of`] gives it), if it is nearly a private registry's name; `None` for a
/// name that is ECR's, and for every name outside AWS's domains.
pub fn near_miss(host: &str) -> Option<NearMiss> {
    if super::Registry::of_host(host.to_owned()).is_some() {
        return None;
    }
    let of_suffix = |suffix: &&hosts::Suffix| host.strip_suffix(suffix.text).is_some_and(|rest| rest.ends_with('.'));
    let suffix = SUFFIXES.iter().filter(of_suffix).max_by_key(|suffix| suffix.text.len())?;
    let labels: Vec<&str> = host.strip_suffix(suffix.text)?.trim_end_matches('.').split('.').collect();
    let at = |name: &str| labels.iter().position(|label| label.strip_suffix("-fips").unwrap_or(label) == name);
    let dual_stack = at("dkr-ecr");
    let (service, region) = match (dual_stack, at("ecr")) {
        (Some(service), _) => (service, service + 1),
        (None, Some(ecr)) if ecr > 0 && labels[ecr - 1] == "dkr" => (ecr - 1, ecr + 1),
        // The API's own host is `api.ecr.REGION`.
        (None, Some(1)) if labels[0].len() == 12 && is_number(labels[0]) => return Some(NearMiss::NoDkr),
        _ => return None,
    };
    let account = labels[..service].join(".");
    if !is_number(&account) {
        return Some(NearMiss::NoAccount { label: account });
    }
    if account.len() != 12 {
        return Some(NearMiss::AccountDigits { account });
    }
    let region = labels[region..].join(".");
    let Some(partition) = hosts::partition_of(&region) else {
        return Some(NearMiss::NoRegion { region });
    };
    let fits = |it: &&hosts::Suffix| it.partitions.contains(&partition) && it.dual_stack == dual_stack.is_some();
    let expected = SUFFIXES.iter().find(fits)?.text;
    Some(NearMiss::OtherSuffix { region, expected, found: suffix.text })
}

/// What is odd about a region that is written like one: AWS calls its regions after points of the compass, and a mistyped name
/// has another word there. A region to come may be called otherwise, so that this is never a reason to refuse a name.
pub(crate) fn odd_region(region: &str) -> Option<String> {
    const POINTS: [&str; 9] =
        ["north", "northeast", "east", "southeast", "south", "southwest", "west", "northwest", "central"];
    let odd = !region.split('-').any(|word| POINTS.contains(&word));
    odd.then(|| format!("{region} is named like no region of AWS, check the registry's name"))
}

fn is_number(label: &str) -> bool {
    !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(host: &str) -> String {
        near_miss(host).map(|it| it.to_string()).unwrap_or_default()
    }

    #[test]
    fn a_name_that_is_nearly_ecrs_says_what_is_wrong_with_it() {
        for (host, reason) in [
            ("12345678901.dkr.ecr.eu-west-1.amazonaws.com", "12345678901 has 11 digits"),
            ("my.dkr.ecr.eu-west-1.amazonaws.com", "my stands where the 12 digits"),
            ("dkr.ecr.eu-west-1.amazonaws.com", "stands where the 12 digits"),
            ("vpce-0a1b.dkr.ecr.eu-west-1.vpce.amazonaws.com", "vpce-0a1b stands where"),
            ("123456789012.ecr.eu-west-1.amazonaws.com", ".dkr.ecr. after the account ID"),
            ("123456789012.dkr.ecr.euwest1.amazonaws.com", "\"euwest1\" is not the name of a region"),
            ("123456789012.dkr.ecr.amazonaws.com", "\"\" is not the name of a region"),
            ("123456789012.dkr.ecr.cn-north-1.amazonaws.com", "end in amazonaws.com.cn, not in amazonaws.com"),
            ("123456789012.dkr-ecr.eu-west-1.amazonaws.com", "end in on.aws, not in amazonaws.com"),
            ("123456789012.dkr.ecr.eu-west-1.on.aws", "end in amazonaws.com, not in on.aws"),
        ] {
            assert!(said(host).contains(reason), "{host}: {:?}", said(host));
        }
    }

    #[test]
    fn registries_of_others_and_of_ecr_are_no_near_misses() {
        for host in [
            "123456789012.dkr.ecr.eu-west-1.amazonaws.com",
            "public.ecr.aws",
            "api.ecr.eu-west-1.amazonaws.com",
            "s3.eu-west-1.amazonaws.com",
            "amazonaws.com",
            "docker.io",
            "12345678901.dkr.ecr.eu-west-1.amazonaws.com.example",
            "123456789012.dkr.ecr.example.com",
        ] {
            assert_eq!(near_miss(host), None, "{host}");
        }
    }
}
