//! A case: variables and files, the source that is expected, and what the peers use.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Deserialize;
use serde_json::Value;

use crate::support::Helper;

/// What stands for a failure in the data.
pub const FAILS: &str = "ERR";

/// The files of cases, by what they are about.
const KINDS: [&str; 7] = ["order", "syntax", "roles", "process", "sso-login", "files", "endpoints"];

/// One case.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// In words; no two are the same.
    pub name: String,
    /// Variables; `null` takes one out that is set in all cases.
    #[serde(default)]
    env: BTreeMap<String, Option<String>>,
    /// Files by their path below HOME.
    #[serde(default)]
    files: BTreeMap<String, File>,
    /// Whether instance metadata answers.
    #[serde(default)]
    pub imds: bool,
    /// Whether the agent of ECS answers.
    #[serde(default)]
    pub ecs: bool,
    /// No HOME; the passwd file has it.
    #[serde(default)]
    pub home_unset: bool,
    /// The access key id with which the Go helper asks ECR.
    pub go: String,
    /// The one with which the AWS CLI does.
    pub cli: String,
}

/// A file's text, the bytes of it, or `null` for a directory.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum File {
    Text(String),
    Bytes { hex: String },
    WithMode { text: String, mode: Option<String> },
    Directory(()),
}

/// A difference from the rule, and why.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exception {
    /// Why these cases are not as the AWS CLI has them.
    pub because: String,
    /// The cases, each with what is used here.
    pub cases: BTreeMap<String, String>,
}

fn data<T: for<'de> Deserialize<'de>>(name: &str) -> T {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/credential-cases").join(name).with_extension("json");
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// All cases.
pub fn all() -> Vec<Case> {
    let texts: BTreeMap<String, Value> = data("texts");
    let mut cases: Vec<Case> = KINDS.iter().flat_map(|kind| data::<Vec<Case>>(kind)).collect();
    for file in cases.iter_mut().flat_map(|case| case.files.values_mut()) {
        if let File::Text(text) = file
            && let Some(name) = text.strip_prefix('@')
        {
            *file = serde_json::from_value(texts[name].clone()).unwrap();
        }
    }
    cases
}

/// The cases that are not as the rule has them, each with what is used here.
pub fn exceptions() -> Vec<Exception> {
    data("exceptions")
}

/// What a case's placeholders stand for.
pub struct Places<'a> {
    /// The fake AWS's URL.
    pub aws: &'a str,
    /// The URL of another of its hosts.
    pub other: &'a str,
    /// Its certificate in a file.
    pub ca: &'a str,
}

impl Case {
    /// Whether it names AWS's real hosts, which only a namespace of the test's own leads to the fake.
    pub fn asks_real_names(&self) -> bool {
        self.env.contains_key("AWS_CA_BUNDLE")
    }

    /// Whether one machine out of many can show it: the namespaces of the network and of mounts are needed.
    pub fn needs_namespace(&self) -> bool {
        self.imds || self.ecs || self.home_unset || self.asks_real_names()
    }

    /// What the rule asks for: what both use, else what the AWS CLI does.
    pub fn by_the_rule(&self) -> &str {
        &self.cli
    }

    /// What is used here.
    pub fn expected<'a>(&'a self, exceptions: &'a [Exception]) -> &'a str {
        exceptions
            .iter()
            .find_map(|exception| exception.cases.get(&self.name))
            .map_or(self.by_the_rule(), String::as_str)
    }

    /// A home with the case's files, and its variables; `imds` is where instance metadata is, if not where it always is.
    pub fn helper(&self, places: &Places<'_>, imds: &str) -> Helper {
        let mut helper = Helper::new()
            .without("AWS_EC2_METADATA_DISABLED")
            // Where the scripts of cases find sed and env.
            .env("PATH", "/usr/bin:/bin")
            .env("AWS_ENDPOINT_URL", places.aws)
            .env("AWS_MAX_ATTEMPTS", "1")
            .env("AWS_ECR_DISABLE_CACHE", "1");
        if !imds.is_empty() {
            helper = helper.env("AWS_EC2_METADATA_SERVICE_ENDPOINT", imds);
        }
        let home = helper.home().to_str().unwrap().to_owned();
        let fill = |text: &str| filled(text, &home, places);
        for (path, file) in &self.files {
            match file {
                File::Text(text) => drop(helper.write(path, fill(text))),
                File::Bytes { hex } => drop(helper.write(path, bytes(hex))),
                File::WithMode { text, mode } => {
                    let path = helper.write(path, fill(text));
                    let mode = mode
                        .as_deref()
                        .map_or(0, |mode| u32::from_str_radix(mode.trim_start_matches("0o"), 8).unwrap());
                    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
                }
                File::Directory(()) => fs::create_dir_all(helper.home().join(path)).unwrap(),
            }
        }
        for (name, value) in &self.env {
            helper = match value {
                Some(value) => helper.env(name, fill(value)),
                None => helper.without(name),
            };
        }
        if self.home_unset { helper.without("HOME") } else { helper }
    }
}

fn filled(text: &str, home: &str, places: &Places<'_>) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs().cast_signed();
    let mut text = text
        .replace("{H}", home)
        .replace("{AWS}", places.aws)
        .replace("{AWS-2}", places.other)
        .replace("{AWS-HOST}", places.aws.trim_start_matches("http://"))
        .replace("{CA}", places.ca);
    for (moment, seconds) in [("{NOW+1h}", 3600), ("{NOW-1h}", -3600), ("{NOW+2m}", 120)] {
        text = text.replace(moment, &utc(now + seconds));
    }
    text
}

fn utc(seconds: i64) -> String {
    use time::format_description::well_known::Rfc3339;
    time::OffsetDateTime::from_unix_timestamp(seconds).unwrap().format(&Rfc3339).unwrap()
}

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}
