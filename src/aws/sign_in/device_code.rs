//! The device code grant (RFC 8628), for a browser anywhere: the person compares a code on its page, and we ask every few
//! seconds whether that has been done.

use std::time::{Duration, Instant, SystemTime};

use super::registration::{self, Registration};
use super::{Grant, Granted, Guide, Oidc, failed};
use crate::aws::error::Class;
use crate::text::user_error::{Kind, UserError};

const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// How long to wait between two questions where the service does not say it, and by how much longer once it says "slow
/// down" (RFC 8628, sections 3.2 and 3.5).
const DEFAULT_INTERVAL: Duration = Duration::from_secs(5);
const SLOW_DOWN: Duration = Duration::from_secs(5);

/// The longest wait between two questions.
const LONGEST_INTERVAL: Duration = Duration::from_secs(60);

/// Shows the code, and asks until the person has allowed the access.
pub(super) async fn sign_in(oidc: &mut Oidc<'_, '_>, guide: &dyn Guide) -> Result<(Registration, Granted), UserError> {
    let mut registration = registration::get(oidc, Grant::DeviceCode).await?;
    let mut device = start(oidc, &registration).await;
    if device.as_ref().is_err_and(|error| error.code.as_deref() == Some("InvalidClientException")) {
        // The service has forgotten the kept registration.
        registration = registration::register(oidc, Grant::DeviceCode).await?;
        device = start(oidc, &registration).await;
    }
    let device = device.map_err(|error| failed("asking for a device code", error))?;
    let (Some(code), Some(user_code), Some(url)) =
        (device.device_code(), device.user_code(), device.verification_uri())
    else {
        return Err(oidc.without("a device code"));
    };
    guide.enter_code(url, user_code, device.verification_uri_complete());
    let life = u64::try_from(device.expires_in()).ok().filter(|seconds| *seconds > 0);
    let ends = life.map(|seconds| Instant::now() + Duration::from_secs(seconds));
    let interval = u64::try_from(device.interval()).ok().filter(|seconds| *seconds > 0);
    let mut interval = interval.map_or(DEFAULT_INTERVAL, Duration::from_secs).min(LONGEST_INTERVAL);
    let client = oidc.client.clone();
    loop {
        tokio::time::sleep(interval.min(oidc.deadline.left())).await;
        if oidc.deadline.passed() {
            return Err(oidc.nobody_came());
        }
        let asked_at = SystemTime::now();
        let answer = oidc
            .call(|| {
                client
                    .create_token()
                    .grant_type(GRANT_TYPE)
                    .client_id(&registration.id)
                    .client_secret(&registration.secret)
                    .device_code(code)
                    .send()
            })
            .await;
        let error = match answer {
            Ok(answer) => return Ok((registration, oidc.granted(asked_at, &answer)?)),
            Err(error) => error,
        };
        match (error.class, error.code.as_deref()) {
            (Class::Refused, Some("AuthorizationPendingException")) => {}
            (Class::Refused | Class::Throttled, Some("SlowDownException")) | (Class::Throttled, _) => {
                interval = (interval + SLOW_DOWN).min(LONGEST_INTERVAL);
            }
            // The person is signing in meanwhile: a network that comes back is no reason to begin anew.
            (Class::Network | Class::Server | Class::Deadline, _) if ends.is_none_or(|ends| Instant::now() < ends) => {}
            (Class::Refused, Some("ExpiredTokenException")) => {
                return Err(
                    UserError::new(Kind::Credentials, "the code was not entered before it ended").hint("run it again")
                );
            }
            (Class::Refused, Some("AccessDeniedException")) => {
                return Err(UserError::new(Kind::Credentials, "the sign-in page refused: the access was not allowed")
                    .hint("run it again and allow the access, or ask who administers IAM Identity Center"));
            }
            _ => return Err(failed("asking for the login", error)),
        }
    }
}

async fn start(
    oidc: &mut Oidc<'_, '_>,
    registration: &Registration,
) -> Result<
    aws_sdk_ssooidc::operation::start_device_authorization::StartDeviceAuthorizationOutput,
    crate::aws::error::CallError,
> {
    let (client, start_url) = (oidc.client.clone(), oidc.session.start_url);
    oidc.call(|| {
        client
            .start_device_authorization()
            .client_id(&registration.id)
            .client_secret(&registration.secret)
            .start_url(start_url)
            .send()
    })
    .await
}
