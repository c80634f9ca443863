//! From the SDK's errors to a line for a person: what was asked, why it failed, what to do.

mod clock_skew;
mod ecr;
mod redact;
mod transport;

use std::time::Duration;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::{ErrorMetadata, ProvideErrorMetadata};

pub(super) use clock_skew::{skew, too_far};
pub(super) use ecr::refused;
use redact::{one_line, without_secrets};
pub(super) use transport::connector;

use super::PUBLIC_TIMEOUT;
use super::progress::{Phase, Progress};
use super::retry::Outcome;
use crate::os::deadline::{Deadline, LimitSetting};
use crate::text::user_error::{Kind, UserError};

/// The service that was called, for the message.
#[derive(Clone, Copy, Debug)]
pub(super) struct CallTarget<'a> {
    /// The service as people call it: `ECR`, `STS`, `the SSO portal`.
    pub(super) service: &'a str,
    /// The API host (with its port), or the endpoint's URL.
    pub(super) host: &'a str,
}

/// What kind of call_error it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// The service refused.
    Refused,
    /// The service throttled the call.
    Throttled,
    /// The service failed: 5xx.
    Server,
    /// The answer was not what the service answers.
    Garbage,
    /// Name, TCP, proxy or a connection that broke.
    Network,
    /// TLS refused the server, which another try does not help.
    Tls,
    /// Our clock is too far from the server's.
    Clock,
    /// The deadline passed.
    Deadline,
    /// Something of ours: a CA bundle, an endpoint.
    Setup,
}

/// A call that failed, taken apart.
#[derive(Clone, Debug)]
pub(super) struct CallError {
    /// What kind it was.
    pub(super) class: Class,
    /// The service's error code: `AccessDeniedException`.
    pub(super) code: Option<String>,
    /// The service's message, one line within bounds.
    pub(super) message: Option<String>,
    /// The HTTP status.
    pub(super) status: Option<u16>,
    /// The same for the user.
    pub(super) failure: UserError,
}

impl CallError {
    pub(in crate::aws) fn new(class: Class, failure: UserError) -> Self {
        Self { class, code: None, message: None, status: None, failure }
    }

    /// Whether another try may do.
    pub(super) fn outcome(&self) -> Outcome {
        match self.class {
            Class::Throttled => Outcome::Throttled,
            Class::Server | Class::Network => Outcome::Transient,
            Class::Clock => Outcome::Clock,
            Class::Refused | Class::Garbage | Class::Tls | Class::Deadline | Class::Setup => Outcome::Final,
        }
    }
}

impl From<CallError> for UserError {
    fn from(call_error: CallError) -> Self {
        call_error.failure
    }
}

/// What a call's failure says of itself.
pub(in crate::aws) trait TakeApart {
    /// The failure of a call to `asked`.
    fn take_apart(&self, asked: &CallTarget<'_>) -> CallError;
}

impl<E> TakeApart for SdkError<E, HttpResponse>
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    fn take_apart(&self, asked: &CallTarget<'_>) -> CallError {
        sdk_error(asked, self)
    }
}

/// ECR Public's name.
pub(super) const PUBLIC: &str = "ECR Public";

/// What to do about a proxy that is not there.
const PROXY: &str = "check the proxy that HTTPS_PROXY names, or add the host to NO_PROXY";

/// No answer within `limit`: what was being waited for, and of which service. `set_by` is what to raise for more time.
pub(super) fn deadline(
    asked: &CallTarget<'_>,
    limit: Duration,
    set_by: LimitSetting,
    progress: &Progress,
) -> CallError {
    let (phase, host) = progress.now();
    let host = host.unwrap_or_else(|| asked.host.to_owned());
    let to_proxy = progress.is_to_proxy() && matches!(phase, Phase::Name | Phase::Connect | Phase::Tls);
    let way = if to_proxy { ", on the way to the proxy" } else { "" };
    let what = format!("{} did not answer within {}: {phase}{way}", asked.service, seconds(limit));
    // Where the limit is ours, a longer deadline is no remedy.
    let ours = asked.service == PUBLIC && limit >= PUBLIC_TIMEOUT;
    let or_raise = |remedy: &str| format!("{remedy}, or raise {}", set_by.name());
    let remedy = match phase {
        _ if to_proxy => PROXY.to_owned(),
        Phase::Name if cfg!(any(windows, target_os = "macos")) => or_raise("check the system's name servers"),
        Phase::Name => or_raise("check the name servers in /etc/resolv.conf"),
        Phase::Proxy => PROXY.to_owned(),
        Phase::Connect | Phase::Tls => {
            "check the network, a firewall or a missing proxy setting (HTTPS_PROXY)".to_owned()
        }
        Phase::Idle | Phase::Answer | Phase::Body if ours => {
            "try again; a pull without a login is served too".to_owned()
        }
        Phase::Idle | Phase::Answer | Phase::Body => or_raise("try again"),
    };
    CallError::new(Class::Deadline, UserError::new(Kind::Network, what).endpoint(host).hint(remedy))
}

/// The same, where it is not known which service was called.
pub(super) fn late(deadline: Deadline, progress: &Progress) -> UserError {
    let (_, host) = progress.now();
    let asked = CallTarget { service: "AWS", host: host.as_deref().unwrap_or("AWS") };
    self::deadline(&asked, deadline.limit(), deadline.set_by(), progress).failure
}

/// A limit as people say it.
fn seconds(limit: Duration) -> String {
    let said = format!("{:.1}", limit.as_secs_f64());
    format!("{} s", said.strip_suffix(".0").unwrap_or(&said))
}

/// The SDK's error, taken apart.
pub(super) fn sdk_error<E>(asked: &CallTarget<'_>, error: &SdkError<E, HttpResponse>) -> CallError
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    match error {
        SdkError::ServiceError(context) => service_error(asked, context.err().meta(), context.raw()),
        SdkError::ResponseError(context) => {
            let status = context.raw().status().as_u16();
            // Not every service's error reader takes a stranger's page for an error of no code.
            if status >= 300 && transport::is_whole(error) {
                return service_error(asked, &ErrorMetadata::default(), context.raw());
            }
            let mut call_error = transport::unreadable(asked, status, error);
            call_error.status = Some(status);
            call_error
        }
        SdkError::DispatchFailure(context) => match context.as_connector_error() {
            Some(connector) => transport::connector(asked, connector),
            None => transport::setup(asked, error),
        },
        SdkError::TimeoutError(_) => {
            let what = format!("{} did not answer in time", asked.service);
            CallError::new(Class::Network, UserError::new(Kind::Network, what).endpoint(asked.host))
        }
        _ => transport::setup(asked, error),
    }
}

fn service_error(asked: &CallTarget<'_>, meta: &ErrorMetadata, raw: &HttpResponse) -> CallError {
    let status = raw.status().as_u16();
    let code = meta.code().map(|code| one_line(code, 60));
    let message = meta.message().map(|message| one_line(&without_secrets(message), 200));
    let skew = clock_skew::skew(raw);
    let (class, failure) = match code.as_deref() {
        Some(code) if clock_skew::blamed(code) && skew.is_some_and(clock_skew::too_far) => {
            (Class::Clock, clock_skew::failure(asked, skew.unwrap_or_default()))
        }
        Some(code) if clock_skew::is_said(code, message.as_deref()) => (Class::Clock, clock_skew::has_moved(asked)),
        Some(code) if is_throttling(code) || status == 429 => (Class::Throttled, throttled(asked, code)),
        None if status == 429 => (Class::Throttled, throttled(asked, "HTTP 429")),
        _ if status >= 500 => (Class::Server, server_failed(asked, status, code.as_deref(), message.as_deref())),
        Some(code) => (Class::Refused, said_no(asked, code, message.as_deref())),
        None => (Class::Garbage, transport::stranger(asked, status, raw)),
    };
    CallError { class, code, message, status: Some(status), failure }
}

fn said_no(asked: &CallTarget<'_>, code: &str, message: Option<&str>) -> UserError {
    let what = match message {
        Some(message) => format!("{} refused the call: {code}: {message}", asked.service),
        None => format!("{} refused the call: {code}", asked.service),
    };
    UserError::new(Kind::Credentials, what)
}

fn throttled(asked: &CallTarget<'_>, code: &str) -> UserError {
    let what = format!("{} is asked too often by this account and region ({code})", asked.service);
    UserError::new(Kind::Throttled, what).endpoint(asked.host).hint("try again in a minute")
}

fn server_failed(asked: &CallTarget<'_>, status: u16, code: Option<&str>, message: Option<&str>) -> UserError {
    let said: String = [code, message].into_iter().flatten().map(|text| format!(": {text}")).collect();
    let what = format!("{} failed with HTTP {status}{said}", asked.service);
    UserError::new(Kind::Network, what)
        .endpoint(asked.host)
        .hint("try again; if it goes on, see https://health.aws.amazon.com")
}

/// The codes that AWS's SDKs take for throttling (SDK reference guide, "Retry behavior").
fn is_throttling(code: &str) -> bool {
    matches!(
        code,
        "Throttling"
            | "ThrottlingException"
            | "ThrottledException"
            | "RequestThrottledException"
            | "RequestThrottled"
            | "TooManyRequestsException"
            | "RequestLimitExceeded"
            | "LimitExceededException"
            | "BandwidthLimitExceeded"
            | "ProvisionedThroughputExceededException"
            | "PriorRequestNotComplete"
            | "EC2ThrottledException"
            | "SlowDown"
    )
}
