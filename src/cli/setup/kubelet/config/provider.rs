//! What the kubelet's configuration is to say of this plugin, and the changes that make it say so. What its owner chose
//! stays.

use serde_json::Value;

use super::super::version::KubeletVersion;
use super::change::{Change, Edit, NewValue, Step};
use super::rules::{CONFIG_GROUP, KIND, OPTIONAL_KEYS, PLUGIN_GROUP, REQUIRED_KEYS, TOKEN_ATTRIBUTES};
use crate::PROGRAM;
use crate::protocol::kubelet::{PLUGIN, ROLE_ANNOTATION};

/// The audience of tokens that STS takes, as on EKS.
pub(in super::super) const AUDIENCE: &str = "sts.amazonaws.com";
const AUDIENCE_FIELD: &str = "serviceAccountTokenAudience";
/// Our tokens depend on the service account and on nothing else of the pod, so its other pods may share them.
const CACHE_TYPE: &str = "ServiceAccount";
/// The action of the helper under its own name; under the plugin's no argument matters.
const ACTION: &str = "kubelet";

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

/// Why a configuration cannot be completed.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ShapeError {
    /// It is something else.
    #[error("it is no {KIND}: {0}")]
    WrongShape(&'static str),
    /// The helper under its own name, called with another action.
    #[error(
        "the args of its provider {PROGRAM} do not begin with {ACTION:?}, without which the helper takes the kubelet's \
         request for something else: correct them, or name the provider {PLUGIN}"
    )]
    OtherAction,
}

impl Plan {
    fn api(&self) -> &'static str {
        self.version.map_or("v1", KubeletVersion::api)
    }

    fn config_api(&self) -> String {
        format!("{CONFIG_GROUP}{}", self.api())
    }

    /// A file that says nothing else, in the order in which people write it.
    pub(super) fn new_file(&self) -> Vec<(&'static str, NewValue)> {
        vec![
            ("apiVersion", NewValue::Text(self.config_api())),
            ("kind", NewValue::text(KIND)),
            ("providers", NewValue::List(vec![self.provider()])),
        ]
    }

    fn provider(&self) -> NewValue {
        let mut provider = vec![
            ("name", NewValue::text(PLUGIN)),
            ("apiVersion", NewValue::Text(format!("{PLUGIN_GROUP}{}", self.api()))),
            ("matchImages", NewValue::texts(&self.images)),
            // Every answer says how long it holds; this is for answers that do not.
            ("defaultCacheDuration", NewValue::text("0s")),
        ];
        if self.tokens {
            provider.push((TOKEN_ATTRIBUTES, NewValue::Map(self.token_attributes())));
        }
        NewValue::Map(provider)
    }

    fn token_attributes(&self) -> Vec<(&'static str, NewValue)> {
        let mut attributes = vec![(AUDIENCE_FIELD, NewValue::text(AUDIENCE))];
        if self.version.is_some_and(KubeletVersion::has_cache_type) {
            attributes.push(("cacheType", NewValue::text(CACHE_TYPE)));
        }
        // Static pods have no service account, and pods without the annotation pull with the node's rights.
        attributes.push(("requireServiceAccount", NewValue::Flag(false)));
        attributes.push((OPTIONAL_KEYS, NewValue::texts(&[ROLE_ANNOTATION.to_owned()])));
        attributes
    }

    /// What a file that says `config` lacks.
    ///
    /// # Errors
    /// It is not a `CredentialProviderConfig`, or its provider cannot be completed.
    pub(super) fn changes(&self, config: &Value) -> Result<Vec<Change>, ShapeError> {
        check_shape(config)?;
        let mut changes = Vec::new();
        match config.get("apiVersion") {
            None => set(&mut changes, &[Step::Key("apiVersion")], NewValue::Text(self.config_api())),
            // tokenAttributes are part of v1 alone.
            Some(api) if self.tokens && *api != format!("{CONFIG_GROUP}v1") => {
                set(&mut changes, &[Step::Key("apiVersion")], NewValue::Text(format!("{CONFIG_GROUP}v1")));
            }
            Some(_) => {}
        }
        if config.get("kind").is_none() {
            set(&mut changes, &[Step::Key("kind")], NewValue::text(KIND));
        }
        match ours(config) {
            Some((index, provider)) => {
                self.complete(&mut changes, &[Step::Key("providers"), Step::Item(index)], provider)?;
            }
            None => append(&mut changes, &[Step::Key("providers")], vec![self.provider()]),
        }
        Ok(changes)
    }

    fn complete(&self, changes: &mut Vec<Change>, at: &[Step], provider: &Value) -> Result<(), ShapeError> {
        let field = |key| [at, &[Step::Key(key)]].concat();
        let api = provider.get("apiVersion").and_then(Value::as_str).and_then(|api| api.strip_prefix(PLUGIN_GROUP));
        let is_spoken = api.is_some_and(|api| ["v1", "v1beta1", "v1alpha1"].contains(&api));
        if !is_spoken || (self.tokens && api != Some(self.api())) {
            set(changes, &field("apiVersion"), NewValue::Text(format!("{PLUGIN_GROUP}{}", self.api())));
        }
        let missing = missing(provider.get("matchImages"), &self.images);
        if !missing.is_empty() {
            append(changes, &field("matchImages"), missing);
        }
        if !provider.get("defaultCacheDuration").is_some_and(Value::is_string) {
            set(changes, &field("defaultCacheDuration"), NewValue::text("0s"));
        }
        if provider.get("name").and_then(Value::as_str) == Some(PROGRAM) {
            let arguments = provider.get("args").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
            match arguments.first() {
                None => append(changes, &field("args"), vec![NewValue::text(ACTION)]),
                Some(first) if first == ACTION => {}
                Some(_) => return Err(ShapeError::OtherAction),
            }
        }
        if self.tokens {
            self.complete_attributes(changes, &field(TOKEN_ATTRIBUTES), provider.get(TOKEN_ATTRIBUTES));
        }
        Ok(())
    }

    fn complete_attributes(&self, changes: &mut Vec<Change>, at: &[Step], attributes: Option<&Value>) {
        let Some(attributes @ Value::Object(_)) = attributes else {
            set(changes, at, NewValue::Map(self.token_attributes()));
            return;
        };
        let annotation = ROLE_ANNOTATION.to_owned();
        let is_required = missing(attributes.get(REQUIRED_KEYS), std::slice::from_ref(&annotation)).is_empty();
        for (key, value) in self.token_attributes() {
            let field = [at, &[Step::Key(key)]].concat();
            match (attributes.get(key), &value) {
                (found, NewValue::List(_)) => {
                    let missing = missing(found, std::slice::from_ref(&annotation));
                    if !is_required && !missing.is_empty() {
                        append(changes, &field, missing);
                    }
                }
                (Some(Value::Bool(_)), NewValue::Flag(_)) | (Some(Value::String(_)), NewValue::Text(_)) => {}
                _ => set(changes, &field, value),
            }
        }
    }
}

/// The audience of the service account tokens that our provider asks for.
pub(super) fn audience(config: &Value) -> Option<String> {
    let attributes = ours(config)?.1.get(TOKEN_ATTRIBUTES)?;
    Some(attributes.get(AUDIENCE_FIELD)?.as_str()?.to_owned())
}

/// The name of our provider in a configuration, which is that of its executable.
pub(super) fn name_of_ours(config: &Value) -> Option<&'static str> {
    let name = ours(config)?.1.get("name")?;
    [PLUGIN, PROGRAM].into_iter().find(|ours| name == ours)
}

/// The images of our provider.
pub(super) fn images(config: &Value) -> Vec<String> {
    let images = ours(config).and_then(|(_, provider)| provider.get("matchImages")?.as_array());
    images.into_iter().flatten().filter_map(|image| image.as_str().map(str::to_owned)).collect()
}

/// Our provider: by the plugin's name, or else by the helper's own.
fn ours(config: &Value) -> Option<(usize, &Value)> {
    let providers = config.get("providers")?.as_array()?;
    [PLUGIN, PROGRAM].into_iter().find_map(|name| {
        providers.iter().enumerate().find(|(_, provider)| provider.get("name").is_some_and(|found| found == name))
    })
}

/// The texts that a list does not have.
fn missing(list: Option<&Value>, wanted: &[String]) -> Vec<NewValue> {
    let has = |text: &&String| list.and_then(Value::as_array).is_some_and(|list| list.iter().any(|item| item == *text));
    wanted.iter().filter(|text| !has(text)).map(|text| NewValue::text(text)).collect()
}

fn set(changes: &mut Vec<Change>, path: &[Step], value: NewValue) {
    changes.push(Change { path: path.to_vec(), edit: Edit::Set(value) });
}

fn append(changes: &mut Vec<Change>, path: &[Step], items: Vec<NewValue>) {
    changes.push(Change { path: path.to_vec(), edit: Edit::Append(items) });
}

/// What the changes rely on.
fn check_shape(config: &Value) -> Result<(), ShapeError> {
    let wrong = |reason| Err(ShapeError::WrongShape(reason));
    let Some(top) = config.as_object() else { return wrong("the top is no object") };
    if top.get("kind").is_some_and(|kind| kind != KIND) {
        return wrong("its kind is another one");
    }
    let in_group = |api: &Value| api.as_str().is_some_and(|api| api.starts_with(CONFIG_GROUP));
    if top.get("apiVersion").is_some_and(|api| !in_group(api)) {
        return wrong("its apiVersion is not one of kubelet.config.k8s.io");
    }
    match top.get("providers") {
        None | Some(Value::Null) => Ok(()),
        Some(Value::Array(providers)) if providers.iter().all(Value::is_object) => Ok(()),
        Some(_) => wrong("its providers are no list of objects"),
    }
}
