//! The kubelet's own rules for its `CredentialProviderConfig`: what keeps it from starting.
//!
//! From `pkg/credentialprovider/plugin/config.go` of Kubernetes 1.37 and 1.33: the decoder is strict (a field that it does
//! not know is an error, as is one that is there twice), then the providers are checked one by one, then their names
//! over all files of a directory.

use serde_json::{Map, Value};

use super::super::version::KubeletVersion;

pub(super) const KIND: &str = "CredentialProviderConfig";
pub(super) const CONFIG_GROUP: &str = "kubelet.config.k8s.io/";
pub(super) const PLUGIN_GROUP: &str = "credentialprovider.kubelet.k8s.io/";
pub(super) const TOKEN_ATTRIBUTES: &str = "tokenAttributes";
pub(super) const REQUIRED_KEYS: &str = "requiredServiceAccountAnnotationKeys";
pub(super) const OPTIONAL_KEYS: &str = "optionalServiceAccountAnnotationKeys";
pub(super) const CACHE_TYPES: [&str; 2] = ["ServiceAccount", "Token"];

const TOP_FIELDS: [&str; 3] = ["apiVersion", "kind", "providers"];
const PROVIDER_FIELDS: [&str; 6] = ["name", "matchImages", "defaultCacheDuration", "apiVersion", "args", "env"];
const VARIABLE_FIELDS: [&str; 2] = ["name", "value"];
const ATTRIBUTE_FIELDS: [&str; 5] =
    ["serviceAccountTokenAudience", "cacheType", "requireServiceAccount", REQUIRED_KEYS, OPTIONAL_KEYS];

/// Why a kubelet would not start with a configuration. The field is named as the kubelet names it.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field} {problem}")]
pub(crate) struct Refusal {
    field: String,
    problem: String,
}

fn refuse<T>(field: &str, problem: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal { field: field.to_owned(), problem: problem.into() })
}

/// Checks one file; the names of its providers. Where the version is not known, what any version takes is taken.
///
/// # Errors
/// A kubelet of that version would not start with the file.
pub(super) fn check(config: &Value, version: Option<KubeletVersion>) -> Result<Vec<String>, Refusal> {
    let Value::Object(top) = config else { return refuse("the file", "holds no object") };
    known_fields(top, "", &TOP_FIELDS)?;
    if top.get("kind").and_then(Value::as_str) != Some(KIND) {
        return refuse("kind", format!("is not {KIND}"));
    }
    let api = version_in(top, "apiVersion", CONFIG_GROUP, version)?;
    let providers = match top.get("providers") {
        None | Some(Value::Null) => &[][..],
        Some(Value::Array(providers)) => providers.as_slice(),
        Some(_) => return refuse("providers", "is not a list"),
    };
    let mut names = Vec::new();
    for (index, provider) in providers.iter().enumerate() {
        let field = format!("providers[{index}]");
        let Value::Object(provider) = provider else { return refuse(&field, "is not an object") };
        names.push(check_provider(provider, &field, &api, version)?);
    }
    Ok(names)
}

/// Checks the names of all providers, with the file of each.
///
/// # Errors
/// There is none, or two have one name.
pub(in super::super) fn check_names<'n>(names: impl Iterator<Item = &'n str>) -> Result<(), Refusal> {
    let mut seen = Vec::new();
    for name in names {
        if seen.contains(&name) {
            return refuse("providers", format!("has {name} twice"));
        }
        seen.push(name);
    }
    if seen.is_empty() { refuse("providers", "is empty") } else { Ok(()) }
}

/// The version of an API: `v1` of `group/v1`.
fn version_in(
    object: &Map<String, Value>,
    field: &str,
    group: &str,
    version: Option<KubeletVersion>,
) -> Result<String, Refusal> {
    let Some(text) = object.get(field).and_then(Value::as_str) else { return refuse(field, "is missing") };
    match text.strip_prefix(group) {
        Some(api) if version.map_or(["v1", "v1beta1", "v1alpha1"].contains(&api), |version| version.knows(api)) => {
            Ok(api.to_owned())
        }
        _ => refuse(field, format!("is {text:?}, which this kubelet does not know")),
    }
}

fn known_fields(object: &Map<String, Value>, within: &str, known: &[&str]) -> Result<(), Refusal> {
    match object.keys().find(|key| !known.contains(&key.as_str())) {
        Some(key) => refuse(&format!("{within}{key}"), "is a field that this kubelet does not know"),
        None => Ok(()),
    }
}

fn check_provider(
    provider: &Map<String, Value>,
    field: &str,
    config_api: &str,
    version: Option<KubeletVersion>,
) -> Result<String, Refusal> {
    let within = format!("{field}.");
    let at = |name: &str| format!("{within}{name}");
    let mut known = PROVIDER_FIELDS.to_vec();
    if config_api == "v1" && version.is_none_or(|version| version.needs_tokens().is_ok()) {
        known.push(TOKEN_ATTRIBUTES);
    }
    known_fields(provider, &within, &known)?;
    let name = text(provider, "name", &within)?;
    if name.is_empty() || name == "." || name == ".." || name.contains(['/', ' ']) {
        return refuse(&at("name"), format!("{name:?} names no executable of the plugins' directory"));
    }
    let api = version_in(provider, "apiVersion", PLUGIN_GROUP, version).map_err(|refusal| inside(refusal, &within))?;
    let images = texts(provider, "matchImages", &within)?;
    if images.is_empty() {
        return refuse(&at("matchImages"), "is empty");
    }
    if let Some(image) = images.iter().find(|image| !is_pattern(image)) {
        return refuse(&at("matchImages"), format!("has {image:?}, which is no image"));
    }
    let duration = text(provider, "defaultCacheDuration", &within)?;
    if !is_duration(&duration) {
        return refuse(&at("defaultCacheDuration"), format!("{duration:?} is no duration, such as 12h or 0s"));
    }
    texts(provider, "args", &within)?;
    check_variables(provider, &within)?;
    match provider.get(TOKEN_ATTRIBUTES) {
        None | Some(Value::Null) => {}
        Some(Value::Object(_)) if api != "v1" => {
            return refuse(&at(TOKEN_ATTRIBUTES), format!("needs the apiVersion {PLUGIN_GROUP}v1"));
        }
        Some(Value::Object(attributes)) => check_attributes(attributes, &at("tokenAttributes."), version)?,
        Some(_) => return refuse(&at(TOKEN_ATTRIBUTES), "is not an object"),
    }
    Ok(name)
}

fn inside(refusal: Refusal, within: &str) -> Refusal {
    Refusal { field: format!("{within}{}", refusal.field), ..refusal }
}

/// A text that must be there.
fn text(object: &Map<String, Value>, key: &str, within: &str) -> Result<String, Refusal> {
    let field = format!("{within}{key}");
    match object.get(key) {
        None | Some(Value::Null) => refuse(&field, "is missing"),
        Some(Value::String(text)) => Ok(text.clone()),
        Some(other) => refuse(&field, not_a_text(other)),
    }
}

/// In YAML `true`, `yes`, `12` and the like are no texts, which few expect.
fn not_a_text(value: &Value) -> String {
    match value {
        Value::Bool(_) | Value::Number(_) => "is not a text: put it in quotes".to_owned(),
        _ => "is not a text".to_owned(),
    }
}

fn texts(object: &Map<String, Value>, key: &str, within: &str) -> Result<Vec<String>, Refusal> {
    let field = format!("{within}{key}");
    match object.get(key) {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Array(items)) => items
            .iter()
            .enumerate()
            .map(|(index, item)| match item {
                Value::String(text) => Ok(text.clone()),
                other => refuse(&format!("{field}[{index}]"), not_a_text(other)),
            })
            .collect(),
        Some(_) => refuse(&field, "is not a list"),
    }
}

fn check_variables(provider: &Map<String, Value>, within: &str) -> Result<(), Refusal> {
    let field = format!("{within}env");
    let variables = match provider.get("env") {
        None | Some(Value::Null) => return Ok(()),
        Some(Value::Array(variables)) => variables,
        Some(_) => return refuse(&field, "is not a list"),
    };
    for (index, variable) in variables.iter().enumerate() {
        let field = format!("{field}[{index}]");
        let Value::Object(variable) = variable else { return refuse(&field, "is not an object") };
        known_fields(variable, &format!("{field}."), &VARIABLE_FIELDS)?;
        for (key, value) in variable {
            if !value.is_string() && !value.is_null() {
                return refuse(&format!("{field}.{key}"), not_a_text(value));
            }
        }
    }
    Ok(())
}

fn check_attributes(
    attributes: &Map<String, Value>,
    within: &str,
    version: Option<KubeletVersion>,
) -> Result<(), Refusal> {
    let at = |name: &str| format!("{within}{name}");
    let has_cache_type = version.is_none_or(KubeletVersion::has_cache_type);
    let known: Vec<_> = ATTRIBUTE_FIELDS.into_iter().filter(|field| *field != "cacheType" || has_cache_type).collect();
    known_fields(attributes, within, &known)?;
    if text(attributes, "serviceAccountTokenAudience", within)?.is_empty() {
        return refuse(&at("serviceAccountTokenAudience"), "is empty");
    }
    let required = match attributes.get("requireServiceAccount") {
        Some(Value::Bool(required)) => *required,
        None | Some(Value::Null) => return refuse(&at("requireServiceAccount"), "is missing"),
        Some(_) => return refuse(&at("requireServiceAccount"), "is neither true nor false"),
    };
    match attributes.get("cacheType") {
        // Where the version is not known, one of 1.33 may be meant.
        None | Some(Value::Null) if !version.is_some_and(KubeletVersion::has_cache_type) => {}
        Some(Value::String(kind)) if CACHE_TYPES.contains(&kind.as_str()) => {}
        _ => return refuse(&at("cacheType"), format!("is not one of {}", CACHE_TYPES.join(", "))),
    }
    let (must, may) = (texts(attributes, REQUIRED_KEYS, within)?, texts(attributes, OPTIONAL_KEYS, within)?);
    if !required && !must.is_empty() {
        return refuse(&at(REQUIRED_KEYS), "needs requireServiceAccount: true");
    }
    for (keys, name) in [(&must, REQUIRED_KEYS), (&may, OPTIONAL_KEYS)] {
        for (index, key) in keys.iter().enumerate() {
            if !is_annotation_key(key) {
                return refuse(&at(name), format!("has {key:?}, which is no name of an annotation"));
            }
            if keys.iter().take(index).any(|other| other == key) {
                return refuse(&at(name), format!("has {key} twice"));
            }
        }
    }
    match must.iter().find(|key| may.contains(key)) {
        Some(key) => refuse(&at(REQUIRED_KEYS), format!("has {key}, which {OPTIONAL_KEYS} has too")),
        None => Ok(()),
    }
}

/// Kubernetes' qualified name: `name` or `dns.domain/name`, where letters of both cases count.
fn is_annotation_key(key: &str) -> bool {
    let (domain, name) = match key.split_once('/') {
        Some((domain, name)) => (Some(domain), name),
        None => (None, key),
    };
    let edges = |text: &str| {
        let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
        edge(text.chars().next()) && edge(text.chars().next_back())
    };
    let is_name = name.len() <= 63
        && edges(name)
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
    let is_domain = |domain: &str| {
        domain.len() <= 253
            && domain
                .split('.')
                .all(|label| edges(label) && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-'))
    };
    is_name && domain.is_none_or(is_domain)
}

/// What Go's `url.Parse` takes behind `https://`.
fn is_pattern(image: &str) -> bool {
    if image.is_empty() || image.chars().any(|c| c.is_ascii_control()) {
        return false;
    }
    let (authority, rest) = image.split_at(image.find(['/', '?', '#']).unwrap_or(image.len()));
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let is_host =
        host.chars().all(|c| !c.is_ascii() || c.is_ascii_alphanumeric() || "-_.~!$&'()*+,;=:[]<>\"".contains(c));
    let port = host.rsplit_once(':').map_or("", |(_, port)| port);
    let escapes = rest.split('%').skip(1);
    is_host
        && port.chars().all(|c| c.is_ascii_digit())
        && escapes.into_iter().all(|rest| rest.chars().take(2).filter(char::is_ascii_hexdigit).count() == 2)
}

/// What Go's `time.ParseDuration` takes and is not below zero.
fn is_duration(text: &str) -> bool {
    let text = text.strip_prefix('+').unwrap_or(text);
    if text == "0" || text == "-0" {
        return true;
    }
    let mut rest = text;
    while !rest.is_empty() {
        let number = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.').len();
        let (digits, after) = rest.split_at(number);
        let unit = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
        let (unit, after) = after.split_at(unit);
        let is_number = digits.matches('.').count() <= 1 && digits.contains(|c: char| c.is_ascii_digit());
        if !is_number || !["ns", "us", "\u{b5}s", "\u{3bc}s", "ms", "s", "m", "h"].contains(&unit) {
            return false;
        }
        rest = after;
    }
    !text.is_empty()
}
