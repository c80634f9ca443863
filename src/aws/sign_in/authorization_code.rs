//! The authorization code grant with PKCE (RFC 7636), for a browser on this machine (RFC 8252): the sign-in page redirects it
//! to a port of loopback, where we wait for the code.

use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom, SystemRandom};

use super::redirect_listener::{Redirect, RedirectListener};
use super::registration::{self, Registration};
use super::{Grant, Granted, Guide, Oidc, failed};
use crate::aws::error::{CallError, Class};
use crate::text::percent_encoded;
use crate::text::user_error::{Kind, UserError};

/// Random bytes of a code verifier: 43 characters of base64url, what RFC 7636 recommends.
const VERIFIER_BYTES: usize = 32;

/// Random bytes of the state that the redirect must bring back.
const STATE_BYTES: usize = 16;

/// Opens the sign-in page, waits for the redirect, and exchanges the code for a token.
pub(super) async fn sign_in(oidc: &mut Oidc<'_, '_>, guide: &dyn Guide) -> Result<(Registration, Granted), UserError> {
    let registration = registration::get(oidc, Grant::AuthorizationCode).await?;
    let (verifier, state) = (random(VERIFIER_BYTES)?, random(STATE_BYTES)?);
    let listener = RedirectListener::bind(&state).await?;
    let redirect_uri = listener.redirect_uri();
    let page = sign_in_page(oidc, &registration, &redirect_uri, &state, &verifier).await?;
    guide.open_page(&page);
    let redirect = tokio::time::timeout(oidc.deadline.left(), listener.redirect()).await;
    let code = match redirect.map_err(|_| oidc.nobody_came())? {
        Redirect::Code(code) => code,
        Redirect::Refused(reason) => {
            return Err(UserError::new(Kind::Credentials, format!("the sign-in page refused: {reason}"))
                .hint("run it again and allow the access, or ask who administers IAM Identity Center"));
        }
    };
    let client = oidc.client.clone();
    let asked_at = SystemTime::now();
    let answer = oidc
        .call(|| {
            client
                .create_token()
                .grant_type("authorization_code")
                .client_id(&registration.id)
                .client_secret(&registration.secret)
                .code(&code)
                .code_verifier(&verifier)
                .redirect_uri(&redirect_uri)
                .send()
        })
        .await;
    match answer {
        Ok(answer) => Ok((registration, oidc.granted(asked_at, &answer)?)),
        Err(error) => Err(refused(oidc, error).await),
    }
}

/// Why the code was not good for a token.
async fn refused(oidc: &mut Oidc<'_, '_>, error: CallError) -> UserError {
    if error.class == Class::Refused && matches!(error.code.as_deref(), Some("InvalidClientException")) {
        // The service has forgotten the kept registration: the next run is not to meet it again.
        let _renewed = registration::register(oidc, Grant::AuthorizationCode).await;
        return failed("exchanging the code for a login", error).hint("run it again: it has been registered anew");
    }
    let is_refusal = error.class == Class::Refused;
    let failure = failed("exchanging the code for a login", error);
    if is_refusal { failure.hint("run it again, or with --device-code") } else { failure }
}

/// The URL of the sign-in page. `scopes` and not OAuth's `scope` is what the service reads.
async fn sign_in_page(
    oidc: &Oidc<'_, '_>,
    registration: &Registration,
    redirect_uri: &str,
    state: &str,
    verifier: &str,
) -> Result<String, UserError> {
    let challenge = URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes()));
    let scopes = registration::scopes(oidc.session).join(" ");
    let query: Vec<String> = [
        ("response_type", "code"),
        ("client_id", &registration.id),
        ("redirect_uri", redirect_uri),
        ("state", state),
        ("code_challenge_method", "S256"),
        ("scopes", &scopes),
        ("code_challenge", &challenge),
    ]
    .iter()
    .map(|(name, value)| format!("{name}={}", percent_encoded(value)))
    .collect();
    Ok(format!("{}/authorize?{}", endpoint(oidc).await?, query.join("&")))
}

/// Where the SDK would send the service's calls.
async fn endpoint(oidc: &Oidc<'_, '_>) -> Result<String, UserError> {
    use aws_sdk_ssooidc::config::endpoint::{DefaultResolver, Params, ResolveEndpoint as _};
    let unknown = |_| UserError::new(Kind::Settings, "the host of SSO OIDC is not known for this region");
    let network = oidc.aws.network;
    if let Some(url) = &network.sso_oidc_endpoint {
        return Ok(url.trim_end_matches('/').to_owned());
    }
    let params = Params::builder()
        .region(oidc.session.region)
        .use_fips(network.use_fips)
        .use_dual_stack(network.use_dual_stack)
        .build()
        .map_err(|error| unknown(error.into()))?;
    let resolver = DefaultResolver::new();
    let resolved = resolver.resolve_endpoint(&params).await.map_err(unknown)?;
    Ok(resolved.url().trim_end_matches('/').to_owned())
}

/// `bytes` random bytes as base64url, whose characters are all allowed in a verifier and a query.
fn random(bytes: usize) -> Result<String, UserError> {
    let mut random = vec![0; bytes];
    let failed = |_| UserError::new(Kind::Other, "the system has no random numbers");
    SystemRandom::new().fill(&mut random).map_err(failed)?;
    Ok(URL_SAFE_NO_PAD.encode(random))
}
