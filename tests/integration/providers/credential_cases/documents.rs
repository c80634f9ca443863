//! The tables of the documents that are made of the cases. `UPDATE_DOCUMENTS=1` writes them anew.

use std::path::Path;

use super::case::{self, Case, Exception, FAILS};

const BEGIN: &str = "<!-- made of tests/data/credential-cases by UPDATE_DOCUMENTS=1 cargo test documents -->\n\n";
const END: &str = "\n<!-- end -->";

#[test]
fn the_tables_of_the_documents_are_those_of_the_cases() {
    let (cases, exceptions) = (case::all(), case::exceptions());
    hold("docs/from-the-go-helper.md", &other_than_go(&cases, &exceptions));
    hold("docs/identity.md", &other_than_the_cli(&cases, &exceptions));
}

/// Asserts that `table` is in the document, or puts it there.
fn hold(document: &str, table: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(document);
    let text = std::fs::read_to_string(&path).unwrap();
    let begin = text.find(BEGIN).unwrap_or_else(|| panic!("{document} has no table of cases")) + BEGIN.len();
    let end = begin + text[begin..].find(END).unwrap();
    if std::env::var_os("UPDATE_DOCUMENTS").is_some() {
        std::fs::write(path, format!("{}{table}{}", &text[..begin], &text[end..])).unwrap();
    } else {
        assert_eq!(&text[begin..end], table, "the table of {document} is not that of the cases: UPDATE_DOCUMENTS=1");
    }
}

/// Each case in which the Go helper would use something else.
fn other_than_go(cases: &[Case], exceptions: &[Exception]) -> String {
    let rows = cases.iter().filter_map(|case| {
        let here = case.expected(exceptions);
        (case.go != here).then(|| format!("| {} | {} | {} |\n", cell(&case.name), words(&case.go), words(here)))
    });
    "| case | the Go helper | here |\n|---|---|---|\n".to_owned() + &rows.collect::<String>()
}

/// Each case in which the rule is not kept to, with the reason.
fn other_than_the_cli(cases: &[Case], exceptions: &[Exception]) -> String {
    let mut table = "| case | the Go helper | the AWS CLI | here | why |\n|---|---|---|---|---|\n".to_owned();
    for exception in exceptions {
        for (name, here) in &exception.cases {
            let case = cases.iter().find(|case| case.name == *name).unwrap();
            let (go, cli) = (words(&case.go), words(&case.cli));
            table += &format!("| {} | {go} | {cli} | {} | {} |\n", cell(name), words(here), cell(&exception.because));
        }
    }
    table
}

/// Whose credentials, in words: a fake access key id says it.
fn words(used: &str) -> String {
    let role = |name: &str| format!("role {}", name.to_ascii_lowercase());
    match used {
        FAILS => "an error".to_owned(),
        "ASIACONTAINER" => "the container's role".to_owned(),
        "ASIAIMDS" => "the instance's role".to_owned(),
        "ASIALOGIN" => "the login".to_owned(),
        "AKIAPROC" => "the process".to_owned(),
        _ => match (used.strip_prefix("ASIAROLE"), used.strip_prefix("ASIASSO")) {
            (Some(name), _) => role(name),
            (_, Some(name)) => format!("SSO {}", role(name)),
            _ => format!("keys `{}`", cell(used)),
        },
    }
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\t', " ").replace('<', "&lt;")
}
