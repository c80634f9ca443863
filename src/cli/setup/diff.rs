//! Texts line by line: what a change of a file is.

use std::path::Path;

use similar::DiffTag;
use similar::algorithms::{Capture, Replace, myers};
use similar::udiff::UnifiedHunkHeader;

use crate::text::printable::line_of;

/// How the new lines come from the old ones.
///
/// Of the library one algorithm is called by name. `TextDiff` chooses among five at run time, so that all of them would
/// be in the binary: 0.1 MB.
pub(super) fn compared(old: &[&str], new: &[&str]) -> Capture {
    let mut found = Replace::new(Capture::new());
    let Ok(()) = myers::diff_deadline_raw(&mut found, old, 0..old.len(), new, 0..new.len(), None);
    found.into_inner()
}

/// The difference between two texts, for people: unified, with three lines around each change.
pub(super) fn difference(path: &Path, old: &str, new: &str) -> String {
    let old: Vec<&str> = old.split_inclusive('\n').collect();
    let new: Vec<&str> = new.split_inclusive('\n').collect();
    let hunks = compared(&old, &new).into_grouped_ops(3);
    let mut shown = String::new();
    if !hunks.is_empty() {
        let name = line_of(path);
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
