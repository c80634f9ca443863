//! The response to the client.

use std::io;
use std::process::ExitCode;

use serde::Serialize;
use zeroize::Zeroizing;

use crate::PROGRAM;
use crate::os::deadline::Deadline;
use crate::os::secret::Wiped;
use crate::os::stdio::{self, one_line};
use crate::token::RegistryCredentials;

/// Not found: clients compare this text and go on without credentials.
const NOT_FOUND: &str = "credentials not found in native keychain";
/// stdin named no registry.
pub(super) const NO_SERVER_URL: &str = "no credentials server URL";
/// A `store` without a user.
pub(super) const NO_USERNAME: &str = "no credentials username";

/// Bytes for stdout, lines for stderr, and the exit code.
#[derive(Debug)]
pub struct Response {
    /// The answer.
    pub stdout: Wiped,
    /// Reasons and warnings.
    pub stderr: Vec<String>,
    /// The exit code.
    pub code: u8,
}

/// The answer to a `get`, its fields in the order and spelling of the reference helper.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Credentials<'a> {
    #[serde(rename = "ServerURL")]
    server_url: &'a str,
    username: &'a str,
    secret: &'a str,
}

impl Response {
    /// Success, with this on stdout.
    pub(super) fn of(text: impl Into<Vec<u8>>) -> Self {
        Self { stdout: text.into().into(), stderr: Vec::new(), code: 0 }
    }

    /// An error in the protocol's way: a line on stdout, exit code 1.
    pub(super) fn error(line: &str) -> Self {
        Self { code: 1, ..Self::of(format!("{}\n", one_line(line))) }
    }

    /// There is nothing for this registry.
    pub(super) fn not_found() -> Self {
        Self::error(NOT_FOUND)
    }

    /// The answer of another helper, byte for byte.
    pub(super) fn passed_on(mut stdout: Zeroizing<Vec<u8>>, code: u8) -> Self {
        Self { stdout: std::mem::take(&mut *stdout).into(), stderr: Vec::new(), code }
    }

    /// The credentials for `server_url`. This is where a secret leaves.
    ///
    /// # Errors
    ///
    /// Writing to a vector does not fail; serde_json's type has an error.
    pub(super) fn credentials(server_url: &str, answer: &RegistryCredentials) -> io::Result<Self> {
        let secret = answer.password.expose();
        // Room for every character in its longest form, `\u0000`: a vector that grows leaves copies behind.
        let room = 6 * (server_url.len() + answer.username.len() + secret.len()) + 64;
        let mut stdout = Wiped::with_capacity(room);
        serde_json::to_writer(&mut *stdout, &Credentials { server_url, username: &answer.username, secret })?;
        stdout.push(b'\n');
        Ok(Self { stdout, stderr: answer.warnings.clone(), code: 0 })
    }

    /// With one line more on stderr.
    #[must_use]
    pub(super) fn with(mut self, line: Option<String>) -> Self {
        self.stderr.extend(line);
        self
    }

    /// Writes the response. Warnings go first: a client that has its answer may not read on. Where it reads stdout and
    /// stderr as one text (Spring Boot, cue), a line beside the answer would spoil it, so it goes to the log alone.
    pub(super) fn send(self, deadline: Deadline) -> ExitCode {
        if !self.stderr.is_empty() {
            let spoils = !self.stdout.is_empty() && stdio::is_one_stream();
            for line in &self.stderr {
                if spoils {
                    tracing::warn!(reason = %line, "not written to stderr, which is stdout too");
                } else {
                    stdio::warn_line(PROGRAM, line);
                }
            }
        }
        match stdio::write_stdout(&self.stdout, deadline) {
            Ok(()) => ExitCode::from(self.code),
            Err(error) => {
                // No client reads an answer here that the lines could spoil.
                stdio::warn_line(PROGRAM, &format!("the answer could not be written to stdout: {error}"));
                ExitCode::FAILURE
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::os::secret::Secret;

    #[test]
    fn credentials_are_one_json_object_and_a_newline_without_a_second_allocation() {
        let password = Secret::new("p\"\u{1}".repeat(700));
        let answer = RegistryCredentials {
            username: "AWS".to_owned(),
            password: password.clone(),
            expires_at: None,
            warnings: Vec::new(),
        };
        let response = Response::credentials("https://a \"b\"", &answer).unwrap();
        let text = std::str::from_utf8(&response.stdout).unwrap();
        assert!(text.starts_with(r#"{"ServerURL":"https://a \"b\"","Username":"AWS","Secret":"p\"\u0001"#), "{text}");
        assert!(text.ends_with("\"}\n"));
        let read: serde_json::Value = serde_json::from_str(text).unwrap();
        assert_eq!(read["Secret"], password.expose());
        assert!(response.stdout.len() <= 6 * (password.expose().len() + 13 + 3) + 64);
    }
}
