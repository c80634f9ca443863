//! The only room that starts tokio, TLS and the SDK: one authorization token, by the identity's own
//! source of credentials, within the deadline.
//!
//! | file | knows |
//! |---|---|
//! | `aws` | what every call shares: clients, deadline, retry_policy, the SDK's configuration |
//! | `token` | `GetAuthorizationToken` of both services, and what an answer must look like |
//! | `credentials` | a source of credentials to keys |
//! | `http`, `connect`, `proxy`, `tls`, `bundle`, `dns` | the way to a server |
//! | `progress`, `fault`, `explain` | what went wrong, for a person |
//! | `retry` | when to try again |
//! | `examine` | the same way one step at a time, for `doctor` |

mod client;
mod connect_error;
mod connector;
pub(crate) mod diagnostics;
pub mod dns;
mod ecr;
mod error;
mod http;
mod preconnect;
mod progress;
pub mod providers;
mod proxy;
pub mod retry;
pub(crate) mod sign_in;
mod tls;

use std::time::{Duration, Instant};

use ring::rand::{SecureRandom, SystemRandom};
use tokio::runtime::{Builder, Runtime};

use crate::aws::retry::RetryPolicy;
use crate::credentials::Identity;
use crate::os::deadline::Deadline;
use crate::os::environment::Environment;
use crate::os::secret::Secret;
use crate::registry::{Registry, Service};
use crate::text::user_error::{Kind, UserError};
use client::AwsContext;
use providers::mfa::MfaPrompt;
pub(crate) use providers::shared::SharedCredentials;
pub(crate) use providers::sign_in_is_due;

/// How long a question about ECR Public may take in all. It serves without credentials too: whoever waits for ours is
/// better served by an anonymous pull.
pub(crate) const PUBLIC_TIMEOUT: Duration = Duration::from_secs(3);

/// What ECR handed out.
#[derive(Clone, Debug)]
pub struct AuthorizationToken {
    /// The user name, `AWS`.
    pub(crate) username: String,
    /// The password.
    pub password: Secret,
    /// When it ends, in seconds since the Unix epoch.
    pub(crate) expires_at: Option<i64>,
    /// The registry of the caller's own account: the host of ECR's `proxyEndpoint`. ECR Public has none.
    pub(crate) own_registry: Option<String>,
    /// What went wrong on the way to it, for the user: lines for stderr.
    pub(crate) warnings: Vec<String>,
}

/// What all that waits runs on, if the system has what it and the libraries above it need.
fn runtime() -> Result<Runtime, UserError> {
    // The standard library's maps take random numbers too, and abort the process where there are none.
    SystemRandom::new().fill(&mut [0; 1]).map_err(|_| {
        let what = "the system has no random numbers: neither getrandom nor /dev/urandom works here";
        UserError::new(Kind::Other, what).hint("let the container's or sandbox's rules allow one of them")
    })?;
    Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build()
        .map_err(|e| UserError::new(Kind::Other, format!("cannot start the network runtime: {e}")))
}

/// Asks ECR for a token, with credentials that other fetches may have in common (`shared`).
///
/// # Errors
/// Whatever failed on the way, with what a person must do.
pub fn fetch(
    environment: &Environment,
    identity: &Identity,
    registry: &Registry,
    deadline: Deadline,
    retry_policy: RetryPolicy,
    shared: Option<&SharedCredentials>,
) -> Result<AuthorizationToken, UserError> {
    fetch_with_mfa(environment, identity, registry, deadline, retry_policy, shared, None)
}

/// Fetches a token from ECR; `mfa` asks for the MFA codes of roles with `mfa_serial`, which are an error without it.
///
/// # Errors
/// The first failure on the way, with a hint.
pub(crate) fn fetch_with_mfa(
    environment: &Environment,
    identity: &Identity,
    registry: &Registry,
    deadline: Deadline,
    retry_policy: RetryPolicy,
    shared: Option<&SharedCredentials>,
    mfa: Option<&MfaPrompt<'_>>,
) -> Result<AuthorizationToken, UserError> {
    let (deadline, retry_policy) = match registry.service() {
        Service::Private => (deadline, retry_policy),
        // A person needs time to type a code.
        Service::Public if mfa.is_some() => (deadline, retry_policy),
        Service::Public => (deadline.at_most(PUBLIC_TIMEOUT), RetryPolicy::Interactive),
    };
    let runtime = runtime()?;
    let mut aws = AwsContext::new(environment, identity, registry, deadline, retry_policy)?;
    aws.mfa = mfa;
    // While a person types a code, a connection made beforehand would be closed again.
    let aws = if mfa.is_none() { aws.with_preconnect() } else { aws };
    tracing::info!(registry = registry.host(), identity = %identity.label, "asking ECR for a token");
    let begun = Instant::now();
    let fetched = runtime.block_on(async {
        // Every step watches the deadline itself, and names what it waited for; this one is the last resort.
        let limit = deadline.left() + Duration::from_millis(100);
        let work = async {
            let credentials = match shared {
                Some(shared) => shared.of(&identity.source, &aws).await,
                None => providers::of(&identity.source, &aws).await,
            };
            let credentials =
                credentials.map_err(|failure| providers::nowhere_with_list(identity, environment, failure))?;
            ecr::get(&aws, credentials).await
        };
        match tokio::time::timeout(limit, work).await {
            Ok(fetched) => fetched,
            Err(_) => Err(error::late(deadline, aws.progress())),
        }
    });
    // A name lookup of the system's may still hang in a thread of the runtime: it is not waited for.
    runtime.shutdown_background();
    let milliseconds = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    match &fetched {
        Ok(_) => tracing::info!(registry = registry.host(), milliseconds, "ECR gave a token"),
        Err(failure) => tracing::warn!(registry = registry.host(), milliseconds, reason = %failure, "no token"),
    }
    let warnings = aws.warnings();
    match fetched {
        Ok(token) => Ok(AuthorizationToken { warnings, ..token }),
        Err(failure) => {
            let failure = warnings.iter().fold(failure, |failure, line| failure.also(line));
            Err(match failure.identity {
                Some(_) => failure,
                // Without credentials there is no identity to name.
                None if failure.kind == Kind::NoCredentials => failure,
                None => failure.identity(&identity.label),
            })
        }
    }
}
