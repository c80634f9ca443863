//! The settings file: the reader for the plain shape against the full parser, and patterns against a slow matcher.

use ecr_login::os::stdio::one_line;
use ecr_login::registry::{Registry, host_of};
use ecr_login::settings::Settings;

use super::memory;

/// Names to ask every settings file for.
const NAMES: [&str; 6] = [
    "123456789012.dkr.ecr.eu-west-1.amazonaws.com",
    "210987654321.dkr.ecr.us-gov-west-1.amazonaws.com",
    "123456789012.dkr-ecr-fips.us-east-1.on.aws",
    "public.ecr.aws",
    "images.example.com",
    "a",
];

pub fn check(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let parse = |text: &str| Settings::parse("config.toml", text);
    let read = memory::bounded(input.len(), (64 * 1024, 640), || parse(text));
    // A line end of the other kind means nothing, and keeps the plain reader's hands off.
    if !text.ends_with('\r') {
        let full = parse(&format!("{text}\n\r\n"));
        match (&read, &full) {
            (Ok(read), Ok(full)) => assert_eq!(format!("{read:?}"), format!("{full:?}")),
            (Err(_), Err(_)) => {}
            _ => panic!("{read:?} and by the full parser {full:?}"),
        }
    }
    match read {
        Ok(settings) => {
            for name in NAMES.into_iter().chain(settings.registries.iter().map(|entry| entry.pattern.as_str())) {
                check_target(&settings, name);
            }
        }
        Err(error) => {
            let said = error.to_string();
            let line = said.strip_prefix("config.toml:").and_then(|rest| rest.split_once(": ")).map(|(line, _)| line);
            let line: usize = line.and_then(|line| line.parse().ok()).unwrap_or_else(|| panic!("no line: {said}"));
            assert!((1..=text.lines().count() + 1).contains(&line), "{said}");
            assert!(!said.contains('\n') && !one_line(&said).is_empty(), "{said}");
        }
    }
}

/// The first entry that matches decides where a name leads and which credentials are used there.
fn check_target(settings: &Settings, name: &str) {
    let host = host_of(name);
    let first = |host: &str| settings.registries.iter().find(|entry| matches(&entry.pattern, host));
    let expected = host.as_deref().and_then(|host| {
        let leads_to = first(host).and_then(|entry| entry.alias_of.as_deref()).unwrap_or(host);
        Registry::parse(leads_to)
    });
    let target = settings.target(name);
    assert_eq!(target.as_ref().map(|target| &target.registry), expected.as_ref(), "{name}");
    let Some(target) = target else { return };
    let entry = first(target.registry.host());
    assert_eq!(
        target.credentials.profile.as_ref(),
        entry.and_then(|entry| entry.credentials.profile.as_ref()),
        "{name}"
    );
    assert_eq!(target.credentials.anonymous, entry.is_some_and(|entry| entry.credentials.anonymous), "{name}");
    assert_eq!(target.credentials.cache, entry.is_none_or(|entry| entry.credentials.cache), "{name}");
    assert_eq!(
        target.credentials.role.is_some(),
        entry.is_some_and(|entry| entry.credentials.role.is_some()),
        "{name}"
    );
    if let (Some(role), Some(_)) = (&target.credentials.role, target.registry.account()) {
        assert!(!role.arn.contains(['{', '}']), "{}", role.arn);
    }
}

/// Label by label, and within a label by trying everything.
fn matches(pattern: &str, host: &str) -> bool {
    let (patterns, labels): (Vec<&str>, Vec<&str>) = (pattern.split('.').collect(), host.split('.').collect());
    patterns.len() == labels.len()
        && patterns.iter().zip(&labels).all(|(pattern, label)| glob(pattern.as_bytes(), label.as_bytes()))
}

/// Which beginnings of `label` the beginning of `pattern` so far describes.
fn glob(pattern: &[u8], label: &[u8]) -> bool {
    let mut reached = vec![false; label.len() + 1];
    reached[0] = true;
    for byte in pattern {
        let mut next = vec![false; label.len() + 1];
        for at in 0..=label.len() {
            next[at] = match byte {
                b'*' => reached[at] || at > 0 && next[at - 1],
                byte => at > 0 && reached[at - 1] && label[at - 1].eq_ignore_ascii_case(byte),
            };
        }
        reached = next;
    }
    reached[label.len()]
}
