//! `list`: the registries that a `get` may be asked for.

use serde_json::{Map, Value};

use super::response::Response;
use super::{Action, HelperContext, delegate};
use crate::protocol::clients::docker_config;
use crate::token;

/// What clients send, and what goes to a delegate.
const UNUSED: &[u8] = b"unused";

/// `{"REGISTRY":"AWS"}`, with the delegate's own beside them. With everything cached no network is used.
pub(super) fn list(context: &HelperContext) -> Response {
    let mut names = Map::new();
    let mut lines: Vec<String> = context.warning().into_iter().chain(context.no_log.clone()).collect();
    if context.broken_settings.is_none() {
        if context.call.settings.delegate.is_some() {
            match delegate::listed(UNUSED, &context.call) {
                Ok(listed) => names = listed,
                Err(error) => lines.push(format!("{}: {error}", Action::List.name())),
            }
        }
        // Some clients ask only for what is listed (the classic builder, docker-py's `build`, regctl), so what they may
        // need is named before it was ever served.
        let literal = context.call.settings.literal_names().map(str::to_owned);
        let named = literal.chain(docker_config::names(&context.call.environment));
        let listed = token::listed_registries(&context.call, named);
        lines.extend(listed.warnings);
        // Bare: podman's service refuses the whole list for one `https://`, and every other client takes both.
        names.extend(listed.hosts.into_iter().map(|host| (host, Value::from("AWS"))));
    }
    let text = format!("{}\n", Value::Object(names));
    lines.into_iter().fold(Response::of(text), |response, line| response.with(Some(line)))
}
