//! What a profile of the shared files means: its own credentials, or a chain of roles over those of another profile or of a
//! named source. The rules are the AWS CLI's (botocore's `AssumeRoleProvider`, and its `ProfileProviderBuilder` for a
//! profile's own credentials), but for this: an empty value is an unset one.

use super::env_providers;
use super::error::IdentityError;
use super::profile_files::Profile;
use super::profile_parser::Properties;
use super::resolve_context::{Lookup, ResolveContext};
use super::{CredentialSource, token_files};
use crate::os::secret::Secret;
use crate::text::printable::plain;

/// More profiles than anybody chains; loops are found without it.
const LONGEST_CHAIN: usize = 32;

/// The least that `AssumeRole` and the AWS CLI take for `duration_seconds`, and the most.
const SHORTEST_ROLE: i64 = 900;
const LONGEST_ROLE: i64 = 43_200;

/// A role on the way from the profile in force to its base.
struct AssumeRoleStep {
    role_arn: String,
    session_name: Option<String>,
    external_id: Option<String>,
    duration_seconds: Option<i32>,
    mfa_serial: Option<String>,
}

/// Whether the profile assumes a role with other credentials. With a web identity token, `role_arn` is that token's.
pub(super) fn assumes_role(profile: &Profile<'_>) -> bool {
    profile.get("role_arn").is_some() && profile.get("web_identity_token_file").is_none()
}

/// The role of `first`, which [`assumes_role`], over whatever its chain leads to.
///
/// # Errors
/// A profile on the way that is not there, is wrong in itself, or has no credentials; a chain that loops.
pub(super) fn resolve_profile_chain(
    context: &ResolveContext<'_>,
    first: &Profile<'_>,
) -> Result<CredentialSource, IdentityError> {
    let mut steps: Vec<AssumeRoleStep> = Vec::new();
    let mut visited: Vec<String> = vec![first.name.clone().into_owned()];
    let mut next: Option<Profile<'_>> = None;
    let base = loop {
        let profile = next.as_ref().unwrap_or(first);
        context.files.check(Some(profile))?;
        let source = (profile.get("source_profile"), profile.get("credential_source"));
        steps.push(step(context, profile)?);
        match source {
            (Some(_), Some(_)) => {
                return Err(context.invalid(profile, "has both source_profile and credential_source".into()));
            }
            (None, None) => {
                let reason = "has role_arn, but neither source_profile nor credential_source";
                return Err(context.invalid(profile, reason.into()));
            }
            (None, Some(source)) => break named_source(context, profile, source)?,
            (Some(name), None) => {
                let Some(source) = context.files.profile(name.to_owned()) else {
                    let named_by = format!("source_profile of profile {}", plain(&profile.name));
                    return Err(context.files.no_such_profile(name, named_by));
                };
                context.files.check(Some(&source))?;
                // A profile may name itself: its role is then assumed with its own keys.
                let at = visited.iter().position(|seen| *seen == source.name);
                if let Some(at) = at.filter(|_| source.name != profile.name || !source.has_static_keys()) {
                    return Err(IdentityError::Loop(visited[at..].iter().map(|name| plain(name)).collect()));
                }
                if visited.len() == LONGEST_CHAIN {
                    let reason = format!("more than {LONGEST_CHAIN} profiles name one another");
                    return Err(context.invalid(profile, reason));
                }
                visited.push(source.name.clone().into_owned());
                if source.has_static_keys() || !assumes_role(&source) {
                    match own_credentials(context, &source)? {
                        Lookup::Found(found) => break found,
                        Lookup::NotConfigured(reason) => return Err(context.invalid(&source, reason)),
                    }
                }
                next = Some(source);
            }
        }
    };
    Ok(steps.into_iter().rev().fold(base, |base, step| CredentialSource::AssumeRole {
        base: Box::new(base),
        role_arn: step.role_arn,
        session_name: step.session_name,
        external_id: step.external_id,
        duration_seconds: step.duration_seconds,
        mfa_serial: step.mfa_serial,
    }))
}

fn step(context: &ResolveContext<'_>, profile: &Profile<'_>) -> Result<AssumeRoleStep, IdentityError> {
    let owned = |key| profile.get(key).map(str::to_owned);
    // The AWS CLI takes what is no number for unset, and STS refuses what is too long.
    let duration = profile.get("duration_seconds").and_then(|seconds| seconds.parse::<i64>().ok());
    if duration.is_some_and(|seconds| seconds < SHORTEST_ROLE) {
        return Err(context.invalid(profile, format!("has a duration_seconds of less than {SHORTEST_ROLE}")));
    }
    Ok(AssumeRoleStep {
        role_arn: owned("role_arn").unwrap_or_default(),
        session_name: owned("role_session_name"),
        external_id: owned("external_id"),
        duration_seconds: duration
            .filter(|seconds| *seconds <= LONGEST_ROLE)
            .and_then(|seconds| i32::try_from(seconds).ok()),
        mfa_serial: owned("mfa_serial"),
    })
}

/// The profile's own credentials, roles apart, in the AWS CLI's order: web identity, SSO, keys of the credentials file, a
/// session of `aws login`, a process, keys of the config file.
pub(super) fn own_credentials(context: &ResolveContext<'_>, profile: &Profile<'_>) -> Result<Lookup, IdentityError> {
    context.files.check(Some(profile))?;
    if let Some(path) = profile.get("web_identity_token_file") {
        let Some(role_arn) = profile.get("role_arn") else {
            return Err(context.invalid(profile, "has web_identity_token_file, but no role_arn".into()));
        };
        let named_by = format!("web_identity_token_file of profile {}", plain(&profile.name));
        let session_name = profile.get("role_session_name");
        return env_providers::web_identity(path, named_by, role_arn, session_name).map(Lookup::Found);
    }
    if let Some(sso) = sso_of(context, profile)? {
        return Ok(Lookup::Found(sso));
    }
    if let Some(keys) = keys_of(profile, &profile.credentials, context.files.credentials_path)? {
        return Ok(Lookup::Found(keys));
    }
    if let Some(session) = profile.get("login_session") {
        return Ok(Lookup::Found(login_of(context, profile, session)));
    }
    if let Some(command) = profile.get("credential_process") {
        return Ok(Lookup::Found(CredentialSource::CredentialProcess {
            profile: profile.name.clone().into_owned(),
            command: Secret::new(command.to_owned()),
        }));
    }
    Ok(match keys_of(profile, &profile.config, context.files.config_path)? {
        Some(keys) => Lookup::Found(keys),
        None => Lookup::NotConfigured(super::missing::HAS_NO_CREDENTIALS.to_owned()),
    })
}

/// Keys that are named without a value, or a secret without its id. The AWS CLI stops at the first; nobody else's
/// credentials are used in their place.
///
/// # Errors
/// Those.
pub(super) fn check_no_part_of_keys(context: &ResolveContext<'_>, profile: &Profile<'_>) -> Result<(), IdentityError> {
    const ID: &str = "aws_access_key_id";
    let files = [(&profile.credentials, context.files.credentials_path), (&profile.config, context.files.config_path)];
    for (properties, path) in files {
        let reason = if properties.get("aws_secret_access_key").is_some() {
            format!("has no {ID}")
        } else if properties.has(ID) {
            format!("has an {ID} without a value")
        } else {
            continue;
        };
        return Err(IdentityError::InvalidProfile { profile: plain(&profile.name), path: path.to_owned(), reason });
    }
    Ok(())
}

/// `credential_source`, whose names have no case.
fn named_source(
    context: &ResolveContext<'_>,
    profile: &Profile<'_>,
    name: &str,
) -> Result<CredentialSource, IdentityError> {
    let lookup = if name.eq_ignore_ascii_case("Environment") {
        env_providers::keys(context.variables)?
    } else if name.eq_ignore_ascii_case("EcsContainer") {
        env_providers::container(context.variables)?
    } else if name.eq_ignore_ascii_case("Ec2InstanceMetadata") {
        env_providers::instance(context)?
    } else {
        let reason = "credential_source is none of Environment, Ec2InstanceMetadata, EcsContainer";
        return Err(context.invalid(profile, reason.into()));
    };
    match lookup {
        Lookup::Found(source) => Ok(source),
        Lookup::NotConfigured(reason) => {
            Err(context.invalid(profile, format!("credential_source = {}, but {reason}", plain(name))))
        }
    }
}

/// SSO, which a profile with an account or a role means. What the profile and its session both say must be the same.
fn sso_of(context: &ResolveContext<'_>, profile: &Profile<'_>) -> Result<Option<CredentialSource>, IdentityError> {
    const KEYS: [&str; 4] = ["sso_account_id", "sso_role_name", "sso_region", "sso_start_url"];
    if profile.get(KEYS[0]).is_none() && profile.get(KEYS[1]).is_none() {
        return Ok(None);
    }
    let name = profile.get("sso_session");
    let session = match name {
        None => Properties::default(),
        Some(name) => context.files.sso_session(name)?.ok_or_else(|| {
            let path = context.files.config_path.display();
            context.invalid(profile, format!("there is no section [sso-session {}] in {path}", plain(name)))
        })?,
    };
    let of = |key: &str| -> Result<String, IdentityError> {
        match (profile.get(key), session.get(key)) {
            (Some(here), Some(there)) if here != there => {
                let (here, there, name) = (plain(here), plain(there), plain(name.unwrap_or_default()));
                let reason = format!("{key} is {here} here, and {there} in [sso-session {name}]");
                Err(context.invalid(profile, reason))
            }
            (Some(value), _) | (None, Some(value)) => Ok(value.to_owned()),
            (None, None) => {
                let has = KEYS.iter().find(|key| profile.get(key).is_some()).copied().unwrap_or_default();
                Err(context.invalid(profile, format!("has {has}, but no {key}")))
            }
        }
    };
    let [account, role, region, start_url] = KEYS.map(of);
    let start_url = start_url?;
    Ok(Some(CredentialSource::Sso {
        profile: profile.name.clone().into_owned(),
        session: name.map(str::to_owned),
        scopes: session.get("sso_registration_scopes").map(str::to_owned),
        token_file: context.variables.home().map(|home| token_files::sso(home, name.unwrap_or(&start_url))),
        start_url,
        region: region?,
        account: account?,
        role: role?,
    }))
}

/// A session of `aws login`. Its region is the profile's, else that of the profile in force or the environment.
fn login_of(context: &ResolveContext<'_>, profile: &Profile<'_>, session: &str) -> CredentialSource {
    let region = profile
        .get("region")
        .or_else(|| context.in_force?.get("region"))
        .or_else(|| context.variables.get("AWS_REGION"))
        .or_else(|| context.variables.get("AWS_DEFAULT_REGION"));
    CredentialSource::LoginSession {
        profile: profile.name.clone().into_owned(),
        session: session.to_owned(),
        region: region.map(str::to_owned),
        session_file: token_files::login(context.variables, session),
    }
}

/// Static keys in one of the files; `None` where there is no key id. A token belongs to the keys of its own file.
fn keys_of(
    profile: &Profile<'_>,
    properties: &Properties<'_>,
    path: &std::path::Path,
) -> Result<Option<CredentialSource>, IdentityError> {
    let Some(id) = properties.get("aws_access_key_id") else { return Ok(None) };
    let Some(secret) = properties.get("aws_secret_access_key") else {
        return Err(IdentityError::InvalidProfile {
            profile: plain(&profile.name),
            path: path.to_owned(),
            reason: "has no aws_secret_access_key".to_owned(),
        });
    };
    let owned = |value: &str| Secret::new(value.to_owned());
    let session_token = properties.get("aws_security_token").or_else(|| properties.get("aws_session_token"));
    Ok(Some(CredentialSource::StaticKeys {
        id: owned(id),
        secret: owned(secret),
        session_token: session_token.map(owned),
    }))
}
