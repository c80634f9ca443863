//! Whether the credentials that a setup is about can be told, and what each registry will use. Nothing is fetched.

use std::fmt::Write as _;

use super::SetupError;
use super::settings_file::{self, SettingsEdit};
use crate::PROGRAM;
use crate::aws::sign_in_is_due;
use crate::credentials::{CredentialSelector, Identity, IdentityError};
use crate::os::environment::Environment;
use crate::registry::{Registry, odd_region};
use crate::settings::{CredentialSettings, Settings, SettingsError};
use crate::text::printable::one_line;
use crate::text::user_error::UserError;

/// Fails for an argument that could not be used, and names it.
///
/// # Errors
/// The profile that was named does not resolve, or a value is not what the settings take.
pub(super) fn check_arguments(edit: &SettingsEdit<'_>, environment: &Environment) -> Result<(), SetupError> {
    if let Err(error) = settings_file::check_values(edit) {
        return Err(match error {
            SettingsError::Wrong { key: Some(key), message, .. } => {
                let value = match key.as_str() {
                    "profile" => edit.profile,
                    "role_arn" => edit.role_arn,
                    "web_identity" => edit.web_identity,
                    "audience" => edit.audience,
                    _ => None,
                };
                let argument = format!("--{} {}", key.replace('_', "-"), value.unwrap_or_default());
                SetupError::Argument { argument, reason: message }
            }
            error => error.into(),
        });
    }
    let Some(profile) = edit.profile else { return Ok(()) };
    for registry in edit.registries.iter().filter_map(|host| Registry::parse(host)) {
        if let Err(reason) = check_profile(profile, &registry, environment) {
            return Err(SetupError::Argument { argument: format!("--profile {profile}"), reason });
        }
    }
    Ok(())
}

/// Fails, with the reason, where a profile names no credentials for the registry.
///
/// # Errors
/// It does not exist, has no credentials, or is written wrong.
pub(in crate::cli) fn check_profile(
    profile: &str,
    registry: &Registry,
    environment: &Environment,
) -> Result<(), String> {
    let credentials = CredentialSettings { profile: Some(profile.to_owned()), ..CredentialSettings::default() };
    let resolved = Identity::resolve(environment, CredentialSelector::Settings(&credentials), registry);
    resolved.map(drop).map_err(|error| match error {
        IdentityError::NoSuchProfile(missing) if missing.profile == profile => {
            let files = format!(
                "there is no such profile in {} or {}",
                missing.config.display(),
                missing.credentials.display()
            );
            match IdentityError::NoSuchProfile(missing).remedy() {
                Some(remedy) => format!("{files}; {remedy}"),
                None => files,
            }
        }
        IdentityError::NoCredentialsInProfile { reason, .. } => {
            format!("{reason}; run: aws configure --profile {profile}")
        }
        error => UserError::from(error).to_string(),
    })
}

/// What can be done next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Nothing yet: the report says why.
    Nothing,
    /// To sign in to IAM Identity Center.
    SignIn,
    /// To pull, from this registry if one is known.
    Pull(Option<String>),
}

/// Says which credentials each registry will be asked with; what can be done next.
pub(super) fn describe(
    report: &mut String,
    settings: Result<Settings, SettingsError>,
    hosts: &[String],
    undecided: &[String],
    environment: &Environment,
) -> Next {
    let settings = match settings {
        Ok(settings) => settings,
        Err(error) => {
            let _ = writeln!(report, "no registry can be used yet: {}", one_line(&UserError::from(error).to_string()));
            return Next::Nothing;
        }
    };
    let (mut pull, mut sign_in) = (None, false);
    for host in hosts {
        let Some(target) = settings.target(host) else { continue };
        if let Some(odd) = odd_region(target.registry.region()) {
            let _ = writeln!(report, "{host}: {odd}");
        }
        if target.credentials.anonymous {
            let _ = writeln!(report, "{host} is asked without credentials, as the settings say");
            pull.get_or_insert_with(|| host.clone());
            continue;
        }
        let selector = CredentialSelector::Settings(&target.credentials);
        match Identity::resolve(environment, selector, &target.registry) {
            Ok(identity) => {
                let _ = writeln!(report, "{host} will use {}", one_line(&identity.described()));
                sign_in |= sign_in_is_due(&identity.source).is_some();
                pull.get_or_insert_with(|| host.clone());
            }
            Err(IdentityError::NoSource { .. }) if target.registry.account().is_none() => {
                let _ = writeln!(report, "{host} will be asked without credentials, as there are none here");
                pull.get_or_insert_with(|| host.clone());
            }
            Err(IdentityError::NoSource { .. }) if undecided.contains(host) => {
                let _ = writeln!(report, "{host} cannot be used until its profile is chosen");
            }
            Err(error) => {
                let reason = match &error {
                    // The list of all that was looked for is doctor's.
                    IdentityError::NoSource { .. } => "no AWS credentials were found".to_owned(),
                    error => error.to_string(),
                };
                let remedy = error.remedy().map(|remedy| format!("; {remedy}")).unwrap_or_default();
                let _ = writeln!(report, "{host} cannot be used yet: {}{}", one_line(&reason), one_line(&remedy));
            }
        }
    }
    match (sign_in, pull) {
        (true, _) => Next::SignIn,
        (false, None) if !hosts.is_empty() => Next::Nothing,
        (false, pull) => Next::Pull(pull),
    }
}

/// The last line of a setup.
pub(super) fn next_step(report: &mut String, client: &str, next: &Next) {
    let _ = match next {
        Next::Nothing => Ok(()),
        Next::SignIn => writeln!(report, "Next: {PROGRAM} login, which signs in and fetches the tokens"),
        Next::Pull(Some(host)) => {
            writeln!(report, "Next: {client} pull {host}/IMAGE; where it fails, {PROGRAM} doctor {host} says why")
        }
        Next::Pull(None) => writeln!(report, "Next: pull as ever; where it fails, {PROGRAM} doctor REGISTRY says why"),
    };
}
