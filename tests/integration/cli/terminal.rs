//! What people see on a terminal: lines within its width, what continues a line below its text, `~` for the home directory, and
//! no escape sequence on a dumb one. Programs, which read from pipes, see whole lines and whole paths.

use crate::support::terminal::{shown, shown_at};
use crate::support::{FakeAws, Helper, REGISTRY};

/// The lines as they stand there in the end: without colours, and without what was erased.
fn plain(text: &str) -> Vec<String> {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\u{1b}') {
        plain.push_str(before);
        if after.starts_with("[K") {
            plain.truncate(plain.rfind('\n').map_or(0, |end| end + 1));
        }
        rest = after.trim_start_matches(|c: char| c != 'm' && c != 'K').get(1..).unwrap_or_default();
    }
    plain.push_str(rest);
    plain.replace('\r', "").lines().map(str::to_owned).collect()
}

/// Every line fits, but for one that is a single word.
#[track_caller]
fn fits(lines: &[String], columns: usize) {
    for line in lines {
        let words = line.split_whitespace().count();
        assert!(line.chars().count() <= columns || words <= 3, "{}: {line:?}", line.chars().count());
    }
    assert!(lines.iter().any(|line| line.chars().count() > columns / 2), "{lines:?}");
}

#[test]
fn help_fits_the_terminal_and_goes_on_below_its_column() {
    let helper = Helper::new();
    for arguments in [&["--help"][..], &["setup", "kubelet", "--help"], &["doctor", "-h"], &["warm", "-h"]] {
        let (text, code) = shown_at(60, helper.command(arguments));
        assert_eq!(code, Some(0));
        let lines = plain(&text);
        fits(&lines, 60);
    }
    let (text, _) = shown_at(60, helper.command(["warm", "-h"]));
    let lines = plain(&text);
    let at = lines.iter().position(|line| line.contains("[REGISTRY]...  ")).unwrap_or_else(|| panic!("{lines:?}"));
    let column = lines[at].find("The registries").unwrap();
    assert!(lines[at + 1].starts_with(&" ".repeat(column)) && !lines[at + 1][column..].starts_with(' '), "{lines:?}");
    // The help that is shown where a command is missing, too.
    let (text, _) = shown_at(60, helper.command(["setup"]));
    let lines = plain(&text);
    fits(&lines, 60);
    let at = lines.iter().position(|line| line.contains("  plugin ")).unwrap();
    let column = lines[at].find("Put ").unwrap();
    assert!(lines[at + 1].starts_with(&" ".repeat(column)) && !lines[at + 1][column..].starts_with(' '), "{lines:?}");
    let piped = helper.run(["setup", "kubelet", "--help"], "").stdout;
    assert!(piped.lines().any(|line| line.chars().count() > 100), "a pipe gets whole lines: {piped}");
}

#[test]
fn doctor_status_and_errors_fit_the_terminal_and_have_a_tilde_for_home() {
    let helper = Helper::new().settings("").env("TERM", "xterm");
    helper.write(".docker/config.json", format!("{{\"credHelpers\":{{\"{REGISTRY}\":\"pass\"}}}}"));
    let home = helper.home().display().to_string();
    for columns in [50, 80] {
        for arguments in
            [&["doctor", REGISTRY][..], &["status"], &["warm", REGISTRY], &["password", REGISTRY], &["login"]]
        {
            let (text, _) = shown_at(columns, helper.command(arguments));
            let lines = plain(&text);
            fits(&lines, usize::from(columns));
            assert!(!text.contains(&home), "{arguments:?}: {text}");
        }
    }
    let (text, _) = shown_at(50, helper.command(["doctor", REGISTRY]));
    let lines = plain(&text);
    let at =
        lines.iter().position(|line| line.contains("~/.docker/config.json")).unwrap_or_else(|| panic!("{lines:?}"));
    assert!(lines[at + 1].starts_with(&" ".repeat(19)), "{lines:?}");
    let (text, _) = shown_at(50, helper.command(["password", REGISTRY]));
    let lines = plain(&text);
    assert!(lines[0].starts_with("docker-credential-ecr-login:") && lines[1].starts_with("  "), "{lines:?}");
}

#[test]
fn json_and_pipes_have_whole_lines_and_whole_paths() {
    let helper = Helper::new().settings("").env("TERM", "xterm");
    let home = helper.home().display().to_string();
    let (text, _) = shown_at(50, helper.command(["status", "--json"]));
    assert!(text.contains(&home) && !text.contains('~'), "{text}");
    serde_json::from_str::<serde_json::Value>(&text).unwrap();
    for arguments in [&["doctor", REGISTRY][..], &["status"]] {
        let text = helper.run(arguments, "").stdout;
        assert!(text.contains(&home) && !text.contains("~/.config"), "{text}");
    }
    let outcome = helper.run(["password", REGISTRY], "");
    assert!(outcome.line().len() > 100, "{outcome:?}");
}

#[test]
fn the_answer_to_a_get_is_the_same_on_a_terminal() {
    let aws = FakeAws::start();
    let helper = Helper::new().aws(&aws).keys("AKIATTY");
    let piped = helper.get(REGISTRY).stdout;
    let mut command = helper.command(["get"]);
    let name = helper.write("name", REGISTRY);
    command.stdin(std::fs::File::open(name).unwrap());
    let (text, code) = shown_at(40, command);
    assert_eq!((code, text.replace("\r\n", "\n")), (Some(0), piped));
}

#[test]
fn a_dumb_terminal_gets_no_escape_sequence() {
    let aws = FakeAws::start();
    let helper = Helper::new().aws(&aws).keys("AKIADUMB").env("TERM", "dumb");
    for arguments in
        [&["--help"][..], &["status"], &["doctor", REGISTRY], &["warm", REGISTRY], &["password", "ghcr.io"], &["login"]]
    {
        let (text, _) = shown(helper.command(arguments));
        assert!(!text.is_empty() && !text.contains('\u{1b}'), "{arguments:?}: {text:?}");
    }
}
