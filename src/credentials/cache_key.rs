//! Whose token it is, as a SHA-256: service, region, endpoint and source of credentials, in an encoding in which
//! no two different answers are the same bytes. Every text goes in with its length before it, every choice with
//! a tag, so that no value can pass for another.

use std::path::Path;

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::host_context::HostContext;
use super::jwt::{self, Pods};
use super::process_context::{FileIdentity, ProcessContext};
use super::{CacheKey, CredentialSource, EndpointConfig};
use crate::os::secret::Secret;
use crate::registry::{Registry, Service};

/// What comes first in every encoding; another number for every change of it.
const VERSION: &str = "ecr-login cache key 3";

/// The cache key, if this answer can be distinguished from every other, and when the web identity token that the source
/// rests on ends (seconds since the Unix epoch).
pub(super) fn of(
    registry: &Registry,
    network: &EndpointConfig,
    source: &CredentialSource,
    host_context: &HostContext<'_>,
) -> (Option<CacheKey>, Option<i64>) {
    let mut encoder = Encoder { hash: Sha256::new(), host_context, unclear: false, ends_at: None };
    encoder.text(VERSION);
    encoder.tag(match registry.service() {
        Service::Private => 1,
        Service::Public => 2,
    });
    encoder.text(registry.region());
    match &network.ecr_endpoint {
        Some(url) => {
            encoder.tag(1);
            encoder.text(url);
        }
        None => {
            encoder.tag(2);
            encoder.text(&registry.api_host(network.use_fips, network.use_dual_stack));
        }
    }
    encoder.source(source);
    encoder.option(network.sts_endpoint.as_deref().filter(|_| uses_sts(source)));
    let with_sso = matches!(base(source), CredentialSource::Sso { .. });
    encoder.option(network.sso_endpoint.as_deref().filter(|_| with_sso));
    encoder.option(network.sso_oidc_endpoint.as_deref().filter(|_| with_sso));
    let with_login = matches!(base(source), CredentialSource::LoginSession { .. });
    encoder.option(network.sign_in_endpoint.as_deref().filter(|_| with_login));
    if encoder.unclear {
        return (None, encoder.ends_at);
    }
    (Some(CacheKey(encoder.hash.finalize().into())), encoder.ends_at)
}

fn uses_sts(source: &CredentialSource) -> bool {
    matches!(
        source,
        CredentialSource::AssumeRole { .. }
            | CredentialSource::WebIdentity { .. }
            | CredentialSource::RequestedWebIdentity { .. }
    )
}

/// What the chain of roles rests on.
fn base(source: &CredentialSource) -> &CredentialSource {
    match source {
        CredentialSource::AssumeRole { base: below, .. } => base(below),
        source => source,
    }
}

struct Encoder<'a> {
    /// By this crate and not by ring, which the way to ECR has: the release build makes it ask the processor nothing
    /// (`scripts/build-release.sh`).
    hash: Sha256,
    host_context: &'a HostContext<'a>,
    /// Something that tells two answers apart is not known.
    unclear: bool,
    ends_at: Option<i64>,
}

impl Encoder<'_> {
    fn tag(&mut self, tag: u8) {
        self.hash.update([tag]);
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.hash.update((bytes.len() as u64).to_le_bytes());
        self.hash.update(bytes);
    }

    fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    fn option(&mut self, text: Option<&str>) {
        match text {
            None => self.tag(0),
            Some(text) => {
                self.tag(1);
                self.text(text);
            }
        }
    }

    fn number(&mut self, number: impl Into<i128>) {
        self.hash.update(number.into().to_le_bytes());
    }

    fn path(&mut self, path: Option<&Path>) {
        match path {
            None => self.tag(0),
            Some(path) => {
                self.tag(1);
                self.bytes(path.as_os_str().as_encoded_bytes());
            }
        }
    }

    /// The file of a login: another home directory may hold another person's. One that is another in each working
    /// directory makes no difference.
    fn login_file(&mut self, path: Option<&Path>) {
        self.unclear |= path.is_some_and(|path| !path.is_absolute());
        self.path(path);
    }

    /// The boot and the network namespace, as far as they are known.
    fn host(&mut self) {
        self.option(self.host_context.boot.as_deref());
        match self.host_context.network {
            None => self.tag(0),
            Some(cookie) => {
                self.tag(1);
                self.number(cookie);
            }
        }
    }

    /// The boot and the network namespace, which must be known.
    fn known_host(&mut self) {
        self.unclear |= self.host_context.boot.is_none() || self.host_context.network.is_none();
        self.host();
    }

    fn source(&mut self, source: &CredentialSource) {
        match source {
            CredentialSource::StaticKeys { id, secret, session_token } => {
                self.tag(1);
                self.text(id.expose());
                self.text(secret.expose());
                self.option(session_token.as_ref().map(Secret::expose));
            }
            CredentialSource::CredentialProcess { profile: _, command } => {
                self.tag(2);
                self.text(command.expose());
                match &self.host_context.process {
                    None => self.unclear = true,
                    Some(process) => self.process(process),
                }
            }
            CredentialSource::Sso { profile: _, session, start_url, region, account, role, scopes: _, token_file } => {
                self.tag(3);
                self.option(session.as_deref());
                for text in [start_url, region, account, role] {
                    self.text(text);
                }
                self.login_file(token_file.as_deref());
            }
            CredentialSource::LoginSession { profile: _, session, region: _, session_file } => {
                self.tag(4);
                self.text(session);
                self.login_file(session_file.as_deref());
            }
            CredentialSource::WebIdentity { role_arn, session_name, token_file: _, token } => {
                self.tag(5);
                self.text(role_arn);
                self.option(session_name.as_deref());
                self.web_identity_token(token.expose(), Pods::Alike);
            }
            CredentialSource::RequestedWebIdentity { role_arn, session_name, audience, request } => {
                self.tag(10);
                self.text(role_arn);
                self.option(session_name.as_deref());
                self.text(audience);
                for part in request.parts() {
                    self.option(part);
                }
                if let Some(token) = request.token() {
                    self.web_identity_token(token.expose(), Pods::Alike);
                }
                if request.depends_on_host() {
                    self.known_host();
                }
            }
            CredentialSource::Container { uri, authorization } => {
                self.tag(6);
                self.text(uri);
                match authorization {
                    None => self.tag(0),
                    Some(authorization) => {
                        self.tag(1);
                        self.web_identity_token(authorization.expose(), Pods::ToldApart);
                    }
                }
                self.known_host();
            }
            CredentialSource::Imds { endpoint } => {
                self.tag(7);
                self.text(endpoint);
                self.known_host();
            }
            CredentialSource::AssumeRole {
                base,
                role_arn,
                session_name,
                external_id,
                duration_seconds: _,
                mfa_serial,
            } => {
                // A session that began with a code may do what others may not.
                match mfa_serial {
                    None => self.tag(8),
                    Some(serial) => {
                        self.tag(9);
                        self.text(serial);
                    }
                }
                self.text(role_arn);
                self.option(session_name.as_deref());
                self.option(external_id.as_deref());
                self.source(base);
            }
        }
    }

    fn process(&mut self, process: &ProcessContext<'_>) {
        self.unclear |= process.unclear;
        self.number(process.variables.len() as u64);
        for (name, value) in &process.variables {
            self.bytes(name);
            self.bytes(value);
        }
        for text in process.shared_files {
            self.text(text);
        }
        if let Some((path, program)) = &process.program {
            self.bytes(path.as_os_str().as_encoded_bytes());
            self.file(Some(program));
        }
        self.number(process.files.len() as u64);
        for file in &process.files {
            self.file(file.as_ref());
        }
        self.path(process.working_directory.as_deref());
        self.host();
    }

    fn file(&mut self, file: Option<&FileIdentity>) {
        match file {
            None => self.tag(0),
            Some(file) => {
                self.tag(1);
                for number in file.0 {
                    self.number(number);
                }
            }
        }
    }

    /// The claims that AWS may decide by; of what is not a JWT, everything.
    fn web_identity_token(&mut self, token: &str, pods: Pods) {
        let Some(claims) = jwt::claims(token) else {
            self.tag(0);
            self.text(token);
            return;
        };
        self.tag(1);
        self.text(&claims.issuer);
        self.text(&claims.subject);
        self.number(claims.audience.len() as u64);
        for audience in &claims.audience {
            self.text(audience);
        }
        self.number(claims.others.len() as u64);
        for (name, value) in &claims.others {
            self.text(name);
            match value {
                Value::Object(members) if name == jwt::KUBERNETES && claims.is_of_kubernetes() => {
                    self.members(members.iter().filter(|(name, _)| jwt::counts(name, pods)));
                }
                value => self.value(value),
            }
        }
        self.ends_at = match (self.ends_at, claims.ends_at) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
    }

    /// A JSON value, the members of objects by name.
    fn value(&mut self, value: &Value) {
        match value {
            Value::Null => self.tag(0),
            Value::Bool(value) => self.tag(1 + u8::from(*value)),
            Value::Number(number) => {
                self.tag(3);
                self.text(&number.to_string());
            }
            Value::String(text) => {
                self.tag(4);
                self.text(text);
            }
            Value::Array(values) => {
                self.tag(5);
                self.hash.update((values.len() as u64).to_le_bytes());
                for value in values {
                    self.value(value);
                }
            }
            Value::Object(members) => self.members(members.iter()),
        }
    }

    fn members<'v>(&mut self, members: impl Iterator<Item = (&'v String, &'v Value)>) {
        let mut members: Vec<_> = members.collect();
        members.sort_unstable_by_key(|(name, _)| *name);
        self.tag(6);
        self.number(members.len() as u64);
        for (name, value) in members {
            self.text(name);
            self.value(value);
        }
    }
}

#[cfg(test)]
mod tests;
