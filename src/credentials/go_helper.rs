//! What the Go helper (amazon-ecr-credential-helper 0.12.0, AWS SDK for Go v2) would use for the same variables and files, where
//! that differs: for `doctor`, since people come from there. docs/from-the-go-helper.md has the cases.

use super::aws_env::AwsEnv;
use super::profile_files::Profile;
use super::{CredentialSelector, CredentialSource};
use crate::os::environment::Environment;
use crate::text::printable::plain;

/// Keys whose values the Go helper reads without what stands behind ` #` or ` ;`, and without quotes around them.
const CLEANED_KEYS: [&str; 6] = [
    "aws_access_key_id",
    "aws_secret_access_key",
    "credential_process",
    "role_arn",
    "source_profile",
    "web_identity_token_file",
];

/// Signs that mean something to the shell which the Go helper starts.
const SHELL_SIGNS: [char; 8] = ['$', '~', '|', '&', ';', '<', '>', '`'];

/// The differences, each as what the Go helper would do; none where it would use the same.
///
/// `used` is what is used here, `None` where that is an error.
pub(crate) fn go_helper_differences(
    environment: &Environment,
    selector: CredentialSelector<'_>,
    used: Option<&CredentialSource>,
) -> Vec<String> {
    let CredentialSelector::Settings(settings) = selector else { return Vec::new() };
    // It knows no settings that choose a profile or a role.
    if settings.profile.is_some() || settings.role.is_some() {
        return Vec::new();
    }
    super::read(environment, |variables, files| {
        let names = ["AWS_PROFILE", "AWS_DEFAULT_PROFILE"].map(|name| variables.get(name));
        let name = names.into_iter().flatten().next().unwrap_or("default");
        let profile = files.profile(name.to_owned());
        let mut differences = of_variables(variables, used);
        if let Some(profile) = &profile {
            differences.extend(of_profile(variables, profile, used));
            let source = profile.get("source_profile").filter(|source| *source != name);
            if let Some(source) = source.and_then(|source| files.profile(source.to_owned())) {
                differences.extend(values(&source));
            }
        }
        differences
    })
}

fn of_variables(variables: &AwsEnv<'_>, used: Option<&CredentialSource>) -> Vec<String> {
    let mut differences = Vec::new();
    let is_set = |name| variables.os(name).is_some();
    let has_keys = is_set("AWS_ACCESS_KEY_ID") && is_set("AWS_SECRET_ACCESS_KEY");
    if !has_keys && is_set("AWS_ACCESS_KEY") && is_set("AWS_SECRET_KEY") {
        differences.push("would use AWS_ACCESS_KEY and AWS_SECRET_KEY".to_owned());
    } else if used.is_none() && is_set("AWS_ACCESS_KEY_ID") && !is_set("AWS_SECRET_ACCESS_KEY") {
        differences.push("would pass over AWS_ACCESS_KEY_ID without its secret".to_owned());
    }
    for name in ["AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"] {
        if variables.get(name).is_some_and(|path| path.starts_with('~') || path.contains('$')) {
            differences.push(format!("would not replace ~ and $ in {name}, and not find the file"));
        }
    }
    if !has_keys && is_set("AWS_CREDENTIAL_FILE") {
        differences.push("would not read AWS_CREDENTIAL_FILE".to_owned());
    }
    differences
}

fn of_profile(variables: &AwsEnv<'_>, profile: &Profile<'_>, used: Option<&CredentialSource>) -> Vec<String> {
    let name = plain(&profile.name);
    let mut differences = values(profile);
    match used {
        Some(CredentialSource::AssumeRole { .. }) if variables.os("AWS_WEB_IDENTITY_TOKEN_FILE").is_some() => {
            differences.push("would use web identity of the environment before the role of the profile".to_owned());
        }
        Some(
            CredentialSource::Sso { .. }
            | CredentialSource::LoginSession { .. }
            | CredentialSource::CredentialProcess { .. },
        ) if profile.has_static_keys() => {
            differences.push(format!("would use the static keys of profile {name} first"));
        }
        None if profile.get("role_arn").is_some() && profile.get("source_profile").is_none() => {
            differences.push(format!("would assume the role of profile {name} with whatever else it finds"));
        }
        _ => {}
    }
    if let Some(CredentialSource::CredentialProcess { command, .. }) = used
        && command.expose().contains(SHELL_SIGNS)
    {
        differences.push(format!("would hand the credential_process of profile {name} to sh -c"));
    }
    differences
}

/// Values that the Go helper reads otherwise.
fn values(profile: &Profile<'_>) -> Vec<String> {
    let is_cleaned = |value: &str| {
        let has_comment = [" #", " ;", "\t#", "\t;"].iter().any(|sign| value.contains(sign));
        has_comment || (value.len() > 1 && value.starts_with('"') && value.ends_with('"'))
    };
    let cleaned = CLEANED_KEYS.iter().filter(|key| profile.get(key).is_some_and(is_cleaned));
    let name = plain(&profile.name);
    cleaned.map(|key| format!("would read {key} of profile {name} without its comment or quotes")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::os::environment::HOME;
    use crate::settings::CredentialSettings;

    const KEYS: &str = "aws_access_key_id = A\naws_secret_access_key = s\n";

    fn differences(config: &str, credentials: &str, variables: &[(&str, &str)]) -> Vec<String> {
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir(home.path().join(".aws")).unwrap();
        std::fs::write(home.path().join(".aws/config"), config).unwrap();
        std::fs::write(home.path().join(".aws/credentials"), credentials).unwrap();
        let path = home.path().to_str().unwrap();
        let environment = Environment::of(variables.iter().copied().chain([(HOME, path)]));
        let settings = CredentialSettings::default();
        let selector = CredentialSelector::Settings(&settings);
        let registry = crate::registry::Registry::parse("123456789012.dkr.ecr.eu-west-1.amazonaws.com").unwrap();
        let used = super::super::Identity::resolve(&environment, selector, &registry);
        go_helper_differences(&environment, selector, used.as_ref().ok().map(|identity| &identity.source))
    }

    #[test]
    fn what_the_go_helper_would_use_instead_is_named() {
        let sso = "[default]\nsso_start_url = u\nsso_region = r\nsso_account_id = 1\nsso_role_name = R\n";
        let role = "[default]\nrole_arn = r\nsource_profile = base\n";
        let keys = format!("[default]\n{KEYS}");
        let base = format!("[base]\n{KEYS}");
        let web = [("AWS_WEB_IDENTITY_TOKEN_FILE", "/x"), ("AWS_ROLE_ARN", "r")];
        let old = [("AWS_ACCESS_KEY", "A"), ("AWS_SECRET_KEY", "s")];
        for (found, says) in [
            (differences(sso, &keys, &[]), "the static keys of profile default first"),
            (differences(role, &base, &web), "web identity of the environment before the role"),
            (differences("", &keys, &old), "AWS_ACCESS_KEY and AWS_SECRET_KEY"),
            (
                differences("", "[default]\naws_access_key_id = A # c\naws_secret_access_key = s\n", &[]),
                "without its comment",
            ),
            (differences("[default]\ncredential_process = x $HOME\n", "", &[]), "to sh -c"),
            (differences("[default]\nrole_arn = r\n", "", &[]), "with whatever else it finds"),
            (differences("", "", &[("AWS_CONFIG_FILE", "~/x")]), "not find the file"),
            (differences("", "", &[("AWS_ACCESS_KEY_ID", "A")]), "without its secret"),
        ] {
            assert!(found.len() == 1 && found[0].contains(says), "{says}: {found:?}");
        }
    }

    #[test]
    fn where_it_would_use_the_same_there_is_nothing_to_say() {
        let keys = format!("[default]\n{KEYS}");
        assert!(differences("[default]\nregion = x # c\ncredential_process = y\n", &keys, &[]).is_empty());
        assert!(differences("", "", &[]).is_empty());
    }
}
