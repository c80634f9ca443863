//! `clear`: forgets cached tokens, so that the next pull asks ECR anew.

use std::process::ExitCode;

use super::arguments::Clear;
use super::terminal;
use crate::cache::Cache;
use crate::os::environment::Environment;
use crate::settings::Settings;

/// Runs the command.
pub(super) fn run(wanted: &Clear, environment: &Environment) -> ExitCode {
    match forget(wanted.registry.as_deref(), environment) {
        Ok(said) => terminal::write_stdout(&format!("{said}\n")),
        Err(reason) => {
            terminal::warn_line(&format!("clear: {reason}"));
            ExitCode::FAILURE
        }
    }
}

fn forget(name: Option<&str>, environment: &Environment) -> Result<String, String> {
    // A broken settings file must not keep tokens from being forgotten; only aliases are in it.
    let settings = Settings::load(environment).unwrap_or_default();
    let host = match name {
        None => None,
        Some(name) => Some(
            super::target(&settings, name).map_err(|failure| format!("{name}: {failure}"))?.registry.host().to_owned(),
        ),
    };
    let Some(cache) = Cache::open(environment) else {
        return Ok("There is no cache, so there is nothing to forget.".to_owned());
    };
    let forgotten = match &host {
        Some(host) => cache.erase(host),
        None => cache.clear(),
    };
    let forgotten = forgotten.map_err(|error| error.to_string())?;
    if let Some(warning) = cache.warnings().into_iter().next() {
        return Err(warning);
    }
    let whose = host.map_or_else(|| "all registries".to_owned(), |host| format!("{host} and what shares its token"));
    Ok(match forgotten {
        true => format!("Forgot the tokens of {whose}; the next pull fetches a new one."),
        false => "No token was cached.".to_owned(),
    })
}
