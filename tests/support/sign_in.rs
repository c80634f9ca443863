//! A stand-in of IAM Identity Center's OIDC service and of its sign-in page: the documented requests alone are
//! answered, and what a client gets wrong is refused as the service refuses it
//! (<https://docs.aws.amazon.com/singlesignon/latest/OIDCAPIReference/Welcome.html>).
//!
//! Set its URL as `AWS_ENDPOINT_URL_SSO_OIDC`; the SSO portal stays [`super::FakeAws`]'s.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use serde_json::{Value, json};

use super::issued::now;
use super::request::Request;
use super::server::{Respond, Response, Server};

/// The redirect URI as a client registers it: RFC 8252, section 7.3, leaves the port to the moment of use.
const REDIRECT_WITHOUT_PORT: &str = "http://127.0.0.1/oauth/callback";
const DEVICE_GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// The service, listening on loopback until it is dropped.
pub struct SignIn {
    server: Server,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    url: String,
    requests: Vec<Request>,
    serial: usize,
    clients: HashMap<String, Client>,
    /// Authorization requests by the code that they will be redirected with.
    authorizations: HashMap<String, Authorization>,
    devices: HashMap<String, Device>,
    /// In the order in which they were given.
    user_codes: Vec<String>,
    refresh_tokens: HashMap<String, String>,
    /// What the next calls of `/token` answer instead of the right thing.
    token_errors: Vec<&'static str>,
    registration_error: Option<&'static str>,
    registration_life: Option<u64>,
    access_token_life: Option<u64>,
    poll_interval: Option<u64>,
    device_code_life: Option<u64>,
}

struct Client {
    secret: String,
    grants: Vec<String>,
    scopes: Vec<String>,
}

struct Authorization {
    client: String,
    challenge: String,
    redirect_uri: String,
    scopes: Vec<String>,
}

struct Device {
    client: String,
    user_code: String,
    approved: bool,
}

impl SignIn {
    pub fn start() -> Self {
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        let server = Server::plain(move |request| Respond::With(shared.lock().unwrap().answer(request)));
        state.lock().unwrap().url = server.url();
        Self { server, state }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub fn url(&self) -> String {
        self.server.url()
    }

    /// The requests for this path so far.
    pub fn requests(&self, path: &str) -> Vec<Request> {
        self.state().requests.iter().filter(|request| request.path == path).cloned().collect()
    }

    /// The JSON bodies that this path was sent so far.
    pub fn bodies(&self, path: &str) -> Vec<Value> {
        self.requests(path).iter().map(|request| serde_json::from_slice(&request.body).unwrap_or_default()).collect()
    }

    /// The next calls of CreateToken are refused with these exceptions, the last of the list first.
    pub fn refuse_tokens(&self, exceptions: &[&'static str]) {
        self.state().token_errors = exceptions.to_vec();
    }

    /// From now on RegisterClient is refused with this exception.
    pub fn refuse_registration(&self, exception: &'static str) {
        self.state().registration_error = Some(exception);
    }

    /// For how many seconds registrations are good from now on; 90 days without it.
    pub fn registration_life(&self, seconds: u64) {
        self.state().registration_life = Some(seconds);
    }

    /// For how many seconds access tokens are good from now on; 8 hours without it.
    pub fn access_token_life(&self, seconds: u64) {
        self.state().access_token_life = Some(seconds);
    }

    /// How many seconds a client is told to wait between two questions for a device's token.
    pub fn poll_interval(&self, seconds: u64) {
        self.state().poll_interval = Some(seconds);
    }

    /// For how many seconds a device code is good from now on.
    pub fn device_code_life(&self, seconds: u64) {
        self.state().device_code_life = Some(seconds);
    }

    /// Every secret that it has handed out so far.
    pub fn secrets(&self) -> Vec<String> {
        let state = self.state();
        let serials = 0..=state.serial;
        serials.flat_map(|n| ["client-secret", "access", "refresh", "device"].map(|kind| secret(kind, n))).collect()
    }

    /// The codes that devices were given so far, in order.
    pub fn user_codes(&self) -> Vec<String> {
        self.state().user_codes.clone()
    }

    /// Somebody types the code into the page and allows it.
    ///
    /// # Panics
    /// No device was given this code.
    pub fn approve_device(&self, user_code: &str) {
        let mut state = self.state();
        let device = state.devices.values_mut().find(|device| device.user_code == user_code);
        device.unwrap_or_else(|| panic!("no device has the code {user_code}")).approved = true;
    }
}

/// Somebody opens the sign-in page at `url` and clicks: follows the page's form and the redirect to the client, and
/// returns what the client's page says.
pub fn click_through(url: &str) -> String {
    let page = http_get(url);
    let action = page.split("href=\"").nth(1).and_then(|rest| rest.split('"').next()).map(str::to_owned);
    let action = action.unwrap_or_else(|| panic!("no button on the page: {page}")).replace("&amp;", "&");
    let answer = http_get(&action);
    let location = answer.lines().find_map(|line| line.strip_prefix("location: ")).map(|line| line.trim().to_owned());
    http_get(&location.unwrap_or_else(|| panic!("no redirect: {answer}")))
}

/// One GET over plain HTTP on loopback: head and body as they came.
pub fn http_get(url: &str) -> String {
    let rest = url.strip_prefix("http://").unwrap_or_else(|| panic!("not plain HTTP: {url}"));
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    assert!(host.starts_with("127.0.0.1:") || host.starts_with("[::1]:"), "tests stay on loopback: {url}");
    let mut stream = TcpStream::connect(host).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    write!(stream, "GET /{path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n").unwrap();
    let (mut bytes, mut buffer) = (Vec::new(), [0; 4096]);
    // The stand-in keeps connections open: its answers say how long they are.
    loop {
        match stream.read(&mut buffer) {
            Ok(0) | Err(_) => break,
            Ok(count) => bytes.extend_from_slice(&buffer[..count]),
        }
        if is_whole(&bytes) {
            break;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn is_whole(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes).to_ascii_lowercase();
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    length.and_then(|length| length.trim().parse::<usize>().ok()).is_some_and(|length| body.len() >= length)
}

fn secret(kind: &str, serial: usize) -> String {
    format!("fake-{kind}-of-the-sign-in-{serial:04}")
}

impl State {
    fn answer(&mut self, request: &Request) -> Response {
        self.requests.push(request.clone());
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        match (request.method.as_str(), request.path.as_str()) {
            ("POST", "/client/register") => self.register(&body),
            ("POST", "/device_authorization") => self.start_device(&body),
            ("POST", "/token") => self.token(&body),
            ("GET", "/authorize") => self.sign_in_page(request),
            ("GET", "/allow") => self.allow(request),
            _ => Response::new(404, "text/plain", "no such page"),
        }
    }

    fn next(&mut self) -> usize {
        self.serial += 1;
        self.serial
    }

    fn register(&mut self, body: &Value) -> Response {
        if let Some(exception) = self.registration_error {
            return refusal(exception);
        }
        let strings = |key: &str| -> Vec<String> {
            body[key].as_array().into_iter().flatten().filter_map(|v| v.as_str().map(str::to_owned)).collect()
        };
        let (grants, scopes) = (strings("grantTypes"), strings("scopes"));
        if body["clientType"] != "public" || body["clientName"].as_str().is_none_or(str::is_empty) {
            return refusal("InvalidClientMetadataException");
        }
        if grants.iter().any(|grant| grant == "authorization_code") {
            if strings("redirectUris") != [REDIRECT_WITHOUT_PORT] {
                return refusal("InvalidRedirectUriException");
            }
            if body["issuerUrl"].as_str().is_none_or(str::is_empty) {
                return refusal("InvalidRequestException");
            }
        }
        let serial = self.next();
        let (id, client_secret) = (format!("fake-client-{serial:04}"), secret("client-secret", serial));
        self.clients.insert(id.clone(), Client { secret: client_secret.clone(), grants, scopes });
        let life = self.registration_life.unwrap_or(90 * 24 * 3600);
        ok(&json!({
            "clientId": id, "clientSecret": client_secret, "clientIdIssuedAt": now(), "clientSecretExpiresAt": now() + life,
        }))
    }

    /// The client that a request is by, if it proves it.
    fn client(&self, body: &Value) -> Result<String, Response> {
        let id = body["clientId"].as_str().unwrap_or_default();
        match self.clients.get(id) {
            Some(client) if body["clientSecret"] == client.secret.as_str() => Ok(id.to_owned()),
            _ => Err(Response::new(401, "application/json", r#"{"error":"invalid_client"}"#)
                .header("x-amzn-errortype", "InvalidClientException")),
        }
    }

    fn start_device(&mut self, body: &Value) -> Response {
        let client = match self.client(body) {
            Ok(client) => client,
            Err(refusal) => return refusal,
        };
        if body["startUrl"].as_str().is_none_or(str::is_empty) {
            return refusal("InvalidRequestException");
        }
        let serial = self.next();
        let (code, user_code) = (secret("device", serial), format!("ABCD-{serial:04}"));
        self.user_codes.push(user_code.clone());
        self.devices.insert(code.clone(), Device { client, user_code: user_code.clone(), approved: false });
        let page = format!("{}/device", self.url);
        let mut answer = json!({
            "deviceCode": code, "userCode": user_code, "verificationUri": page,
            "verificationUriComplete": format!("{page}?user_code={user_code}"),
            "expiresIn": self.device_code_life.unwrap_or(600),
        });
        if let Some(seconds) = self.poll_interval {
            answer["interval"] = json!(seconds);
        }
        ok(&answer)
    }

    fn sign_in_page(&mut self, request: &Request) -> Response {
        let query = |name| request.query(name).unwrap_or_default().to_owned();
        let (client, redirect_uri, state) = (query("client_id"), query("redirect_uri"), query("state"));
        let scopes: Vec<String> = query("scopes").split(' ').map(str::to_owned).collect();
        let is_loopback = redirect_uri.strip_prefix("http://127.0.0.1:").and_then(|rest| rest.split_once('/'));
        let known = self.clients.get(&client).is_some_and(|client| {
            client.grants.iter().any(|grant| grant == "authorization_code") && client.scopes == scopes
        });
        let is_right = known
            && query("response_type") == "code"
            && query("code_challenge_method") == "S256"
            && query("code_challenge").len() == 43
            && !state.is_empty()
            && is_loopback.is_some_and(|(port, path)| port.parse::<u16>().is_ok() && path == "oauth/callback");
        if !is_right {
            return Response::new(400, "text/html", format!("<h1>invalid request</h1>{:?}", request.query));
        }
        let code = secret("code", self.next());
        let challenge = query("code_challenge");
        let authorization = Authorization { client, challenge, redirect_uri, scopes };
        self.authorizations.insert(code.clone(), authorization);
        let allow = format!("{}/allow?code={code}&amp;state={state}", self.url);
        let page = format!("<h1>Sign in</h1><a id=\"allow\" href=\"{allow}\">Allow access</a>");
        Response::new(200, "text/html", page)
    }

    fn allow(&mut self, request: &Request) -> Response {
        let code = request.query("code").unwrap_or_default();
        let Some(authorization) = self.authorizations.get(code) else {
            return Response::new(400, "text/html", "<h1>no such request</h1>");
        };
        let state = request.query("state").unwrap_or_default();
        let back = format!("{}?code={code}&state={state}", authorization.redirect_uri);
        Response::new(302, "text/html", "").header("location", &back)
    }

    fn token(&mut self, body: &Value) -> Response {
        let client = match self.client(body) {
            Ok(client) => client,
            Err(refusal) => return refusal,
        };
        if let Some(exception) = self.token_errors.pop() {
            return refusal(exception);
        }
        let scopes = match body["grantType"].as_str() {
            Some("authorization_code") => {
                let code = body["code"].as_str().unwrap_or_default();
                let verifier = body["codeVerifier"].as_str().unwrap_or_default();
                // A code is good once, whoever brings it.
                match self.authorizations.remove(code) {
                    Some(known)
                        if known.client == client
                            && body["redirectUri"] == known.redirect_uri.as_str()
                            && (43..=128).contains(&verifier.len())
                            && challenge_of(verifier) == known.challenge =>
                    {
                        known.scopes
                    }
                    _ => return refusal("InvalidGrantException"),
                }
            }
            Some(DEVICE_GRANT) => match self.devices.get(body["deviceCode"].as_str().unwrap_or_default()) {
                Some(device) if device.client == client && device.approved => Vec::new(),
                Some(device) if device.client == client => return refusal("AuthorizationPendingException"),
                _ => return refusal("InvalidGrantException"),
            },
            Some("refresh_token") => {
                let token = body["refreshToken"].as_str().unwrap_or_default();
                match self.refresh_tokens.remove(token) {
                    Some(known) if known == client => Vec::new(),
                    _ => return refusal("InvalidGrantException"),
                }
            }
            _ => return refusal("UnsupportedGrantTypeException"),
        };
        let serial = self.next();
        let mut answer = json!({
            "accessToken": secret("access", serial), "tokenType": "Bearer",
            "expiresIn": self.access_token_life.unwrap_or(8 * 3600),
        });
        let registered = &self.clients[&client].scopes;
        if scopes.iter().chain(registered).any(|scope| scope == "sso:account:access") {
            self.refresh_tokens.insert(secret("refresh", serial), client);
            answer["refreshToken"] = json!(secret("refresh", serial));
        }
        ok(&answer)
    }
}

/// RFC 7636, section 4.6.
fn challenge_of(verifier: &str) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, verifier.as_bytes());
    let text = aws_smithy_types::base64::encode(digest.as_ref());
    text.trim_end_matches('=').replace('+', "-").replace('/', "_")
}

fn ok(body: &Value) -> Response {
    Response::new(200, "application/json", body.to_string())
}

/// A refusal in the service's form, with the OAuth name of the exception.
fn refusal(exception: &str) -> Response {
    if exception == "InternalServerException" {
        let body = json!({ "error": "server_error" });
        return Response::new(500, "application/json", body.to_string()).header("x-amzn-errortype", exception);
    }
    let error = match exception {
        "AuthorizationPendingException" => "authorization_pending",
        "SlowDownException" => "slow_down",
        "ExpiredTokenException" => "expired_token",
        "AccessDeniedException" => "access_denied",
        "InvalidGrantException" => "invalid_grant",
        "InvalidScopeException" => "invalid_scope",
        "InvalidRedirectUriException" => "invalid_redirect_uri",
        "InvalidClientMetadataException" => "invalid_client_metadata",
        "UnsupportedGrantTypeException" => "unsupported_grant_type",
        _ => "invalid_request",
    };
    let body = json!({ "error": error, "error_description": "as the stand-in was told" });
    Response::new(400, "application/json", body.to_string()).header("x-amzn-errortype", exception)
}
