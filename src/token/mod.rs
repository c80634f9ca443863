//! Tokens: which token is served, when it is refreshed, which process asks ECR and which ones wait.

mod backend;
mod background_refresh;
pub mod freshness;
mod jitter;
mod listed_registries;
mod manager;

use crate::aws::providers::mfa::MfaPrompt;
use crate::aws::retry::RetryPolicy;
use crate::aws::{PUBLIC_TIMEOUT, SharedCredentials};
use crate::cache::Cache;
use crate::credentials::ServiceAccount;
use crate::os::deadline::Deadline;
use crate::os::environment::Environment;
use crate::os::secret::Secret;
use crate::registry::Service;
use crate::settings::{ResolvedRegistry, Settings};
use crate::text::user_error::UserError;

use self::backend::AwsBackend;
pub use self::background_refresh::ACTION as REFRESH_ACTION;
pub use self::background_refresh::run as run_refresh;
pub(crate) use self::jitter::jitter;
pub(crate) use self::listed_registries::{kept, listed_registries};
use self::manager::TokenManager;

/// What a whole call works with; made once, at the edge.
#[derive(Debug)]
pub(crate) struct RequestContext {
    /// Variables, user, home.
    pub(crate) environment: Environment,
    /// Our own settings.
    pub(crate) settings: Settings,
    /// When the call must have answered.
    pub(crate) deadline: Deadline,
    /// What several requests of the call have in common, if there are several.
    pub(crate) shared_credentials: Option<SharedCredentials>,
}

/// Which answer will do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FetchMode {
    /// The cached one, where it is valid.
    UseCache,
    /// The cache's in the first half of its life, else a new one, whatever that takes (`warm`).
    Prefetch,
    /// A new one from ECR, which then replaces the cache's (`ECR_LOGIN_REFRESH=1`).
    ForceRefresh,
    /// This process is the detached one that refreshes ahead of time.
    BackgroundRefresh,
}

impl FetchMode {
    /// The mode of a call that waits for its answer: from the cache, unless the environment says otherwise.
    pub(crate) fn of(environment: &Environment) -> Self {
        if environment.switch("ECR_LOGIN_REFRESH") == Some(true) { Self::ForceRefresh } else { Self::UseCache }
    }
}

/// One request to the broker.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TokenRequest<'a> {
    /// The registry, and the credentials that the settings choose for it.
    pub(crate) target: &'a ResolvedRegistry,
    /// A pod's service account, which is then used instead.
    pub(crate) service_account: Option<&'a ServiceAccount>,
    /// Which answer will do.
    pub(crate) mode: FetchMode,
    /// How throttling is met.
    pub(crate) retry: RetryPolicy,
}

/// A token that may be handed over.
#[derive(Clone, Debug)]
pub(crate) struct RegistryCredentials {
    /// The user name, `AWS`.
    pub(crate) username: String,
    /// The password.
    pub(crate) password: Secret,
    /// When it ends, in seconds since the Unix epoch; `None` where ECR did not say.
    pub(crate) expires_at: Option<i64>,
    /// Lines for stderr: a cache not trusted, a token served in its last quarter, a login that could not be kept.
    pub(crate) warnings: Vec<String>,
}

/// Answers one request.
///
/// # Errors
/// The one failure that is reported to the user.
pub(crate) fn token(call: &RequestContext, request: &TokenRequest<'_>) -> Result<RegistryCredentials, UserError> {
    token_with_mfa(call, request, None)
}

/// The same as [`token`], where a person can be asked for MFA codes.
///
/// # Errors
/// The one failure that is reported to the user.
pub(crate) fn token_with_mfa(
    call: &RequestContext,
    request: &TokenRequest<'_>,
    mfa: Option<&MfaPrompt<'_>>,
) -> Result<RegistryCredentials, UserError> {
    let cache = if request.target.credentials.cache { Cache::open(&call.environment) } else { None };
    let public = request.target.registry.service() == Service::Public;
    // The refresh of a service account's token happens here: no other process holds what it rests on.
    // Nor is what `warm` wants left to a process that outlives it: a unit of systemd that ends takes it along.
    let background = request.service_account.is_none()
        && request.mode != FetchMode::Prefetch
        && call.environment.switch("ECR_LOGIN_BACKGROUND") != Some(false);
    let deadline = if public && mfa.is_none() { call.deadline.at_most(PUBLIC_TIMEOUT) } else { call.deadline };
    let manager = TokenManager {
        backend: AwsBackend { call, request, mfa },
        cache: cache.as_ref(),
        host: request.target.registry.host(),
        deadline,
        background,
        foreground_timeout: freshness::foreground_refresh_timeout(deadline.limit()),
    };
    let mut answer = manager.get(request.mode)?;
    let mut warnings = cache.as_ref().map(Cache::warnings).unwrap_or_default();
    warnings.append(&mut answer.warnings);
    Ok(RegistryCredentials { warnings, ..answer })
}
