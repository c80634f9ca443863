//! A kubelet's request, played by hand: the plugin is run as the kubelet runs it, and its answer judged as the kubelet does.

use std::ffi::{OsStr, OsString};
use std::process::Command;

use serde_json::{Value, json};

use super::Node;
use crate::PROGRAM;
use crate::cli::doctor::report::Step;
use crate::cli::setup::kubelet::usual_log;
use crate::os::deadline::Deadline;
use crate::os::environment::Environment;
use crate::os::subprocess::{self, Bounds, Stderr};
use crate::protocol::kubelet::PLUGIN;
use crate::text::printable::one_line;
use crate::text::span::span;

const NAME: &str = "image";

/// How long the kubelet lets a plugin run (`pkg/credentialprovider/plugin/plugin.go`).
const PLUGIN_TIME: std::time::Duration = std::time::Duration::from_secs(60);

/// The most that a response may have, in bytes.
const RESPONSE_LIMIT: usize = 1024 * 1024;

/// Asks the plugin for `image`, whose registry is `registry`. Without a configuration here, this program in its place.
pub(in super::super) fn play(node: &Node, environment: &Environment, image: &str, registry: &str) -> Step {
    let (mut command, api, by) = match &node.provider {
        Ok(provider) => {
            let plugin = node.bin_dir.join(&provider.name);
            let mut command = Command::new(&plugin);
            command.args(&provider.args).env_clear().envs(of_kubelet(node, environment)).envs(provider.env.clone());
            (command, provider.api_version.clone(), plugin.display().to_string())
        }
        Err(_) => {
            let Ok(program) = std::env::current_exe() else {
                return Step::skipped(NAME, "this binary's own path is not known");
            };
            let by = format!("this program (no {PLUGIN} is configured here)");
            let mut command = Command::new(program);
            command.arg("kubelet").env_clear().envs(environment.variables());
            (command, "credentialprovider.kubelet.k8s.io/v1".to_owned(), by)
        }
    };
    command.current_dir("/");
    let request = json!({ "kind": "CredentialProviderRequest", "apiVersion": api, "image": image }).to_string();
    let bounds = Bounds { deadline: Deadline::within(PLUGIN_TIME), stdout: RESPONSE_LIMIT, stderr: Stderr::Kept };
    let finished = match subprocess::run(command, request.as_bytes(), bounds) {
        Ok(finished) => finished,
        Err(error) => return wrong(format!("{by} {error}")),
    };
    let said = String::from_utf8_lossy(&finished.stderr);
    let said = said.lines().map(one_line).collect::<Vec<_>>().join("; ");
    if !finished.status.success() {
        return wrong(format!("{by} failed: {said}"));
    }
    let Ok(response) = serde_json::from_slice::<Value>(&finished.stdout) else {
        return wrong(format!("{by} answered with something that is not JSON"));
    };
    let auth = response.get("auth").and_then(Value::as_object).into_iter().flatten();
    let keys: Vec<&str> = auth.map(|(key, _)| key.as_str()).collect();
    if keys.is_empty() {
        let said = if said.is_empty() { String::new() } else { format!(": {said}") };
        return Step::note(
            NAME,
            format!("{by} answers without credentials{said}, so the kubelet pulls {image} without a login"),
            format!("run: {PROGRAM} doctor {registry}"),
        );
    }
    if !keys.contains(&registry) {
        return wrong(format!("{by} answers with credentials for {}, not for {registry}", one_line(&keys.join(", "))));
    }
    let kept = response.get("cacheDuration").and_then(Value::as_str).and_then(seconds);
    let kept = kept.map_or(String::new(), |seconds| format!(", which the kubelet remembers for {}", span(seconds)));
    Step::ok(NAME, format!("{by} answers with credentials for {registry}{kept}"))
}

fn wrong(found: String) -> Step {
    let log = usual_log();
    let remedy = format!("the steps below have the reason; the kubelet has the plugin's line in its log: {log}");
    Step::wrong(NAME, found, remedy)
}

/// The variables of the kubelet that runs, which its plugins have too. Where none runs, or its process may not be read, those of a service:
/// no home, no AWS.
fn of_kubelet(node: &Node, environment: &Environment) -> Vec<(OsString, OsString)> {
    let of_process = node.running.as_ref().and_then(|kubelet| {
        let bytes = std::fs::read(format!("/proc/{}/environ", kubelet.pid)).ok()?;
        Some(String::from_utf8_lossy(&bytes).split('\0').filter_map(pair).collect::<Vec<_>>())
    });
    let path = || environment.var_os("PATH").map(|path| ("PATH".into(), OsStr::to_owned(path)));
    of_process.unwrap_or_else(|| path().into_iter().collect())
}

fn pair(text: &str) -> Option<(OsString, OsString)> {
    text.split_once('=').map(|(name, value)| (name.into(), value.into()))
}

/// A duration as Go writes it (`6h3m12s`), in seconds.
fn seconds(text: &str) -> Option<i64> {
    let mut total = 0_i64;
    let mut digits = String::new();
    for character in text.chars() {
        let unit = match character {
            '0'..='9' | '.' => {
                digits.push(character);
                continue;
            }
            'h' => 3_600.0,
            'm' => 60.0,
            's' => 1.0,
            _ => return None,
        };
        let count: f64 = std::mem::take(&mut digits).parse().ok()?;
        #[expect(clippy::cast_possible_truncation, reason = "a float beyond i64 saturates")]
        let whole = (count * unit) as i64;
        total = total.saturating_add(whole);
    }
    digits.is_empty().then_some(total)
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_duration_of_go_is_read() {
        for (text, seconds) in
            [("6h3m12s", Some(21_792)), ("21792s", Some(21_792)), ("0s", Some(0)), ("x", None), ("5", None)]
        {
            assert_eq!(super::seconds(text), seconds, "{text}");
        }
    }
}
