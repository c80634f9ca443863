//! A role that wants a code from an MFA device (`mfa_serial`): one AssumeRole with the code that a person gives.
//!
//! Only `login` has somebody who can be asked. For everybody else such a role is an error, before anything is asked of AWS.

use std::cell::RefCell;
use std::fmt;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use zeroize::Zeroizing;

use super::assume_role::{AssumeRoleParameters, refused};
use super::sts::{self, SESSION_NAME};
use crate::PROGRAM;
use crate::aws::client::AwsContext;
use crate::aws::error::{CallTarget, Class};
use crate::credentials::CredentialSource;
use crate::text::user_error::{Kind, UserError};

/// How many codes may be wrong; STS locks nobody out, but who errs three times has the wrong device.
const TRIES: usize = 3;

/// What STS says of a code that is wrong, or was used before. (Of a device that is not the user's it says something else.)
const WRONG_CODE: &str = "invalid MFA one time pass code";

/// What a person is asked.
#[derive(Clone, Copy, Debug)]
pub struct MfaQuestion<'a> {
    /// `mfa_serial`: the device.
    pub serial: &'a str,
    /// The role that is to be assumed.
    pub role_arn: &'a str,
    /// What was wrong with the code before, if there was one.
    pub refusal: Option<&'a str>,
}

/// Asks a person for a code.
type Ask<'a> = dyn Fn(&MfaQuestion<'_>) -> Result<Zeroizing<String>, UserError> + 'a;

/// A run of `login`: who is asked for codes, and the roles that they were given for. A code is good for one AssumeRole, and
/// registries of several regions need the same role.
pub struct MfaSession<'a> {
    ask: &'a Ask<'a>,
    assumed: RefCell<Vec<(AssumedBy, Credentials)>>,
}

/// What makes two AssumeRole calls the same.
#[derive(PartialEq, Eq)]
struct AssumedBy {
    access_key_id: String,
    role_arn: String,
    session_name: Option<String>,
    external_id: Option<String>,
    serial: String,
}

impl<'a> MfaSession<'a> {
    /// Nobody has been asked yet.
    pub fn new(ask: &'a Ask<'a>) -> Self {
        Self { ask, assumed: RefCell::default() }
    }
}

impl fmt::Debug for MfaSession<'_> {
    /// Without the keys.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MfaSession").field("assumed", &self.assumed.borrow().len()).finish()
    }
}

/// The role cannot be assumed without a person.
pub fn needed(role_arn: &str, serial: &str, registry: &str) -> UserError {
    let what =
        format!("{role_arn} wants a code from the MFA device {serial}, which a credential helper cannot ask for");
    UserError::new(Kind::Credentials, what)
        .hint(format!("run \"{PROGRAM} login {registry}\" in a terminal, which is good for twelve hours"))
}

/// Assumes the role with a code, as the owner of `credentials` of the source `base`.
///
/// # Errors
/// Nobody gave a code, STS said no, or did not answer.
pub async fn assume(
    base: &CredentialSource,
    credentials: Credentials,
    role: AssumeRoleParameters<'_>,
    serial: &str,
    session: &MfaSession<'_>,
    aws: &AwsContext<'_>,
) -> Result<Credentials, UserError> {
    let by = AssumedBy {
        access_key_id: credentials.access_key_id().to_owned(),
        role_arn: role.role_arn.to_owned(),
        session_name: role.session_name.map(str::to_owned),
        external_id: role.external_id.map(str::to_owned),
        serial: serial.to_owned(),
    };
    if let Some((_, known)) = session.assumed.borrow().iter().find(|(known, _)| *known == by) {
        return Ok(known.clone());
    }
    let region = aws.registry.region();
    let endpoint = aws.network.sts_endpoint.as_deref();
    let config = aws.sdk(region, endpoint).credentials_provider(SharedCredentialsProvider::new(credentials)).build();
    let client = aws_sdk_sts::Client::new(&config);
    let host = super::host(aws, "sts", region, endpoint);
    let asked = CallTarget { service: "STS", host: &host };
    let mut refusal: Option<String> = None;
    for left in (0..TRIES).rev() {
        let question = MfaQuestion { serial, role_arn: role.role_arn, refusal: refusal.as_deref() };
        let code = (session.ask)(&question)?;
        let answer = aws
            .call(&asked, || {
                client
                    .assume_role()
                    .role_arn(role.role_arn)
                    .role_session_name(role.session_name.unwrap_or(SESSION_NAME))
                    .set_external_id(role.external_id.map(str::to_owned))
                    .set_duration_seconds(role.duration_seconds)
                    .serial_number(serial)
                    .token_code(code.as_str())
                    .send()
            })
            .await;
        match answer {
            Ok(answer) => {
                let assumed = sts::credentials(answer.credentials, "AssumeRole", &asked)?;
                session.assumed.borrow_mut().push((by, assumed.clone()));
                return Ok(assumed);
            }
            Err(error) => {
                let said = error.message.clone().unwrap_or_default();
                let is_wrong_code = error.class == Class::Refused && said.contains(WRONG_CODE);
                if is_wrong_code && left > 0 {
                    refusal = Some("STS does not accept this code. Wait for the next one.".to_owned());
                } else if error.class == Class::Refused && said.starts_with("MultiFactorAuthentication failed") {
                    return Err(UserError::new(Kind::Credentials, format!("STS refused the MFA code: {said}"))
                        .hint(format!("check the device's clock, and that mfa_serial names your device ({serial})")));
                } else {
                    return Err(refused(base, role, region, error));
                }
            }
        }
    }
    Err(needed(role.role_arn, serial, aws.registry.host()))
}
