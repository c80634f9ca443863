#![no_main]

#[path = "../../tests/fuzz/client_files.rs"]
mod client_files;
#[path = "../../tests/fuzz/memory.rs"]
mod memory;
#[path = "../../tests/fuzz/tree.rs"]
mod tree;

libfuzzer_sys::fuzz_target!(|input: &[u8]| client_files::check(input));
