//! The identity of a call: the credential source that is used for a registry, found without network, child process or
//! clock by reading environment and files once. Where the Go helper and the AWS CLI use the same credentials, so
//! do we; where they differ, we do as the AWS CLI (docs/identity.md).
//!
//! The [`CredentialSource`] holds the very bytes that were read, so the fetch runs what the cache key names.

mod aws_env;
mod cache_key;
pub(crate) mod command_line;
mod endpoint_config;
mod env_providers;
mod error;
mod go_helper;
mod host_context;
mod id_token_request;
mod jwt;
mod missing;
mod process_context;
mod profile_accounts;
mod profile_chain;
mod profile_files;
mod profile_parser;
mod provider_chain;
mod resolve_context;
#[cfg(test)]
mod tests;
mod token_files;

use std::borrow::Cow;
use std::path::PathBuf;

pub use error::{IdentityError, NoSuchProfile};
pub(crate) use go_helper::go_helper_differences;
pub(crate) use id_token_request::IdTokenRequest;
pub(crate) use jwt::is_jwt;
pub(crate) use missing::{half_configured, on_node, remedy_here, remedy_of_node, with_list};
pub(crate) use profile_accounts::{ProfileAccount, profile_accounts, profile_names};

use aws_env::AwsEnv;
use profile_files::{FileContents, ProfileFiles};

use crate::os::environment::Environment;
use crate::os::secret::Secret;
use crate::registry::Registry;
use crate::settings::CredentialSettings;

/// Whose token it is: SHA-256 over service, region, endpoint and source of credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CacheKey(pub [u8; 32]);

/// By what the credential source is chosen.
#[derive(Clone, Copy, Debug)]
pub enum CredentialSelector<'a> {
    /// What the settings say of the registry; their default is the SDK's default chain.
    Settings(&'a CredentialSettings),
    /// A pod's service account, for the kubelet.
    ServiceAccount(&'a ServiceAccount),
}

/// A Kubernetes service account's token and the role that it may assume.
#[derive(Clone, Debug)]
pub struct ServiceAccount {
    /// The projected token, a JWT.
    pub token: Secret,
    /// The role's ARN.
    pub role_arn: String,
}

impl ServiceAccount {
    /// Whether the token is a JWT that names its principal, as every token of Kubernetes does.
    pub fn has_claims(&self) -> bool {
        jwt::claims(self.token.expose()).is_some()
    }
}

/// One source of credentials, with everything that its provider needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CredentialSource {
    /// Keys in the environment or static keys of a profile.
    StaticKeys {
        /// Access key id.
        id: Secret,
        /// Secret access key.
        secret: Secret,
        /// Session token of temporary keys.
        session_token: Option<Secret>,
    },
    /// `credential_process` of a profile.
    CredentialProcess {
        /// The profile that names it, for messages.
        profile: String,
        /// The command line as the profile has it.
        command: Secret,
    },
    /// IAM Identity Center, by an `sso_session` or in the legacy form.
    Sso {
        /// The profile that names it, for the remedy `aws sso login --profile X`.
        profile: String,
        /// Name of the `sso-session` section; `None` for the legacy form.
        session: Option<String>,
        /// `sso_start_url`.
        start_url: String,
        /// `sso_region`.
        region: String,
        /// `sso_account_id`.
        account: String,
        /// `sso_role_name`.
        role: String,
        /// `sso_registration_scopes` of the session, as it stands there; for a sign-in.
        scopes: Option<String>,
        /// The cached token's file under `~/.aws/sso/cache`; `None` without a home directory.
        token_file: Option<PathBuf>,
    },
    /// A session of `aws login`, by `login_session` of a profile.
    LoginSession {
        /// The profile that names it, for the remedy `aws login --profile X`.
        profile: String,
        /// `login_session`, the ARN that the session was opened for.
        session: String,
        /// The region of AWS Sign-In, if any is configured; else the registry's.
        region: Option<String>,
        /// The session's file under `~/.aws/login/cache`; `None` without a home directory.
        session_file: Option<PathBuf>,
    },
    /// A web identity token (IRSA, OIDC of a CI system, a kubelet's service account token).
    WebIdentity {
        /// `AWS_ROLE_ARN` or `role_arn`.
        role_arn: String,
        /// `AWS_ROLE_SESSION_NAME` or `role_session_name`.
        session_name: Option<String>,
        /// The file that the token was read from, for messages; `None` for a token that was handed to us.
        token_file: Option<PathBuf>,
        /// The token's bytes, as read.
        token: Secret,
    },
    /// A web identity token of a CI job or another cloud, by `web_identity` of the settings.
    RequestedWebIdentity {
        /// `role_arn`.
        role_arn: String,
        /// `session_name`.
        session_name: Option<String>,
        /// `audience`.
        audience: String,
        /// The token, or how it is requested.
        request: IdTokenRequest,
    },
    /// ECS or EKS container credentials.
    Container {
        /// The full URI.
        uri: String,
        /// The `Authorization` header's value.
        authorization: Option<Secret>,
    },
    /// The instance metadata service.
    Imds {
        /// The service's endpoint.
        endpoint: String,
    },
    /// A role assumed with the credentials of another source.
    AssumeRole {
        /// The source whose credentials assume it.
        base: Box<CredentialSource>,
        /// `role_arn`.
        role_arn: String,
        /// `role_session_name`.
        session_name: Option<String>,
        /// `external_id`.
        external_id: Option<String>,
        /// `duration_seconds`; the SDK's default without it.
        duration_seconds: Option<i32>,
        /// `mfa_serial`: the device that a code is wanted from.
        mfa_serial: Option<String>,
    },
}

impl CredentialSource {
    /// Whether a role on the way wants a code from an MFA device.
    pub(crate) fn needs_mfa(&self) -> bool {
        match self {
            Self::AssumeRole { mfa_serial: Some(_), .. } => true,
            Self::AssumeRole { base, .. } => base.needs_mfa(),
            _ => false,
        }
    }
}

/// What the profile in force and the environment say of how AWS is reached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EndpointConfig {
    /// `endpoint_url` for ECR (or ECR Public), if any is configured.
    pub ecr_endpoint: Option<String>,
    /// The same for STS.
    pub sts_endpoint: Option<String>,
    /// The same for the SSO portal.
    pub sso_endpoint: Option<String>,
    /// The same for SSO OIDC.
    pub(crate) sso_oidc_endpoint: Option<String>,
    /// The same for AWS Sign-In.
    pub(crate) sign_in_endpoint: Option<String>,
    /// `AWS_USE_FIPS_ENDPOINT` or `use_fips_endpoint`.
    pub use_fips: bool,
    /// `AWS_USE_DUALSTACK_ENDPOINT` or `use_dualstack_endpoint`.
    pub use_dual_stack: bool,
    /// `ca_bundle` of the profile.
    pub(crate) ca_bundle: Option<PathBuf>,
    /// `AWS_EC2_METADATA_V1_DISABLED` or `ec2_metadata_v1_disabled`: the instance metadata service is never asked without a
    /// session token.
    pub(crate) imds_v1_disabled: bool,
}

/// The credential source of a registry, and how AWS is reached.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The source of credentials.
    pub source: CredentialSource,
    /// Endpoints and certificates.
    pub network: EndpointConfig,
    /// In words, for people, without key ids and ARNs: `profile prod`, `role ecr-pull by web identity`.
    pub(crate) label: String,
    /// Sources that come earlier in the order and why each is not used, for `doctor` and for the
    /// message when nothing is found.
    pub(crate) skipped_sources: Vec<String>,
    cache_key: Option<CacheKey>,
    /// `exp` of the web identity token that the source rests on, in seconds since the Unix epoch.
    ends_at: Option<i64>,
}

impl Identity {
    /// Finds the credential source for `registry`.
    ///
    /// # Errors
    /// A profile that is named and does not exist, a file that cannot be read or parsed, a chain that
    /// loops, a token file that cannot be read.
    pub fn resolve(
        environment: &Environment,
        wanted: CredentialSelector<'_>,
        registry: &Registry,
    ) -> Result<Self, IdentityError> {
        read(environment, |variables, files| provider_chain::find(variables, files, wanted, registry))
    }

    /// The source in words, and that nothing is configured where the instance's role is what is left.
    pub(crate) fn described(&self) -> Cow<'_, str> {
        match self.source {
            CredentialSource::Imds { .. } => format!("{}, as no other credentials are configured", self.label).into(),
            _ => Cow::Borrowed(&self.label),
        }
    }

    /// Whose token it would be at `now` (seconds since the Unix epoch); `None` where two identities could not
    /// be distinguished, or where the web identity token that the source rests on has ended: nothing is cached
    /// then, and nothing in the cache answers.
    pub fn cache_key(&self, now: i64) -> Option<&CacheKey> {
        self.cache_key.as_ref().filter(|_| self.ends_at.is_none_or(|end| now < end))
    }
}

/// Environment and files, read once, for several questions.
#[derive(Clone, Copy)]
pub(crate) struct CredentialReader<'a> {
    variables: &'a AwsEnv<'a>,
    files: &'a ProfileFiles<'a>,
}

impl CredentialReader<'_> {
    /// Reads environment and files, and hands on what they say.
    pub(crate) fn read<R>(environment: &Environment, then: impl FnOnce(CredentialReader<'_>) -> R) -> R {
        read(environment, |variables, files| then(CredentialReader { variables, files }))
    }

    /// The same as [`Identity::resolve`].
    ///
    /// # Errors
    /// Those of [`Identity::resolve`].
    pub(crate) fn identity(
        &self,
        wanted: CredentialSelector<'_>,
        registry: &Registry,
    ) -> Result<Identity, IdentityError> {
        provider_chain::find(self.variables, self.files, wanted, registry)
    }

    /// The region that the environment or the profile in use names; none where the files cannot be read.
    pub(crate) fn region(&self) -> Option<String> {
        profile_accounts::configured_region(self.variables, self.files)
    }
}

/// Reads environment and files, and hands on what they say.
fn read<R>(environment: &Environment, then: impl FnOnce(&AwsEnv<'_>, &ProfileFiles<'_>) -> R) -> R {
    let variables = AwsEnv::of(environment);
    let contents = FileContents::read(&variables);
    then(&variables, &contents.sections())
}
