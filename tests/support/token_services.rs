//! Stand-ins of the services that give a CI job or an instance of another cloud its OIDC token: GitHub's, Google's and
//! Azure's, with their documented requests and answers. What is not asked as documented is refused as they refuse it.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::issued::now;
use super::jwt;
use super::request::Request;
use super::server::{Respond, Response, Server};

/// The bearer that a job of GitHub's has for its token service.
pub const REQUEST_TOKEN: &str = "job-request-token-hunter2";
/// What App Service and Container Apps put into `IDENTITY_HEADER`.
pub const IDENTITY_HEADER: &str = "identity-header-hunter2";
/// The client id of the user-assigned identity and of the workload identity.
pub const AZURE_CLIENT: &str = "11111111-2222-3333-4444-555555555555";
pub const AZURE_TENANT: &str = "99999999-8888-7777-6666-555555555555";
/// The JWT that Kubernetes projects for Azure's exchange.
pub const FEDERATED_TOKEN: &str = "federated-hunter2";

/// The three services on one port of loopback.
pub struct TokenServices {
    server: Server,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    requests: Vec<Request>,
    issued: Vec<String>,
    subject: String,
    request_token: String,
    answer: Option<Response>,
}

impl TokenServices {
    pub fn start() -> Self {
        let state = Arc::new(Mutex::new(State {
            subject: "job".to_owned(),
            request_token: REQUEST_TOKEN.to_owned(),
            ..State::default()
        }));
        let shared = Arc::clone(&state);
        let server = Server::plain(move |request| Respond::With(shared.lock().unwrap().answer(request)));
        Self { server, state }
    }

    /// As `ACTIONS_ID_TOKEN_REQUEST_URL` is: with a query of its own.
    pub fn github_url(&self) -> String {
        format!("{}/idtoken/00000000/?api-version=2.0", self.server.url())
    }

    /// `127.0.0.1:PORT`, as `GCE_METADATA_HOST` has it.
    pub fn host(&self) -> String {
        self.server.host()
    }

    pub fn url(&self) -> String {
        self.server.url()
    }

    /// All requests so far.
    pub fn requests(&self) -> Vec<Request> {
        self.state.lock().unwrap().requests.clone()
    }

    /// Every token that it has handed out so far.
    pub fn issued(&self) -> Vec<String> {
        self.state.lock().unwrap().issued.clone()
    }

    /// The `sub` of the tokens from now on.
    pub fn subject(&self, subject: &str) {
        subject.clone_into(&mut self.state.lock().unwrap().subject);
    }

    /// GitHub's service wants this bearer from now on: another job's.
    pub fn request_token(&self, token: &str) {
        token.clone_into(&mut self.state.lock().unwrap().request_token);
    }

    /// Every request is answered so from now on.
    pub fn answer(&self, response: Response) {
        self.state.lock().unwrap().answer = Some(response);
    }
}

impl State {
    fn answer(&mut self, request: &Request) -> Response {
        self.requests.push(request.clone());
        if let Some(answer) = &self.answer {
            return answer.clone();
        }
        match request.path.as_str() {
            "/idtoken/00000000/" => self.github(request),
            "/computeMetadata/v1/instance/service-accounts/default/identity" => self.google(request),
            "/metadata/identity/oauth2/token" => self.azure_instance(request),
            "/msi/token" => self.azure_app_service(request),
            path if path == format!("/{AZURE_TENANT}/oauth2/v2.0/token") => self.azure_workload(request),
            _ => Response::new(404, "text/plain", "no such page"),
        }
    }

    /// <https://docs.github.com/en/actions/reference/security/oidc>
    fn github(&mut self, request: &Request) -> Response {
        let authorization = request.header("authorization").unwrap_or_default();
        if !authorization.eq_ignore_ascii_case(&format!("bearer {}", self.request_token)) {
            return Response::new(401, "application/json", r#"{"message":"Unauthorized"}"#);
        }
        if request.method != "GET" || request.query("api-version") != Some("2.0") {
            return Response::new(400, "application/json", r#"{"message":"Bad request"}"#);
        }
        let audience = request.query("audience").unwrap_or("https://github.com/octo-org");
        let token = self.token("https://token.actions.githubusercontent.com", audience);
        json_answer(&json!({ "count": token.len(), "value": token }))
    }

    /// <https://cloud.google.com/compute/docs/instances/verifying-instance-identity>
    fn google(&mut self, request: &Request) -> Response {
        if request.header("metadata-flavor") != Some("Google") {
            return Response::new(403, "text/html", "Missing Metadata-Flavor:Google header.");
        }
        let Some(audience) = request.query("audience").filter(|audience| !audience.is_empty()) else {
            return Response::new(400, "text/html", "non-empty audience parameter required");
        };
        let token = self.token("https://accounts.google.com", audience);
        Response::new(200, "text/html", token).header("Metadata-Flavor", "Google")
    }

    /// <https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token>
    fn azure_instance(&mut self, request: &Request) -> Response {
        if request.header("metadata") != Some("true") {
            let body =
                json!({"error": "invalid_request", "error_description": "Required metadata header not specified"});
            return Response::new(400, "application/json", body.to_string());
        }
        if request.query("api-version") != Some("2018-02-01") {
            return Response::new(400, "application/json", r#"{"error":"bad_request_102"}"#);
        }
        self.azure(request)
    }

    /// <https://learn.microsoft.com/azure/app-service/overview-managed-identity>
    fn azure_app_service(&mut self, request: &Request) -> Response {
        if request.header("x-identity-header") != Some(IDENTITY_HEADER) {
            return Response::new(401, "application/json", "{}");
        }
        if request.query("api-version") != Some("2019-08-01") {
            return Response::new(400, "application/json", "{}");
        }
        self.azure(request)
    }

    fn azure(&mut self, request: &Request) -> Response {
        let Some(resource) = request.query("resource").map(str::to_owned) else {
            return Response::new(400, "application/json", r#"{"error":"invalid_resource"}"#);
        };
        if request.query("client_id").is_some_and(|client| client != AZURE_CLIENT) {
            let body = json!({"error": "invalid_request", "error_description": "Identity not found"});
            return Response::new(400, "application/json", body.to_string());
        }
        let token = self.token(&format!("https://sts.windows.net/{AZURE_TENANT}/"), &resource);
        json_answer(&json!({
            "access_token": token, "expires_in": "86400", "expires_on": (now() + 86_400).to_string(),
            "resource": resource, "token_type": "Bearer",
        }))
    }

    /// <https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow>
    fn azure_workload(&mut self, request: &Request) -> Response {
        let form = |name: &str| request.form(name).unwrap_or_default();
        let scope = form("scope");
        let right = request.method == "POST"
            && form("grant_type") == "client_credentials"
            && form("client_id") == AZURE_CLIENT
            && form("client_assertion_type") == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
            && form("client_assertion").starts_with(FEDERATED_TOKEN);
        match scope.strip_suffix("/.default") {
            Some(audience) if right => {
                let token = self.token(&format!("https://sts.windows.net/{AZURE_TENANT}/"), audience);
                json_answer(&json!({ "access_token": token, "expires_in": 86_399, "token_type": "Bearer" }))
            }
            _ => {
                let body = json!({
                    "error": "invalid_client",
                    "error_description": "AADSTS70021: No matching federated identity record found",
                });
                Response::new(401, "application/json", body.to_string())
            }
        }
    }

    fn token(&mut self, issuer: &str, audience: &str) -> String {
        let claims = json!({
            "iss": issuer, "aud": audience, "sub": self.subject, "jti": self.issued.len(), "exp": now() + 300,
        });
        let token = jwt(&claims);
        self.issued.push(token.clone());
        token
    }
}

fn json_answer(body: &Value) -> Response {
    Response::new(200, "application/json; charset=utf-8", body.to_string())
}
