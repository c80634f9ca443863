//! The order in which sources of credentials are asked: the SDK's own (aws-config's
//! `default_provider/credentials.rs`), with what our settings say before it and on top of it.

use super::error::{IdentityError, plain};
use super::fingerprint::{self, Place};
use super::profile::{self, Voice};
use super::shared::SharedFiles;
use super::sources::{self, World};
use super::variables::Variables;
use super::{Identity, Source, Wanted, network};
use crate::registry::Registry;

const DEFAULT_PROFILE: &str = "default";

/// Finds who speaks. `broken` says why `files` are empty though they exist; it counts once a profile is asked for.
pub(super) fn find(
    variables: &Variables<'_>,
    files: &SharedFiles<'_>,
    broken: Option<IdentityError>,
    wanted: Wanted<'_>,
    registry: &Registry,
) -> Result<Identity, IdentityError> {
    let chosen = match wanted {
        Wanted::Speaker(speaker) => speaker.profile.as_deref(),
        Wanted::ServiceAccount(_) => None,
    };
    let of_environment = variables.need("AWS_PROFILE")?;
    let in_force = files.profile(chosen.or(of_environment).unwrap_or(DEFAULT_PROFILE));
    let world = World { variables, files, in_force: in_force.as_ref() };
    let mut passed_over = Vec::new();
    let (mut source, mut label) = match (wanted, chosen) {
        (Wanted::ServiceAccount(account), _) => (
            Source::WebIdentity {
                role_arn: account.role_arn.clone(),
                session_name: None,
                token_file: None,
                token: account.token.clone(),
            },
            format!("{} by service account token", role(&account.role_arn)),
        ),
        (_, Some(name)) => {
            if let Ok(Voice::Speaks(_)) = sources::keys(variables) {
                passed_over.push(format!("keys in the environment: the settings name profile {}", plain(name)));
            }
            if let Some(broken) = broken {
                return Err(broken);
            }
            match profile::follow(&world, name, Some("the settings"))? {
                Voice::Speaks(source) => (source, format!("profile {}", plain(name))),
                Voice::Silent(reason) => {
                    return Err(IdentityError::NoCredentialsInProfile { profile: plain(name), reason });
                }
            }
        }
        (_, None) => default_chain(&world, of_environment, broken, &mut passed_over)?,
    };
    if let Wanted::Speaker(speaker) = wanted
        && let Some(wanted) = &speaker.role
    {
        label = format!("{} by {label}", role(&wanted.arn));
        source = Source::Role {
            base: Box::new(source),
            role_arn: wanted.arn.clone(),
            session_name: wanted.session_name.clone(),
            external_id: wanted.external_id.clone(),
            duration_seconds: None,
        };
    }
    let network = network::network(&world, registry.service())?;
    let (fingerprint, ends_at) = fingerprint::of(registry, &network, &source, &Place::of(&source, variables));
    Ok(Identity { source, network, label, passed_over, fingerprint, ends_at })
}

fn default_chain(
    world: &World<'_>,
    named: Option<&str>,
    broken: Option<IdentityError>,
    passed_over: &mut Vec<String>,
) -> Result<(Source, String), IdentityError> {
    let mut silent = |voice| match voice {
        Voice::Speaks(source) => Some(source),
        Voice::Silent(reason) => {
            passed_over.push(reason);
            None
        }
    };
    if let Some(source) = silent(sources::keys(world.variables)?) {
        return Ok((source, "keys in the environment".to_owned()));
    }
    if let Some(broken) = broken {
        return Err(broken);
    }
    let profile = named.unwrap_or(DEFAULT_PROFILE);
    if let Some(source) = silent(profile::follow(world, profile, named.map(|_| "AWS_PROFILE"))?) {
        return Ok((source, format!("profile {}", plain(profile))));
    }
    if let Some(source) = silent(sources::web_identity_of_environment(world.variables)?) {
        let role = match &source {
            Source::WebIdentity { role_arn, .. } => role(role_arn),
            _ => role(""),
        };
        return Ok((source, format!("{role} by web identity")));
    }
    if let Some(source) = silent(sources::container(world.variables)?) {
        return Ok((source, "this container's role".to_owned()));
    }
    if let Some(source) = silent(sources::instance(world)?) {
        return Ok((source, "this instance's role".to_owned()));
    }
    Err(IdentityError::NoSource { passed_over: std::mem::take(passed_over) })
}

/// A role in words, without its account: `role ecr-pull`.
fn role(arn: &str) -> String {
    match arn.split_once(":role/") {
        Some((_, path)) => format!("role {}", plain(path.rsplit('/').next().unwrap_or(path))),
        None => "a role".to_owned(),
    }
}
