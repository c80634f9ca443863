//! The policy: which token answers, when it is refreshed, who asks ECR and who waits.

mod flow;
mod listed;
pub mod policy;
mod refresh;
mod spread;
mod world;

use crate::cache::Cache;
use crate::deadline::Deadline;
use crate::ecr::PUBLIC_LIMIT;
use crate::environment::Environment;
use crate::failure::Failure;
use crate::identity::ServiceAccount;
use crate::registry::Service;
use crate::secret::Secret;
use crate::settings::{Settings, Target};

use self::flow::Flow;
pub use self::listed::{keeps, listed};
pub use self::refresh::ACTION as REFRESH_ACTION;
pub use self::refresh::run as run_refresh;
pub use self::spread::spread;
use self::world::Live;

/// What a whole call works with; made once, at the edge.
#[derive(Debug)]
pub struct Call {
    /// Variables, user, home.
    pub environment: Environment,
    /// Our own settings.
    pub settings: Settings,
    /// When the call must have answered.
    pub deadline: Deadline,
}

/// Which answer will do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// The cache's, where it is good.
    Cached,
    /// The cache's in the first half of its life, else a new one, whatever that takes (`warm`).
    Warm,
    /// A new one from ECR, which then replaces the cache's (`ECR_LOGIN_REFRESH=1`).
    Fresh,
    /// This process is the detached one that refreshes ahead of time.
    Refresh,
}

impl Wish {
    /// What whoever waits for an answer wants: the cache's, unless the environment says otherwise.
    pub fn of(environment: &Environment) -> Self {
        if environment.switch("ECR_LOGIN_REFRESH") == Some(true) { Self::Fresh } else { Self::Cached }
    }
}

/// How a throttled call is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// A person or a client waits: the SDK's three tries within the deadline.
    Client,
    /// A node boots: every 1 to 3 s, jittered, until the deadline.
    Node,
}

/// One question to the broker.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// The registry, and who speaks for it by the settings.
    pub target: &'a Target,
    /// A pod's service account, which then speaks instead.
    pub service_account: Option<&'a ServiceAccount>,
    /// Which answer will do.
    pub wish: Wish,
    /// How throttling is met.
    pub patience: Patience,
}

/// A token that may be handed over.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The user name, `AWS`.
    pub username: String,
    /// The password.
    pub password: Secret,
    /// When it ends, in seconds since the Unix epoch; `None` where ECR did not say.
    pub expires_at: Option<i64>,
    /// Lines for stderr: a cache not trusted, a token served in its last stretch, a login that could not be kept.
    pub warnings: Vec<String>,
}

/// Answers one question.
///
/// # Errors
/// The one failure that the user is told of.
pub fn token(call: &Call, question: &Question<'_>) -> Result<Answer, Failure> {
    let cache = if question.target.speaker.cache { Cache::open(&call.environment) } else { None };
    let public = question.target.registry.service() == Service::Public;
    // The refresh of a service account's token happens here: nobody else holds what it rests on.
    // Nor is what `warm` wants left to a process that outlives it: a unit of systemd that ends takes it along.
    let background = question.service_account.is_none()
        && question.wish != Wish::Warm
        && call.environment.switch("ECR_LOGIN_BACKGROUND") != Some(false);
    let deadline = if public { call.deadline.at_most(PUBLIC_LIMIT) } else { call.deadline };
    let flow = Flow {
        world: Live { call, question },
        cache: cache.as_ref(),
        host: question.target.registry.host(),
        deadline,
        background,
        foreground: policy::foreground(deadline.limit()),
    };
    let mut answer = flow.answer(question.wish)?;
    let mut warnings = cache.as_ref().map(Cache::warnings).unwrap_or_default();
    warnings.append(&mut answer.warnings);
    Ok(Answer { warnings, ..answer })
}
