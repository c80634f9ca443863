//! The pieces of a cached answer, one by one: `cargo bench`. Whole processes are in `benches/processes.sh`.
//!
//! The setup is that of the whole-process benchmarks: a settings file with 20 registries, an AWS config with 50
//! profiles, a role that is assumed, and a cached token of the size of ECR's.

use std::fmt::Write as _;
use std::hint::black_box;
use std::path::Path;

use criterion::{Criterion, criterion_group, criterion_main};
use ecr_login::cache::TokenLifetime;
use ecr_login::cache::{Cache, Entry};
use ecr_login::credentials::{CredentialSelector, Identity};
use ecr_login::os::environment::Environment;
use ecr_login::os::secret::Secret;
use ecr_login::registry::Registry;
use ecr_login::settings::Settings;
use ecr_login::token::freshness::Freshness;

const REGISTRY: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";
const NOW: i64 = 1_800_000_000;
const HOUR: i64 = 3_600;

/// 19 registries of teams, then the one that matches.
fn settings_text() -> String {
    let mut text = String::from("timeout = 10\n");
    for team in 1..20 {
        let _ = write!(
            text,
            "\n[[registry]]\nmatch = \"2100000000{team:02}.dkr.ecr.*.amazonaws.com\"\nprofile = \"team-{team}\"\n"
        );
    }
    text + "\n[[registry]]\nmatch = \"*.dkr.ecr.eu-west-1.amazonaws.com\"\nprofile = \"role\"\n"
}

/// Writes 50 profiles and the keys of the one that assumes the role.
fn write_profiles(home: &Path) -> std::io::Result<()> {
    let mut config = String::new();
    for team in 1..49 {
        let _ = write!(
            config,
            "[profile team-{team}]\nregion = eu-west-1\noutput = json\n\
             role_arn = arn:aws:iam::2100000000{team:02}:role/developer\nsource_profile = base\n\n"
        );
    }
    config += "[profile role]\nrole_arn = arn:aws:iam::123456789012:role/ecr-pull\nsource_profile = base\n\n\
               [profile base]\nregion = eu-west-1\n";
    std::fs::create_dir(home.join(".aws"))?;
    std::fs::write(home.join(".aws/config"), config)?;
    std::fs::write(
        home.join(".aws/credentials"),
        "[base]\naws_access_key_id = AKIABENCHMARK\naws_secret_access_key = benchmark\n",
    )
}

fn names(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("name");
    group.bench_function("a registry", |bench| bench.iter(|| Registry::parse(black_box(REGISTRY))));
    group.bench_function("somebody else's", |bench| bench.iter(|| Registry::parse(black_box("registry.example.com"))));
    group.finish();
}

fn settings(criterion: &mut Criterion) {
    let plain = settings_text();
    // A quoted key is beyond the plain reader, so that the TOML parser reads all of it.
    let toml = format!("{plain}\n[[registry]]\n\"match\" = \"mirror.example.com\"\nanonymous = true\n");
    let read = |text: &str| Settings::parse("config.toml", text);
    assert!(read(&plain).is_ok() && read(&toml).is_ok(), "both are settings");
    let settings = read(&plain).unwrap_or_default();
    let mut group = criterion.benchmark_group("settings");
    group.bench_function("20 registries, the plain form", |bench| bench.iter(|| read(black_box(&plain))));
    group.bench_function("20 registries, by the TOML parser", |bench| bench.iter(|| read(black_box(&toml))));
    group.bench_function("the last of 20 is the one", |bench| bench.iter(|| settings.target(black_box(REGISTRY))));
    group.finish();
}

fn cached_answer(criterion: &mut Criterion) {
    let home = tempfile::tempdir().expect("a directory for the benchmark");
    write_profiles(home.path()).expect("the profiles");
    let variables = [
        ("HOME", home.path().as_os_str().to_owned()),
        ("AWS_EC2_METADATA_DISABLED", "true".into()),
        ("AWS_ECR_CACHE_DIR", home.path().join("cache").into_os_string()),
    ];
    let environment = Environment::of(variables);
    let target = Settings::parse("config.toml", &settings_text()).ok().and_then(|settings| settings.target(REGISTRY));
    let target = target.expect("a registry");
    let who = || Identity::resolve(&environment, CredentialSelector::Settings(&target.credentials), &target.registry);
    let cache_key = *who().expect("an identity").cache_key(NOW).expect("a cache_key");
    criterion.bench_function("cache_key/a role among 50 profiles", |bench| bench.iter(|| black_box(who())));

    let entry = Entry {
        registry: REGISTRY.to_owned(),
        cache_key,
        label: "profile role".to_owned(),
        times: TokenLifetime::of_new(NOW * 1_000, NOW + 12 * HOUR, 0).expect("a life of twelve hours"),
        username: "AWS".to_owned(),
        password: Secret::new("p".repeat(2_500)),
    };
    let cache = Cache::open(&environment).expect("a cache");
    cache.write(&entry, cache.invalidation_epoch());
    assert_eq!(cache.read(&cache_key, REGISTRY).as_ref(), Some(&entry));
    let mut group = criterion.benchmark_group("entry");
    group.bench_function("read and checked", |bench| bench.iter(|| cache.read(&cache_key, black_box(REGISTRY))));
    group.bench_function("written in the old one's place", |bench| {
        bench.iter(|| cache.write(black_box(&entry), cache.invalidation_epoch()));
    });
    group.finish();

    criterion.bench_function("policy/an entry judged", |bench| {
        bench.iter(|| {
            let verdict = black_box(entry.times).freshness(black_box(NOW * 1_000 + 1));
            debug_assert_eq!(verdict, Freshness::Fresh);
            verdict
        });
    });
}

criterion_group!(pieces, names, settings, cached_answer);
criterion_main!(pieces);
