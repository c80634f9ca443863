//! Signing in to IAM Identity Center: OAuth 2.0 with the grants of its OIDC service, which end in a login that the AWS CLI
//! and the SDKs use as well as we do (<https://docs.aws.amazon.com/singlesignon/latest/OIDCAPIReference/Welcome.html>).
//!
//! | file | what |
//! |---|---|
//! | `registration` | RegisterClient; the registration is kept where the AWS CLI keeps it, and used again |
//! | `authorization_code` | a browser on this machine: authorization code with PKCE, redirect to loopback |
//! | `redirect_listener` | the one HTTP request that the browser brings the code with |
//! | `device_code` | a browser anywhere: a code to type in |
//! | `python_json` | JSON byte for byte as Python writes it, of which the AWS CLI makes a file's name |
//!
//! Nothing is written before the service has granted the login, and then by one rename: whoever is interrupted has the
//! login of before.

mod authorization_code;
mod device_code;
mod python_json;
mod redirect_listener;
mod registration;

use std::path::Path;
use std::time::{Duration, SystemTime};

use super::client::AwsContext;
use super::error::{CallError, CallTarget};
use super::providers::host;
use super::providers::sso_token_file::Lock;
use super::retry::RetryPolicy;
use crate::credentials::Identity;
use crate::os::deadline::Deadline;
use crate::os::environment::Environment;
use crate::os::fs::user_file::{self, UserFile};
use crate::registry::Registry;
use crate::text::timestamp;
use crate::text::user_error::{Kind, UserError};
use registration::Registration;

/// How long one call of the OIDC service may take; all the rest of the time is the person's.
const CALL_TIMEOUT: Duration = Duration::from_secs(20);

/// How long a refresh of the login of before may hold up the new one.
const LOCK_TIMEOUT: Duration = Duration::from_secs(5);

/// How often a file that another process replaces at the same moment is replaced anew.
const REPLACE_TRIES: u32 = 20;

/// What a person signs in to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SsoSession<'a> {
    /// Name of the `sso-session` section; `None` for the legacy form.
    pub(crate) name: Option<&'a str>,
    /// `sso_start_url`.
    pub(crate) start_url: &'a str,
    /// `sso_region`.
    pub(crate) region: &'a str,
    /// `sso_registration_scopes` as it stands in the file; `None` without the key.
    pub(crate) scopes: Option<&'a str>,
    /// Where the AWS CLI keeps the login.
    pub(crate) token_file: &'a Path,
}

/// By which grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Grant {
    /// A browser on this machine is redirected to us.
    AuthorizationCode,
    /// A browser anywhere; a code is typed in.
    DeviceCode,
}

/// How the instructions reach the person.
pub(crate) trait Guide {
    /// Open `url` to go on.
    fn open_page(&self, url: &str);

    /// Open `url` and compare `user_code`; `complete_url` has the code in it.
    fn enter_code(&self, url: &str, user_code: &str, complete_url: Option<&str>);
}

/// What the service granted. The texts are secrets, but for the times.
struct Granted {
    access_token: String,
    refresh_token: Option<String>,
    expires_at: SystemTime,
}

/// Signs in and keeps the login; returns when the access token ends.
///
/// # Errors
/// The service refused, nobody signed in within the deadline, or the login could not be kept.
pub(crate) fn sign_in(
    environment: &Environment,
    identity: &Identity,
    registry: &Registry,
    session: SsoSession<'_>,
    grant: Grant,
    guide: &dyn Guide,
    deadline: Deadline,
) -> Result<SystemTime, UserError> {
    let runtime = super::runtime()?;
    let mut aws = AwsContext::new(environment, identity, registry, deadline, RetryPolicy::Interactive)?;
    let signed_in = runtime.block_on(async {
        let mut oidc = Oidc::new(&mut aws, session, deadline).await;
        let (registration, granted) = match grant {
            Grant::AuthorizationCode => authorization_code::sign_in(&mut oidc, guide).await?,
            Grant::DeviceCode => device_code::sign_in(&mut oidc, guide).await?,
        };
        keep(session, &registration, &granted).await?;
        Ok(granted.expires_at)
    });
    runtime.shutdown_background();
    signed_in
}

/// The OIDC service of the session's region.
struct Oidc<'a, 'b> {
    aws: &'a mut AwsContext<'b>,
    session: SsoSession<'a>,
    /// When the person must have signed in.
    deadline: Deadline,
    client: aws_sdk_ssooidc::Client,
    host: String,
}

impl<'a, 'b> Oidc<'a, 'b> {
    async fn new(aws: &'a mut AwsContext<'b>, session: SsoSession<'a>, deadline: Deadline) -> Self {
        let endpoint = aws.network.sso_oidc_endpoint.as_deref();
        let client = aws_sdk_ssooidc::Client::new(&aws.sdk(session.region, endpoint, None).await);
        let host = host(aws, "oidc", session.region, endpoint);
        Self { aws, session, deadline, client, host }
    }

    /// Makes one call, with a time limit of its own: a service that hangs must not use up the person's time.
    async fn call<T, E, Made>(&mut self, make: impl FnMut() -> Made) -> Result<T, CallError>
    where
        Made: Future<
            Output = Result<
                T,
                aws_smithy_runtime_api::client::result::SdkError<
                    E,
                    aws_smithy_runtime_api::client::orchestrator::HttpResponse,
                >,
            >,
        >,
        E: aws_smithy_types::error::metadata::ProvideErrorMetadata + std::error::Error + 'static,
    {
        self.aws.deadline = Deadline::within(CALL_TIMEOUT.min(self.deadline.left()));
        self.aws.call(&CallTarget { service: "SSO OIDC", host: &self.host }, make).await
    }

    /// Nobody signed in.
    fn nobody_came(&self) -> UserError {
        let minutes = self.deadline.limit().as_secs().div_ceil(60);
        UserError::new(Kind::Credentials, format!("nobody signed in within {minutes} minutes"))
            .hint("run it again, or give it more time with --timeout")
    }

    /// The service's answer with a token in it.
    fn granted(
        &self,
        asked_at: SystemTime,
        answer: &aws_sdk_ssooidc::operation::create_token::CreateTokenOutput,
    ) -> Result<Granted, UserError> {
        let life = u64::try_from(answer.expires_in()).ok().filter(|seconds| *seconds > 0);
        let token = answer.access_token().filter(|token| !token.is_empty());
        let expires_at = life.and_then(|life| asked_at.checked_add(Duration::from_secs(life)));
        let (Some(token), Some(expires_at)) = (token, expires_at) else {
            return Err(self.without("an access token"));
        };
        let refresh_token = answer.refresh_token().filter(|token| !token.is_empty()).map(str::to_owned);
        Ok(Granted { access_token: token.to_owned(), refresh_token, expires_at })
    }

    fn without(&self, what: &str) -> UserError {
        UserError::new(Kind::Network, format!("SSO OIDC answered without {what}"))
            .endpoint(&self.host)
            .hint("check the endpoint (AWS_ENDPOINT_URL_SSO_OIDC)")
    }
}

/// What a call that is no refusal of the sign-in itself comes to.
fn failed(doing: &str, error: CallError) -> UserError {
    let mut failure = error.failure;
    failure.message = format!("{doing} failed: {}", failure.message);
    failure
}

/// Puts the login into the place where the AWS CLI has it, with its keys, in its order.
async fn keep(session: SsoSession<'_>, registration: &Registration, granted: &Granted) -> Result<(), UserError> {
    let mut login = vec![
        ("startUrl", session.start_url.to_owned()),
        ("region", session.region.to_owned()),
        ("accessToken", granted.access_token.clone()),
        ("expiresAt", timestamp::text(granted.expires_at)),
        ("clientId", registration.id.clone()),
        ("clientSecret", registration.secret.clone()),
        ("registrationExpiresAt", registration.expires_at.clone()),
    ];
    if let Some(token) = &granted.refresh_token {
        login.push(("refreshToken", token.clone()));
    }
    let text =
        python_json::object(&login.iter().map(|(key, value)| (*key, python_json::string(value))).collect::<Vec<_>>());
    // A refresh of the old login that is under way would put the old one's successor over the new one.
    let _lock = Lock::wait(session.token_file, Deadline::within(LOCK_TIMEOUT)).await;
    replace(session.token_file, text.as_bytes())
}

/// Replaces a file of the user's by a private one, whatever others put there meanwhile.
fn replace(path: &Path, bytes: &[u8]) -> Result<(), UserError> {
    user_file::sweep(path);
    let mut tries = 0;
    loop {
        tries += 1;
        let done = UserFile::read(path).and_then(|file| file.replace_private(bytes));
        match done {
            Err(user_file::FileError::Changed { .. }) if tries < REPLACE_TRIES => {}
            Err(error) => {
                return Err(UserError::new(Kind::Credentials, format!("the login cannot be kept: {error}"))
                    .hint(format!("make {} writable for this user", path.parent().unwrap_or(path).display())));
            }
            Ok(()) => return Ok(()),
        }
    }
}
