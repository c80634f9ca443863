//! The sources of credentials beside profiles: keys in the environment, web identity, container, instance.

use std::net::IpAddr;
use std::path::Path;

use super::CredentialSource;
use super::aws_env::AwsEnv;
use super::endpoint_config;
use super::error::IdentityError;
use super::profile_files::Profile;
use super::resolve_context::{Lookup, ResolveContext};
use crate::os::fs::bounded_read;
use crate::os::secret::Secret;
use crate::text::printable::plain;
use crate::text::timestamp;

/// Keys in the environment. Half a pair is an error, as for the AWS CLI: which keys were meant is not known.
pub(super) fn keys(variables: &AwsEnv<'_>) -> Result<Lookup, IdentityError> {
    const SECRET: &str = "AWS_SECRET_ACCESS_KEY";
    const EXPIRATION: &str = "AWS_CREDENTIAL_EXPIRATION";
    let filled = |name| Ok(variables.need(name)?.filter(|value| !value.trim().is_empty()));
    let Some(id) = filled("AWS_ACCESS_KEY_ID")? else {
        return Ok(Lookup::NotConfigured("keys in the environment: AWS_ACCESS_KEY_ID is not set".to_owned()));
    };
    let Some(secret) = filled(SECRET)? else {
        let reason = "is not set, but AWS_ACCESS_KEY_ID is".to_owned();
        return Err(IdentityError::InvalidVariable { name: SECRET.into(), reason });
    };
    if variables.need(EXPIRATION)?.is_some_and(|end| timestamp::parse(end).is_none()) {
        let reason = "is no time such as 2026-01-31T12:00:00Z".to_owned();
        return Err(IdentityError::InvalidVariable { name: EXPIRATION.into(), reason });
    }
    // The first is the name that old tools give it.
    let session_token = match filled("AWS_SECURITY_TOKEN")? {
        None => filled("AWS_SESSION_TOKEN")?,
        token => token,
    };
    let owned = |value: &str| Secret::new(value.to_owned());
    Ok(Lookup::Found(CredentialSource::StaticKeys {
        id: owned(id),
        secret: owned(secret),
        session_token: session_token.map(str::trim).map(owned),
    }))
}

/// Keys in the file of the first EC2 tools, which the AWS CLI still reads where `AWS_CREDENTIAL_FILE` names it.
pub(super) fn ec2_tools_file(variables: &AwsEnv<'_>) -> Result<Lookup, IdentityError> {
    const FILE: &str = "AWS_CREDENTIAL_FILE";
    let Some(path) = variables.os(FILE).and_then(|path| variables.at_home(path)) else {
        return Ok(Lookup::NotConfigured(format!("{FILE} is not set")));
    };
    let text = token_file(&path, FILE.to_owned())?;
    let value = |wanted: &str| {
        let mut pairs = text.lines().filter_map(|line| line.split_once('='));
        pairs.find(|(name, _)| name.trim() == wanted).map(|(_, value)| Secret::new(value.trim().to_owned()))
    };
    match (value("AWSAccessKeyId"), value("AWSSecretKey")) {
        (Some(id), Some(secret)) => Ok(Lookup::Found(CredentialSource::StaticKeys { id, secret, session_token: None })),
        _ => {
            let reason = "it has no AWSAccessKeyId with an AWSSecretKey".to_owned();
            Err(IdentityError::TokenFile { path, named_by: FILE.to_owned(), reason })
        }
    }
}

/// A web identity token in a file that the environment or else the profile names (EKS' IRSA, OIDC of CI systems). As with
/// the AWS CLI, each of file, role and session name is the environment's, if it is there.
pub(super) fn web_identity_of_environment(
    variables: &AwsEnv<'_>,
    profile: Option<&Profile<'_>>,
) -> Result<Lookup, IdentityError> {
    const FILE: &str = "AWS_WEB_IDENTITY_TOKEN_FILE";
    let of_profile = |key| profile.and_then(|profile| profile.get(key));
    let (path, named_by) = match (variables.need(FILE)?, of_profile("web_identity_token_file")) {
        (Some(path), _) => (path, FILE.to_owned()),
        (None, Some(path)) => {
            let name = profile.map(|profile| plain(&profile.name)).unwrap_or_default();
            (path, format!("web_identity_token_file of profile {name}"))
        }
        (None, None) => return Ok(Lookup::NotConfigured(format!("web identity: {FILE} is not set"))),
    };
    let Some(role_arn) = variables.need("AWS_ROLE_ARN")?.or_else(|| of_profile("role_arn")) else {
        let reason = "names a token file, but there is no AWS_ROLE_ARN".to_owned();
        return Err(IdentityError::InvalidVariable { name: named_by, reason });
    };
    let session_name = variables.need("AWS_ROLE_SESSION_NAME")?.or_else(|| of_profile("role_session_name"));
    web_identity(path, named_by, role_arn, session_name).map(Lookup::Found)
}

/// The web identity whose token is in the file `path`.
pub(super) fn web_identity(
    path: &str,
    named_by: String,
    role_arn: &str,
    session_name: Option<&str>,
) -> Result<CredentialSource, IdentityError> {
    let token = token_file(Path::new(path), named_by)?;
    Ok(CredentialSource::WebIdentity {
        role_arn: role_arn.to_owned(),
        session_name: session_name.map(str::to_owned),
        token_file: Some(path.into()),
        token: Secret::new(token),
    })
}

/// The contents of a token file.
pub(super) fn token_file(path: &Path, named_by: String) -> Result<String, IdentityError> {
    let reason = match bounded_read::whole(path) {
        Ok(None) => "it does not exist".to_owned(),
        Ok(Some(bytes)) => match String::from_utf8(bytes) {
            Ok(token) if token.trim().is_empty() => "it is empty".to_owned(),
            Ok(token) => return Ok(token),
            Err(_) => "it is not UTF-8".to_owned(),
        },
        Err(error) => bounded_read::reason(&error) + &bounded_read::mode_and_owner(path),
    };
    Err(IdentityError::TokenFile { path: path.to_owned(), named_by, reason })
}

/// ECS, EKS Pod Identity and whatever else serves the container credentials protocol.
/// <https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html>
pub(super) fn container(variables: &AwsEnv<'_>) -> Result<Lookup, IdentityError> {
    const RELATIVE: &str = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI";
    const FULL: &str = "AWS_CONTAINER_CREDENTIALS_FULL_URI";
    const TOKEN_FILE: &str = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE";
    const TOKEN: &str = "AWS_CONTAINER_AUTHORIZATION_TOKEN";
    let invalid =
        |name: &str, reason: &str| IdentityError::InvalidVariable { name: name.into(), reason: reason.into() };
    let uri = if let Some(path) = variables.need(RELATIVE)? {
        if !path.starts_with('/') || path.starts_with("//") || !is_uri_text(path) {
            return Err(invalid(RELATIVE, "is not a path that begins with /"));
        }
        format!("http://169.254.170.2{path}")
    } else if let Some(uri) = variables.need(FULL)? {
        if !is_uri_text(uri) || !is_allowed_container_uri(uri) {
            return Err(invalid(FULL, "is neither https nor http to this host, ECS or EKS"));
        }
        uri.to_owned()
    } else {
        let reason = "container credentials: neither AWS_CONTAINER_CREDENTIALS_RELATIVE_URI nor _FULL_URI is set";
        return Ok(Lookup::NotConfigured(reason.to_owned()));
    };
    let (authorization, named_by) = match variables.need(TOKEN_FILE)? {
        Some(path) => (Some(token_file(Path::new(path), TOKEN_FILE.to_owned())?), TOKEN_FILE),
        None => (variables.need(TOKEN)?.map(str::to_owned), TOKEN),
    };
    let authorization = authorization.map(|mut value| {
        // A line end would not survive as a header's value, and editors add one.
        value.truncate(value.trim_end_matches(['\r', '\n']).len());
        Secret::new(value)
    });
    if authorization.as_ref().is_some_and(|value| value.expose().bytes().any(|byte| byte < b' ' || byte == 0x7f)) {
        return Err(invalid(named_by, "holds control characters, which no header can carry"));
    }
    Ok(Lookup::Found(CredentialSource::Container { uri, authorization }))
}

fn is_uri_text(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Whether credentials may be fetched from `uri`: over TLS, or from this host or one of the addresses of ECS and
/// EKS. The SDK looks a name up and wants every address to be one of these; without network here, `localhost` is
/// the only name.
fn is_allowed_container_uri(uri: &str) -> bool {
    match endpoint_config::host(uri) {
        Some(("https", _)) => true,
        Some(("http", host)) => {
            host.eq_ignore_ascii_case("localhost")
                || host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().is_ok_and(|address| {
                    address.is_loopback()
                        || ["169.254.170.2", "169.254.170.23", "fd00:ec2::23"]
                            .iter()
                            .any(|allowed| allowed.parse() == Ok(address))
                })
        }
        _ => false,
    }
}

/// The instance metadata service, unless it is switched off. Only a call shows whether there is one.
pub(super) fn instance(context: &ResolveContext<'_>) -> Result<Lookup, IdentityError> {
    let variables = context.variables;
    if variables.get("AWS_EC2_METADATA_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true")) {
        return Ok(Lookup::NotConfigured("instance metadata: AWS_EC2_METADATA_DISABLED is true".to_owned()));
    }
    let either = |variable: &'static str, key: &'static str| match variables.need(variable)? {
        Some(value) => Ok(Some((value, variable))),
        None => Ok(context.in_force.and_then(|profile| profile.get(key)).map(|value| (value, key))),
    };
    let endpoint = match either("AWS_EC2_METADATA_SERVICE_ENDPOINT", "ec2_metadata_service_endpoint")? {
        Some((endpoint, _)) if is_uri_text(endpoint) && endpoint_config::host(endpoint).is_some() => endpoint,
        Some((_, name)) => {
            let reason = "is not an http or https URL".to_owned();
            return Err(IdentityError::InvalidVariable { name: name.into(), reason });
        }
        None => match either("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", "ec2_metadata_service_endpoint_mode")? {
            None => "http://169.254.169.254",
            Some((mode, _)) if mode.eq_ignore_ascii_case("ipv4") => "http://169.254.169.254",
            Some((mode, _)) if mode.eq_ignore_ascii_case("ipv6") => "http://[fd00:ec2::254]",
            Some((_, name)) => {
                let reason = "is neither IPv4 nor IPv6".to_owned();
                return Err(IdentityError::InvalidVariable { name: name.into(), reason });
            }
        },
    };
    Ok(Lookup::Found(CredentialSource::Imds { endpoint: endpoint.to_owned() }))
}
