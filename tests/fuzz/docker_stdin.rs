//! stdin of each action of docker's protocol. The first line is the action, the rest is stdin.

use ecr_login::os::stdio::one_line;
use ecr_login::protocol::docker::{Action, HelperContext, Input, Response};
use ecr_login::registry::host_of;
use serde_json::{Value, json};

use super::fixture::{ALIAS, Fixture, REGISTRY, TOKEN};
use super::{memory, secrets};

pub fn check(input: &[u8]) {
    let end = input.iter().position(|byte| *byte == b'\n').unwrap_or(input.len());
    let action = std::str::from_utf8(&input[..end]).ok().and_then(Action::of).unwrap_or(Action::Get);
    let stdin = input.get(end + 1..).unwrap_or_default();
    let fixture = Fixture::get();
    fixture.fill();
    let context = HelperContext::of(fixture.environment.clone());
    let response =
        memory::bounded(stdin.len(), (128 * 1024, 16), || context.answer(action, |_| Input::of(stdin.to_vec().into())));
    let name = std::str::from_utf8(stdin).ok().map(str::trim).unwrap_or_default();
    let ours = host_of(name).is_some_and(|host| [REGISTRY, ALIAS].contains(&host.as_str()));
    match action {
        Action::Get if response.code == 0 => {
            assert!(ours, "{name:?} got a token");
            let answer: Value = serde_json::from_slice(&response.stdout).unwrap();
            assert_eq!(answer, json!({ "ServerURL": name, "Username": "AWS", "Secret": TOKEN }));
            assert!(response.stderr.is_empty(), "{:?}", response.stderr);
        }
        Action::Get => {
            assert!(!ours, "{name:?} got {response:?}");
            is_one_line(&response);
        }
        Action::Store => {
            is_one_line(&response);
            let login = serde_json::from_slice::<Value>(stdin).unwrap_or_default();
            secrets::stays_out(login["Secret"].as_str().unwrap_or_default(), stdin, |stdin| {
                text(&context.answer(action, |_| Input::of(stdin.to_vec().into())))
            });
        }
        Action::Erase => {
            is_one_line(&response);
            assert_eq!(fixture.cached().is_none(), ours, "{name:?}");
        }
        Action::List => {
            let listed: Value = serde_json::from_slice(&response.stdout).unwrap();
            // What is cached, and what the settings name by a literal host.
            assert_eq!((listed, response.code), (json!({ REGISTRY: "AWS", ALIAS: "AWS" }), 0));
        }
        Action::Version => is_one_line(&response),
    }
    if response.code != 0 || action != Action::Get {
        assert!(!text(&response).contains(TOKEN));
    }
}

fn text(response: &Response) -> String {
    format!("{}{}", String::from_utf8_lossy(&response.stdout), response.stderr.join("\n"))
}

/// Nothing, or one line without anything that drives a terminal; an error is never nothing.
fn is_one_line(response: &Response) {
    let said = std::str::from_utf8(&response.stdout).unwrap();
    match said.strip_suffix('\n') {
        Some(line) => assert_eq!(line, one_line(line)),
        None => assert!(said.is_empty() && response.code == 0, "{said:?}"),
    }
}
