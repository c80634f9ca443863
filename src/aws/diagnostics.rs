//! The way of a pull one step at a time, for `doctor`: each step is the very code that a `get` runs.

use std::time::Duration;

use aws_credential_types::Credentials;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;
use zeroize::Zeroizing;

use super::client::AwsContext;
use super::error::{self, CallTarget};
use super::proxy::Proxies;
use super::{AuthorizationToken, ecr, providers, runtime};
use crate::aws::retry::RetryPolicy;
use crate::credentials::Identity;
use crate::os::clock;
use crate::os::deadline::Deadline;
use crate::os::environment::Environment;
use crate::registry::{Registry, Service};
use crate::text::span::good_for;
use crate::text::user_error::{Kind, UserError};

/// A step of the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// Name, proxy, TCP, TLS and clock to ECR's API.
    Network,
    /// The source of credentials yields keys.
    Keys,
    /// Whose they are.
    Caller,
    /// ECR gives a token for them.
    AuthorizationToken,
    /// The registry takes it.
    Registry,
}

/// What came of a step.
#[derive(Clone, Debug)]
pub(crate) enum Outcome {
    /// It is right: what was found.
    Found(String),
    /// It is wrong.
    Wrong(UserError),
    /// It was not tried, as an earlier one is wrong.
    NotTried,
}

/// Runs the steps of a fetch; `told` is called with each part before it is tried. Each part has `limit`.
pub(crate) fn walk(
    environment: &Environment,
    identity: &Identity,
    registry: &Registry,
    limit: Duration,
    told: &mut dyn FnMut(Part),
) -> Vec<(Part, Outcome)> {
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(failure) => return vec![(Part::Network, Outcome::Wrong(failure))],
    };
    let mut steps = Vec::new();
    let mut walk = Walk { environment, identity, registry, limit, keys: None, token: None };
    for part in [Part::Network, Part::Keys, Part::Caller, Part::AuthorizationToken, Part::Registry] {
        told(part);
        let outcome = match runtime.block_on(walk.step(part)) {
            None => Outcome::NotTried,
            Some(Ok(found)) => Outcome::Found(found),
            Some(Err(failure)) => Outcome::Wrong(failure),
        };
        steps.push((part, outcome));
    }
    runtime.shutdown_background();
    steps
}

/// Whether the registry takes this token: 200 to `GET /v2/`, as the distribution specification has it.
///
/// # Errors
/// It does not, or cannot be asked.
pub(crate) fn accepts(
    environment: &Environment,
    identity: &Identity,
    registry: &Registry,
    limit: Duration,
    token: &AuthorizationToken,
) -> Result<String, UserError> {
    let runtime = runtime()?;
    let aws = AwsContext::new(environment, identity, registry, Deadline::within(limit), RetryPolicy::Interactive)?;
    let answer = runtime.block_on(ask_registry(&aws, Some(token)));
    runtime.shutdown_background();
    answer
}

struct Walk<'a> {
    environment: &'a Environment,
    identity: &'a Identity,
    registry: &'a Registry,
    limit: Duration,
    keys: Option<Credentials>,
    token: Option<AuthorizationToken>,
}

impl Walk<'_> {
    async fn step(&mut self, part: Part) -> Option<Result<String, UserError>> {
        let deadline = Deadline::within(self.limit);
        let deadline = match part {
            Part::Keys => deadline.extended(providers::grace(&self.identity.source)),
            _ => deadline,
        };
        let aws =
            match AwsContext::new(self.environment, self.identity, self.registry, deadline, RetryPolicy::Interactive) {
                Ok(aws) => aws,
                Err(failure) => return (part == Part::Network).then_some(Err(failure)),
            };
        Some(match part {
            Part::Network => network(&aws).await,
            Part::Keys => match providers::of(&self.identity.source, &aws).await {
                Ok(keys) => {
                    let temporary = keys.session_token().is_some();
                    self.keys = Some(keys);
                    let kind = if temporary { "temporary" } else { "long-term" };
                    Ok(aws.warnings().iter().fold(format!("{kind} keys"), |said, line| format!("{said}; but {line}")))
                }
                Err(failure) => Err(providers::nowhere(self.identity, self.environment, failure)),
            },
            Part::Caller => providers::caller(self.keys.clone()?, &aws).await,
            Part::AuthorizationToken => match ecr::get(&aws, self.keys.clone()?).await {
                Ok(token) => {
                    let now = clock::seconds();
                    let until = token.expires_at.map_or(String::new(), |at| format!(", {}", good_for(now, at, None)));
                    self.token = Some(token);
                    Ok(format!("ECR gave a token{until}"))
                }
                Err(failure) => Err(failure),
            },
            Part::Registry => match (&self.token, self.registry.service()) {
                (None, Service::Private) => return None,
                (token, _) => ask_registry(&aws, token.as_ref()).await,
            },
        })
    }
}

async fn network(aws: &AwsContext<'_>) -> Result<String, UserError> {
    let endpoint = ecr::endpoint(aws);
    let host = ecr::host_of(&endpoint).to_owned();
    let asked = CallTarget { service: "ECR", host: &host };
    let answer = aws.request(&asked, get(&endpoint, None)?).await?;
    let route = Proxies::read(aws.environment)?;
    let uri = endpoint.parse::<http::Uri>().ok();
    let proxy = uri.and_then(|uri| route.route(&uri));
    let proxy = proxy.map(|proxy| {
        let uri = proxy.uri();
        format!(" through the proxy {}", uri.authority().map_or("", |authority| ecr::host_of(authority.as_str())))
    });
    let clock = match error::skew(&answer) {
        Some(skew) if error::too_far(skew) => {
            let minutes = skew.unsigned_abs() / 60;
            let direction = if skew > 0 { "ahead of" } else { "behind" };
            let what = format!("this machine's clock is {minutes} minutes {direction} that of {host}");
            return Err(UserError::new(Kind::Credentials, what)
                .hint("set the clock (timedatectl set-ntp true; for a VM or WSL: restart it)"));
        }
        Some(skew) => format!(", clocks {} s apart", skew.unsigned_abs()),
        None => String::new(),
    };
    Ok(format!("{host} answers{}{clock}", proxy.unwrap_or_default()))
}

async fn ask_registry(aws: &AwsContext<'_>, token: Option<&AuthorizationToken>) -> Result<String, UserError> {
    let host = aws.registry.host();
    let asked = CallTarget { service: "the registry", host };
    let answer = aws.request(&asked, get(&format!("https://{host}/v2/"), token)?).await?;
    let status = answer.status().as_u16();
    match (status, token) {
        (200, Some(_)) => Ok(format!("{host} takes the token")),
        (200 | 401, None) => Ok(format!("{host} answers, pulls are anonymous")),
        (401 | 403, _) => Err(UserError::new(Kind::Credentials, format!("{host} refuses the token (HTTP {status})"))
            .hint(
                "see that the registry's account and region are right, and that no policy of the registry denies you",
            )),
        _ => Err(UserError::new(Kind::Network, format!("{host} answered with HTTP {status} to GET /v2/"))
            .hint("see what stands between: a proxy or a VPC endpoint that is not the registry's")),
    }
}

fn get(url: &str, token: Option<&AuthorizationToken>) -> Result<HttpRequest, UserError> {
    let unfit = || UserError::new(Kind::Settings, "an endpoint that is no URL").hint("check AWS_ENDPOINT_URL");
    let mut request = HttpRequest::new(SdkBody::empty());
    request.set_uri(url).map_err(|_| unfit())?;
    if let Some(token) = token {
        let pair = Zeroizing::new(format!("{}:{}", token.username, token.password.expose()));
        let header = format!("Basic {}", aws_smithy_types::base64::encode(pair.as_bytes()));
        request.headers_mut().try_insert("authorization", header).map_err(|_| unfit())?;
    }
    Ok(request)
}
