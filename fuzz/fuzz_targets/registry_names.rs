#![no_main]

#[path = "../../tests/fuzz/memory.rs"]
mod memory;
#[path = "../../tests/fuzz/registry_names.rs"]
mod registry_names;

libfuzzer_sys::fuzz_target!(|input: &[u8]| registry_names::check(input));
