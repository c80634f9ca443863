//! The order of the credential sources: each source alone and each pair of them, as the AWS CLI 1.46.2 (botocore 1.43.62)
//! uses them. What it used was measured, with a fake AWS, for the same variables and files
//! (`tests/data/credential-cases/pairs.json`); nothing is asked of anybody here.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use ecr_login::credentials::{CredentialSelector, CredentialSource, Identity, IdentityError};
use ecr_login::os::environment::Environment;
use ecr_login::registry::Registry;
use ecr_login::settings::CredentialSettings;

/// One source of credentials, as a person sets it up. `HOME` stands for the home directory and `PROFILE` for the name of
/// the profile.
#[derive(Clone, Debug, Default, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Setup {
    name: String,
    /// Lines of the profile in force, in the config file.
    config: String,
    /// Lines of the profile in force, in the credentials file.
    credentials: String,
    /// Other sections of the config file.
    sections: String,
    variables: BTreeMap<String, String>,
}

#[derive(serde::Deserialize)]
struct Measured {
    setups: Vec<Setup>,
    /// By the names of the setups: whose credentials the AWS CLI used. It was the same for `[default]` and for a profile
    /// that `AWS_PROFILE` names.
    used: BTreeMap<String, String>,
}

fn measured() -> Measured {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/credential-cases/pairs.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// The source that we use where these are set up in `profile`.
fn used(setups: &[&Setup], profile: &str, selector: &CredentialSettings) -> String {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().to_str().unwrap();
    let join = |part: fn(&Setup) -> &str| -> String {
        let text: String = setups.iter().map(|setup| part(setup)).collect();
        text.replace("HOME", path).replace("= PROFILE", &format!("= {profile}"))
    };
    let headed = |header: String, lines: String| if lines.is_empty() { lines } else { header + &lines };
    let header = if profile == "default" { "[default]\n".to_owned() } else { format!("[profile {profile}]\n") };
    let config = headed(header, join(|setup| &setup.config)) + &join(|setup| &setup.sections);
    let credentials = headed(format!("[{profile}]\n"), join(|setup| &setup.credentials));
    let exists = config.starts_with("[profile chosen]") || !credentials.is_empty();
    std::fs::create_dir(home.path().join(".aws")).unwrap();
    std::fs::write(home.path().join(".aws/config"), config).unwrap();
    std::fs::write(home.path().join(".aws/credentials"), credentials).unwrap();
    std::fs::write(home.path().join("token"), "token").unwrap();
    std::fs::write(home.path().join("ec2"), "AWSAccessKeyId=EC2\nAWSSecretKey=s\n").unwrap();
    let mut variables = vec![("HOME".to_owned(), path.to_owned())];
    if profile != "default" && exists {
        variables.push(("AWS_PROFILE".to_owned(), profile.to_owned()));
    }
    for setup in setups {
        variables.extend(setup.variables.iter().map(|(name, value)| (name.clone(), value.replace("HOME", path))));
    }
    let registry = Registry::parse("123456789012.dkr.ecr.eu-west-1.amazonaws.com").unwrap();
    match Identity::resolve(&Environment::of(variables), CredentialSelector::Settings(selector), &registry) {
        Ok(identity) => describe(&identity.source),
        Err(IdentityError::NoSource { .. }) => "nobody".to_owned(),
        Err(_) => "error".to_owned(),
    }
}

fn describe(source: &CredentialSource) -> String {
    let name = |arn: &str| arn.rsplit('/').next().unwrap().to_owned();
    match source {
        CredentialSource::StaticKeys { id, .. } => format!("keys {}", id.expose()),
        CredentialSource::CredentialProcess { .. } => "process".to_owned(),
        CredentialSource::Sso { role, .. } => format!("sso {role}"),
        CredentialSource::WebIdentity { role_arn, token, .. } => format!("web {} {}", name(role_arn), token.expose()),
        CredentialSource::Container { uri, .. } => {
            let rest = uri.split_once("://").map_or(uri.as_str(), |(_, rest)| rest);
            format!("container {}", &rest[rest.find('/').unwrap()..])
        }
        CredentialSource::Imds { .. } => "instance".to_owned(),
        CredentialSource::AssumeRole { base, role_arn, .. } => format!("{}({})", name(role_arn), describe(base)),
        CredentialSource::LoginSession { .. } => "login".to_owned(),
        CredentialSource::RequestedWebIdentity { .. } => "of the settings".to_owned(),
    }
}

#[test]
fn each_source_alone_and_each_pair_of_sources_is_used_as_by_the_aws_cli() {
    let Measured { setups, used: measured } = measured();
    let by_name: BTreeMap<&str, &Setup> = setups.iter().map(|setup| (setup.name.as_str(), setup)).collect();
    let (mut different, mut answers) = (Vec::new(), BTreeSet::new());
    for (names, cli) in &measured {
        let setups: Vec<&Setup> =
            names.split(" + ").filter(|name| *name != "nothing").map(|name| by_name[name]).collect();
        for profile in ["default", "chosen"] {
            let ours = used(&setups, profile, &CredentialSettings::default());
            if ours != *cli {
                different.push(format!("{names}, profile {profile}: the AWS CLI uses {cli}, we {ours}"));
            }
            answers.insert(ours);
        }
    }
    println!("{} sets of sources, {} different answers", measured.len(), answers.len());
    assert!(different.is_empty(), "{} differ:\n{}", different.len(), different.join("\n"));
}

#[test]
fn a_profile_that_the_settings_choose_is_used_whatever_the_environment_has() {
    let Measured { setups, used: measured } = measured();
    let of_environment: Vec<&Setup> = setups.iter().filter(|setup| !setup.variables.is_empty()).collect();
    let selector = CredentialSettings { profile: Some("chosen".to_owned()), ..CredentialSettings::default() };
    let mut compared = 0;
    for setup in setups.iter().filter(|setup| !setup.config.is_empty() || !setup.credentials.is_empty()) {
        // Alone, a profile without credentials is an error, and is never passed over.
        let alone = match measured[&setup.name].as_str() {
            "nobody" | "instance" => "error",
            used => used,
        };
        for beside in &of_environment {
            let is_named = setup.config.contains("credential_source") || setup.name.contains("instance");
            if is_named {
                continue;
            }
            assert_eq!(used(&[setup, beside], "chosen", &selector), alone, "{} beside {}", setup.name, beside.name);
            compared += 1;
        }
    }
    assert!(compared > 100);
}

#[test]
fn a_named_profile_that_does_not_exist_is_an_error_whatever_the_environment_has() {
    let Measured { setups, .. } = measured();
    for setup in setups.iter().filter(|setup| !setup.variables.is_empty()) {
        let selector = CredentialSettings { profile: Some("gone".to_owned()), ..CredentialSettings::default() };
        assert_eq!(used(&[setup], "default", &selector), "error", "{}", setup.name);
    }
}
