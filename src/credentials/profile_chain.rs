//! What a profile of the shared files means: its own credentials, or a chain of roles over those of another
//! profile or a named source. Agrees with the SDK's resolver (aws-config's `profile/credentials/repr.rs`) in
//! everything but this: a profile that is named and does not exist is an error.

use super::env_providers::{self, ResolveContext};
use super::error::{IdentityError, plain};
use super::profile_files::{Profile, expand_home};
use super::{CredentialSource, sso};
use crate::os::secret::Secret;

/// More profiles than anybody chains; loops are found without it.
const LONGEST_CHAIN: usize = 32;

/// What a place where credentials may be has to say.
#[derive(Debug)]
pub(super) enum Lookup {
    /// These credentials.
    Found(CredentialSource),
    /// Nothing, and why: the next place is asked.
    NotConfigured(String),
}

/// A role on the way from the profile in force to its base.
struct AssumeRoleStep {
    role_arn: String,
    session_name: Option<String>,
    external_id: Option<String>,
    duration_seconds: Option<i32>,
    mfa_serial: Option<String>,
}

/// What a profile has to say that is the base of a chain.
enum Base {
    Source(CredentialSource),
    /// Nothing. The SDK goes on with the next place if this is the first profile.
    Nothing(String),
    /// An access token's configuration, of no use here. The SDK goes on with the next place in any case.
    TokenOnly(String),
}

/// Follows the profile `name`, which `named_by` asks for; `None` when it is the default for want of a name.
pub(super) fn resolve_profile_chain(
    context: &ResolveContext<'_>,
    name: &str,
    named_by: Option<&str>,
) -> Result<Lookup, IdentityError> {
    let mut steps: Vec<AssumeRoleStep> = Vec::new();
    let mut visited: Vec<String> = Vec::new();
    let mut name = name.to_owned();
    let base = loop {
        let known = context.in_force.filter(|profile| profile.name == name);
        let looked_up = if known.is_none() { context.files.profile(name.clone()) } else { None };
        let Some(profile) = known.or(looked_up.as_ref()) else {
            return match (visited.last(), named_by) {
                (Some(previous), _) => {
                    Err(context.files.no_such_profile(&name, format!("source_profile of profile {}", plain(previous))))
                }
                (None, Some(named_by)) => Err(context.files.no_such_profile(&name, named_by.to_owned())),
                (None, None) => Ok(Lookup::NotConfigured(format!(
                    "profile {}: neither in {} nor in {}",
                    plain(&name),
                    context.files.config_path.display(),
                    context.files.credentials_path.display()
                ))),
            };
        };
        if let Some(at) = visited.iter().position(|seen| *seen == name) {
            return Err(IdentityError::Loop(visited[at..].iter().map(|name| plain(name)).collect()));
        }
        if visited.len() == LONGEST_CHAIN {
            return Err(context.invalid(profile, format!("more than {LONGEST_CHAIN} profiles name one another")));
        }
        let first = visited.is_empty();
        visited.push(name);
        if !first && let Ok(Some(keys)) = keys_of(context, profile) {
            break Base::Source(keys);
        }
        let Some(step) = step(profile) else {
            break match base(context, profile)? {
                Base::Nothing(reason) if !first => return Err(context.invalid(profile, reason)),
                base => base,
            };
        };
        let next = match (profile.get("source_profile"), profile.get("credential_source")) {
            (Some(_), Some(_)) => {
                return Err(context.invalid(profile, "has both source_profile and credential_source".into()));
            }
            (None, None) => {
                return Err(
                    context.invalid(profile, "has role_arn, but neither source_profile nor credential_source".into())
                );
            }
            (Some(next), None) if next != profile.name => Some(next.to_owned()),
            _ => None,
        };
        steps.push(step);
        match next {
            Some(next) => name = next,
            None => break base(context, profile)?,
        }
    };
    Ok(match base {
        Base::Nothing(reason) | Base::TokenOnly(reason) => {
            let name = visited.first().map(|name| plain(name)).unwrap_or_default();
            Lookup::NotConfigured(format!("profile {name}: {reason}"))
        }
        Base::Source(source) => {
            Lookup::Found(steps.into_iter().rev().fold(source, |base, step| CredentialSource::AssumeRole {
                base: Box::new(base),
                role_arn: step.role_arn,
                session_name: step.session_name,
                external_id: step.external_id,
                duration_seconds: step.duration_seconds,
                mfa_serial: step.mfa_serial,
            }))
        }
    })
}

fn step(profile: &Profile<'_>) -> Option<AssumeRoleStep> {
    // With a web identity token, role_arn is that token's.
    if profile.get("web_identity_token_file").is_some() {
        return None;
    }
    let owned = |key| profile.get(key).map(str::to_owned);
    Some(AssumeRoleStep {
        role_arn: owned("role_arn")?,
        session_name: owned("role_session_name"),
        external_id: owned("external_id"),
        duration_seconds: profile
            .get("duration_seconds")
            .and_then(|seconds| seconds.parse().ok())
            // What AssumeRole allows; the SDK does not read the key at all.
            .filter(|seconds| (900..=43_200).contains(seconds)),
        mfa_serial: owned("mfa_serial").filter(|serial| !serial.is_empty()),
    })
}

/// The profile's own credentials, roles apart.
fn base(context: &ResolveContext<'_>, profile: &Profile<'_>) -> Result<Base, IdentityError> {
    if let Some(source) = profile.get("credential_source") {
        return named_source(context, profile, source).map(Base::Source);
    }
    if let Some(path) = profile.get("web_identity_token_file") {
        let Some(role_arn) = profile.get("role_arn") else {
            return Err(context.invalid(profile, "has web_identity_token_file, but no role_arn".into()));
        };
        let named_by = format!("web_identity_token_file of profile {}", plain(&profile.name));
        return env_providers::web_identity(path, named_by, role_arn, profile.get("role_session_name"))
            .map(Base::Source);
    }
    if let Some(base) = sso_of(context, profile)? {
        return Ok(base);
    }
    if let Some(session) = profile.get("login_session") {
        return Ok(Base::Source(CredentialSource::LoginSession {
            profile: profile.name.clone().into_owned(),
            session: session.to_owned(),
        }));
    }
    if let Some(command) = profile.get("credential_process") {
        return Ok(Base::Source(CredentialSource::CredentialProcess {
            profile: profile.name.clone().into_owned(),
            command: Secret::new(command.to_owned()),
        }));
    }
    Ok(match keys_of(context, profile)? {
        Some(keys) => Base::Source(keys),
        None => Base::Nothing("has no credentials".to_owned()),
    })
}

/// `credential_source`, whose names have no case.
fn named_source(
    context: &ResolveContext<'_>,
    profile: &Profile<'_>,
    name: &str,
) -> Result<CredentialSource, IdentityError> {
    let voice = if name.eq_ignore_ascii_case("Environment") {
        env_providers::keys(context.variables)?
    } else if name.eq_ignore_ascii_case("EcsContainer") {
        env_providers::container(context.variables)?
    } else if name.eq_ignore_ascii_case("Ec2InstanceMetadata") {
        env_providers::instance(context)?
    } else {
        let reason = "credential_source is none of Environment, Ec2InstanceMetadata, EcsContainer";
        return Err(context.invalid(profile, reason.into()));
    };
    match voice {
        Lookup::Found(source) => Ok(source),
        Lookup::NotConfigured(reason) => {
            Err(context.invalid(profile, format!("credential_source = {}, but {reason}", plain(name))))
        }
    }
}

fn sso_of(context: &ResolveContext<'_>, profile: &Profile<'_>) -> Result<Option<Base>, IdentityError> {
    const ONLY_IN_SESSION: &str = "belongs into the [sso-session] section when sso_session is given";
    let account = profile.get("sso_account_id");
    let role = profile.get("sso_role_name");
    let session = profile.get("sso_session");
    let mut region = profile.get("sso_region");
    let mut start_url = profile.get("sso_start_url");
    let mut scopes = None;
    if [account, role, session, region, start_url].iter().all(Option::is_none) {
        return Ok(None);
    }
    let section;
    if let Some(name) = session {
        for (key, value) in [("sso_start_url", start_url), ("sso_region", region)] {
            if value.is_some() {
                return Err(context.invalid(profile, format!("{key} {ONLY_IN_SESSION}")));
            }
        }
        section = context.files.sso_session(name);
        let Some(section) = &section else {
            return Err(context.invalid(profile, format!("there is no section [sso-session {}]", plain(name))));
        };
        start_url = section.get("sso_start_url");
        region = section.get("sso_region");
        scopes = section.get("sso_registration_scopes");
    }
    let (account, role) = match (account, role) {
        (Some(account), Some(role)) => (Some(account), role),
        (None, None) => (None, ""),
        (Some(_), None) => return Err(context.invalid(profile, "has sso_account_id, but no sso_role_name".into())),
        (None, Some(_)) => return Err(context.invalid(profile, "has sso_role_name, but no sso_account_id".into())),
    };
    // The SDK goes on with the next source where one of these is missing.
    let Some(region) = region else { return Ok(Some(Base::Nothing("has no sso_region".into()))) };
    let Some(start_url) = start_url else { return Ok(Some(Base::Nothing("has no sso_start_url".into()))) };
    let Some(account) = account else {
        return Ok(Some(Base::TokenOnly("has neither sso_account_id nor sso_role_name".into())));
    };
    Ok(Some(Base::Source(CredentialSource::Sso {
        profile: profile.name.clone().into_owned(),
        session: session.map(str::to_owned),
        start_url: start_url.to_owned(),
        region: region.to_owned(),
        account: account.to_owned(),
        role: role.to_owned(),
        scopes: scopes.map(str::to_owned),
        token_file: context.variables.home().map(|home| sso::token_file(home, session.unwrap_or(start_url))),
    })))
}

/// Static keys; `None` where there is no part of them.
fn keys_of(context: &ResolveContext<'_>, profile: &Profile<'_>) -> Result<Option<CredentialSource>, IdentityError> {
    let id = profile.get("aws_access_key_id");
    let secret = profile.get("aws_secret_access_key");
    let session_token = profile.get("aws_session_token");
    let owned = |value: &str| Secret::new(value.to_owned());
    let half = |missing: &str| IdentityError::InvalidProfile {
        profile: plain(&profile.name),
        path: context.files.path_of_keys(&profile.name).to_owned(),
        reason: format!("has no {missing}"),
    };
    match (id, secret) {
        (None, None) if session_token.is_none() => Ok(None),
        (None, _) => Err(half("aws_access_key_id")),
        (_, None) => Err(half("aws_secret_access_key")),
        (Some(id), Some(secret)) => Ok(Some(CredentialSource::StaticKeys {
            id: owned(id),
            secret: owned(secret),
            session_token: session_token.map(owned),
        })),
    }
}

/// The path in `ca_bundle`, where the shell would have expanded `~`.
pub(super) fn path_of(context: &ResolveContext<'_>, value: &str) -> std::path::PathBuf {
    expand_home(value.as_ref(), context.variables.home()).unwrap_or_else(|| value.into())
}
