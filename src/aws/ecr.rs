//! `GetAuthorizationToken` of ECR and ECR Public.
//!
//! API: <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_GetAuthorizationToken.html> and
//! <https://docs.aws.amazon.com/AmazonECRPublic/latest/APIReference/API_GetAuthorizationToken.html>. The
//! deprecated `registryIds` is never sent: a token opens every registry that its principal may use.

use aws_credential_types::Credentials;
use zeroize::Zeroizing;

use super::AuthorizationToken;
use super::client::AwsContext;
use super::error::{self, CallTarget};
use crate::os::secret::Secret;
use crate::registry::Service;
use crate::text::user_error::{Kind, UserError};

/// Why an answer is no token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
enum Malformed {
    /// `authorizationData` is missing or empty.
    #[error("it holds no authorization data")]
    NoData,
    /// `authorizationToken` is missing or empty.
    #[error("it holds no token")]
    NoToken,
    /// The token is not base64.
    #[error("its token is not base64")]
    NotBase64,
    /// What the token decodes to is not text.
    #[error("its token is not text")]
    NotText,
    /// There is no `user:password` in it.
    #[error("its token has no user and password")]
    NoColon,
}

/// Asks the registry's service, with these credentials.
///
/// # Errors
/// Whatever failed on the way.
pub(super) async fn get(aws: &AwsContext<'_>, credentials: Credentials) -> Result<AuthorizationToken, UserError> {
    let registry = aws.registry;
    let endpoint = endpoint(aws);
    let config = aws.sdk(registry.region(), Some(&endpoint), Some(credentials)).await;
    let host = host_of(&endpoint);
    let (service, data) = match registry.service() {
        Service::Private => {
            let asked = CallTarget { service: "ECR", host };
            let client = aws_sdk_ecr::Client::new(&config);
            let answer = aws
                .call(&asked, || client.get_authorization_token().send())
                .await
                .map_err(|call_error| error::refused(registry, call_error))?;
            let data = answer.authorization_data.unwrap_or_default().into_iter().next();
            (asked, data.map(|data| (data.authorization_token, data.expires_at, data.proxy_endpoint)))
        }
        Service::Public => {
            let asked = CallTarget { service: error::PUBLIC, host };
            let client = aws_sdk_ecrpublic::Client::new(&config);
            let answer = aws
                .call(&asked, || client.get_authorization_token().send())
                .await
                .map_err(|call_error| error::refused(registry, call_error))?;
            (asked, answer.authorization_data.map(|data| (data.authorization_token, data.expires_at, None)))
        }
    };
    let token = match data {
        Some((token, expires_at, proxy)) => read(token, expires_at.map(|at| at.secs())).map(|token| {
            let own_registry = proxy.map(|url| host_of(&url).to_owned());
            AuthorizationToken { own_registry, ..token }
        }),
        None => Err(Malformed::NoData),
    };
    token.map_err(|malformed| {
        UserError::new(Kind::Network, format!("{} gave an unusable answer: {malformed}", service.service))
            .endpoint(service.host)
            .hint("check the endpoint (AWS_ENDPOINT_URL) and the proxy: something else answers there")
    })
}

/// The URL of the API that hands out the registry's tokens.
pub(super) fn endpoint(aws: &AwsContext<'_>) -> String {
    let (fips, dual_stack) = (aws.network.use_fips, aws.network.use_dual_stack);
    match &aws.network.ecr_endpoint {
        Some(url) => url.clone(),
        None => format!("https://{}", aws.registry.api_host(fips, dual_stack)),
    }
}

/// Host and port of an endpoint's URL.
pub(super) fn host_of(endpoint: &str) -> &str {
    let rest = endpoint.split_once("://").map_or(endpoint, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    authority.rsplit_once('@').map_or(authority, |(_, host)| host)
}

fn read(token: Option<String>, expires_at: Option<i64>) -> Result<AuthorizationToken, Malformed> {
    let token = Zeroizing::new(token.filter(|token| !token.trim().is_empty()).ok_or(Malformed::NoToken)?);
    let decoded = aws_smithy_types::base64::decode(token.trim()).map_err(|_| Malformed::NotBase64)?;
    let decoded = Zeroizing::new(decoded);
    let text = std::str::from_utf8(&decoded).map_err(|_| Malformed::NotText)?;
    match text.split_once(':') {
        Some((user, password)) if !user.is_empty() && !password.is_empty() && !text.contains(char::is_control) => {
            Ok(AuthorizationToken {
                username: user.to_owned(),
                password: Secret::new(password.to_owned()),
                expires_at,
                own_registry: None,
                warnings: Vec::new(),
            })
        }
        _ => Err(Malformed::NoColon),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(text: &[u8]) -> Result<AuthorizationToken, Malformed> {
        read(Some(aws_smithy_types::base64::encode(text)), Some(7))
    }

    #[test]
    fn a_token_is_user_and_password_in_base64() {
        let token = answer(b"AWS:pass:word").unwrap();
        assert_eq!((token.username.as_str(), token.password.expose()), ("AWS", "pass:word"));
        assert_eq!(token.expires_at, Some(7));
    }

    #[test]
    fn anything_else_is_an_error_with_a_reason() {
        assert_eq!(read(None, None).unwrap_err(), Malformed::NoToken);
        assert_eq!(read(Some(" ".into()), None).unwrap_err(), Malformed::NoToken);
        assert_eq!(read(Some("%%%".into()), None).unwrap_err(), Malformed::NotBase64);
        assert_eq!(answer(&[0xff, b':', b'a']).unwrap_err(), Malformed::NotText);
        assert_eq!(answer(b"AWS").unwrap_err(), Malformed::NoColon);
        assert_eq!(answer(b":password").unwrap_err(), Malformed::NoColon);
        assert_eq!(answer(b"AWS:").unwrap_err(), Malformed::NoColon);
        assert_eq!(answer(b"AWS:a\nb").unwrap_err(), Malformed::NoColon);
    }

    #[test]
    fn the_host_of_an_endpoint_is_reported_without_user_and_path() {
        assert_eq!(host_of("http://u:p@127.0.0.1:80/x?y"), "127.0.0.1:80");
        assert_eq!(host_of("https://api.ecr.us-east-1.amazonaws.com"), "api.ecr.us-east-1.amazonaws.com");
    }
}
