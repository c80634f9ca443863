//! The edge: argv, exit code.

fn main() {}
