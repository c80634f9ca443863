//! docker's `config.json`, as much as `list` needs of it.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::paths;
use crate::HELPER;
use crate::os::environment::Environment;
use crate::os::fs::user_file::UserFile;

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Config {
    #[serde(default)]
    cred_helpers: Option<BTreeMap<String, Option<String>>>,
    /// The logins, whose passwords are not read.
    #[serde(default)]
    auths: Option<BTreeMap<String, IgnoredAny>>,
}

/// The names that `credHelpers` gives to this helper, and those under `auths`; none where the file cannot be read.
pub(crate) fn names(environment: &Environment) -> Vec<String> {
    let file = paths::docker(environment).and_then(|path| UserFile::read(&path).ok()?.content);
    let in_variable = environment.var(paths::DOCKER_AUTH_CONFIG).map(|text| text.as_bytes().to_vec());
    let mut names = Vec::new();
    for config in [file, in_variable].into_iter().flatten() {
        // docker reads the first value and ignores what follows it.
        let Some(Ok(config)) = serde_json::Deserializer::from_slice(&config).into_iter::<Config>().next() else {
            continue;
        };
        let helped = config.cred_helpers.unwrap_or_default().into_iter();
        names.extend(helped.filter(|(_, helper)| helper.as_deref() == Some(HELPER)).map(|(name, _)| name));
        names.extend(config.auths.unwrap_or_default().into_keys());
    }
    names
}
