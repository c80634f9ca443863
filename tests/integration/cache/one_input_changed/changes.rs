//! The sources, and what is changed for each of them.

use std::collections::BTreeSet;
use std::fs;

use serde_json::{Value, json};

use super::world::{CONFIG, CREDENTIALS, World, claims};
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
pub type Change = (String, Box<dyn Fn(&mut World) + Send + Sync>);

fn change(name: &str, act: impl Fn(&mut World) + Send + Sync + 'static) -> Change {
    (name.to_owned(), Box::new(act))
}

/// Every source, and how a machine comes to have it.
pub fn sources() -> Vec<Change> {
    let mut sources = vec![
        change("keys of the environment", |world| {
            world.set("AWS_ACCESS_KEY_ID", "AKIDENVIRONMENT");
            world.set("AWS_SECRET_ACCESS_KEY", "secret");
        }),
        change("web identity", |world| {
            world.set("AWS_WEB_IDENTITY_TOKEN_FILE", world.home().join("token"));
            world.set("AWS_ROLE_ARN", ROLE);
        }),
        change("web identity, opaque, relative", |world| {
            world.set("AWS_WEB_IDENTITY_TOKEN_FILE", "../opaque");
            world.set("AWS_ROLE_ARN", ROLE);
        }),
        change("service account", |world| world.request = Some(pod_request(&service_account("alice")))),
        change("container", container),
        change("container with a token", |world| {
            container(world);
            world.set("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", world.home().join("token"));
            world.aws.container_authorization(&jwt(&claims("octocat")));
        }),
        change("instance", instance),
        change("by-instance", |world| {
            instance(world);
            world.set("AWS_PROFILE", "by-instance");
        }),
        change("by-container", |world| {
            container(world);
            world.set("AWS_PROFILE", "by-container");
        }),
        change("by-environment", |world| {
            world.set("AWS_ACCESS_KEY_ID", "AKIDENVIRONMENT");
            world.set("AWS_SECRET_ACCESS_KEY", "secret");
            world.edit(".config/ecr-login/config.toml", "spare", "by-environment");
            world.edit(".config/ecr-login/config.toml", "999999999999", "*");
        }),
        change("a profile and a role of the settings", |world| {
            let text = format!(
                "[[registry]]\nmatch = \"*.dkr.ecr.*.amazonaws.com\"\nprofile = \"keys\"\nrole_arn = \"{ROLE}\"\n"
            );
            fs::write(world.home().join(".config/ecr-login/config.toml"), text).unwrap();
        }),
        change("a profile by a relative config file", |world| {
            world.set("AWS_CONFIG_FILE", "aws-config");
            world.set("AWS_PROFILE", "process");
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
        sources.push(change(profile, move |world| world.set("AWS_PROFILE", profile)));
    }
    sources
}

fn container(world: &mut World) {
    world.set("AWS_CONTAINER_CREDENTIALS_FULL_URI", format!("{}/v1/credentials", world.aws.url()));
}

fn instance(world: &mut World) {
    world.unset("AWS_EC2_METADATA_DISABLED");
    world.set("AWS_EC2_METADATA_SERVICE_ENDPOINT", world.aws.url());
}

/// Every input, and another value of it.
pub fn changes() -> Vec<Change> {
    let mut changes = vec![
        change("nothing", |_| {}),
        change("the working directory", |world| world.directory = world.home().join("two")),
        change("another region's registry", |world| world.registry = world.registry.replace("eu-west-1", "us-east-1")),
        change("another account's registry", |world| world.registry = world.registry.replace("1234", "5678")),
        change("the public registry", |world| world.registry = "public.ecr.aws".to_owned()),
        change("PATH", |world| world.set("PATH", format!("{0}/two/bin:{0}/one/bin:/usr/bin", world.home().display()))),
        change("PATH, relative", |world| world.set("PATH", "bin:/usr/bin:/bin")),
        change("HOME", |world| world.set("HOME", world.home().join("elsewhere"))),
        change("keys of the environment", |world| {
            world.set("AWS_ACCESS_KEY_ID", "AKIDOTHER");
            world.set("AWS_SECRET_ACCESS_KEY", "other");
        }),
        change("AWS_CONFIG_FILE", |world| world.set("AWS_CONFIG_FILE", world.home().join("elsewhere/.aws/config"))),
        change("AWS_SHARED_CREDENTIALS_FILE", |world| {
            world.set("AWS_SHARED_CREDENTIALS_FILE", world.home().join("elsewhere/.aws/credentials"));
        }),
        change("the token file", |world| {
            fs::copy(world.home().join("token-two"), world.home().join("token")).unwrap();
            fs::write(world.home().join("opaque"), "another").unwrap();
        }),
        change("the pod's request", |world| {
            if world.request.is_some() {
                world.request = Some(pod_request(&service_account("bob")));
            }
        }),
        change("the pod's role", |world| {
            if let Some(request) = &mut world.request {
                request["serviceAccountAnnotations"]["eks.amazonaws.com/ecr-role-arn"] =
                    json!(ROLE.replace("one", "two"));
            }
        }),
        change("the pod", |world| {
            let mut account = service_account("alice");
            account["kubernetes.io"]["pod"]["uid"] = json!("another");
            if world.request.is_some() {
                world.request = Some(pod_request(&account));
            }
        }),
        change("the agent", |world| {
            world.set("AWS_CONTAINER_CREDENTIALS_FULL_URI", format!("{}/v2/credentials", world.aws.url()));
        }),
        change("the host of the agent", |world| {
            world.set("AWS_CONTAINER_CREDENTIALS_FULL_URI", format!("{}/v1/credentials", world.other.url()));
        }),
        change("the instance's endpoint", |world| world.set("AWS_EC2_METADATA_SERVICE_ENDPOINT", world.other.url())),
        change("the program", |world| {
            for name in ["creds", "bin/creds"] {
                world.edit(&format!("one/{name}"), "AKIDONEONE", "AKIDEDITED");
            }
        }),
        change("the program, by a rename", |world| {
            for name in ["creds", "bin/creds"] {
                fs::rename(world.home().join("two").join(name), world.home().join("one").join(name)).unwrap();
            }
        }),
        change("the settings: a profile", |world| {
            world.edit(".config/ecr-login/config.toml", "match =", "profile = \"spare\"\n# match =");
            let path = world.home().join(".config/ecr-login/config.toml");
            fs::write(path, "[[registry]]\nmatch = \"*.dkr.ecr.*.amazonaws.com\"\nprofile = \"spare\"\n").unwrap();
        }),
    ];
    for entry in [
        "role_arn = \"arn:aws:iam::123456789012:role/of-the-settings\"",
        "timeout = 9",
        "profile = \"keys\"",
        "cache = false",
    ] {
        changes.push(change(&format!("the settings: {entry}"), move |world| {
            let text = if entry.starts_with("timeout") {
                format!("{entry}\n")
            } else {
                format!("[[registry]]\nmatch = \"*.dkr.ecr.*.amazonaws.com\"\n{entry}\n")
            };
            fs::write(world.home().join(".config/ecr-login/config.toml"), text).unwrap();
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
        changes.push(change(name, move |world| world.set(name, value)));
    }
    for name in ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_ECR", "AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL_SSO"] {
        changes.push(change(name, move |world| world.set(name, world.other.url())));
    }
    for name in [
        "AWS_ACCESS_KEY_ID",
        "AWS_PROFILE",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        "HOME",
    ] {
        changes.push(change(&format!("{name}, gone"), move |world| world.unset(name)));
    }
    for (name, value) in
        [("AWS_WEB_IDENTITY_TOKEN_FILE", "token-two"), ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "token-two")]
    {
        changes.push(change(name, move |world| world.set(name, world.home().join(value))));
    }
    // Each line of both files, one at a time.
    for (path, text) in [(".aws/config", CONFIG), (".aws/credentials", CREDENTIALS)] {
        let mut seen = BTreeSet::new();
        for line in text.lines().filter(|line| line.contains("WHO")).filter(|line| seen.insert(line.to_string())) {
            let (old, new) = if path == ".aws/config" { ("one", "uno") } else { ("ONE", "UNO") };
            changes.push(change(&format!("{path}: {line}"), move |world| {
                let home = world.home().display().to_string();
                let (before, after) = (line.replace("WHO", old), line.replace("WHO", new));
                world.edit(path, &before.replace("HOME", &home), &after.replace("HOME", &home));
            }));
        }
    }
    for (old, new) in [
        ("source_profile = keys", "source_profile = spare"),
        ("sso_account_id = 123456789012", "sso_account_id = 210987654321"),
    ] {
        changes.push(change(&format!(".aws/config: {new}"), move |world| world.edit(".aws/config", old, new)));
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
        changes.push(change(&format!("claim {name}"), move |world| {
            let (mut job, mut account) = (claims("octocat"), service_account("alice"));
            job[name] = value.clone();
            account[name] = value.clone();
            fs::write(world.home().join("token"), jwt(&job)).unwrap();
            if world.variables.contains_key("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE") {
                world.aws.container_authorization(&jwt(&job));
            }
            if world.request.is_some() {
                world.request = Some(pod_request(&account));
            }
        }));
    }
    changes
}
