//! A home in which a scenario can be done, and which shows afterwards what became of it.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::login::Login;
use crate::scenario::{RIGHT, Scenario};
use crate::support::{FakeAws, Helper, Outcome, binary, web_token};

const SETTINGS: &str = "# mine\n\n[[registry]]\nmatch = \"123456789012.dkr.ecr.*.amazonaws.com\"\nprofile = \"team\"\n";
const DOCKER: &str = "{\n\t\"auths\": {\"registry.example.com\": {\"auth\": \"bWU6bXk=\"}},\n\t\"x\": [1]\n}";
const PODMAN: &str = "{\"auths\":{\"quay.io\":{\"auth\":\"bWU6bXk=\"}}}";
const KUBELET: &str = "{\"kind\": \"CredentialProviderConfig\", \"apiVersion\": \"kubelet.config.k8s.io/v1\", \
     \"providers\": [{\"name\": \"other\", \"matchImages\": [\"*.example.com\"], \
     \"defaultCacheDuration\": \"1h\", \"apiVersion\": \"credentialprovider.kubelet.k8s.io/v1\"}]}\n";

/// The log, and how long it is when it is put aside before the next line, in bytes.
const LOG: &str = "ecr.log";
const FULL_LOG: u64 = 5 << 20;

/// Files of the user's, a profile that the settings name, and two other sources that would be used if those could not be read.
pub struct Home {
    pub helper: Helper,
    login: Option<Login>,
}

impl Home {
    /// The credential source is static keys.
    pub fn new(aws: &FakeAws) -> Self {
        Self::of(aws, Scenario::ColdGet)
    }

    fn of(aws: &FakeAws, scenario: Scenario) -> Self {
        let helper = Helper::new();
        // Named, so that none falls back to a directory of the whole machine.
        let above = helper.home().join(".cache");
        let helper = helper
            .env("AWS_ECR_CACHE_DIR", above)
            .aws(aws)
            .settings(SETTINGS)
            .env("ECR_LOGIN_TIMEOUT", "20")
            .env("AWS_CONTAINER_CREDENTIALS_FULL_URI", format!("{}/credentials", aws.url()));
        // The clients find it by its name on PATH, or setup says that they do not.
        std::fs::create_dir(helper.home().join("bin")).unwrap();
        std::os::unix::fs::symlink(binary(), helper.home().join("bin/docker-credential-ecr-login")).unwrap();
        helper.write(".docker/config.json", DOCKER);
        helper.write(".config/containers/auth.json", PODMAN);
        helper.write("node/config.json", KUBELET);
        helper.script("node/bin/ecr-credential-provider", "exit 7");
        helper.script("node/bin/other", "exit 7");
        for (name, mode) in [(".docker/config.json", 0o640), (".config/containers/auth.json", 0o600)] {
            fs::set_permissions(helper.home().join(name), fs::Permissions::from_mode(mode)).unwrap();
        }
        let login = Login::new(aws, &helper, scenario);
        Self { helper, login }.with_source(aws, scenario)
    }

    /// The credential source of the profile that the settings name.
    fn with_source(mut self, aws: &FakeAws, scenario: Scenario) -> Self {
        let keys = |profile: &str, id: &str| {
            format!("[{profile}]\naws_access_key_id = {id}\naws_secret_access_key = secret-of-{id}\n")
        };
        let mut credentials = keys("default", "AKIADEFAULT");
        let mut config = "[default]\nregion = eu-west-1\n[profile team]\nregion = eu-west-1\n".to_owned();
        match scenario {
            Scenario::SsoRefresh | Scenario::LoginRenewal => {
                config.push_str(&self.login.as_ref().unwrap().profile());
            }
            Scenario::OverTls => {
                self.helper.write("token", web_token());
                let role = "arn:aws:iam::123456789012:role/pull";
                config.push_str(&format!("role_arn = {role}\nweb_identity_token_file = token\n"));
                let log = self.helper.write(LOG, "");
                fs::File::options().write(true).open(&log).unwrap().set_len(FULL_LOG).unwrap();
                fs::set_permissions(&log, fs::Permissions::from_mode(0o600)).unwrap();
                // By a name, which the hosts file has.
                let url = aws.url().replace("127.0.0.1", "localhost");
                let helper = self.helper.env("AWS_ENDPOINT_URL", url).env("ECR_LOGIN_LOG", "debug");
                self.helper = helper.env("ECR_LOGIN_LOG_FILE", log);
            }
            _ => credentials.push_str(&keys("team", RIGHT)),
        }
        self.helper.write(".aws/config", config);
        self.helper.write(".aws/credentials", credentials);
        self
    }

    /// Whether the login is the old one still, and its refresh token is used up: nobody can do anything with it.
    pub fn has_lost_its_login(&self, aws: &FakeAws) -> bool {
        self.renewals_in_vain(aws) > 0
    }

    fn renewals_in_vain(&self, aws: &FakeAws) -> usize {
        self.login.as_ref().map_or(0, |login| login.renewals_in_vain(aws, &self.helper))
    }

    /// Whether the line says what to do where the login is lost.
    pub fn says_how_to_log_in(&self, line: &str) -> bool {
        self.login.as_ref().is_some_and(|login| line.contains(login.remedy()))
    }

    /// A home in which all that must come before `scenario` has happened.
    pub fn before(aws: &FakeAws, scenario: Scenario) -> Self {
        let home = Self::of(aws, scenario);
        if let Some(first) = scenario.first() {
            home.do_it(first);
        }
        if scenario.wants_an_old_token() {
            crate::support::cache::age(&home.helper, 8 * crate::support::cache::HOUR);
        }
        home
    }

    pub fn arguments(&self, scenario: Scenario) -> Vec<String> {
        scenario.arguments(self.helper.home())
    }

    pub fn run(&self, scenario: Scenario) -> Outcome {
        if scenario == Scenario::StartsRefresh {
            // strace waits for the background process, too.
            return crate::support::strace::followed(&self.helper, self.arguments(scenario), &scenario.stdin());
        }
        self.helper.run(self.arguments(scenario), scenario.stdin())
    }

    /// Does it undisturbed.
    pub fn do_it(&self, scenario: Scenario) {
        self.is_done(scenario, &self.run(scenario));
    }

    fn is_done(&self, scenario: Scenario, outcome: &Outcome) {
        scenario.is_done(outcome);
        if scenario == Scenario::OverTls {
            let begun = fs::metadata(self.helper.home().join(LOG)).unwrap();
            let full = fs::metadata(self.helper.home().join(format!("{LOG}.old"))).unwrap();
            assert!(full.len() >= FULL_LOG && (1..FULL_LOG).contains(&begun.len()), "the log is put aside");
        }
    }

    /// Does it once more after something went wrong. A login that is lost is said to be, and after another one all
    /// is well. True if it was.
    pub fn do_it_again(&self, aws: &FakeAws, scenario: Scenario, what: &str) -> bool {
        let outcome = self.run(scenario);
        // By whoever was killed or failed before, and by this one.
        let is_told = outcome.code == Some(1) && self.renewals_in_vain(aws) > 1;
        if let (true, Some(login)) = (is_told, &self.login) {
            assert!(self.says_how_to_log_in(outcome.failure()), "{what}: {outcome:?}");
            login.log_in(aws, &self.helper);
            self.forget_failures();
            self.do_it(scenario);
        } else {
            self.is_done(scenario, &outcome);
        }
        is_told
    }

    /// A run with a fault.
    pub fn injected(&self, scenario: Scenario, fault: &str) -> Outcome {
        crate::support::strace::injected(&self.helper, self.arguments(scenario), &scenario.stdin(), fault)
    }

    /// Its system calls by name, and how many of them come before the first of ours.
    pub fn traced(&self, scenario: Scenario) -> (Vec<String>, usize) {
        crate::support::strace::traced(&self.helper, self.arguments(scenario), &scenario.stdin())
    }

    /// A failure answers for all who ask within a second, and the background for a minute: that is over.
    pub fn forget_failures(&self) {
        let cache = self.helper.cache();
        for name in crate::support::cache::names(&cache).iter().filter(|name| name.ends_with(".failed")) {
            fs::remove_file(cache.join(name)).unwrap();
        }
    }

    /// Every file of the user's: mode and content, or where a link leads.
    pub fn files(&self) -> Files {
        let mut files = Files::new();
        for name in [".aws", ".config", ".docker", "node"] {
            collect(self.helper.home(), &self.helper.home().join(name), &mut files);
        }
        if let Some(login) = &self.login
            && let Some((_, content)) = files.get_mut(&login.path())
        {
            *content = login.old_or_new(std::mem::take(content));
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

/// Each file is what it was or what it was to become; none is there that belongs to neither. What is in both states is
/// never missing, and what the scenario moves (puts back, aside) is gone from the one place only once it is in the other.
pub fn each_is_old_or_new(now: &Files, old: &Files, new: &Files, what: &str) {
    for (name, is) in now.iter().filter(|(name, _)| !is_temporary(name)) {
        let may_be = [old.get(name), new.get(name)];
        assert!(may_be.contains(&Some(is)), "{what}: {name} is neither the old nor the new: {is:?}");
    }
    for (name, (_, content)) in old.iter().filter(|(name, _)| !now.contains_key(*name)) {
        assert!(!new.contains_key(name), "{what}: {name} is lost");
        let moved: Vec<_> = new.iter().filter(|(_, (_, is))| is == content).map(|(to, _)| to).collect();
        let is_there = moved.iter().any(|to| now.get(*to) == new.get(*to));
        assert!(moved.is_empty() || is_there, "{what}: {name} is gone, and not yet in {moved:?}");
    }
    let temporary: Vec<_> = now.iter().filter(|(name, _)| is_temporary(name)).collect();
    assert!(temporary.len() <= 1, "{what}: {} temporary files", temporary.len());
    // Secrets are in it.
    let for_all = temporary.iter().find(|(name, (mode, _))| name.starts_with(".aws/") && mode & 0o077 != 0);
    assert!(for_all.is_none(), "{what}: {for_all:?}");
}
