//! `status` shows the tokens and their identities, `clear` removes them.

use crate::support::cache::{HOUR, age};
use crate::support::{FakeAws, Helper, REGISTRY, Service, sso};
use serde_json::Value;

const OTHER: &str = "210987654321.dkr.ecr.us-east-1.amazonaws.com";

fn status(helper: &Helper) -> Value {
    let outcome = helper.run(["status", "--json"], "");
    assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""), "{outcome:?}");
    serde_json::from_str(&outcome.stdout).unwrap()
}

fn registries(helper: &Helper) -> Vec<String> {
    let status = status(helper);
    let tokens = status["tokens"].as_array().unwrap().iter();
    tokens.map(|token| token["registry"].as_str().unwrap().to_owned()).collect()
}

fn warm(helper: &Helper, names: &[&str]) {
    let arguments: Vec<&str> = ["warm"].iter().chain(names).copied().collect();
    let outcome = helper.run(arguments, "");
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
}

#[test]
fn nothing_is_kept_yet() {
    let helper = Helper::new();
    let outcome = helper.run(["status"], "");
    assert_eq!(outcome.code, Some(0));
    assert!(outcome.stdout.starts_with("No tokens are cached"), "{outcome:?}");
    assert!(outcome.stdout.contains("no file, so the defaults"), "{outcome:?}");
    assert!(!helper.made_a_cache(), "looking makes nothing");
}

#[test]
fn each_token_with_its_region_its_identity_in_words_and_its_times() {
    let aws = FakeAws::start();
    let helper = Helper::new().aws(&aws).settings("");
    let helper = helper.aws_config("[profile prod]\naws_access_key_id = AKIAPROD\naws_secret_access_key = MARKED\n");
    let helper = helper.env("AWS_PROFILE", "prod");
    warm(&helper, &[REGISTRY, OTHER]);
    let said = status(&helper);
    let token = &said["tokens"][0];
    assert_eq!((&token["registry"], &token["region"]), (&Value::from(REGISTRY), &Value::from("eu-west-1")));
    assert_eq!(said["tokens"][1]["registry"], OTHER);
    assert!(token["identity"].as_str().unwrap().contains("prod"), "{said:#}");
    let number = |key: &str| token[key].as_i64().unwrap();
    let (age, refresh, ends) = (number("age_seconds"), number("refresh_in_seconds"), number("expires_in_seconds"));
    assert!((0..600).contains(&age) && refresh > 0 && ends > refresh, "{said:#}");
    assert_eq!(token["expired"], false);
    assert!(token["expires_at"].as_str().unwrap().ends_with('Z'), "{said:#}");
    assert!(said["cache"]["path"].as_str().unwrap().ends_with("ecr-login"));
    assert!(said["settings"]["path"].as_str().unwrap().replace('\\', "/").ends_with(".config/ecr-login/config.toml"));

    let text = helper.run(["status"], "").stdout;
    for word in [
        REGISTRY,
        OTHER,
        "profile prod",
        "region us-east-1",
        "used now",
        "good for ",
        " UTC), renewed from ",
        "(2 tokens)",
        "config.toml",
    ] {
        assert!(text.contains(word), "{word}: {text}");
    }
    assert!(!text.contains('\u{1b}'), "no colours outside of a terminal");
    let password = helper.run(["password", REGISTRY], "").stdout;
    for text in [text, said.to_string()] {
        for secret in ["MARKED", "AKIAPROD", password.trim()] {
            assert!(!text.contains(secret), "{secret}: {text}");
        }
    }
}

#[test]
fn an_expired_token_is_reported_as_expired() {
    let aws = FakeAws::start();
    let helper = Helper::new().aws(&aws).keys("AKIAOLD");
    warm(&helper, &[REGISTRY]);
    age(&helper, 13 * HOUR);
    assert_eq!(status(&helper)["tokens"][0]["expired"], true);
    assert!(helper.run(["status"], "").stdout.contains("ended "));
}

#[test]
fn a_broken_settings_file_is_shown_and_the_tokens_all_the_same() {
    let aws = FakeAws::start();
    let helper = Helper::new().aws(&aws).keys("AKIABROKEN");
    warm(&helper, &[REGISTRY]);
    let helper = helper.settings("timeout = []\n");
    let outcome = helper.run(["status"], "");
    assert!(outcome.stdout.contains("config.toml:1") && outcome.stdout.contains(REGISTRY), "{outcome:?}");
    assert_eq!(outcome.code, Some(0));
}

#[cfg(unix)]
#[test]
fn a_cache_that_is_not_trusted_is_shown_as_such() {
    let aws = FakeAws::start();
    let helper = Helper::new().aws(&aws).keys("AKIATRUST");
    warm(&helper, &[REGISTRY]);
    let aside = helper.home().join("aside");
    std::fs::rename(helper.cache(), &aside).unwrap();
    std::os::unix::fs::symlink(&aside, helper.cache()).unwrap();
    let said = status(&helper);
    assert_eq!(said["tokens"].as_array().unwrap().len(), 0);
    assert!(said["cache"]["warnings"][0].as_str().unwrap().contains("is not used"), "{said:#}");
    let outcome = helper.run(["clear"], "");
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    assert!(outcome.line().contains("is not used"), "{outcome:?}");
}

#[test]
fn clear_forgets_one_registry_or_all() {
    let aws = FakeAws::start();
    let helper = Helper::new().aws(&aws).keys("AKIACLEAR");
    let alias = format!("[[registry]]\nmatch = \"images.example.com\"\nalias_of = \"{OTHER}\"\n");
    let helper = helper.settings(&alias);
    warm(&helper, &[REGISTRY, OTHER]);
    assert_eq!(registries(&helper), [REGISTRY, OTHER]);
    let outcome = helper.run(["clear", &format!("https://{REGISTRY}/app")], "");
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    assert_eq!(registries(&helper), [OTHER]);
    assert_eq!(helper.run(["clear", "images.example.com"], "").code, Some(0));
    assert_eq!(registries(&helper), [""; 0]);
    warm(&helper, &[REGISTRY, OTHER]);
    assert_eq!(aws.calls(Service::Ecr), 4, "what was forgotten is asked for anew");
    assert!(helper.run(["clear"], "").stdout.contains("all registries"));
    assert_eq!(registries(&helper), [""; 0]);
    assert!(helper.run(["clear"], "").stdout.contains("No token was cached"));
}

#[test]
fn clear_of_a_name_that_is_not_ecr_is_refused() {
    let outcome = Helper::new().run(["clear", "ghcr.io"], "");
    assert_eq!(outcome.code, Some(1));
    assert!(outcome.line().contains("ghcr.io"), "{outcome:?}");
}

#[cfg(unix)]
#[test]
fn colours_are_for_a_terminal_and_no_color_turns_them_off() {
    let aws = FakeAws::start();
    let helper = Helper::new().aws(&aws).keys("AKIACOLOUR").env("TERM", "xterm");
    warm(&helper, &[REGISTRY]);
    let shown = |helper: &Helper| {
        let (text, code) = crate::support::terminal::shown(helper.command(["status"]));
        assert_eq!(code, Some(0));
        text
    };
    let text = shown(&helper);
    assert!(text.contains(REGISTRY) && text.contains("\u{1b}[1m"), "{text:?}");
    let text = shown(&helper.env("NO_COLOR", "1"));
    assert!(text.contains(REGISTRY) && !text.contains('\u{1b}'), "{text:?}");
}

#[test]
fn each_configured_registry_has_a_line_with_its_identity_with_a_token_or_without() {
    let aws = FakeAws::start();
    let helper = Helper::new().aws(&aws).keys("AKIANOW");
    let rules = format!(
        "[[registry]]\nmatch = \"{OTHER}\"\nprofile = \"nosuch\"\n\n[[registry]]\nmatch = \"public.ecr.aws\"\nanonymous = true\n"
    );
    let helper = helper.settings(&rules);
    let third = "123456789012.dkr.ecr.ap-south-1.amazonaws.com";
    helper.write(
        ".docker/config.json",
        format!("{{\"credHelpers\":{{\"{REGISTRY}\":\"ecr-login\",\"{third}\":\"ecr-login\",\"gcr.io\":\"gcloud\"}}}}"),
    );
    warm(&helper, &[REGISTRY]);
    let said = status(&helper);
    let row = |registry: &str| {
        let rows = said["registries"].as_array().unwrap();
        rows.iter().find(|row| row["registry"] == registry).unwrap_or_else(|| panic!("no {registry}: {said:#}")).clone()
    };
    assert_eq!((&row(REGISTRY)["has_token"], &row(REGISTRY)["configured"]), (&Value::from(true), &Value::from(true)));
    assert_eq!(row(REGISTRY)["identity"], "keys in the environment");
    assert_eq!(
        (&row(third)["has_token"], &row(third)["identity"]),
        (&Value::from(false), &"keys in the environment".into())
    );
    assert!(row(OTHER)["reason"].as_str().unwrap().contains("profile nosuch"), "{said:#}");
    assert_eq!(row("public.ecr.aws")["reason"], "anonymous by the settings");
    assert_eq!(said["registries"].as_array().unwrap().len(), 4, "{said:#}");
    assert_eq!(said["tokens"][0]["used_now"], true);
    let text = helper.run(["status"], "").stdout;
    for line in [
        "  used now   keys in the environment, region ap-south-1\n             no token; the next pull asks ECR for one\n",
        "  used now   no credentials: profile nosuch, named by ",
        "  used now   no credentials: anonymous by the settings\n",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
}

#[test]
fn the_token_of_the_identity_that_would_be_used_now_is_marked_and_others_are_marked_as_others() {
    let aws = FakeAws::start();
    let helper = Helper::new().aws(&aws).aws_config(
        "[profile one]\naws_access_key_id = AKIAONE\naws_secret_access_key = MARKED\n\
         [profile two]\naws_access_key_id = AKIATWO\naws_secret_access_key = MARKED\n",
    );
    let helper = helper.env("AWS_PROFILE", "one");
    warm(&helper, &[REGISTRY]);
    let helper = helper.env("AWS_PROFILE", "two");
    let before = helper.run(["status"], "").stdout;
    assert!(before.contains("used now   profile two, region eu-west-1\n             no token; "), "{before}");
    assert!(before.contains("another    profile one, not used now\n             good for "), "{before}");
    warm(&helper, &[REGISTRY]);
    let after = helper.run(["status"], "").stdout;
    assert!(after.contains("used now   profile two, region eu-west-1\n             good for "), "{after}");
    let used: Vec<bool> = status(&helper)["tokens"].as_array().unwrap().iter().map(|t| t["used_now"] == true).collect();
    assert_eq!(used.iter().filter(|used| **used).count(), 1);
}

/// As with tools that put new keys into the environment each hour.
#[test]
fn tokens_that_people_cannot_tell_apart_are_one_row() {
    let aws = FakeAws::start();
    let mut helper = Helper::new().aws(&aws);
    for key in ["AKIAONE", "AKIATWO", "AKIATHREE"] {
        helper = helper.keys(key);
        warm(&helper, &[REGISTRY]);
    }
    let text = helper.run(["status"], "").stdout;
    assert!(text.contains("another    keys in the environment (2 tokens), not used now\n"), "{text}");
    assert_eq!((text.matches("another").count(), text.matches("good for").count()), (1, 2), "{text}");
    assert_eq!(status(&helper)["tokens"].as_array().unwrap().len(), 3);
}

#[test]
fn a_login_that_has_ended_is_said_before_a_pull_fails_for_it() {
    let aws = FakeAws::start();
    let names = format!("{{\"credHelpers\":{{\"{REGISTRY}\":\"ecr-login\"}}}}");
    for (login, reason) in [(None, "there is no cached login"), (Some(sso::login(-60)), "has expired")] {
        let mut login = login;
        if let Some(login) = login.as_mut().and_then(Value::as_object_mut) {
            login.remove("refreshToken");
        }
        let helper = sso::helper(&aws, login.as_ref(), 1);
        helper.write(".docker/config.json", &names);
        let text = helper.run(["status"], "").stdout;
        assert!(text.contains(reason) && text.contains("docker-credential-ecr-login login --profile"), "{text}");
        assert!(!text.contains("the next pull asks ECR"), "{text}");
    }
    let helper = sso::helper(&aws, Some(&sso::login(3600)), 1);
    helper.write(".docker/config.json", &names);
    let text = helper.run(["status"], "").stdout;
    assert!(text.contains("the next pull asks ECR") && !text.contains("login --profile"), "{text}");
}

#[test]
fn where_nothing_is_configured_the_instances_role_is_said_to_be_what_is_left() {
    let helper = Helper::new().without("AWS_EC2_METADATA_DISABLED");
    helper.write(".docker/config.json", format!("{{\"credHelpers\":{{\"{REGISTRY}\":\"ecr-login\"}}}}"));
    let text = helper.run(["status"], "").stdout;
    assert!(text.contains("used now   this instance's role, as no other credentials are configured, region"), "{text}");
    let setup = helper.run(["setup", "docker", REGISTRY], "").stdout;
    assert!(setup.contains("will use this instance's role, as no other credentials are configured\n"), "{setup}");
}

#[cfg(unix)]
#[test]
fn why_there_is_no_cache_is_reported_in_the_words_of_warm() {
    let aws = FakeAws::start();
    let keys = || Helper::new().aws(&aws).keys("AKIANOCACHE");
    for helper in [keys().env("AWS_ECR_DISABLE_CACHE", "1"), keys().env("AWS_ECR_CACHE_DIR", "/dev/null")] {
        let said = status(&helper);
        let reason = said["cache"]["reason"].as_str().unwrap_or_else(|| panic!("{said:#}"));
        assert!(helper.run(["status"], "").stdout.contains(reason), "{reason}");
        let warmed = helper.run(["warm", REGISTRY], "");
        assert!(warmed.line().contains(&format!("not kept: {reason}")), "{reason}: {warmed:?}");
    }
    assert_eq!(status(&keys())["cache"]["reason"], Value::Null);
}

#[test]
fn the_last_failure_is_shown_with_its_time() {
    let helper = Helper::new();
    helper.get(REGISTRY).failure();
    let text = helper.run(["status"], "").stdout;
    let line = text.lines().find(|line| line.starts_with("last failure, ")).unwrap_or_else(|| panic!("{text}"));
    assert!(
        line.contains(" ago (") && line.contains(&format!(" UTC): {REGISTRY}: no AWS credentials found")),
        "{line}"
    );
}
