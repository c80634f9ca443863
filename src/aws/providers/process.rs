//! `credential_process`: a command that prints credentials
//! (<https://docs.aws.amazon.com/sdkref/latest/guide/feature-process-credentials.html>).
//!
//! The SDK's own provider waits for every descendant and leaves them behind; [`crate::os::subprocess`] does neither.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::IsTerminal;
use std::path::Path;
use std::process::{Command, ExitStatus};
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::credentials::command_line::{self, WordsError};
use crate::os::deadline::Deadline;
use crate::os::environment::Environment;
use crate::os::program;
use crate::os::secret::Secret;
use crate::os::subprocess::{self, Bounds, ChildError, Finished, Stderr};
use crate::text::timestamp;
use crate::text::user_error::{Kind, UserError};

use super::redact;

/// The most that an answer may be long, in bytes.
const ANSWER: usize = 64 * 1024;
/// How long a person at a terminal has for touching a security key.
pub(super) const ATTENDED: Duration = Duration::from_secs(60);

/// Whether a person sees the command's output and can act on it.
pub(super) fn attended() -> bool {
    std::io::stderr().is_terminal()
}

/// Why the command yields no credentials.
#[derive(Debug, thiserror::Error)]
enum ProcessError {
    #[error("{0}")]
    Words(#[from] WordsError),
    #[error("{program}: {error}")]
    Child { program: String, error: ChildError },
    #[error("{program}: {}", exit(*status, said.as_deref()))]
    Exit { program: String, status: ExitStatus, said: Option<String> },
    #[error("{program}: {error}")]
    Answer { program: String, error: AnswerError },
}

/// What is wrong with the command's answer. Never quotes it: it may hold a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AnswerError {
    /// Nothing but blanks.
    #[error("printed nothing")]
    Nothing,
    /// At this line and column.
    #[error("printed what is not the JSON that AWS asks for (line {0}, column {1})")]
    NotJson(usize, usize),
    /// A key that there must be.
    #[error("printed JSON without \"{0}\"")]
    Missing(&'static str),
    /// A key whose value is no string.
    #[error("printed JSON whose \"{0}\" is no string")]
    NoText(&'static str),
    /// Another `Version`.
    #[error("printed credentials of another version than 1")]
    Version,
    /// The expiration is no time.
    #[error("printed an \"Expiration\" that is no time")]
    Expiration,
    /// When they ended.
    #[error("printed credentials that expired at {0}")]
    Expired(String),
}

fn exit(status: ExitStatus, said: Option<&str>) -> String {
    let mut text = match (status.code(), signal(status)) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("killed by signal {signal}"),
        (None, None) => "failed".to_owned(),
    };
    if let Some(said) = said {
        text.push_str(": ");
        text.push_str(said);
    }
    text
}

#[cfg(unix)]
fn signal(status: ExitStatus) -> Option<i32> {
    std::os::unix::process::ExitStatusExt::signal(&status)
}

#[cfg(not(unix))]
fn signal(_status: ExitStatus) -> Option<i32> {
    None
}

/// Runs the command of `profile` and reads its answer.
///
/// # Errors
/// A command that cannot be started, fails, is killed at a bound, or answers with anything but credentials.
pub(super) fn run(
    profile: &str,
    command: &Secret,
    environment: &Environment,
    deadline: Deadline,
    attended: bool,
) -> Result<Credentials, UserError> {
    try_run(command, environment, deadline, attended).map_err(|error| {
        let remedy = remedy(profile, command, &error);
        UserError::new(Kind::Credentials, format!("the credential_process of profile {profile} failed: {error}"))
            .hint(remedy)
    })
}

fn try_run(
    command: &Secret,
    environment: &Environment,
    deadline: Deadline,
    attended: bool,
) -> Result<Credentials, ProcessError> {
    let words = command_line::split(command.expose())?;
    let program = redact::printable(&words[0], environment);
    // The file that the cache key names (credentials/process_context.rs), and no other look along PATH.
    let found = program::find(OsStr::new(&words[0]), environment.var_os("PATH")).map(|found| found.path);
    let mut command = Command::new(found.as_deref().unwrap_or(Path::new(&words[0])));
    #[cfg(unix)]
    std::os::unix::process::CommandExt::arg0(&mut command, &words[0]);
    // The whole environment, as the AWS CLI gives it: such commands find their identity and their files by it.
    command.args(&words[1..]).env_clear().envs(environment.variables());
    let stderr = if attended { Stderr::Terminal } else { Stderr::Kept };
    let finished = match subprocess::run(command, b"", Bounds { deadline, stdout: ANSWER, stderr }) {
        Ok(finished) => finished,
        Err(error) => return Err(ProcessError::Child { program, error }),
    };
    let Finished { status, stdout, stderr } = finished;
    if !status.success() {
        return Err(ProcessError::Exit { program, status, said: redact::last_line(&stderr, environment) });
    }
    parse(&stdout, SystemTime::now()).map_err(|error| ProcessError::Answer { program, error })
}

fn remedy(profile: &str, command: &Secret, error: &ProcessError) -> String {
    match error {
        ProcessError::Child { error: ChildError::Start(_), .. } if command.expose().contains(['$', '~', '|', '`']) => {
            "write its path in full: as with the AWS CLI no shell expands the line; where one is needed, \
             credential_process = sh -c '...'"
                .to_owned()
        }
        ProcessError::Words(_) | ProcessError::Child { error: ChildError::Start(_), .. } => {
            format!("correct credential_process of profile {profile} in the AWS config file")
        }
        _ => "run the command by hand to see more".to_owned(),
    }
}

/// The values of an answer, each as it is written. Of a key that is there twice the last one counts, as for the AWS CLI.
type Answer<'a> = BTreeMap<String, &'a RawValue>;

/// The value of `key`; `None` where it is not there or null.
fn value<T: DeserializeOwned>(answer: &Answer<'_>, key: &str) -> Result<Option<T>, serde_json::Error> {
    answer.get(key).map_or(Ok(None), |value| serde_json::from_str(value.get()))
}

/// Reads the credentials that a command printed.
///
/// # Errors
/// There are none in it, or none that hold at `now`.
pub fn parse(answer: &[u8], now: SystemTime) -> Result<Credentials, AnswerError> {
    if answer.trim_ascii().is_empty() {
        return Err(AnswerError::Nothing);
    }
    let not_json = |error: serde_json::Error| AnswerError::NotJson(error.line(), error.column().max(1));
    let answer: Answer<'_> = serde_json::from_slice(answer).map_err(not_json)?;
    match value::<serde_json::Value>(&answer, "Version").map_err(not_json)? {
        None => return Err(AnswerError::Missing("Version")),
        Some(version) if version.as_f64() != Some(1.0) => return Err(AnswerError::Version),
        Some(_) => {}
    }
    let text = |key: &'static str| -> Result<Option<Secret>, AnswerError> {
        let value: Option<Secret> = value(&answer, key).map_err(|_| AnswerError::NoText(key))?;
        Ok(value.filter(|value| !value.expose().is_empty()))
    };
    let id = text("AccessKeyId")?.ok_or(AnswerError::Missing("AccessKeyId"))?;
    let secret = text("SecretAccessKey")?.ok_or(AnswerError::Missing("SecretAccessKey"))?;
    let expires = match text("Expiration")? {
        None => None,
        Some(text) => Some(timestamp::parse(text.expose()).ok_or(AnswerError::Expiration)?),
    };
    if let Some(at) = expires.filter(|at| *at <= now) {
        return Err(AnswerError::Expired(timestamp::text(at)));
    }
    let mut credentials = Credentials::builder()
        .access_key_id(id.expose())
        .secret_access_key(secret.expose())
        .provider_name("CredentialProcess");
    credentials.set_session_token(text("SessionToken")?.map(|token| token.expose().to_owned()));
    credentials.set_expiry(expires);
    Ok(credentials.build())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> SystemTime {
        timestamp::parse(text).unwrap()
    }

    #[test]
    fn an_answer_of_the_documented_form_is_credentials() {
        let answer = br#"{"Version": 1, "AccessKeyId": "id", "SecretAccessKey": "secret", "SessionToken": "token",
            "Expiration": "2026-04-01T12:00:00Z", "More": [1]}"#;
        let credentials = parse(answer, at("2026-04-01T11:59:59Z")).unwrap();
        assert_eq!(credentials.access_key_id(), "id");
        assert_eq!(credentials.secret_access_key(), "secret");
        assert_eq!(credentials.session_token(), Some("token"));
        assert_eq!(credentials.expiry(), Some(at("2026-04-01T12:00:00Z")));
    }

    #[test]
    fn session_token_and_expiration_may_be_absent_or_null() {
        for rest in ["", r#", "SessionToken": null, "Expiration": null"#, r#", "SessionToken": """#] {
            let answer = format!(r#"{{"Version": 1, "AccessKeyId": "id", "SecretAccessKey": "secret"{rest}}}"#);
            let credentials = parse(answer.as_bytes(), SystemTime::now()).unwrap();
            assert_eq!(credentials.session_token(), None);
            assert_eq!(credentials.expiry(), None);
        }
    }

    #[test]
    fn an_answer_with_a_key_twice_or_a_numeric_account_is_read_as_by_the_aws_cli() {
        for rest in
            [r#""AccessKeyId": "first", "AccessKeyId": "id""#, r#""AccessKeyId": "id", "AccountId": 123456789012"#]
        {
            let answer = format!(r#"{{"Version": 1, {rest}, "SecretAccessKey": "secret"}}"#);
            assert_eq!(parse(answer.as_bytes(), SystemTime::now()).unwrap().access_key_id(), "id", "{rest}");
        }
    }

    #[test]
    fn any_other_answer_is_an_error_that_does_not_quote_it() {
        let now = at("2026-04-01T12:00:00Z");
        for (answer, error) in [
            ("", "printed nothing"),
            (" \n", "printed nothing"),
            ("hunter2", "printed what is not the JSON that AWS asks for (line 1, column 1)"),
            (
                r#"[1, "i", "hunter2", null, null, null]"#,
                "printed what is not the JSON that AWS asks for (line 1, column 1)",
            ),
            (r#"{"Version": 1, "AccessKeyId": 17}"#, "printed JSON whose \"AccessKeyId\" is no string"),
            ("{}", "printed JSON without \"Version\""),
            (r#"{"Version": "1"}"#, "printed credentials of another version than 1"),
            (r#"{"Version": 2}"#, "printed credentials of another version than 1"),
            (r#"{"Version": 1}"#, "printed JSON without \"AccessKeyId\""),
            (r#"{"Version": 1, "AccessKeyId": "", "SecretAccessKey": "s"}"#, "printed JSON without \"AccessKeyId\""),
            (r#"{"Version": 1, "AccessKeyId": "i"}"#, "printed JSON without \"SecretAccessKey\""),
            (
                r#"{"Version": 1, "AccessKeyId": "i", "SecretAccessKey": "s", "Expiration": "soon"}"#,
                "printed an \"Expiration\" that is no time",
            ),
            (
                r#"{"Version": 1, "AccessKeyId": "i", "SecretAccessKey": "s", "Expiration": "2026-04-01T12:00:00Z"}"#,
                "printed credentials that expired at 2026-04-01T12:00:00Z",
            ),
        ] {
            assert_eq!(parse(answer.as_bytes(), now).unwrap_err().to_string(), error, "{answer}");
        }
    }
}
