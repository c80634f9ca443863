#![no_main]

#[path = "../../tests/fuzz/aws_files.rs"]
mod aws_files;
#[path = "../../tests/fuzz/memory.rs"]
mod memory;

libfuzzer_sys::fuzz_target!(|input: &[u8]| aws_files::check(input));
