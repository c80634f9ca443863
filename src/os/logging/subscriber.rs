//! Events become lines: the time, the process, the level, the room, and what is allowed of the rest.

use std::fmt::{self, Write as _};
use std::sync::Mutex;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use super::allowed;
use super::file::LogFile;
use crate::os::stdio::tell;

/// Where lines go.
pub(super) enum Output {
    /// The terminal, or whatever the client does with its helper's stderr.
    Stderr,
    /// A file of ours.
    File(LogFile),
    /// Nobody reads.
    Nobody,
}

/// The process's one subscriber. Spans are not followed: nothing in them is allowed.
pub(super) struct Lines {
    level: LevelFilter,
    output: Mutex<Output>,
}

impl Lines {
    /// Writes events of `level` and graver ones to `output`.
    pub(super) fn new(level: LevelFilter, output: Output) -> Self {
        Self { level, output: Mutex::new(output) }
    }
}

impl Subscriber for Lines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && *metadata.level() <= self.level && allowed::target(metadata.target())
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.level)
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let metadata = event.metadata();
        let mut fields = Fields { target: metadata.target(), message: String::new(), text: String::new() };
        event.record(&mut fields);
        if !allowed::is_ours(fields.target) && !allowed::message(fields.target, &fields.message) {
            return;
        }
        let now = OffsetDateTime::now_utc();
        let now = now.replace_millisecond(now.millisecond()).unwrap_or(now).format(&Rfc3339).unwrap_or_default();
        let line = format!(
            "{now} {} {:5} {}: {}{}\n",
            std::process::id(),
            metadata.level(),
            metadata.target(),
            allowed::value(&fields.message),
            fields.text
        );
        let Ok(mut output) = self.output.lock() else { return };
        // A log that cannot be written is no reason to fail the call.
        match &mut *output {
            Output::Stderr => {
                // Who did not read one line in time is not waited for with each of the next.
                if tell(&line).is_err() {
                    *output = Output::Nobody;
                }
            }
            Output::File(file) => drop(file.write(line.as_bytes())),
            Output::Nobody => {}
        }
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// Collects what is allowed of an event.
struct Fields<'a> {
    target: &'a str,
    message: String,
    text: String,
}

impl Fields<'_> {
    fn put(&mut self, field: &Field, value: &dyn fmt::Display) {
        if field.name() == "message" {
            self.message = value.to_string();
        } else if allowed::is_ours(self.target) && allowed::field(field.name()) {
            // With no quotes of its own, a value cannot look like another field.
            let value = allowed::value(&value.to_string()).replace('"', "'");
            let quote = if value.contains([' ', '=']) { "\"" } else { "" };
            let _ = write!(self.text, " {}={quote}{value}{quote}", field.name());
        }
    }
}

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, &format_args!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, &value);
    }
}
