//! The OIDC token of a CI job or of an instance of another cloud, requested where `web_identity` of the settings says.
//!
//! The URL is https or leads to this machine's own metadata server (`credentials/id_token_request.rs` checks it), redirects
//! are not followed, and neither the token nor what authenticates the request is in any message.

use std::time::Duration;

use serde::Deserialize;

use super::metadata_http::{self, Request, Response};
use crate::aws::client::AwsContext;
use crate::aws::error::{self, CallError, CallTarget};
use crate::aws::retry::{self, Outcome};
use crate::credentials::{IdTokenRequest, is_jwt};
use crate::os::secret::Secret;
use crate::text::percent_encoded;
use crate::text::user_error::{Kind, UserError};

/// How long a metadata server may take. (A token service on the internet has the call's deadline.)
const METADATA_TIMEOUT: Duration = Duration::from_secs(3);

/// The answer of GitHub's service, or of Azure's.
#[derive(Deserialize)]
struct Answer {
    #[serde(alias = "access_token")]
    value: Option<Secret>,
}

/// The token.
///
/// # Errors
/// The service refused, did not answer, or its answer has no JWT.
pub(super) async fn get(request: &IdTokenRequest, audience: &str, aws: &AwsContext<'_>) -> Result<Secret, UserError> {
    let call = match request {
        IdTokenRequest::Variable { token, .. } => return Ok(token.clone()),
        request => Call::of(request, audience),
    };
    let (endpoint, path) = call.endpoint_and_path();
    let target = CallTarget { service: call.service, host: endpoint };
    let mut tries = 0;
    let answer = loop {
        let request = Request {
            method: if call.form.is_some() { "POST" } else { "GET" },
            endpoint,
            path: path.to_owned(),
            headers: call.headers.clone(),
            body: call.form.clone(),
        };
        tries += 1;
        let (outcome, failure) = match timed(&call, &target, request, aws).await {
            Ok(answer) if answer.status == 200 => break answer,
            Ok(answer) => (outcome(answer.status), refused(&call, &target, answer.status)),
            Err(call_error) => (call_error.outcome(), metadata_http::unanswered(call_error, call.hint)),
        };
        match retry::pause(aws.retry_policy, tries, outcome, aws.deadline.left(), retry::chance()) {
            Some(pause) => tokio::time::sleep(pause).await,
            None => return Err(failure),
        }
    };
    aws.progress().clear();
    if call.is_google && answer.metadata_flavor.as_deref() != Some("Google") {
        let message = "what answers is not Google's metadata server";
        return Err(UserError::new(Kind::Credentials, message).endpoint(endpoint).hint(call.hint));
    }
    let token = if call.is_google {
        Some(Secret::new(answer.text().to_owned()))
    } else {
        serde_json::from_slice::<Answer>(&answer.body).ok().and_then(|answer| answer.value)
    };
    token.filter(|token| is_jwt(token.expose())).ok_or_else(|| {
        let message = format!("{} answered without a token", call.service);
        UserError::new(Kind::Network, message).endpoint(endpoint).hint(call.hint)
    })
}

async fn timed(
    call: &Call,
    target: &CallTarget<'_>,
    request: Request<'_>,
    aws: &AwsContext<'_>,
) -> Result<Response, CallError> {
    let (client, limit) = if call.is_metadata {
        (aws.http_nearby(), aws.deadline.left().min(METADATA_TIMEOUT))
    } else {
        (aws.http(), aws.deadline.left())
    };
    match tokio::time::timeout(limit, metadata_http::ask(&client, request)).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(error::sdk_error(target, &error)),
        Err(_) => Err(metadata_http::late(target, limit, METADATA_TIMEOUT, aws, call.hint)),
    }
}

fn outcome(status: u16) -> Outcome {
    match status {
        429 => Outcome::Throttled,
        500.. => Outcome::Transient,
        _ => Outcome::Final,
    }
}

fn refused(call: &Call, target: &CallTarget<'_>, status: u16) -> UserError {
    let message = format!("{} gave no token (HTTP {status})", call.service);
    UserError::new(Kind::Credentials, message).endpoint(target.host).hint(call.hint)
}

/// A request, and its words for messages.
#[derive(Default)]
struct Call {
    service: &'static str,
    url: String,
    headers: Vec<(&'static str, Secret)>,
    form: Option<Secret>,
    is_metadata: bool,
    is_google: bool,
    hint: &'static str,
}

impl Call {
    fn of(request: &IdTokenRequest, audience: &str) -> Self {
        let audience_encoded = percent_encoded(audience);
        let header = |name, value: &str| (name, Secret::new(value.to_owned()));
        let client = |id: &Option<String>| match id {
            Some(id) => format!("&client_id={}", percent_encoded(id)),
            None => String::new(),
        };
        match request {
            // Nothing is requested.
            IdTokenRequest::Variable { .. } => Self::default(),
            IdTokenRequest::GithubActions { url, bearer } => {
                let join = if url.contains('?') { '&' } else { '?' };
                Self {
                    service: "GitHub's token service",
                    url: format!("{url}{join}audience={audience_encoded}"),
                    headers: vec![
                        ("authorization", Secret::new(format!("Bearer {}", bearer.expose()))),
                        header("accept", "application/json; api-version=2.0"),
                    ],
                    form: None,
                    is_metadata: false,
                    is_google: false,
                    hint: "see that the job has \"permissions: id-token: write\", and that it still runs",
                }
            }
            IdTokenRequest::Google { endpoint } => Self {
                service: "Google's metadata server",
                url: format!(
                    "{endpoint}/computeMetadata/v1/instance/service-accounts/default/identity\
                     ?audience={audience_encoded}&format=full"
                ),
                headers: vec![header("metadata-flavor", "Google")],
                form: None,
                is_metadata: true,
                is_google: true,
                hint: "see that this runs on Google Cloud, with a service account (GKE: Workload Identity)",
            },
            IdTokenRequest::AzureInstance { endpoint, client_id } => Self {
                service: "Azure's instance metadata",
                url: format!(
                    "{endpoint}/metadata/identity/oauth2/token?api-version=2018-02-01&resource={audience_encoded}{}",
                    client(client_id)
                ),
                headers: vec![header("metadata", "true")],
                form: None,
                is_metadata: true,
                is_google: false,
                hint: "assign the machine a managed identity (of several, name one in AZURE_CLIENT_ID), and let audience \
                       be the Application ID URI of an app registration",
            },
            IdTokenRequest::AzureAppService { endpoint, header: identity, client_id } => Self {
                service: "Azure's identity endpoint",
                url: format!("{endpoint}?api-version=2019-08-01&resource={audience_encoded}{}", client(client_id)),
                headers: vec![header("x-identity-header", identity.expose())],
                form: None,
                is_metadata: true,
                is_google: false,
                hint: "assign the app a managed identity (of several, name one in AZURE_CLIENT_ID), and let audience be \
                       the Application ID URI of an app registration",
            },
            IdTokenRequest::AzureWorkload { authority, tenant, client_id, assertion } => Self {
                service: "Microsoft Entra",
                url: format!("{authority}/{tenant}/oauth2/v2.0/token"),
                headers: vec![header("content-type", "application/x-www-form-urlencoded")],
                form: Some(Secret::new(format!(
                    "grant_type=client_credentials&client_id={}&scope={audience_encoded}%2F.default\
                     &client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer\
                     &client_assertion={}",
                    percent_encoded(client_id),
                    percent_encoded(assertion.expose()),
                ))),
                is_metadata: false,
                is_google: false,
                hint: "see that the identity has a federated credential for this service account, and that audience is the \
                       Application ID URI of an app registration",
            },
        }
    }

    /// Scheme with host and port, and path with query.
    fn endpoint_and_path(&self) -> (&str, &str) {
        let authority = self.url.find("://").map_or(0, |at| at + 3);
        let end = self.url[authority..].find(['/', '?']).map_or(self.url.len(), |at| authority + at);
        self.url.split_at(end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_audience_is_encoded_into_the_url() {
        let bearer = Secret::new("b".to_owned());
        for (url, expected) in [
            ("https://x/?api-version=2.0", "https://x/?api-version=2.0&audience=a%26b"),
            ("https://x/", "https://x/?audience=a%26b"),
        ] {
            let request = IdTokenRequest::GithubActions { url: url.to_owned(), bearer: bearer.clone() };
            assert_eq!(Call::of(&request, "a&b").url, expected);
        }
    }
}
