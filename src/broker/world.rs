//! What the flow needs of the world, so that a test can play it: the clock, who we are, and ECR.

use std::time::Duration;

use super::policy::Millis;
use super::spread::spread;
use super::{Call, Question, refresh};
use crate::clock;
use crate::deadline::Deadline;
use crate::ecr::{self, Token};
use crate::failure::Failure;
use crate::identity::{Fingerprint, Identity, Wanted};

/// The world outside of one question.
pub trait World {
    /// Who would ask.
    type Who;

    /// The time.
    fn now(&self) -> Millis;

    /// Finds who would ask, as environment and files are at this moment.
    ///
    /// # Errors
    /// Nobody can be named.
    fn find(&self) -> Result<Self::Who, Failure>;

    /// Whose token it would be; `None` where it must not be kept.
    fn fingerprint(&self, who: &Self::Who) -> Option<Fingerprint>;

    /// Who it is, in words.
    fn label(&self, who: &Self::Who) -> String;

    /// What a call for them has beyond its deadline: a key that wants a touch gives its owner a minute.
    fn grace(&self, who: &Self::Who) -> Duration;

    /// Asks ECR.
    ///
    /// # Errors
    /// Whatever failed on the way.
    fn fetch(&self, who: &Self::Who, deadline: Deadline) -> Result<Token, Failure>;

    /// Starts a process of its own that refreshes the token; false if that cannot be.
    fn start_refresh(&self) -> bool;

    /// A number that differs between machines, boots and entries.
    fn spread(&self, fingerprint: &Fingerprint) -> u32;
}

/// The real one.
pub struct Live<'a> {
    /// The call.
    pub call: &'a Call,
    /// The question.
    pub question: &'a Question<'a>,
}

impl World for Live<'_> {
    type Who = Identity;

    fn now(&self) -> Millis {
        clock::millis()
    }

    fn find(&self) -> Result<Identity, Failure> {
        let target = self.question.target;
        let wanted = self.question.service_account.map_or(Wanted::Speaker(&target.speaker), Wanted::ServiceAccount);
        Ok(Identity::find(&self.call.environment, wanted, &target.registry)?)
    }

    fn fingerprint(&self, who: &Identity) -> Option<Fingerprint> {
        who.fingerprint(self.now().div_euclid(1_000)).copied()
    }

    fn label(&self, who: &Identity) -> String {
        who.label.clone()
    }

    fn grace(&self, who: &Identity) -> Duration {
        ecr::credentials::grace(&who.source)
    }

    fn fetch(&self, who: &Identity, deadline: Deadline) -> Result<Token, Failure> {
        ecr::fetch(&self.call.environment, who, &self.question.target.registry, deadline, self.question.patience)
    }

    fn start_refresh(&self) -> bool {
        refresh::start(self.question.target.registry.host())
    }

    fn spread(&self, fingerprint: &Fingerprint) -> u32 {
        spread(&[&fingerprint.0, self.question.target.registry.host().as_bytes()])
    }
}
