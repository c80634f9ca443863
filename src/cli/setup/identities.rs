//! Whether the credentials that a setup is about can be told, and what each registry will use. Nothing is fetched.

use std::fmt::Write as _;

use super::SetupError;
use super::settings_file::{self, SettingsEdit};
use crate::PROGRAM;
use crate::credentials::{CredentialSelector, Identity, IdentityError};
use crate::os::environment::Environment;
use crate::registry::Registry;
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
pub(super) fn check_profile(profile: &str, registry: &Registry, environment: &Environment) -> Result<(), String> {
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

/// Says which credentials each registry will be asked with; whether there are some for each.
pub(super) fn describe(
    report: &mut String,
    settings: Result<Settings, SettingsError>,
    hosts: &[String],
    environment: &Environment,
) -> bool {
    let settings = match settings {
        Ok(settings) => settings,
        Err(error) => {
            let _ = writeln!(report, "no registry can be used yet: {}", one_line(&UserError::from(error).to_string()));
            return false;
        }
    };
    let mut all = true;
    for host in hosts {
        let Some(target) = settings.target(host) else { continue };
        if target.credentials.anonymous {
            let _ = writeln!(report, "{host} is asked without credentials, as the settings say");
            continue;
        }
        let chosen = CredentialSelector::Settings(&target.credentials);
        match Identity::resolve(environment, chosen, &target.registry) {
            Ok(identity) => {
                let _ = writeln!(report, "{host} will use {}", one_line(&identity.label));
            }
            Err(IdentityError::NoSource { .. }) if target.registry.account().is_none() => {
                let _ = writeln!(report, "{host} will be asked without credentials, as there are none here");
            }
            Err(error) => {
                all = false;
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
    all
}

/// The last line of a setup after which a pull can work.
pub(super) fn next_step(report: &mut String, client: &str, host: Option<&String>) {
    let _ = match host {
        Some(host) => {
            writeln!(report, "Next: {client} pull {host}/IMAGE; where it fails, {PROGRAM} doctor {host} says why")
        }
        None => writeln!(report, "Next: pull as ever; where it fails, {PROGRAM} doctor REGISTRY says why"),
    };
}
