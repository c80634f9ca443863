//! Whose token it is, as a SHA-256: service, region, endpoint and source of credentials, in an encoding in which
//! no two different answers are the same bytes. Every text goes in with its length before it, every choice with
//! a tag, so that no value can pass for another.

use std::net::IpAddr;
use std::path::Path;

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::aws_env::AwsEnv;
use super::{CacheKey, CredentialSource, EndpointConfig, endpoint_config, jwt};
use crate::os::boot_id;
use crate::os::secret::Secret;
use crate::registry::{Registry, Service};

/// What comes first in every encoding; another number for every change of it.
const VERSION: &str = "ecr-login identity 2";

/// Where we are, for sources whose credentials depend on that. `None`: cannot be told.
#[derive(Debug, Default)]
pub(super) struct HostContext {
    /// The kernel's id of this boot, which no other machine and no image of this one has.
    pub boot: Option<String>,
    /// The network namespace, since 169.254.169.254 and 127.0.0.1 may be others in another.
    pub network: Option<String>,
    /// The variables by which AWS's own tools are told who they are, for a command that may be one of them; in order.
    pub told: Vec<(Vec<u8>, Vec<u8>)>,
}

impl HostContext {
    /// This process's, as far as `source` depends on it.
    pub(super) fn of(source: &CredentialSource, variables: &AwsEnv<'_>) -> Self {
        match source {
            CredentialSource::AssumeRole { base, .. } => Self::of(base, variables),
            CredentialSource::CredentialProcess { .. } => Self { told: variables.telling_who(), ..Self::default() },
            CredentialSource::RequestedWebIdentity { request, .. } if !request.depends_on_host() => Self::default(),
            CredentialSource::Container { .. }
            | CredentialSource::Imds { .. }
            | CredentialSource::RequestedWebIdentity { .. } => Self {
                boot: boot_id::id(),
                network: std::fs::read_link("/proc/self/ns/net")
                    .ok()
                    .and_then(|link| link.into_os_string().into_string().ok())
                    .filter(|link| link.starts_with("net:[")),
                told: Vec::new(),
            },
            _ => Self::default(),
        }
    }
}

/// The cache key, if this answer can be told from every other, and when the web identity token that the source
/// rests on ends (seconds since the Unix epoch).
pub(super) fn of(
    registry: &Registry,
    network: &EndpointConfig,
    source: &CredentialSource,
    host_context: &HostContext,
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
    host_context: &'a HostContext,
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

    fn path(&mut self, path: Option<&Path>) {
        match path {
            None => self.tag(0),
            Some(path) => {
                self.tag(1);
                self.bytes(path.as_os_str().as_encoded_bytes());
            }
        }
    }

    /// Something that must be known.
    fn known(&mut self, text: Option<&str>) {
        self.unclear |= text.is_none();
        self.option(text);
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
                let told = &self.host_context.told;
                self.hash.update((told.len() as u64).to_le_bytes());
                for (name, value) in told {
                    self.bytes(name);
                    self.bytes(value);
                }
            }
            CredentialSource::Sso { profile: _, session, start_url, region, account, role, scopes: _, token_file } => {
                self.tag(3);
                self.option(session.as_deref());
                for text in [start_url, region, account, role] {
                    self.text(text);
                }
                // Another home directory may hold another person's login.
                self.path(token_file.as_deref());
            }
            CredentialSource::LoginSession { profile: _, session, region: _, session_file } => {
                self.tag(4);
                self.text(session);
                self.path(session_file.as_deref());
            }
            CredentialSource::WebIdentity { role_arn, session_name, token_file: _, token } => {
                self.tag(5);
                self.text(role_arn);
                self.option(session_name.as_deref());
                self.web_identity_token(token.expose());
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
                    self.web_identity_token(token.expose());
                }
                if request.depends_on_host() {
                    self.known(self.host_context.boot.as_deref());
                    self.known(self.host_context.network.as_deref());
                }
            }
            CredentialSource::Container { uri, authorization } => {
                self.tag(6);
                self.text(uri);
                match authorization {
                    None => self.tag(0),
                    Some(authorization) => {
                        self.tag(1);
                        self.web_identity_token(authorization.expose());
                    }
                }
                self.known(self.host_context.boot.as_deref());
                if is_this_networks(uri) {
                    self.known(self.host_context.network.as_deref());
                }
            }
            CredentialSource::Imds { endpoint } => {
                self.tag(7);
                self.text(endpoint);
                self.known(self.host_context.boot.as_deref());
                self.known(self.host_context.network.as_deref());
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

    /// The claims that AWS decides by; of what is not a JWT, everything.
    fn web_identity_token(&mut self, token: &str) {
        let Some(claims) = jwt::claims(token) else {
            self.tag(0);
            self.text(token);
            return;
        };
        self.tag(1);
        self.text(&claims.issuer);
        self.text(&claims.subject);
        self.hash.update((claims.audience.len() as u64).to_le_bytes());
        for audience in &claims.audience {
            self.text(audience);
        }
        self.option(claims.service_account_uid.as_deref());
        self.hash.update((claims.others.len() as u64).to_le_bytes());
        for (name, value) in &claims.others {
            self.text(name);
            self.value(value);
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
            Value::Object(members) => {
                self.tag(6);
                self.hash.update((members.len() as u64).to_le_bytes());
                let mut members: Vec<_> = members.iter().collect();
                members.sort_unstable_by_key(|(name, _)| *name);
                for (name, value) in members {
                    self.text(name);
                    self.value(value);
                }
            }
        }
    }
}

/// Whether a container's URI leads to somebody else in another network namespace: loopback, and the link-local addresses
/// of the agents.
fn is_this_networks(uri: &str) -> bool {
    endpoint_config::host(uri).is_none_or(|(_, host)| {
        host.eq_ignore_ascii_case("localhost")
            || match host.trim_start_matches('[').trim_end_matches(']').parse() {
                Ok(IpAddr::V4(address)) => address.is_loopback() || address.is_link_local(),
                Ok(IpAddr::V6(address)) => address.is_loopback() || address.is_unicast_link_local(),
                Err(_) => false,
            }
    })
}

#[cfg(test)]
mod tests;
