//! IAM Identity Center: the login that `aws sso login` cached, refreshed where it can be, for a role's credentials
//! (<https://docs.aws.amazon.com/sdkref/latest/guide/feature-sso-credentials.html>).

use std::path::Path;
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;

use super::sso_token_file::{Lock, Login, LoginError, Replacement};
use crate::PROGRAM;
use crate::aws::client::AwsContext;
use crate::aws::error::{CallError, CallTarget, Class};
use crate::credentials::CredentialSource;
use crate::text::user_error::{Kind, UserError};

/// A login that ends sooner is refreshed; the SDK for Rust's margin.
const MARGIN: Duration = Duration::from_secs(5 * 60);

/// The role, its account, and the login that gives access to it.
#[derive(Clone, Copy, Debug)]
pub(super) struct SsoParameters<'a> {
    /// The profile that names it.
    pub(super) profile: &'a str,
    /// Name of the `sso-session` section; `None` for the legacy form.
    pub(super) session: Option<&'a str>,
    /// `sso_region`.
    pub(super) region: &'a str,
    /// `sso_account_id`.
    pub(super) account: &'a str,
    /// `sso_role_name`.
    pub(super) role: &'a str,
    /// The cached login; `None` without a home directory.
    pub(super) token_file: Option<&'a Path>,
}

impl SsoParameters<'_> {
    fn remedy(&self) -> String {
        let profile = self.profile;
        format!("run \"{PROGRAM} login --profile {profile}\" or \"aws sso login --profile {profile}\"")
    }

    /// Whose login it is, for the start of a sentence.
    fn login(&self) -> String {
        match self.session {
            Some(session) => format!("the SSO session {session} of profile {}", self.profile),
            None => format!("the SSO login of profile {}", self.profile),
        }
    }

    fn failure(&self, what: &str) -> UserError {
        UserError::new(Kind::Credentials, format!("{} {what}", self.login())).hint(self.remedy())
    }

    fn file(&self, error: &LoginError) -> UserError {
        let failure = UserError::new(Kind::Credentials, format!("{} cannot be used: {error}", self.login()));
        match error {
            LoginError::Absent(_) | LoginError::Malformed { .. } => failure.hint(self.remedy()),
            LoginError::Read { .. } => failure.hint("make the file readable for this user"),
            LoginError::Write { .. } => failure.hint(format!("make the directory writable, or {}", self.remedy())),
        }
    }

    /// The new login is ours, and cannot be kept for the next call.
    fn unkept(&self, error: &LoginError) -> UserError {
        UserError::new(Kind::Credentials, format!("{} was refreshed for this call alone: {error}", self.login()))
            .hint(format!("{}, since the old login may be used up", self.remedy()))
    }
}

/// Why a person has to sign in before this source gives credentials, as far as its login's file says.
pub(crate) fn sign_in_is_due(source: &CredentialSource) -> Option<UserError> {
    match source {
        CredentialSource::AssumeRole { base, .. } => sign_in_is_due(base),
        CredentialSource::Sso { profile, session, region, account, role, token_file, .. } => {
            let (session, token_file) = (session.as_deref(), token_file.as_deref());
            let wanted = SsoParameters { profile, session, region, account, role, token_file };
            match Login::read(token_file?) {
                Err(error) => Some(wanted.file(&error)),
                Ok(login) if has_ended(&login) && login.refresh(SystemTime::now()).is_none() => {
                    Some(wanted.failure("has expired"))
                }
                Ok(_) => None,
            }
        }
        _ => None,
    }
}

/// The role's credentials.
///
/// # Errors
/// No login, an ended one, or a refusal.
pub(super) async fn credentials(wanted: SsoParameters<'_>, aws: &AwsContext<'_>) -> Result<Credentials, UserError> {
    let file = wanted.token_file.ok_or_else(|| wanted.failure("cannot be found: HOME is not set"))?;
    let login = login(wanted, file, aws).await?;
    let endpoint = aws.network.sso_endpoint.as_deref();
    let client = aws_sdk_sso::Client::new(&aws.sdk(wanted.region, endpoint, None).await);
    let host = super::host(aws, "portal.sso", wanted.region, endpoint);
    let asked = CallTarget { service: "the SSO portal", host: &host };
    aws.preconnect();
    let answer = aws
        .call(&asked, || {
            client
                .get_role_credentials()
                .access_token(login.access_token())
                .account_id(wanted.account)
                .role_name(wanted.role)
                .send()
        })
        .await
        .map_err(|call_error| refused(wanted, call_error))?;
    let keys = answer.role_credentials.and_then(|keys| {
        let expires = u64::try_from(keys.expiration).ok().filter(|millis| *millis > 0);
        let expires = expires.and_then(|millis| SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(millis)));
        let filled = |value: Option<String>| value.filter(|text| !text.is_empty());
        let (id, secret) = (filled(keys.access_key_id)?, filled(keys.secret_access_key)?);
        Some(Credentials::new(id, secret, filled(keys.session_token), expires, "SSO"))
    });
    keys.ok_or_else(|| {
        UserError::new(Kind::Network, "the SSO portal answered without credentials")
            .endpoint(asked.host)
            .hint("check the endpoint (AWS_ENDPOINT_URL_SSO)")
    })
}

fn refused(wanted: SsoParameters<'_>, call_error: CallError) -> UserError {
    let CallError { class: Class::Refused, code, status, failure, .. } = call_error else {
        return call_error.failure;
    };
    match (code.as_deref(), status) {
        (Some("UnauthorizedException"), _) | (_, Some(401)) => wanted.failure("is no longer valid"),
        (Some("ForbiddenException" | "ResourceNotFoundException"), _) | (_, Some(403 | 404)) => {
            let what = format!(
                "{} has no access to role {} in account {}: {}",
                wanted.login(),
                wanted.role,
                wanted.account,
                code.as_deref().unwrap_or("refused"),
            );
            UserError::new(Kind::Credentials, what).hint(format!(
                "check sso_account_id and sso_role_name of profile {}, or have the permission set assigned",
                wanted.profile
            ))
        }
        _ => failure,
    }
}

/// A login that is good for this call.
async fn login(wanted: SsoParameters<'_>, file: &Path, aws: &AwsContext<'_>) -> Result<Login, UserError> {
    let read = || Login::read(file).map_err(|error| wanted.file(&error));
    let login = read()?;
    if !ends_soon(&login) || (login.refresh(SystemTime::now()).is_none() && !has_ended(&login)) {
        return Ok(login);
    }
    if login.refresh(SystemTime::now()).is_none() {
        return Err(wanted.failure("has expired"));
    }
    let lock = Lock::wait(file, aws.deadline.at_most(aws.deadline.left() / 2)).await;
    // While we waited, another process may have refreshed it.
    let login = read()?;
    if !ends_soon(&login) {
        return Ok(login);
    }
    // While the old one is good, what hangs here leaves time for what it is needed for; else the call has its deadline.
    let limit = if has_ended(&login) { Duration::MAX } else { aws.deadline.left() / 2 };
    let refreshed = tokio::time::timeout(limit, refreshed(wanted, &login, file, &lock, aws)).await;
    match refreshed.unwrap_or_else(|_| Err(wanted.failure("could not be refreshed in time"))) {
        Ok(new) => Ok(new),
        Err(failure) => match Login::read(file) {
            // The AWS CLI knows nothing of our lock and may have been quicker.
            Ok(others) if !ends_soon(&others) => Ok(others),
            _ if !has_ended(&login) => Ok(login),
            _ => Err(failure),
        },
    }
}

fn has_ended(login: &Login) -> bool {
    login.expires_at <= SystemTime::now()
}

fn ends_soon(login: &Login) -> bool {
    login.expires_at <= SystemTime::now() + MARGIN
}

/// Asks for a new access token and puts it into the file.
async fn refreshed(
    wanted: SsoParameters<'_>,
    login: &Login,
    file: &Path,
    lock: &Lock,
    aws: &AwsContext<'_>,
) -> Result<Login, UserError> {
    let Some(refresh) = login.refresh(SystemTime::now()) else {
        return Err(wanted.failure("has expired"));
    };
    let replacement = Replacement::prepare(file, lock).map_err(|error| wanted.file(&error))?;
    let endpoint = aws.network.sso_oidc_endpoint.as_deref();
    let client = aws_sdk_ssooidc::Client::new(&aws.sdk(wanted.region, endpoint, None).await);
    let host = super::host(aws, "oidc", wanted.region, endpoint);
    let asked = CallTarget { service: "SSO OIDC", host: &host };
    let asked_at = SystemTime::now();
    aws.preconnect();
    let answer = aws
        .call(&asked, || {
            client
                .create_token()
                .grant_type("refresh_token")
                .client_id(refresh.client_id)
                .client_secret(refresh.client_secret)
                .refresh_token(refresh.token)
                .send()
        })
        .await
        .map_err(|call_error| match call_error.class {
            Class::Refused => {
                let code = call_error.code.unwrap_or_default();
                wanted.failure(&format!("has expired and its refresh was refused ({code})"))
            }
            _ => call_error.failure,
        })?;
    let life = u64::try_from(answer.expires_in()).ok().filter(|seconds| *seconds > 0);
    let (Some(token), Some(life)) = (answer.access_token().filter(|token| !token.is_empty()), life) else {
        return Err(UserError::new(Kind::Network, "SSO OIDC answered without an access token")
            .endpoint(asked.host)
            .hint("check the endpoint (AWS_ENDPOINT_URL_SSO_OIDC)"));
    };
    let new = login.refreshed(token, asked_at + Duration::from_secs(life), answer.refresh_token());
    if let Err(error) = replacement.commit(&new) {
        // The new login serves this call; the old one stays for the next, which may find that it was used up by this.
        tracing::warn!(reason = %error, "the refreshed SSO login could not be kept");
        aws.warn(wanted.unkept(&error).to_string());
    }
    Ok(new)
}
