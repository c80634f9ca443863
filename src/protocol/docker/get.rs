//! `get`: credentials for one registry.

use super::input::{self, Input};
use super::reply::{NO_SERVER_URL, Reply};
use super::{Action, Situation, delegate};
use crate::broker::{self, Patience, Question, Wish};
use crate::failure::{Failure, Kind};
use crate::registry::{Service, host_of};
use crate::settings::Target;

/// Answers with a token, or says why there is none.
pub fn get(situation: &Situation, input: Input) -> Reply {
    let bytes = match input {
        Input::Bytes(bytes) => bytes,
        Input::Empty => return Reply::error(NO_SERVER_URL),
        Input::TooLong => return Reply::not_found(),
        Input::Failed(error) => return Reply::not_found().with(Some(error.to_string())),
    };
    let asked = input::name(&bytes);
    let target = asked.and_then(|name| Some((name, situation.call.settings.target(name)?)));
    let Some((name, target)) = target else {
        if situation.broken_settings.is_none() && situation.call.settings.delegate.is_some() {
            return delegate::pass(Action::Get, &bytes, &situation.call);
        }
        // The name may be an alias in a settings file that cannot be used: that is said, and breaks nothing.
        return Reply::not_found().with(situation.warning());
    };
    if target.speaker.anonymous {
        return Reply::not_found();
    }
    let is_strict = situation.is_strict();
    let reply = match answer(situation, name, &target) {
        Ok(reply) => reply,
        Err(failure) => explain(name, &target, &failure, is_strict),
    };
    reply.with(situation.no_log.clone())
}

fn answer(situation: &Situation, name: &str, target: &Target) -> Result<Reply, Failure> {
    if let Some(failure) = situation.broken_settings.as_ref().or(situation.wrong_limit.as_ref()) {
        return Err(failure.clone());
    }
    let wish = Wish::of(&situation.call.environment);
    let question = Question { target, service_account: None, wish, patience: Patience::Client };
    let answer = broker::token(&situation.call, &question)?;
    Reply::credentials(name, &answer)
        .map_err(|error| Failure::new(Kind::Other, format!("the answer cannot be written: {error}")))
}

/// To the client there is nothing for this registry; to the user, one line says why.
fn explain(name: &str, target: &Target, failure: &Failure, is_strict: bool) -> Reply {
    let host = host_of(name);
    let line = format!("{}: {failure}", host.as_deref().unwrap_or(name));
    match target.registry.service() {
        // Whoever has no credentials pulls anonymously here and need not hear of it.
        Service::Public if failure.kind == Kind::NoCredentials => Reply::not_found(),
        Service::Private if is_strict => Reply::error(&format!("{}: {line}", crate::PROGRAM)),
        Service::Public | Service::Private => Reply::not_found().with(Some(line)),
    }
}
