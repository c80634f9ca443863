//! The kubelet's requests, of every version of its API. The whole input is stdin.

use std::time::Duration;

use ecr_login::os::deadline::Deadline;
use ecr_login::os::stdio::one_line;
use ecr_login::protocol::kubelet::{self, Delivery, Request, Wrong};
use ecr_login::registry::host_of;
use ecr_login::settings::Settings;
use ecr_login::text::user_error::UserError;
use serde_json::{Map, Value};

use super::fixture::{ALIAS, Fixture, REGISTRY, TOKEN};
use super::{memory, secrets};

/// What the kubelet's strict decoder knows.
const FIELDS: [&str; 5] = ["apiVersion", "auth", "cacheDuration", "cacheKeyType", "kind"];

pub fn check(input: &[u8]) {
    let fixture = Fixture::get();
    fixture.fill();
    let request = memory::bounded(input.len(), (4096, 8), || Request::parse(input)).ok();
    let asked: Option<Map<String, Value>> = serde_json::from_slice(input).ok();
    let answer = answer_to(&fixture, input);
    // In fields that nobody reads, serde lets pass what is not UTF-8, or no number that there is.
    let Some(asked) = asked else { return };
    match (answer, request) {
        (Ok((bytes, warnings)), Some(request)) => {
            let answer: Map<String, Value> = serde_json::from_slice(&bytes).unwrap();
            assert!(answer.keys().eq(FIELDS), "{answer:?}");
            assert_eq!(answer["kind"], "CredentialProviderResponse");
            assert_eq!(
                (&answer["apiVersion"], &asked["kind"]),
                (&asked["apiVersion"], &"CredentialProviderRequest".into())
            );
            assert_eq!(
                (&answer["cacheKeyType"], &asked["image"]),
                (&"Registry".into(), &request.image.as_str().into())
            );
            let auth = answer["auth"].as_object().unwrap();
            for (name, credentials) in auth {
                let host = host_of(name).unwrap();
                assert!([REGISTRY, ALIAS].contains(&host.as_str()), "{name} got a token");
                assert!(
                    request
                        .image
                        .strip_prefix(name.as_str())
                        .is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', ':']))
                );
                assert_eq!(*credentials, serde_json::json!({ "username": "AWS", "password": TOKEN }));
                let own_role = request.service_account_token.is_some() && request.role_annotation.is_some();
                assert!(!own_role, "a pod with a role of its own got the node's token");
            }
            assert!(auth.len() <= 1 && warnings.iter().all(|line| !line.contains(TOKEN)));
            assert!(
                !auth.is_empty() || answer["cacheDuration"] == "0s" && !String::from_utf8_lossy(&bytes).contains(TOKEN)
            );
        }
        (Ok(_), None) => panic!("an answer to no request"),
        (Err(failure), request) => {
            let said = failure.to_string();
            assert!(!one_line(&said).is_empty() && !said.contains('\n') && !said.contains(TOKEN), "{said}");
            let token = asked.get("serviceAccountToken").and_then(Value::as_str).unwrap_or_default();
            secrets::stays_out(token, input, |input| match answer_to(&fixture, input) {
                Ok(_) => String::new(),
                Err(failure) => failure.to_string(),
            });
            if request.is_some_and(|request| request.service_account_token.is_some()) {
                // Notes of what failed for each of the tokens.
                fixture.empty();
            }
        }
    }
}

fn answer_to(fixture: &Fixture, input: &[u8]) -> Result<Delivery, UserError> {
    // A pod's own identity is for AWS to judge, and nobody is asked here: there is no time for it.
    let deadline = Deadline::within(Duration::ZERO);
    let settings = Settings::load(&fixture.environment);
    let environment = fixture.environment.clone();
    memory::bounded(input.len(), (128 * 1024, 32), || {
        kubelet::answer(input.to_vec().into(), environment, settings, Wrong::default(), deadline)
    })
}
