//! How AWS is reached: endpoint overrides, FIPS, dual-stack and the CA bundle, by the SDK's precedence.

use super::EndpointConfig;
use super::error::IdentityError;
use super::resolve_context::ResolveContext;
use crate::registry::Service;
use crate::text::printable::plain;

/// The variable that holds for every service.
const COMMON: &str = "AWS_ENDPOINT_URL";

/// What environment and profile in force say, for calls to `service` and to those that credentials come from.
///
/// # Errors
/// An endpoint that is no http or https URL. (The SDK logs it and asks AWS itself instead.)
pub(super) fn network(context: &ResolveContext<'_>, service: Service) -> Result<EndpointConfig, IdentityError> {
    let mut network = EndpointConfig {
        use_fips: flag(context, "AWS_USE_FIPS_ENDPOINT", "use_fips_endpoint"),
        use_dual_stack: flag(context, "AWS_USE_DUALSTACK_ENDPOINT", "use_dualstack_endpoint"),
        ca_bundle: context.in_force.and_then(|profile| profile.get("ca_bundle")).map(|path| context.path_of(path)),
        imds_v1_disabled: flag(context, "AWS_EC2_METADATA_V1_DISABLED", "ec2_metadata_v1_disabled"),
        ..EndpointConfig::default()
    };
    if !flag(context, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "ignore_configured_endpoint_urls") {
        let common = match context.variables.need(COMMON)? {
            Some(url) => Some(checked(url.to_owned(), || COMMON.to_owned())?),
            None => None,
        };
        let overridden = |variable, key| endpoint(context, common.as_deref(), variable, key);
        network.ecr_endpoint = match service {
            Service::Private => overridden("AWS_ENDPOINT_URL_ECR", "ecr")?,
            Service::Public => overridden("AWS_ENDPOINT_URL_ECR_PUBLIC", "ecr-public")?,
        };
        network.sts_endpoint = overridden("AWS_ENDPOINT_URL_STS", "sts")?;
        network.sso_endpoint = overridden("AWS_ENDPOINT_URL_SSO", "sso")?;
        network.sso_oidc_endpoint = overridden("AWS_ENDPOINT_URL_SSO_OIDC", "sso-oidc")?;
        network.sign_in_endpoint = overridden("AWS_ENDPOINT_URL_SIGNIN", "signin")?;
    }
    Ok(network)
}

/// The endpoint of one service. Any variable comes before any profile key, the service's own before the
/// common one. <https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html>
fn endpoint(
    context: &ResolveContext<'_>,
    common: Option<&str>,
    variable: &'static str,
    key: &'static str,
) -> Result<Option<String>, IdentityError> {
    if let Some(url) = context.variables.need(variable)? {
        return checked(url.to_owned(), || variable.to_owned()).map(Some);
    }
    if let Some(url) = common {
        return Ok(Some(url.to_owned()));
    }
    let Some(profile) = context.in_force else { return Ok(None) };
    let of_service =
        profile.get("services").and_then(|services| Some((services, context.files.service_endpoint(services, key)?)));
    if let Some((services, url)) = of_service {
        return checked(url, || format!("endpoint_url of {key} in [services {}]", plain(services))).map(Some);
    }
    match profile.get("endpoint_url") {
        Some(url) => checked(url.to_owned(), || format!("endpoint_url of profile {}", plain(&profile.name))).map(Some),
        None => Ok(None),
    }
}

fn checked(url: String, name: impl Fn() -> String) -> Result<String, IdentityError> {
    if url.bytes().all(|byte| byte.is_ascii_graphic()) && host(&url).is_some() {
        Ok(url)
    } else {
        Err(IdentityError::InvalidVariable { name: name(), reason: "is not an http or https URL".to_owned() })
    }
}

/// A switch, as the SDK reads it: what is neither `true` nor `false` is off, and hides the profile's.
fn flag(context: &ResolveContext<'_>, variable: &str, key: &str) -> bool {
    context
        .variables
        .get(variable)
        .or_else(|| context.in_force.and_then(|profile| profile.get(key)))
        .is_some_and(|value| value.eq_ignore_ascii_case("true"))
}

/// Scheme (in lower case, `http` or `https`) and host (with the brackets of an IPv6 address) of a URL; `None` for
/// anything else, among it a URL with user info.
pub(super) fn host(url: &str) -> Option<(&'static str, &str)> {
    let (scheme, rest) = url.split_once("://")?;
    let scheme = ["http", "https"].into_iter().find(|known| scheme.eq_ignore_ascii_case(known))?;
    let authority = &rest[..rest.find(['/', '?', '#']).unwrap_or(rest.len())];
    if authority.contains(['@', '\\']) {
        return None;
    }
    let host = if authority.starts_with('[') {
        &authority[..=authority.find(']')?]
    } else {
        authority.split(':').next().unwrap_or(authority)
    };
    let port = &authority[host.len()..];
    // What the HTTP client takes for no port at all would lead to another service: that of the scheme's own.
    let is_port = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok();
    let port_is_fine = port.is_empty() || port.strip_prefix(':').is_some_and(|port| port.is_empty() || is_port(port));
    (!host.is_empty() && port_is_fine).then_some((scheme, host))
}
