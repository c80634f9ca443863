//! Our provider in the kubelet's configuration: which file has it, and whether it asks for an image.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::PROGRAM;
use crate::cli::setup::kubelet::config::ConfigText;
use crate::cli::setup::kubelet::{READ, list};
use crate::os::fs::user_file::UserFile;

/// One of the `providers` of a `CredentialProviderConfig`.
#[derive(Clone, Debug)]
pub(super) struct Provider {
    /// The file that names it.
    pub(super) file: PathBuf,
    /// Its executable in the kubelet's directory.
    pub(super) name: String,
    pub(super) match_images: Vec<String>,
    pub(super) api_version: String,
    pub(super) args: Vec<OsString>,
    pub(super) env: Vec<(OsString, OsString)>,
}

/// Our provider in the file or directory at `path`.
///
/// # Errors
/// A file that is missing or cannot be read, one with which the kubelet does not start, or that has no provider of ours.
pub(super) fn find(path: &Path) -> Result<Provider, String> {
    let files = if path.is_dir() {
        let mut files = list(path).map_err(|error| format!("{} cannot be listed: {error}", path.display()))?;
        files.retain(|file| READ.iter().any(|ending| file.extension().is_some_and(|found| found == *ending)));
        files
    } else {
        vec![path.to_owned()]
    };
    let mut found = None;
    for file in &files {
        let content = UserFile::read(file).map_err(|error| error.to_string())?.content;
        let content = content.ok_or_else(|| format!("{} is not there", file.display()))?;
        let extension = file.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        let text = ConfigText::read(&content, extension).map_err(|error| format!("{}: {error}", file.display()))?;
        text.check(None).map_err(|error| format!("{}: {error}, with which no kubelet starts", file.display()))?;
        found = found.or_else(|| text.name_of_ours().and_then(|name| of(file, &text.value, name)));
    }
    found.ok_or_else(|| format!("{} names no provider ecr-credential-provider", path.display()))
}

fn of(file: &Path, config: &Value, name: &str) -> Option<Provider> {
    let providers = config.get("providers")?.as_array()?;
    let provider = providers.iter().find(|provider| provider.get("name").is_some_and(|it| it == name))?;
    let list = |key: &str| provider.get(key).and_then(Value::as_array).into_iter().flatten();
    let texts = |key: &str| list(key).filter_map(Value::as_str).map(str::to_owned).collect::<Vec<_>>();
    let text = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    Some(Provider {
        file: file.to_owned(),
        name: name.to_owned(),
        match_images: texts("matchImages"),
        api_version: text(provider, "apiVersion"),
        args: texts("args").into_iter().map(OsString::from).collect(),
        env: list("env").map(|pair| (text(pair, "name").into(), text(pair, "value").into())).collect(),
    })
}

impl Provider {
    /// Whether the kubelet asks this provider for images of `registry`.
    pub(super) fn matches(&self, registry: &str) -> bool {
        self.match_images.iter().any(|pattern| matches(pattern, registry))
    }

    /// What its line lacks under the helper's own name: without `kubelet` it waits for an action of docker's protocol.
    pub(super) fn lacks_argument(&self) -> bool {
        self.name == PROGRAM && !self.args.iter().any(|argument| argument == "kubelet")
    }
}

/// As the kubelet compares them (`URLsMatch` of `pkg/credentialprovider/keyring.go`): a `*` stands for any part of one label,
/// there are as many labels, and a path in the pattern is the beginning of the image's, which is not known here.
fn matches(pattern: &str, registry: &str) -> bool {
    let bare = pattern.split_once("://").map_or(pattern, |(_, rest)| rest);
    let host = bare.split('/').next().unwrap_or(bare);
    let (wanted, given): (Vec<&str>, Vec<&str>) = (host.split('.').collect(), registry.split('.').collect());
    wanted.len() == given.len() && wanted.iter().zip(&given).all(|(wanted, given)| label_matches(wanted, given))
}

fn label_matches(pattern: &str, label: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == label,
        Some((head, rest)) => label.strip_prefix(head).is_some_and(|tail| {
            (0..=tail.len()).any(|at| tail.is_char_boundary(at) && label_matches(rest, &tail[at..]))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_of_match_images_stands_within_one_label() {
        const HOST: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";
        for (pattern, found) in [
            ("*.dkr.ecr.*.amazonaws.com", true),
            ("https://*.dkr.ecr.*.amazonaws.com/team", true),
            ("123456789012.dkr.ecr.eu-*-1.amazonaws.com", true),
            ("*.amazonaws.com", false),
            ("*.dkr.ecr.us-*.amazonaws.com", false),
            ("*.dkr.ecr.*.amazonaws.com.cn", false),
        ] {
            assert_eq!(matches(pattern, HOST), found, "{pattern}");
        }
    }
}
