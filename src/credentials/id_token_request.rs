//! `web_identity` of the settings: the OIDC token of a CI job or of an instance of another cloud.
//!
//! A token in a variable or a file is read here, and its claims are the identity. For a token that has to be requested, the
//! cache key has everything that the answer depends on: the service, the audience, and what the job authenticates with.

use std::net::IpAddr;
use std::path::Path;

use super::aws_env::AwsEnv;
use super::endpoint_config::host;
use super::error::IdentityError;
use super::{CredentialSource, env_providers, jwt};
use crate::os::environment::Environment;
use crate::os::secret::Secret;
use crate::settings::{AssumeRoleSettings, WebIdentityProvider, WebIdentitySettings};
use crate::text::printable::plain;

/// GitHub's (and Forgejo's) token service, as the runner tells a job that has the permission
/// (<https://docs.github.com/en/actions/reference/security/oidc>).
const GITHUB_URL: &str = "ACTIONS_ID_TOKEN_REQUEST_URL";
const GITHUB_TOKEN: &str = "ACTIONS_ID_TOKEN_REQUEST_TOKEN";

/// Google's libraries take another metadata server from this, and we with them.
const GOOGLE_HOST: &str = "GCE_METADATA_HOST";
const GOOGLE_DEFAULT: &str = "169.254.169.254";

/// Another address of Azure's instance metadata, as Azure's libraries read it.
const AZURE_HOST: &str = "AZURE_POD_IDENTITY_AUTHORITY_HOST";
const AZURE_DEFAULT: &str = "http://169.254.169.254";
const AZURE_AUTHORITY: &str = "AZURE_AUTHORITY_HOST";
const AZURE_AUTHORITY_DEFAULT: &str = "https://login.microsoftonline.com";

/// An OIDC token, or all that a request for one needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IdTokenRequest {
    /// A token that the CI system left in an environment variable.
    Variable {
        /// The variable's name.
        name: String,
        /// Its value.
        token: Secret,
    },
    /// The runner's service, on behalf of one job.
    GithubActions {
        /// `ACTIONS_ID_TOKEN_REQUEST_URL`.
        url: String,
        /// `ACTIONS_ID_TOKEN_REQUEST_TOKEN`.
        bearer: Secret,
    },
    /// Google's metadata server.
    Google {
        /// `http://HOST`.
        endpoint: String,
    },
    /// Azure's instance metadata.
    AzureInstance {
        /// `http://HOST`.
        endpoint: String,
        /// `AZURE_CLIENT_ID`: which of several identities.
        client_id: Option<String>,
    },
    /// App Service, Functions, Container Apps.
    AzureAppService {
        /// `IDENTITY_ENDPOINT`.
        endpoint: String,
        /// `IDENTITY_HEADER`.
        header: Secret,
        /// `AZURE_CLIENT_ID`.
        client_id: Option<String>,
    },
    /// A Kubernetes token in exchange for Entra's.
    AzureWorkload {
        /// `AZURE_AUTHORITY_HOST`.
        authority: String,
        /// `AZURE_TENANT_ID`.
        tenant: String,
        /// `AZURE_CLIENT_ID`.
        client_id: String,
        /// What is in `AZURE_FEDERATED_TOKEN_FILE`.
        assertion: Secret,
    },
}

impl IdTokenRequest {
    /// The token in messages.
    pub(crate) fn in_words(&self) -> String {
        match self {
            Self::Variable { name, .. } => format!("the web identity token in {name}"),
            Self::GithubActions { .. } => "the web identity token of GitHub Actions".to_owned(),
            Self::Google { .. } => "the web identity token of Google Cloud".to_owned(),
            Self::AzureInstance { .. } | Self::AzureAppService { .. } | Self::AzureWorkload { .. } => {
                "the web identity token of Azure".to_owned()
            }
        }
    }

    /// Whether the answer depends on the machine and its network namespace.
    pub(super) fn depends_on_host(&self) -> bool {
        matches!(self, Self::Google { .. } | Self::AzureInstance { .. } | Self::AzureAppService { .. })
    }

    /// What tells two requests apart, in order; the first is the kind. A token is not among these: its claims are.
    pub(super) fn parts(&self) -> Vec<Option<&str>> {
        match self {
            Self::Variable { .. } => vec![Some("variable")],
            Self::GithubActions { url, bearer } => vec![Some("github"), Some(url), Some(bearer.expose())],
            Self::Google { endpoint } => vec![Some("google"), Some(endpoint)],
            Self::AzureInstance { endpoint, client_id } => {
                vec![Some("azure instance"), Some(endpoint), client_id.as_deref()]
            }
            Self::AzureAppService { endpoint, header, client_id } => {
                vec![Some("azure app service"), Some(endpoint), Some(header.expose()), client_id.as_deref()]
            }
            Self::AzureWorkload { authority, tenant, client_id, assertion: _ } => {
                vec![Some("azure workload"), Some(authority), Some(tenant), Some(client_id)]
            }
        }
    }

    /// The JWT that the identity rests on, where there is one already.
    pub(super) fn token(&self) -> Option<&Secret> {
        match self {
            Self::Variable { token, .. } => Some(token),
            Self::AzureWorkload { assertion, .. } => Some(assertion),
            _ => None,
        }
    }
}

/// The source that `web_identity` of the settings names.
///
/// # Errors
/// The job or the machine has no such token.
pub(super) fn source(
    variables: &AwsEnv<'_>,
    settings: &WebIdentitySettings,
    role: &AssumeRoleSettings,
) -> Result<CredentialSource, IdentityError> {
    let environment = variables.environment;
    match &settings.provider {
        WebIdentityProvider::GithubActions => Ok(requested(github(environment)?, settings, role)),
        WebIdentityProvider::Google => Ok(requested(google(environment)?, settings, role)),
        WebIdentityProvider::Azure => Ok(requested(azure(environment)?, settings, role)),
        WebIdentityProvider::Variable(name) => {
            let token = variable_token(environment, name)?;
            check_jwt(&token, name)?;
            check_audience(&token, name, settings.audience.as_deref())?;
            let request = IdTokenRequest::Variable { name: name.clone(), token: Secret::new(token) };
            Ok(requested(request, settings, role))
        }
        WebIdentityProvider::File(path) => {
            let path = variables.at_home(path.as_os_str()).unwrap_or_else(|| path.clone());
            let token = env_providers::token_file(&path, "web_identity of the settings".to_owned())?;
            let named = path.display().to_string();
            check_jwt(token.trim(), &named)?;
            check_audience(&token, &named, settings.audience.as_deref())?;
            Ok(CredentialSource::WebIdentity {
                role_arn: role.arn.clone(),
                session_name: role.session_name.clone(),
                token_file: Some(path),
                token: Secret::new(token),
            })
        }
    }
}

/// What is no JWT may be any other secret, and is not sent to STS.
fn check_jwt(token: &str, from: &str) -> Result<(), IdentityError> {
    if jwt::is_jwt(token) {
        return Ok(());
    }
    Err(IdentityError::NoIdToken {
        provider: format!("{} (web_identity of the settings)", plain(from)),
        reason: "holds no OIDC token (a JWT: three parts with dots between them)".to_owned(),
        remedy: "name in web_identity what the CI system puts the job's OIDC token into".to_owned(),
    })
}

/// A token for another audience is meant for another service, and is not sent to STS.
fn check_audience(token: &str, from: &str, wanted: Option<&str>) -> Result<(), IdentityError> {
    let (Some(wanted), Some(claims)) = (wanted, jwt::claims(token)) else { return Ok(()) };
    if claims.audience.iter().any(|audience| audience == wanted) {
        return Ok(());
    }
    let found = claims.audience.iter().map(|audience| plain(audience)).collect::<Vec<_>>().join(", ");
    Err(IdentityError::Audience { from: plain(from), found, wanted: plain(wanted) })
}

fn requested(request: IdTokenRequest, settings: &WebIdentitySettings, role: &AssumeRoleSettings) -> CredentialSource {
    CredentialSource::RequestedWebIdentity {
        role_arn: role.arn.clone(),
        session_name: role.session_name.clone(),
        // Without one the settings are refused where the provider has no default.
        audience: settings.audience.clone().unwrap_or_else(|| DEFAULT_AUDIENCE.to_owned()),
        request,
    }
}

/// The audience that the IAM console proposes, and that `aws-actions/configure-aws-credentials` asks for.
const DEFAULT_AUDIENCE: &str = "sts.amazonaws.com";

/// The token in a variable, which CI systems put there.
fn variable_token(environment: &Environment, name: &str) -> Result<String, IdentityError> {
    match environment.var(name).map(str::trim) {
        Some(token) if !token.is_empty() => Ok(token.to_owned()),
        _ => Err(IdentityError::NoIdToken {
            provider: format!("{name} (web_identity of the settings)"),
            reason: "is not set, or empty".to_owned(),
            remedy: format!("let the CI job have the token in {name} (GitLab: id_tokens; Bitbucket: oidc: true)"),
        }),
    }
}

fn github(environment: &Environment) -> Result<IdTokenRequest, IdentityError> {
    let none = |reason: &str, remedy: &str| IdentityError::NoIdToken {
        provider: "GitHub Actions".to_owned(),
        reason: reason.to_owned(),
        remedy: remedy.to_owned(),
    };
    let (Some(url), Some(bearer)) = (environment.var(GITHUB_URL), environment.var(GITHUB_TOKEN)) else {
        let of_job = environment.var_os("GITHUB_ACTIONS").is_some();
        return Err(if of_job {
            none(
                "this job may not ask for a token: ACTIONS_ID_TOKEN_REQUEST_URL is not set",
                "give the job \"permissions: id-token: write\" (a pull request from a fork cannot have it)",
            )
        } else {
            none(
                "ACTIONS_ID_TOKEN_REQUEST_URL is not set, and this is no job of GitHub Actions",
                "take web_identity out of the settings of this machine, or name what it has",
            )
        });
    };
    if !is_safe(url) {
        return Err(invalid(GITHUB_URL, "is not an https URL"));
    }
    Ok(IdTokenRequest::GithubActions { url: url.to_owned(), bearer: header_value(bearer, GITHUB_TOKEN)? })
}

fn google(environment: &Environment) -> Result<IdTokenRequest, IdentityError> {
    let named = environment.var(GOOGLE_HOST).unwrap_or(GOOGLE_DEFAULT);
    let endpoint = format!("http://{named}");
    if !is_metadata_server(&endpoint) {
        return Err(invalid(GOOGLE_HOST, "is not the address of a metadata server"));
    }
    Ok(IdTokenRequest::Google { endpoint })
}

/// In the order in which Azure's libraries look.
fn azure(environment: &Environment) -> Result<IdTokenRequest, IdentityError> {
    let owned = |name: &str| environment.var(name).map(str::to_owned);
    let client_id = owned("AZURE_CLIENT_ID");
    if let Some(file) = environment.var("AZURE_FEDERATED_TOKEN_FILE") {
        let (Some(client_id), Some(tenant)) = (client_id, owned("AZURE_TENANT_ID")) else {
            return Err(IdentityError::NoIdToken {
                provider: "Azure".to_owned(),
                reason: "AZURE_FEDERATED_TOKEN_FILE is set, but AZURE_CLIENT_ID or AZURE_TENANT_ID is not".to_owned(),
                remedy: "annotate the service account with azure.workload.identity/client-id".to_owned(),
            });
        };
        if !tenant.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte)) {
            return Err(invalid("AZURE_TENANT_ID", "is no tenant"));
        }
        let authority = environment.var(AZURE_AUTHORITY).unwrap_or(AZURE_AUTHORITY_DEFAULT).trim_end_matches('/');
        if !is_safe(authority) {
            return Err(invalid(AZURE_AUTHORITY, "is not an https URL"));
        }
        let assertion = env_providers::token_file(Path::new(file), "AZURE_FEDERATED_TOKEN_FILE".to_owned())?;
        let assertion = Secret::new(assertion.trim().to_owned());
        return Ok(IdTokenRequest::AzureWorkload { authority: authority.to_owned(), tenant, client_id, assertion });
    }
    if let (Some(endpoint), Some(header)) = (environment.var("IDENTITY_ENDPOINT"), environment.var("IDENTITY_HEADER")) {
        if !is_safe(endpoint) && !is_metadata_server(endpoint) {
            return Err(invalid("IDENTITY_ENDPOINT", "is neither https nor http to this machine"));
        }
        let header = header_value(header, "IDENTITY_HEADER")?;
        return Ok(IdTokenRequest::AzureAppService { endpoint: endpoint.to_owned(), header, client_id });
    }
    let endpoint = environment.var(AZURE_HOST).unwrap_or(AZURE_DEFAULT).trim_end_matches('/');
    if !is_metadata_server(endpoint) {
        return Err(invalid(AZURE_HOST, "is not the address of a metadata server"));
    }
    Ok(IdTokenRequest::AzureInstance { endpoint: endpoint.to_owned(), client_id })
}

fn invalid(name: &str, reason: &str) -> IdentityError {
    IdentityError::InvalidVariable { name: name.to_owned(), reason: reason.to_owned() }
}

/// A secret that a header is to carry.
fn header_value(value: &str, name: &str) -> Result<Secret, IdentityError> {
    let value = value.trim();
    if value.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        Ok(Secret::new(value.to_owned()))
    } else {
        Err(invalid(name, "holds characters that no header can carry"))
    }
}

/// Where a secret may be sent: over TLS, or to this host.
fn is_safe(url: &str) -> bool {
    url.bytes().all(|byte| byte.is_ascii_graphic())
        && match host(url) {
            Some(("https", _)) => true,
            Some((_, name)) => {
                name.eq_ignore_ascii_case("localhost") || address(name).is_some_and(|ip| ip.is_loopback())
            }
            None => false,
        }
}

/// Whether plain HTTP goes to a metadata server: this host, a link-local address, or Google's own name for one.
fn is_metadata_server(url: &str) -> bool {
    url.bytes().all(|byte| byte.is_ascii_graphic())
        && host(url).is_some_and(|(_, name)| {
            name.eq_ignore_ascii_case("localhost")
                || name.eq_ignore_ascii_case("metadata.google.internal")
                || address(name).is_some_and(|ip| match ip {
                    IpAddr::V4(ip) => ip.is_loopback() || ip.is_link_local(),
                    // fd20:ce::254 is Google's.
                    IpAddr::V6(ip) => ip.is_loopback() || ip.is_unicast_link_local() || ip.is_unique_local(),
                })
        })
}

fn address(name: &str) -> Option<IpAddr> {
    name.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_goes_over_tls_or_to_this_host_alone() {
        for url in [
            "https://pipelines.actions.githubusercontent.com/x",
            "http://127.0.0.1:80/",
            "http://[::1]/",
            "http://localhost",
        ] {
            assert!(is_safe(url), "{url}");
        }
        for url in [
            "http://example.com",
            "http://127.0.0.1@example.com",
            "http://10.0.0.1",
            "ftp://x",
            "https://a b",
            "",
            "http://127.0.0.1.nip.io/",
        ] {
            assert!(!is_safe(url), "{url}");
        }
    }

    #[test]
    fn metadata_is_asked_of_this_machine_s_neighbours_alone() {
        for host in
            ["169.254.169.254", "metadata.google.internal", "127.0.0.1:8080", "[fd20:ce::254]", "169.254.169.252:988"]
        {
            assert!(is_metadata_server(&format!("http://{host}")), "{host}");
        }
        for host in
            ["example.com", "10.0.0.1", "metadata.google.internal.example.com", "169.254.169.254@example.com", ""]
        {
            assert!(!is_metadata_server(&format!("http://{host}")), "{host}");
        }
    }
}
