//! The inputs of a `credential_process`, as far as they can be seen without running it: the keys that it prints follow from
//! that.
//!
//! Seen are its command line, the file that is run and the files that the line names, both of AWS's files as a whole (the
//! command may be one of AWS's own tools, and name another profile), the variables by which such tools find their identity
//! and their files, those that the line itself names, and the working directory where any of these is relative. Not seen are other variables, other files and what the command asks of others: docs/identity.md has the list.

use std::ffi::OsStr;
use std::fs::Metadata;
use std::path::{Path, PathBuf};

use super::command_line;
use crate::os::environment::Environment;
use crate::os::program;

/// Variables that count beside those of AWS: where homes and programs are.
const TOLD: [&str; 7] =
    ["HOME", "USERPROFILE", "PATH", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"];
/// Variables of AWS and others that hold paths.
const PATHS: [&str; 11] = [
    "HOME",
    "USERPROFILE",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
    "XDG_STATE_HOME",
    "XDG_CACHE_HOME",
    "AWS_CONFIG_FILE",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    "AWS_LOGIN_CACHE_DIRECTORY",
];
/// Variables that say that credentials come from this container.
const CONTAINER: [&str; 2] = ["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI"];
/// Keys of AWS's config file whose values are paths.
const PATH_KEYS: [&str; 2] = ["web_identity_token_file", "ca_bundle"];
/// More files than any command line names.
const MAX_FILES: usize = 16;

/// What tells two runs of the same command line apart.
#[derive(Debug, Default)]
pub(super) struct ProcessContext<'a> {
    /// Variables with their values, in order of their names.
    pub(super) variables: Vec<(&'a [u8], &'a [u8])>,
    /// The texts of AWS's two files.
    pub(super) shared_files: [&'a str; 2],
    /// The program; `None` where there is none to run.
    pub(super) program: Option<(PathBuf, FileIdentity)>,
    /// The files that the other words name, in their order.
    pub(super) files: Vec<Option<FileIdentity>>,
    /// The working directory, where it counts.
    pub(super) working_directory: Option<PathBuf>,
    /// Whether another machine or network namespace may have other credentials for it.
    pub(super) depends_on_host: bool,
    /// Something of all that could not be found out.
    pub(super) unclear: bool,
}

/// Which file it is, and which state of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FileIdentity(pub [i128; 5]);

impl FileIdentity {
    #[cfg(unix)]
    fn of(metadata: &Metadata) -> Self {
        use std::os::unix::fs::MetadataExt;
        // The time of change and not that of modification, which everybody can set.
        Self([
            metadata.dev().into(),
            metadata.ino().into(),
            metadata.ctime().into(),
            metadata.ctime_nsec().into(),
            metadata.size().into(),
        ])
    }

    #[cfg(not(unix))]
    fn of(metadata: &Metadata) -> Self {
        let since = |time: std::io::Result<std::time::SystemTime>| {
            let elapsed = time.ok().and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
            elapsed.map_or(-1, |elapsed| i128::try_from(elapsed.as_nanos()).unwrap_or(-1))
        };
        Self([since(metadata.created()), since(metadata.modified()), metadata.len().into(), 0, 0])
    }
}

impl<'a> ProcessContext<'a> {
    /// The inputs of the command `command`.
    pub(super) fn of(command: &str, environment: &'a Environment, shared_files: [&'a str; 2]) -> Self {
        let path = environment.var_os("PATH");
        let Ok(words) = command_line::split(command) else {
            return Self { unclear: true, ..Self::default() };
        };
        let program = words.first().and_then(|word| program::find(OsStr::new(word), path));
        let names = variables_in(command);
        let mut variables: Vec<_> = environment
            .variables()
            .filter(|(name, value)| !value.is_empty() && is_told(name, &names))
            .map(|(name, value)| (name.as_encoded_bytes(), value.as_encoded_bytes()))
            .collect();
        variables.sort_unstable();
        let hints = Hints::of(shared_files);
        let mut context = Self {
            depends_on_host: hints.host || CONTAINER.iter().any(|name| environment.var_os(name).is_some()),
            unclear: program.is_none(),
            program: program.map(|program| (program.path, FileIdentity::of(&program.metadata))),
            variables,
            shared_files,
            ..Self::default()
        };
        let mut relative =
            cfg!(not(unix)) || hints.relative || is_relative_environment(environment) || is_relative_command(&words);
        context.files = named_files(&words, environment, &mut relative);
        context.unclear |= context.files.len() > MAX_FILES;
        if relative {
            context.working_directory = std::env::current_dir().ok();
            context.unclear |= context.working_directory.is_none();
        }
        context
    }
}

/// Whether the variable `name` may decide which keys a command prints.
fn is_told(name: &OsStr, named: &[&str]) -> bool {
    let bytes = name.as_encoded_bytes();
    // The helper's own variables begin with AWS_ECR_.
    let of_aws = bytes.starts_with(b"AWS_") && !bytes.starts_with(b"AWS_ECR_");
    of_aws || name.to_str().is_some_and(|name| TOLD.contains(&name) || named.contains(&name))
}

/// The names of variables in a command line: `$NAME`, `${NAME...}`, `%NAME%`.
fn variables_in(command: &str) -> Vec<&str> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let after = command.split(['$', '%']).skip(1).map(|rest| rest.strip_prefix('{').unwrap_or(rest));
    after
        .map(|rest| &rest[..rest.find(|c| !is_part(c)).unwrap_or(rest.len())])
        .filter(|name| !name.is_empty())
        .collect()
}

/// What AWS's two files say that decides whether more than they counts.
#[derive(Default)]
struct Hints {
    /// A command or a path that is relative.
    relative: bool,
    /// Credentials of the machine or of its network.
    host: bool,
}

impl Hints {
    fn of(shared_files: [&str; 2]) -> Self {
        shared_files.iter().flat_map(|text| text.lines()).fold(Self::default(), Self::and)
    }

    fn and(self, line: &str) -> Self {
        let Some((key, value)) = line.split_once(['=', ':']) else { return self };
        let (key, value) = (key.trim(), value.trim());
        let is = |known: &str| key.eq_ignore_ascii_case(known);
        Self {
            relative: self.relative
                || is("credential_process")
                    && command_line::split(value).is_ok_and(|words| is_relative_command(&words))
                || PATH_KEYS.iter().any(|known| is(known)) && is_relative_path(OsStr::new(value)),
            host: self.host || is("credential_source"),
        }
    }
}

/// Whether a path depends on the working directory. The AWS CLI and SDKs put the home for a `~` at the beginning.
fn is_relative_path(path: &OsStr) -> bool {
    !path.is_empty() && !Path::new(path).is_absolute() && !path.as_encoded_bytes().starts_with(b"~")
}

fn is_relative_environment(environment: &Environment) -> bool {
    PATHS.iter().any(|name| environment.var_os(name).is_some_and(is_relative_path))
        || environment
            .var_os("PATH")
            .is_some_and(|path| std::env::split_paths(path).any(|folder| !folder.is_absolute()))
}

/// Whether the program or another word is a path that depends on the working directory.
fn is_relative_command(words: &[String]) -> bool {
    let program = words.first().is_some_and(|program| program.contains('/') && !program.starts_with('/'));
    program || words.iter().skip(1).any(|word| is_relative_word(word))
}

/// Whether a word of a command line, its program apart, may name a file by a path that is not absolute, or is a script for a
/// shell, which may do anything. A name alone (`dev`, `export-credentials`) is none.
fn is_relative_word(word: &str) -> bool {
    let value = value_of(word);
    if value.contains(char::is_whitespace) {
        return true;
    }
    let value = value.trim_start_matches('@');
    if value.starts_with(['/', '~']) || value.starts_with("arn:") || value.contains("://") {
        return false;
    }
    value.contains(['/', '.'])
}

/// What a word may name a file by: itself; of an option what it has after its `=`, or from where a path may begin
/// (`-f./creds`).
fn value_of(word: &str) -> &str {
    if !word.starts_with('-') {
        return word;
    }
    let begins = |at: usize| word.get(at..).unwrap_or_default();
    match (word.split_once('='), word.find(['/', '~', '.', '@'])) {
        (Some((_, value)), _) => value,
        (None, Some(at)) => begins(at),
        (None, None) => "",
    }
}

/// The regular files that the words after the program name, also in a script for a shell. A name alone in a script, and the
/// first word that is no option, which may be the script of an interpreter, are looked at too: if such a file is there, the
/// directory counts.
fn named_files(words: &[String], environment: &Environment, relative: &mut bool) -> Vec<Option<FileIdentity>> {
    let mut files = Vec::new();
    let mut is_first = true;
    for word in words.iter().skip(1) {
        let value = value_of(word);
        let may_be_a_name = value.contains(char::is_whitespace) || is_first && !word.starts_with('-');
        is_first &= word.starts_with('-');
        for piece in value.split(|c: char| c.is_whitespace() || ";|&()<>\"'`@=".contains(c)) {
            let is_path = piece.starts_with(['/', '~']) || is_relative_word(piece);
            if piece.is_empty() || !(is_path || may_be_a_name) || files.len() > MAX_FILES {
                continue;
            }
            let path = match (piece.strip_prefix("~/"), environment.home()) {
                (Some(rest), Some(home)) => home.join(rest),
                _ => PathBuf::from(piece),
            };
            // A directory changes with each file in it, and a device with each use: their names are all that counts.
            let file = path.metadata().ok().filter(Metadata::is_file);
            *relative |= !is_path && file.is_some();
            if is_path || file.is_some() {
                files.push(file.as_ref().map(FileIdentity::of));
            }
        }
    }
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_may_be_relative_paths_are_told_from_those_that_are_none() {
        for word in [
            "./creds",
            "sub/creds",
            "creds.sh",
            "--file=who.json",
            "-f./x",
            "-f../x",
            "@who.json",
            "a b",
            "--config=sub/x",
            "..",
            "~x/../a b",
        ] {
            assert!(is_relative_word(word), "{word}");
        }
        for word in [
            "creds",
            "/opt/creds.sh",
            "--profile",
            "dev",
            "export-credentials",
            "--file=/etc/who.json",
            "~/creds.json",
            "arn:aws:iam::123456789012:role/a.b",
            "https://x.example/a",
            "--url=https://x.example/a",
            "pkcs11:object=key",
            "",
        ] {
            assert!(!is_relative_word(word), "{word}");
        }
    }

    // These paths are absolute on Unix alone.
    #[cfg(unix)]
    #[test]
    fn lines_of_the_config_file_that_name_something_relative_are_found() {
        for line in
            ["credential_process = ./creds", "Credential_Process=/bin/sh creds.sh", "web_identity_token_file: token"]
        {
            assert!(Hints::default().and(line).relative, "{line}");
        }
        for line in [
            "credential_process = \"/opt/My Tools/creds\" --profile dev",
            "credential_process = aws configure export-credentials",
            "web_identity_token_file = /var/run/token",
            "ca_bundle = ~/ca.pem",
            "region = eu.west/1",
            "[profile a.b]",
            "ca_bundle =",
            "credential_process = creds.sh dev",
        ] {
            assert!(!Hints::default().and(line).relative, "{line}");
        }
    }

    #[test]
    fn the_variables_that_a_line_names_are_found() {
        assert_eq!(variables_in("sh -c 'a $WHO ${HERE:-x} $(id) $1 %THERE% $'"), ["WHO", "HERE", "1", "THERE"]);
        assert_eq!(variables_in("creds --profile dev"), [""; 0]);
    }
}
