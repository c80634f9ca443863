//! What the settings file does to a `get`, on the real binary: which credentials are used for which registry, and the message about a
//! file that is wrong.

use std::fs;
use std::time::Duration;

use crate::support::{FakeAws, Fault, Helper, REGISTRY, Service};

const OTHER: &str = "210987654321.dkr.ecr.us-east-1.amazonaws.com";

/// Two profiles with keys of their own, and other keys in the environment.
fn helper(aws: &FakeAws) -> Helper {
    let helper = Helper::new().aws(aws).keys("AKIAENVIRONMENT");
    helper.write(
        ".aws/credentials",
        "[prod]\naws_access_key_id = AKIAPROD\naws_secret_access_key = prod\n\
         [base]\naws_access_key_id = AKIABASE\naws_secret_access_key = base\n",
    );
    helper
}

#[test]
fn a_profile_chosen_for_a_registry_wins_over_keys_in_the_environment() {
    let aws = FakeAws::start();
    let helper = helper(&aws).settings("[[registry]]\nmatch = \"*.dkr.ecr.eu-*.amazonaws.com\"\nprofile = \"prod\"\n");
    assert_eq!(helper.get(REGISTRY).token().key, "AKIAPROD");
    assert_eq!(helper.get(OTHER).token().key, "AKIAENVIRONMENT", "no entry matches: the default chain");
}

#[test]
fn the_first_entry_that_matches_wins() {
    let aws = FakeAws::start();
    let entry = |profile| format!("[[registry]]\nmatch = \"{REGISTRY}\"\nprofile = \"{profile}\"\n");
    let helper = helper(&aws).settings(&(entry("base") + &entry("prod")));
    assert_eq!(helper.get(REGISTRY).token().key, "AKIABASE");
}

#[test]
fn a_role_is_assumed_with_the_registrys_account_and_region_in_its_name() {
    let aws = FakeAws::start();
    let helper = helper(&aws).settings(
        "[[registry]]\nmatch = \"*.dkr.ecr.*.amazonaws.com\"\nprofile = \"base\"\n\
         role_arn = \"arn:aws:iam::{account}:role/pull-{region}\"\nexternal_id = \"e-1\"\nsession_name = \"laptop\"\n",
    );
    let token = helper.get(OTHER).token();
    assert!(token.identity.starts_with("role-pull-us-east-1-by-AKIABASE"), "{}", token.identity);
    let request = &aws.requests(Service::Sts)[0];
    let body = String::from_utf8_lossy(&request.body).into_owned();
    for part in ["210987654321%3Arole%2Fpull-us-east-1", "ExternalId=e-1", "RoleSessionName=laptop"] {
        assert!(body.contains(part), "{part} in {body}");
    }
}

#[test]
fn a_role_without_a_profile_is_assumed_by_the_default_chain() {
    let aws = FakeAws::start();
    let helper = helper(&aws).settings(
        "[[registry]]\nmatch = \"*.dkr.ecr.*.amazonaws.com\"\nrole_arn = \"arn:aws:iam::{account}:role/pull\"\n",
    );
    assert!(helper.get(REGISTRY).token().identity.starts_with("role-pull-by-AKIAENVIRONMENT"));
}

#[test]
fn a_change_takes_effect_at_the_next_call_and_never_serves_the_old_identitys_token() {
    let aws = FakeAws::start();
    let entry = |profile| format!("[[registry]]\nmatch = \"{REGISTRY}\"\nprofile = \"{profile}\"\n");
    let helper = helper(&aws).settings(&entry("prod"));
    assert_eq!(helper.get(REGISTRY).token().key, "AKIAPROD");
    let helper = helper.settings(&entry("base"));
    assert_eq!(helper.get(REGISTRY).token().key, "AKIABASE");
    let helper = helper.settings(&entry("prod"));
    assert_eq!(helper.get(REGISTRY).token().key, "AKIAPROD");
    assert_eq!(aws.calls(Service::Ecr), 2, "each identity's token was kept for it");
}

#[test]
fn an_unknown_profile_matters_only_to_the_registry_whose_entry_names_it() {
    let aws = FakeAws::start();
    let helper = helper(&aws).settings(&format!("[[registry]]\nmatch = \"{REGISTRY}\"\nprofile = \"gone\"\n"));
    let outcome = helper.get(REGISTRY);
    let line = outcome.failure();
    assert!(line.contains("profile gone") && line.contains("base, prod"), "{line}");
    assert_eq!(helper.get(OTHER).token().key, "AKIAENVIRONMENT");
    assert_eq!(aws.calls(Service::Ecr), 1, "no other source is used in its place");
}

#[test]
fn a_wrong_file_is_not_used_at_all_and_file_line_and_key_are_named() {
    let aws = FakeAws::start();
    let good = format!("[[registry]]\nmatch = \"{REGISTRY}\"\nprofile = \"prod\"\n");
    let wrong =
        ["profil = \"x\"", "cache = 1", "match = \"a..b\"", "[[registry]]\nmatch = \"a\"\nrole_arn = \"pull\"", "= 3"];
    for text in wrong {
        let helper = helper(&aws).settings(&format!("{good}{text}\n"));
        let outcome = helper.get(REGISTRY);
        let line = outcome.failure();
        let path = helper.home().join(".config").join("ecr-login").join("config.toml");
        assert!(line.contains(&format!("{}:", path.display())), "{text}: {line}");
    }
    assert_eq!(aws.calls(Service::Ecr), 0);
}

#[cfg(unix)]
#[test]
fn a_file_that_others_could_have_written_is_refused_by_name() {
    use crate::support::cache::is_root;
    use std::os::unix::fs::{PermissionsExt, chown};
    let aws = FakeAws::start();
    let helper = helper(&aws).settings("strict = false\n");
    let path = helper.home().join(".config/ecr-login/config.toml");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
    let outcome = helper.get(REGISTRY);
    let line = outcome.failure();
    assert!(line.contains("others may write it (mode 0666)") && line.contains("chmod go-w"), "{line}");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(helper.get(REGISTRY).token().key, "AKIAENVIRONMENT");
    if !is_root() {
        eprintln!("not shown here: another owner, which takes root");
        return;
    }
    chown(&path, Some(12_345), None).unwrap();
    let outcome = helper.get(REGISTRY);
    let line = outcome.failure();
    assert!(line.contains("it belongs to uid 12345") && line.contains("chown"), "{line}");
    // For root the owner of HOME counts too: sudo may keep it.
    chown(helper.home(), Some(12_345), None).unwrap();
    assert_eq!(helper.without("AWS_ECR_CACHE_DIR").get(REGISTRY).answer().username, "AWS");
}

#[test]
fn the_named_file_wins_and_must_be_there() {
    let aws = FakeAws::start();
    let helper = helper(&aws).settings("this is not TOML");
    let named = helper.write("named.toml", format!("[[registry]]\nmatch = \"{REGISTRY}\"\nprofile = \"base\"\n"));
    let helper = helper.env("ECR_LOGIN_CONFIG", named);
    assert_eq!(helper.get(REGISTRY).token().key, "AKIABASE");
    let outcome = helper.env("ECR_LOGIN_CONFIG", "/nowhere/config.toml").get(REGISTRY);
    assert!(outcome.failure().contains("ECR_LOGIN_CONFIG names /nowhere/config.toml"), "{}", outcome.failure());
}

#[test]
fn the_files_timeout_bounds_a_get_and_the_variable_wins_over_it() {
    let aws = FakeAws::start();
    aws.fail(Service::Ecr, Fault::Hang);
    let helper = helper(&aws).settings("timeout = 1\n");
    let outcome = helper.get(REGISTRY);
    assert!(outcome.failure().contains("1 s"), "{}", outcome.failure());
    assert!(outcome.duration < Duration::from_secs(6), "{:?}", outcome.duration);
    // Another region: a failure is the answer to every call that would ask the same for a second.
    let outcome = helper.env("ECR_LOGIN_TIMEOUT", "2").get(OTHER);
    assert!(outcome.failure().contains("2 s"), "{}", outcome.failure());
}

#[test]
fn an_unknown_profile_is_named_with_the_line_of_the_settings_that_names_it() {
    let aws = FakeAws::start();
    let settings = format!("# mine\n\n[[registry]]\nmatch = \"{REGISTRY}\"\nprofile = \"gone\"\n");
    let helper = Helper::new().aws(&aws).keys("AKIAOTHER").settings(&settings);
    let outcome = helper.get(REGISTRY);
    let line = outcome.failure();
    let file = helper.home().join(".config").join("ecr-login").join("config.toml");
    let named_by = format!("profile gone, named by {}, line 5,", file.display());
    assert!(line.contains(&named_by), "{line}");
}

#[cfg(unix)]
#[test]
fn the_null_device_means_no_settings() {
    let aws = FakeAws::start();
    let helper = Helper::new().aws(&aws).keys("AKIANULL").settings("nonsense").env("ECR_LOGIN_CONFIG", "/dev/null");
    assert_eq!(helper.get(REGISTRY).token().key, "AKIANULL");
}
