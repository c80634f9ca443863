//! `web_identity` of the settings: CI jobs and instances of other clouds, whose OIDC tokens are there already or are asked
//! for at GitHub's, Google's and Azure's services.

use serde_json::json;

use crate::support::token_services::{
    AZURE_CLIENT, AZURE_TENANT, FEDERATED_TOKEN, IDENTITY_HEADER, REQUEST_TOKEN, TokenServices,
};
use crate::support::{FakeAws, Helper, REGISTRY, Response, Service, jwt, now};

const ROLE: &str = "arn:aws:iam::123456789012:role/ci-pull";

fn settings(web_identity: &str, more: &str) -> String {
    let web_identity = web_identity.replace('\\', r"\\");
    format!(
        "[[registry]]\nmatch = \"*.dkr.ecr.*.amazonaws.com\"\nrole_arn = \"arn:aws:iam::{{account}}:role/ci-pull\"\n\
         web_identity = \"{web_identity}\"\n{more}\n"
    )
}

/// A job of GitHub's that may ask for tokens.
fn github(aws: &FakeAws, services: &TokenServices) -> Helper {
    Helper::new()
        .aws(aws)
        .settings(&settings("github-actions", ""))
        .env("GITHUB_ACTIONS", "true")
        .env("ACTIONS_ID_TOKEN_REQUEST_URL", services.github_url())
        .env("ACTIONS_ID_TOKEN_REQUEST_TOKEN", REQUEST_TOKEN)
}

/// A token as CI systems leave it.
fn token(claims: &serde_json::Value) -> String {
    let mut all =
        json!({ "iss": "https://gitlab.example", "aud": "sts.amazonaws.com", "sub": "job", "exp": now() + 300 });
    all.as_object_mut().unwrap().extend(claims.as_object().unwrap().clone());
    jwt(&all)
}

#[test]
fn a_job_of_github_pulls_with_one_token_for_fifty_pulls() {
    let (aws, services) = (FakeAws::start(), TokenServices::start());
    let helper = github(&aws, &services);
    let running: Vec<_> = (0..10).map(|_| helper.start(["get"], REGISTRY)).collect();
    for get in running {
        assert_eq!(get.wait().token().identity, "web-ci-pull-job");
    }
    let asked = services.requests();
    assert_eq!((asked.len(), aws.calls(Service::Sts), aws.calls(Service::Ecr)), (1, 1, 1));
    assert_eq!(asked[0].query("audience"), Some("sts.amazonaws.com"));
    let assumed = &aws.requests(Service::Sts)[0];
    assert_eq!(assumed.form("RoleArn").as_deref(), Some(ROLE));
    assert_eq!(assumed.form("WebIdentityToken").as_ref(), services.issued().first());
}

#[test]
fn setup_writes_what_a_job_needs_and_undo_takes_it_out() {
    let (aws, services) = (FakeAws::start(), TokenServices::start());
    let helper = github(&aws, &services);
    std::fs::remove_file(helper.home().join(".config/ecr-login/config.toml")).unwrap();
    let setup = ["setup", "docker", "--registry", REGISTRY, "--role-arn", ROLE, "--web-identity", "github-actions"];
    let done = helper.run(setup, "");
    assert_eq!(done.code, Some(0), "{done:?}");
    assert_eq!(helper.get(REGISTRY).token().identity, "web-ci-pull-job");
    let again = helper.run(setup.iter().copied().chain(["--audience", "other"]), "");
    assert_eq!(again.code, Some(0), "{again:?}");
    helper.get(REGISTRY).token();
    assert_eq!(services.requests().last().unwrap().query("audience"), Some("other"));
    let wrong = helper.run(["setup", "docker", "--registry", REGISTRY, "--web-identity", "gcp"], "");
    assert_eq!(wrong.code, Some(2), "{wrong:?}");
    let undone = helper.run(["setup", "docker", "--registry", REGISTRY, "--undo"], "");
    assert_eq!(undone.code, Some(0), "{undone:?}");
    let left = std::fs::read_to_string(helper.home().join(".config/ecr-login/config.toml")).unwrap_or_default();
    assert!(!left.contains("web_identity"), "{left}");
}

#[test]
fn another_job_on_the_same_runner_gets_a_token_of_its_own() {
    let (aws, services) = (FakeAws::start(), TokenServices::start());
    let helper = github(&aws, &services);
    assert_eq!(helper.get(REGISTRY).token().identity, "web-ci-pull-job");
    services.subject("other-job");
    services.request_token("the-other-jobs-hunter2");
    let helper = helper.env("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "the-other-jobs-hunter2");
    assert_eq!(helper.get(REGISTRY).token().identity, "web-ci-pull-other-job");
    // And what it asks the token for tells them apart too.
    let helper = helper.settings(&settings("github-actions", "audience = \"other\""));
    helper.get(REGISTRY).token();
    assert_eq!(services.requests().last().unwrap().query("audience"), Some("other"));
    assert_eq!(aws.calls(Service::Ecr), 3);
}

#[test]
fn a_job_without_the_permission_gets_the_name_of_it() {
    let aws = FakeAws::start();
    let helper = Helper::new().aws(&aws).settings(&settings("github-actions", ""));
    let job = helper.env("GITHUB_ACTIONS", "true");
    let refused = job.get(REGISTRY);
    let line = refused.failure();
    assert!(
        line.contains("this job may not ask for a token") && line.contains("permissions: id-token: write"),
        "{line}"
    );
    let elsewhere = job.without("GITHUB_ACTIONS").get(REGISTRY);
    let line = elsewhere.failure();
    assert!(line.contains("this is no job of GitHub Actions"), "{line}");
    assert!(aws.all_calls().is_empty());
}

#[test]
fn a_request_url_that_is_not_https_is_not_asked_and_a_redirect_is_not_followed() {
    let (aws, services, elsewhere) = (FakeAws::start(), TokenServices::start(), TokenServices::start());
    let helper =
        github(&aws, &services).env("ACTIONS_ID_TOKEN_REQUEST_URL", "http://192.0.2.1/idtoken?api-version=2.0");
    let refused = helper.get(REGISTRY);
    assert!(refused.failure().contains("ACTIONS_ID_TOKEN_REQUEST_URL is not an https URL"), "{refused:?}");
    let helper = helper.env("ACTIONS_ID_TOKEN_REQUEST_URL", services.github_url());
    services.answer(Response::new(307, "text/plain", "").header("location", &elsewhere.github_url()));
    let refused = helper.get(REGISTRY);
    assert!(refused.failure().contains("GitHub's token service gave no token (HTTP 307)"), "{refused:?}");
    assert!(elsewhere.requests().is_empty() && aws.all_calls().is_empty());
}

#[test]
fn an_answer_without_a_token_is_not_sent_to_sts() {
    for (status, body) in [
        (401, r#"{"message":"Unauthorized"}"#),
        (500, "<html>oops</html>"),
        (200, r#"{"value":""}"#),
        (200, r#"{"value":"not a token"}"#),
        (200, "<html>hello</html>"),
        (200, ""),
        (200, "[]"),
    ] {
        let (aws, services) = (FakeAws::start(), TokenServices::start());
        services.answer(Response::new(status, "application/json", body));
        let refused = github(&aws, &services).get(REGISTRY);
        let line = refused.failure();
        assert!(line.contains("GitHub's token service") && line.contains("id-token: write"), "{line}");
        assert!(aws.all_calls().is_empty(), "{body}");
    }
}

#[test]
fn an_instance_of_google_and_a_pod_with_workload_identity_pull() {
    let (aws, services) = (FakeAws::start(), TokenServices::start());
    let helper = Helper::new()
        .aws(&aws)
        .settings(&settings("gcp", "audience = \"ecr\""))
        .env("GCE_METADATA_HOST", services.host());
    for _ in 0..3 {
        assert_eq!(helper.get(REGISTRY).token().identity, "web-ci-pull-job");
    }
    let asked = services.requests();
    assert_eq!(asked[0].query("audience"), Some("ecr"));
    assert_eq!(asked[0].query("format"), Some("full"));
    let refused = helper.env("GCE_METADATA_HOST", "metadata.example.com").get(REGISTRY);
    assert!(refused.failure().contains("GCE_METADATA_HOST is not the address of a metadata server"), "{refused:?}");
}

#[test]
fn what_answers_in_google_s_place_without_its_header_is_not_believed() {
    let (aws, services) = (FakeAws::start(), TokenServices::start());
    services.answer(Response::new(200, "text/html", token(&json!({}))));
    let helper = Helper::new().aws(&aws).settings(&settings("gcp", "")).env("GCE_METADATA_HOST", services.host());
    let refused = helper.get(REGISTRY);
    assert!(refused.failure().contains("what answers is not Google's metadata server"), "{refused:?}");
    assert!(aws.all_calls().is_empty());
}

#[test]
fn azure_s_three_ways_in_the_order_of_its_own_libraries() {
    let (aws, services) = (FakeAws::start(), TokenServices::start());
    let helper = Helper::new().aws(&aws).settings(&settings("azure", "audience = \"api://ecr\""));
    // An instance, and one with several identities.
    let helper = helper.env("AZURE_POD_IDENTITY_AUTHORITY_HOST", services.url());
    helper.get(REGISTRY).token();
    let helper = helper.env("AZURE_CLIENT_ID", AZURE_CLIENT);
    helper.get(REGISTRY).token();
    // App Service.
    let helper = helper.env("IDENTITY_ENDPOINT", format!("{}/msi/token", services.url()));
    let helper = helper.env("IDENTITY_HEADER", IDENTITY_HEADER);
    helper.get(REGISTRY).token();
    // Workload identity of AKS.
    let file = helper.write("federated", format!("{FEDERATED_TOKEN}\n"));
    let helper = helper.env("AZURE_FEDERATED_TOKEN_FILE", file).env("AZURE_TENANT_ID", AZURE_TENANT);
    let helper = helper.env("AZURE_AUTHORITY_HOST", services.url());
    assert_eq!(helper.get(REGISTRY).token().identity, "web-ci-pull-job");
    let paths: Vec<String> = services.requests().into_iter().map(|asked| asked.path).collect();
    let workload = format!("/{AZURE_TENANT}/oauth2/v2.0/token");
    assert_eq!(paths, ["/metadata/identity/oauth2/token", "/metadata/identity/oauth2/token", "/msi/token", &workload]);
    let asked = services.requests();
    assert_eq!((asked[0].query("resource"), asked[0].query("client_id")), (Some("api://ecr"), None));
    assert_eq!(asked[1].query("client_id"), Some(AZURE_CLIENT));
    assert_eq!(asked[3].form("scope").as_deref(), Some("api://ecr/.default"));
    assert_eq!(aws.calls(Service::Ecr), 4, "each is an identity of its own");
}

#[test]
fn an_identity_that_azure_does_not_know_is_reported() {
    let (aws, services) = (FakeAws::start(), TokenServices::start());
    let helper = Helper::new()
        .aws(&aws)
        .settings(&settings("azure", "audience = \"api://ecr\""))
        .env("AZURE_POD_IDENTITY_AUTHORITY_HOST", services.url())
        .env("AZURE_CLIENT_ID", "00000000-0000-0000-0000-000000000000");
    let refused = helper.get(REGISTRY);
    let line = refused.failure();
    assert!(line.contains("Azure's instance metadata gave no token (HTTP 400)"), "{line}");
    assert!(line.contains("AZURE_CLIENT_ID"), "{line}");
}

#[test]
fn a_token_in_a_variable_or_a_file_is_used_and_every_claim_tells_jobs_apart() {
    let aws = FakeAws::start();
    let helper = Helper::new().aws(&aws).settings(&settings("env:GITLAB_OIDC_TOKEN", ""));
    let main = helper.env("GITLAB_OIDC_TOKEN", token(&json!({ "ref": "main", "jti": "1" })));
    main.get(REGISTRY).token();
    // The same job's next token.
    let main = main.env("GITLAB_OIDC_TOKEN", token(&json!({ "ref": "main", "jti": "2", "iat": now() })));
    main.get(REGISTRY).token();
    assert_eq!(aws.calls(Service::Ecr), 1);
    let branch = main.env("GITLAB_OIDC_TOKEN", token(&json!({ "ref": "feature" })));
    branch.get(REGISTRY).token();
    assert_eq!(aws.calls(Service::Ecr), 2);
    let file = branch.write("job-token", token(&json!({ "ref": "from a file" })) + "\n");
    let branch = branch.settings(&settings(&format!("file:{}", file.display()), ""));
    branch.get(REGISTRY).token();
    let branch = branch.settings(&settings("file:~/job-token", ""));
    branch.get(REGISTRY).token();
    assert_eq!(aws.calls(Service::Ecr), 3);
}

#[test]
fn a_variable_that_is_missing_and_a_token_for_another_audience_are_reported() {
    let aws = FakeAws::start();
    let helper =
        Helper::new().aws(&aws).settings(&settings("env:GITLAB_OIDC_TOKEN", "audience = \"sts.amazonaws.com\""));
    let refused = helper.get(REGISTRY);
    let line = refused.failure();
    assert!(line.contains("GITLAB_OIDC_TOKEN") && line.contains("is not set") && line.contains("id_tokens"), "{line}");
    let helper = helper.env("GITLAB_OIDC_TOKEN", token(&json!({ "aud": "https://vault.example" })));
    let refused = helper.get(REGISTRY);
    let line = refused.failure();
    assert!(line.contains("has the audience https://vault.example, not sts.amazonaws.com"), "{line}");
    assert!(aws.all_calls().is_empty(), "a token for somebody else is sent to nobody");
}

/// A secret of the job's that is named by mistake.
#[test]
fn what_is_no_jwt_is_not_sent_to_sts_and_its_variable_or_file_is_named() {
    let aws = FakeAws::start();
    let helper =
        Helper::new().aws(&aws).settings(&settings("env:CI_JOB_TOKEN", "")).env("CI_JOB_TOKEN", "glcbt-64_secret");
    let line = helper.get(REGISTRY).line().to_owned();
    assert!(line.contains("CI_JOB_TOKEN (web_identity of the settings): holds no OIDC token"), "{line}");
    assert!(!line.contains("glcbt"), "{line}");
    let helper = Helper::new().aws(&aws);
    let file = helper.write("token", "glcbt-64_secret\n");
    let helper = helper.settings(&settings(&format!("file:{}", file.display()), ""));
    let line = helper.get(REGISTRY).line().to_owned();
    assert!(line.contains("token (web_identity of the settings): holds no OIDC token"), "{line}");
    assert_eq!((aws.calls(Service::Sts), aws.calls(Service::Ecr)), (0, 0));
}

#[test]
fn settings_that_do_not_go_together_are_refused_with_their_line() {
    let aws = FakeAws::start();
    let base = "[[registry]]\nmatch = \"*.dkr.ecr.*.amazonaws.com\"\n";
    for (text, line, said) in [
        ("web_identity = \"gcp\"\n", 3, "needs role_arn"),
        ("audience = \"x\"\n", 3, "needs web_identity"),
        ("role_arn = \"arn:aws:iam::123456789012:role/r\"\nweb_identity = \"gitlab\"\n", 4, "github-actions"),
        ("role_arn = \"arn:aws:iam::123456789012:role/r\"\nweb_identity = \"env:\"\n", 4, "env:NAME"),
        ("role_arn = \"arn:aws:iam::123456789012:role/r\"\nweb_identity = \"file:token\"\n", 4, "file:/PATH"),
        ("role_arn = \"arn:aws:iam::123456789012:role/r\"\nweb_identity = \"azure\"\n", 4, "audience"),
        (
            "role_arn = \"arn:aws:iam::123456789012:role/r\"\nweb_identity = \"gcp\"\nprofile = \"x\"\n",
            5,
            "web_identity",
        ),
        (
            "role_arn = \"arn:aws:iam::123456789012:role/r\"\nweb_identity = \"gcp\"\nexternal_id = \"x\"\n",
            5,
            "web_identity",
        ),
    ] {
        let refused = Helper::new().aws(&aws).settings(&format!("{base}{text}")).get(REGISTRY);
        let found = refused.failure();
        assert!(found.contains(&format!("config.toml:{line}:")) && found.contains(said), "{text}: {found}");
    }
}

#[test]
fn no_token_is_shown_or_logged() {
    let (aws, services) = (FakeAws::start(), TokenServices::start());
    for answer in [None, Some(Response::new(403, "application/json", r#"{"message":"no"}"#))] {
        if let Some(answer) = answer {
            services.answer(answer);
        }
        let helper = github(&aws, &services).env("ECR_LOGIN_LOG", "trace");
        let log = helper.home().join("log");
        let helper = helper.env("ECR_LOGIN_LOG_FILE", &log);
        let get = helper.get(REGISTRY);
        let said = format!("{}{}", get.stderr, std::fs::read_to_string(&log).unwrap());
        for secret in services.issued().iter().map(String::as_str).chain([REQUEST_TOKEN]) {
            assert!(!said.contains(secret), "{secret} in {said}");
        }
        assert!(!get.stdout.contains(REQUEST_TOKEN));
    }
}
