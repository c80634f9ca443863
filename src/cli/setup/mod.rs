//! `setup`: makes docker, podman or the kubelet use this helper, and takes it out again.

pub mod backup;
pub mod client;
mod discovery;
pub mod json;
pub mod kubelet;
pub mod places;
pub mod settings_file;

use std::path::{Path, PathBuf};

use similar::DiffTag;
use similar::algorithms::{Capture, Replace, myers};
use similar::udiff::UnifiedHunkHeader;

use super::file::FileError;
use crate::settings::SettingsError;

pub use client::{docker, podman};

/// Why nothing was set up. Nothing has been changed then, unless the text says so.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// A file could not be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The client's file is not JSON.
    #[error("{} is not JSON and is left as it is: {source}; mend it, or name another file with --file", .path.display())]
    NotJson {
        /// The file.
        path: PathBuf,
        /// Where and why.
        source: json::NotJson,
    },
    /// Our own settings file is broken, or would be.
    #[error("{0}; mend the settings file first")]
    Settings(#[from] SettingsError),
    /// Our own settings file is not TOML.
    #[error("{}: {reason}; mend it first", .path.display())]
    NotToml {
        /// The file.
        path: PathBuf,
        /// Where and why.
        reason: String,
    },
    /// `registry = [...]` instead of `[[registry]]`.
    #[error("{}: \"registry\" is not written as [[registry]] tables, so setup cannot add one", .path.display())]
    Inline {
        /// The file.
        path: PathBuf,
    },
    /// Another entry matches first.
    #[error("{}: an earlier entry matches {registry}: move or change that one", .path.display())]
    Hidden {
        /// The file.
        path: PathBuf,
        /// The registry's host.
        registry: String,
    },
    /// Nobody's home.
    #[error("there is no home directory: set HOME, or name the file with --file")]
    NoHome,
    /// A name that this helper would never answer for.
    #[error("{0} is not the name of an Amazon ECR registry (ACCOUNT.dkr.ecr.REGION.amazonaws.com or public.ecr.aws)")]
    NotEcr(String),
    /// Nothing was named and nothing was found.
    #[error(
        "no registry was found in your AWS profiles or among the images here: name one with \
         --registry ACCOUNT.dkr.ecr.REGION.amazonaws.com"
    )]
    NothingFound,
    /// `--store` would hide logins.
    #[error(
        "{} holds logins to other registries ({registries}), which docker would not see behind a credsStore: name \
         registries with --registry instead of --store, or move those logins to a store of their own first",
        .path.display()
    )]
    HidesLogins {
        /// The file.
        path: PathBuf,
        /// The hosts.
        registries: String,
    },
    /// stdout is closed or full.
    #[error("the changes cannot be shown on stdout: {0}")]
    Output(#[from] std::io::Error),
}

/// The difference between two texts, for people: unified, with three lines around each change.
///
/// Of the library one algorithm is called by name. `TextDiff` chooses among five at run time, so that all of them would
/// be in the binary: 0.1 MB.
pub fn difference(path: &Path, old: &str, new: &str) -> String {
    let old: Vec<&str> = old.split_inclusive('\n').collect();
    let new: Vec<&str> = new.split_inclusive('\n').collect();
    let mut found = Replace::new(Capture::new());
    let Ok(()) = myers::diff_deadline_raw(&mut found, old.as_slice(), 0..old.len(), new.as_slice(), 0..new.len(), None);
    let hunks = found.into_inner().into_grouped_ops(3);
    let mut shown = String::new();
    if !hunks.is_empty() {
        let name = path.display();
        shown = format!("--- {name}\n+++ {name}\n");
    }
    let mut put = |sign: &str, lines: &[&str]| {
        for line in lines {
            shown.push_str(sign);
            shown.push_str(line);
            if !line.ends_with('\n') {
                shown.push_str("\n\\ No newline at end of file\n");
            }
        }
    };
    for hunk in hunks {
        put("", &[&format!("{}\n", UnifiedHunkHeader::new(&hunk))]);
        for part in hunk {
            if part.tag() == DiffTag::Equal {
                put(" ", &old[part.old_range()]);
            } else {
                put("-", &old[part.old_range()]);
                put("+", &new[part.new_range()]);
            }
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(old: &str, new: &str) -> String {
        difference(Path::new("f"), old, new)
    }

    #[test]
    fn a_change_is_shown_with_three_lines_around_it() {
        assert_eq!(
            shown("1\n2\n3\n4\n5\n6\n7\n8\n9\n", "1\n2\n3\n4\nfive\n6\n7\n8\n9\n"),
            "--- f\n+++ f\n@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+five\n 6\n 7\n 8\n"
        );
        let far: String = (0..20).map(|n| format!("{n}\n")).collect();
        let both = far.replace("2\n3\n", "2\nnew\n3\n").replace("18\n", "");
        assert_eq!(
            shown(&far, &both),
            "--- f\n+++ f\n@@ -1,6 +1,7 @@\n 0\n 1\n 2\n+new\n 3\n 4\n 5\n@@ -16,5 +17,4 @@\n 15\n 16\n 17\n-18\n 19\n"
        );
    }

    #[test]
    fn a_new_file_a_file_without_a_last_newline_and_no_change_at_all() {
        assert_eq!(shown("", "{\n}\n"), "--- f\n+++ f\n@@ -0,0 +1,2 @@\n+{\n+}\n");
        assert_eq!(shown("{}", "{\n}\n"), "--- f\n+++ f\n@@ -1 +1,2 @@\n-{}\n\\ No newline at end of file\n+{\n+}\n");
        assert_eq!(shown("{}\n", "{}\n"), "");
    }

    #[test]
    fn it_is_what_the_library_shows_itself() {
        for (old, new) in [
            ("", "a\n"),
            ("a\nb\n", ""),
            ("a\nb", "a\nc"),
            ("a\r\nb\r\n", "a\r\nc\r\n"),
            (
                "{\n  \"auths\": {}\n}\n",
                "{\n  \"auths\": {},\n  \"credHelpers\": {\n    \"x\": \"ecr-login\"\n  }\n}\n",
            ),
            ("[a]\nx = 1\n\n[b]\nx = 1\n", "[a]\nx = 2\n\n[b]\nx = 1\n\n[c]\nx = 3\n"),
        ] {
            let whole = similar::TextDiff::from_lines(old, new).unified_diff().header("f", "f").to_string();
            assert_eq!(shown(old, new), whole);
        }
    }
}
