//! The kubelet's `CredentialProviderConfig`: what is to stand in it, and the edit that puts it there. Whatever else
//! the file says stays as it is, in its order and indentation.

use jsonc_parser::cst::{CstArray, CstInputValue, CstObject, CstObjectProp, CstRootNode};

use super::version::KubeletVersion;
use crate::cli::setup::json::strict;
use crate::protocol::kubelet::{PLUGIN, ROLE_ANNOTATION};

const KIND: &str = "CredentialProviderConfig";
const CONFIG_GROUP: &str = "kubelet.config.k8s.io/";
const PLUGIN_GROUP: &str = "credentialprovider.kubelet.k8s.io/";
/// The audience of tokens that STS takes, as on EKS.
pub const AUDIENCE: &str = "sts.amazonaws.com";
/// Our tokens depend on the service account and on nothing else of the pod, so its other pods may share them.
const CACHE_TYPE: &str = "ServiceAccount";

const TOKEN_ATTRIBUTES: &str = "tokenAttributes";
const REQUIRED_KEYS: &str = "requiredServiceAccountAnnotationKeys";
const OPTIONAL_KEYS: &str = "optionalServiceAccountAnnotationKeys";

/// What the kubelet is to be told.
#[derive(Debug)]
pub struct Plan {
    /// Host patterns of the images that are ours.
    pub images: Vec<String>,
    /// Whether pods pull with the roles of their service accounts.
    pub tokens: bool,
    /// The kubelet's version, where it was said.
    pub version: Option<KubeletVersion>,
}

/// Why a file cannot be edited.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// Not JSON.
    #[error("line {line}, column {column}: not JSON")]
    NotJson {
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
    },
    /// JSON, but not what the kubelet reads.
    #[error("it is no {KIND}: {0}")]
    WrongShape(&'static str),
}

/// What an edit made.
#[derive(Debug, PartialEq, Eq)]
pub struct Edited {
    /// The whole file.
    pub text: String,
    /// The audience of the service account tokens, where pods pull with them.
    pub audience: Option<String>,
}

impl Plan {
    fn api(&self) -> &'static str {
        self.version.map_or("v1", KubeletVersion::api)
    }

    /// `apiVersion` of the file.
    pub fn config_api(&self) -> String {
        format!("{CONFIG_GROUP}{}", self.api())
    }

    /// The provider in full, in the order in which people write it.
    pub fn provider(&self) -> Vec<(String, CstInputValue)> {
        let mut provider = vec![
            ("name".to_owned(), PLUGIN.into()),
            ("apiVersion".to_owned(), format!("{PLUGIN_GROUP}{}", self.api()).into()),
            ("matchImages".to_owned(), strings(&self.images)),
            // Every answer says how long it holds; this is for answers that do not.
            ("defaultCacheDuration".to_owned(), "0s".into()),
        ];
        if self.tokens {
            provider.push((TOKEN_ATTRIBUTES.to_owned(), CstInputValue::Object(self.token_attributes())));
        }
        provider
    }

    fn token_attributes(&self) -> Vec<(String, CstInputValue)> {
        let mut attributes = vec![("serviceAccountTokenAudience".to_owned(), AUDIENCE.into())];
        if self.version.is_some_and(KubeletVersion::has_cache_type) {
            attributes.push(("cacheType".to_owned(), CACHE_TYPE.into()));
        }
        // Static pods have no service account, and pods without the annotation pull with the node's rights.
        attributes.push(("requireServiceAccount".to_owned(), false.into()));
        attributes.push((OPTIONAL_KEYS.to_owned(), strings(&[ROLE_ANNOTATION.to_owned()])));
        attributes
    }

    /// The file with the provider in it: `bytes` are what it holds now, none where there is no file.
    ///
    /// # Errors
    /// It is not a `CredentialProviderConfig` in JSON.
    pub fn edit(&self, bytes: &[u8]) -> Result<Edited, ConfigError> {
        let text = std::str::from_utf8(bytes).map_err(|error| {
            let before = bytes.get(..error.valid_up_to()).unwrap_or_default();
            let column = before.rsplit(|byte| *byte == b'\n').next().unwrap_or_default().len() + 1;
            let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
            ConfigError::NotJson { line, column }
        })?;
        let fresh = format!(
            "{{\n  \"apiVersion\": \"{}\",\n  \"kind\": \"{KIND}\",\n  \"providers\": []\n}}\n",
            self.config_api()
        );
        let text = if text.trim().is_empty() { &fresh } else { text };
        let value: serde_json::Value = serde_json::from_str(text)
            .map_err(|error| ConfigError::NotJson { line: error.line(), column: error.column() })?;
        check(&value)?;
        let root = parse(text)?;
        let top = root.object_value().ok_or(ConfigError::WrongShape("the top is no object"))?;
        if value.get("apiVersion").is_none() {
            top.append("apiVersion", self.config_api().into());
        } else if self.tokens {
            // tokenAttributes are part of v1 alone.
            set_string(&top, "apiVersion", &format!("{CONFIG_GROUP}v1"));
        }
        if value.get("kind").is_none() {
            top.append("kind", KIND.into());
        }
        let providers = top.array_value_or_set("providers");
        match providers.elements().into_iter().filter_map(|provider| provider.as_object()).find(is_ours) {
            Some(provider) => self.mend(&provider),
            None => {
                let provider = providers.append(CstInputValue::Object(self.provider())).as_object();
                if let Some(images) = provider.and_then(|provider| provider.array_value("matchImages")) {
                    images.ensure_multiline();
                }
            }
        }
        let audience = providers.elements().into_iter().filter_map(|provider| provider.as_object()).find(is_ours);
        let audience = audience
            .and_then(|provider| provider.object_value(TOKEN_ATTRIBUTES))
            .and_then(|attributes| string(&attributes, "serviceAccountTokenAudience"));
        let text = root.to_string();
        // Whatever an edit did, what is written is JSON of the right shape.
        let value = serde_json::from_str(&text).map_err(|_| ConfigError::WrongShape("the edit failed"))?;
        check(&value)?;
        Ok(Edited { text, audience })
    }

    /// Adds to the provider that is there what it lacks; what its owner chose stays.
    fn mend(&self, provider: &CstObject) {
        let api = string(provider, "apiVersion").unwrap_or_default();
        let spoken = ["v1", "v1beta1", "v1alpha1"].iter().any(|version| api == format!("{PLUGIN_GROUP}{version}"));
        if !spoken || self.tokens {
            set_string(provider, "apiVersion", &format!("{PLUGIN_GROUP}{}", self.api()));
        }
        add_strings(&provider.array_value_or_set("matchImages"), &self.images);
        if string(provider, "defaultCacheDuration").is_none() {
            set_string(provider, "defaultCacheDuration", "0s");
        }
        if !self.tokens {
            return;
        }
        let Some(attributes) = provider.object_value(TOKEN_ATTRIBUTES) else {
            let attributes = CstInputValue::Object(self.token_attributes());
            match provider.get(TOKEN_ATTRIBUTES) {
                Some(property) => property.set_value(attributes),
                None => drop(provider.append(TOKEN_ATTRIBUTES, attributes)),
            }
            return;
        };
        let required = attributes.array_value(REQUIRED_KEYS).is_some_and(|keys| has_string(&keys, ROLE_ANNOTATION));
        for (key, value) in self.token_attributes() {
            if key == OPTIONAL_KEYS {
                if !required {
                    add_strings(&attributes.array_value_or_set(OPTIONAL_KEYS), &[ROLE_ANNOTATION.to_owned()]);
                }
            } else {
                match attributes.get(&key) {
                    None => drop(attributes.append(&key, value)),
                    Some(property) if !is_of_kind(&property, &value) => property.set_value(value),
                    Some(_) => {}
                }
            }
        }
    }

    /// The provider as an item of a YAML list, for files that are not ours to edit.
    pub fn stanza(&self) -> String {
        let mut yaml = String::new();
        for (index, (key, value)) in self.provider().iter().enumerate() {
            write_yaml(&mut yaml, if index == 0 { "  - " } else { "    " }, 4, key, value);
        }
        yaml
    }
}

fn write_yaml(yaml: &mut String, lead: &str, indent: usize, key: &str, value: &CstInputValue) {
    let blanks = " ".repeat(indent);
    match value {
        CstInputValue::Array(items) => {
            yaml.push_str(&format!("{lead}{key}:\n"));
            for item in items {
                yaml.push_str(&format!("{blanks}  - {}\n", scalar(item)));
            }
        }
        CstInputValue::Object(entries) => {
            yaml.push_str(&format!("{lead}{key}:\n"));
            for (key, value) in entries {
                write_yaml(yaml, &format!("{blanks}  "), indent + 2, key, value);
            }
        }
        _ => yaml.push_str(&format!("{lead}{key}: {}\n", scalar(value))),
    }
}

/// JSON's strings and booleans are YAML's.
fn scalar(value: &CstInputValue) -> String {
    match value {
        CstInputValue::String(text) => serde_json::Value::from(text.as_str()).to_string(),
        CstInputValue::Bool(value) => value.to_string(),
        _ => "null".to_owned(),
    }
}

fn strings(texts: &[String]) -> CstInputValue {
    CstInputValue::Array(texts.iter().map(|text| text.as_str().into()).collect())
}

/// What the edit relies on.
fn check(value: &serde_json::Value) -> Result<(), ConfigError> {
    let wrong = |reason| Err(ConfigError::WrongShape(reason));
    let Some(top) = value.as_object() else { return wrong("the top is no object") };
    if top.get("kind").is_some_and(|kind| kind != KIND) {
        return wrong("its kind is another one");
    }
    let in_group = |api: &serde_json::Value| api.as_str().is_some_and(|api| api.starts_with(CONFIG_GROUP));
    if top.get("apiVersion").is_some_and(|api| !in_group(api)) {
        return wrong("its apiVersion is not one of kubelet.config.k8s.io");
    }
    match top.get("providers") {
        None | Some(serde_json::Value::Null) => Ok(()),
        Some(serde_json::Value::Array(providers)) if providers.iter().all(serde_json::Value::is_object) => Ok(()),
        Some(_) => wrong("its providers are no list of objects"),
    }
}

fn parse(text: &str) -> Result<CstRootNode, ConfigError> {
    CstRootNode::parse(text, &strict())
        .map_err(|error| ConfigError::NotJson { line: error.line_display(), column: error.column_display() })
}

fn is_ours(provider: &CstObject) -> bool {
    string(provider, "name").as_deref() == Some(PLUGIN)
}

fn string(object: &CstObject, key: &str) -> Option<String> {
    object.get(key)?.value()?.as_string_lit()?.decoded_value().ok()
}

fn set_string(object: &CstObject, key: &str, value: &str) {
    match object.get(key) {
        _ if string(object, key).as_deref() == Some(value) => {}
        Some(property) => property.set_value(value.into()),
        None => drop(object.append(key, value.into())),
    }
}

/// Whether a property has a value that the kubelet could read where it wants one such as `wanted`.
fn is_of_kind(property: &CstObjectProp, wanted: &CstInputValue) -> bool {
    property.value().is_some_and(|value| match wanted {
        CstInputValue::Bool(_) => value.as_boolean_lit().is_some(),
        _ => value.as_string_lit().is_some(),
    })
}

fn has_string(array: &CstArray, text: &str) -> bool {
    let texts = array.elements().into_iter().filter_map(|element| element.as_string_lit()?.decoded_value().ok());
    texts.into_iter().any(|element| element == text)
}

fn add_strings(array: &CstArray, texts: &[String]) {
    for text in texts {
        if !has_string(array, text) {
            array.append(text.as_str().into());
        }
    }
}

#[cfg(test)]
mod tests;
