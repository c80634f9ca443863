//! Edits to our own settings file for `setup`: comments and order stay, and what was put in can be told from what
//! people wrote, by a comment of ours before it.

use std::path::{Path, PathBuf};

use similar::DiffTag;
use toml_edit::{ArrayOfTables, DocumentMut, Item, Table, value};

use super::SetupError;
use super::diff::compared;
use crate::os::environment::Environment;
use crate::os::fs::user_file::UserFile;
use crate::registry::Registry;
use crate::settings::{Settings, SettingsError, role_for};

/// Stands before everything that `setup` writes.
const MARK: &str = "# by setup; setup --undo takes it out\n";

/// What to say in the settings file.
#[derive(Clone, Debug, Default)]
pub struct SettingsEdit<'a> {
    /// The registries' hosts that `profile` and `role_arn` are for.
    pub registries: &'a [String],
    /// `profile`
    pub profile: Option<&'a str>,
    /// `role_arn`
    pub role_arn: Option<&'a str>,
    /// `web_identity`
    pub web_identity: Option<&'a str>,
    /// `audience`
    pub audience: Option<&'a str>,
    /// `delegate`, the helper that goes on serving names that are not ECR's.
    pub delegate: Option<&'a str>,
    /// Registries' hosts, each with a `profile` of its own.
    pub pairs: &'a [(String, String)],
}

impl SettingsEdit<'_> {
    /// Whether the file is to be touched at all.
    pub(super) fn is_empty(&self) -> bool {
        self.profile.is_none() && self.role_arn.is_none() && self.delegate.is_none() && self.pairs.is_empty()
    }
}

/// The file that a change goes to: the one in force, or the user's own where there is none yet.
///
/// # Errors
/// The file in force is broken: it is not for `setup` to mend.
pub(super) fn path(environment: &Environment) -> Result<PathBuf, SetupError> {
    match Settings::load(environment) {
        Ok(Settings { path: Some(path), .. }) | Err(SettingsError::Missing(path)) => Ok(path),
        Ok(_) => {
            let directory = environment.config_dir().ok_or(SetupError::NoHome)?;
            Ok(directory.join("ecr-login").join("config.toml"))
        }
        Err(error) => Err(error.into()),
    }
}

/// The file's text with the edit made.
///
/// # Errors
/// The text is no TOML, or would be no settings file with the edit made.
pub fn with(original: &UserFile, edit: &SettingsEdit<'_>) -> Result<String, SetupError> {
    let mut document = read(original)?;
    match (edit.delegate, document.get_mut("delegate").and_then(Item::as_value_mut)) {
        (Some(delegate), Some(theirs)) => replace(theirs, delegate),
        (Some(delegate), None) => {
            // A key at the top must stand before the first table.
            document.insert("delegate", value(delegate));
            if let Some(mut key) = document.key_mut("delegate") {
                key.leaf_decor_mut().set_prefix(MARK);
            }
        }
        (None, _) => {}
    }
    let for_all = edit.profile.is_some() || edit.role_arn.is_some();
    if for_all || !edit.pairs.is_empty() {
        let entries = document.entry("registry").or_insert_with(|| Item::ArrayOfTables(ArrayOfTables::new()));
        let Some(entries) = entries.as_array_of_tables_mut() else {
            return Err(SetupError::Inline { path: original.path.clone() });
        };
        for registry in edit.registries.iter().filter(|_| for_all) {
            say(entries, registry, edit);
        }
        for (registry, profile) in edit.pairs {
            say(entries, registry, &SettingsEdit { profile: Some(profile), ..SettingsEdit::default() });
        }
    }
    checked(&original.path, text_of(original, &document), edit)
}

/// Checks the values of the edit alone, whatever the file is.
///
/// # Errors
/// One is not what the settings take; the error names its key.
pub(super) fn check_values(edit: &SettingsEdit<'_>) -> Result<(), SettingsError> {
    const ANY: &str = "000000000000.dkr.ecr.us-east-1.amazonaws.com";
    let mut entries = ArrayOfTables::new();
    say(&mut entries, ANY, edit);
    let mut document = DocumentMut::new();
    document.insert("registry", Item::ArrayOfTables(entries));
    Settings::parse("the arguments", &document.to_string()).map(drop)
}

fn say(entries: &mut ArrayOfTables, registry: &str, edit: &SettingsEdit<'_>) {
    let pattern = |entry: &Table| entry.get("match").and_then(Item::as_str).unwrap_or_default().to_owned();
    let keys = [
        ("profile", edit.profile),
        ("role_arn", edit.role_arn),
        ("web_identity", edit.web_identity),
        ("audience", edit.audience),
    ];
    if let Some(entry) = entries.iter_mut().find(|entry| pattern(entry).eq_ignore_ascii_case(registry)) {
        for (key, new) in keys {
            let Some(new) = new else { continue };
            match entry.get_mut(key).and_then(Item::as_value_mut) {
                Some(old) => replace(old, new),
                None => entry[key] = value(new),
            }
        }
        return;
    }
    let mut entry = Table::new();
    entry["match"] = value(registry);
    for (key, new) in keys {
        if let Some(new) = new {
            entry[key] = value(new);
        }
    }
    entry.decor_mut().set_prefix(format!("\n{MARK}"));
    // The first entry that matches wins, so a new one goes before the first one with a wildcard.
    let before = entries.iter().position(|entry| pattern(entry).contains('*'));
    match before {
        Some(before) => entries.insert(before, entry),
        None => entries.push(entry),
    }
}

/// Puts `new` where `old` stands, whose comments stay.
fn replace(old: &mut toml_edit::Value, new: &str) {
    if old.as_str() != Some(new) {
        let decor = old.decor().clone();
        *old = new.into();
        *old.decor_mut() = decor;
    }
}

/// The file's text without what `setup` put in: the entries of `registries` (of all, if that is empty), and the
/// delegate if `store` goes too. Also the delegate that was in force.
///
/// # Errors
/// The text is no TOML.
pub fn without(original: &UserFile, registries: &[String], store: bool) -> Result<String, SetupError> {
    let mut document = read(original)?;
    if store && document.key("delegate").is_some_and(|key| is_ours(key.leaf_decor().prefix())) {
        document.remove("delegate");
    }
    let mut empty = false;
    if let Some(entries) = document.get_mut("registry").and_then(Item::as_array_of_tables_mut) {
        entries.retain(|entry| {
            let pattern = entry.get("match").and_then(Item::as_str).unwrap_or_default();
            let named = registries.is_empty() || registries.iter().any(|registry| registry == pattern);
            !(named && is_ours(entry.decor().prefix()))
        });
        empty = entries.is_empty();
    }
    if empty {
        document.remove("registry");
    }
    Ok(text_of(original, &document))
}

/// The registries of the entries that `setup` put in.
///
/// # Errors
/// The text is no TOML.
pub(super) fn put_in(original: &UserFile) -> Result<Vec<String>, SetupError> {
    let document = read(original)?;
    let entries = document.get("registry").and_then(Item::as_array_of_tables).into_iter().flatten();
    let ours = entries.filter(|entry| is_ours(entry.decor().prefix()));
    Ok(ours.filter_map(|entry| entry.get("match")?.as_str().map(str::to_owned)).collect())
}

/// Whether what stands before a key or a table says that it is by `setup`.
fn is_ours(prefix: Option<&toml_edit::RawString>) -> bool {
    prefix.and_then(toml_edit::RawString::as_str).is_some_and(|prefix| prefix.contains(MARK.trim_end()))
}

/// The document's text, with the byte order mark and the line ends that the file had: the parser drops both.
fn text_of(original: &UserFile, document: &DocumentMut) -> String {
    const BYTE_ORDER_MARK: &str = "\u{feff}";
    let new = document.to_string();
    let old = original.content.as_deref().map(String::from_utf8_lossy).unwrap_or_default();
    let (mark, old) = match old.strip_prefix(BYTE_ORDER_MARK) {
        Some(rest) => (BYTE_ORDER_MARK, rest),
        None => ("", &*old),
    };
    if !old.contains('\r') {
        return format!("{mark}{new}");
    }
    let lines: Vec<&str> = old.split_inclusive('\n').collect();
    let end = if lines.first().is_some_and(|line| line.ends_with("\r\n")) { "\r\n" } else { "\n" };
    let plain = old.replace("\r\n", "\n");
    let (plain, new): (Vec<&str>, Vec<&str>) =
        (plain.split_inclusive('\n').collect(), new.split_inclusive('\n').collect());
    let mut text = mark.to_owned();
    for part in compared(&plain, &new).into_ops() {
        if part.tag() == DiffTag::Equal {
            text.extend(lines.get(part.old_range()).unwrap_or_default().iter().copied());
            continue;
        }
        for line in new.get(part.new_range()).unwrap_or_default() {
            match line.strip_suffix('\n') {
                Some(line) => text.extend([line.strip_suffix('\r').unwrap_or(line), end]),
                None => text.push_str(line),
            }
        }
    }
    text
}

fn read(original: &UserFile) -> Result<DocumentMut, SetupError> {
    let path = original.path.clone();
    let text = String::from_utf8(original.content.clone().unwrap_or_default())
        .map_err(|_| SetupError::NotToml { path: path.clone(), reason: "not UTF-8".to_owned() })?;
    text.parse().map_err(|error: toml_edit::TomlError| {
        let reason = error.to_string().lines().collect::<Vec<_>>().join(" ");
        SetupError::NotToml { path, reason }
    })
}

/// What is about to be written must be a settings file, and hold the edit.
fn checked(path: &Path, text: String, edit: &SettingsEdit<'_>) -> Result<String, SetupError> {
    let settings = Settings::parse(path, &text)?;
    let of_all = edit.registries.iter().map(|name| (name, edit.profile));
    let of_pairs = edit.pairs.iter().map(|(name, profile)| (name, Some(profile.as_str())));
    for (name, profile) in of_all.chain(of_pairs) {
        let Some(target) = settings.target(name).or_else(|| {
            let registry = Registry::parse(name)?;
            settings.target(registry.host())
        }) else {
            continue;
        };
        let is_there = |new: Option<&str>, said: Option<&str>| new.is_none() || new == said;
        let role = edit.role_arn.map(|arn| role_for(arn, &target.registry));
        let said = target.credentials.role.as_ref().map(|role| role.arn.as_str());
        if !is_there(profile, target.credentials.profile.as_deref()) || !is_there(role.as_deref(), said) {
            return Err(SetupError::Hidden { path: path.to_owned(), registry: name.clone() });
        }
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn original(text: &str) -> UserFile {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("config.toml");
        std::fs::write(&path, text).unwrap();
        UserFile::read(&path).unwrap()
    }

    const REGISTRY: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";

    #[test]
    fn a_new_entry_goes_before_a_wildcard_and_comments_stay() {
        let before = "# mine\ntimeout = 5 # short\n\n# all of them\n[[registry]]\nmatch = \"*.dkr.ecr.*.amazonaws.com\"\nprofile = \"base\"\n";
        let registries = [REGISTRY.to_owned()];
        let edit = SettingsEdit {
            registries: &registries,
            profile: Some("prod"),
            delegate: Some("pass"),
            ..SettingsEdit::default()
        };
        let after = with(&original(before), &edit).unwrap();
        let expected = format!(
            "# mine\ntimeout = 5 # short\n{MARK}delegate = \"pass\"\n\n{MARK}[[registry]]\nmatch = \"{REGISTRY}\"\nprofile = \"prod\"\n\n# all of them\n[[registry]]\nmatch = \"*.dkr.ecr.*.amazonaws.com\"\nprofile = \"base\"\n"
        );
        assert_eq!(after, expected);
        assert_eq!(with(&original(&after), &edit).unwrap(), after, "again is a no-op");
        assert_eq!(without(&original(&after), &[], true).unwrap(), before, "undo gives back the bytes");
    }

    #[test]
    fn an_entry_of_the_users_is_changed_in_its_place() {
        let before = format!(
            "[[registry]]\nmatch = \"{REGISTRY}\" # x\nprofile = \"dev\" # y\nsession_name = \"s\"\nrole_arn = \"arn:aws:iam::123456789012:role/r\"\n"
        );
        let registries = [REGISTRY.to_owned()];
        let edit = SettingsEdit { registries: &registries, profile: Some("prod"), ..SettingsEdit::default() };
        let after = with(&original(&before), &edit).unwrap();
        assert_eq!(after, before.replace("\"dev\"", "\"prod\""));
        assert_eq!(without(&original(&after), &[], true).unwrap(), after);
    }

    #[test]
    fn the_byte_order_mark_and_the_line_ends_stay() {
        let registries = [REGISTRY.to_owned()];
        let edit = SettingsEdit {
            registries: &registries,
            profile: Some("prod"),
            delegate: Some("pass"),
            ..SettingsEdit::default()
        };
        for before in [
            "\u{feff}strict = true\n",
            "strict = true\r\n# c\r\n[[registry]]\r\nmatch = \"a.b\"\r\n",
            "strict = true\r\n# c\n[[registry]]\nmatch = \"a.b\"\r\n",
            "\u{feff}# c\r\n\r\nstrict = true\r\n",
        ] {
            let after = with(&original(before), &edit).unwrap();
            assert_eq!(without(&original(&after), &[], true).unwrap(), before, "{after:?}");
            assert_eq!(after.starts_with('\u{feff}'), before.starts_with('\u{feff}'));
        }
        let after = with(&original("strict = true\r\n"), &edit).unwrap();
        assert_eq!(after.matches("\r\n").count(), after.matches('\n').count(), "{after:?}");
    }

    #[test]
    fn a_delegate_of_the_users_is_changed_in_its_place() {
        let before = "# why\ndelegate = \"other\" # how\n";
        let edit = SettingsEdit { delegate: Some("pass"), ..SettingsEdit::default() };
        let after = with(&original(before), &edit).unwrap();
        assert_eq!(after, before.replace("other", "pass"));
        assert_eq!(without(&original(&after), &[], true).unwrap(), after);
    }

    #[test]
    fn a_role_that_is_none_is_refused() {
        let registries = [REGISTRY.to_owned()];
        let edit = SettingsEdit { registries: &registries, role_arn: Some("nonsense"), ..SettingsEdit::default() };
        assert!(with(&original(""), &edit).is_err());
    }
}
