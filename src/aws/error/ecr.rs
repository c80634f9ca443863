//! ECR's and ECR Public's refusals, and what each asks of a person.

use super::{CallError, Class};
use crate::registry::{Registry, Service};
use crate::text::user_error::UserError;

/// Regions that an account must switch on (AWS General Reference, "Specify which AWS Regions your account can
/// use"). In any other region a refusal has another reason.
const OPT_IN: &[&str] = &[
    "af-south-1",
    "ap-east-1",
    "ap-east-2",
    "ap-south-2",
    "ap-southeast-3",
    "ap-southeast-4",
    "ap-southeast-5",
    "ap-southeast-6",
    "ap-southeast-7",
    "ca-west-1",
    "eu-central-2",
    "eu-south-1",
    "eu-south-2",
    "il-central-1",
    "me-central-1",
    "me-south-1",
    "mx-central-1",
];

/// The failure of `GetAuthorizationToken`, with the remedy for this registry.
pub(crate) fn refused(registry: &Registry, call_error: CallError) -> UserError {
    let CallError { class, code, message, failure, .. } = call_error;
    if class != Class::Refused {
        return failure;
    }
    let message = message.unwrap_or_default();
    match code.as_deref().unwrap_or_default() {
        "AccessDeniedException" | "AccessDenied" | "UnauthorizedOperation" => failure.hint(denied(registry, &message)),
        "UnrecognizedClientException" | "InvalidClientTokenId" | "InvalidAccessKeyId" | "AuthFailure" => {
            failure.hint(unknown_keys(registry))
        }
        "ExpiredTokenException" | "ExpiredToken" | "TokenRefreshRequired" => {
            failure.hint("the credentials have expired: log in again, or renew the session keys where they come from")
        }
        "InvalidSignatureException"
        | "SignatureDoesNotMatch"
        | "IncompleteSignature"
        | "IncompleteSignatureException" => {
            failure.hint("the secret access key does not fit the access key id: correct the keys")
        }
        "OptInRequired" | "RegionDisabledException" | "SubscriptionRequiredException" => failure.hint(format!(
            "enable the region {} for the account (AWS console, Account, AWS Regions)",
            registry.region()
        )),
        "MissingAuthenticationTokenException" | "MissingAuthenticationToken" => {
            failure.hint("check the endpoint (AWS_ENDPOINT_URL) and the proxy: the signature got lost on the way")
        }
        _ => failure,
    }
}

fn denied(registry: &Registry, message: &str) -> String {
    let action = match registry.service() {
        Service::Private => "ecr:GetAuthorizationToken",
        Service::Public => "ecr-public:GetAuthorizationToken and sts:GetServiceBearerToken",
    };
    if message.contains("VPC endpoint policy") {
        return format!("allow {action} in the policy of the VPC endpoint");
    }
    if message.contains("explicit deny") {
        return format!("a policy denies it explicitly: have {action} taken out of that deny");
    }
    format!("allow this identity the IAM action {action} on resource \"*\"")
}

fn unknown_keys(registry: &Registry) -> String {
    let (partition, region) = (registry.partition(), registry.region());
    let keys = format!("these keys are unknown in partition {partition}: deleted, inactive or of another partition");
    if OPT_IN.contains(&region) {
        format!("{keys}; or the account has not enabled the region {region}")
    } else {
        format!("{keys}; use keys of an account there")
    }
}
