//! The order in which credential sources are tried: the AWS CLI's (botocore's `create_credential_resolver`), with what
//! our settings say before it and on top of it.

use super::aws_env::AwsEnv;
use super::cache_key;
use super::env_providers;
use super::error::IdentityError;
use super::host_context::HostContext;
use super::profile_chain;
use super::profile_files::{Profile, ProfileFiles};
use super::resolve_context::Lookup;
use super::resolve_context::ResolveContext;
use super::{CredentialSelector, CredentialSource, Identity, endpoint_config, id_token_request, missing};
use crate::registry::Registry;
use crate::settings::{CredentialSettings, RuleLocation};
use crate::text::printable::plain;

const DEFAULT_PROFILE: &str = "default";

/// The session name of a pod's role: that of Kubernetes' own `ecr-credential-provider`, since trust policies name it.
const SERVICE_ACCOUNT_SESSION: &str = "ecr-credential-provider";

/// The variables that name a profile, the first that is set counts.
const PROFILE_VARIABLES: [&str; 2] = ["AWS_PROFILE", "AWS_DEFAULT_PROFILE"];

/// The profile that is asked for.
struct Wanted<'a> {
    name: &'a str,
    /// What names it; `None` for the default for want of a name.
    named_by: Option<&'static str>,
    /// Where the settings name it.
    named_at: Option<&'a RuleLocation>,
    profile: Option<&'a Profile<'a>>,
}

/// Finds the credential source that is used.
pub(super) fn find(
    variables: &AwsEnv<'_>,
    files: &ProfileFiles<'_>,
    wanted: CredentialSelector<'_>,
    registry: &Registry,
) -> Result<Identity, IdentityError> {
    let chosen = match wanted {
        CredentialSelector::Settings(settings) => settings.profile.as_deref(),
        CredentialSelector::ServiceAccount(_) => None,
    };
    let mut of_environment = None;
    for name in PROFILE_VARIABLES {
        if of_environment.is_none() {
            of_environment = variables.need(name)?.map(|profile| (profile, Some(name)));
        }
    }
    let chosen = chosen.map(|profile| (profile, Some("the settings")));
    let (name, named_by) = chosen.or(of_environment).unwrap_or((DEFAULT_PROFILE, None));
    let in_force = files.profile(name.to_owned());
    let context = ResolveContext { variables, files, in_force: in_force.as_ref() };
    let named_at = match wanted {
        CredentialSelector::Settings(settings) => settings.profile_at.as_ref(),
        CredentialSelector::ServiceAccount(_) => None,
    };
    let asked = Wanted { name, named_by, named_at, profile: in_force.as_ref() };
    let mut skipped_sources = Vec::new();
    let requested = match wanted {
        CredentialSelector::Settings(CredentialSettings { role: Some(role), web_identity: Some(web), .. }) => {
            Some((id_token_request::source(variables, web, role)?, &role.arn))
        }
        _ => None,
    };
    let is_requested = requested.is_some();
    let (mut source, mut label) = match (wanted, requested) {
        (_, Some((source, arn))) => (source, format!("{} by web identity", role(arn))),
        (CredentialSelector::ServiceAccount(account), None) => (
            CredentialSource::WebIdentity {
                role_arn: account.role_arn.clone(),
                session_name: Some(SERVICE_ACCOUNT_SESSION.to_owned()),
                token_file: None,
                token: account.token.clone(),
            },
            format!("{} by service account token", role(&account.role_arn)),
        ),
        (CredentialSelector::Settings(_), None) if chosen.is_some() => {
            if let Ok(Lookup::Found(_)) = env_providers::keys(variables) {
                skipped_sources.push(format!("keys in the environment: the settings name profile {}", plain(name)));
            }
            (chosen_profile(&context, &asked)?, format!("profile {}", plain(name)))
        }
        (CredentialSelector::Settings(_), None) => default_chain(&context, &asked, &mut skipped_sources)?,
    };
    if let CredentialSelector::Settings(settings) = wanted
        && let Some(wanted) = &settings.role
        && !is_requested
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
    let host_context = HostContext::of(&source, variables, files);
    let (cache_key, ends_at) = cache_key::of(registry, &network, &source, &host_context);
    Ok(Identity { source, network, label, skipped_sources, cache_key, ends_at })
}

/// The credentials of a profile that the settings choose, whatever the environment has.
fn chosen_profile(context: &ResolveContext<'_>, asked: &Wanted<'_>) -> Result<CredentialSource, IdentityError> {
    let profile = existing(context, asked)?.ok_or_else(|| context.files.no_such_profile(asked.name, String::new()))?;
    if profile_chain::assumes_role(profile) {
        return profile_chain::resolve_profile_chain(context, profile);
    }
    match profile_chain::own_credentials(context, profile)? {
        Lookup::Found(source) => Ok(source),
        Lookup::NotConfigured(reason) => {
            profile_chain::check_no_part_of_keys(context, profile)?;
            let reason = format!("profile {}: {reason}", plain(asked.name));
            Err(IdentityError::NoCredentialsInProfile { profile: plain(asked.name), reason })
        }
    }
}

fn default_chain(
    context: &ResolveContext<'_>,
    asked: &Wanted<'_>,
    skipped_sources: &mut Vec<String>,
) -> Result<(CredentialSource, String), IdentityError> {
    let (variables, name) = (context.variables, asked.name);
    let mut found = |lookup| match lookup {
        Lookup::Found(source) => Some(source),
        Lookup::NotConfigured(reason) => {
            skipped_sources.push(reason);
            None
        }
    };
    if let Some(source) = found(env_providers::keys(variables)?) {
        return Ok((source, "keys in the environment".to_owned()));
    }
    let profile = existing(context, asked)?;
    if let Some(profile) = profile.filter(|profile| profile_chain::assumes_role(profile)) {
        let source = profile_chain::resolve_profile_chain(context, profile)?;
        return Ok((source, format!("profile {}", plain(name))));
    }
    let by_environment = variables.os("AWS_WEB_IDENTITY_TOKEN_FILE").is_some();
    if !by_environment {
        context.files.check(profile)?;
    }
    if let Some(source) = found(env_providers::web_identity_of_environment(variables, profile)?) {
        let label = match &source {
            CredentialSource::WebIdentity { role_arn, .. } if by_environment => {
                format!("{} by web identity", role(role_arn))
            }
            _ => format!("profile {}", plain(name)),
        };
        return Ok((source, label));
    }
    if let Some(source) = found(of_profile(context, asked)?) {
        return Ok((source, format!("profile {}", plain(name))));
    }
    if variables.os("AWS_CREDENTIAL_FILE").is_some()
        && let Some(source) = found(env_providers::ec2_tools_file(variables)?)
    {
        return Ok((source, "keys in AWS_CREDENTIAL_FILE".to_owned()));
    }
    if let Some(source) = found(env_providers::container(variables)?) {
        return Ok((source, "this container's role".to_owned()));
    }
    if let Some(source) = found(env_providers::instance(context)?) {
        return Ok((source, "this instance's role".to_owned()));
    }
    let skipped_sources = std::mem::take(skipped_sources);
    let environment = variables.environment;
    let half = missing::half_configured(environment, &skipped_sources);
    // The remedy is put into words where it is asked for: `list` asks for none.
    let remedy = missing::Remedy { place: missing::Place::here(environment), profiles: context.files.some_names() };
    Err(IdentityError::NoSource { skipped_sources, half, remedy })
}

/// The profile that is asked for; `None` where it is the default and is not there.
fn existing<'a>(context: &ResolveContext<'_>, asked: &Wanted<'a>) -> Result<Option<&'a Profile<'a>>, IdentityError> {
    match (asked.profile, asked.named_by) {
        (None, Some(named_by)) => {
            let named_by = asked.named_at.map_or_else(|| named_by.to_owned(), RuleLocation::profile_in_words);
            Err(context.files.no_such_profile(asked.name, named_by))
        }
        (profile, _) => Ok(profile),
    }
}

/// The own credentials of the profile that is asked for. That it has none must be certain: whatever keeps them from being
/// read is an error, since the container's or the instance's role would be used in their place.
fn of_profile(context: &ResolveContext<'_>, asked: &Wanted<'_>) -> Result<Lookup, IdentityError> {
    let name = plain(asked.name);
    let Some(profile) = asked.profile else {
        context.files.check(None)?;
        context.files.check_absence(asked.name)?;
        let (config, credentials) = (context.files.config_path.display(), context.files.credentials_path.display());
        return Ok(Lookup::NotConfigured(format!("profile {name}: neither in {config} nor in {credentials}")));
    };
    match profile_chain::own_credentials(context, profile)? {
        Lookup::Found(source) => Ok(Lookup::Found(source)),
        Lookup::NotConfigured(reason) => {
            profile_chain::check_no_part_of_keys(context, profile)?;
            Ok(Lookup::NotConfigured(format!("profile {name}: {reason}")))
        }
    }
}

/// A role in words, without its account: `role ecr-pull`.
fn role(arn: &str) -> String {
    match arn.split_once(":role/") {
        Some((_, path)) => format!("role {}", plain(path.rsplit('/').next().unwrap_or(path))),
        None => "a role".to_owned(),
    }
}
