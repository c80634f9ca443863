//! What the manager needs of the outside, so that a test can replace it: the clock, the identity, and ECR.

use std::time::Duration;

use super::jitter::jitter;
use super::{RequestContext, TokenRequest, background_refresh};
use crate::aws::providers::mfa::MfaPrompt;
use crate::aws::{self, AuthorizationToken};
use crate::cache::Millis;
use crate::credentials::{CacheKey, CredentialSelector, Identity};
use crate::os::clock;
use crate::os::deadline::Deadline;
use crate::text::user_error::UserError;

/// What the manager needs of the outside.
pub(super) trait TokenBackend {
    /// The identity that would ask.
    type Identity;

    /// The time.
    fn now(&self) -> Millis;

    /// Resolves the identity from the environment and files as they are at this moment.
    ///
    /// # Errors
    /// No credential source is usable.
    fn resolve(&self) -> Result<Self::Identity, UserError>;

    /// The cache key of its token; `None` where the token must not be cached.
    fn cache_key(&self, who: &Self::Identity) -> Option<CacheKey>;

    /// The identity in words.
    fn label(&self, who: &Self::Identity) -> String;

    /// The time that a call has beyond its deadline: a security key that has to be touched gives its owner a minute.
    fn grace(&self, who: &Self::Identity) -> Duration;

    /// Whether a fetch needs a person, as for a role with `mfa_serial`; such a token is not refreshed ahead of time.
    fn needs_person(&self, who: &Self::Identity) -> bool;

    /// Fetches a token from ECR.
    ///
    /// # Errors
    /// The first failure on the way.
    fn fetch(&self, who: &Self::Identity, deadline: Deadline) -> Result<AuthorizationToken, UserError>;

    /// Starts a background process that refreshes the token; false if it could not be started.
    fn start_refresh(&self) -> bool;

    /// A number that differs between machines, boots and entries.
    fn jitter(&self, cache_key: &CacheKey) -> u32;
}

/// The backend of the program: the system clock, the resolved identity and ECR.
pub(super) struct AwsBackend<'a> {
    /// The call.
    pub(super) call: &'a RequestContext,
    /// The request.
    pub(super) request: &'a TokenRequest<'a>,
    /// Asks for MFA codes; `None` where no person can be asked.
    pub(crate) mfa: Option<&'a MfaPrompt<'a>>,
}

impl TokenBackend for AwsBackend<'_> {
    type Identity = Identity;

    fn now(&self) -> Millis {
        clock::millis()
    }

    fn resolve(&self) -> Result<Identity, UserError> {
        let target = self.request.target;
        let wanted = self
            .request
            .service_account
            .map_or(CredentialSelector::Settings(&target.credentials), CredentialSelector::ServiceAccount);
        Ok(Identity::resolve(&self.call.environment, wanted, &target.registry)?)
    }

    fn cache_key(&self, who: &Identity) -> Option<CacheKey> {
        who.cache_key(self.now().div_euclid(1_000)).copied()
    }

    fn label(&self, who: &Identity) -> String {
        who.label.clone()
    }

    fn grace(&self, who: &Identity) -> Duration {
        aws::providers::grace(&who.source)
    }

    fn needs_person(&self, who: &Identity) -> bool {
        who.source.needs_mfa()
    }

    fn fetch(&self, who: &Identity, deadline: Deadline) -> Result<AuthorizationToken, UserError> {
        aws::fetch_with_mfa(
            &self.call.environment,
            who,
            &self.request.target.registry,
            deadline,
            self.request.retry,
            self.call.shared_credentials.as_ref(),
            self.mfa,
        )
    }

    fn start_refresh(&self) -> bool {
        background_refresh::start(self.request.target.registry.host())
    }

    fn jitter(&self, cache_key: &CacheKey) -> u32 {
        jitter(&[&cache_key.0, self.request.target.registry.host().as_bytes()])
    }
}
