//! Every form of an ECR registry's name opens the API of its region.

use crate::support::{FakeAws, Helper, Service};

#[test]
fn every_form_of_a_name_is_signed_for_its_own_region() {
    let aws = FakeAws::start();
    let helper = Helper::new().aws(&aws).keys("AKIATEST").env("AWS_ECR_DISABLE_CACHE", "1");
    for (name, region) in [
        ("123456789012.dkr.ecr.us-east-1.amazonaws.com", "us-east-1"),
        ("123456789012.dkr.ecr-fips.us-gov-west-1.amazonaws.com", "us-gov-west-1"),
        ("123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn", "cn-north-1"),
        ("123456789012.dkr.ecr.eusc-de-east-1.amazonaws.eu", "eusc-de-east-1"),
        ("123456789012.dkr.ecr.us-iso-east-1.c2s.ic.gov", "us-iso-east-1"),
        ("123456789012.dkr.ecr.us-isob-east-1.sc2s.sgov.gov", "us-isob-east-1"),
        ("123456789012.dkr.ecr.eu-isoe-west-1.cloud.adc-e.uk", "eu-isoe-west-1"),
        ("123456789012.dkr.ecr.us-isof-south-1.csp.hci.ic.gov", "us-isof-south-1"),
        ("123456789012.dkr-ecr.eu-central-1.on.aws", "eu-central-1"),
        ("123456789012.dkr-ecr-fips.us-east-2.on.aws", "us-east-2"),
        ("123456789012.dkr-ecr.cn-northwest-1.on.amazonwebservices.com.cn", "cn-northwest-1"),
        ("123456789012.dkr-ecr.eusc-de-east-1.on.amazonwebservices.eu", "eusc-de-east-1"),
        ("HTTPS://123456789012.DKR.ECR.AP-SOUTH-1.AMAZONAWS.COM:443/V2/", "ap-south-1"),
    ] {
        let token = helper.get(name).token();
        assert_eq!((token.region.as_str(), token.service.as_str()), (region, "ecr"), "{name}");
    }
    assert_eq!(aws.calls(Service::Ecr), 13);
}

#[test]
fn the_region_of_the_environment_does_not_count() {
    let aws = FakeAws::start();
    let helper = Helper::new().aws(&aws).keys("AKIATEST").env("AWS_REGION", "us-west-2");
    assert_eq!(helper.get("123456789012.dkr.ecr.eu-west-3.amazonaws.com").token().region, "eu-west-3");
}
