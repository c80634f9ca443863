//! What `doctor` found, as text for people and as JSON for programs.

use serde::Serialize;

use crate::cli::layout::Layout;
use crate::cli::terminal::Paint;
use crate::text::printable::{one_line, without_errno};
use crate::text::user_error::UserError;

/// How a step came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum State {
    /// As it should be.
    Ok,
    /// Works, with something to know.
    Note,
    /// Must be mended for a pull to work.
    Wrong,
    /// Not tried, since an earlier step is wrong, or not needed.
    Skipped,
}

/// The steps that every report has, in its order.
const STEPS: [&str; 13] = [
    "helper", "docker", "podman", "kubelet", "settings", "last", "source", "network", "keys", "caller", "token",
    "registry", "cache",
];

/// Where the text of a step begins.
const COLUMN: usize = 19;

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
    /// The step of a client that is not set up for the registry: no fault where another one serves.
    #[serde(skip)]
    pub(super) not_set_up: bool,
}

impl Step {
    /// A step that is right.
    pub(super) fn ok(name: &'static str, found: impl Into<String>) -> Self {
        Self { name, state: State::Ok, found: found.into(), remedy: None, not_set_up: false }
    }

    /// A step that was not tried.
    pub(super) fn skipped(name: &'static str, found: impl Into<String>) -> Self {
        Self { name, state: State::Skipped, found: found.into(), remedy: None, not_set_up: false }
    }

    /// A step that is wrong.
    pub(super) fn wrong(name: &'static str, found: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { name, state: State::Wrong, found: found.into(), remedy: Some(remedy.into()), not_set_up: false }
    }

    /// The step of a client whose files say nothing of the registry.
    pub(super) fn not_set_up(name: &'static str, found: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { not_set_up: true, ..Self::wrong(name, found, remedy) }
    }

    /// A step that works, with something to know.
    pub(super) fn note(name: &'static str, found: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { name, state: State::Note, found: found.into(), remedy: Some(remedy.into()), not_set_up: false }
    }

    /// A step that failed as a `get` would.
    pub(super) fn failed(name: &'static str, mut failure: UserError) -> Self {
        let remedy = failure.hint.take();
        Self { name, state: State::Wrong, found: failure.to_string(), remedy, not_set_up: false }
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
    /// It is not set up for this registry.
    #[serde(skip)]
    not_set_up: bool,
}

impl Report {
    /// A report of these steps, and of those that were not come to: why not is in `rest`.
    pub(super) fn new(registry: Option<String>, mut steps: Vec<Step>, rest: &str) -> Self {
        let place = |name: &str| STEPS.iter().position(|it| *it == name);
        for (index, name) in STEPS.into_iter().enumerate() {
            if !steps.iter().any(|step| step.name == name) {
                let before = steps.iter().rposition(|step| place(step.name).is_some_and(|it| it < index));
                steps.insert(before.map_or(0, |before| before + 1), Step::skipped(name, rest));
            }
        }
        for step in &mut steps {
            step.found = without_errno(&step.found).into_owned();
        }
        let ok = steps.iter().all(|step| step.state != State::Wrong);
        Self { version: env!("CARGO_PKG_VERSION"), registry, ok, clients: Vec::new(), steps }
    }

    /// With a verdict for each program: its name, and that of the step which is its own. The other clients' steps do not
    /// count for it.
    #[must_use]
    pub(super) fn for_clients(mut self, programs: &[(&str, &str)]) -> Self {
        let is_a_clients = |name: &str| programs.iter().any(|(_, own)| *own == name);
        let wrong = |own: &str| {
            // The kubelet has a directory for its plugins, and looks for none on PATH.
            let is_its = |step: &&Step| match (step.name, own) {
                (name, own) if name == own => true,
                ("helper", "kubelet") => false,
                ("image", own) => own == "kubelet",
                (name, _) => !is_a_clients(name),
            };
            let wrong = || self.steps.iter().filter(is_its).filter(|step| step.state == State::Wrong);
            // What the plugin said is the reason of a step below, if that is wrong as well.
            let first = wrong().find(|step| step.name != "image").or_else(|| wrong().next());
            first.map(|step| match step.name {
                name if name == own => step.found.clone(),
                name => format!("{name}: {}", step.found),
            })
        };
        let not_set_up = |own: &str| self.steps.iter().any(|step| step.name == own && step.not_set_up);
        let verdict = |(program, own): &(&str, &str)| {
            let not_set_up = not_set_up(own);
            let because = if not_set_up { Some("it is not set up for this registry".to_owned()) } else { wrong(own) };
            Verdict { client: (*program).to_owned(), works: because.is_none(), because, not_set_up }
        };
        self.clients = programs.iter().map(verdict).collect();
        self
    }

    /// For people.
    pub(super) fn text(&self, paint: Paint, layout: &Layout) -> String {
        let mut text = String::new();
        if let Some(registry) = &self.registry {
            text.push_str(&layout.line(&paint.strong(&one_line(registry)), 2));
        }
        for step in &self.steps {
            let state = match step.state {
                State::Ok => paint.good("ok   "),
                State::Note => paint.middling("note "),
                State::Wrong => paint.bad("WRONG"),
                State::Skipped => paint.weak("-    "),
            };
            text.push_str(&layout.line(&format!("  {state}  {:8}  {}", step.name, one_line(&step.found)), COLUMN));
            if let Some(remedy) = step.remedy.as_deref().filter(|remedy| !remedy.is_empty()) {
                let line = format!("{:COLUMN$}{} {}", "", paint.strong("->"), one_line(remedy));
                text.push_str(&layout.line(&line, COLUMN + 3));
            }
        }
        let line = if self.clients.is_empty() {
            match self.steps.iter().filter(|step| step.state == State::Wrong).count() {
                0 if self.registry.is_none() => {
                    "Nothing is wrong here; with a registry's name doctor tries a pull.".to_owned()
                }
                0 => "A pull would work.".to_owned(),
                1 => "One step is wrong.".to_owned(),
                count => format!("{count} steps are wrong."),
            }
        } else {
            let (idle, used): (Vec<&Verdict>, Vec<&Verdict>) =
                self.clients.iter().partition(|verdict| verdict.not_set_up);
            let mut verdicts: Vec<String> = Vec::new();
            // Those that fail for the same reason fail together.
            for together in used.chunk_by(|one, other| one.because.is_some() && one.because == other.because) {
                let names: Vec<&str> = together.iter().map(|verdict| verdict.client.as_str()).collect();
                let fail = if names.len() > 1 { "fail" } else { "fails" };
                verdicts.push(match together.first().and_then(|verdict| verdict.because.as_deref()) {
                    None => format!("{}: a pull would work", names.concat()),
                    Some(because) => format!("{}: {fail}, because {}", names.join(", "), one_line(because)),
                });
            }
            if !idle.is_empty() {
                let names: Vec<&str> = idle.iter().map(|verdict| verdict.client.as_str()).collect();
                verdicts.push(format!("not set up for it: {}", names.join(", ")));
            }
            format!("{}.", verdicts.join("; "))
        };
        text.push_str(&layout.line(&if self.ok { paint.good(&line) } else { paint.bad(&line) }, 2));
        text
    }
}

/// The reports of several registries.
#[derive(Debug, Serialize)]
pub(super) struct Reports {
    /// This program's version.
    pub(super) version: &'static str,
    /// Whether no step of any is wrong.
    pub(super) ok: bool,
    /// One for each registry.
    pub(super) registries: Vec<Report>,
}
