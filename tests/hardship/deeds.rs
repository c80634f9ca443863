//! What clients and people do, each in a home that shows afterwards what became of it.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::support::{FakeAws, Helper, NOT_FOUND, Outcome, REGISTRY};

/// The one identity that may speak for [`REGISTRY`] in these homes.
pub const RIGHT: &str = "AKIATEAM";
/// A registry that `setup` adds.
pub const ADDED: &str = "210987654321.dkr.ecr.eu-west-1.amazonaws.com";
/// Somebody else's.
pub const FOREIGN: &str = "registry.example.com";

const SETTINGS: &str = "# mine\n\n[[registry]]\nmatch = \"123456789012.dkr.ecr.*.amazonaws.com\"\nprofile = \"team\"\n";
const DOCKER: &str = "{\n\t\"auths\": {\"registry.example.com\": {\"auth\": \"bWU6bXk=\"}},\n\t\"x\": [1]\n}";
const PODMAN: &str = "{\"auths\":{\"quay.io\":{\"auth\":\"bWU6bXk=\"}}}";
const KUBELET: &str = "{\"kind\": \"CredentialProviderConfig\", \"apiVersion\": \"kubelet.config.k8s.io/v1\", \
     \"providers\": [{\"name\": \"other\", \"matchImages\": [\"*.example.com\"], \
     \"defaultCacheDuration\": \"1h\", \"apiVersion\": \"credentialprovider.kubelet.k8s.io/v1\"}]}\n";

/// One thing that is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    ColdGet,
    WarmGet,
    ForeignGet,
    Erase,
    Store,
    List,
    Kubelet,
    Status,
    Clear,
    /// The background process's own work, on a token in the second half of its life.
    Refresh,
    SetupDocker,
    UndoDocker,
    SetupPodman,
    UndoPodman,
    SetupKubelet,
}

impl Deed {
    pub fn is_setup(self) -> bool {
        matches!(self, Self::SetupDocker | Self::UndoDocker | Self::SetupPodman | Self::UndoPodman | Self::SetupKubelet)
    }

    fn arguments(self, home: &Path) -> Vec<String> {
        let of = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        let path = |name: &str| home.join(name).to_str().unwrap().to_owned();
        match self {
            Self::ColdGet | Self::WarmGet | Self::ForeignGet => of(&["get"]),
            Self::Erase => of(&["erase"]),
            Self::Store => of(&["store"]),
            Self::List => of(&["list"]),
            Self::Kubelet => of(&["kubelet"]),
            Self::Status => of(&["status"]),
            Self::Clear => of(&["clear"]),
            Self::Refresh => of(&["refresh-in-background", REGISTRY]),
            Self::SetupDocker => of(&["setup", "docker", "--registry", ADDED, "--profile", "team"]),
            Self::UndoDocker => of(&["setup", "docker", "--undo"]),
            Self::SetupPodman => of(&["setup", "podman", "--registry", ADDED]),
            Self::UndoPodman => of(&["setup", "podman", "--undo"]),
            Self::SetupKubelet => {
                of(&["setup", "kubelet", "--config", &path("node/config.json"), "--bin-dir", &path("node/bin")])
            }
        }
    }

    pub fn stdin(self) -> String {
        match self {
            Self::ColdGet | Self::WarmGet | Self::Erase => REGISTRY.to_owned(),
            Self::ForeignGet => FOREIGN.to_owned(),
            Self::Store => format!(r#"{{"ServerURL":"{REGISTRY}","Username":"AWS","Secret":"x"}}"#),
            Self::Kubelet => format!(
                r#"{{"kind":"CredentialProviderRequest","apiVersion":"credentialprovider.kubelet.k8s.io/v1","image":"{REGISTRY}/app:1"}}"#
            ),
            _ => String::new(),
        }
    }

    /// What must have happened before.
    fn first(self) -> Option<Self> {
        match self {
            Self::WarmGet | Self::Erase | Self::List | Self::Kubelet | Self::Status | Self::Clear | Self::Refresh => {
                Some(Self::ColdGet)
            }
            Self::UndoDocker => Some(Self::SetupDocker),
            Self::UndoPodman => Some(Self::SetupPodman),
            _ => None,
        }
    }

    /// It succeeded, and its answer is right.
    pub fn is_done(self, outcome: &Outcome) {
        match self {
            Self::ColdGet | Self::WarmGet => assert_eq!(outcome.token_with_warning().key, RIGHT, "{outcome:?}"),
            Self::ForeignGet => outcome.assert_not_found(),
            _ => assert_eq!(outcome.code, Some(0), "{self:?}: {outcome:?}"),
        }
        if self == Self::Kubelet {
            assert!(outcome.stdout.contains(&format!("fake.ecr.eu-west-1.{RIGHT}.")), "{outcome:?}");
        }
    }

    /// What gives back what was there.
    pub fn undo(self) -> Option<Self> {
        match self {
            Self::SetupDocker => Some(Self::UndoDocker),
            Self::SetupPodman => Some(Self::UndoPodman),
            _ => None,
        }
    }
}

/// A home in which a deed can be done: files of the user's in it, a profile that the settings name, and two others
/// who would speak if those could not be read.
pub struct Home {
    pub helper: Helper,
}

impl Home {
    pub fn new(aws: &FakeAws) -> Self {
        let helper = Helper::new();
        // Named, so that none falls back to a directory of the whole machine.
        let above = helper.home().join(".cache");
        let helper = helper
            .env("AWS_ECR_CACHE_DIR", above)
            .aws(aws)
            .settings(SETTINGS)
            .aws_config("[profile team]\nregion = eu-west-1\n[default]\nregion = eu-west-1\n")
            .env("ECR_LOGIN_TIMEOUT", "20")
            .env("AWS_CONTAINER_CREDENTIALS_FULL_URI", format!("{}/credentials", aws.url()));
        let keys = |profile: &str, id: &str| {
            format!("[{profile}]\naws_access_key_id = {id}\naws_secret_access_key = secret-of-{id}\n")
        };
        helper.write(".aws/credentials", keys("default", "AKIADEFAULT") + &keys("team", RIGHT));
        helper.write(".docker/config.json", DOCKER);
        helper.write(".config/containers/auth.json", PODMAN);
        helper.write("node/config.json", KUBELET);
        helper.script("node/bin/ecr-credential-provider", "exit 7");
        for (name, mode) in [(".docker/config.json", 0o640), (".config/containers/auth.json", 0o600)] {
            fs::set_permissions(helper.home().join(name), fs::Permissions::from_mode(mode)).unwrap();
        }
        Self { helper }
    }

    /// A home in which all that must come before `deed` has happened.
    pub fn before(aws: &FakeAws, deed: Deed) -> Self {
        let home = Self::new(aws);
        if let Some(first) = deed.first() {
            home.do_it(first);
        }
        if deed == Deed::Refresh {
            crate::on_disk::age(&home.helper, 8 * crate::on_disk::HOUR);
        }
        home
    }

    pub fn arguments(&self, deed: Deed) -> Vec<String> {
        deed.arguments(self.helper.home())
    }

    pub fn run(&self, deed: Deed) -> Outcome {
        self.helper.run(self.arguments(deed), deed.stdin())
    }

    /// Does it undisturbed.
    pub fn do_it(&self, deed: Deed) {
        deed.is_done(&self.run(deed));
    }

    /// A run with a fault.
    pub fn injected(&self, deed: Deed, fault: &str) -> Outcome {
        crate::strace::injected(&self.helper, self.arguments(deed), &deed.stdin(), fault)
    }

    /// Its system calls by name, and how many of them come before the first of ours.
    pub fn traced(&self, deed: Deed) -> (Vec<String>, usize) {
        crate::strace::traced(&self.helper, self.arguments(deed), &deed.stdin())
    }

    /// A failure answers for all who ask within a second, and the background for a minute: that is over.
    pub fn forget_failures(&self) {
        let cache = self.helper.cache();
        for name in crate::on_disk::names(&cache).iter().filter(|name| name.ends_with(".failed")) {
            fs::remove_file(cache.join(name)).unwrap();
        }
    }

    /// Every file of the user's: mode and content, or where a link leads.
    pub fn files(&self) -> Files {
        let mut files = Files::new();
        for name in [".aws", ".config", ".docker", "node"] {
            collect(self.helper.home(), &self.helper.home().join(name), &mut files);
        }
        files
    }
}

/// Files by their path in the home.
pub type Files = BTreeMap<String, (u32, Vec<u8>)>;

fn collect(home: &Path, place: &Path, files: &mut Files) {
    let found = fs::symlink_metadata(place).unwrap();
    let name = place.strip_prefix(home).unwrap().to_str().unwrap().to_owned();
    if found.is_dir() {
        for inside in fs::read_dir(place).unwrap() {
            collect(home, &inside.unwrap().path(), files);
        }
    } else if found.is_symlink() {
        files.insert(name, (0o777, fs::read_link(place).unwrap().into_os_string().into_encoded_bytes()));
    } else {
        files.insert(name, (found.permissions().mode() & 0o7777, fs::read(place).unwrap()));
    }
}

/// Whether it is the name of a file that is being written.
pub fn is_temporary(name: &str) -> bool {
    name.ends_with(".tmp")
}

/// Each file is what it was or what it was to become; none is lost, and none is there that belongs to neither.
pub fn each_is_old_or_new(now: &Files, old: &Files, new: &Files, what: &str) {
    for (name, is) in now.iter().filter(|(name, _)| !is_temporary(name)) {
        let may_be = [old.get(name), new.get(name)];
        assert!(may_be.contains(&Some(is)), "{what}: {name} is neither the old nor the new: {is:?}");
    }
    for name in old.keys().filter(|name| new.contains_key(*name)) {
        assert!(now.contains_key(name), "{what}: {name} is lost");
    }
    // What the deed takes away is gone only once what it puts in its place is there.
    let temporary = now.keys().filter(|name| is_temporary(name)).count();
    assert!(temporary <= 1, "{what}: {temporary} temporary files");
}

/// What a client is told keeps to its protocol, whatever happened: an answer for the right identity, or its want.
/// `call` is the one that failed: one of those by which the streams themselves are read and written takes words along.
/// `absent` says that files were made to be missing, so that another identity speaks by right.
pub fn keeps_to_the_protocol(deed: Deed, outcome: &Outcome, call: &str, absent: bool, what: &str) {
    let Outcome { code, stdout, stderr, .. } = outcome;
    assert!(matches!(code, Some(0..=2)), "{what}: {outcome:?}");
    assert!(!stderr.contains("panicked") && !stderr.contains("secret-of"), "{what}: {outcome:?}");
    let muted = ["write", "poll", "ppoll"].contains(&call);
    let silent = muted && stdout.is_empty();
    match (deed, code) {
        (Deed::ColdGet | Deed::WarmGet, Some(0)) => {
            let token = outcome.token_with_warning();
            let others = ["AKIADEFAULT", "container"];
            let right = token.key == RIGHT || (absent && others.contains(&token.identity.as_str()));
            assert!(right, "{what}: {outcome:?}");
        }
        (Deed::ColdGet | Deed::WarmGet, _) => {
            assert!(stdout == NOT_FOUND || silent, "{what}: {outcome:?}");
            says_what_failed(outcome, muted, what);
        }
        (Deed::ForeignGet, code) => {
            assert!(*code == Some(1) && (stdout == NOT_FOUND || silent), "{what}: {outcome:?}");
        }
        (Deed::Kubelet, Some(0)) => {
            let others = [".AKIADEFAULT.", ".container."].iter().any(|other| stdout.contains(other));
            let right = stdout.contains(&format!(".{RIGHT}.")) || (absent && others);
            assert!(right, "{what}: {outcome:?}");
        }
        (Deed::Kubelet, _) => {
            assert_eq!(stdout, "", "{what}: {outcome:?}");
            says_what_failed(outcome, muted, what);
        }
        // Nobody reads what this one says.
        (Deed::Refresh, _) | (_, Some(0)) => {}
        // What failed is said on stdout, where clients look for it.
        (Deed::Erase | Deed::Store, _) => assert!(!stdout.is_empty() || silent, "{what}: {outcome:?}"),
        _ => says_what_failed(outcome, muted, what),
    }
}

/// One line, and something in it that a person can go to.
fn says_what_failed(outcome: &Outcome, muted: bool, what: &str) {
    let lines: Vec<&str> = outcome.stderr.lines().collect();
    assert!(muted || !lines.is_empty(), "{what}: silence: {outcome:?}");
    for line in lines {
        let named = ["/", "stdin", "stdout", REGISTRY, "AWS_", "this binary"].iter().any(|name| line.contains(name));
        assert!(line.len() > 20 && named, "{what}: nothing is named: {line:?}");
    }
}
