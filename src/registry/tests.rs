use super::*;

fn parsed(text: &str) -> Registry {
    Registry::parse(text).unwrap_or_else(|| panic!("{text:?} is ECR's"))
}

#[test]
fn no_region_that_aws_publishes_is_odd() {
    let endpoints: serde_json::Value =
        serde_json::from_str(include_str!("../../tests/data/ecr-endpoints.json")).unwrap();
    let regions: Vec<&str> =
        endpoints["ecr"].as_array().unwrap().iter().map(|it| it["region"].as_str().unwrap()).collect();
    assert!(regions.len() > 30);
    for region in regions {
        assert_eq!(odd_region(region), None);
    }
    assert!(odd_region("us-esat-1").is_some() && odd_region("eu-wset-1").is_some());
}

#[test]
fn every_suffix_names_its_partition_and_api_host() {
    for (name, partition, region, api) in [
        ("dkr.ecr.us-east-1.amazonaws.com", "aws", "us-east-1", "api.ecr.us-east-1.amazonaws.com"),
        ("dkr.ecr.ap-southeast-7.amazonaws.com", "aws", "ap-southeast-7", "api.ecr.ap-southeast-7.amazonaws.com"),
        ("dkr.ecr.us-gov-west-1.amazonaws.com", "aws-us-gov", "us-gov-west-1", "api.ecr.us-gov-west-1.amazonaws.com"),
        ("dkr.ecr.cn-north-1.amazonaws.com.cn", "aws-cn", "cn-north-1", "api.ecr.cn-north-1.amazonaws.com.cn"),
        ("dkr.ecr.eusc-de-east-1.amazonaws.eu", "aws-eusc", "eusc-de-east-1", "api.ecr.eusc-de-east-1.amazonaws.eu"),
        ("dkr.ecr.us-iso-east-1.c2s.ic.gov", "aws-iso", "us-iso-east-1", "api.ecr.us-iso-east-1.c2s.ic.gov"),
        ("dkr.ecr.us-isob-east-1.sc2s.sgov.gov", "aws-iso-b", "us-isob-east-1", "api.ecr.us-isob-east-1.sc2s.sgov.gov"),
        (
            "dkr.ecr.eu-isoe-west-1.cloud.adc-e.uk",
            "aws-iso-e",
            "eu-isoe-west-1",
            "api.ecr.eu-isoe-west-1.cloud.adc-e.uk",
        ),
        (
            "dkr.ecr.us-isof-south-1.csp.hci.ic.gov",
            "aws-iso-f",
            "us-isof-south-1",
            "api.ecr.us-isof-south-1.csp.hci.ic.gov",
        ),
        ("dkr-ecr.eu-west-1.on.aws", "aws", "eu-west-1", "ecr.eu-west-1.api.aws"),
        ("dkr-ecr.us-gov-east-1.on.aws", "aws-us-gov", "us-gov-east-1", "ecr.us-gov-east-1.api.aws"),
        (
            "dkr-ecr.cn-northwest-1.on.amazonwebservices.com.cn",
            "aws-cn",
            "cn-northwest-1",
            "ecr.cn-northwest-1.api.amazonwebservices.com.cn",
        ),
        (
            "dkr-ecr.eusc-de-east-1.on.amazonwebservices.eu",
            "aws-eusc",
            "eusc-de-east-1",
            "ecr.eusc-de-east-1.api.amazonwebservices.eu",
        ),
        ("dkr-ecr.us-iso-west-1.on.aws.ic.gov", "aws-iso", "us-iso-west-1", "ecr.us-iso-west-1.api.aws.ic.gov"),
        ("dkr-ecr.us-isob-east-1.on.aws.scloud", "aws-iso-b", "us-isob-east-1", "ecr.us-isob-east-1.api.aws.scloud"),
        (
            "dkr-ecr.eu-isoe-west-1.on.cloud-aws.adc-e.uk",
            "aws-iso-e",
            "eu-isoe-west-1",
            "ecr.eu-isoe-west-1.api.cloud-aws.adc-e.uk",
        ),
        (
            "dkr-ecr-fips.us-isof-south-1.on.aws.hci.ic.gov",
            "aws-iso-f",
            "us-isof-south-1",
            "ecr-fips.us-isof-south-1.api.aws.hci.ic.gov",
        ),
        ("dkr.ecr-fips.us-east-1.amazonaws.com", "aws", "us-east-1", "ecr-fips.us-east-1.amazonaws.com"),
        (
            "dkr.ecr-fips.us-gov-west-1.amazonaws.com",
            "aws-us-gov",
            "us-gov-west-1",
            "ecr-fips.us-gov-west-1.amazonaws.com",
        ),
        ("dkr-ecr-fips.us-west-2.on.aws", "aws", "us-west-2", "ecr-fips.us-west-2.api.aws"),
        ("dkr.ecr-fips.us-iso-east-1.c2s.ic.gov", "aws-iso", "us-iso-east-1", "api.ecr-fips.us-iso-east-1.c2s.ic.gov"),
    ] {
        let registry = parsed(&format!("123456789012.{name}"));
        assert_eq!((registry.partition(), registry.region()), (partition, region), "{name}");
        assert_eq!(registry.api_host(false, false), api, "{name}");
        assert_eq!((registry.service(), registry.account()), (Service::Private, Some("123456789012")), "{name}");
    }
}

#[test]
fn fips_and_dual_stack_of_the_caller_count_too() {
    let registry = parsed("123456789012.dkr.ecr.us-east-1.amazonaws.com");
    assert_eq!(registry.api_host(true, false), "ecr-fips.us-east-1.amazonaws.com");
    assert_eq!(registry.api_host(false, true), "ecr.us-east-1.api.aws");
    assert_eq!(registry.api_host(true, true), "ecr-fips.us-east-1.api.aws");
}

#[test]
fn ecr_public_goes_to_us_east_1_and_never_to_fips() {
    let registry = parsed("public.ecr.aws");
    assert_eq!((registry.service(), registry.account(), registry.region()), (Service::Public, None, "us-east-1"));
    assert_eq!(registry.api_host(true, false), "api.ecr-public.us-east-1.amazonaws.com");
    assert_eq!(registry.api_host(true, true), "ecr-public.us-east-1.api.aws");
    assert_eq!(parsed("ecr-public.aws.com").api_host(false, false), "ecr-public.us-east-1.api.aws");
}

#[test]
fn clients_spell_a_host_in_many_ways() {
    for text in [
        "123456789012.dkr.ecr.us-east-1.amazonaws.com",
        "https://123456789012.dkr.ecr.us-east-1.amazonaws.com",
        "http://123456789012.dkr.ecr.us-east-1.amazonaws.com/v1/",
        "HTTPS://123456789012.DKR.ECR.us-east-1.AMAZONAWS.com/v2/",
        "  123456789012.dkr.ecr.us-east-1.amazonaws.com\r\n",
        "123456789012.dkr.ecr.us-east-1.amazonaws.com:443",
        "123456789012.dkr.ecr.us-east-1.amazonaws.com:443/team/app/image:tag",
        "123456789012.dkr.ecr.us-east-1.amazonaws.com/team/app@sha256:00",
    ] {
        assert_eq!(parsed(text).host(), "123456789012.dkr.ecr.us-east-1.amazonaws.com", "{text:?}");
    }
}

#[test]
fn what_only_looks_like_ecr_is_another_registry() {
    for text in [
        "",
        " ",
        "docker.io",
        "https://index.docker.io/v1/",
        "not.a.real.registry/url",
        "123456789012.dkr.ecr.us-east-1.amazonaws.com.evil.example",
        "evil-123456789012.dkr.ecr.us-east-1.amazonaws.com",
        "x.123456789012.dkr.ecr.us-east-1.amazonaws.com",
        "evil.example/123456789012.dkr.ecr.us-east-1.amazonaws.com",
        "evil.example#123456789012.dkr.ecr.us-east-1.amazonaws.com",
        "evil.example?123456789012.dkr.ecr.us-east-1.amazonaws.com",
        "123456789012.dkr.ecr.us-east-1.amazonaws.com@evil.example",
        "AWS:x@123456789012.dkr.ecr.us-east-1.amazonaws.com",
        "123456789012.dkr.ecr.us-east-1.amazonaws.com.",
        "123456789012.dkr.ecr.us-east-1.amazonaws.com:",
        "123456789012.dkr.ecr.us-east-1.amazonaws.com:443x",
        "123456789012.dkr.ecr.us-east-1.amazonaws.com:443:443",
        "123456789012.dkr.ecr.us-east-1.amazonaws.com\\evil.example",
        "123456789012.dkr.ecr.us-east-1.amazonaws.com%2f",
        "123456789012.dkr.ecr.us-east-1.amazonaws.com\0",
        "123456789012.dkr.ecr.us-east-1.\namazonaws.com",
        "123456789012.dkr.ecr.us-east-1.amazonaws.com/a\nb",
        "12345678901.dkr.ecr.us-east-1.amazonaws.com",
        "1234567890123.dkr.ecr.us-east-1.amazonaws.com",
        "12345678901a.dkr.ecr.us-east-1.amazonaws.com",
        "123456789012.dkr.ecr.us-east-1.amazonaws.org",
        "123456789012.dkr.ecr.us-east-1.on.aws",
        "123456789012.dkr-ecr.eu-west-1.on.amazonwebservices.eu",
        "123456789012.dkr-ecr.us-iso-east-1.on.aws.hci.ic.gov",
        "123456789012.dkr-ecr.us-east-1.amazonaws.com",
        "123456789012.dkr.ecr.cn-north-1.amazonaws.com",
        "123456789012.dkr.ecr.us-east-1.amazonaws.com.cn",
        "123456789012.dkr.ecr.us-east-1.amazonaws.eu",
        "123456789012.dkr.ecr.us-gov-west-1.amazonaws.com.cn",
        "123456789012.dkr.ecr.amazonaws.com",
        "123456789012.dkr.ecr..amazonaws.com",
        "123456789012.dkr.ecr.-1.amazonaws.com",
        "123456789012.dkr.ecr.us-east.amazonaws.com",
        "123456789012.dkr.ecr.us-east-1.x.amazonaws.com",
        "123456789012.dkr.ecr-fipsy.us-east-1.amazonaws.com",
        "123456789012.dkrxecr.us-east-1.amazonaws.com",
        "ftp://123456789012.dkr.ecr.us-east-1.amazonaws.com",
        "public.ecr.aws.evil.example",
        "x.public.ecr.aws",
        "169.254.169.254",
        "[::1]",
        "１２3456789012.dkr.ecr.us-east-1.amazonaws.com",
        "123456789012.dkr.ecr.us-east-1.amazonaws。com",
    ] {
        assert_eq!(Registry::parse(text), None, "{text:?}");
    }
    assert_eq!(Registry::parse(&format!("123456789012.dkr.ecr.us-east-1.amazonaws.com/{}", "a".repeat(70_000))), None);
}

#[test]
fn the_patterns_stand_for_every_form_of_a_name() {
    let patterns: Vec<String> = Registry::patterns().collect();
    for suffix in &SUFFIXES {
        let region = match suffix.text {
            "amazonaws.com.cn" | "on.amazonwebservices.com.cn" => "cn-north-1",
            "amazonaws.eu" | "on.amazonwebservices.eu" => "eusc-de-east-1",
            "c2s.ic.gov" | "on.aws.ic.gov" => "us-iso-east-1",
            "sc2s.sgov.gov" | "on.aws.scloud" => "us-isob-east-1",
            "cloud.adc-e.uk" | "on.cloud-aws.adc-e.uk" => "eu-isoe-west-1",
            "csp.hci.ic.gov" | "on.aws.hci.ic.gov" => "us-isof-south-1",
            _ => "eu-west-1",
        };
        let service = if suffix.dual_stack { "dkr-ecr" } else { "dkr.ecr" };
        for fips in ["", "-fips"] {
            let host = format!("123456789012.{service}{fips}.{region}.{}", suffix.text);
            assert!(Registry::parse(&host).is_some(), "{host}");
            let pattern = host.replace("123456789012", "*").replace(region, "*");
            assert!(patterns.contains(&pattern), "{pattern}");
        }
    }
    assert!(patterns.contains(&"public.ecr.aws".to_owned()) && patterns.contains(&"ecr-public.aws.com".to_owned()));
    assert_eq!(patterns.len(), 2 * SUFFIXES.len() + 2);
}
