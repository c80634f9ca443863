//! The rules of the order, of profiles and of the network, each as a person would see it.

mod endpoint_config;
mod order;

use std::path::Path;

use super::*;
use crate::os::environment::HOME;
use crate::settings::AssumeRoleSettings;

const NULL_DEVICE: &str = if cfg!(windows) { "NUL" } else { "/dev/null" };

/// A home directory with shared files, and variables.
struct Home {
    directory: tempfile::TempDir,
    variables: Vec<(String, String)>,
}

const KEYS: [(&str, &str); 2] =
    [("AWS_ACCESS_KEY_ID", "AKIAENVIRONMENT"), ("AWS_SECRET_ACCESS_KEY", "environment-secret")];

impl Home {
    fn new(config: &str, credentials: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir(directory.path().join(".aws")).unwrap();
        std::fs::write(directory.path().join(".aws/config"), config).unwrap();
        std::fs::write(directory.path().join(".aws/credentials"), credentials).unwrap();
        let home = Self { directory, variables: Vec::new() };
        home.with([])
    }

    fn empty() -> Self {
        Self::new("", "")
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    fn with<const N: usize>(mut self, variables: [(&str, &str); N]) -> Self {
        let home = self.path().to_str().unwrap().to_owned();
        self.variables.retain(|(name, _)| name != HOME);
        self.variables.push((HOME.to_owned(), home));
        self.variables.extend(variables.map(|(name, value)| (name.to_owned(), value.to_owned())));
        self
    }

    fn file(self, name: &str, content: &str) -> Self {
        std::fs::write(self.path().join(name), content).unwrap();
        self
    }

    fn environment(&self) -> Environment {
        Environment::of(self.variables.clone())
    }

    fn find(&self) -> Result<Identity, IdentityError> {
        self.find_as(&CredentialSettings::default())
    }

    fn find_as(&self, settings: &CredentialSettings) -> Result<Identity, IdentityError> {
        Identity::resolve(&self.environment(), CredentialSelector::Settings(settings), &registry())
    }

    fn key(&self) -> String {
        match self.find().unwrap().source {
            CredentialSource::StaticKeys { id, .. } => id.expose().to_owned(),
            source => panic!("not keys: {source:?}"),
        }
    }

    fn error(&self) -> String {
        self.find().unwrap_err().to_string()
    }
}

fn registry() -> Registry {
    Registry::parse("123456789012.dkr.ecr.eu-west-1.amazonaws.com").unwrap()
}

fn profile(name: &str) -> CredentialSettings {
    CredentialSettings { profile: Some(name.to_owned()), ..CredentialSettings::default() }
}

const STATIC: &str = "[default]\naws_access_key_id = AKIADEFAULT\naws_secret_access_key = s\n";

#[test]
fn keys_in_the_environment_come_before_the_default_profile() {
    let home = Home::new("", STATIC).with(KEYS);
    assert_eq!(home.key(), "AKIAENVIRONMENT");
    let identity = home.find().unwrap();
    assert_eq!(identity.label, "keys in the environment");
    assert!(identity.skipped_sources.is_empty());
}

#[test]
fn a_profile_of_the_settings_comes_before_keys_in_the_environment() {
    let home = Home::new("", STATIC).with(KEYS);
    let identity = home.find_as(&profile("default")).unwrap();
    assert!(matches!(&identity.source, CredentialSource::StaticKeys { id, .. } if id.expose() == "AKIADEFAULT"));
    assert_eq!(identity.label, "profile default");
    assert_eq!(identity.skipped_sources, ["keys in the environment: the settings name profile default"]);
}

#[test]
fn a_named_profile_that_does_not_exist_is_an_error_and_no_other_source_is_used() {
    let web = [("AWS_WEB_IDENTITY_TOKEN_FILE", "/dev/null"), ("AWS_ROLE_ARN", "arn:aws:iam::1:role/r")];
    let home = Home::new("[profile dev]\nregion = x\n", STATIC).with(web).with([("AWS_PROFILE", "prod")]);
    let error = home.find().unwrap_err();
    assert!(error.to_string().starts_with("profile prod, named by AWS_PROFILE, is neither in "), "{error}");
    assert_eq!(error.remedy().unwrap(), "name one of the profiles that exist: default, dev");
    let error = home.find_as(&profile("other")).unwrap_err();
    assert!(error.to_string().starts_with("profile other, named by the settings, is neither in "), "{error}");
    let home = Home::new("[default]\nrole_arn = arn:aws:iam::1:role/r\nsource_profile = base\n", "").with(web);
    assert!(home.error().starts_with("profile base, named by source_profile of profile default, is neither in "));
}

#[test]
fn a_profile_in_a_section_without_its_prefix_is_pointed_out() {
    let error = Home::new("[prod]\nregion = x\n", "").with([("AWS_PROFILE", "prod")]).find().unwrap_err();
    assert!(error.remedy().unwrap().ends_with("config the section must be written [profile prod]"), "{error:?}");
    let error = Home::new("", "[profile prod]\nregion = x\n").with([("AWS_PROFILE", "prod")]).find().unwrap_err();
    assert!(error.remedy().unwrap().ends_with("credentials the section must be written [prod]"), "{error:?}");
}

#[test]
fn an_empty_profile_variable_is_an_unset_one() {
    let home = Home::new("", STATIC).with([("AWS_PROFILE", "")]);
    assert_eq!(home.find().unwrap().label, "profile default");
}

#[test]
fn after_a_profile_without_credentials_the_next_source_is_used_unless_the_settings_chose_it() {
    let home = Home::new("[profile dev]\nregion = eu-west-1\n", "")
        .with([("AWS_PROFILE", "dev"), ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1:1/creds")]);
    let identity = home.find().unwrap();
    assert_eq!(identity.label, "this container's role");
    assert_eq!(identity.skipped_sources[2], "profile dev: has no credentials");
    let error = home.find_as(&profile("dev")).unwrap_err();
    assert_eq!(error.to_string(), "profile dev: has no credentials, and the settings chose it");
}

#[test]
fn files_are_found_by_their_variables_and_a_tilde_is_the_home() {
    let home = Home::empty().file("elsewhere", STATIC).with([("AWS_SHARED_CREDENTIALS_FILE", "~/elsewhere")]);
    assert_eq!(home.key(), "AKIADEFAULT");
    let home = Home::new(STATIC, "").with([("AWS_CONFIG_FILE", NULL_DEVICE), ("AWS_EC2_METADATA_DISABLED", "true")]);
    assert!(matches!(home.find(), Err(IdentityError::NoSource { .. })));
}

#[test]
fn without_home_there_are_no_default_files_and_a_tilde_in_the_directory_is_not_read() {
    let environment = Environment::of([("AWS_EC2_METADATA_DISABLED", "TRUE")]);
    let error =
        Identity::resolve(&environment, CredentialSelector::Settings(&CredentialSettings::default()), &registry())
            .unwrap_err();
    assert_eq!(error.to_string(), "no AWS credentials found");
    let IdentityError::NoSource { skipped_sources, .. } = &error else { panic!("{error:?}") };
    assert_eq!(
        skipped_sources.join("; "),
        "keys in the environment: AWS_ACCESS_KEY_ID is not set; web identity: AWS_WEB_IDENTITY_TOKEN_FILE is not set; profile \
         default: neither in ~/.aws/config nor in ~/.aws/credentials; container credentials: neither \
         AWS_CONTAINER_CREDENTIALS_RELATIVE_URI nor _FULL_URI is set; instance metadata: AWS_EC2_METADATA_DISABLED is true"
    );
    assert_eq!(crate::text::user_error::UserError::from(error).kind, crate::text::user_error::Kind::NoCredentials);
}

#[test]
fn a_broken_file_is_an_error_with_its_line_unless_the_environment_has_keys() {
    let home = Home::new("[default]\nregion = x\nnonsense\n", "");
    let error = home.find().unwrap_err();
    let path = home.path().join(".aws").join("config");
    assert_eq!(error.to_string(), format!("{}, line 3: neither a comment nor 'key = value'", path.display()));
    assert_eq!(error.remedy().unwrap(), format!("correct line 3 of {}", path.display()));
    let home = home.with(KEYS);
    assert_eq!(home.key(), "AKIAENVIRONMENT");
    assert!(home.find_as(&profile("default")).is_err());
}

#[test]
fn a_file_that_is_a_directory_or_not_utf8_is_an_error_that_names_it() {
    let home = Home::empty().with([("AWS_CONFIG_FILE", "/")]);
    assert_eq!(home.error(), "cannot read /: it is a directory");
    let home = Home::empty();
    std::fs::write(home.path().join(".aws/credentials"), b"[default]\nx = \xff\n").unwrap();
    assert!(home.error().ends_with("credentials, line 2: not UTF-8"), "{}", home.error());
}

#[test]
fn half_a_pair_of_keys_in_a_file_is_an_error_that_names_the_file_it_is_in() {
    let half = "[default]\naws_access_key_id = AKIA\n";
    for (home, file) in [(Home::new(half, ""), "config"), (Home::new("", half), "credentials")] {
        let path = home.path().join(".aws").join(file);
        let expected = format!("profile default in {}: has no aws_secret_access_key", path.display());
        assert_eq!(home.error(), expected);
    }
}

#[test]
fn roles_are_chained_from_the_profile_in_force_down_to_keys() {
    let home = Home::new(
        "[profile a]\nrole_arn = arn:aws:iam::1:role/a\nsource_profile = b\nexternal_id = e\nrole_session_name = s\n\
         duration_seconds = 3600\n\
         [profile b]\nrole_arn = arn:aws:iam::1:role/b\nsource_profile = c\n\
         [profile c]\nrole_arn = arn:aws:iam::1:role/c\nsource_profile = default\n",
        STATIC,
    )
    .with([("AWS_PROFILE", "a")]);
    let identity = home.find().unwrap();
    assert_eq!(identity.label, "profile a");
    let CredentialSource::AssumeRole { base, role_arn, session_name, external_id, duration_seconds, mfa_serial } =
        identity.source
    else {
        panic!()
    };
    assert_eq!(
        (role_arn.as_str(), session_name.as_deref(), external_id.as_deref()),
        ("arn:aws:iam::1:role/a", Some("s"), Some("e"))
    );
    assert_eq!((duration_seconds, mfa_serial), (Some(3600), None));
    let CredentialSource::AssumeRole { base, role_arn, .. } = *base else { panic!() };
    assert_eq!(role_arn, "arn:aws:iam::1:role/b");
    let CredentialSource::AssumeRole { base, role_arn, .. } = *base else { panic!() };
    assert_eq!(role_arn, "arn:aws:iam::1:role/c");
    assert!(matches!(*base, CredentialSource::StaticKeys { id, .. } if id.expose() == "AKIADEFAULT"));
}

#[test]
fn a_source_profile_with_keys_uses_them_even_if_it_has_a_role_too() {
    let role = "role_arn = arn:aws:iam::1:role/r\nsource_profile = default\n";
    let home = Home::new(&format!("[profile a]\n{role}[default]\n{role}"), STATIC).with([("AWS_PROFILE", "a")]);
    let CredentialSource::AssumeRole { base, .. } = home.find().unwrap().source else { panic!() };
    assert!(matches!(*base, CredentialSource::StaticKeys { .. }));
    // As the profile in force its role comes first, and it is its own source.
    let CredentialSource::AssumeRole { base, .. } =
        home.with([("AWS_PROFILE", "default")]).find_as(&profile("default")).unwrap().source
    else {
        panic!()
    };
    assert!(matches!(*base, CredentialSource::StaticKeys { .. }));
}

#[test]
fn a_chain_that_leads_back_is_an_error_that_names_the_profiles() {
    let home = Home::new(
        "[default]\nrole_arn = r\nsource_profile = b\n[profile b]\nrole_arn = r\nsource_profile = c\n\
         [profile c]\nrole_arn = r\nsource_profile = b\n",
        "",
    );
    let error = home.find().unwrap_err();
    assert_eq!(error.to_string(), "the source_profile of profile c leads back to profile b");
    assert_eq!(error.remedy().unwrap(), "change source_profile of one of these profiles: b, c");
}

#[test]
fn a_chain_of_very_many_profiles_ends_in_an_error() {
    let mut config = String::from("[default]\nrole_arn = r\nsource_profile = 0\n");
    for i in 0..100 {
        config += &format!("[profile {i}]\nrole_arn = r\nsource_profile = {}\n", i + 1);
    }
    assert!(Home::new(&config, "").error().contains("more than 32 profiles"));
}

#[test]
fn credential_source_takes_the_environment_the_container_or_the_instance() {
    let config = |source| format!("[default]\nrole_arn = arn:aws:iam::1:role/r\ncredential_source = {source}\n");
    let base = |home: &Home| match home.find_as(&profile("default")).unwrap().source {
        CredentialSource::AssumeRole { base, .. } => *base,
        source => panic!("{source:?}"),
    };
    let home = Home::new(&config("environment"), "").with(KEYS);
    assert!(matches!(base(&home), CredentialSource::StaticKeys { .. }));
    let home = Home::new(&config("EcsContainer"), "").with([("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2/x")]);
    assert!(matches!(base(&home), CredentialSource::Container { uri, .. } if uri == "http://169.254.170.2/v2/x"));
    let home = Home::new(&config("Ec2InstanceMetadata"), "");
    assert!(matches!(base(&home), CredentialSource::Imds { endpoint } if endpoint == "http://169.254.169.254"));
    let error = Home::new(&config("Environment"), "").error();
    assert!(
        error.contains("credential_source = Environment, but keys in the environment: AWS_ACCESS_KEY_ID"),
        "{error}"
    );
    assert!(Home::new(&config("Mars"), "").error().contains("credential_source is none of"));
}

#[test]
fn a_role_with_two_sources_or_none_is_an_error() {
    let error = Home::new("[default]\nrole_arn = r\nsource_profile = a\ncredential_source = Environment\n", "").error();
    assert!(error.contains("both source_profile and credential_source"), "{error}");
    let error = Home::new("[default]\nrole_arn = r\n", STATIC).error();
    assert!(error.contains("neither source_profile nor credential_source"), "{error}");
}

#[test]
fn a_role_that_wants_a_code_says_of_which_device() {
    let config = "[profile p]\nrole_arn = r\nsource_profile = default\nmfa_serial = arn:aws:iam::1:mfa/me\n\
                  [profile q]\nrole_arn = s\nsource_profile = p\n\
                  [profile none]\nrole_arn = r\nsource_profile = default\nmfa_serial =\n";
    for (profile, needs) in [("p", true), ("q", true), ("none", false)] {
        let identity = Home::new(config, STATIC).with([("AWS_PROFILE", profile)]).find().unwrap();
        assert_eq!(identity.source.needs_mfa(), needs, "{profile}");
    }
    let identity = Home::new(config, STATIC).with([("AWS_PROFILE", "p")]).find().unwrap();
    let CredentialSource::AssumeRole { mfa_serial, .. } = identity.source else { panic!() };
    assert_eq!(mfa_serial.as_deref(), Some("arn:aws:iam::1:mfa/me"));
}

#[test]
fn sso_by_session_and_in_the_legacy_form() {
    let home = Home::new(
        "[profile s]\nsso_session = dev\nsso_account_id = 1\nsso_role_name = Pull\n\
         [sso-session dev]\nsso_region = eu-west-1\nsso_start_url = https://x/start\n\
         [profile l]\nsso_start_url = https://x/start\nsso_region = eu-west-1\nsso_account_id = 1\nsso_role_name = Pull\n",
        "",
    );
    let CredentialSource::Sso { session, start_url, token_file, profile: name, .. } =
        home.find_as(&profile("s")).unwrap().source
    else {
        panic!()
    };
    assert_eq!((session.as_deref(), start_url.as_str(), name.as_str()), (Some("dev"), "https://x/start", "s"));
    let cache = home.path().join(".aws/sso/cache");
    assert_eq!(token_file.unwrap(), cache.join("34c6fceca75e456f25e7e99531e2425c6c1de443.json"));
    assert!(matches!(home.find_as(&profile("l")).unwrap().source, CredentialSource::Sso { session: None, .. }));
}

#[test]
fn sso_with_a_mistake_says_which() {
    let full = "sso_start_url = u\nsso_region = r\nsso_account_id = 1\nsso_role_name = R\n";
    for (config, says) in [
        (
            "[default]\nsso_session = gone\nsso_account_id = 1\nsso_role_name = R\n".to_owned(),
            "no section [sso-session gone]",
        ),
        (
            format!("[default]\nsso_session = dev\n{full}[sso-session dev]\nsso_region = other\n"),
            "sso_region is r here, and other in [sso-session dev]",
        ),
        ("[default]\nsso_account_id = 1\n".to_owned(), "has sso_account_id, but no sso_start_url"),
        ("[default]\nsso_role_name = R\nsso_start_url = u\nsso_region = r\n".to_owned(), "but no sso_account_id"),
        ("[default]\nsso_account_id = 1\nsso_start_url = u\nsso_region = r\n".to_owned(), "but no sso_role_name"),
        (
            "[default]\nsso_session = dev\nsso_account_id = 1\nsso_role_name = R\n[sso-session dev]\nx\n".to_owned(),
            "line 6: neither a comment",
        ),
    ] {
        let error = Home::new(&config, "").error();
        assert!(error.contains(says), "{error}");
    }
}

#[test]
fn what_a_profile_repeats_of_its_sso_session_with_the_same_value_is_fine() {
    let full = "sso_start_url = u\nsso_region = r\nsso_account_id = 1\nsso_role_name = R\n";
    let config = format!("[default]\nsso_session = dev\n{full}[sso-session dev]\nsso_start_url = u\nsso_region = r\n");
    let source = Home::new(&config, "").find().unwrap().source;
    assert!(matches!(source, CredentialSource::Sso { session: Some(session), .. } if session == "dev"));
}

#[test]
fn processes_and_aws_login_sessions_are_sources() {
    let home = Home::new("[default]\ncredential_process = /bin/x --y z\n[profile l]\nlogin_session = arn:x\n", "");
    assert!(
        matches!(home.find().unwrap().source, CredentialSource::CredentialProcess { command, profile } if command.expose() == "/bin/x --y z" && profile == "default")
    );
    let login = home.find_as(&profile("l")).unwrap().source;
    assert!(
        matches!(login, CredentialSource::LoginSession { session, profile, .. } if session == "arn:x" && profile == "l")
    );
}

#[test]
fn web_identity_of_the_environment_is_labelled_by_its_role() {
    let home = Home::empty().file("token", "not-a-jwt");
    let token = home.path().join("token").to_str().unwrap().to_owned();
    let home = home.with([
        ("AWS_WEB_IDENTITY_TOKEN_FILE", token.as_str()),
        ("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/ci/ecr-pull"),
        ("AWS_ROLE_SESSION_NAME", "job"),
    ]);
    let identity = home.find().unwrap();
    assert_eq!(identity.label, "role ecr-pull by web identity");
    let CredentialSource::WebIdentity { token_file, session_name, token: bytes, .. } = identity.source else {
        panic!()
    };
    assert_eq!((token_file.unwrap().to_str().unwrap(), session_name.as_deref()), (token.as_str(), Some("job")));
    assert_eq!(bytes.expose(), "not-a-jwt");
    std::fs::remove_file(home.path().join("token")).unwrap();
    let error = home.error();
    assert!(error.ends_with("(named by AWS_WEB_IDENTITY_TOKEN_FILE): it does not exist"), "{error}");
}

#[test]
fn the_role_of_the_settings_is_assumed_on_top() {
    let settings = CredentialSettings {
        role: Some(AssumeRoleSettings {
            arn: "arn:aws:iam::123456789012:role/ecr-pull".to_owned(),
            external_id: Some("e-1".to_owned()),
            session_name: None,
        }),
        ..profile("default")
    };
    let home = Home::new("", STATIC).with(KEYS);
    let identity = home.find_as(&settings).unwrap();
    assert_eq!(identity.label, "role ecr-pull by profile default");
    let CredentialSource::AssumeRole { base, external_id, .. } = identity.source else { panic!() };
    assert_eq!(external_id.as_deref(), Some("e-1"));
    assert!(matches!(*base, CredentialSource::StaticKeys { id, .. } if id.expose() == "AKIADEFAULT"));
    let identity = home.find_as(&CredentialSettings { profile: None, ..settings }).unwrap();
    assert_eq!(identity.label, "role ecr-pull by keys in the environment");
}

#[test]
fn a_service_account_token_is_used_whatever_else_is_configured() {
    let account =
        ServiceAccount { token: Secret::new("jwt".to_owned()), role_arn: "arn:aws:iam::1:role/pod".to_owned() };
    let home = Home::new("broken", STATIC).with(KEYS).with([("AWS_PROFILE", "gone")]);
    let identity =
        Identity::resolve(&home.environment(), CredentialSelector::ServiceAccount(&account), &registry()).unwrap();
    assert_eq!(identity.label, "role pod by service account token");
    assert!(
        matches!(identity.source, CredentialSource::WebIdentity { token, token_file: None, .. } if token.expose() == "jwt")
    );
}

#[cfg(unix)]
#[test]
fn a_variable_that_is_not_utf8_is_an_error_not_an_unset_one() {
    use std::ffi::OsString;
    use std::os::unix::ffi::OsStringExt;
    let bad = OsString::from_vec(vec![0xff]);
    let environment = Environment::of([(OsString::from("AWS_ACCESS_KEY_ID"), bad)]);
    let error =
        Identity::resolve(&environment, CredentialSelector::Settings(&CredentialSettings::default()), &registry())
            .unwrap_err();
    assert_eq!(error.to_string(), "AWS_ACCESS_KEY_ID is not UTF-8");
}
