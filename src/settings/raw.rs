//! The keys of the settings file as they stand there, before their values are checked.

use serde::Deserialize;

/// The file's keys, as they stand there.
#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawFile {
    pub(super) timeout: Option<Seconds>,
    pub(super) strict: Option<bool>,
    pub(super) delegate: Option<String>,
    #[serde(default)]
    pub(super) registry: Vec<RawEntry>,
}

/// The keys of one `[[registry]]`, as they stand there.
#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawEntry {
    pub(super) r#match: String,
    pub(super) profile: Option<String>,
    pub(super) role_arn: Option<String>,
    pub(super) external_id: Option<String>,
    pub(super) session_name: Option<String>,
    pub(super) web_identity: Option<String>,
    pub(super) audience: Option<String>,
    pub(super) alias_of: Option<String>,
    pub(super) anonymous: Option<bool>,
    pub(super) cache: Option<bool>,
}

/// A number of seconds.
#[derive(Debug, PartialEq, Deserialize, Clone, Copy)]
#[serde(untagged, expecting = "expected a number of seconds")]
pub(super) enum Seconds {
    Whole(i64),
    Fraction(f64),
}
