//! Registry names: what is taken for ECR's is, in every spelling, and nothing else near it is.

use ecr_login::registry::{Registry, Service, host_of};
use ecr_login::settings::Settings;

use super::memory;

/// What may follow the region in a private registry's name.
const SUFFIXES: [&str; 14] = [
    "amazonaws.com",
    "amazonaws.com.cn",
    "amazonaws.eu",
    "c2s.ic.gov",
    "sc2s.sgov.gov",
    "cloud.adc-e.uk",
    "csp.hci.ic.gov",
    "on.aws",
    "on.amazonwebservices.com.cn",
    "on.amazonwebservices.eu",
    "on.aws.ic.gov",
    "on.aws.scloud",
    "on.cloud-aws.adc-e.uk",
    "on.aws.hci.ic.gov",
];

/// The domains that are AWS's own, where its APIs are.
const AWS: [&str; 14] = [
    ".amazonaws.com",
    ".amazonaws.com.cn",
    ".amazonaws.eu",
    ".c2s.ic.gov",
    ".sc2s.sgov.gov",
    ".cloud.adc-e.uk",
    ".csp.hci.ic.gov",
    ".api.aws",
    ".api.amazonwebservices.com.cn",
    ".api.amazonwebservices.eu",
    ".api.aws.ic.gov",
    ".api.aws.scloud",
    ".api.aws.hci.ic.gov",
    ".api.cloud-aws.adc-e.uk",
];

pub fn check(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let (host, registry) = memory::bounded(input.len(), (2048, 2), || (host_of(text), Registry::parse(text)));
    let settings = Settings::default();
    let target = memory::bounded(input.len(), (4096, 4), || settings.target(text));
    assert_eq!(target.map(|target| target.registry), registry);
    if let Some(host) = &host {
        assert!(stands_alone(host, text), "{host} is not the host of {text:?}");
        assert_eq!(host_of(host).as_ref(), Some(host));
    }
    let Some(registry) = registry else { return };
    let host = registry.host();
    assert_eq!(host_of(text).as_deref(), Some(host));
    assert!(is_ecr(host), "{host}");
    for same in [
        host.to_owned(),
        host.to_uppercase(),
        format!("https://{host}/v2/"),
        format!(" HTTP://{host}:443/a@sha256:00\r\n"),
    ] {
        assert_eq!(Registry::parse(&same).as_ref(), Some(&registry), "{same}");
    }
    for stranger in [
        format!("{host}.example"),
        format!("{host}."),
        format!("x.{host}"),
        format!("x{host}"),
        format!("{host}@example.com"),
        format!("user:pw@{host}"),
        format!("example.com/{host}"),
        format!("example.com#{host}"),
        format!("{host}:443:443"),
        format!("{host}%2e"),
        format!("{host}\\x"),
        format!("ftp://{host}"),
        format!("{host}\0"),
    ] {
        assert_eq!(Registry::parse(&stranger), None, "{stranger}");
    }
    for (fips, dual_stack) in [(false, false), (false, true), (true, false), (true, true)] {
        let api = registry.api_host(fips, dual_stack);
        assert!(AWS.iter().any(|domain| api.ends_with(domain)), "{api}");
        assert!(host_of(&api).as_ref() == Some(&api) && api.contains(&format!(".{}.", registry.region())), "{api}");
        assert_eq!(api.ends_with(".cn"), registry.partition() == "aws-cn", "{api}");
    }
}

/// Whether `host` is all that stands in `text` between a scheme and what may follow a host.
fn stands_alone(host: &str, text: &str) -> bool {
    let text = text.trim().to_ascii_lowercase();
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).unwrap_or(&text);
    rest.strip_prefix(host).is_some_and(|rest| rest.is_empty() || rest.starts_with([':', '/']))
}

/// The rule once more, label by label.
fn is_ecr(host: &str) -> bool {
    if ["public.ecr.aws", "ecr-public.aws.com"].contains(&host) {
        return Registry::parse(host).is_some_and(|registry| registry.service() == Service::Public);
    }
    let labels: Vec<&str> = host.split('.').collect();
    let (rest, dual_stack) = match labels[..] {
        [_, "dkr", "ecr" | "ecr-fips", ..] => (&labels[3..], false),
        [_, "dkr-ecr" | "dkr-ecr-fips", ..] => (&labels[2..], true),
        _ => return false,
    };
    let suffix = rest.get(1..).unwrap_or_default().join(".");
    let is_account = labels[0].len() == 12 && labels[0].bytes().all(|byte| byte.is_ascii_digit());
    is_account
        && rest[0].ends_with(|c: char| c.is_ascii_digit())
        && SUFFIXES.contains(&suffix.as_str())
        && suffix.starts_with("on.") == dual_stack
}
