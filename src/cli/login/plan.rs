//! Which registries `login` is for, by which identities, and what there is to sign in to.

use crate::aws::sign_in::SsoSession;
use crate::cli::arguments::Login;
use crate::cli::configured;
use crate::cli::setup::check_profile;
use crate::credentials::{self, CredentialSelector, CredentialSource, Identity};
use crate::os::environment::Environment;
use crate::registry::{Registry, Service};
use crate::settings::{CredentialSettings, ResolvedRegistry, Settings};
use crate::text::user_error::{Kind, UserError};

/// A registry and the identity that a pull from it would have.
pub(super) struct Planned {
    /// The registry.
    pub(super) target: ResolvedRegistry,
    /// The identity.
    pub(super) identity: Identity,
}

/// What there is to sign in to. Two that are equal are signed in to once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum SignIn {
    /// A session of IAM Identity Center.
    Sso {
        /// In words.
        name: String,
        /// Its login's file.
        token_file: Option<std::path::PathBuf>,
    },
    /// A role that wants a code.
    Mfa {
        /// `mfa_serial`.
        serial: String,
    },
    /// A session of `aws login`, which the AWS CLI alone opens.
    LoginSession {
        /// The profile.
        profile: String,
    },
    /// Nothing.
    Nothing,
}

impl Planned {
    /// What its source rests on.
    pub(super) fn sign_in(&self) -> SignIn {
        sign_in(&self.identity.source)
    }

    /// The session of IAM Identity Center that the source rests on, and where its login is kept.
    pub(super) fn sso_session(&self) -> Option<SsoSession<'_>> {
        match base(&self.identity.source) {
            CredentialSource::Sso { session, start_url, region, scopes, token_file, .. } => Some(SsoSession {
                name: session.as_deref(),
                start_url,
                region,
                scopes: scopes.as_deref(),
                token_file: token_file.as_deref()?,
            }),
            _ => None,
        }
    }
}

/// The source below all roles.
fn base(source: &CredentialSource) -> &CredentialSource {
    match source {
        CredentialSource::AssumeRole { base: below, .. } => base(below),
        source => source,
    }
}

fn sign_in(source: &CredentialSource) -> SignIn {
    match source {
        CredentialSource::AssumeRole { mfa_serial: Some(serial), .. } => SignIn::Mfa { serial: serial.clone() },
        CredentialSource::AssumeRole { base, .. } => sign_in(base),
        CredentialSource::Sso { session, token_file, profile, .. } => {
            let name = match session {
                Some(session) => format!("the SSO session {session}"),
                None => format!("the SSO of profile {profile}"),
            };
            SignIn::Sso { name, token_file: token_file.clone() }
        }
        CredentialSource::LoginSession { profile, .. } => SignIn::LoginSession { profile: profile.clone() },
        _ => SignIn::Nothing,
    }
}

/// What to sign in to and fetch, in order; never empty.
///
/// # Errors
/// No registry is named and none is found, or its identity cannot be determined.
pub(super) fn plan(wanted: &Login, settings: &Settings, environment: &Environment) -> Result<Vec<Planned>, UserError> {
    if let Some(name) = &wanted.registry {
        let target = crate::cli::target(settings, name)?;
        if target.credentials.anonymous {
            let what = "the settings say anonymous = true here, so there is nothing to sign in to";
            return Err(UserError::new(Kind::Settings, format!("{name}: {what}")));
        }
        return Ok(vec![resolve(target, environment)?]);
    }
    let mut served: Vec<ResolvedRegistry> = Vec::new();
    let names = configured::registries_or_served(environment, settings);
    for target in names.into_iter().filter_map(|host| settings.target(&host)) {
        let is_known = served.iter().any(|known| known.registry.host() == target.registry.host());
        if !target.credentials.anonymous && !is_known {
            served.push(target);
        }
    }
    // ECR Public serves without a login: that there are no credentials for it is no failure.
    let found: Vec<Result<Planned, UserError>> = served
        .into_iter()
        .map(|target| (target.registry.service(), resolve(target, environment)))
        .filter(|(service, found)| {
            let is_missing = found.as_ref().is_err_and(|failure| failure.kind == Kind::NoCredentials);
            !(*service == Service::Public && is_missing)
        })
        .map(|(_, found)| found)
        .collect();
    let Some(profile) = &wanted.profile else {
        return all(found);
    };
    let own = of_profile(profile, environment)?;
    let wanted = own.sign_in();
    let rest_on_it = |planned: &Planned| match &wanted {
        SignIn::Sso { .. } => planned.sign_in() == wanted,
        _ => planned.identity.label == own.identity.label,
    };
    let mut planned: Vec<Planned> = found.into_iter().filter_map(Result::ok).filter(rest_on_it).collect();
    if planned.is_empty() {
        planned.push(own);
    }
    Ok(planned)
}

/// All of the clients' registries. One whose identity cannot be determined keeps no other from being signed in to.
fn all(found: Vec<Result<Planned, UserError>>) -> Result<Vec<Planned>, UserError> {
    let (planned, failed): (Vec<_>, Vec<_>) = found.into_iter().partition(Result::is_ok);
    let planned: Vec<Planned> = planned.into_iter().flatten().collect();
    let mut failures = failed.into_iter().filter_map(Result::err);
    if planned.is_empty() {
        return Err(failures.next().unwrap_or_else(|| {
            UserError::new(Kind::Other, "no registry is named, and no client's file names one for this helper")
                .hint("name one: login REGISTRY, or a profile: login --profile NAME")
        }));
    }
    for failure in failures {
        crate::cli::terminal::warn_line(&failure.to_string());
    }
    Ok(planned)
}

fn resolve(target: ResolvedRegistry, environment: &Environment) -> Result<Planned, UserError> {
    let selector = CredentialSelector::Settings(&target.credentials);
    let identity = Identity::resolve(environment, selector, &target.registry).map_err(|error| {
        let failure = UserError::from(error);
        UserError { message: format!("{}: {}", target.registry.host(), failure.message), ..failure }
    })?;
    Ok(Planned { target, identity })
}

/// The profile by itself: with the registry of its account in its region.
fn of_profile(profile: &str, environment: &Environment) -> Result<Planned, UserError> {
    let credentials = CredentialSettings { profile: Some(profile.to_owned()), ..CredentialSettings::default() };
    let accounts = credentials::profile_accounts(environment);
    let own = accounts.into_iter().find(|account| account.profile == profile);
    let registry = own.and_then(|own| Registry::of(&own.account, &own.region));
    let Some(anywhere) = Registry::of("000000000000", "us-east-1") else { return Err(no_registry(profile)) };
    check_profile(profile, registry.as_ref().unwrap_or(&anywhere), environment)
        .map_err(|reason| UserError::new(Kind::Settings, format!("--profile {profile}: {reason}")))?;
    if let Some(registry) = registry {
        return resolve(ResolvedRegistry { registry, credentials }, environment);
    }
    // Without a region of its own, that of its sign-in.
    let planned = resolve(ResolvedRegistry { registry: anywhere, credentials }, environment)?;
    let registry = match base(&planned.identity.source) {
        CredentialSource::Sso { account, region, .. } => Registry::of(account, region),
        _ => None,
    };
    let registry = registry.ok_or_else(|| no_registry(profile))?;
    resolve(ResolvedRegistry { registry, ..planned.target }, environment)
}

fn no_registry(profile: &str) -> UserError {
    let what =
        format!("profile {profile} names no account and region, so that it is not known which registry is meant");
    UserError::new(Kind::Settings, what).hint("name the registry: login REGISTRY (with AWS_PROFILE set to the profile)")
}
