//! Logs: none by default; `ECR_LOGIN_LOG=error|warn|info|debug|trace` turns them on, to stderr, or to the file that
//! `ECR_LOGIN_LOG_FILE` names.
//!
//! What may be written is listed (`allowed`), not what may not: the AWS SDK prints whole answers, tokens and all,
//! at `trace`, whatever `LOG_SENSITIVE_BODIES` says. Without `ECR_LOGIN_LOG` nothing is set up at all.

mod allowed;
mod file;
mod subscriber;

use std::path::Path;

use tracing::level_filters::LevelFilter;

use crate::os::environment::Environment;
use crate::os::stdio;
use subscriber::{Lines, Output};

/// The variable with the level.
const LEVEL: &str = "ECR_LOGIN_LOG";
/// The variable with the file.
const FILE: &str = "ECR_LOGIN_LOG_FILE";

/// Turns logging on, if it is wanted. A line for stderr where it is wanted and cannot be had: that is no reason not
/// to answer.
pub fn start(environment: &Environment) -> Option<String> {
    let level = environment.var(LEVEL)?;
    let Some(level) = level_of(level) else {
        return Some(format!("{LEVEL} is {level:?}, and can be error, warn, info, debug or trace: nothing is logged"));
    };
    let output = match environment.var_os(FILE) {
        // Who reads both as one text would take a line of the log for the answer.
        None if stdio::is_one_stream() => Output::Nobody,
        None => Output::Stderr,
        Some(path) => match file::LogFile::open(Path::new(path)) {
            Ok(file) => Output::File(file),
            Err(error) => {
                let path = Path::new(path).display();
                return Some(format!("{FILE} is {path}: {error}: nothing is logged"));
            }
        },
    };
    let _ = tracing::subscriber::set_global_default(Lines::new(level, output));
    None
}

fn level_of(text: &str) -> Option<LevelFilter> {
    Some(match text.to_ascii_lowercase().as_str() {
        "error" => LevelFilter::ERROR,
        "warn" => LevelFilter::WARN,
        "info" => LevelFilter::INFO,
        "debug" => LevelFilter::DEBUG,
        "trace" => LevelFilter::TRACE,
        "off" => LevelFilter::OFF,
        _ => return None,
    })
}
