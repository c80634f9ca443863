//! AWS's config and credentials files and its variables. What comes before the first line `---` are variables, then follows
//! the config file and, behind another `---`, the credentials file. `HOME` stands for the home directory.
//!
//! Held are the rules that both the AWS CLI and the Go helper keep: comments, line ends, a byte order mark and what is wrong
//! in other sections change nothing; credentials in a profile are never passed over for the container's or the instance's
//! role; and a profile that somebody names and that is not there is an error.

use std::collections::HashMap;
use std::fs;

use ecr_login::credentials::{CredentialSelector, CredentialSource, Identity, IdentityError};
use ecr_login::os::environment::Environment;
use ecr_login::registry::Registry;
use ecr_login::settings::CredentialSettings;

use super::memory;

/// The content of the token file `HOME/token`.
const TOKEN: &str = "web-token";

/// Variables that may be set to anything.
const FREE: [&str; 11] = [
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_SECURITY_TOKEN",
    "AWS_CREDENTIAL_EXPIRATION",
    "AWS_ROLE_ARN",
    "AWS_ROLE_SESSION_NAME",
    "AWS_EC2_METADATA_DISABLED",
];

/// Variables that may be set to these values alone: no file is read but ours.
const FIXED: [(&str, &[&str]); 6] = [
    ("AWS_CONFIG_FILE", &["HOME/config", "~/config", "$HOME/config", "HOME/gone"]),
    ("AWS_SHARED_CREDENTIALS_FILE", &["HOME/credentials", "~/credentials", "${HOME}/credentials", "HOME/gone"]),
    ("AWS_WEB_IDENTITY_TOKEN_FILE", &["HOME/token", "HOME/gone"]),
    ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", &["/v2/credentials/x"]),
    (
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        &["http://169.254.170.23/v1/credentials", "https://127.0.0.1/x", "http://192.0.2.1/x"],
    ),
    ("AWS_CONTAINER_AUTHORIZATION_TOKEN", &["Basic x"]),
];

/// What is wrong here is nobody's profile's.
const FOREIGN: &str = "\n[profile nobody's own\n[nobody's own]\nnonsense\nrole_arn = r\nrole_arn = s\n";

/// Variables and files, as a process would find them.
struct Input<'t> {
    variables: HashMap<&'static str, &'t str>,
    home: String,
    config: &'t str,
    credentials: &'t str,
}

type Answer = Result<CredentialSource, IdentityError>;

#[allow(dead_code, reason = "the fuzzer's own")]
pub fn check(input: &[u8]) {
    used(input);
}

/// The kind of source that is used, that there is none, or an error.
pub fn used(bytes: &[u8]) -> Option<&'static str> {
    let text = std::str::from_utf8(bytes).ok()?;
    let home = home();
    let text = text.replace("HOME/", &format!("{home}/")).replace("${HOME}", "$HOME");
    let (variables, files) = text.split_once("---\n").unwrap_or(("", &text));
    let (config, credentials) = files.split_once("---\n").unwrap_or((files, ""));
    let variables = allowed(variables, &home);
    let input = Input { variables, home, config, credentials };
    let answer = memory::bounded(bytes.len(), (64 * 1024, 96), || input.answer(config, credentials));
    let same = |what: &str, other: Answer| {
        let (answer, other) = (summary(&answer), summary(&other));
        assert_eq!(answer, other, "{what}: {config:?}, {credentials:?}");
    };
    if text.contains('\u{feff}') || text.contains("nobody's own") {
        return None;
    }
    same("comments", input.answer(&with_comments(config), &with_comments(credentials)));
    if !text.contains('\r') {
        same("CRLF", input.answer(&config.replace('\n', "\r\n"), &credentials.replace('\n', "\r\n")));
    }
    same("byte order mark", input.answer(&format!("\u{feff}{config}"), &format!("\u{feff}{credentials}")));
    same("another section", input.answer(&format!("{config}{FOREIGN}"), &format!("{credentials}{FOREIGN}")));
    if let Ok(CredentialSource::Container { .. } | CredentialSource::Imds { .. }) = &answer {
        input.assert_nothing_passed_over();
    }
    Some(match &answer {
        Ok(source) => kind(source),
        Err(IdentityError::NoSource { .. }) => "nobody",
        Err(_) => "an error",
    })
}

impl Input<'_> {
    fn answer(&self, config: &str, credentials: &str) -> Answer {
        let path = |variable: &str, default: &str| {
            let named = self.variables.get(variable).map(|path| path.replace(['~'], &self.home));
            let path = named.map(|path| path.replace("$HOME", &self.home));
            path.unwrap_or_else(|| format!("{}/.aws/{default}", self.home))
        };
        for (path, text) in [
            (path("AWS_CONFIG_FILE", "config"), config),
            (path("AWS_SHARED_CREDENTIALS_FILE", "credentials"), credentials),
        ] {
            if !path.ends_with("/gone") {
                fs::write(path, text).unwrap();
            }
        }
        let variables =
            self.variables.iter().map(|(name, value)| (*name, *value)).chain([("HOME", self.home.as_str())]);
        let registry = Registry::parse("123456789012.dkr.ecr.eu-west-1.amazonaws.com").unwrap();
        let wanted = CredentialSettings::default();
        let found = Identity::resolve(&Environment::of(variables), CredentialSelector::Settings(&wanted), &registry);
        if let Some(name) = self.named_profile()
            && ![config, credentials]
                .iter()
                .any(|text| text.contains(name) || text.contains('\\') || text.contains('"'))
            && !self.has_keys()
        {
            assert!(found.is_err(), "the profile {name:?} is nowhere: {config:?}, {credentials:?}");
        }
        found.map(|identity| identity.source)
    }

    fn named_profile(&self) -> Option<&str> {
        ["AWS_PROFILE", "AWS_DEFAULT_PROFILE"].iter().find_map(|name| self.variables.get(name)).copied()
    }

    fn has_keys(&self) -> bool {
        self.variables.get("AWS_ACCESS_KEY_ID").is_some_and(|id| !id.trim().is_empty())
    }

    /// In the section of the profile as everybody writes it there is no key with a value that is a credential.
    fn assert_nothing_passed_over(&self) {
        let name = self.named_profile().unwrap_or("default");
        let headers = [format!("[{name}]"), format!("[profile {name}]")];
        for (text, header) in [(self.credentials, &headers[0]), (self.config, &headers[usize::from(name != "default")])]
        {
            let lines: Vec<&str> = text.lines().collect();
            // Where the section is there under another spelling too, that one may count.
            let is_header = |line: &&str| line.trim_start().starts_with('[');
            if lines.iter().filter(|line| is_header(line) && line.contains(name)).count() != 1 {
                continue;
            }
            let inside =
                lines.iter().skip_while(|line| **line != header.as_str()).skip(1).take_while(|line| !is_header(line));
            for line in inside.filter(|line| line.starts_with(|c: char| c.is_ascii_lowercase())) {
                let Some((key, value)) = line.split_once('=') else { continue };
                let is_credential =
                    ["aws_access_key_id", "aws_secret_access_key", "credential_process", "login_session"]
                        .contains(&key.trim_end());
                let is_there = std::path::Path::new(&format!("{}/.aws", self.home)).exists()
                    && !self.variables.values().any(|value| value.ends_with("/gone"));
                assert!(!is_credential || !is_there || value.trim().is_empty(), "{key} is passed over: {text:?}");
            }
        }
    }
}

/// A comment before each line, indented by more and more, which is never part of what stands above it.
fn with_comments(text: &str) -> String {
    let lines = text.split_inclusive('\n').enumerate();
    lines.map(|(number, line)| format!("{}# role_arn = comment\n{line}", " ".repeat(number % 4))).collect()
}

fn kind(source: &CredentialSource) -> &'static str {
    match source {
        CredentialSource::StaticKeys { .. } => "keys",
        CredentialSource::CredentialProcess { .. } => "a process",
        CredentialSource::Sso { .. } => "SSO",
        CredentialSource::LoginSession { .. } => "a login",
        CredentialSource::WebIdentity { .. } | CredentialSource::RequestedWebIdentity { .. } => "web identity",
        CredentialSource::Container { .. } => "a container",
        CredentialSource::Imds { .. } => "an instance",
        CredentialSource::AssumeRole { .. } => "a role",
    }
}

/// All of a source, secrets among it, or the kind of error without the numbers of lines.
fn summary(answer: &Answer) -> String {
    match answer {
        Ok(source) => open(source),
        Err(IdentityError::NoSource { .. }) => "nobody".to_owned(),
        Err(IdentityError::Malformed { reason, .. }) => (*reason).to_owned(),
        // The names of other profiles are in it.
        Err(IdentityError::NoSuchProfile(missing)) => format!("no profile {}", missing.profile),
        Err(error) => error.to_string(),
    }
}

fn open(source: &CredentialSource) -> String {
    match source {
        CredentialSource::StaticKeys { id, secret, session_token } => {
            let token = session_token.as_ref().map(|token| token.expose());
            format!("{:?}", (id.expose(), secret.expose(), token))
        }
        CredentialSource::CredentialProcess { command, .. } => format!("{:?}", command.expose()),
        CredentialSource::AssumeRole { base, role_arn, session_name, external_id, duration_seconds, .. } => {
            format!("{:?}", (open(base), role_arn, session_name, external_id, duration_seconds))
        }
        other => format!("{other:?}"),
    }
}

/// A home directory with a token file in it, for each thread.
fn home() -> String {
    fn made() -> tempfile::TempDir {
        let home = tempfile::tempdir().unwrap();
        fs::create_dir_all(home.path().join(".aws")).unwrap();
        fs::write(home.path().join("token"), TOKEN).unwrap();
        home
    }
    thread_local!(static HOME: tempfile::TempDir = made());
    HOME.with(|home| home.path().to_str().unwrap().to_owned())
}

/// The variables that may be set. An empty one is a variable that is not set.
fn allowed<'t>(text: &'t str, home: &str) -> HashMap<&'static str, &'t str> {
    let set = text.lines().filter_map(|line| line.split_once('=')).filter_map(|(name, value)| {
        if let Some(name) = FREE.iter().find(|free| **free == name) {
            let plain = !value.is_empty() && !value.contains('\0');
            return plain.then_some((*name, value));
        }
        let (name, values) = FIXED.iter().find(|(fixed, _)| *fixed == name)?;
        values
            .iter()
            .any(|fixed| fixed.replace("HOME/", &format!("{home}/")).replace("${HOME}", "$HOME") == value)
            .then_some((*name, value))
    });
    set.collect()
}
