//! The API host that each registry name leads to, against the tables that AWS publishes
//! (`scripts/endpoint-tables.py` writes the file from botocore).

use ecr_login::registry::Registry;
use serde_json::Value;

/// What private names end in, by partition: the ordinary suffix and the dual-stack one.
const SUFFIXES: [(&str, &str, &str); 8] = [
    ("aws", "amazonaws.com", "on.aws"),
    ("aws-us-gov", "amazonaws.com", "on.aws"),
    ("aws-cn", "amazonaws.com.cn", "on.amazonwebservices.com.cn"),
    ("aws-eusc", "amazonaws.eu", "on.amazonwebservices.eu"),
    ("aws-iso", "c2s.ic.gov", "on.aws.ic.gov"),
    ("aws-iso-b", "sc2s.sgov.gov", "on.aws.scloud"),
    ("aws-iso-e", "cloud.adc-e.uk", "on.cloud-aws.adc-e.uk"),
    ("aws-iso-f", "csp.hci.ic.gov", "on.aws.hci.ic.gov"),
];

fn tables() -> Value {
    serde_json::from_str(include_str!("../../data/ecr-endpoints.json")).unwrap()
}

fn registry(service: &str, region: &str, suffix: &str) -> Registry {
    let name = format!("123456789012.{service}.{region}.{suffix}");
    Registry::parse(&name).unwrap_or_else(|| panic!("{name} is ECR's"))
}

#[test]
fn every_region_that_aws_publishes_leads_to_its_own_api_host() {
    let tables = tables();
    let rows = tables["ecr"].as_array().unwrap();
    assert!(rows.len() > 40, "the table is whole: {} rows", rows.len());
    for row in rows {
        let text = |key: &str| row[key].as_str().unwrap();
        let (partition, region) = (text("partition"), text("region"));
        let (_, suffix, dual_suffix) = SUFFIXES.into_iter().find(|(id, _, _)| *id == partition).unwrap();
        // Where the rule set and the documentation differ, the documented host is the one that exists.
        let fips = row["documented_fips"].as_str().unwrap_or(text("fips"));

        let plain = registry("dkr.ecr", region, suffix);
        assert_eq!((plain.partition(), plain.region()), (partition, region));
        assert_eq!(plain.api_host(false, false), text("plain"));
        assert_eq!(plain.api_host(false, true), text("dual_stack"));
        assert_eq!(plain.api_host(true, false), fips);
        assert_eq!(plain.api_host(true, true), text("fips_dual_stack"));
        assert_eq!(registry("dkr.ecr-fips", region, suffix).api_host(false, false), fips);
        assert_eq!(registry("dkr-ecr", region, dual_suffix).api_host(false, false), text("dual_stack"));
        assert_eq!(registry("dkr-ecr-fips", region, dual_suffix).api_host(false, false), text("fips_dual_stack"));
    }
}

#[test]
fn ecr_public_leads_to_us_east_1() {
    let tables = tables();
    let public = Registry::parse("public.ecr.aws").unwrap();
    assert_eq!(public.api_host(false, false), tables["ecr_public"]["plain"].as_str().unwrap());
    assert_eq!(public.api_host(true, true), tables["ecr_public"]["dual_stack"].as_str().unwrap());
}
