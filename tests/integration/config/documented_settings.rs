//! Every settings example in the documentation is one that the program takes.

use std::fs;
use std::path::{Path, PathBuf};

use ecr_login::settings::Settings;

/// The text files that people read.
fn documents() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let docs = fs::read_dir(root.join("docs")).unwrap().map(|entry| entry.unwrap().path());
    docs.chain([root.join("README.md")]).filter(|path| path.extension().is_some_and(|e| e == "md")).collect()
}

#[test]
fn every_settings_example_in_the_documents_is_taken() {
    let mut examples = 0;
    for path in documents() {
        let Ok(text) = fs::read_to_string(&path) else { continue };
        for block in text.split("```toml\n").skip(1) {
            let example = block.split("```").next().unwrap();
            Settings::parse(&path, example).unwrap_or_else(|error| panic!("{error}"));
            examples += 1;
        }
    }
    assert!(examples > 0, "the documents show the settings file");
}
