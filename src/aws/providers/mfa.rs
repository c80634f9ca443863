//! Roles with `mfa_serial`: AssumeRole with a code that a person types.
//!
//! Only `login` can ask a person. In any other call such a role is an error, before any request to AWS.

use std::fmt;

use aws_credential_types::Credentials;
use zeroize::Zeroizing;

use super::assume_role::{AssumeRoleParameters, refused};
use super::sts;
use crate::PROGRAM;
use crate::aws::client::AwsContext;
use crate::aws::error::{CallTarget, Class};
use crate::credentials::CredentialSource;
use crate::text::user_error::{Kind, UserError};

/// How many codes may be wrong; STS locks nobody out, but who errs three times has the wrong device.
const TRIES: usize = 3;

/// STS's message for a code that is wrong, or was used before. (A device of another user has another message.)
const WRONG_CODE: &str = "invalid MFA one time pass code";

/// What a person is asked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MfaQuestion<'a> {
    /// `mfa_serial`: the device.
    pub(crate) serial: &'a str,
    /// The role that is to be assumed.
    pub(crate) role_arn: &'a str,
    /// What was wrong with the code before, if there was one.
    pub(crate) refusal: Option<&'a str>,
}

/// Asks a person for a code.
type Ask<'a> = dyn Fn(&MfaQuestion<'_>) -> Result<Zeroizing<String>, UserError> + 'a;

/// Asks for MFA codes; only `login` has one. (A code is good for one AssumeRole: what it was given for is shared among the
/// registries of the run by [`super::shared`].)
pub(crate) struct MfaPrompt<'a> {
    ask: &'a Ask<'a>,
}

impl<'a> MfaPrompt<'a> {
    /// A prompt that asks with `ask`.
    pub(crate) fn new(ask: &'a Ask<'a>) -> Self {
        Self { ask }
    }
}

impl fmt::Debug for MfaPrompt<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MfaPrompt")
    }
}

/// The error of a role with `mfa_serial` where no person can be asked.
pub(super) fn needed(role_arn: &str, serial: &str, registry: &str) -> UserError {
    let what =
        format!("{role_arn} wants a code from the MFA device {serial}, which a credential helper cannot ask for");
    UserError::new(Kind::Credentials, what)
        .hint(format!("run \"{PROGRAM} login {registry}\" in a terminal, which is good for twelve hours"))
}

/// Assumes the role with a code, with the `credentials` of the source `base`.
///
/// # Errors
/// No code was given, STS refused, or did not answer.
pub(super) async fn assume(
    base: &CredentialSource,
    credentials: Credentials,
    role: AssumeRoleParameters<'_>,
    serial: &str,
    prompt: &MfaPrompt<'_>,
    aws: &AwsContext<'_>,
) -> Result<Credentials, UserError> {
    let (client, host) = sts::client(aws, Some(credentials)).await;
    let asked = CallTarget { service: "STS", host: &host };
    let mut refusal: Option<String> = None;
    for left in (0..TRIES).rev() {
        let question = MfaQuestion { serial, role_arn: role.role_arn, refusal: refusal.as_deref() };
        let code = (prompt.ask)(&question)?;
        let answer =
            aws.call(&asked, || role.request(&client).serial_number(serial).token_code(code.as_str()).send()).await;
        match answer {
            Ok(answer) => return sts::credentials(answer.credentials, "AssumeRole", &asked),
            Err(error) => {
                let said = error.message.clone().unwrap_or_default();
                let is_wrong_code = error.class == Class::Refused && said.contains(WRONG_CODE);
                if is_wrong_code && left > 0 {
                    refusal = Some("STS does not accept this code. Wait for the next one.".to_owned());
                } else if error.class == Class::Refused && said.starts_with("MultiFactorAuthentication failed") {
                    return Err(UserError::new(Kind::Credentials, format!("STS refused the MFA code: {said}"))
                        .hint(format!("check the device's clock, and that mfa_serial names your device ({serial})")));
                } else {
                    return Err(refused(base, role, aws.registry.region(), error));
                }
            }
        }
    }
    Err(needed(role.role_arn, serial, aws.registry.host()))
}
