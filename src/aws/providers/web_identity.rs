//! A web identity token (IRSA, the OIDC token of a CI system, a kubelet's service account token) for a role: one
//! unsigned AssumeRoleWithWebIdentity.

use std::path::Path;

use aws_credential_types::Credentials;

use super::sts::{self, SESSION_NAME};
use crate::aws::client::AwsContext;
use crate::aws::error::{CallError, CallTarget, Class};
use crate::os::secret::Secret;
use crate::text::user_error::{Kind, UserError};

/// The role, and the token that proves the identity.
#[derive(Clone, Copy, Debug)]
pub(super) struct WebIdentityParameters<'a> {
    /// `role_arn`.
    pub(super) role_arn: &'a str,
    /// `role_session_name`.
    pub(super) session_name: Option<&'a str>,
    /// Where the token was read; `None` for one that was handed to us.
    pub(super) token_file: Option<&'a Path>,
    /// The token in messages, where it is neither from a file nor from the kubelet.
    pub(super) described: Option<&'a str>,
    /// The token's bytes.
    pub(super) token: &'a Secret,
}

/// Becomes the role.
///
/// # Errors
/// STS refused, or did not answer.
pub(super) async fn assume(wanted: WebIdentityParameters<'_>, aws: &AwsContext<'_>) -> Result<Credentials, UserError> {
    let (client, host) = sts::client(aws, None).await;
    let asked = CallTarget { service: "STS", host: &host };
    aws.preconnect();
    let answer = aws
        .call(&asked, || {
            client
                .assume_role_with_web_identity()
                .role_arn(wanted.role_arn)
                .role_session_name(wanted.session_name.unwrap_or(SESSION_NAME))
                .web_identity_token(wanted.token.expose().trim())
                .send()
        })
        .await
        .map_err(|call_error| refused(wanted, aws.registry.region(), call_error))?;
    sts::credentials(answer.credentials, "WebIdentityToken", &asked)
}

fn refused(wanted: WebIdentityParameters<'_>, region: &str, call_error: CallError) -> UserError {
    let CallError { class: Class::Refused, code, message, failure, .. } = call_error else {
        return call_error.failure;
    };
    let code = code.unwrap_or_default();
    let role = wanted.role_arn;
    let token = match wanted.token_file {
        None if wanted.described.is_some() => wanted.described.unwrap_or_default().to_owned(),
        Some(file) => format!("the web identity token in {}", file.display()),
        None => "the service account token".to_owned(),
    };
    let (what, remedy) = match code.as_str() {
        "ExpiredTokenException" | "ExpiredToken" => (
            format!("{token} has expired ({code})"),
            match wanted.token_file {
                None if wanted.described.is_some() => {
                    "run it again in a job that has just begun: the token is issued for some minutes".to_owned()
                }
                Some(_) => {
                    "see why it is not renewed: the kubelet or the CI system that writes it must do so".to_owned()
                }
                None => "restart the pod, so that the kubelet asks for a new one".to_owned(),
            },
        ),
        "AccessDenied" | "AccessDeniedException" => (
            format!("{token} may not assume {role}: {code}"),
            "let the role's trust policy name the token's issuer, subject and audience (sts.amazonaws.com) for \
             sts:AssumeRoleWithWebIdentity"
                .to_owned(),
        ),
        "InvalidIdentityToken" | "InvalidIdentityTokenException" | "IDPRejectedClaim" | "IDPRejectedClaimException" => {
            (
                format!("STS rejects {token}: {code}: {}", message.unwrap_or_default()),
                "create the IAM OIDC provider of the token's issuer in the role's account, with the token's audience"
                    .to_owned(),
            )
        }
        _ => match sts::refused(&code, region) {
            Some((reason, remedy)) => (format!("{token} cannot assume {role}: {reason} ({code})"), remedy),
            None => return UserError { message: format!("assuming {role} failed: {}", failure.message), ..failure },
        },
    };
    UserError::new(Kind::Credentials, what).hint(remedy)
}
