//! `list`: the registries that a `get` would serve from the cache now.

use serde_json::{Map, Value};

use super::response::Response;
use super::{Action, HelperContext, delegate};
use crate::token;

/// What clients send, and what goes to a delegate.
const UNUSED: &[u8] = b"unused";

/// `{"https://REGISTRY":"AWS"}`, with the delegate's own beside them. Never the network.
pub fn list(situation: &HelperContext) -> Response {
    let mut names = Map::new();
    let mut lines: Vec<String> = situation.warning().into_iter().chain(situation.no_log.clone()).collect();
    if situation.broken_settings.is_none() {
        if situation.call.settings.delegate.is_some() {
            match delegate::listed(UNUSED, &situation.call) {
                Ok(listed) => names = listed,
                Err(error) => lines.push(format!("{}: {error}", Action::List.name())),
            }
        }
        let (ours, warnings) = token::listed_registries(&situation.call);
        lines.extend(warnings);
        names.extend(ours.into_iter().map(|host| (format!("https://{host}"), Value::from("AWS"))));
    }
    let text = format!("{}\n", Value::Object(names));
    lines.into_iter().fold(Response::of(text), |response, line| response.with(Some(line)))
}
