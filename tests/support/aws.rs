//! The fake AWS: every service on one port of loopback, each call counted and recorded, each able to fail.

mod near;

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard};

use super::aws_login::{LoginSessions, renewed};
use super::fault::{Fault, NowAndThen};
use super::issued::{Keys, Token, authorization_token, http_date, now, subject};
use super::request::Request;
use super::server::{Respond, Response, Server};
use super::services::{ecr_token, oidc_token, sso_role, sts_caller, sts_role};
use super::signature::is_signed_with;
use super::throttle::Bucket;
use super::tls::{Authority, Certificate};

/// The services that it plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Service {
    Ecr,
    EcrPublic,
    Sts,
    /// The SSO portal.
    Sso,
    SsoOidc,
    /// AWS Sign-In, which renews sessions of `aws login`.
    SignIn,
    /// The instance metadata service, version 2 alone.
    Imds,
    /// The credentials endpoint of ECS and EKS: any path with `credentials` in it.
    Container,
    /// A proxy that is asked for a tunnel, and opens none.
    Proxy,
    /// A registry's `GET /v2/`, which accepts the passwords that were issued.
    Registry,
    Unknown,
}

/// One recorded call.
#[derive(Clone, Debug)]
pub struct Call {
    pub service: Service,
    pub request: Request,
}

/// How far from AWS's clock a request may be signed, in seconds.
const SIGNATURE_LIFE: u64 = 300;

/// The name of the role that IMDS has.
pub const INSTANCE_ROLE: &str = "node-role";

pub struct FakeAws {
    server: Server,
    state: Arc<Mutex<State>>,
    authority: Authority,
}

struct State {
    calls: Vec<Call>,
    serial: usize,
    token_life: i64,
    keys_life: u64,
    faults: HashMap<Service, Vec<(usize, Fault)>>,
    now_and_then: HashMap<Service, NowAndThen>,
    keys: HashMap<String, Keys>,
    passwords: HashSet<String>,
    imds_tokens: HashSet<String>,
    revoked: HashSet<String>,
    container_authorization: Option<String>,
    container_takes_any: bool,
    secrets: Option<Vec<String>>,
    old_imds: Option<u16>,
    login_sessions: LoginSessions,
    bucket: Option<Bucket>,
    clock: i64,
    mfa_code: Option<String>,
}

impl FakeAws {
    /// Over plain HTTP on 127.0.0.1.
    pub fn start() -> Self {
        Self::on(IpAddr::V4(Ipv4Addr::LOCALHOST), None)
    }

    /// Over TLS on 127.0.0.1.
    pub fn over_tls(certificate: Certificate) -> Self {
        Self::on(IpAddr::V4(Ipv4Addr::LOCALHOST), Some(certificate))
    }

    /// On any address of loopback.
    pub fn on(ip: IpAddr, certificate: Option<Certificate>) -> Self {
        Self::at(SocketAddr::new(ip, 0), certificate)
    }

    /// On an address and a port of loopback.
    pub fn at(address: SocketAddr, certificate: Option<Certificate>) -> Self {
        let authority = Authority::new();
        let state = Arc::new(Mutex::new(State {
            calls: Vec::new(),
            serial: 0,
            token_life: 12 * 3600,
            keys_life: 3600,
            faults: HashMap::new(),
            now_and_then: HashMap::new(),
            keys: HashMap::new(),
            passwords: HashSet::new(),
            imds_tokens: HashSet::new(),
            revoked: HashSet::new(),
            container_authorization: None,
            container_takes_any: false,
            secrets: None,
            old_imds: None,
            login_sessions: LoginSessions::default(),
            bucket: None,
            clock: 0,
            mfa_code: None,
        }));
        let server = Self::listen(address, certificate, &state, &authority);
        Self { server, state, authority }
    }

    fn listen(
        address: SocketAddr,
        certificate: Option<Certificate>,
        state: &Arc<Mutex<State>>,
        authority: &Authority,
    ) -> Server {
        let state = Arc::clone(state);
        let handler = move |request: &Request| state.lock().unwrap().answer(request);
        Server::start(address, certificate.map(|c| authority.server(c)), handler)
    }

    /// Another host of the same AWS on 127.0.0.1, for the endpoint of one of its services.
    pub fn host_of_its_own(&self, certificate: Option<Certificate>) -> Server {
        self.host_at((Ipv4Addr::LOCALHOST, 0).into(), certificate)
    }

    /// Another host of the same AWS.
    pub fn host_at(&self, address: SocketAddr, certificate: Option<Certificate>) -> Server {
        Self::listen(address, certificate, &self.state, &self.authority)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub fn server(&self) -> &Server {
        &self.server
    }

    /// For `AWS_ENDPOINT_URL`.
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// As a message names it.
    pub fn host(&self) -> String {
        self.server.host()
    }

    /// The certificate that clients are to trust.
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// Calls of one service so far.
    pub fn calls(&self, service: Service) -> usize {
        self.state().calls.iter().filter(|call| call.service == service).count()
    }

    /// Calls of all services so far.
    pub fn all_calls(&self) -> Vec<Call> {
        self.state().calls.clone()
    }

    /// What one service was sent so far.
    pub fn requests(&self, service: Service) -> Vec<Request> {
        self.state().calls.iter().filter(|call| call.service == service).map(|call| call.request.clone()).collect()
    }

    /// Connections accepted so far.
    pub fn connections(&self) -> usize {
        self.server.connections()
    }

    /// From now on every call of `service` fails so.
    pub fn fail(&self, service: Service, fault: Fault) {
        self.fail_times(service, usize::MAX, fault);
    }

    /// The next `times` calls of `service` fail so; after those what was said before holds again.
    pub fn fail_times(&self, service: Service, times: usize, fault: Fault) {
        self.state().faults.entry(service).or_default().push((times, fault));
    }

    /// From now on this share of the calls of `service` fails, each in one of these ways.
    pub fn fail_now_and_then(&self, service: Service, share: f64, faults: &[Fault]) {
        self.state().now_and_then.insert(service, NowAndThen::new(share, faults));
    }

    /// How often each of the faults of [`Self::fail_now_and_then`] has come.
    pub fn came(&self, service: Service) -> Vec<usize> {
        self.state().now_and_then.get(&service).map(|faults| faults.came.clone()).unwrap_or_default()
    }

    /// From now on `service` works.
    pub fn heal(&self, service: Service) {
        let mut state = self.state();
        state.faults.remove(&service);
        if let Some(faults) = state.now_and_then.get_mut(&service) {
            faults.share = 0.0;
        }
    }

    /// How long ECR's tokens live from now on, in seconds; negative for those that are dead when issued.
    pub fn token_life(&self, seconds: i64) {
        self.state().token_life = seconds;
    }

    /// How long temporary keys live from now on, in seconds.
    pub fn keys_life(&self, seconds: u64) {
        self.state().keys_life = seconds;
    }

    /// The container endpoint wants this `Authorization` from now on.
    pub fn container_authorization(&self, value: &str) {
        self.state().container_authorization = Some(value.to_owned());
    }

    /// The container endpoint takes any `Authorization`, or none, from now on.
    pub fn any_container_authorization(&self) {
        self.state().container_takes_any = true;
    }

    /// From now on signatures are verified: with the secrets of what was issued, and of other keys with one of these.
    pub fn verify_signatures(&self, secrets: &[&str]) {
        self.state().secrets = Some(secrets.iter().map(|secret| (*secret).to_owned()).collect());
    }

    /// IMDS knows no tokens from now on: it answers a request for one with `status`, and the others without.
    pub fn old_imds(&self, status: u16) {
        self.state().old_imds = Some(status);
    }

    /// The SSO portal refuses this access token (OIDC: this refresh token) from now on.
    pub fn revoke(&self, token: &str) {
        self.state().revoked.insert(token.to_owned());
    }

    /// A session of `aws login`, as the AWS CLI keeps it, whose keys end in `seconds`.
    pub fn login(&self, seconds: i64) -> serde_json::Value {
        let mut state = self.state();
        let serial = state.next();
        state.login_sessions.open(serial, seconds)
    }

    /// AWS Sign-In refuses each renewal with this code from now on.
    pub fn refuse_logins(&self, code: &'static str) {
        self.state().login_sessions.refusal = Some(code);
    }

    /// The passwords that ECR has handed out so far.
    pub fn passwords(&self) -> Vec<String> {
        self.state().passwords.iter().cloned().collect()
    }

    /// Every secret that it has handed out so far.
    pub fn handed_out(&self) -> Vec<String> {
        let state = self.state();
        let keys = state.keys.values().flat_map(|keys| [keys.secret.clone(), keys.session_token.clone()]);
        let tokens = state.passwords.iter().flat_map(|password| [password.clone(), authorization_token(password)]);
        keys.chain(tokens).chain(state.imds_tokens.iter().cloned()).collect()
    }

    /// The code that every MFA device shows from now on; it is good once.
    pub fn mfa_code(&self, code: &str) {
        self.state().mfa_code = Some(code.to_owned());
    }

    /// AWS's clock is ahead of ours by so many seconds, and ours is to blame.
    pub fn clock(&self, seconds: i64) {
        self.state().clock = seconds;
    }

    /// ECR throttles: so many calls a second, and bursts of so many.
    pub fn limit(&self, rate: f64, burst: f64) {
        self.state().bucket = Some(Bucket::new(rate, burst));
    }
}

impl State {
    fn answer(&mut self, request: &Request) -> Respond {
        let service = Service::of(request);
        self.calls.push(Call { service, request: request.clone() });
        let fault = self.faults.get_mut(&service).and_then(|script| {
            script.retain(|(times, _)| *times > 0);
            let (times, fault) = script.last_mut()?;
            *times -= 1;
            Some(fault.clone())
        });
        let fault = fault.or_else(|| self.now_and_then.get_mut(&service)?.fault());
        let date = http_date(now().saturating_add_signed(self.clock));
        match fault {
            Some(fault) => fault.apply(service, || self.right(service, request)),
            None => Respond::With(self.right(service, request)),
        }
        .header("date", &date)
    }

    fn right(&mut self, service: Service, request: &Request) -> Response {
        match service {
            Service::Ecr | Service::EcrPublic => self.ecr(service, request),
            Service::Sts => self.sts(request),
            Service::Sso => self.sso(request),
            Service::SsoOidc => self.sso_oidc(request),
            Service::SignIn => self.sign_in(request),
            Service::Imds => self.imds(request),
            Service::Container => self.container(request),
            Service::Registry => self.registry(request),
            Service::Proxy => service.error(502, "BadGateway", "no tunnel"),
            Service::Unknown => service.error(404, "UnknownOperationException", "no such operation"),
        }
    }

    fn next(&mut self) -> usize {
        self.serial += 1;
        self.serial
    }

    fn issue(&mut self, identity: String) -> Keys {
        let keys = Keys::new(self.next(), identity, now() + self.keys_life);
        self.keys.insert(keys.id.clone(), keys.clone());
        keys
    }

    /// Who signed a request; keys that the fake issued must come with their session token and be alive.
    fn signer(&self, service: Service, request: &Request) -> Result<(String, String), Response> {
        let Some(id) = request.access_key() else {
            return Err(service.error(403, "MissingAuthenticationTokenException", "Request is missing a signature"));
        };
        let now_there = now().saturating_add_signed(self.clock);
        if request.signed_at().is_some_and(|at| at.abs_diff(now_there) > SIGNATURE_LIFE) {
            let message = "Signature expired: is now earlier than allowed (5 min.)";
            return Err(service.error(400, "InvalidSignatureException", message));
        }
        if let Some(secrets) = &self.secrets {
            let issued = self.keys.get(id).map(|keys| &keys.secret);
            let mut possible = issued.map_or(secrets.as_slice(), std::slice::from_ref).iter();
            if !possible.any(|secret| is_signed_with(request, secret)) {
                let message = "The request signature we calculated does not match the signature you provided.";
                return Err(service.error(403, "SignatureDoesNotMatch", message));
            }
        }
        if !id.starts_with(Keys::PREFIX) {
            return Ok((id.to_owned(), id.to_owned()));
        }
        match self.keys.get(id) {
            Some(keys) if request.header("x-amz-security-token") == Some(&keys.session_token) => {
                if keys.ends_at <= now() {
                    let message = "The security token included in the request is expired";
                    return Err(service.error(400, "ExpiredTokenException", message));
                }
                Ok((id.to_owned(), keys.identity.clone()))
            }
            _ => {
                let message = "The security token included in the request is invalid.";
                Err(service.error(400, "UnrecognizedClientException", message))
            }
        }
    }

    fn ecr(&mut self, service: Service, request: &Request) -> Response {
        if self.bucket.as_mut().is_some_and(|bucket| !bucket.take()) {
            return service.error(400, "ThrottlingException", "Rate exceeded");
        }
        let (key, identity) = match self.signer(service, request) {
            Ok(signer) => signer,
            Err(refusal) => return refusal,
        };
        let token = Token {
            service: if service == Service::Ecr { "ecr" } else { "ecr-public" }.to_owned(),
            region: request.region().unwrap_or("none").to_owned(),
            key,
            identity,
            serial: self.next(),
            ends_at: now().saturating_add_signed(self.token_life),
        };
        let (password, ends_at) = (token.password(), token.ends_at);
        self.passwords.insert(password.clone());
        ecr_token(service, &password, ends_at)
    }

    fn sts(&mut self, request: &Request) -> Response {
        let action = request.form("Action").unwrap_or_default();
        let role_arn = request.form("RoleArn").unwrap_or_default();
        let role = role_arn.rsplit('/').next().unwrap_or_default().to_owned();
        let session = request.form("RoleSessionName").unwrap_or_default();
        if action == "AssumeRoleWithWebIdentity" {
            let token = request.form("WebIdentityToken").unwrap_or_default();
            if token.is_empty() || request.access_key().is_some() {
                let message = "Missing or signed web identity";
                return Service::Sts.error(400, "InvalidIdentityToken", message);
            }
            let keys = self.issue(format!("web-{role}-{}", subject(&token)));
            return sts_role(&action, &role_arn, &session, &keys);
        }
        let (_, signer) = match self.signer(Service::Sts, request) {
            Ok(signer) => signer,
            Err(refusal) => return refusal,
        };
        match action.as_str() {
            "AssumeRole" => {
                if let Some(serial) = request.form("SerialNumber") {
                    let code = request.form("TokenCode");
                    if code.is_none() || self.mfa_code != code || !serial.contains(":mfa/") {
                        let message = "MultiFactorAuthentication failed with invalid MFA one time pass code. ";
                        return Service::Sts.error(403, "AccessDenied", message);
                    }
                    self.mfa_code = None;
                }
                let keys = self.issue(format!("role-{role}-by-{signer}"));
                sts_role(&action, &role_arn, &session, &keys)
            }
            "GetCallerIdentity" => sts_caller(&signer),
            _ => Service::Sts.error(400, "InvalidAction", "Could not find operation"),
        }
    }

    fn sso(&mut self, request: &Request) -> Response {
        let bearer = request.header("x-amz-sso_bearer_token").unwrap_or_default();
        if bearer.is_empty() || self.revoked.contains(bearer) {
            return Service::Sso.error(401, "UnauthorizedException", "Session token not found or invalid");
        }
        let (account, role) = (request.query("account_id").unwrap_or("none"), request.query("role_name"));
        let keys = self.issue(format!("sso-{account}-{}", role.unwrap_or("none")));
        sso_role(&keys)
    }

    fn sso_oidc(&mut self, request: &Request) -> Response {
        let body: serde_json::Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let refresh = body["refreshToken"].as_str().unwrap_or_default();
        if body["grantType"] != "refresh_token" || refresh.is_empty() || self.revoked.contains(refresh) {
            return Service::SsoOidc.error(400, "InvalidGrantException", "Invalid refresh token provided");
        }
        // As the real one: a refresh token that was used is worth nothing.
        self.revoked.insert(refresh.to_owned());
        let serial = self.next();
        oidc_token(&format!("fake-access-{serial}"), &format!("fake-refresh-{serial}"), self.keys_life)
    }

    fn sign_in(&mut self, request: &Request) -> Response {
        let serial = self.next();
        match self.login_sessions.renew(request, serial) {
            Ok(refresh) => {
                let life = self.keys_life;
                let keys = self.issue("login".to_owned());
                renewed(&keys.id, &keys.secret, &keys.session_token, &refresh, life)
            }
            Err((status, code, message)) => Service::SignIn.error(status, code, message),
        }
    }

    fn registry(&self, request: &Request) -> Response {
        let basic = request.header("authorization").and_then(|value| value.strip_prefix("Basic "));
        let given = basic.and_then(|text| aws_smithy_types::base64::decode(text).ok());
        let given = given.and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default();
        if given.strip_prefix("AWS:").is_some_and(|password| self.passwords.contains(password)) {
            return Response::new(200, "application/json", "{}");
        }
        let body = r#"{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}"#;
        Response::new(401, "application/json", body).header("www-authenticate", "Basic realm=\"fake\"")
    }
}
