//! The sources, and what is changed for each of them.

use std::collections::BTreeSet;
use std::fs;

use serde_json::{Value, json};

use super::fixture::{CONFIG, CREDENTIALS, Fixture, claims};
use crate::support::{REGISTRY, jwt};

const ROLE: &str = "arn:aws:iam::123456789012:role/one";

fn service_account(name: &str) -> Value {
    json!({
        "iss": "https://oidc.eks.eu-west-1.amazonaws.com/id/A", "aud": ["sts.amazonaws.com"],
        "sub": format!("system:serviceaccount:ns:{name}"),
        "exp": 4_102_444_800_u64, "nbf": 1, "iat": 1, "jti": "one",
        "kubernetes.io": { "namespace": "ns", "pod": { "name": "p", "uid": "p" }, "node": { "name": "n", "uid": "n" },
            "serviceaccount": { "name": name, "uid": "u" }, "warnafter": 7 },
    })
}

fn pod_request(token: &Value) -> Value {
    json!({
        "kind": "CredentialProviderRequest", "apiVersion": "credentialprovider.kubelet.k8s.io/v1",
        "image": format!("{REGISTRY}/app"), "serviceAccountToken": jwt(token),
        "serviceAccountAnnotations": { "eks.amazonaws.com/ecr-role-arn": ROLE },
    })
}

/// A name, and what it does to a machine.
pub type Change = (String, Box<dyn Fn(&mut Fixture) + Send + Sync>);

fn change(name: &str, act: impl Fn(&mut Fixture) + Send + Sync + 'static) -> Change {
    (name.to_owned(), Box::new(act))
}

/// Every source, and how a machine comes to have it.
pub fn sources() -> Vec<Change> {
    let mut sources = vec![
        change("keys of the environment", |fixture| {
            fixture.set("AWS_ACCESS_KEY_ID", "AKIDENVIRONMENT");
            fixture.set("AWS_SECRET_ACCESS_KEY", "secret");
        }),
        change("web identity", |fixture| {
            fixture.set("AWS_WEB_IDENTITY_TOKEN_FILE", fixture.home().join("token"));
            fixture.set("AWS_ROLE_ARN", ROLE);
        }),
        change("web identity, opaque, relative", |fixture| {
            fixture.set("AWS_WEB_IDENTITY_TOKEN_FILE", "../opaque");
            fixture.set("AWS_ROLE_ARN", ROLE);
        }),
        change("service account", |fixture| fixture.request = Some(pod_request(&service_account("alice")))),
        change("container", container),
        change("container with a token", |fixture| {
            container(fixture);
            fixture.set("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", fixture.home().join("token"));
            fixture.aws.container_authorization(&jwt(&claims("octocat")));
        }),
        change("instance", instance),
        change("by-instance", |fixture| {
            instance(fixture);
            fixture.set("AWS_PROFILE", "by-instance");
        }),
        change("by-container", |fixture| {
            container(fixture);
            fixture.set("AWS_PROFILE", "by-container");
        }),
        change("by-environment", |fixture| {
            fixture.set("AWS_ACCESS_KEY_ID", "AKIDENVIRONMENT");
            fixture.set("AWS_SECRET_ACCESS_KEY", "secret");
            fixture.edit(".config/ecr-login/config.toml", "spare", "by-environment");
            fixture.edit(".config/ecr-login/config.toml", "999999999999", "*");
        }),
        change("a profile and a role of the settings", |fixture| {
            let text = format!(
                "[[registry]]\nmatch = \"*.dkr.ecr.*.amazonaws.com\"\nprofile = \"keys\"\nrole_arn = \"{ROLE}\"\n"
            );
            fs::write(fixture.home().join(".config/ecr-login/config.toml"), text).unwrap();
        }),
        change("web identity of the settings, by a variable", |fixture| {
            web_identity_of_the_settings(fixture, "env:JOB_TOKEN");
            fixture.set("JOB_TOKEN", jwt(&claims("octocat")));
        }),
        change("web identity of the settings, by a file", |fixture| {
            web_identity_of_the_settings(fixture, &format!("file:{}", fixture.home().join("token").display()));
        }),
        change("a profile by a relative config file", |fixture| {
            fixture.set("AWS_CONFIG_FILE", "aws-config");
            fixture.set("AWS_PROFILE", "process");
        }),
    ];
    for profile in [
        "keys",
        "role",
        "chain",
        "web",
        "sso",
        "legacy",
        "process",
        "path",
        "relative",
        "script",
        "interpreter",
        "role-by-process",
    ] {
        sources.push(change(profile, move |fixture| fixture.set("AWS_PROFILE", profile)));
    }
    sources
}

fn web_identity_of_the_settings(fixture: &Fixture, from: &str) {
    let text = format!(
        "[[registry]]\nmatch = \"*.dkr.ecr.*.amazonaws.com\"\nrole_arn = \"{ROLE}\"\nweb_identity = \"{from}\"\n"
    );
    fs::write(fixture.home().join(".config/ecr-login/config.toml"), text).unwrap();
}

fn container(fixture: &mut Fixture) {
    fixture.set("AWS_CONTAINER_CREDENTIALS_FULL_URI", format!("{}/v1/credentials", fixture.aws.url()));
}

fn instance(fixture: &mut Fixture) {
    fixture.unset("AWS_EC2_METADATA_DISABLED");
    fixture.set("AWS_EC2_METADATA_SERVICE_ENDPOINT", fixture.aws.url());
}

/// Every input, and another value of it.
pub fn changes() -> Vec<Change> {
    let mut changes = vec![
        change("nothing", |_| {}),
        change("the working directory", |fixture| fixture.directory = fixture.home().join("two")),
        change("another region's registry", |fixture| {
            fixture.registry = fixture.registry.replace("eu-west-1", "us-east-1")
        }),
        change("another account's registry", |fixture| fixture.registry = fixture.registry.replace("1234", "5678")),
        change("the public registry", |fixture| fixture.registry = "public.ecr.aws".to_owned()),
        change("PATH", |fixture| {
            fixture.set("PATH", format!("{0}/two/bin:{0}/one/bin:/usr/bin", fixture.home().display()))
        }),
        change("PATH, relative", |fixture| fixture.set("PATH", "bin:/usr/bin:/bin")),
        change("HOME", |fixture| fixture.set("HOME", fixture.home().join("elsewhere"))),
        change("keys of the environment", |fixture| {
            fixture.set("AWS_ACCESS_KEY_ID", "AKIDOTHER");
            fixture.set("AWS_SECRET_ACCESS_KEY", "other");
        }),
        change("AWS_CONFIG_FILE", |fixture| {
            fixture.set("AWS_CONFIG_FILE", fixture.home().join("elsewhere/.aws/config"))
        }),
        change("AWS_SHARED_CREDENTIALS_FILE", |fixture| {
            fixture.set("AWS_SHARED_CREDENTIALS_FILE", fixture.home().join("elsewhere/.aws/credentials"));
        }),
        change("the token file", |fixture| {
            fs::copy(fixture.home().join("token-two"), fixture.home().join("token")).unwrap();
            fs::write(fixture.home().join("opaque"), "another").unwrap();
        }),
        change("the job's token", |fixture| fixture.set("JOB_TOKEN", jwt(&claims("hubot")))),
        change("the pod's request", |fixture| {
            if fixture.request.is_some() {
                fixture.request = Some(pod_request(&service_account("bob")));
            }
        }),
        change("the pod's role", |fixture| {
            if let Some(request) = &mut fixture.request {
                request["serviceAccountAnnotations"]["eks.amazonaws.com/ecr-role-arn"] =
                    json!(ROLE.replace("one", "two"));
            }
        }),
        change("the pod", |fixture| {
            let mut account = service_account("alice");
            account["kubernetes.io"]["pod"]["uid"] = json!("another");
            if fixture.request.is_some() {
                fixture.request = Some(pod_request(&account));
            }
        }),
        change("the agent", |fixture| {
            fixture.set("AWS_CONTAINER_CREDENTIALS_FULL_URI", format!("{}/v2/credentials", fixture.aws.url()));
        }),
        change("the host of the agent", |fixture| {
            fixture.set("AWS_CONTAINER_CREDENTIALS_FULL_URI", format!("{}/v1/credentials", fixture.other.url()));
        }),
        change("the instance's endpoint", |fixture| {
            fixture.set("AWS_EC2_METADATA_SERVICE_ENDPOINT", fixture.other.url())
        }),
        change("the program", |fixture| {
            for name in ["creds", "bin/creds"] {
                fixture.edit(&format!("one/{name}"), "AKIDONEONE", "AKIDEDITED");
            }
        }),
        change("the program, by a rename", |fixture| {
            for name in ["creds", "bin/creds"] {
                fs::rename(fixture.home().join("two").join(name), fixture.home().join("one").join(name)).unwrap();
            }
        }),
        change("the settings: a profile", |fixture| {
            fixture.edit(".config/ecr-login/config.toml", "match =", "profile = \"spare\"\n# match =");
            let path = fixture.home().join(".config/ecr-login/config.toml");
            fs::write(path, "[[registry]]\nmatch = \"*.dkr.ecr.*.amazonaws.com\"\nprofile = \"spare\"\n").unwrap();
        }),
    ];
    for entry in [
        "role_arn = \"arn:aws:iam::123456789012:role/of-the-settings\"",
        "timeout = 9",
        "profile = \"keys\"",
        "cache = false",
    ] {
        changes.push(change(&format!("the settings: {entry}"), move |fixture| {
            let text = if entry.starts_with("timeout") {
                format!("{entry}\n")
            } else {
                format!("[[registry]]\nmatch = \"*.dkr.ecr.*.amazonaws.com\"\n{entry}\n")
            };
            fs::write(fixture.home().join(".config/ecr-login/config.toml"), text).unwrap();
        }));
    }
    for (name, value) in [
        ("AWS_SESSION_TOKEN", "another"),
        ("AWS_PROFILE", "spare"),
        ("AWS_DEFAULT_PROFILE", "spare"),
        ("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/another"),
        ("AWS_ROLE_SESSION_NAME", "another"),
        ("AWS_REGION", "eu-central-1"),
        ("AWS_DEFAULT_REGION", "eu-central-1"),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN", "another"),
        ("AWS_EC2_METADATA_DISABLED", "true"),
        ("ARGUMENT", "another"),
        ("LANG", "C"),
        ("TERM", "dumb"),
        ("ECR_LOGIN_TIMEOUT", "8"),
    ] {
        changes.push(change(name, move |fixture| fixture.set(name, value)));
    }
    for name in ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_ECR", "AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL_SSO"] {
        changes.push(change(name, move |fixture| fixture.set(name, fixture.other.url())));
    }
    for name in [
        "AWS_ACCESS_KEY_ID",
        "AWS_PROFILE",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        "HOME",
    ] {
        changes.push(change(&format!("{name}, gone"), move |fixture| fixture.unset(name)));
    }
    for (name, value) in
        [("AWS_WEB_IDENTITY_TOKEN_FILE", "token-two"), ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "token-two")]
    {
        changes.push(change(name, move |fixture| fixture.set(name, fixture.home().join(value))));
    }
    // Each line of both files, one at a time.
    for (path, text) in [(".aws/config", CONFIG), (".aws/credentials", CREDENTIALS)] {
        let mut seen = BTreeSet::new();
        for line in text.lines().filter(|line| line.contains("WHO")).filter(|line| seen.insert(line.to_string())) {
            let (old, new) = if path == ".aws/config" { ("one", "uno") } else { ("ONE", "UNO") };
            changes.push(change(&format!("{path}: {line}"), move |fixture| {
                let home = fixture.home().display().to_string();
                let (before, after) = (line.replace("WHO", old), line.replace("WHO", new));
                fixture.edit(path, &before.replace("HOME", &home), &after.replace("HOME", &home));
            }));
        }
    }
    for (old, new) in [
        ("source_profile = keys", "source_profile = spare"),
        ("sso_account_id = 123456789012", "sso_account_id = 210987654321"),
    ] {
        changes.push(change(&format!(".aws/config: {new}"), move |fixture| fixture.edit(".aws/config", old, new)));
    }
    // Each claim of the token, and of the service account's.
    for (name, value) in [
        ("iss", json!("https://other.example")),
        ("sub", json!("repo:o/other")),
        ("aud", json!(["a", "b"])),
        ("actor", json!("mallory")),
        ("job_workflow_ref", json!("o/r/.github/workflows/b.yml@main")),
        ("environment", json!("staging")),
        ("repository_id", json!("75")),
        ("run_attempt", json!(2)),
        ("unheard_of", json!({ "a": [1, null] })),
        ("amr", json!(["authenticated"])),
        ("https://aws.amazon.com/tags", json!({ "principal_tags": { "team": ["a"] } })),
        ("exp", json!(4_102_444_801_u64)),
        ("nbf", json!(2)),
        ("iat", json!(2)),
        ("jti", json!("two")),
    ] {
        changes.push(change(&format!("claim {name}"), move |fixture| {
            let (mut job, mut account) = (claims("octocat"), service_account("alice"));
            job[name] = value.clone();
            account[name] = value.clone();
            fs::write(fixture.home().join("token"), jwt(&job)).unwrap();
            if fixture.variables.contains_key("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE") {
                fixture.aws.container_authorization(&jwt(&job));
            }
            if fixture.request.is_some() {
                fixture.request = Some(pod_request(&account));
            }
        }));
    }
    changes
}
