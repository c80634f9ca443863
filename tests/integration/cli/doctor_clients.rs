//! `doctor` on each client's own files: a fault of each, and the same file put right.

#![cfg(unix)]

use serde_json::Value;

use crate::support::{Certificate, FakeAws, Helper, REGISTRY, binary};

const LOGIN: &str = r#"{"auth":"TUFSS0VEOk1BUktFRA=="}"#;

/// A home in which all but the clients is right, with these clients on PATH and nothing else.
fn person(aws: &FakeAws, clients: &[&str]) -> Helper {
    // The fake registry is not where the name leads: doctor reaches it by the proxy alone, which is not needed here.
    let helper = Helper::new().aws(aws).keys("AKIADOCTOR").env("ECR_LOGIN_TIMEOUT", "5");
    let bin = helper.home().join("bin");
    std::fs::create_dir_all(&bin).unwrap();
    std::os::unix::fs::symlink(binary(), bin.join("docker-credential-ecr-login")).unwrap();
    for client in clients {
        helper.script(&format!("bin/{client}"), "exit 1");
    }
    let runtime = helper.home().join("run");
    helper.env("PATH", bin).env("XDG_RUNTIME_DIR", runtime)
}

/// The step of a client, by its state and its text.
fn step(helper: &Helper, name: &str) -> (String, String) {
    let outcome = helper.run(["doctor", REGISTRY, "--json"], "");
    assert!(!outcome.stdout.contains("MARKED"), "{outcome:?}");
    let report: Value = serde_json::from_str(&outcome.stdout).unwrap_or_else(|error| panic!("{error}: {outcome:?}"));
    let steps = report["steps"].as_array().unwrap();
    let step = steps.iter().find(|step| step["name"] == name).unwrap_or_else(|| panic!("no {name}: {report:#}"));
    let text = |key: &str| step[key].as_str().unwrap_or_default().to_owned();
    (text("state"), format!("{} -> {}", text("found"), text("remedy")))
}

#[track_caller]
fn is(helper: &Helper, name: &str, state: &str, said: &str) {
    let (found, text) = step(helper, name);
    assert!(found == state && text.contains(said), "{name} is {found}, not {state} with {said:?}: {text}");
}

fn text(text: &str) -> String {
    text.replace('@', REGISTRY).replace("LOGIN", LOGIN)
}

const OURS: &str = r#"{"credHelpers":{"@":"ecr-login"}}"#;

#[test]
fn each_client_of_dockers_file_with_and_without_the_helper_in_it() {
    let aws = FakeAws::over_tls(Certificate::Good);
    for client in ["docker", "crane", "cosign", "flux", "oras", "notation", "apptainer", "helm", "regctl"] {
        let helper = person(&aws, &[client]);
        helper.write(".docker/config.json", text(r#"{"auths":{"@":LOGIN}}"#));
        is(&helper, client, "wrong", "old login");
        helper.write(".docker/config.json", text("\u{feff}{}"));
        is(&helper, client, "wrong", "byte order mark");
        helper.write(".docker/config.json", text(r#"{"auths":{"@":{}},"credHelpers":{"@":"ecr-login"}}"#));
        is(&helper, client, "ok", "credHelpers names ecr-login");
    }
}

#[test]
fn docker_auth_config_wins_where_the_client_reads_it() {
    let aws = FakeAws::over_tls(Certificate::Good);
    for (client, reads) in
        [("docker", true), ("crane", true), ("cosign", true), ("regctl", true), ("helm", false), ("oras", false)]
    {
        let helper = person(&aws, &[client]).env("DOCKER_AUTH_CONFIG", text(r#"{"auths":{"@":LOGIN}}"#));
        helper.write(".docker/config.json", text(OURS));
        is(&helper, client, if reads { "wrong" } else { "ok" }, if reads { "DOCKER_AUTH_CONFIG" } else { "ecr-login" });
        let helper = helper.env("DOCKER_AUTH_CONFIG", text(r#"{"auths":{"ghcr.io":LOGIN}}"#));
        is(&helper, client, "ok", "ecr-login");
    }
    let helper =
        person(&aws, &["docker"]).env("DOCKER_AUTH_CONFIG", text(r#"{"auths":{"@":LOGIN},"credHelpers":{"a":"b"}}"#));
    helper.write(".docker/config.json", text(OURS));
    is(&helper, "docker", "ok", "docker discards all of it");
}

#[test]
fn docker_reads_null_and_text_after_the_json_and_podman_stops_at_it() {
    let aws = FakeAws::over_tls(Certificate::Good);
    let helper = person(&aws, &["docker", "podman"]);
    helper.write(".docker/config.json", "null");
    is(&helper, "docker", "wrong", "no helper is named");
    helper.write(".docker/config.json", text(&format!("{OURS}\nmore")));
    is(&helper, "docker", "ok", "ecr-login");
    is(&helper, "podman", "wrong", "text after its JSON");
}

#[test]
fn a_login_to_one_repository_comes_before_the_helper_for_some() {
    let aws = FakeAws::over_tls(Certificate::Good);
    for (client, reads) in [("crane", true), ("cosign", true), ("apptainer", true), ("oras", false), ("docker", false)]
    {
        let helper = person(&aws, &[client]);
        helper.write(".docker/config.json", text(r#"{"auths":{"@/app":LOGIN},"credHelpers":{"@":"ecr-login"}}"#));
        is(
            &helper,
            client,
            if reads { "wrong" } else { "ok" },
            if reads { "@/app" } else { "ecr-login" }.replace('@', REGISTRY).as_str(),
        );
    }
}

#[test]
fn a_creds_store_that_is_asked_first_must_be_there() {
    let aws = FakeAws::over_tls(Certificate::Good);
    for (client, first) in [("crane", true), ("cosign", true), ("docker", false), ("helm", false)] {
        let helper = person(&aws, &[client]);
        helper.write(".docker/config.json", text(r#"{"credsStore":"desktop","credHelpers":{"@":"ecr-login"}}"#));
        is(
            &helper,
            client,
            if first { "wrong" } else { "ok" },
            if first { "docker-credential-desktop is not on PATH" } else { "ecr-login" },
        );
        helper.script("bin/docker-credential-desktop", "exit 1");
        is(&helper, client, "ok", "ecr-login");
    }
}

#[test]
fn the_own_files_of_notation_apptainer_helm_and_regctl() {
    let aws = FakeAws::over_tls(Certificate::Good);
    let regctls = r#"{"hosts":{"@":{"user":"AWS","pass":"MARKED"}}}"#;
    let regctl_by_us = r#"{"hosts":{"@":{"credHelper":"docker-credential-ecr-login"}}}"#;
    for (client, file, wrong, right) in [
        ("notation", ".config/notation/config.json", r#"{"auths":{"ghcr.io":LOGIN}}"#, OURS),
        ("apptainer", ".apptainer/docker-config.json", r#"{"auths":{"@":LOGIN}}"#, OURS),
        ("helm", ".config/helm/registry/config.json", r#"{"auths":{"@":LOGIN}}"#, r#"{"auths":{"ghcr.io":LOGIN}}"#),
        ("regctl", ".regctl/config.json", regctls, regctl_by_us),
    ] {
        let helper = person(&aws, &[client]);
        helper.write(".docker/config.json", text(OURS));
        is(&helper, client, "ok", "ecr-login");
        helper.write(file, text(wrong));
        is(&helper, client, "wrong", file);
        helper.write(file, text(right));
        is(&helper, client, "ok", "ecr-login");
    }
}

#[test]
fn a_podman_file_that_is_empty_or_broken_stops_it_and_an_empty_entry_is_no_login() {
    let aws = FakeAws::over_tls(Certificate::Good);
    let helper = person(&aws, &["podman"]);
    helper.write(".config/containers/auth.json", text(OURS));
    is(&helper, "podman", "ok", "ecr-login");
    for (content, said) in [
        ("", "is empty"),
        ("{", "is not JSON"),
        ("\u{feff}{}", "byte order mark"),
        (r#"{"auths":{"@":LOGIN}}"#, "podman logout"),
    ] {
        helper.write("run/containers/auth.json", text(content));
        is(&helper, "podman", "wrong", said);
    }
    helper.write("run/containers/auth.json", text(r#"{"auths":{"@":{}}}"#));
    is(&helper, "podman", "ok", ".config/containers/auth.json");
}

#[test]
fn docker_config_names_the_only_file_of_podman_and_buildah() {
    let aws = FakeAws::over_tls(Certificate::Good);
    for (client, alone) in [("podman", true), ("buildah", true), ("skopeo", false)] {
        let helper = person(&aws, &[client]);
        helper.write(".config/containers/auth.json", text(OURS));
        let elsewhere = helper.home().join("elsewhere");
        let helper = helper.env("DOCKER_CONFIG", &elsewhere);
        helper.write("elsewhere/config.json", "{}");
        let said = if alone { "no file of podman's" } else { ".config/containers/auth.json" };
        is(&helper, "podman", if alone { "wrong" } else { "ok" }, said);
        helper.write("elsewhere/config.json", text(OURS));
        is(&helper, "podman", "ok", "ecr-login");
    }
}

#[test]
fn registries_conf_and_its_drop_ins_in_their_order_and_each_member_of_the_list() {
    let aws = FakeAws::over_tls(Certificate::Good);
    let helper = person(&aws, &["skopeo"]);
    helper.write(".docker/config.json", text(OURS));
    let conf = |file: &str, list: &str| {
        helper.write(&format!(".config/containers/{file}"), format!("credential-helpers = {list}\n"))
    };
    conf("registries.conf", r#"["ecr-login"]"#);
    is(&helper, "podman", "ok", "registries.conf: credential-helpers names ecr-login before any file");
    conf("registries.conf.d/10.conf", r#"["secretservice"]"#);
    is(&helper, "podman", "wrong", "10.conf: credential-helpers names secretservice, so no file is read");
    conf("registries.conf.d/20.conf", r#"["secretservice", "ecr-login"]"#);
    is(&helper, "podman", "ok", "20.conf: credential-helpers names ecr-login, after secretservice");
    conf("registries.conf.d/30.conf", r#"["containers-auth.json", "ecr-login"]"#);
    is(&helper, "podman", "ok", ".docker/config.json: credHelpers names ecr-login");
    helper.write(".docker/config.json", "{}");
    is(&helper, "podman", "ok", "30.conf: credential-helpers names ecr-login, after podman's files");
    conf("registries.conf.d/30.conf", "[]");
    is(&helper, "podman", "ok", "20.conf");
}

#[test]
fn the_verdict_names_each_client_and_the_exit_code_is_1_if_one_fails() {
    let aws = FakeAws::over_tls(Certificate::Good);
    let helper = super::doctor::with_proxy(person(&aws, &["docker", "podman", "skopeo"]), &aws);
    helper.write(".docker/config.json", text(OURS));
    let outcome = helper.run(["doctor", REGISTRY], "");
    let last = |outcome: &crate::support::Outcome| outcome.stdout.lines().last().unwrap_or_default().to_owned();
    assert_eq!(last(&outcome), "docker: a pull would work; podman: a pull would work; skopeo: a pull would work.");
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    helper.write("run/containers/auth.json", text(r#"{"auths":{"@":LOGIN}}"#));
    let outcome = helper.run(["doctor", REGISTRY], "");
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    let line = last(&outcome);
    assert!(
        line.starts_with("docker: a pull would work; podman, skopeo: fail, because ") && line.contains("old login"),
        "{line}"
    );
    let helper = helper.without("AWS_ACCESS_KEY_ID");
    let line = last(&helper.run(["doctor", REGISTRY], ""));
    assert!(line.starts_with("docker: fails, because source: "), "{line}");
}

#[test]
fn setup_says_what_still_keeps_the_client_from_using_it() {
    let aws = FakeAws::over_tls(Certificate::Good);
    let helper = person(&aws, &["docker", "podman"]);
    helper.write("run/containers/auth.json", text(r#"{"auths":{"@":LOGIN}}"#));
    let outcome = helper.run(["setup", "podman", "--registry", REGISTRY], "");
    assert!(outcome.code == Some(0) && outcome.stdout.contains("podman logout"), "{outcome:?}");
    let helper = helper.env("DOCKER_AUTH_CONFIG", text(r#"{"auths":{"@":LOGIN}}"#));
    let outcome = helper.run(["setup", "docker", "--registry", REGISTRY], "");
    assert!(outcome.code == Some(0) && outcome.stdout.contains("DOCKER_AUTH_CONFIG"), "{outcome:?}");
    helper.write(".docker/config.json", text("\u{feff}{\"auths\":{\"@\":{}}}"));
    let helper = helper.without("DOCKER_AUTH_CONFIG");
    let outcome = helper.run(["setup", "docker", "--registry", REGISTRY], "");
    assert!(outcome.code == Some(0) && !outcome.stdout.contains("old login"), "{outcome:?}");
    is(&helper, "docker", "ok", "ecr-login");
}
