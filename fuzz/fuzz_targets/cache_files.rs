#![no_main]

#[path = "../../tests/fuzz/cache_files.rs"]
mod cache_files;
#[path = "../../tests/fuzz/memory.rs"]
mod memory;

libfuzzer_sys::fuzz_target!(|input: &[u8]| cache_files::check(input));
