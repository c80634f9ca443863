//! What `doctor` lists: every step, once, under its own name; all registries that are configured; and remedies that work when
//! typed.

#![cfg(unix)]

use serde_json::Value;

use crate::support::{Certificate, FakeAws, Helper, Outcome, REGISTRY, binary};

const OTHER: &str = "210987654321.dkr.ecr.eu-west-1.amazonaws.com";

/// The steps that every report has, in this order.
const STEPS: [&str; 13] = [
    "helper", "docker", "podman", "kubelet", "settings", "last", "source", "network", "keys", "caller", "token",
    "registry", "cache",
];

/// A user with these clients and nothing else on PATH.
fn person(clients: &[&str]) -> Helper {
    let helper = Helper::new().env("ECR_LOGIN_TIMEOUT", "5");
    let bin = helper.home().join("bin");
    std::fs::create_dir_all(&bin).unwrap();
    std::os::unix::fs::symlink(binary(), bin.join("docker-credential-ecr-login")).unwrap();
    for client in clients {
        helper.script(&format!("bin/{client}"), "exit 1");
    }
    let runtime = helper.home().join("run");
    helper.env("PATH", bin).env("XDG_RUNTIME_DIR", runtime)
}

fn names_us(registries: &[&str]) -> String {
    let entries: Vec<String> = registries.iter().map(|registry| format!("\"{registry}\":\"ecr-login\"")).collect();
    format!("{{\"credHelpers\":{{{}}}}}", entries.join(","))
}

fn json(outcome: &Outcome) -> Value {
    serde_json::from_str(&outcome.stdout).unwrap_or_else(|error| panic!("{error}: {outcome:?}"))
}

fn step(report: &Value, name: &str) -> (String, String) {
    let steps = report["steps"].as_array().unwrap();
    let step = steps.iter().find(|step| step["name"] == name).unwrap_or_else(|| panic!("no {name}: {report:#}"));
    let text = |key: &str| step[key].as_str().unwrap_or_default().to_owned();
    (text("state"), format!("{} -> {}", text("found"), text("remedy")))
}

#[test]
fn every_step_is_listed_once_and_in_one_order_whatever_is_wrong() {
    let aws = FakeAws::over_tls(Certificate::Good);
    let healthy = || super::doctor::with_proxy(person(&[]).aws(&aws).keys("AKIASTEPS"), &aws);
    for (what, helper, registry) in [
        ("all is right", healthy(), REGISTRY),
        ("no credentials", person(&[]), REGISTRY),
        ("a broken settings file", healthy().settings("timeout = []\n"), REGISTRY),
        ("a wrong limit", healthy().env("ECR_LOGIN_TIMEOUT", "soon"), REGISTRY),
        ("a foreign name", healthy(), "ghcr.io"),
        (
            "anonymous",
            healthy().settings("[[registry]]\nmatch = \"public.ecr.aws\"\nanonymous = true\n"),
            "public.ecr.aws",
        ),
        (
            "something that the Go helper would do in another way",
            healthy()
                .settings(&format!("[[registry]]\nmatch = \"{REGISTRY}\"\nprofile = \"x\"\n"))
                .aws_config("[profile x]\naws_access_key_id = AKIAX\naws_secret_access_key = MARKED\n"),
            REGISTRY,
        ),
    ] {
        let report = json(&helper.run(["doctor", registry, "--json"], ""));
        let names: Vec<&str> =
            report["steps"].as_array().unwrap().iter().map(|step| step["name"].as_str().unwrap()).collect();
        let always: Vec<&str> = names.iter().copied().filter(|name| STEPS.contains(name)).collect();
        assert_eq!(always, STEPS, "{what}: {report:#}");
        let mut once = names.clone();
        once.sort_unstable();
        once.dedup();
        assert_eq!(once.len(), names.len(), "{what}: {names:?}");
    }
}

#[test]
fn without_a_registry_all_that_are_configured_are_checked() {
    let aws = FakeAws::over_tls(Certificate::Good);
    let helper = super::doctor::with_proxy(person(&["docker", "podman"]).aws(&aws).keys("AKIAALL"), &aws);
    helper.write(".docker/config.json", names_us(&[REGISTRY]));
    helper.write(".config/containers/auth.json", names_us(&[REGISTRY, OTHER]));
    let helper = helper.settings("[[registry]]\nmatch = \"public.ecr.aws\"\nanonymous = true\n");
    let outcome = helper.run(["doctor", "--json"], "");
    let reports = json(&outcome);
    let registries: Vec<&str> =
        reports["registries"].as_array().unwrap().iter().map(|report| report["registry"].as_str().unwrap()).collect();
    assert_eq!(registries, [REGISTRY, OTHER, "public.ecr.aws"]);
    assert_eq!(reports["ok"], outcome.code == Some(0), "{reports:#}");
    let text = helper.run(["doctor"], "").stdout;
    for registry in registries {
        assert!(text.lines().any(|line| line == registry), "{registry}: {text}");
    }
}

#[test]
fn a_bare_doctor_finds_the_helper_as_dockers_store() {
    let aws = FakeAws::over_tls(Certificate::Good);
    let helper = super::doctor::with_proxy(person(&["docker"]).aws(&aws).keys("AKIASTORE"), &aws);
    helper.write(".docker/config.json", r#"{"credsStore":"ecr-login"}"#);
    let outcome = helper.run(["doctor"], "");
    assert!(outcome.code == Some(0) && outcome.stdout.contains("every registry (credsStore)"), "{outcome:?}");
    helper.get(REGISTRY).token();
    let outcome = helper.run(["doctor"], "");
    assert!(outcome.stdout.starts_with(REGISTRY), "{outcome:?}");
    assert!(outcome.stdout.contains("credsStore names ecr-login"), "{outcome:?}");
}

#[test]
fn a_client_that_is_installed_and_not_set_up_is_a_note_where_another_one_is() {
    let aws = FakeAws::over_tls(Certificate::Good);
    let helper = super::doctor::with_proxy(person(&["docker", "podman"]).aws(&aws).keys("AKIANOTE"), &aws);
    helper.write(".config/containers/auth.json", names_us(&[REGISTRY]));
    let outcome = helper.run(["doctor", REGISTRY, "--json"], "");
    let report = json(&outcome);
    let (state, text) = step(&report, "docker");
    assert!(state == "note" && text.contains("setup docker --registry"), "{text}");
    assert_eq!((outcome.code, &report["ok"]), (Some(0), &Value::from(true)), "{report:#}");
    assert!(
        helper.run(["doctor", REGISTRY], "").stdout.contains("podman: a pull would work; not set up for it: docker."),
        "{report:#}"
    );
    // Alone it is what is wrong.
    std::fs::remove_file(helper.home().join("bin/podman")).unwrap();
    let outcome = helper.run(["doctor", REGISTRY, "--json"], "");
    assert_eq!((outcome.code, step(&json(&outcome), "docker").0.as_str()), (Some(1), "wrong"), "{outcome:?}");
}

#[test]
fn clients_that_fail_for_the_same_reason_are_said_together() {
    let helper = person(&["docker", "podman", "skopeo"]);
    helper.write(".docker/config.json", names_us(&[REGISTRY]));
    let outcome = helper.run(["doctor", REGISTRY], "");
    let last = outcome.stdout.lines().last().unwrap_or_default();
    assert!(last.starts_with("docker, podman, skopeo: fail, because source: no AWS credentials found"), "{last}");
}

#[test]
fn docker_of_a_snap_is_reported_with_what_works_instead() {
    let helper = person(&[]);
    helper.script("snap/bin/docker", "exit 1");
    helper.write(".docker/config.json", names_us(&[REGISTRY]));
    let path = std::env::join_paths([helper.home().join("bin"), helper.home().join("snap/bin")]).unwrap();
    let report = json(&helper.env("PATH", path).run(["doctor", REGISTRY, "--json"], ""));
    let (state, text) = step(&report, "docker");
    assert_eq!(state, "wrong", "{text}");
    for said in ["is a snap", "snap/docker/current/.docker/config.json", "docs.docker.com", "--password-stdin"] {
        assert!(text.contains(said), "{said}: {text}");
    }
}

#[test]
fn the_remedy_for_an_old_login_names_the_client_that_is_here_and_the_file_that_has_it() {
    for client in ["podman", "buildah", "skopeo"] {
        let helper = person(&[client]);
        let file = helper.write(
            "run/containers/auth.json",
            format!("{{\"auths\":{{\"{REGISTRY}\":{{\"auth\":\"TUFSS0VEOk1BUktFRA==\"}}}}}}"),
        );
        let (_, text) = step(&json(&helper.run(["doctor", REGISTRY, "--json"], "")), "podman");
        let remedy = format!("run: {client} logout --authfile {} {REGISTRY}", file.display());
        assert!(text.ends_with(&remedy), "{text}");
    }
}

#[test]
fn the_same_fault_of_the_cache_has_the_same_words_and_remedy_in_doctor_warm_and_status() {
    let aws = FakeAws::over_tls(Certificate::Good);
    let keys = || super::doctor::with_proxy(person(&[]).aws(&aws).keys("AKIASAME"), &aws);
    for helper in [keys().env("AWS_ECR_DISABLE_CACHE", "1"), keys().env("AWS_ECR_CACHE_DIR", "/dev/null")] {
        let (state, doctor) = step(&json(&helper.run(["doctor", REGISTRY, "--json"], "")), "cache");
        let (reason, remedy) = doctor.split_once(": each pull asks ECR -> ").unwrap_or_else(|| panic!("{doctor}"));
        assert_eq!(state, "note", "{doctor}");
        let warm = helper.run(["warm", REGISTRY], "");
        assert!(warm.line().contains(reason) && warm.line().ends_with(remedy), "{doctor}: {warm:?}");
        assert!(helper.run(["status"], "").stdout.contains(reason), "{doctor}");
    }
}

/// ECR Public serves without a login, but not from a name that does not resolve.
#[test]
fn a_public_registry_out_of_reach_is_no_pull_that_would_work() {
    let aws = FakeAws::start();
    let helper = person(&["docker"]).aws(&aws).keys("AKIAPUBLIC").env("HTTPS_PROXY", "http://127.0.0.1:1");
    helper.write(".docker/config.json", names_us(&["public.ecr.aws"]));
    let outcome = helper.run(["doctor", "public.ecr.aws", "--json"], "");
    let report = json(&outcome);
    assert_eq!((outcome.code, step(&report, "registry").0.as_str()), (Some(1), "wrong"), "{report:#}");
    assert_eq!(report["clients"][0]["works"], false, "{report:#}");
}
