//! The calls under which faults are injected: what clients and people do.

use std::path::Path;

use crate::support::{Certificate, FakeAws, Outcome, REGISTRY, Token};

/// The one identity that may be used for [`REGISTRY`] in these homes, where the source is static keys.
pub const RIGHT: &str = "AKIATEAM";
/// A registry that `setup` adds.
pub const ADDED: &str = "210987654321.dkr.ecr.eu-west-1.amazonaws.com";
/// Somebody else's.
pub const FOREIGN: &str = "registry.example.com";

/// One call of the helper, as a client or a person makes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scenario {
    ColdGet,
    WarmGet,
    ForeignGet,
    /// A `get` whose SSO login has ended and is refreshed by its refresh token.
    SsoRefresh,
    /// A `get` whose session of `aws login` has ended and is renewed.
    LoginRenewal,
    /// A `get` by a web identity over TLS, by a name, with a CA bundle and a log that is full.
    OverTls,
    /// A `get` that starts the background process, on a token in the second half of its life.
    StartsRefresh,
    Erase,
    Store,
    List,
    Kubelet,
    Status,
    Clear,
    Warm,
    Password,
    /// The background process's own work, on a token in the second half of its life.
    Refresh,
    SetupDocker,
    UndoDocker,
    SetupPodman,
    UndoPodman,
    SetupKubelet,
    UndoKubelet,
    SetupPlugin,
    UndoPlugin,
}

impl Scenario {
    pub fn is_setup(self) -> bool {
        matches!(
            self,
            Self::SetupDocker
                | Self::UndoDocker
                | Self::SetupPodman
                | Self::UndoPodman
                | Self::SetupKubelet
                | Self::UndoKubelet
                | Self::SetupPlugin
                | Self::UndoPlugin
        )
    }

    /// Whether it leaves the user's files otherwise than they were.
    pub fn changes_files(self) -> bool {
        self.is_setup() || self.renews_a_login()
    }

    /// Whether a login is renewed in it, whose old refresh token is worth nothing from then on.
    pub fn renews_a_login(self) -> bool {
        matches!(self, Self::SsoRefresh | Self::LoginRenewal)
    }

    /// Whether it is a `get` of our registry.
    pub fn is_get(self) -> bool {
        self.renews_a_login() || matches!(self, Self::ColdGet | Self::WarmGet | Self::OverTls | Self::StartsRefresh)
    }

    /// Whether its answer is a token.
    pub fn answers_with_a_token(self) -> bool {
        self.is_get() || matches!(self, Self::Kubelet | Self::Password)
    }

    /// A `get` in the home of this scenario.
    pub fn get(self) -> Self {
        if self.renews_a_login() || self == Self::OverTls { self } else { Self::ColdGet }
    }

    /// AWS as it wants it.
    pub fn aws(self) -> FakeAws {
        if self == Self::OverTls { FakeAws::over_tls(Certificate::Good) } else { FakeAws::start() }
    }

    pub fn arguments(self, home: &Path) -> Vec<String> {
        let of = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        let path = |name: &str| home.join(name).to_str().unwrap().to_owned();
        match self {
            _ if self.is_get() => of(&["get"]),
            Self::Erase => of(&["erase"]),
            Self::Store => of(&["store"]),
            Self::List => of(&["list"]),
            Self::Kubelet => of(&["kubelet"]),
            Self::Status => of(&["status"]),
            Self::Clear => of(&["clear"]),
            Self::Warm => of(&["warm", REGISTRY]),
            Self::Password => of(&["password", REGISTRY]),
            Self::Refresh => of(&["refresh-in-background", REGISTRY]),
            Self::SetupDocker => of(&["setup", "docker", "--registry", ADDED, "--profile", "team"]),
            Self::UndoDocker => of(&["setup", "docker", "--undo"]),
            Self::SetupPodman => of(&["setup", "podman", "--registry", ADDED]),
            Self::UndoPodman => of(&["setup", "podman", "--undo"]),
            Self::SetupKubelet => {
                of(&["setup", "kubelet", "--config", &path("node/config.json"), "--bin-dir", &path("node/bin")])
            }
            Self::UndoKubelet => {
                let mut words = Self::SetupKubelet.arguments(home);
                words.push("--undo".to_owned());
                words
            }
            Self::SetupPlugin => of(&["setup", "plugin", "--bin-dir", &path("node/bin")]),
            Self::UndoPlugin => of(&["setup", "plugin", "--bin-dir", &path("node/bin"), "--undo"]),
            _ => of(&["get"]),
        }
    }

    pub fn stdin(self) -> String {
        match self {
            _ if self.is_get() || self == Self::Erase => REGISTRY.to_owned(),
            Self::ForeignGet => FOREIGN.to_owned(),
            Self::Store => format!(r#"{{"ServerURL":"{REGISTRY}","Username":"AWS","Secret":"x"}}"#),
            Self::Kubelet => format!(
                r#"{{"kind":"CredentialProviderRequest","apiVersion":"credentialprovider.kubelet.k8s.io/v1","image":"{REGISTRY}/app:1"}}"#
            ),
            _ => String::new(),
        }
    }

    /// What must have happened before.
    pub fn first(self) -> Option<Self> {
        match self {
            Self::WarmGet
            | Self::StartsRefresh
            | Self::Erase
            | Self::List
            | Self::Kubelet
            | Self::Status
            | Self::Clear
            | Self::Refresh => Some(Self::ColdGet),
            Self::UndoDocker => Some(Self::SetupDocker),
            Self::UndoPodman => Some(Self::SetupPodman),
            Self::UndoKubelet => Some(Self::SetupKubelet),
            Self::UndoPlugin => Some(Self::SetupPlugin),
            _ => None,
        }
    }

    /// Whether it finds a token in the second half of its life.
    pub fn wants_an_old_token(self) -> bool {
        matches!(self, Self::Refresh | Self::StartsRefresh)
    }

    /// Whether this is the token of the identity that is used in this scenario's home.
    pub fn is_right(self, token: &Token) -> bool {
        match self {
            Self::SsoRefresh => token.identity == "sso-123456789012-Pull",
            Self::LoginRenewal => token.identity == "login",
            Self::OverTls => token.identity.starts_with("web-pull-"),
            _ => token.key == RIGHT,
        }
    }

    /// The token in its answer, if tokens are its answers.
    pub fn token(self, outcome: &Outcome) -> Option<Token> {
        match self {
            _ if self.is_get() => Some(outcome.token_with_warning()),
            Self::Password => Some(Token::of_password(outcome.stdout.trim_end())),
            Self::Kubelet => {
                let answer: serde_json::Value = serde_json::from_str(&outcome.stdout).unwrap();
                Some(Token::of_password(answer["auth"][REGISTRY]["password"].as_str().unwrap()))
            }
            _ => None,
        }
    }

    /// It succeeded, and its answer is right.
    pub fn is_done(self, outcome: &Outcome) {
        if self == Self::ForeignGet {
            return outcome.assert_not_found();
        }
        assert_eq!(outcome.code, Some(0), "{self:?}: {outcome:?}");
        assert!(self.token(outcome).is_none_or(|token| self.is_right(&token)), "{self:?}: {outcome:?}");
        let says = match self {
            Self::List | Self::Status => REGISTRY.to_owned(),
            Self::Warm => format!("{REGISTRY}: good for "),
            _ => return,
        };
        assert!(outcome.stdout.contains(&says), "{self:?}: {outcome:?}");
    }

    /// What gives back what was there.
    pub fn undo(self) -> Option<Self> {
        match self {
            Self::SetupDocker => Some(Self::UndoDocker),
            Self::SetupPodman => Some(Self::UndoPodman),
            Self::SetupKubelet => Some(Self::UndoKubelet),
            Self::SetupPlugin => Some(Self::UndoPlugin),
            _ => None,
        }
    }
}
