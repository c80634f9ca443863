//! The one home that the protocols' targets answer from: a settings file, a profile, and a token in the cache. For
//! every other ECR registry there are no credentials, so nothing is ever asked of a network.

#![allow(dead_code, reason = "each target uses a part of it")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::rc::Rc;
use std::time::{SystemTime, UNIX_EPOCH};

use ecr_login::cache::TokenLifetime;
use ecr_login::cache::{Cache, Entry};
use ecr_login::credentials::{CacheKey, CredentialSelector, Identity};
use ecr_login::os::environment::Environment;
use ecr_login::os::secret::Secret;
use ecr_login::registry::Registry;
use ecr_login::settings::Settings;

/// The registry whose token is in the cache.
pub const REGISTRY: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";
/// Another name for it.
pub const ALIAS: &str = "images.example.com";
/// The token.
pub const TOKEN: &str = "ZmFrZS10b2tlbi1vZi10aGUtZnV6emVycw==";

pub struct Fixture {
    pub environment: Environment,
    cache_key: CacheKey,
    home: tempfile::TempDir,
}

impl Fixture {
    /// Made once for each thread, and taken away with it.
    pub fn get() -> Rc<Self> {
        thread_local!(static HOME: Rc<Fixture> = Rc::new(Fixture::new()));
        HOME.with(Rc::clone)
    }

    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = home.path().join(path);
            let directory = path.parent().unwrap();
            fs::create_dir_all(directory).unwrap();
            fs::set_permissions(directory, fs::Permissions::from_mode(0o700)).unwrap();
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        };
        write(".aws/credentials", "[a]\naws_access_key_id = AKIAEXAMPLE\naws_secret_access_key = s\n");
        write(
            ".config/ecr-login/config.toml",
            &format!(
                "[[registry]]\nmatch = \"{REGISTRY}\"\nprofile = \"a\"\n[[registry]]\nmatch = \"{ALIAS}\"\n\
                 alias_of = \"{REGISTRY}\"\n[[registry]]\nmatch = \"public.ecr.aws\"\nanonymous = true\n"
            ),
        );
        let environment = Environment::of([
            ("HOME", home.path().as_os_str()),
            ("AWS_EC2_METADATA_DISABLED", "true".as_ref()),
            ("AWS_ECR_CACHE_DIR", home.path().join("cache").as_os_str()),
            // Were anything ever asked, this host would be, and nobody listens there.
            ("AWS_ENDPOINT_URL", "http://127.0.0.1:9".as_ref()),
        ]);
        let chosen = Settings::load(&environment).unwrap().target(REGISTRY).unwrap().credentials;
        let registry = Registry::parse(REGISTRY).unwrap();
        let identity = Identity::resolve(&environment, CredentialSelector::Settings(&chosen), &registry).unwrap();
        let cache_key = *identity.cache_key(now()).unwrap();
        Self { environment, cache_key, home }
    }

    /// The token in the cache, if it is there.
    pub fn cached(&self) -> Option<Entry> {
        Cache::open(&self.environment).unwrap().read(&self.cache_key, REGISTRY)
    }

    /// Sees to it that the token is in the cache.
    pub fn fill(&self) {
        if self.cached().is_some() {
            return;
        }
        let now = now();
        let entry = Entry {
            registry: REGISTRY.to_owned(),
            cache_key: self.cache_key,
            label: "profile a".to_owned(),
            times: TokenLifetime { issued_at: now, refresh_at: now + 6 * 3600, expires_at: now + 12 * 3600 },
            username: "AWS".to_owned(),
            password: Secret::new(TOKEN.to_owned()),
        };
        let cache = Cache::open(&self.environment).unwrap();
        cache.write(&entry, cache.invalidation_epoch());
        assert_eq!(self.cached(), Some(entry));
    }

    /// Takes everything out of the cache.
    pub fn empty(&self) {
        let _ = fs::remove_dir_all(self.home.path().join("cache"));
    }
}

fn now() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap()
}
