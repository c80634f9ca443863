//! What every call to AWS needs: clients, deadline, retry_policy, the SDK's configuration and one way to ask.

use std::cell::{OnceCell, RefCell};
use std::future::Future;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_runtime::env_config::file::{EnvConfigFileKind, EnvConfigFiles};
use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_async::time::TimeSource;
use aws_smithy_runtime_api::client::http::{HttpConnector as _, SharedHttpClient};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_types::sdk_ua_metadata::FrameworkMetadata;

use super::error::{self, CallError, CallTarget, TakeApart};
use super::http::Clients;
use super::progress::Progress;
use super::providers::mfa::MfaPrompt;
use super::providers::shared::Sharing;
use super::retry;
use crate::aws::retry::RetryPolicy;
use crate::credentials::{EndpointConfig, Identity};
use crate::os::deadline::Deadline;
use crate::os::environment::Environment;
use crate::registry::Registry;
use crate::text::user_error::{Kind, UserError};

/// A hook of the SDK's own tests: it names a table of partitions, and the SDK panics on one that it cannot use.
const TABLE_OF_PARTITIONS: &str = "SMITHY_CLIENT_SDK_CUSTOM_PARTITION";

/// One fetch's view of AWS. Credential sources and the ECR call share it, so that connections and certificates
/// are used again.
#[derive(Debug)]
pub(crate) struct AwsContext<'a> {
    /// Variables, user, home.
    pub(super) environment: &'a Environment,
    /// Endpoints and certificates.
    pub(super) network: &'a EndpointConfig,
    /// For which registry; its region is that of STS too.
    pub(super) registry: &'a Registry,
    /// When everything must have answered.
    pub(super) deadline: Deadline,
    /// How throttling is met.
    pub(super) retry_policy: RetryPolicy,
    /// Asks for MFA codes; `None` where no person can be asked.
    pub(crate) mfa: Option<&'a MfaPrompt<'a>>,
    clients: Clients,
    progress: Progress,
    warnings: RefCell<Vec<String>>,
    clock: Steady,
    /// Whether ECR is to be asked with the credentials.
    preconnects: bool,
    /// The fetches that wait for the same credentials.
    sharing: OnceCell<Arc<Sharing>>,
}

/// The machine's clock as it was when the fetch began, and what has passed since: the SDK measures by how much a clock is
/// wrong, and that must be the same clock when it signs the next try, though somebody has set the machine's meanwhile.
#[derive(Clone, Copy, Debug)]
struct Steady {
    begun: SystemTime,
    since: Instant,
}

impl Steady {
    fn from_now() -> Self {
        Self { begun: SystemTime::now(), since: Instant::now() }
    }
}

impl TimeSource for Steady {
    fn now(&self) -> SystemTime {
        self.begun.checked_add(self.since.elapsed()).unwrap_or(self.begun)
    }
}

impl<'a> AwsContext<'a> {
    /// Opens nothing and reads nothing but the proxy variables.
    ///
    /// # Errors
    /// A proxy variable that cannot be understood, and the variable that nobody can mean.
    pub(super) fn new(
        environment: &'a Environment,
        identity: &'a Identity,
        registry: &'a Registry,
        deadline: Deadline,
        retry_policy: RetryPolicy,
    ) -> Result<Self, UserError> {
        if environment.var_os(TABLE_OF_PARTITIONS).is_some() {
            let what = format!("{TABLE_OF_PARTITIONS} is set, which is for tests of the AWS SDK alone");
            return Err(UserError::new(Kind::Settings, what).hint("unset it"));
        }
        crate::os::secret::wipe_what_is_freed();
        let progress = Progress::default();
        let clients = Clients::new(environment, &identity.network, &progress)?;
        let network = &identity.network;
        Ok(Self {
            environment,
            network,
            registry,
            deadline,
            retry_policy,
            mfa: None,
            clients,
            progress,
            warnings: RefCell::default(),
            clock: Steady::from_now(),
            preconnects: false,
            sharing: OnceCell::new(),
        })
    }

    /// The same for a call that asks ECR as soon as it has credentials.
    #[must_use]
    pub(super) fn with_preconnect(self) -> Self {
        Self { preconnects: true, ..self }
    }

    /// The HTTP client for AWS's services: proxies, certificates, 3 s to connect.
    pub(super) fn http(&self) -> SharedHttpClient {
        self.clients.aws.clone()
    }

    /// The HTTP client for instance metadata and container credentials: no proxy, 1 s to connect. The SDK's read
    /// timeout is honoured.
    pub(super) fn http_nearby(&self) -> SharedHttpClient {
        self.clients.nearby.clone()
    }

    /// Begins the connection to ECR's host, for a source of credentials that is about to ask for them and is sure to be there:
    /// not earlier, since no connection is made where there may be no credentials.
    pub(super) fn preconnect(&self) {
        if let Some(sharing) = self.sharing.get() {
            sharing.asking();
        }
        if self.preconnects {
            self.clients.preconnect(&super::ecr::endpoint(self));
        }
    }

    /// Others wait for the credentials that are asked for here.
    pub(super) fn share(&self, sharing: Arc<Sharing>) {
        // Once a context.
        let _ = self.sharing.set(sharing);
    }

    /// Makes a request that is no call of a service, once.
    ///
    /// # Errors
    /// There was no answer.
    pub(super) async fn request(
        &self,
        asked: &CallTarget<'_>,
        request: HttpRequest,
    ) -> Result<HttpResponse, CallError> {
        match tokio::time::timeout(self.deadline.left(), self.clients.plain.call(request)).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(error::connector(asked, &error)),
            Err(_) => Err(error::deadline(asked, self.deadline.limit(), self.deadline.set_by(), &self.progress)),
        }
    }

    /// The clock that requests are signed by.
    pub(super) fn clock(&self) -> impl TimeSource + 'static {
        self.clock
    }

    /// What a service's client is built from: `aws_sdk_sts::Client::new(&aws.sdk(region, endpoint, credentials).await)`.
    ///
    /// Without `endpoint` the SDK's own rules find the host, by `network`'s FIPS and dual-stack wishes. Without `credentials`
    /// the calls are not signed. Tries and timeouts are [`AwsContext::call`]'s.
    ///
    /// The loader reads neither variables nor files and asks nobody: whatever it would look for there is either given to it
    /// or was decided when the credential source was resolved.
    pub(super) async fn sdk(
        &self,
        region: &str,
        endpoint: Option<&str>,
        credentials: Option<Credentials>,
    ) -> SdkConfig {
        let no_profiles = EnvConfigFiles::builder().with_contents(EnvConfigFileKind::Config, "").build();
        let mut loader = aws_config::defaults(BehaviorVersion::latest())
            .empty_test_environment()
            .profile_files(no_profiles)
            .region(Region::new(region.to_owned()))
            .http_client(self.http())
            .sleep_impl(TokioSleep::new())
            .time_source(self.clock)
            .retry_config(RetryConfig::disabled())
            .timeout_config(TimeoutConfig::disabled())
            .identity_cache(aws_config::identity::IdentityCache::no_cache());
        if let Ok(us) = FrameworkMetadata::new(env!("CARGO_PKG_NAME"), Some(env!("CARGO_PKG_VERSION"))) {
            loader = loader.framework_metadata(us);
        }
        loader = match credentials {
            Some(credentials) => loader.credentials_provider(credentials),
            None => loader.no_credentials(),
        };
        loader = match endpoint {
            // FIPS and dual-stack together with an endpoint are an error of the SDK's resolver.
            Some(url) => loader.endpoint_url(url),
            None => loader.use_fips(self.network.use_fips).use_dual_stack(self.network.use_dual_stack),
        };
        loader.load().await
    }

    /// Makes a call, again where [`retry::pause`] says so, until the deadline.
    ///
    /// # Errors
    /// The last failure, taken apart, with a [`UserError`] that says it; the caller may put a better remedy in.
    pub(super) async fn call<T, E, Made>(
        &self,
        asked: &CallTarget<'_>,
        mut make: impl FnMut() -> Made,
    ) -> Result<T, CallError>
    where
        Made: Future<Output = Result<T, E>>,
        E: TakeApart,
    {
        let mut tries = 0;
        loop {
            let answer = tokio::time::timeout(self.deadline.left(), make()).await;
            tries += 1;
            let call_error = match answer {
                Ok(Ok(answer)) => {
                    tracing::debug!(host = asked.host, attempt = tries, "a call succeeded");
                    self.progress.clear();
                    return Ok(answer);
                }
                Ok(Err(error)) => error.take_apart(asked),
                Err(_) => {
                    return Err(error::deadline(asked, self.deadline.limit(), self.deadline.set_by(), &self.progress));
                }
            };
            tracing::debug!(host = asked.host, attempt = tries, reason = %call_error.failure, "a call failed");
            let left = self.deadline.left();
            match retry::pause(self.retry_policy, tries, call_error.outcome(), left, retry::chance()) {
                Some(pause) => tokio::time::sleep(pause).await,
                None => return Err(call_error),
            }
        }
    }

    /// Keeps a line for the user of something that does not keep the call from going on.
    pub(super) fn warn(&self, line: String) {
        self.warnings.borrow_mut().push(line);
    }

    /// What the user is to hear, whatever comes of the call.
    pub(super) fn warnings(&self) -> Vec<String> {
        self.warnings.borrow().clone()
    }

    /// What is being waited for; for whoever lets the deadline pass outside [`AwsContext::call`].
    pub(super) fn progress(&self) -> &Progress {
        &self.progress
    }
}
