//! Web identity tokens that `web_identity` of the settings names.

use super::*;
use crate::credentials::IdTokenRequest;

fn source(role_arn: &str, audience: &str, request: IdTokenRequest) -> CredentialSource {
    let (role_arn, audience) = (role_arn.to_owned(), audience.to_owned());
    CredentialSource::RequestedWebIdentity { role_arn, session_name: None, audience, request }
}

fn github(url: &str, bearer: &str) -> IdTokenRequest {
    IdTokenRequest::GithubActions { url: url.into(), bearer: secret(bearer) }
}

fn workload(tenant: &str, client_id: &str, assertion: &Value) -> IdTokenRequest {
    let (authority, assertion) = ("https://login".into(), secret(&jwt(assertion)));
    IdTokenRequest::AzureWorkload { authority, tenant: tenant.into(), client_id: client_id.into(), assertion }
}

#[test]
fn everything_that_the_answer_depends_on_tells_two_requests_apart() {
    let google = |endpoint: &str| IdTokenRequest::Google { endpoint: endpoint.into() };
    let instance = |client_id: Option<&str>| IdTokenRequest::AzureInstance {
        endpoint: "http://e".into(),
        client_id: client_id.map(str::to_owned),
    };
    let app = |header: &str| IdTokenRequest::AzureAppService {
        endpoint: "http://e".into(),
        header: secret(header),
        client_id: None,
    };
    let variable = |claim: &str| IdTokenRequest::Variable {
        name: "T".into(),
        token: secret(&jwt(&json!({"iss": "i", "sub": "s", "aud": "a", "ref": claim}))),
    };
    let sources = [
        source("r", "a", github("u", "b")),
        source("other", "a", github("u", "b")),
        source("r", "other", github("u", "b")),
        source("r", "a", github("other", "b")),
        source("r", "a", github("u", "other")),
        source("r", "a", google("http://e")),
        source("r", "a", google("http://other")),
        source("r", "a", instance(None)),
        source("r", "a", instance(Some("c"))),
        source("r", "a", app("h")),
        source("r", "a", app("other")),
        source("r", "a", workload("t", "c", &claims())),
        source("r", "a", workload("other", "c", &claims())),
        source("r", "a", workload("t", "other", &claims())),
        source("r", "a", workload("t", "c", &changed("/sub", json!("other")))),
        source("r", "a", variable("main")),
        source("r", "a", variable("other")),
    ];
    let mut seen = HashMap::new();
    for source in &sources {
        let print = print(source).unwrap();
        assert!(seen.insert(print, format!("{source:?}")).is_none(), "{source:?}");
    }
    // A token that is there ends; one that is requested has no end yet.
    assert_eq!(print(&source("r", "a", github("u", "b"))), print(&sources[0]));
}

#[test]
fn tokens_of_a_machine_without_an_id_are_not_cached() {
    let nowhere = HostContext::default();
    let google = source("r", "a", IdTokenRequest::Google { endpoint: "http://e".into() });
    assert_eq!(print_of(REGISTRY, &EndpointConfig::default(), &google, &nowhere), None);
    let github = source("r", "a", github("u", "b"));
    assert!(print_of(REGISTRY, &EndpointConfig::default(), &github, &nowhere).is_some());
    let other = HostContext { network: Some(2), ..here() };
    assert_ne!(print(&google), print_of(REGISTRY, &EndpointConfig::default(), &google, &other));
}
