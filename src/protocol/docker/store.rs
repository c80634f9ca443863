//! `store` and `erase`: what `docker login` and `docker logout` run.

use std::borrow::Cow;

use serde::Deserialize;

use super::input::{self, Input};
use super::response::{NO_SERVER_URL, NO_USERNAME, Response};
use super::{Action, HelperContext, delegate};
use crate::cache::Cache;
use crate::credentials::{CredentialSelector, Identity};
use crate::os::stdio::one_line;
use crate::registry::host_of;
use crate::settings::ResolvedRegistry;

/// The one user name of ECR.
const ECR_USER: &str = "AWS";

/// The input of `store`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Login<'a> {
    #[serde(rename = "ServerURL", alias = "serverURL", alias = "serverurl", default)]
    server_url: Option<String>,
    #[serde(alias = "username", default)]
    username: Option<String>,
    #[serde(borrow, default)]
    secret: Option<Cow<'a, str>>,
}

/// Stores nothing: tokens for ECR are fetched, and other registries are not served.
pub(super) fn store(context: &HelperContext, input: Input) -> Response {
    // Inside an `Option` serde copies the secret, whatever the attribute says, and an error drops the copy as it is.
    crate::os::secret::wipe_what_is_freed();
    let bytes = match input {
        Input::Bytes(bytes) => bytes,
        Input::Empty => return Response::error(NO_SERVER_URL),
        Input::TooLong => return Response::error("the credentials on stdin are longer than 64 KiB"),
        Input::Failed(error) => return Response::error(&error.to_string()),
    };
    if bytes.trim_ascii_start().first() == Some(&b'[') {
        // serde would take an array for a struct whose fields come in order.
        return Response::error(NO_SERVER_URL).with(Some("stdin is not the JSON of a login (a list)".to_owned()));
    }
    let login: Login<'_> = match serde_json::from_slice(&bytes) {
        Ok(login) => login,
        // The parser's own message could quote the secret.
        Err(error) => {
            let place = format!("line {}, column {}", error.line(), error.column());
            return Response::error(NO_SERVER_URL).with(Some(format!("stdin is not the JSON of a login ({place})")));
        }
    };
    let name = login.server_url.as_deref().map(str::trim).unwrap_or_default();
    let user = login.username.as_deref().unwrap_or_default();
    if name.is_empty() {
        return Response::error(NO_SERVER_URL);
    }
    if user.is_empty() {
        return Response::error(NO_USERNAME);
    }
    let shown = shown(name);
    if let Some(target) = context.call.settings.target(name) {
        let line = match login.secret.as_deref() {
            Some(secret) if user == ECR_USER && !is_cached(context, &target, secret) => {
                not_our_token(context, &target, &shown)
            }
            _ => kept_nothing(&shown, user),
        };
        let response = Response::of("").with(Some(line));
        return response.with(context.warning()).with(context.no_log.clone());
    }
    if context.broken_settings.is_none() && context.call.settings.delegate.is_some() {
        return delegate::pass(Action::Store, &bytes, &context.call);
    }
    let line = format!(
        "{shown} is not a registry of Amazon ECR, and ecr-login keeps credentials for no other; in \
         ~/.docker/config.json name ecr-login under \"credHelpers\" for your ECR registries and give this one another \
         helper"
    );
    Response::error(&line).with(Some(line)).with(context.warning())
}

/// Whether this helper fetched the token: every other one may be another identity's.
fn is_cached(context: &HelperContext, target: &ResolvedRegistry, secret: &str) -> bool {
    let entries = Cache::open(&context.call.environment).map(|cache| cache.entries()).unwrap_or_default();
    entries.iter().any(|entry| entry.registry == target.registry.host() && entry.password.expose() == secret)
}

/// A script that logs in with a token of its own believes that pulls and pushes run as the token's identity.
fn not_our_token(context: &HelperContext, target: &ResolvedRegistry, name: &str) -> String {
    let wanted = CredentialSelector::Settings(&target.credentials);
    let whose = match Identity::resolve(&context.call.environment, wanted, &target.registry) {
        Ok(identity) => format!(" ({})", identity.label),
        Err(_) => String::new(),
    };
    format!(
        "{name}: nothing was stored: this login's token was not fetched by this helper, and pulls and pushes use the \
         helper's own credentials{whose}, not those of the login; to use others, name their profile or role for this \
         registry in the settings file"
    )
}

/// For those who typed `docker login`; with a warning where the token is of another identity.
fn kept_nothing(name: &str, user: &str) -> String {
    if user == ECR_USER {
        return format!(
            "{name}: nothing was stored; tokens are fetched with your AWS credentials when they are needed"
        );
    }
    let user: String = one_line(user).chars().take(60).collect();
    format!(
        "{name}: WARNING: the login of user {user:?} was NOT stored: ECR knows only the user {ECR_USER}, and this \
         registry is opened with your AWS credentials; say in our settings file which profile or role is used for it"
    )
}

/// Removes what is cached for an ECR registry. For any other name there is nothing to remove, which is not an error:
/// docker would otherwise leave a stale login in its own file.
pub(super) fn erase(context: &HelperContext, input: Input) -> Response {
    let bytes = match input {
        Input::Bytes(bytes) => bytes,
        Input::Empty => return Response::error(NO_SERVER_URL),
        Input::TooLong => return Response::of(""),
        Input::Failed(error) => return Response::error(&error.to_string()),
    };
    let Some(target) = input::name(&bytes).and_then(|name| context.call.settings.target(name)) else {
        if context.broken_settings.is_none() && context.call.settings.delegate.is_some() {
            return delegate::pass(Action::Erase, &bytes, &context.call);
        }
        return Response::of("").with(context.warning());
    };
    let Some(cache) = Cache::open(&context.call.environment) else {
        return Response::of("").with(context.warning());
    };
    let forgotten = cache.erase(target.registry.host());
    let response = match &forgotten {
        Ok(_) => Response::of(""),
        Err(error) => Response::error(&error.to_string()).with(Some(error.to_string())),
    };
    let response = response.with(context.warning()).with(context.no_log.clone());
    cache.warnings().into_iter().fold(response, |response, line| response.with(Some(line)))
}

/// The host where there is one, else a short piece of what was sent.
fn shown(name: &str) -> String {
    const MAX_CHARS: usize = 100;
    host_of(name).unwrap_or_else(|| one_line(name).chars().take(MAX_CHARS).collect())
}
