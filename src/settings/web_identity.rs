//! `web_identity` and `audience`: where a CI job or an instance of another cloud gets its OIDC token.

use std::path::PathBuf;

/// Where the OIDC token for the role comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum WebIdentityProvider {
    /// `github-actions`: the runner's token service.
    GithubActions,
    /// `gcp`: Google's metadata server.
    Google,
    /// `azure`: the workload identity, App Service's endpoint or the instance metadata.
    Azure,
    /// `env:NAME`: an environment variable.
    Variable(String),
    /// `file:/PATH`: a file; `~/` is the home directory.
    File(PathBuf),
}

/// `web_identity` with `audience`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebIdentitySettings {
    /// `web_identity`.
    pub(crate) provider: WebIdentityProvider,
    /// `audience`: what the token is asked for; of a token that exists already, what it must have.
    pub(crate) audience: Option<String>,
}

/// What the two keys say.
///
/// # Errors
/// The wrong key, and what is wrong with it.
pub(super) fn parse(
    provider: Option<&str>,
    audience: Option<String>,
) -> Result<Option<WebIdentitySettings>, (&'static str, String)> {
    let Some(text) = provider else {
        return if audience.is_some() { Err(("audience", "needs web_identity".to_owned())) } else { Ok(None) };
    };
    let unknown = || {
        let known = "must be github-actions, gcp, azure, env:NAME or file:/PATH";
        ("web_identity", known.to_owned())
    };
    let is_name = |name: &str| !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    let provider = match (text, text.split_once(':')) {
        ("github-actions", _) => WebIdentityProvider::GithubActions,
        ("gcp", _) => WebIdentityProvider::Google,
        ("azure", _) if audience.is_none() => {
            let needs = "azure needs audience, the Application ID URI of an app registration";
            return Err(("web_identity", needs.to_owned()));
        }
        ("azure", _) => WebIdentityProvider::Azure,
        (_, Some(("env", name))) if is_name(name) => WebIdentityProvider::Variable(name.to_owned()),
        (_, Some(("file", path))) if PathBuf::from(path).is_absolute() || path.starts_with("~/") => {
            WebIdentityProvider::File(path.into())
        }
        _ => return Err(unknown()),
    };
    Ok(Some(WebIdentitySettings { provider, audience }))
}
