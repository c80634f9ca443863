//! `login`: signs the person in to the credential source that a pull would use (a browser for IAM Identity Center, a code
//! for an MFA device), then fetches and keeps the registries' tokens.
//!
//! What a person must read stands on stderr, the one closing line on stdout. An MFA code is asked for on the terminal and
//! never read from stdin, which belongs to whatever runs us.

mod browser;
mod guide;
mod mfa_prompt;
mod plan;

use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use super::arguments::Login;
use super::terminal;
use crate::aws::SharedCredentials;
use crate::aws::providers::mfa::{MfaPrompt, MfaQuestion};
use crate::aws::retry::RetryPolicy;
use crate::aws::sign_in::{self, Grant};
use crate::os::clock;
use crate::os::deadline::Deadline;
use crate::os::environment::Environment;
use crate::os::secret;
use crate::settings::Settings;
use crate::text::span;
use crate::text::user_error::{Kind, UserError};
use crate::token::{self, FetchMode, RequestContext, TokenRequest};
use browser::Browser;
use guide::TerminalGuide;
use plan::{Planned, SignIn};

/// Signs in, fetches, and prints in one line the identity, the registries and the end.
pub(super) fn run(wanted: &Login, environment: Environment) -> ExitCode {
    // Clients' files may hold logins in plain text.
    secret::wipe_what_is_freed();
    match login(wanted, environment) {
        Ok(line) => terminal::write_stdout(&format!("{line}\n")),
        Err(failure) => {
            terminal::warn_line(&failure.to_string());
            ExitCode::FAILURE
        }
    }
}

fn login(wanted: &Login, environment: Environment) -> Result<String, UserError> {
    let settings = Settings::load(&environment)?;
    let deadline = Deadline::by_option(Duration::from_secs(wanted.timeout));
    let planned = plan::plan(wanted, &settings, &environment)?;
    let call =
        RequestContext { environment, settings, deadline, shared_credentials: Some(SharedCredentials::default()) };
    let mut said = Vec::new();
    let mut signed_in: Vec<SignIn> = Vec::new();
    for planned in &planned {
        let sign_in = planned.sign_in();
        if signed_in.contains(&sign_in) {
            continue;
        }
        match &sign_in {
            SignIn::Sso { name, .. } => {
                let until = sign_in_to_sso(wanted, &call, planned)?;
                said.push(format!("signed in to {name}: {}", good_until(until)));
            }
            SignIn::Mfa { .. } => {}
            // Its sign-in is the AWS CLI's.
            SignIn::LoginSession { profile } => {
                terminal::warn_line(&format!(
                    "profile {profile} is signed in to with \"aws login --profile {profile}\""
                ));
            }
            SignIn::Nothing => {
                let (host, label) = (planned.target.registry.host(), &planned.identity.label);
                terminal::warn_line(&format!("{host}: there is nothing to sign in to; used: {label}"));
            }
        }
        signed_in.push(sign_in);
    }
    let fetched = fetch_all(&call, &planned).map_err(|failure| said.iter().fold(failure, |f, line| f.also(line)))?;
    said.push(fetched);
    Ok(said.join("; "))
}

/// Signs in to the session of IAM Identity Center that the source rests on.
fn sign_in_to_sso(wanted: &Login, call: &RequestContext, planned: &Planned) -> Result<SystemTime, UserError> {
    let Some(session) = planned.sso_session() else {
        return Err(UserError::new(Kind::Credentials, "there is no place for the login: HOME is not set")
            .hint("set HOME to your home directory"));
    };
    let browser = Browser::find(&call.environment);
    // A browser at another machine would be redirected to that machine.
    let is_here = browser.is_some() && !browser::is_remote(&call.environment);
    let grant = if wanted.device_code || !is_here { Grant::DeviceCode } else { Grant::AuthorizationCode };
    let guide = TerminalGuide { browser: browser.filter(|_| !wanted.no_browser) };
    let Planned { identity, target } = planned;
    let deadline = call.deadline;
    sign_in::sign_in(&call.environment, identity, &target.registry, session, grant, &guide, deadline)
}

/// Fetches and keeps the tokens, and says whose they are.
fn fetch_all(call: &RequestContext, planned: &[Planned]) -> Result<String, UserError> {
    let ask = |question: &MfaQuestion<'_>| mfa_prompt::ask(question, call.deadline);
    let mfa = MfaPrompt::new(&ask);
    let mut lines: Vec<(String, Vec<&str>, Option<i64>)> = Vec::new();
    let mut fresh = Vec::new();
    for planned in planned {
        let (identity, host) = (&planned.identity, planned.target.registry.host());
        // One call for all registries of an identity and region; another person than before may have signed in, so that
        // the first takes nothing from the cache.
        let key = identity.cache_key(clock::seconds()).copied();
        let is_fresh = key.is_some() && fresh.contains(&key);
        let mode = match planned.sign_in() {
            SignIn::Sso { .. } | SignIn::Mfa { .. } if !is_fresh => FetchMode::ForceRefresh,
            _ => FetchMode::Prefetch,
        };
        let (target, retry) = (&planned.target, RetryPolicy::Interactive);
        let request = TokenRequest { target, service_account: None, mode, retry };
        let answer = token::token_with_mfa(call, &request, Some(&mfa))
            .map_err(|failure| UserError { message: format!("{host}: {}", failure.message), ..failure })?;
        fresh.push(key);
        for warning in &answer.warnings {
            terminal::warn_line(&format!("{host}: {warning}"));
        }
        let known = lines.iter_mut().find(|(label, _, end)| *label == identity.label && *end == answer.expires_at);
        match known {
            Some((_, hosts, _)) => hosts.push(host),
            None => lines.push((identity.label.clone(), vec![host], answer.expires_at)),
        }
    }
    let line = |(label, hosts, end): &(String, Vec<&str>, Option<i64>)| {
        let until = end.map_or(String::new(), |end| format!(": {}", span::good_for(clock::seconds(), end, None)));
        format!("{label}: {}{until}", hosts.join(", "))
    };
    Ok(lines.iter().map(line).collect::<Vec<_>>().join("; "))
}

/// How long a login is good.
fn good_until(at: SystemTime) -> String {
    let since = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    span::good_for(clock::seconds(), i64::try_from(since.as_secs()).unwrap_or(i64::MAX), None)
}
