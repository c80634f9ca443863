//! The accounts and regions that the profiles name, for `setup`, which offers their registries.

use super::aws_env::AwsEnv;
use super::profile_files::{Profile, ProfileFiles};
use crate::os::environment::Environment;

/// An account that a profile names, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ProfileAccount {
    /// The profile.
    pub(crate) profile: String,
    /// The account, as the profile has it.
    pub(crate) account: String,
    /// The profile's region, or the one that it gets from elsewhere.
    pub(crate) region: String,
}

/// The accounts of all profiles, in the order of their names; none where the files cannot be read.
pub(crate) fn profile_accounts(environment: &Environment) -> Vec<ProfileAccount> {
    super::read(environment, |variables, files| {
        let default_region = default_region(variables, files);
        let mut profile_accounts = Vec::new();
        for profile in files.profile_names().into_iter().filter_map(|name| files.profile(name.to_owned())) {
            let source = profile.get("source_profile").and_then(|source| files.profile(source.to_owned()));
            let of_source = source.as_ref().and_then(|source| source.get("region"));
            let Some(region) = profile.get("region").or(of_source).or(default_region.as_deref()) else { continue };
            for account in accounts(&profile) {
                let (profile, account) = (profile.name.to_string(), account.to_owned());
                profile_accounts.push(ProfileAccount { profile, account, region: region.to_owned() });
            }
        }
        profile_accounts
    })
}

/// The names of all profiles, in order; none where the files cannot be read.
pub(crate) fn profile_names(environment: &Environment) -> Vec<String> {
    super::read(environment, |_, files| files.profile_names().into_iter().map(str::to_owned).collect())
}

fn default_region(variables: &AwsEnv<'_>, files: &ProfileFiles<'_>) -> Option<String> {
    let named = ["AWS_REGION", "AWS_DEFAULT_REGION"].into_iter().find_map(|name| variables.get(name));
    named.map(str::to_owned).or_else(|| files.profile("default")?.get("region").map(str::to_owned))
}

/// The region that the environment or the profile in use names.
pub(super) fn configured_region(variables: &AwsEnv<'_>, files: &ProfileFiles<'_>) -> Option<String> {
    let variable = |names: [&str; 2]| names.into_iter().find_map(|name| variables.get(name)).map(str::to_owned);
    variable(["AWS_REGION", "AWS_DEFAULT_REGION"]).or_else(|| {
        let profile = variable(["AWS_PROFILE", "AWS_DEFAULT_PROFILE"]);
        files.profile(profile.as_deref().unwrap_or("default"))?.get("region").map(str::to_owned)
    })
}

fn accounts<'p>(profile: &'p Profile<'_>) -> impl Iterator<Item = &'p str> {
    // A role's account is the fifth field of its ARN: arn:aws:iam::123456789012:role/name
    let of_role = profile.get("role_arn").and_then(|arn| arn.split(':').nth(4));
    [profile.get("sso_account_id"), profile.get("aws_account_id"), of_role].into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_account_of_a_profile_in_its_own_region_its_sources_or_the_default() {
        let directory = tempfile::tempdir().unwrap();
        let files = [
            (
                "config",
                "[default]\nregion = r-default\n[profile sso]\nsso_account_id = 1\naws_account_id = 2\n\
                 [profile base]\nregion = r-base\n[profile role]\nrole_arn = arn:aws:iam::3:role/x\n\
                 source_profile = base\nregion = r-role\n[profile chained]\nrole_arn = arn:aws:iam::4:role/x\n\
                 source_profile = base\n[profile odd]\nrole_arn = nonsense\nsource_profile = nobody\n",
            ),
            ("credentials", "[sso]\nregion = r-sso\n[keys]\naws_access_key_id = a\naws_account_id = 5\n"),
        ];
        let path = |name: &str| directory.path().join(name).into_os_string();
        for (name, text) in files {
            std::fs::write(path(name), text).unwrap();
        }
        let mut variables =
            vec![("AWS_CONFIG_FILE", path("config")), ("AWS_SHARED_CREDENTIALS_FILE", path("credentials"))];
        for default in ["r-default", "r-variable"] {
            let found = profile_accounts(&Environment::of(variables.clone()));
            let found: Vec<_> = found.iter().map(|at| [&*at.profile, &*at.account, &*at.region]).collect();
            let expected = [
                ["chained", "4", "r-base"],
                ["keys", "5", default],
                ["role", "3", "r-role"],
                ["sso", "1", "r-sso"],
                ["sso", "2", "r-sso"],
            ];
            assert_eq!(found, expected);
            variables.push(("AWS_REGION", "r-variable".into()));
        }
        std::fs::write(path("credentials"), b"[\xff").unwrap();
        std::fs::write(path("config"), "no section\n[\n").unwrap();
        assert_eq!(profile_accounts(&Environment::of(variables)), []);
    }
}
