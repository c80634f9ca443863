#!/bin/bash
# clap_complete's script for bash completes the options of a subcommand for a program named "tool", and none for one named
# "my-tool".
#
# Where the script finds out which subcommand was typed it names the program my__tool, and where it looks for that subcommand's
# options it names it my__subcmd__tool, so that no case ever matches. Subcommands themselves are completed, so that it looks as if
# the options were only missing. The scripts for zsh and fish are not affected.
#
# Seen with clap_complete 4.6.11 (clap 4.6.7) and bash 5.2: "tool: --force", "my-tool: nothing".
# Needs cargo and bash. Exits 0 while this is so, 1 if both programs have the same completions.
set -euo pipefail
scratch=$(mktemp -d)
trap 'rm -rf -- "$scratch"' EXIT
mkdir "$scratch/src"
cat >"$scratch/Cargo.toml" <<'TOML'
[package]
name = "probe"
version = "0.0.0"
edition = "2021"
[dependencies]
clap = { version = "=4.6.7", default-features = false, features = ["std"] }
clap_complete = "=4.6.11"
[workspace]
TOML
cat >"$scratch/src/main.rs" <<'RUST'
use clap::{Arg, ArgAction, Command};
fn main() {
    let name: &str = std::env::args().nth(1).unwrap().leak();
    let run = Command::new("run").arg(Arg::new("force").long("force").action(ArgAction::SetTrue));
    let mut program = Command::new(name).subcommand(run);
    clap_complete::generate(clap_complete::shells::Bash, &mut program, name, &mut std::io::stdout());
}
RUST
cargo build --quiet --manifest-path "$scratch/Cargo.toml" --target-dir "$scratch/target"
# offered PROGRAM: what bash completes in "PROGRAM run --f".
offered() {
    "$scratch/target/debug/probe" "$1" >"$scratch/$1.bash"
    bash --norc -c "source '$scratch/$1.bash'; COMP_WORDS=('$1' run --f); COMP_CWORD=2
        function=\$(complete -p '$1' | sed 's/.*-F \\([^ ]*\\) .*/\\1/')
        \"\$function\" '$1' --f run
        echo \"\${COMPREPLY[*]}\""
}
plain=$(offered tool)
hyphenated=$(offered my-tool)
echo "tool: ${plain:-nothing}"
echo "my-tool: ${hyphenated:-nothing}"
[ "$plain" = --force ] && [ -z "$hyphenated" ]
