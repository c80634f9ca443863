//! What the manager needs of the backend, so that a test can play it: the clock, who we are, and ECR.

use std::time::Duration;

use super::jitter::jitter;
use super::{RequestContext, TokenRequest, background_refresh};
use crate::aws::{self, AuthorizationToken};
use crate::cache::Millis;
use crate::credentials::{CacheKey, CredentialSelector, Identity};
use crate::os::clock;
use crate::os::deadline::Deadline;
use crate::text::user_error::UserError;

/// The backend outside of one question.
pub trait TokenBackend {
    /// Who would ask.
    type Who;

    /// The time.
    fn now(&self) -> Millis;

    /// Finds who would ask, as environment and files are at this moment.
    ///
    /// # Errors
    /// Nobody can be named.
    fn find(&self) -> Result<Self::Who, UserError>;

    /// Whose token it would be; `None` where it must not be kept.
    fn cache_key(&self, who: &Self::Who) -> Option<CacheKey>;

    /// Who it is, in words.
    fn label(&self, who: &Self::Who) -> String;

    /// What a call for them has beyond its deadline: a key that wants a touch gives its owner a minute.
    fn grace(&self, who: &Self::Who) -> Duration;

    /// Asks ECR.
    ///
    /// # Errors
    /// Whatever failed on the way.
    fn fetch(&self, who: &Self::Who, deadline: Deadline) -> Result<AuthorizationToken, UserError>;

    /// Starts a process of its own that refreshes the token; false if that cannot be.
    fn start_refresh(&self) -> bool;

    /// A number that differs between machines, boots and entries.
    fn jitter(&self, cache_key: &CacheKey) -> u32;
}

/// The real one.
pub struct AwsBackend<'a> {
    /// The call.
    pub call: &'a RequestContext,
    /// The question.
    pub question: &'a TokenRequest<'a>,
}

impl TokenBackend for AwsBackend<'_> {
    type Who = Identity;

    fn now(&self) -> Millis {
        clock::millis()
    }

    fn find(&self) -> Result<Identity, UserError> {
        let target = self.question.target;
        let wanted = self
            .question
            .service_account
            .map_or(CredentialSelector::Settings(&target.credentials), CredentialSelector::ServiceAccount);
        Ok(Identity::find(&self.call.environment, wanted, &target.registry)?)
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

    fn fetch(&self, who: &Identity, deadline: Deadline) -> Result<AuthorizationToken, UserError> {
        aws::fetch(&self.call.environment, who, &self.question.target.registry, deadline, self.question.patience)
    }

    fn start_refresh(&self) -> bool {
        background_refresh::start(self.question.target.registry.host())
    }

    fn jitter(&self, cache_key: &CacheKey) -> u32 {
        jitter(&[&cache_key.0, self.question.target.registry.host().as_bytes()])
    }
}
