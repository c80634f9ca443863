//! The order in which sources of credentials are asked: the SDK's own (aws-config's
//! `default_provider/credentials.rs`), with what our settings say before it and on top of it.

use super::aws_env::AwsEnv;
use super::cache_key::{self, HostContext};
use super::env_providers::{self, ResolveContext};
use super::error::{IdentityError, plain};
use super::profile_chain::{self, Lookup};
use super::profile_files::ProfileFiles;
use super::{CredentialSelector, CredentialSource, Identity, endpoint_config};
use crate::registry::Registry;

const DEFAULT_PROFILE: &str = "default";

/// Finds who speaks. `broken` says why `files` are empty though they exist; it counts once a profile is asked for.
pub(super) fn find(
    variables: &AwsEnv<'_>,
    files: &ProfileFiles<'_>,
    broken: Option<IdentityError>,
    wanted: CredentialSelector<'_>,
    registry: &Registry,
) -> Result<Identity, IdentityError> {
    let chosen = match wanted {
        CredentialSelector::Settings(speaker) => speaker.profile.as_deref(),
        CredentialSelector::ServiceAccount(_) => None,
    };
    let of_environment = variables.need("AWS_PROFILE")?;
    let in_force = files.profile(chosen.or(of_environment).unwrap_or(DEFAULT_PROFILE));
    let context = ResolveContext { variables, files, in_force: in_force.as_ref() };
    let mut skipped_sources = Vec::new();
    let (mut source, mut label) = match (wanted, chosen) {
        (CredentialSelector::ServiceAccount(account), _) => (
            CredentialSource::WebIdentity {
                role_arn: account.role_arn.clone(),
                session_name: None,
                token_file: None,
                token: account.token.clone(),
            },
            format!("{} by service account token", role(&account.role_arn)),
        ),
        (_, Some(name)) => {
            if let Ok(Lookup::Found(_)) = env_providers::keys(variables) {
                skipped_sources.push(format!("keys in the environment: the settings name profile {}", plain(name)));
            }
            if let Some(broken) = broken {
                return Err(broken);
            }
            match profile_chain::resolve_profile_chain(&context, name, Some("the settings"))? {
                Lookup::Found(source) => (source, format!("profile {}", plain(name))),
                Lookup::NotConfigured(reason) => {
                    return Err(IdentityError::NoCredentialsInProfile { profile: plain(name), reason });
                }
            }
        }
        (_, None) => default_chain(&context, of_environment, broken, &mut skipped_sources)?,
    };
    if let CredentialSelector::Settings(speaker) = wanted
        && let Some(wanted) = &speaker.role
    {
        label = format!("{} by {label}", role(&wanted.arn));
        source = CredentialSource::AssumeRole {
            base: Box::new(source),
            role_arn: wanted.arn.clone(),
            session_name: wanted.session_name.clone(),
            external_id: wanted.external_id.clone(),
            duration_seconds: None,
            mfa_serial: None,
        };
    }
    let network = endpoint_config::network(&context, registry.service())?;
    let (cache_key, ends_at) = cache_key::of(registry, &network, &source, &HostContext::of(&source, variables));
    Ok(Identity { source, network, label, skipped_sources, cache_key, ends_at })
}

fn default_chain(
    context: &ResolveContext<'_>,
    named: Option<&str>,
    broken: Option<IdentityError>,
    skipped_sources: &mut Vec<String>,
) -> Result<(CredentialSource, String), IdentityError> {
    let mut silent = |voice| match voice {
        Lookup::Found(source) => Some(source),
        Lookup::NotConfigured(reason) => {
            skipped_sources.push(reason);
            None
        }
    };
    if let Some(source) = silent(env_providers::keys(context.variables)?) {
        return Ok((source, "keys in the environment".to_owned()));
    }
    if let Some(broken) = broken {
        return Err(broken);
    }
    let profile = named.unwrap_or(DEFAULT_PROFILE);
    if let Some(source) = silent(profile_chain::resolve_profile_chain(context, profile, named.map(|_| "AWS_PROFILE"))?)
    {
        return Ok((source, format!("profile {}", plain(profile))));
    }
    if let Some(source) = silent(env_providers::web_identity_of_environment(context.variables)?) {
        let role = match &source {
            CredentialSource::WebIdentity { role_arn, .. } => role(role_arn),
            _ => role(""),
        };
        return Ok((source, format!("{role} by web identity")));
    }
    if let Some(source) = silent(env_providers::container(context.variables)?) {
        return Ok((source, "this container's role".to_owned()));
    }
    if let Some(source) = silent(env_providers::instance(context)?) {
        return Ok((source, "this instance's role".to_owned()));
    }
    Err(IdentityError::NoSource { skipped_sources: std::mem::take(skipped_sources) })
}

/// A role in words, without its account: `role ecr-pull`.
fn role(arn: &str) -> String {
    match arn.split_once(":role/") {
        Some((_, path)) => format!("role {}", plain(path.rsplit('/').next().unwrap_or(path))),
        None => "a role".to_owned(),
    }
}
