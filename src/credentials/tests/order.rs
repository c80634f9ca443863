//! Which source comes before which, and what is never passed over: the AWS CLI's order, kind by kind.

use super::*;

const WEB: [(&str, &str); 2] =
    [("AWS_WEB_IDENTITY_TOKEN_FILE", "/dev/null"), ("AWS_ROLE_ARN", "arn:aws:iam::1:role/web")];
const SSO: &str = "sso_start_url = u\nsso_region = r\nsso_account_id = 1\nsso_role_name = R\n";

/// Web identity of the environment in a home of its own.
fn with_web_identity(home: Home) -> Home {
    let home = home.file("token", "a token");
    let token = home.path().join("token").to_str().unwrap().to_owned();
    home.with([("AWS_WEB_IDENTITY_TOKEN_FILE", &token), WEB[1]])
}

fn label(home: &Home) -> String {
    home.find().unwrap().label
}

/// The kind of the source in one word.
fn kind(home: &Home) -> &'static str {
    match home.find().unwrap().source {
        CredentialSource::StaticKeys { .. } => "keys",
        CredentialSource::CredentialProcess { .. } => "process",
        CredentialSource::Sso { .. } => "sso",
        CredentialSource::LoginSession { .. } => "login",
        CredentialSource::WebIdentity { .. } | CredentialSource::RequestedWebIdentity { .. } => "web identity",
        CredentialSource::Container { .. } => "container",
        CredentialSource::Imds { .. } => "instance",
        CredentialSource::AssumeRole { .. } => "role",
    }
}

#[test]
fn web_identity_of_the_environment_comes_before_all_of_a_profile_but_a_role() {
    let token = "web_identity_token_file = /nowhere\nrole_arn = r\n";
    for own in ["credential_process = x\n", "login_session = x\n", SSO, token] {
        let home = with_web_identity(Home::new(&format!("[default]\n{own}"), ""));
        assert_eq!(label(&home), "role web by web identity", "{own}");
    }
    assert_eq!(label(&with_web_identity(Home::new("", STATIC))), "role web by web identity");
    let role = Home::new("[profile x]\nrole_arn = r\nsource_profile = default\n", STATIC).with([("AWS_PROFILE", "x")]);
    assert_eq!(label(&with_web_identity(role)), "profile x");
}

#[test]
fn web_identity_of_the_environment_without_a_role_is_an_error_and_takes_that_of_the_profiles_token() {
    let home = Home::empty().file("token", "a token");
    let token = home.path().join("token").to_str().unwrap().to_owned();
    let home = home.with([("AWS_WEB_IDENTITY_TOKEN_FILE", &token)]);
    assert_eq!(home.error(), "AWS_WEB_IDENTITY_TOKEN_FILE names a token file, but there is no AWS_ROLE_ARN");
    let config = "[default]\nweb_identity_token_file = /nowhere\nrole_arn = arn:aws:iam::1:role/profile\n";
    std::fs::write(home.path().join(".aws/config"), config).unwrap();
    assert_eq!(label(&home), "role profile by web identity");
}

#[test]
fn keys_of_the_credentials_file_come_before_login_and_process_and_those_of_the_config_file_after() {
    for own in ["credential_process = x\n", "login_session = x\n"] {
        assert_eq!(kind(&Home::new(&format!("[default]\n{own}"), STATIC)), "keys", "{own}");
        assert_ne!(kind(&Home::new(&format!("{STATIC}{own}"), "")), "keys", "{own}");
    }
    assert_eq!(kind(&Home::new(&format!("[default]\n{SSO}"), STATIC)), "sso");
    assert_eq!(kind(&Home::new("[default]\nlogin_session = x\ncredential_process = y\n", "")), "login");
}

#[test]
fn a_session_token_belongs_to_the_keys_of_its_own_file() {
    let home = Home::new(&format!("{STATIC}aws_session_token = of the config file\n"), STATIC);
    let CredentialSource::StaticKeys { session_token, .. } = home.find().unwrap().source else { panic!() };
    assert!(session_token.is_none());
}

#[test]
fn a_lone_key_of_sso_hides_nothing() {
    for lone in ["sso_region = r\n", "sso_start_url = u\n", "sso_session = gone\n"] {
        assert_eq!(kind(&Home::new(&format!("[default]\n{lone}"), STATIC)), "keys", "{lone}");
        assert_eq!(kind(&Home::new(&format!("[default]\n{lone}credential_process = x\n"), "")), "process", "{lone}");
    }
}

#[test]
fn aws_default_profile_counts_when_aws_profile_is_unset() {
    let keys = |name: &str| format!("[{name}]\naws_access_key_id = {name}\naws_secret_access_key = s\n");
    let home = Home::new("", &[keys("a"), keys("b"), keys("default")].concat());
    let home = home.with([("AWS_DEFAULT_PROFILE", "a"), ("AWS_PROFILE", "")]);
    assert_eq!((home.key().as_str(), label(&home).as_str()), ("a", "profile a"));
    let home = home.with([("AWS_DEFAULT_PROFILE", "a")]);
    let both =
        Environment::of([(HOME, home.path().to_str().unwrap()), ("AWS_PROFILE", "b"), ("AWS_DEFAULT_PROFILE", "a")]);
    let wanted = CredentialSettings::default();
    let identity = Identity::resolve(&both, CredentialSelector::Settings(&wanted), &registry()).unwrap();
    assert_eq!(identity.label, "profile b");
    let home = Home::new("", STATIC).with([("AWS_DEFAULT_PROFILE", "gone")]);
    assert!(home.error().starts_with("profile gone, named by AWS_DEFAULT_PROFILE, is neither in "));
}

#[test]
fn half_a_pair_of_keys_in_the_environment_is_an_error_and_no_other_source_is_tried() {
    let home = Home::new("", STATIC).with([
        ("AWS_ACCESS_KEY_ID", "AKIA"),
        ("AWS_SECRET_ACCESS_KEY", "  "),
        ("SECRET_ACCESS_KEY", "old name"),
    ]);
    assert_eq!(home.error(), "AWS_SECRET_ACCESS_KEY is not set, but AWS_ACCESS_KEY_ID is");
    assert_eq!(Home::new("", STATIC).with([("AWS_SECRET_ACCESS_KEY", "s")]).key(), "AKIADEFAULT");
}

#[test]
fn the_session_token_has_an_old_name_too_and_is_trimmed_and_an_expiration_must_be_a_time() {
    let home = Home::empty().with(KEYS).with([("AWS_SECURITY_TOKEN", " token ")]);
    let CredentialSource::StaticKeys { session_token, .. } = home.find().unwrap().source else { panic!() };
    assert_eq!(session_token.unwrap().expose(), "token");
    let home = home.with([("AWS_CREDENTIAL_EXPIRATION", "2099-01-01T00:00:00Z")]);
    assert_eq!(kind(&home), "keys");
    let home = Home::empty().with(KEYS).with([("AWS_CREDENTIAL_EXPIRATION", "soon")]);
    assert!(home.error().starts_with("AWS_CREDENTIAL_EXPIRATION is no time"));
}

#[test]
fn a_profile_with_any_part_of_credentials_is_never_passed_over_for_the_instances_role() {
    for (credentials, says) in [
        ("[default]\naws_secret_access_key = s\n", "has no aws_access_key_id"),
        ("[default]\naws_access_key_id =\naws_secret_access_key =\n", "an aws_access_key_id without a value"),
        ("[default\naws_access_key_id = a\naws_secret_access_key = s\n", "line 1: a section's name without"),
        ("aws_access_key_id = a\naws_secret_access_key = s\n", "line 1: a key before the first [section]"),
        ("[default]\naws_access_key_id = a\n  aws_secret_access_key = s\n", "line 3: it is indented"),
        ("[default]\nrole_arn = r\n", "neither source_profile nor credential_source"),
    ] {
        for home in [Home::new("", credentials), Home::new(credentials, "")] {
            let error = home.error();
            assert!(error.contains(says), "{error}");
        }
    }
    assert_eq!(kind(&Home::new("", "[default]\naws_session_token = t\n")), "instance");
}

#[test]
fn one_bad_line_breaks_no_other_profile_and_no_source_that_needs_no_file() {
    let bad = "junk\n[y\n[z]\nz\nz = 1\nz = 2\n[z]\n[]\n";
    for home in
        [Home::new(bad, STATIC), Home::new(&format!("{bad}{STATIC}"), ""), Home::new("", &format!("{bad}{STATIC}"))]
    {
        assert_eq!(kind(&home), "keys");
    }
    for broken in ["[default]\nnonsense\n", "[default\n", bad] {
        assert_eq!(kind(&Home::new(broken, "").with(KEYS)), "keys", "{broken}");
        assert_eq!(kind(&with_web_identity(Home::new(broken, ""))), "web identity", "{broken}");
    }
    let container = [("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1/x")];
    assert_eq!(kind(&Home::new(bad, "").with(container)), "container");
    let error = Home::new("[default]\nnonsense\n", "").with(container).error();
    assert!(error.ends_with("line 2: neither a comment nor 'key = value'"), "{error}");
}

#[test]
fn a_source_profile_uses_its_own_credentials_in_the_same_order() {
    let base = |config: &str, credentials: &str| {
        let config = format!("[profile x]\nrole_arn = r\nsource_profile = default\n{config}");
        let home = with_web_identity(Home::new(&config, credentials)).with([("AWS_PROFILE", "x")]);
        match home.find().unwrap().source {
            CredentialSource::AssumeRole { base, .. } => *base,
            source => panic!("{source:?}"),
        }
    };
    let sso = format!("[default]\n{SSO}");
    assert!(matches!(base(&sso, STATIC), CredentialSource::Sso { .. }));
    assert!(matches!(base("[default]\ncredential_process = x\n", STATIC), CredentialSource::StaticKeys { .. }));
    assert!(matches!(base("[default]\nlogin_session = x\n", ""), CredentialSource::LoginSession { .. }));
}

#[test]
fn a_role_over_the_sso_of_its_own_profile_leads_back_to_itself() {
    let home = Home::new(&format!("[default]\nrole_arn = r\nsource_profile = default\n{SSO}"), "");
    assert_eq!(home.error(), "the source_profile of profile default leads back to profile default");
}

#[test]
fn a_role_for_less_than_a_quarter_of_an_hour_is_refused_and_what_is_no_number_is_not_read() {
    let duration = |seconds: &str| {
        let home = Home::new(
            &format!("[profile x]\nrole_arn = r\nsource_profile = default\nduration_seconds = {seconds}\n"),
            STATIC,
        );
        home.with([("AWS_PROFILE", "x")]).find().map(|identity| match identity.source {
            CredentialSource::AssumeRole { duration_seconds, .. } => duration_seconds,
            source => panic!("{source:?}"),
        })
    };
    assert_eq!(duration("900").unwrap(), Some(900));
    for seconds in ["1h", "", "43201", "99999999999"] {
        assert_eq!(duration(seconds).unwrap(), None, "{seconds}");
    }
    assert!(duration("899").unwrap_err().to_string().ends_with("has a duration_seconds of less than 900"));
}

#[test]
fn names_of_files_have_their_variables_and_tilde_replaced_and_the_file_of_the_first_ec2_tools_is_read() {
    for named in ["~/x".to_owned(), format!("${HOME}/x"), format!("${{{HOME}}}/x")] {
        let home = Home::empty().file("x", STATIC).with([("AWS_CONFIG_FILE", &*named)]);
        assert_eq!(home.key(), "AKIADEFAULT", "{named}");
    }
    let home = Home::empty().file("x", "AWSAccessKeyId = AKIAOLD\nAWSSecretKey=s\n");
    let home = home.with([("AWS_CREDENTIAL_FILE", "~/x")]);
    assert_eq!((home.key().as_str(), label(&home).as_str()), ("AKIAOLD", "keys in AWS_CREDENTIAL_FILE"));
    assert!(
        home.file("x", "AWSAccessKeyId = AKIAOLD\n").error().contains("it has no AWSAccessKeyId with an AWSSecretKey")
    );
}

#[cfg(unix)]
#[test]
fn a_home_that_cannot_be_searched_is_no_home_and_a_file_that_cannot_be_read_is_an_error() {
    use std::os::unix::fs::PermissionsExt as _;
    if crate::os::user::effective() == 0 {
        // Root reads everything; `providers::home` shows it with the real program as another user.
        return;
    }
    let home = Home::new("", STATIC);
    let mode = |path: &Path, mode| std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    mode(&home.path().join(".aws/credentials"), 0o000);
    assert!(home.error().ends_with("credentials: permission denied"), "{}", home.error());
    mode(home.path(), 0o600);
    let found = kind(&home);
    mode(home.path(), 0o700);
    assert_eq!(found, "instance");
}
