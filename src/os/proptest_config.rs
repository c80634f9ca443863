//! How many cases the properties are tried with.

use proptest::prelude::ProptestConfig;

/// So many, or as many as `PROPTEST_CASES` says. A failure is printed, and no file is written.
pub(crate) fn config(usual: u32) -> ProptestConfig {
    let wanted = std::env::var("PROPTEST_CASES").ok().and_then(|text| text.parse().ok());
    ProptestConfig { cases: wanted.unwrap_or(usual), failure_persistence: None, ..ProptestConfig::default() }
}
