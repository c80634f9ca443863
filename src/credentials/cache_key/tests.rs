//! Two different answers never share a cache key; what the table in docs/identity.md leaves out never matters.

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

use super::*;

mod host;
// The paths of these sources are absolute on Unix alone; another is in no cache's key.
#[cfg(unix)]
mod properties;
mod requested;

const REGISTRY: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";
const EXP: i64 = 2_000_000_000;

fn here() -> HostContext<'static> {
    HostContext { boot: Some("boot".into()), network: Some(1), process: Some(ProcessContext::default()) }
}

fn print_of(
    registry: &str,
    network: &EndpointConfig,
    source: &CredentialSource,
    host_context: &HostContext<'_>,
) -> Option<[u8; 32]> {
    of(&Registry::parse(registry).unwrap(), network, source, host_context).0.map(|cache_key| cache_key.0)
}

fn print(source: &CredentialSource) -> Option<[u8; 32]> {
    print_of(REGISTRY, &EndpointConfig::default(), source, &here())
}

fn jwt(payload: &Value) -> String {
    format!("e30.{}.signature", URL_SAFE_NO_PAD.encode(payload.to_string()))
}

fn secret(text: &str) -> Secret {
    Secret::new(text.to_owned())
}

fn keys(id: &str) -> CredentialSource {
    CredentialSource::StaticKeys { id: secret(id), secret: secret("s"), session_token: None }
}

fn web(token: &str) -> CredentialSource {
    CredentialSource::WebIdentity {
        role_arn: "arn:aws:iam::1:role/r".into(),
        session_name: None,
        token_file: None,
        token: secret(token),
    }
}

fn role(base: CredentialSource) -> CredentialSource {
    CredentialSource::AssumeRole {
        base: Box::new(base),
        role_arn: "arn:aws:iam::1:role/r".into(),
        session_name: None,
        external_id: None,
        duration_seconds: None,
        mfa_serial: None,
    }
}

fn sso() -> CredentialSource {
    CredentialSource::Sso {
        profile: "p".into(),
        session: Some("dev".into()),
        start_url: "https://start".into(),
        region: "eu-west-1".into(),
        account: "1".into(),
        role: "Pull".into(),
        scopes: None,
        token_file: Some("/home/u/.aws/sso/cache/x.json".into()),
    }
}

#[cfg(unix)]
fn login(session: &str, file: &str) -> CredentialSource {
    let (session, session_file) = (session.to_owned(), Some(file.into()));
    CredentialSource::LoginSession { profile: "p".to_owned(), session, region: None, session_file }
}

fn container(uri: &str, authorization: Option<&str>) -> CredentialSource {
    CredentialSource::Container { uri: uri.into(), authorization: authorization.map(secret) }
}

fn claims() -> Value {
    json!({
        "iss": "https://oidc.example/id/A",
        "aud": ["sts.amazonaws.com"],
        "sub": "system:serviceaccount:ns:name",
        "exp": EXP,
        "iat": 1, "nbf": 1, "jti": "a",
        "kubernetes.io": {
            "namespace": "ns",
            "pod": {"name": "pod-1", "uid": "pod-uid-1"},
            "node": {"name": "node-1", "uid": "n"},
            "serviceaccount": {"name": "name", "uid": "account-uid"},
            "warnafter": 7
        },
        "https://aws.amazon.com/tags": {"principal_tags": {"team": ["a"]}, "transitive_tag_keys": ["team"]}
    })
}

fn changed(pointer: &str, value: Value) -> Value {
    let mut payload = claims();
    *payload.pointer_mut(pointer).unwrap() = value;
    payload
}

// On Windows a machine's or container's role has none (docs/platforms.md).
#[cfg(unix)]
#[test]
fn every_answer_of_the_table_has_a_fingerprint_of_its_own() {
    let source = |change: fn(&mut CredentialSource)| {
        let mut source = sso();
        change(&mut source);
        source
    };
    let named = |change: fn(&mut CredentialSource)| {
        let mut source = role(keys("a"));
        change(&mut source);
        source
    };
    let sources = vec![
        ("keys", keys("a")),
        ("another id", keys("b")),
        ("another secret", CredentialSource::StaticKeys { id: secret("a"), secret: secret("t"), session_token: None }),
        (
            "a session token",
            CredentialSource::StaticKeys { id: secret("a"), secret: secret("s"), session_token: Some(secret("")) },
        ),
        ("lengths shifted", CredentialSource::StaticKeys { id: secret("as"), secret: secret(""), session_token: None }),
        ("process", CredentialSource::CredentialProcess { profile: "p".into(), command: secret("x") }),
        ("another process", CredentialSource::CredentialProcess { profile: "p".into(), command: secret("x ") }),
        ("login", login("arn:x", "/h/x")),
        ("another login", login("arn:y", "/h/x")),
        ("the login of another home", login("arn:x", "/g/x")),
        ("sso", sso()),
        (
            "legacy sso",
            source(|s| {
                if let CredentialSource::Sso { session, .. } = s {
                    *session = None
                }
            }),
        ),
        (
            "sso start url",
            source(|s| {
                if let CredentialSource::Sso { start_url, .. } = s {
                    start_url.push('x')
                }
            }),
        ),
        (
            "sso region",
            source(|s| {
                if let CredentialSource::Sso { region, .. } = s {
                    region.push('x')
                }
            }),
        ),
        (
            "sso account",
            source(|s| {
                if let CredentialSource::Sso { account, .. } = s {
                    account.push('2')
                }
            }),
        ),
        (
            "sso role",
            source(|s| {
                if let CredentialSource::Sso { role, .. } = s {
                    role.push('x')
                }
            }),
        ),
        (
            "another home",
            source(|s| {
                if let CredentialSource::Sso { token_file, .. } = s {
                    *token_file = None
                }
            }),
        ),
        ("web identity", web("token")),
        ("another token that is no JWT", web("token ")),
        ("web identity by JWT", web(&jwt(&claims()))),
        ("role over keys", role(keys("a"))),
        ("role over other keys", role(keys("b"))),
        ("role over role", role(role(keys("a")))),
        ("role over web identity", role(web("token"))),
        (
            "another role",
            named(|s| {
                if let CredentialSource::AssumeRole { role_arn, .. } = s {
                    role_arn.push('x')
                }
            }),
        ),
        (
            "session name",
            named(|s| {
                if let CredentialSource::AssumeRole { session_name, .. } = s {
                    *session_name = Some("x".into())
                }
            }),
        ),
        (
            "external id",
            named(|s| {
                if let CredentialSource::AssumeRole { external_id, .. } = s {
                    *external_id = Some("x".into())
                }
            }),
        ),
        ("container", container("http://169.254.170.2/a", None)),
        ("another container", container("http://169.254.170.2/b", None)),
        ("container with a token", container("http://169.254.170.2/a", Some("x"))),
        ("container with another", container("http://169.254.170.2/a", Some("y"))),
        ("instance", CredentialSource::Imds { endpoint: "http://169.254.169.254".into() }),
        ("another instance endpoint", CredentialSource::Imds { endpoint: "http://127.0.0.1".into() }),
    ];
    let mut seen = HashMap::new();
    for (name, source) in &sources {
        if let Some(other) = seen.insert(print(source).unwrap(), name) {
            panic!("{name} and {other} share a cache key");
        }
    }
}

#[test]
fn service_region_and_endpoint_are_part_of_it_and_the_account_is_not() {
    let network = EndpointConfig::default();
    let of = |registry: &str, network: &EndpointConfig| print_of(registry, network, &keys("a"), &here()).unwrap();
    let usual = of(REGISTRY, &network);
    assert_eq!(usual, of("999999999999.dkr.ecr.eu-west-1.amazonaws.com", &network));
    let fips = EndpointConfig { use_fips: true, ..EndpointConfig::default() };
    let dual = EndpointConfig { use_dual_stack: true, ..EndpointConfig::default() };
    let own = EndpointConfig { ecr_endpoint: Some("http://127.0.0.1:1".into()), ..EndpointConfig::default() };
    let other = EndpointConfig { ecr_endpoint: Some("http://127.0.0.1:2".into()), ..EndpointConfig::default() };
    let us = "123456789012.dkr.ecr.us-east-1.amazonaws.com";
    let all = [
        usual,
        of("123456789012.dkr.ecr.eu-west-2.amazonaws.com", &network),
        of("123456789012.dkr-ecr.eu-west-1.on.aws", &network),
        of("public.ecr.aws", &network),
        of(us, &network),
        of(us, &fips),
        of(us, &dual),
        of(REGISTRY, &own),
        of(REGISTRY, &other),
    ];
    let different: std::collections::HashSet<_> = all.iter().collect();
    assert_eq!(different.len(), all.len());
    // FIPS by the name is FIPS by the variable.
    assert_eq!(of("123456789012.dkr.ecr-fips.us-east-1.amazonaws.com", &network), of(us, &fips));
    // With an endpoint of one's own, FIPS is not asked of anybody.
    let both = EndpointConfig { use_fips: true, ..own.clone() };
    assert_eq!(of(REGISTRY, &own), of(REGISTRY, &both));
}

// The paths of these sources are absolute on Unix alone.
#[cfg(unix)]
#[test]
fn endpoints_of_sts_and_sso_count_where_the_chain_uses_them() {
    let sts = EndpointConfig { sts_endpoint: Some("http://sts".into()), ..EndpointConfig::default() };
    let sso_portal = EndpointConfig { sso_endpoint: Some("http://sso".into()), ..EndpointConfig::default() };
    let oidc = EndpointConfig { sso_oidc_endpoint: Some("http://sso".into()), ..EndpointConfig::default() };
    let differs = |network: &EndpointConfig, source: &CredentialSource| {
        print_of(REGISTRY, network, source, &here()) != print(source)
    };
    assert!(differs(&sts, &web("t")) && differs(&sts, &role(keys("a"))) && differs(&sts, &role(sso())));
    assert!(!differs(&sts, &keys("a")) && !differs(&sts, &sso()));
    for network in [&sso_portal, &oidc] {
        assert!(differs(network, &sso()) && differs(network, &role(sso())));
        assert!(!differs(network, &keys("a")) && !differs(network, &role(keys("a"))));
    }
    assert_ne!(print_of(REGISTRY, &sso_portal, &sso(), &here()), print_of(REGISTRY, &oidc, &sso(), &here()),);
}

#[test]
fn names_and_places_that_only_messages_need_do_not_count() {
    let process = |profile: &str| CredentialSource::CredentialProcess { profile: profile.into(), command: secret("x") };
    assert_eq!(print(&process("a")), print(&process("b")));
    let mut other = web("token");
    if let CredentialSource::WebIdentity { token_file, .. } = &mut other {
        *token_file = Some("/elsewhere".into());
    }
    assert_eq!(print(&other), print(&web("token")));
    let mut other = role(keys("a"));
    if let CredentialSource::AssumeRole { duration_seconds, .. } = &mut other {
        *duration_seconds = Some(3600);
    }
    assert_eq!(print(&other), print(&role(keys("a"))));
}

#[test]
fn a_new_token_for_the_same_pod_or_its_successor_is_the_same_identity() {
    let usual = print(&web(&jwt(&claims())));
    for (pointer, value) in [
        ("/exp", json!(EXP + 3600)),
        ("/iat", json!(2)),
        ("/nbf", json!(2)),
        ("/jti", json!("b")),
        ("/kubernetes.io/pod/uid", json!("pod-uid-2")),
        ("/kubernetes.io/pod/name", json!("pod-2")),
        ("/kubernetes.io/node/name", json!("node-2")),
        ("/kubernetes.io/warnafter", json!(8)),
    ] {
        assert_eq!(print(&web(&jwt(&changed(pointer, value)))), usual, "{pointer}");
    }
    let newline = format!("{}\n", jwt(&claims()));
    assert_eq!(print(&web(&newline)), usual);
    assert_eq!(print(&web(&jwt(&changed("/aud", json!("sts.amazonaws.com"))))), usual);
}

#[test]
fn a_token_of_another_subject_is_another_identity() {
    let mut seen = vec![print(&web(&jwt(&claims())))];
    for (pointer, value) in [
        ("/iss", json!("https://oidc.example/id/B")),
        ("/sub", json!("system:serviceaccount:ns:other")),
        ("/aud", json!(["other"])),
        ("/aud", json!(["sts.amazonaws.com", "other"])),
        ("/kubernetes.io/serviceaccount/uid", json!("made-again")),
        ("/kubernetes.io/serviceaccount/name", json!("other")),
        ("/kubernetes.io/namespace", json!("other")),
        ("/https:~1~1aws.amazon.com~1tags/principal_tags/team", json!(["b"])),
        ("/https:~1~1aws.amazon.com~1tags/principal_tags/team", json!("a")),
        ("/https:~1~1aws.amazon.com~1tags/transitive_tag_keys", json!([])),
        ("/https:~1~1aws.amazon.com~1tags", json!(null)),
    ] {
        let print = print(&web(&jwt(&changed(pointer, value))));
        assert!(!seen.contains(&print), "{pointer}");
        seen.push(print);
    }
    let mut flat = claims();
    flat["https://aws.amazon.com/tags/principal_tags/Project"] = json!("x");
    assert!(!seen.contains(&print(&web(&jwt(&flat)))));
}

#[test]
fn what_is_not_a_jwt_counts_whole() {
    let good = jwt(&claims());
    let twice = URL_SAFE_NO_PAD.encode(r#"{"iss":"a","sub":"b","sub":"c","aud":"d"}"#);
    for token in [
        "opaque".to_owned(),
        format!("{good}.more"),
        good.replacen('.', "", 1),
        format!("e30.{twice}.s"),
        jwt(&json!({"iss": "a", "aud": "b"})),
        jwt(&json!({"iss": 1, "sub": "a", "aud": "b"})),
        jwt(&json!([])),
        "e30.###.s".to_owned(),
    ] {
        assert!(jwt::claims(&token).is_none(), "{token}");
        assert_ne!(print(&web(&token)), print(&web(&format!("{token}x"))));
    }
}

#[test]
fn a_token_past_its_end_never_hits() {
    let registry = Registry::parse(REGISTRY).unwrap();
    let identity = |source: CredentialSource| {
        let network = EndpointConfig::default();
        let (cache_key, ends_at) = of(&registry, &network, &source, &here());
        super::super::Identity {
            source,
            network,
            label: String::new(),
            skipped_sources: Vec::new(),
            cache_key,
            ends_at,
        }
    };
    let token = jwt(&claims());
    for source in [web(&token), role(web(&token)), container("http://169.254.170.23/x", Some(&token))] {
        let identity = identity(source);
        assert!(identity.cache_key(EXP - 1).is_some());
        assert!(identity.cache_key(EXP).is_none());
        assert!(identity.cache_key(i64::MAX).is_none());
    }
    assert!(identity(keys("a")).cache_key(i64::MAX).is_some());
    let odd = jwt(&changed("/exp", json!(1.9e9)));
    assert!(identity(web(&odd)).cache_key(1_900_000_000).is_none());
    assert!(identity(web(&odd)).cache_key(1_899_999_999).is_some());
}

#[test]
fn a_pod_identity_is_that_of_one_pod() {
    let pod = |payload: &Value| print(&container("http://169.254.170.23/v1/credentials", Some(&jwt(payload))));
    assert_eq!(pod(&claims()), pod(&changed("/exp", json!(EXP + 1))));
    assert_eq!(pod(&claims()), pod(&changed("/kubernetes.io/warnafter", json!(8))));
    for pointer in ["/sub", "/kubernetes.io/pod/uid", "/kubernetes.io/node/name"] {
        assert_ne!(pod(&claims()), pod(&changed(pointer, json!("other"))), "{pointer}");
    }
}
