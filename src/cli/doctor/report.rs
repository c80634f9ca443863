//! What `doctor` found, as text for people and as JSON for programs.

use std::fmt::Write as _;

use serde::Serialize;

use crate::cli::terminal::Paint;
use crate::text::printable::one_line;
use crate::text::user_error::UserError;

/// How a step came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum State {
    /// As it should be.
    Ok,
    /// Works, and somebody should know of it.
    Note,
    /// Must be mended for a pull to work.
    Wrong,
    /// Not tried, since an earlier step is wrong, or not needed.
    Skipped,
}

/// One step of the way.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Step {
    /// One word that stays the same: `helper`, `docker`, `keys`.
    pub(super) name: &'static str,
    /// How it came out.
    pub(super) state: State,
    /// What was found.
    pub(super) found: String,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) remedy: Option<String>,
}

impl Step {
    /// A step that is right.
    pub(super) fn ok(name: &'static str, found: impl Into<String>) -> Self {
        Self { name, state: State::Ok, found: found.into(), remedy: None }
    }

    /// A step that was not tried.
    pub(super) fn skipped(name: &'static str, found: impl Into<String>) -> Self {
        Self { name, state: State::Skipped, found: found.into(), remedy: None }
    }

    /// A step that is wrong.
    pub(super) fn wrong(name: &'static str, found: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { name, state: State::Wrong, found: found.into(), remedy: Some(remedy.into()) }
    }

    /// A step that works, with something to know.
    pub(super) fn note(name: &'static str, found: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { name, state: State::Note, found: found.into(), remedy: Some(remedy.into()) }
    }

    /// A step that failed as a `get` would.
    pub(super) fn failed(name: &'static str, mut failure: UserError) -> Self {
        let remedy = failure.hint.take();
        Self { name, state: State::Wrong, found: failure.to_string(), remedy }
    }
}

/// All steps.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Report {
    /// This program's version.
    version: &'static str,
    /// The registry examined.
    registry: Option<String>,
    /// Whether no step is wrong.
    pub(super) ok: bool,
    /// What each client that is installed would do.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    clients: Vec<Verdict>,
    /// In the order of a pull.
    steps: Vec<Step>,
}

/// Whether a client's pull would work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Verdict {
    /// The program.
    client: String,
    /// Whether it would.
    works: bool,
    /// The first step that is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    because: Option<String>,
}

impl Report {
    /// A report of these steps.
    pub(super) fn new(registry: Option<String>, steps: Vec<Step>) -> Self {
        let ok = steps.iter().all(|step| step.state != State::Wrong);
        Self { version: env!("CARGO_PKG_VERSION"), registry, ok, clients: Vec::new(), steps }
    }

    /// With a verdict for each program: its name, and that of the step which is its own. The other clients' steps do not
    /// count for it.
    #[must_use]
    pub(super) fn for_clients(mut self, programs: &[(&str, &str)]) -> Self {
        let is_a_clients = |name: &str| programs.iter().any(|(_, own)| *own == name);
        let wrong = |own: &str| {
            let mut steps = self.steps.iter().filter(|step| step.name == own || !is_a_clients(step.name));
            steps.find(|step| step.state == State::Wrong).map(|step| match step.name {
                name if name == own => step.found.clone(),
                name => format!("{name}: {}", step.found),
            })
        };
        let verdict = |(program, own): &(&str, &str)| {
            let because = wrong(own);
            Verdict { client: (*program).to_owned(), works: because.is_none(), because }
        };
        self.clients = programs.iter().map(verdict).collect();
        self
    }

    /// For people.
    pub(super) fn text(&self, paint: Paint) -> String {
        let mut text = String::new();
        if let Some(registry) = &self.registry {
            let _ = writeln!(text, "{}", paint.strong(&one_line(registry)));
        }
        for step in &self.steps {
            let state = match step.state {
                State::Ok => paint.good("ok   "),
                State::Note => paint.middling("note "),
                State::Wrong => paint.bad("WRONG"),
                State::Skipped => paint.weak("-    "),
            };
            let _ = writeln!(text, "  {state}  {:8}  {}", step.name, one_line(&step.found));
            if let Some(remedy) = &step.remedy {
                let _ = writeln!(text, "                   {} {}", paint.strong("->"), one_line(remedy));
            }
        }
        if !self.clients.is_empty() {
            let verdicts = self.clients.iter().map(|verdict| match &verdict.because {
                None => format!("{}: a pull would work", verdict.client),
                Some(because) => format!("{}: fails, because {}", verdict.client, one_line(because)),
            });
            let line = verdicts.collect::<Vec<_>>().join("; ");
            let _ = writeln!(text, "{}.", if self.ok { paint.good(&line) } else { paint.bad(&line) });
            return text;
        }
        let _ = match self.steps.iter().filter(|step| step.state == State::Wrong).count() {
            0 => writeln!(text, "{}", paint.good("A pull would work.")),
            1 => writeln!(text, "{}", paint.bad("One step is wrong.")),
            count => writeln!(text, "{}", paint.bad(&format!("{count} steps are wrong."))),
        };
        text
    }
}
